"""Web processes are killed, and the database is stopped, while many senders post: what was answered with 2xx is there,
whole, and once."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest
from django.db import connection

from alerts.models import Delivery
from tests import clusters, evidence, make
from tests.clusters import Cluster
from tests.faults import senders
from tests.faults.machines import Plant, Web, plant
from tests.faults.senders import Crowd

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.proof, pytest.mark.slow]

SEED = 8_261
KILLS = 1_000 if evidence.is_wanted() else 50
PARENT = 6  # of so many kills one meets the parent and all its workers: else the pauses before they start again grow
WORKERS = 2
STOPS = 20 if evidence.is_wanted() else 3
BACK = 10.0  # seconds in which alerts are taken in again, once the database is back
PATIENCE = 60.0  # seconds until a worker answers again


def test_what_was_answered_is_there_though_web_processes_were_killed(machines: Plant) -> None:
    _, token = make.integration()
    web = machines.web()

    with evidence.of("web-kills", seed=SEED) as row:
        with senders.sending(web.port, token, SEED) as crowd:
            kill(web, crowd, KILLS)
        found = senders.look(crowd)
        row |= {"kills": KILLS, **figures(crowd), **found.counts}

    assert crowd.faults == []
    assert found == senders.Findings()
    assert row["resent"] > KILLS  # they did meet something


@pytest.fixture
def cluster(transactional_db: None) -> Iterator[Cluster]:
    """A PostgreSQL that this test may stop; its database is there."""
    if connection.vendor != "postgresql":
        pytest.skip("only where there is a server to stop")
    before = dict(connection.settings_dict)
    with clusters.cluster() as its:
        connection.close()
        connection.settings_dict.update(HOST="127.0.0.1", PORT=its.port, NAME="postgres", USER="burnline")
        try:
            yield its
        finally:
            connection.close()
            connection.settings_dict.update(before)


def test_what_was_answered_is_there_though_the_database_was_stopped(cluster: Cluster) -> None:
    with plant() as machines:
        web = machines.web()
        _, token = make.integration()
        connection.close()  # before its other end is gone
        with evidence.of("database-stops", seed=SEED) as row:
            with senders.sending(web.port, token, SEED) as crowd:
                workers = at_work(web, crowd, WORKERS)
                late = stop(cluster, crowd, STOPS)
            found = senders.look(crowd)
            others = {status: count for status, count in crowd.answers.items() if status not in (200, 503)}
            row |= {
                "stops": STOPS,
                **figures(crowd),
                **found.counts,
                "answers_503": crowd.answers[503],
                "answers_other_5xx": sum(count for status, count in others.items() if status >= 500),
                "back_ms": round(max(late) * 1000),
            }
        survivors = web.workers

    assert crowd.faults == []
    assert found == senders.Findings()
    assert others == {}
    assert survivors == workers  # nobody had to start them again
    assert max(late) <= evidence.allowed(BACK)


def test_what_a_database_forgets_when_it_is_stopped_would_be_seen(cluster: Cluster) -> None:
    with plant() as machines:
        web = machines.web()
        _, token = make.integration()
        with connection.cursor() as cursor:
            cursor.execute("ALTER SYSTEM SET synchronous_commit = off")
            cursor.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
            cursor.execute("SELECT pg_reload_conf()")
        connection.close()
        with senders.sending(web.port, token, SEED, count=10) as crowd:
            at_work(web, crowd, WORKERS)
            stop(cluster, crowd, 2)
        found = senders.look(crowd)

    assert found.missing


def test_what_is_answered_before_it_is_committed_would_be_seen() -> None:
    """By the same look at a build that answers at once and takes in a little later; nothing of it is lost otherwise."""
    with plant(DJANGO_SETTINGS_MODULE="tests.faults.hasty") as machines:
        _, token = make.integration()
        web = machines.web()
        with senders.sending(web.port, token, SEED, count=10) as crowd:
            at_work(web, crowd, WORKERS)
        wait_until_all_is_written()
        unharmed = senders.look(crowd)

        with senders.sending(web.port, token, SEED, count=10, first=10) as crowd:
            kill(web, crowd, 5)
        wait_until_all_is_written()
        killed = senders.look(crowd)

    assert unharmed.missing == []
    assert killed.missing


def wait_for_more(status: int, crowd: Crowd) -> float:
    """Until it is answered once more; how many seconds that took."""
    began, before = time.monotonic(), crowd.answers[status]
    while crowd.answers[status] == before:
        assert time.monotonic() < began + PATIENCE, dict(crowd.answers)
        assert not crowd.faults, crowd.faults
        time.sleep(0.01)
    return time.monotonic() - began


def wait_until_all_is_written() -> None:
    """A hasty build comes after its answers."""
    before = -1
    while (count := Delivery.objects.count()) != before:
        before = count
        time.sleep(2)


def figures(crowd: Crowd) -> dict[str, int]:
    return {
        "clients": senders.SENDERS,
        "acked": len(crowd.bodies),
        "acked_alerts": len(crowd.alerts),
        "resent": crowd.resent,
        "taken_without_an_answer": Delivery.objects.count() - len(crowd.bodies),
        "p99_ms": round(evidence.percentile(crowd.took, 0.99) * 1000),
        "max_ms": round(max(crowd.took, default=0) * 1000),
    }


def kill(web: Web, crowd: Crowd, times: int) -> None:
    """A worker at random each time, sometimes all with their parent; always one that has answered."""
    dice = random.Random(SEED)
    for n in range(1, times + 1):
        # While all of them answer, much is taken in; while all but one are gone, much waits.
        worker = dice.choice(sorted(at_work(web, crowd, dice.randint(1, WORKERS))))
        time.sleep(dice.uniform(0, 0.2))
        if n % PARENT == 0:
            web.kill()
            web.start()
        else:
            web.kill_worker(worker)


def stop(cluster: Cluster, crowd: Crowd, times: int) -> list[float]:
    """The database, each time for a while; how many seconds after it was back something was taken in again."""
    dice = random.Random(SEED)
    late = []
    for _ in range(times):
        time.sleep(dice.uniform(0.5, 2.0))
        cluster.stop_at_once()
        wait_for_more(503, crowd)
        time.sleep(dice.uniform(0.0, 1.5))
        cluster.start()
        late.append(wait_for_more(200, crowd))
    return late


def at_work(web: Web, crowd: Crowd, count: int) -> set[int]:
    """The workers that have answered, once there are so many."""
    end = time.monotonic() + PATIENCE
    while len(workers := web.workers & crowd.workers) < count:
        assert time.monotonic() < end, web.said[-2000:]
        assert not crowd.faults, crowd.faults
        time.sleep(0.01)
    return workers
