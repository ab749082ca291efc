"""What dies is started again, what is stopped leaves nobody behind."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from common.supervisor import STOP_SIGNALS, Program, Supervisor


def test_what_dies_is_started_again(tmp_path: Path) -> None:
    said = tmp_path / "pids"

    with Supervisor([Program("sleeper", _sleeper(said))]) as supervisor:
        assert supervisor.watch(until=lambda: len(_pids(said)) == 1, seconds=5)
        os.kill(_pids(said)[0], signal.SIGKILL)
        assert supervisor.watch(until=lambda: len(_pids(said)) == 2, seconds=5)
        first, second = _pids(said)

        assert _runs(second)

    assert first != second
    assert not _runs(second)


def test_what_lives_is_left_alone_when_another_dies(tmp_path: Path) -> None:
    steady, frail = tmp_path / "steady", tmp_path / "frail"

    with Supervisor([Program("steady", _sleeper(steady)), Program("frail", _sleeper(frail))]) as supervisor:
        supervisor.watch(until=lambda: bool(_pids(steady) and _pids(frail)), seconds=5)
        os.kill(_pids(frail)[0], signal.SIGKILL)
        assert supervisor.watch(until=lambda: len(_pids(frail)) == 2, seconds=5)

        assert len(_pids(steady)) == 1


def test_what_dies_at_once_is_started_ever_more_slowly(tmp_path: Path) -> None:
    said = tmp_path / "pids"

    with Supervisor([Program("hasty", ["sh", "-c", f"echo $$ >> {said}; exit 1"])]) as supervisor:
        supervisor.watch(seconds=2)

    # At 0, 0.25 and 0.75 s, and at 1.75 s if the machine is quick.
    assert 2 <= len(_pids(said)) <= 4


def test_what_cannot_be_started_again_is_tried_until_it_can(tmp_path: Path) -> None:
    said, program = tmp_path / "pids", tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho $$ >> {said}\nexec sleep 60\n")
    program.chmod(0o755)

    with Supervisor([Program("program", [str(program)])]) as supervisor:
        supervisor.watch(until=lambda: bool(_pids(said)), seconds=5)
        program.rename(tmp_path / "elsewhere")
        os.kill(_pids(said)[0], signal.SIGKILL)
        supervisor.watch(seconds=0.5)
        (tmp_path / "elsewhere").rename(program)

        assert supervisor.watch(until=lambda: len(_pids(said)) == 2, seconds=5)


def test_what_a_program_started_itself_goes_with_it(tmp_path: Path) -> None:
    said = tmp_path / "pids"
    parent = ["sh", "-c", f"echo $$ >> {said}; sleep 60 & echo $! >> {said}; wait"]

    with Supervisor([Program("parent", parent)]) as supervisor:
        assert supervisor.watch(until=lambda: len(_pids(said)) == 2, seconds=5)
        pids = _pids(said)

    assert not any(_runs(pid) for pid in pids)


def test_what_does_not_listen_is_killed_after_its_grace(tmp_path: Path) -> None:
    said = tmp_path / "pids"
    deaf = ["sh", "-c", f"trap '' TERM; echo $$ >> {said}; while true; do sleep 1; done"]

    with Supervisor([Program("deaf", deaf)], grace=0.3) as supervisor:
        assert supervisor.watch(until=lambda: bool(_pids(said)), seconds=5)
        began = time.monotonic()

    assert time.monotonic() - began < 3
    assert not _runs(_pids(said)[0])


@pytest.fixture
def handlers_as_at_a_terminal() -> Iterator[None]:
    """Whoever runs the tests under nohup has them ignore SIGHUP."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in STOP_SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_under_nohup_it_goes_on_when_the_terminal_closes(tmp_path: Path, handlers_as_at_a_terminal: None) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    with Supervisor([Program("sleeper", _sleeper(tmp_path / "pids"))]) as supervisor:
        with _in(0.2, lambda: os.kill(os.getpid(), signal.SIGHUP)):
            supervisor.watch(seconds=0.6)

        assert not supervisor.asked_to_stop


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_watch(tmp_path: Path, number: signal.Signals, handlers_as_at_a_terminal: None) -> None:
    before = signal.getsignal(number)

    with Supervisor([Program("sleeper", _sleeper(tmp_path / "pids"))]) as supervisor:
        with _in(0.2, lambda: os.kill(os.getpid(), number)):
            assert not supervisor.watch(seconds=10)

        assert supervisor.asked_to_stop

    assert signal.getsignal(number) is before


def test_asked_twice_it_does_not_wait(tmp_path: Path) -> None:
    said = tmp_path / "pids"
    deaf = ["sh", "-c", f"trap '' TERM; echo $$ >> {said}; while true; do sleep 1; done"]

    with Supervisor([Program("deaf", deaf)], grace=30) as supervisor:
        supervisor.watch(until=lambda: bool(_pids(said)), seconds=5)
        began = time.monotonic()
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)

    assert time.monotonic() - began < 5


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_the_programs_of_a_killed_supervisor_die_with_it(tmp_path: Path) -> None:
    said = tmp_path / "pids"
    script = (
        "from common.supervisor import Program, Supervisor\n"
        f"with Supervisor([Program('sleeper', {_sleeper(said)!r})]) as supervisor: supervisor.watch()"
    )

    with subprocess.Popen([sys.executable, "-c", script]) as supervisor:
        assert _becomes_true(lambda: bool(_pids(said)))
        supervisor.kill()

    assert _becomes_true(lambda: not _runs(_pids(said)[0]))


def test_a_file_descriptor_is_handed_down() -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    script = f"import os, time; os.write({writing}, b'here'); time.sleep(60)"
    heard: list[bytes] = []

    def listen() -> bool:
        with contextlib.suppress(BlockingIOError):
            heard.append(os.read(reading, 10))
        return bool(heard)

    try:
        with Supervisor([Program("writer", [sys.executable, "-c", script], inherits=(writing,))]) as supervisor:
            assert supervisor.watch(until=listen, seconds=5)
    finally:
        os.close(reading)
        os.close(writing)

    assert heard == [b"here"]


def _sleeper(said: Path) -> list[str]:
    """A command that says its pid and sleeps."""
    return ["sh", "-c", f"echo $$ >> {said}; exec sleep 60"]


def _pids(said: Path) -> list[int]:
    return [int(line) for line in said.read_text().splitlines()] if said.exists() else []


def _runs(pid: int) -> bool:
    """Whether there is such a process that is more than an entry nobody has collected yet."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    return state != "" and not state.startswith("Z")


def _becomes_true(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


@contextmanager
def _in(seconds: float, act: Callable[[], None]) -> Iterator[None]:
    """Do it so many seconds from now, from another thread."""
    timer = threading.Timer(seconds, act)
    timer.start()
    yield
    timer.join()
