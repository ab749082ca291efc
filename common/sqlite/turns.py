"""Who writes next: the threads of all processes that share a database file queue for it, where SQLite would have them
look again and again whether it is free."""

from __future__ import annotations

import fcntl
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO


class Turns:
    """One writer at a time of those that wait here. What does not wait here is kept apart by SQLite itself."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._within = threading.Lock()  # among the threads of this process
        self._among: IO[bytes] | None = None  # among processes; the system lets go of it for who dies
        self._opened_by = 0

    def take(self, seconds: float) -> bool:
        """Wait for the turn; False where it does not come in time. Whose process is first waits for others'."""
        if not self._within.acquire(timeout=seconds):
            return False
        with suppress(OSError):  # on a file system without locks, SQLite's own way remains
            fcntl.flock(self._open(), fcntl.LOCK_EX)
        return True

    def give(self) -> None:
        if self._among is not None:
            with suppress(OSError):
                fcntl.flock(self._among, fcntl.LOCK_UN)
        self._within.release()

    def _open(self) -> IO[bytes]:
        """A file of this process's own: one that came over by a fork would be locked for both."""
        if self._among is None or self._opened_by != os.getpid():
            self._among, self._opened_by = self._file.open("ab"), os.getpid()
        return self._among


_known: dict[str, Turns] = {}
_making = threading.Lock()


def at(database: str) -> Turns:
    """The queue for this database file, the same one for all threads."""
    with _making:
        return _known.setdefault(database, Turns(Path(f"{database}-turns")))
