"""Django's backend for PostgreSQL, with connections that are seen to live without being asked, statements that the
server prepares, and stretches of a transaction in which they travel together."""

from __future__ import annotations

import select
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from django.db.backends.postgresql import base
from django.db.backends.postgresql.operations import DatabaseOperations as Operations
from psycopg import Error
from psycopg.pq import ConnStatus


class DatabaseOperations(Operations):
    def last_executed_query(self, cursor: Any, sql: str, params: Any) -> str:
        """What was sent; of what is prepared, the statement without its values."""
        return super().last_executed_query(cursor, sql, params) or sql


class DatabaseWrapper(base.DatabaseWrapper):
    ops_class = DatabaseOperations
    _stretch: ExitStack | None = None  # open while what is sent need not be answered at once

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
        anew. Its rows are to be fetched under `wrap_database_errors`, as they may be on their way."""
        if self._is_watched:
            self.close_if_health_check_failed()
            self.ensure_connection()
            watched = self._prepare_cursor(base.ServerBindingCursor(self.connection))  # type: ignore[attr-defined, call-arg]
            watched.execute(sql, values)
            return watched
        self.validate_no_broken_transaction()
        cursor: Any = base.ServerBindingCursor(self.connection)  # type: ignore[call-arg]
        with self.wrap_database_errors:
            cursor.execute(sql, values)
        return cursor

    @contextmanager
    def together(self) -> Iterator[None]:
        """Within a transaction, a stretch in which no `prepared` statement waits for the one before: all travel
        together until rows of one are fetched, or it ends (PostgreSQL's pipeline). Whatever else is asked of the
        database waits for them, and ends it. What one of them breaks is raised where rows are next fetched, or here."""
        if self._is_watched or self._stretch is not None:
            yield
            return
        stretch = ExitStack()
        with self.wrap_database_errors:
            stretch.enter_context(self.connection.pipeline())
        self._stretch = stretch
        try:
            yield
        except BaseException:
            with suppress(Error):  # what follows from the one that is raised
                self._leave()
            raise
        self.arrive()

    def arrive(self) -> None:
        """Wait for all that is on its way."""
        with self.wrap_database_errors:
            self._leave()

    def _cursor(self, name: str | None = None) -> Any:
        self.arrive()
        return super()._cursor(name)  # type: ignore[misc]

    def _leave(self) -> None:
        stretch, self._stretch = self._stretch, None
        if stretch is not None:
            stretch.close()

    @property
    def _is_watched(self) -> bool:
        """Whether statements go the whole way through Django: outside a transaction, or where they are counted."""
        return not self.in_atomic_block or bool(self.queries_logged or self.execute_wrappers)
