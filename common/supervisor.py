"""Keeps a handful of processes alive: what dies is started again, what is stopped leaves nobody behind.

Each program runs in a process group of its own, is killed as a group, and (on Linux) dies with the supervisor, also
when that one is killed itself.
"""

import contextlib
import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any, Self

logger = logging.getLogger(__name__)

GRACE = 4.0  # seconds from SIGTERM to SIGKILL
FIRST_PAUSE = 0.25  # seconds before a program that died starts again; doubled each time,
LONGEST_PAUSE = 8.0  # up to this,
PROVEN = 30.0  # and forgotten once it lived this long
LOOK = 0.05  # seconds between two looks at the children

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Program:
    """What to keep running: its command, and the file descriptors it inherits."""

    name: str
    command: Sequence[str]
    inherits: tuple[int, ...] = ()


class Supervisor:
    """`with Supervisor(programs) as supervisor: supervisor.watch()`. Stops everything on its way out."""

    def __init__(self, programs: Sequence[Program], *, grace: float = GRACE) -> None:
        self._grace = grace
        self._children = [_Child(program) for program in programs]
        self._times_asked_to_stop = 0
        self._handlers_before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in STOP_SIGNALS:
            # What nohup set stays so.
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                self._handlers_before[number] = signal.signal(number, self._note)
        try:
            for child in self._children:
                child.start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def asked_to_stop(self) -> bool:
        return self._times_asked_to_stop > 0

    def watch(self, *, until: Callable[[], bool] = lambda: False, seconds: float = float("inf")) -> bool:
        """Start again what dies. True once `until()` holds, False when time is up or somebody asked to stop."""
        end = time.monotonic() + seconds
        while not self.asked_to_stop and time.monotonic() < end:
            for child in self._children:
                child.start_again_if_it_died()
            if until():
                return True
            time.sleep(LOOK)
        return False

    def _stop(self) -> None:
        """Ask all to end, wait for them, kill what is left. Asked a second time, kill at once."""
        for child in self._children:
            if child.is_alive():
                child.send(signal.SIGTERM)
        end = time.monotonic() + self._grace
        while (
            any(child.is_alive() for child in self._children)
            and time.monotonic() < end
            and self._times_asked_to_stop < 2
        ):
            time.sleep(LOOK)
        for child in self._children:
            child.kill()
        for number, handler in self._handlers_before.items():
            signal.signal(number, handler)

    def _note(self, signum: int, frame: FrameType | None) -> None:
        self._times_asked_to_stop += 1


class _Child:
    """One program, and its process of the moment."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._pause = FIRST_PAUSE
        self._start_again_at: float | None = None

    def start(self) -> None:
        supervisor = os.getpid()
        self._start_again_at = None
        self._started_at = time.monotonic()
        self._process = subprocess.Popen(
            self._program.command,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=self._program.inherits,
            preexec_fn=lambda: _die_with(supervisor),  # safe: the supervisor has one thread
        )

    def start_again_if_it_died(self) -> None:
        now = time.monotonic()
        if self._start_again_at is not None:
            if now >= self._start_again_at:
                self._try_to_start(now)
        elif self._process and not self.is_alive():
            if now - self._started_at > PROVEN:
                self._pause = FIRST_PAUSE
            self.kill()  # what it may have started itself
            self._start_later(now, f"ended ({_how_it_ended(self._process.returncode)})")

    def _try_to_start(self, now: float) -> None:
        try:
            self.start()
        except (OSError, subprocess.SubprocessError) as exc:
            # No memory, no more processes: that passes, and must not end the others.
            self._start_later(now, f"does not start ({exc})")

    def _start_later(self, now: float, why: str) -> None:
        logger.warning("%s %s; starting it again in %.2f s.", self._program.name, why, self._pause)
        self._start_again_at = now + self._pause
        self._pause = min(self._pause * 2, LONGEST_PAUSE)

    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """To the whole group, also if only grandchildren are left of it."""
        if self._process:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        if self._process:
            self._process.wait()


def _die_with(supervisor: int) -> None:
    """In the child, before its program: be killed when the supervisor is gone."""
    if _libc:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != supervisor:
            os._exit(1)  # it went before we asked


def _how_it_ended(code: int) -> str:
    return f"exit {code}" if code >= 0 else signal.Signals(-code).name
