"""Django's backend for SQLite, whose transactions wait for their turn in a queue."""

from __future__ import annotations

import sqlite3

from django.db import OperationalError
from django.db.backends.sqlite3 import base

from common.sqlite import turns


class DatabaseWrapper(base.DatabaseWrapper):
    _turns: turns.Turns | None = None  # where it is our turn

    def take_turn(self) -> None:
        """Wait for our turn before the next transaction begins, in place of when it does: for who decides only then
        what to write. `give_turn` where there is nothing. Raises OperationalError."""
        if self._turns is not None or self.is_in_memory_db():
            return
        queue = turns.at(str(self.settings_dict["NAME"]))
        if not queue.take(self.settings_dict["OPTIONS"].get("timeout", 5)):
            raise OperationalError("database is locked") from sqlite3.OperationalError("it was never our turn")
        self._turns = queue

    def give_turn(self) -> None:
        if self._turns is not None:
            held, self._turns = self._turns, None
            held.give()

    def _start_transaction_under_autocommit(self) -> None:
        self.take_turn()
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
        except BaseException:
            self.give_turn()
            raise

    def _commit(self) -> None:
        try:
            super()._commit()  # type: ignore[misc]
        finally:
            self.give_turn()

    def _rollback(self) -> None:
        try:
            super()._rollback()  # type: ignore[misc]
        finally:
            self.give_turn()

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]
        finally:
            self.give_turn()
