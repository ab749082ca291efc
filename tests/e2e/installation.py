"""What a started Burnline told its newcomer, and how to wait for things to happen."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx


@dataclass
class Installation:
    """A running Burnline, and what it told its newcomer."""

    url: str
    email: str
    password: str
    api_token: str
    receiver: str


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match, f"no {pattern!r} in:\n{text}"
    return match[1]


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).is_success
    except httpx.TransportError:
        return False


def wait_for(condition: Callable[[], bool], seconds: float, told: Callable[[], str] | None = None) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, told() if told else "it did not happen in time"
        time.sleep(0.5)
