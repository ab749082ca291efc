"""A connection that the database has closed is replaced before anybody notices, and nobody asks whether it lives;
statements are prepared, and travel together where nobody waits for one of them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.signals import request_started
from django.db import IntegrityError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from psycopg.pq import PipelineStatus, TransactionStatus

from common import statements
from people.models import Team

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="a file is always there"),
]


def terminate(pid: int) -> None:
    """From another connection."""

    def end() -> None:
        statements.run("SELECT pg_terminate_backend(%s, 5000)", [pid])
        connections.close_all()

    with ThreadPoolExecutor(1) as other:
        other.submit(end).result()


def backend() -> int:
    with transaction.atomic():
        return int(statements.run("SELECT pg_backend_pid()", [])[0][0])


def begin_request() -> None:
    """What Django does with the connection when a request begins."""
    connection.health_check_enabled = True  # type: ignore[attr-defined]
    request_started.send(None)


def test_a_connection_that_was_closed_is_replaced() -> None:
    gone = backend()
    terminate(gone)

    begin_request()

    assert backend() != gone


def test_one_that_lives_is_kept_without_a_question() -> None:
    alive = backend()
    begin_request()

    with CaptureQueriesContext(connection) as captured:
        assert backend() == alive

    assert [query["sql"] for query in captured if "pg_backend_pid" not in query["sql"]] == ["BEGIN", "COMMIT"]


def test_a_statement_is_prepared_once_for_a_connection() -> None:
    connection.close()

    for n in range(3):
        with transaction.atomic():
            assert statements.run("SELECT %s::int + 1", [n]) == [(n + 1,)]

    prepared = [sql for (sql,) in statements.run("SELECT statement FROM pg_prepared_statements", [])]
    assert sum("::int + 1" in sql for sql in prepared) == 1


def test_within_a_broken_transaction_nothing_more_is_sent() -> None:
    with transaction.atomic():
        transaction.set_rollback(True)

        with pytest.raises(transaction.TransactionManagementError):
            statements.run("SELECT 1", [])


ADD = """INSERT INTO people_team (name, slug, version, created_at, updated_at) VALUES (%s, %s, 1, now(), now())
RETURNING id"""


def status() -> PipelineStatus:
    return PipelineStatus(connection.connection.pgconn.pipeline_status)


def test_what_nobody_waits_for_is_on_its_way_until_its_rows_are_wanted() -> None:
    with transaction.atomic(), statements.together():
        first = statements.send("SELECT 1 FROM pg_sleep(0.1)", [])
        second = statements.send("SELECT generate_series(1, %s::int)", [3])

        assert connection.connection.info.transaction_status == TransactionStatus.ACTIVE
        assert second.rows() == [(1,), (2,), (3,)]
        assert first.rows() == [(1,)]
        assert first.count() == 1
        assert status() == PipelineStatus.ON
    assert status() == PipelineStatus.OFF


def test_the_orm_sees_what_was_sent_before_it_and_counts_right() -> None:
    with transaction.atomic(), statements.together():
        added = statements.send(ADD, ["Ours", "ours"])

        assert Team.objects.filter(slug="ours").update(name="Theirs") == 1
        assert status() == PipelineStatus.OFF
        assert added.rows() == [(Team.objects.get().pk,)]
        assert statements.send("UPDATE people_team SET name = 'Ours'", []).count() == 1


def test_how_many_were_written_is_known_within_and_after() -> None:
    with transaction.atomic():
        with statements.together():
            statements.send(ADD, ["Ours", "ours"])
            assert statements.send("UPDATE people_team SET name = 'A'", []).count() == 1
            after = statements.send("UPDATE people_team SET name = 'B' WHERE false", [])
        assert after.count() == 0


def send_what_breaks() -> None:
    for slug in ("ours", "ours", "theirs"):
        statements.send(ADD, ["Ours", slug])


@transaction.atomic
def break_it() -> None:
    with statements.together():
        send_what_breaks()


@transaction.atomic
def break_it_and_fail() -> None:
    with statements.together():
        send_what_breaks()
        raise LookupError


@pytest.mark.parametrize(("act", "error"), [(break_it, IntegrityError), (break_it_and_fail, LookupError)])
def test_what_broke_first_is_raised_and_nothing_is_kept(act: Callable[[], None], error: type[Exception]) -> None:
    with pytest.raises(error):
        act()

    assert status() == PipelineStatus.OFF
    assert not Team.objects.exists()
