"""Django's backend for PostgreSQL, with connections that are seen to live without being asked, and a cursor whose
statements the server prepares."""

from __future__ import annotations

import select
from collections.abc import Sequence
from typing import Any

from django.db.backends.postgresql import base
from django.db.backends.postgresql.operations import DatabaseOperations as Operations
from psycopg.pq import ConnStatus


class DatabaseOperations(Operations):
    def last_executed_query(self, cursor: Any, sql: str, params: Any) -> str:
        """What was sent; of what is prepared, the statement without its values."""
        return super().last_executed_query(cursor, sql, params) or sql


class DatabaseWrapper(base.DatabaseWrapper):
    ops_class = DatabaseOperations
    _kept: Any = None  # the cursor of the last transaction

    def is_usable(self) -> bool:
        """Whether the other end is there. It says nothing while we ask nothing: only where it has spoken, as it does
        when it hangs up, is it asked."""
        if self.connection is None or self.connection.pgconn.status != ConnStatus.OK:
            return False
        socket = select.poll()
        socket.register(self.connection.fileno(), select.POLLIN)
        return not socket.poll(0) or bool(super().is_usable())

    def prepared(self, sql: str, values: Sequence[Any]) -> Any:
        """A cursor that has sent this statement, whose values travel apart from it, so that the server need not plan it
        anew. Within a transaction the next one takes the cursor over: its rows are to be fetched before."""
        if not self.in_atomic_block or self.queries_logged or self.execute_wrappers:
            self.close_if_health_check_failed()
            self.ensure_connection()
            cursor = self._prepare_cursor(base.ServerBindingCursor(self.connection))  # type: ignore[attr-defined, call-arg]
            cursor.execute(sql, values)
            return cursor
        self.validate_no_broken_transaction()
        if self._kept is None or self._kept.connection is not self.connection:
            self._kept = base.ServerBindingCursor(self.connection)  # type: ignore[call-arg]
        with self.wrap_database_errors:
            self._kept.execute(sql, values)
        return self._kept
