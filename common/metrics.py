"""What the product counts of itself, and how /metrics tells it.

Counters and histograms of all processes of a machine add up, in files of one folder (prometheus_client's multiprocess
mode); what rows can tell is read from the database at each scrape. Every label has few values, known beforehand or made
by admins: never a path, a name from outside, or an id.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import logging
import os
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Final

from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.utils.module_loading import import_string
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

logger = logging.getLogger(__name__)

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
Source = Callable[[datetime], Iterable[Metric]]  # gives gauges from the database, as they are at this moment

_REGISTRY = CollectorRegistry()
_RESULTS = frozenset({200, 202, 400, 401, 405, 408, 413, 503})
_MADE_BEFOREHAND = 1 << 19  # bytes of each file: written, so that a full disk is met here and not in mapped memory
_KINDS_OF_FILES = ("counter", "histogram", "gauge_livesum")

# Each has a label, so that none has a value, and with it a file, before `share` has said where the files are.

_DELIVERIES_IN = Counter(
    "burnline_ingest_deliveries",
    "Webhook deliveries by integration (empty where the token is unknown) and HTTP status of the answer.",
    ["integration", "result"],
    registry=_REGISTRY,
)
_ALERTS_IN = Counter(
    "burnline_ingest_alerts",
    "Alerts within the deliveries that were taken.",
    ["integration"],
    registry=_REGISTRY,
)
_INGEST_SECONDS = Histogram(
    "burnline_ingest_duration_seconds",
    "Time from the whole body's arrival to the answer, by HTTP status of the answer.",
    ["result"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=_REGISTRY,
)
_REQUESTS = Counter(
    "burnline_http_requests",
    "Answered requests by kind (page, api, webhook) and class of their HTTP status.",
    ["kind", "status"],
    registry=_REGISTRY,
)
_REQUEST_SECONDS = Histogram(
    "burnline_http_request_duration_seconds",
    "Time from the whole body's arrival to the head of the answer, by kind (page, api, webhook).",
    ["kind"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=_REGISTRY,
)
_REFUSED = Counter(
    "burnline_http_refused_bodies",
    "Requests refused at the door for their body, before Django saw them: too_large, too_slow, no_room.",
    ["reason"],
    registry=_REGISTRY,
)
_DELIVERIES_OUT = Counter(
    "burnline_message_deliveries",
    "Attempts to deliver a message, by channel and outcome: sent, postponed, refused, given_up, not_needed.",
    ["channel", "outcome"],
    registry=_REGISTRY,
)
_WORK_DONE = Counter(
    "burnline_work_attempts",
    "Attempts to carry out due work, by kind and outcome: ended (done, or put off), failed, lost to another.",
    ["kind", "outcome"],
    registry=_REGISTRY,
)
_WORK_LATENESS = Histogram(
    "burnline_work_lateness_seconds",
    "How long after it was due a piece of work was begun.",
    ["kind"],
    buckets=(0.5, 1, 2, 3, 5, 10, 30, 60, 300, 3600),
    registry=_REGISTRY,
)
STREAMS = Gauge(
    "burnline_streams_open",
    "Live event streams open now, by kind (page, api): STREAMS.labels(kind).inc() and .dec().",
    ["kind"],
    multiprocess_mode="livesum",
    registry=_REGISTRY,
)


# Counting


@dataclass(slots=True)
class Delivery:
    """What is known of a webhook delivery so far."""

    integration: str = ""  # the slug of a known one
    alerts: int = 0
    result: int = 500


@contextmanager
def ingesting() -> Iterator[Delivery]:
    """Count one delivery and its time, by what is known of it at the end."""
    delivery = Delivery()
    began = time.perf_counter()
    try:
        yield delivery
    finally:
        ingested(delivery, time.perf_counter() - began)


def ingested(delivery: Delivery, seconds: float) -> None:
    """Count one delivery, and the time that it took."""
    result = str(delivery.result) if delivery.result in _RESULTS else "500"
    _DELIVERIES_IN.labels(delivery.integration, result).inc()
    _INGEST_SECONDS.labels(result).observe(seconds)
    if delivery.alerts:
        _ALERTS_IN.labels(delivery.integration).inc(delivery.alerts)


def answered(kind: str, status: int, seconds: float) -> None:
    """A request got its answer."""
    _REQUESTS.labels(kind, f"{status // 100}xx").inc()
    _REQUEST_SECONDS.labels(kind).observe(seconds)


def refused(reason: str) -> None:
    """A request's body was too large, too slow, or found no room, and the door itself said so."""
    _REFUSED.labels(reason).inc()


def delivery(channel: str, outcome: str) -> None:
    """A message was tried on a channel."""
    _DELIVERIES_OUT.labels(channel, outcome).inc()


