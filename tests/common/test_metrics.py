"""The figures: what is counted, added up over processes, and read from the database when Prometheus asks."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from common import engine, metrics
from incidents import lifecycle
from incidents.models import Incident
from people.actors import person
from people.models import Team, User
from tests import make
from tests.make import NOW

ROOT = Path(__file__).parents[2]

Labels = tuple[tuple[str, str], ...]


def told(text: str | None = None) -> dict[tuple[str, Labels], float]:
    """Every sample of an exposition, by its name and labels; of this process's own without one."""
    families = text_string_to_metric_families(text or metrics.exposition(timezone.now()).decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def value(name: str, text: str | None = None, **labels: str) -> float:
    return told(text).get((name, tuple(sorted(labels.items()))), 0)


def post(client: Client, token: str, body: bytes) -> int:
    return client.post(
        "/webhooks/alertmanager/", body, "application/json", headers={"Authorization": f"Bearer {token}"}
    ).status_code


# What is counted


@pytest.mark.django_db(transaction=True)
def test_deliveries_are_counted_by_integration_and_answer(client: Client) -> None:
    integration, token = make.integration("Metrics")
    body = make.alertmanager_body(make.alert("A"), make.alert("B"))
    before = told()

    def new(name: str, **labels: str) -> float:
        key = (name, tuple(sorted(labels.items())))
        return told().get(key, 0) - before.get(key, 0)

    assert [post(client, token, body), post(client, token, b"{"), post(client, "bli_unknown", body)] == [200, 400, 401]

    assert new("burnline_ingest_deliveries_total", integration=integration.slug, result="200") == 1
    assert new("burnline_ingest_deliveries_total", integration=integration.slug, result="400") == 1
    assert new("burnline_ingest_deliveries_total", integration="", result="401") == 1
    assert new("burnline_ingest_alerts_total", integration=integration.slug) == 2
    assert new("burnline_ingest_duration_seconds_count", result="200") == 1
    assert new("burnline_http_requests_total", kind="webhook", status="2xx") == 1
    assert new("burnline_http_requests_total", kind="webhook", status="4xx") == 2
    assert new("burnline_http_request_duration_seconds_count", kind="webhook") == 3


@pytest.mark.django_db
def test_requests_are_counted_by_kind_and_class(client: Client) -> None:
    before = told()
    client.get("/sign-in/")
    client.get("/nowhere/")
    client.get("/api/v1/incidents/")

    def new(kind: str, status: str) -> float:
        key = ("burnline_http_requests_total", (("kind", kind), ("status", status)))
        return told().get(key, 0) - before.get(key, 0)

    assert (new("page", "2xx"), new("page", "4xx"), new("api", "4xx")) == (1, 1, 1)


@pytest.mark.django_db(transaction=True)
def test_nobody_outside_can_make_a_label(client: Client) -> None:
    """Whatever is sent, the figures are as many as before."""
    _, token = make.integration("Bounded")

    def send(word: str) -> None:
        client.get(f"/{word}/")
        client.get(f"/api/v1/{word}/")
        client.generic(word.upper(), "/sign-in/")
        post(client, f"bli_{word}", b"{}")
        alert = make.alert(word, labels={"severity": word, "service": word})
        post(client, token, make.alertmanager_body(alert, group=word))

    send("first")
    before = set(told())
    for number in range(5):
        send(f"word{number}")

    assert set(told()) == before


def test_messages_and_work_are_counted_when_told() -> None:
    metrics.delivery("ntfy", "sent")
    metrics.work_done("notifications.delivery", "done", 1.5)
    metrics.STREAMS.labels("page").inc()
    try:
        text = "\n".join(f"{name} {labels}" for name, labels in told_without_database())
    finally:
        metrics.STREAMS.labels("page").dec()

    for name in ("burnline_message_deliveries_total", "burnline_work_attempts_total", "burnline_streams_open"):
        assert name in text


def told_without_database() -> list[tuple[str, Labels]]:
    return [
        (sample.name, tuple(sorted(sample.labels.items())))
        for metric in metrics._counted()
        for sample in metric.samples
    ]


# What the database tells


@pytest.mark.django_db
def test_open_incidents_are_told_by_severity(payments: Team, alice: User) -> None:
    make.incident(payments, severity="sev1", by=alice)
    taken = make.incident(payments, severity="sev1", by=alice)
    lifecycle.acknowledge(taken, by=person(alice), now=NOW)
    over = make.incident(payments, severity="sev2", by=alice)
    lifecycle.move(over, Incident.Status.RESOLVED, by=person(alice), now=NOW)
    drill = make.incident(payments, severity="sev1", by=alice)
    Incident.objects.filter(pk=drill.pk).update(is_drill=True)

    assert value("burnline_incidents_open", severity="sev1") == 2
    assert value("burnline_incidents_unacknowledged", severity="sev1") == 1
    assert value("burnline_incidents_open", severity="sev2") == 0
    assert len([name for name, _ in told() if name == "burnline_incidents_open"]) == 5


@pytest.mark.django_db
def test_closed_incidents_cost_a_scrape_nothing(payments: Team, alice: User) -> None:
    incident = make.incident(payments, by=alice)
    Incident.objects.bulk_create(
        Incident(number=1000 + number, title="old", status="closed", created_at=NOW, updated_at=NOW)
        for number in range(3000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE incidents_incident")

    with CaptureQueriesContext(connection) as queries:
        assert value("burnline_incidents_open", severity=incident.severity) == 1
    (sql,) = (query["sql"] for query in queries if "incidents_incident" in query["sql"])

    with connection.cursor() as cursor:
        cursor.execute(("EXPLAIN " if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN ") + sql)
        assert "incident_open" in str(cursor.fetchall())


@pytest.mark.django_db
def test_the_heartbeats_age_is_told_once_there_is_one() -> None:
    name = ("burnline_engine_heartbeat_age_seconds", ())
    assert name not in told()

    engine.beat(now=timezone.now() - timedelta(seconds=20))

    assert 20 <= told()[name] < 30


@pytest.mark.django_db
def test_a_scrape_takes_few_statements_however_much_there_is(
    payments: Team, alice: User, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        make.incident(payments, f"Number {number}", by=alice)

    with django_assert_max_num_queries(3):
        metrics.exposition(timezone.now())


def test_a_scrape_without_a_database_says_so_and_tells_the_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise OperationalError("away")

    monkeypatch.setattr(engine, "last_beat", fails)
    metrics.refused("no_room")

    text = metrics.exposition(timezone.now()).decode()

    assert value("burnline_database_up", text) == 0
    assert value("burnline_http_refused_bodies_total", text, reason="no_room") >= 1


# How it is told


@pytest.mark.django_db
def test_every_figure_is_named_as_prometheus_asks() -> None:
    metrics.delivery("ntfy", "sent")
    metrics.work_done("notifications.delivery", "done", 1.5)

    for family in text_string_to_metric_families(metrics.exposition(timezone.now()).decode()):
        assert family.name.startswith("burnline_")
        assert family.documentation.endswith(".")
        assert family.type in ("counter", "gauge", "histogram")
        assert not any(sample.name.endswith("_created") for sample in family.samples)
        if {"duration", "age", "lateness"} & set(family.name.split("_")):
            assert family.name.endswith("_seconds")


# Added up over processes


COUNTING = """
import sys, time, pathlib
from common import metrics
metrics.share(pathlib.Path(sys.argv[1]))
metrics.delivery("ntfy", "sent")
metrics.refused("no_room")
metrics.STREAMS.labels("page").inc()
print("counted", flush=True)
time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "metrics"


def python(code: str, folder: Path) -> subprocess.Popen[str]:
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings", "BURNLINE_DATA_DIR": str(settings.ENV.data_dir)}
    return subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True
    )


def counting(folder: Path) -> subprocess.Popen[str]:
    """A process that has counted one of each, and lives."""
    process = python(COUNTING, folder)
    assert process.stdout
    assert process.stdout.readline() == "counted\n"
    return process


def read(folder: Path) -> dict[str, float]:
    """What whoever serves would tell: this process looks, and takes no part."""
    with pytest.MonkeyPatch.context() as patch, (folder.parent / "none.lock").open("w") as lock:
        patch.setattr(metrics, "_held", metrics._Slot(folder, 0, os.getpid(), lock))
        return {sample.name: sample.value for metric in metrics._counted() for sample in metric.samples}


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.stdout
    process.stdout.close()


def test_processes_of_a_machine_add_up_and_the_dead_leave_their_counts_but_no_streams(folder: Path) -> None:
    first, second = counting(folder), counting(folder)
    try:
        together = read(folder)
        kill(first)
        after = read(folder)
    finally:
        kill(first)
        kill(second)

    assert together["burnline_message_deliveries_total"] == 2
    assert together["burnline_streams_open"] == 2
    assert after["burnline_message_deliveries_total"] == 2
    assert after["burnline_streams_open"] == 1


def test_a_process_that_starts_again_and_again_leaves_no_more_files(folder: Path) -> None:
    for _ in range(3):
        kill(counting(folder))

    assert read(folder)["burnline_message_deliveries_total"] == 3
    assert sorted(path.name for path in folder.iterdir()) == [
        *("1.lock", "counter_1.db", "gauge_livesum_1.db", "histogram_1.db")
    ]


def test_a_start_forgets_the_dead_and_leaves_the_living(folder: Path) -> None:
    dead = counting(folder)
    living = counting(folder)
    try:
        kill(dead)
        metrics.wipe(folder)

        assert read(folder)["burnline_message_deliveries_total"] == 1
    finally:
        kill(living)


@pytest.mark.parametrize(
    "head", [b"", b"\x40\x00\x00\x00\x00\x00\x00\x00", b"\x40\x00\x00\x00\x00\x00\x00\x00\x08\x00\x00\x00"]
)
def test_a_file_spoiled_by_a_power_cut_breaks_neither_counting_nor_reading(folder: Path, head: bytes) -> None:
    kill(counting(folder))
    spoiled = folder / "counter_1.db"
    spoiled.write_bytes(head + b"\xff" * (len(spoiled.read_bytes()) - len(head)))
    (folder / "2.lock").touch()
    (folder / "counter_2.db").touch()

    process = counting(folder)
    try:
        assert read(folder)["burnline_message_deliveries_total"] == 1
    finally:
        kill(process)


def test_a_folder_that_cannot_be_written_stops_nobody_from_counting(tmp_path: Path) -> None:
    (tmp_path / "metrics").write_text("a file in its place")

    kill(counting(tmp_path / "metrics"))


def test_the_rules_that_we_bring_speak_of_figures_that_there_are() -> None:
    rules = (ROOT / "deploy/prometheus/burnline.rules.yml").read_text()
    code = "".join((ROOT / path).read_text() for path in ("common/metrics.py", "common/backlog.py", "common/pulse.py"))
    code += (ROOT / "incidents/gauges.py").read_text()
    known = set(re.findall(r'"(burnline_\w+)"', code))

    named = {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in re.findall(r"burnline_\w+", rules)}

    assert named
    assert named <= known
