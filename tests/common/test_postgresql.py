"""A connection that the database has closed is replaced before anybody notices, and nobody asks whether it lives."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.signals import request_started
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from common import statements

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