def work_done(kind: str, outcome: str, lateness_seconds: float) -> None:
    """An attempt at a piece of due work, begun so late, went so: ended, failed or lost."""
    _WORK_DONE.labels(kind, outcome).inc()
    _WORK_LATENESS.labels(kind).observe(max(0.0, lateness_seconds))


# Adding up the processes of a machine


@dataclass(frozen=True, slots=True)
class _Slot:
    """A number that no other living process counts under: it is ours as long as its lock file is open."""

    folder: Path
    number: int
    pid: int
    lock: IO[str]


_held: _Slot | None = None


def share(folder: Path) -> None:
    """From now on this process counts in files of this folder, where others of the machine do so too. Called before
    anything is counted. Where nothing can be written, it goes on to count for itself."""
    global _held
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _held = _take_slot(folder)
    except OSError as exc:
        logger.warning("What this process counts is not in the others' metrics: %s: %s", folder, exc.strerror)
        return
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    values.ValueClass = values.MultiProcessValue(_slot_of_this_process)  # type: ignore[no-untyped-call]


def wipe(folder: Path) -> None:
    """Forget what processes counted that are gone. Those which live, and what they counted, stay."""
    for lock in folder.glob("*.lock"):
        with lock.open("w") as file:
            if _locked(file, fcntl.LOCK_EX):
                for path in _files(folder, lock.stem):
                    path.unlink(missing_ok=True)


def _slot_of_this_process() -> str:
    """Its number. After a fork, the child takes one of its own."""
    global _held
    assert _held, "share was called"
    if _held.pid != os.getpid():
        _held = _take_slot(_held.folder)
    return str(_held.number)


def _take_slot(folder: Path) -> _Slot:
    """The first number that is free. Numbers, not pids: they are few however often processes start, a process goes on
    counting where one that died left off, and two containers may both have a pid 7."""
    for number in itertools.count(1):
        lock = (folder / f"{number}.lock").open("w")
        if _locked(lock, fcntl.LOCK_EX):
            break
        lock.close()
    for path in _files(folder, str(number)):
        # Counters go on from what is there, if it is sound; gauges of the dead begin at nothing.
        if path.name.startswith("gauge") or not _is_sound(path):
            path.write_bytes(bytes(_MADE_BEFOREHAND))
    return _Slot(folder, number, os.getpid(), lock)


def _locked(file: IO[str], how: int) -> bool:
    """Whether the lock was to be had. It goes with the file's closing, or with its process."""
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_sound(path: Path) -> bool:
    """Whether it can be read to its end, and written without growing on a full disk."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            (used,) = struct.unpack("i", file.read(4))
        for key, *_ in MmapedDict.read_all_values_from_file(path):  # type: ignore[no-untyped-call]
            json.loads(key)
    except (OSError, struct.error, RuntimeError, ValueError):
        return False
    return size >= _MADE_BEFOREHAND and 0 <= used <= size


def _files(folder: Path, number: str) -> list[Path]:
    return [folder / f"{kind}_{number}.db" for kind in _KINDS_OF_FILES]


def _readable_files(folder: Path) -> Iterator[Path]:
    """Those that can be read now; the gauges only of who lives."""
    for lock in folder.glob("*.lock"):
        with lock.open() as file:
            is_gone = _locked(file, fcntl.LOCK_SH)
        for path in _files(folder, lock.stem):
            if _is_sound(path) and not (is_gone and path.name.startswith("gauge")):
                yield path


# Telling


def exposition(now: datetime) -> bytes:
    """What Prometheus reads. Where the database is away, it says so, and the counters are told all the same: they are
    what shows what that did to the senders."""
    registry = CollectorRegistry()
    registry.register(_Scrape(now))
    return generate_latest(registry)


class _Scrape(Collector):
    """One scrape, of this moment."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        yield from _counted()
        is_up = True
        try:
            gauges = [metric for source in _sources() for metric in source(self._now)]
        except (DatabaseError, InterfaceError) as exc:
            logger.warning("The database gave no figures: %s", str(exc).strip().partition("\n")[0])
            gauges, is_up = [], False
        yield GaugeMetricFamily("burnline_database_up", "1 if the database answered this scrape, else 0.", is_up)
        yield from gauges


def _counted() -> Iterable[Metric]:
    """What the processes of this machine counted, or this one alone where nothing is shared."""
    if _held is None:
        return (_without_moments(metric) for metric in _REGISTRY.collect())
    files = [str(path) for path in _readable_files(_held.folder)]
    metrics: Iterable[Metric] = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
    return metrics


def _without_moments(metric: Metric) -> Metric:
    """Shared files do not tell when a counter was made; neither does a process alone."""
    metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
    return metric


def _sources() -> list[Source]:
    return [import_string(path) for path in settings.SCRAPED]
