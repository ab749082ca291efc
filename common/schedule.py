"""Recurring work: what config/celery.py lists, a row for each job and slot, so that any number of engines run it once.

A job runs in the slot that is present, also if earlier ones were missed, and never beside an earlier run of itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TypeVar

from django.db import InterfaceError, OperationalError
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.module_loading import import_string

from common import hands, work
from common.models import ScheduledRun

logger = logging.getLogger(__name__)

BATCH = 500  # rows deleted in one statement
BATCHES = 40  # of a kind, in one run

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Job:
    """Something that is done in each slot: the dotted name of `function(now=...)`, and how long a slot is. Where `when`
    names another one, only in the slots in which that says so: a look that costs little, for what has to be quick."""

    name: str
    function: str
    every: timedelta
    when: str = ""

    def slot(self, now: datetime) -> datetime:
        """When the slot began that is present at this moment."""
        seconds = self.every.total_seconds()
        return datetime.fromtimestamp(now.timestamp() // seconds * seconds, UTC)

    def is_wanted(self, now: datetime) -> bool:
        return not self.when or bool(import_string(self.when)(now=now))


@cache
def jobs() -> dict[str, Job]:
    """The schedule, by the jobs' names. Only what stands here is ever run."""
    entries = hands.celery().conf.beat_schedule
    return {name: Job(name, entry["task"], entry["schedule"], entry.get("when", "")) for name, entry in entries.items()}


class Timetable:
    """Enters what is to be run. It remembers what it saw entered, so that most looks cost no statement."""

    def __init__(self) -> None:
        self._entered: dict[str, datetime] = {}

    def enter(self, *, now: datetime) -> None:
        """A row for each job whose present slot has none, unless an earlier run of it has not ended."""
        slots = {job.name: job.slot(now) for job in jobs().values()}
        missing = {name: slot for name, slot in slots.items() if self._entered.get(name) != slot}
        unwanted = {name: slot for name, slot in missing.items() if not jobs()[name].is_wanted(now)}
        self._entered |= unwanted  # as far as this slot goes: it is not asked again
        missing = {name: slot for name, slot in missing.items() if name not in unwanted}
        if not missing:
            return
        rows = ScheduledRun.objects.filter(Q(state="waiting") | Q(slot__in=set(missing.values())), job__in=missing)
        seen = list(rows.values_list("job", "slot", "state"))
        known = {(name, slot) for name, slot, _ in seen}
        busy = {name for name, _, state in seen if state == ScheduledRun.State.WAITING}
        self._entered |= {name: slot for name, slot in missing.items() if (name, slot) in known}
        new = [
            ScheduledRun(job=name, slot=slot, due_at=Now(), lane=name)
            for name, slot in missing.items()
            if (name, slot) not in known and name not in busy
        ]
        if new:
            # The next look finds them, whoever wrote them.
            ScheduledRun.objects.bulk_create(new, ignore_conflicts=True)


def run(row: ScheduledRun) -> None:
    """Do what the schedule says of this job. Nothing where it says nothing any more."""
    job = jobs().get(row.job)
    if job is None:
        logger.warning("%s is no longer in the schedule.", row.job)
        return
    given_up = ScheduledRun.objects.filter(job=row.job, state=ScheduledRun.State.QUARANTINED)
    last, *before = list(given_up.order_by("-slot").values_list("pk", flat=True)) or [None]
    if before:
        # One is enough to show that the job fails, however often it does.
        given_up.filter(pk__in=before).update(state=ScheduledRun.State.CANCELLED)
    import_string(job.function)(now=timezone.now())
    if last is not None:
        given_up.update(state=ScheduledRun.State.CANCELLED)


def sweep(found: Iterable[Found], do: Callable[[Found], bool]) -> int:
    """Do each, and give for how many it returned True. One that fails is logged and keeps none of the others from their
    turn; the run as a whole has failed then, and says so at the end by the first fault. A database that is away ends it
    at once."""
    done = 0
    faults: list[Exception] = []
    for each in found:
        try:
            done += do(each)
        except (OperationalError, InterfaceError):
            raise
        except Exception as exc:  # whatever it is: the others are not to suffer from it
            logger.exception("%s could not be done for %r.", do.__module__, each)
            faults.append(exc)
    if faults:
        raise faults[0]
    return done


def clean_up(*, now: datetime) -> None:
    """Delete what ended and is older than its kind is kept, in small bites."""
    for model in work.kinds():
        if model.KEEP is None:
            continue
        ended = model.objects.filter(state__in=("done", "cancelled"), finished_at__lt=now - model.KEEP)
        for _ in range(BATCHES):
            pks = list(ended.order_by("pk").values_list("pk", flat=True)[:BATCH])
            if not pks:
                break
            model.objects.filter(pk__in=pks).delete()
