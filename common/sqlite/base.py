"""Django's backend for SQLite, whose transactions wait for their turn in a queue."""

from __future__ import annotations

import sqlite3

from django.db import OperationalError
from django.db.backends.sqlite3 import base

from common.sqlite import turns


class DatabaseWrapper(base.DatabaseWrapper):
    _turns: turns.Turns | None = None  # where it is our turn

    def _start_transaction_under_autocommit(self) -> None:
        if not self.is_in_memory_db():
            queue = turns.at(str(self.settings_dict["NAME"]))
            if not queue.take(self.settings_dict["OPTIONS"].get("timeout", 5)):
                raise OperationalError("database is locked") from sqlite3.OperationalError("it was never our turn")
            self._turns = queue
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
        except BaseException:
            self._end_turn()
            raise

    def _commit(self) -> None:
        try:
            super()._commit()  # type: ignore[misc]
        finally:
            self._end_turn()

    def _rollback(self) -> None:
        try:
            super()._rollback()  # type: ignore[misc]
        finally:
            self._end_turn()

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]
        finally:
            self._end_turn()

    def _end_turn(self) -> None:
        if self._turns is not None:
            held, self._turns = self._turns, None
            held.give()
