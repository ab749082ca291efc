"""What remains of `manage.py web` once all is prepared: the parent of the web processes, without Django in its memory.

python -m common.fleet 5 2 INFO json      where 5 is the inherited file descriptor that the 2 processes accept from
"""

import logging.config
import os
import socket
import sys
from collections.abc import Sequence
from typing import NoReturn

from common import logs
from common.supervisor import Program, Supervisor


def programs(listener: int, workers: int) -> list[Program]:
    """Each accepts from the same socket."""
    command = [sys.executable, "-m", "common.web", str(listener)]
    return [Program(f"web {i}", command, inherits=(listener,)) for i in range(1, workers + 1)]


def become(listener: socket.socket, *, workers: int, log_level: str, log_format: str) -> NoReturn:
    """Be this, in the place of what the process was until now."""
    os.set_inheritable(listener.fileno(), True)
    words = [str(listener.fileno()), str(workers), log_level, log_format]
    os.execv(sys.executable, [sys.executable, "-m", "common.fleet", *words])


def main(arguments: Sequence[str]) -> None:
    listener, workers, log_level, log_format = arguments
    os.set_inheritable(int(listener), False)  # but by whom it is meant for
    logging.config.dictConfig(logs.configuration(level=log_level, form=log_format))
    with Supervisor(programs(int(listener), int(workers))) as supervisor:
        supervisor.watch()


if __name__ == "__main__":
    main(sys.argv[1:])
