"""Listens to event streams as a browser or a program does."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from typing import Any

from django.conf import settings
from django.db import connection
from django.test import Client

from people.models import User
from tests import make


@dataclass(frozen=True)
class Event:
    name: str
    id: str
    data: Any


class Ended(Exception):
    """The stream has come to its end."""


class Stream:
    """An answer that goes on. `next` is the next event; comments and pauses are kept apart."""

    def __init__(self, response: HTTPResponse, connection: HTTPConnection) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.retry: int | None = None
        self.pings = 0
        self._response = response
        self._connection = connection

    def next(self, seconds: float = 5) -> Event:
        """Raises Ended, or TimeoutError when nothing comes."""
        end = time.monotonic() + seconds
        fields: dict[str, str] = {}
        while True:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError
            if self._connection.sock is not None:
                self._connection.sock.settimeout(left)
            line = self._response.readline().decode()
            if not line:
                raise Ended
            name, _, value = line.rstrip("\n").partition(": ")
            if name:
                fields[name] = value
            elif "retry" in fields:
                self.retry = int(fields.pop("retry"))
            if line == ":\n":
                self.pings += 1
            if not name and "data" in fields:
                return Event(fields.get("event", "message"), fields.get("id", ""), json.loads(fields["data"]))

    def all(self, seconds: float) -> list[Event]:
        """What comes within that time, or until the end."""
        found = []
        end = time.monotonic() + seconds
        try:
            while True:
                found.append(self.next(end - time.monotonic()))
        except (Ended, TimeoutError):
            return found


@contextmanager
def listening(port: int, path: str, headers: Mapping[str, str]) -> Iterator[Stream]:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path, headers=dict(headers))
    response = connection.getresponse()
    try:
        yield Stream(response, connection)
    finally:
        response.close()
        connection.close()


def of_page(user: User) -> dict[str, str]:
    """What a browser sends in which they are signed in."""
    client = Client()
    client.force_login(user)
    return {"Cookie": f"{settings.SESSION_COOKIE_NAME}={client.session.session_key}"}


def of_program(user: User) -> dict[str, str]:
    """What a program sends that has a token of theirs."""
    return {"Authorization": f"Bearer {make.token(user, ['read'])[1]}"}


def undisturbed(seconds: float = 30) -> None:
    """Until what the other databases of this PostgreSQL were being told is committed: other processes of the suite test
    there, and streams wait for all. Costs the test's own connection no statement."""
    if connection.vendor != "postgresql":
        return
    end = time.monotonic() + seconds
    own = connection.copy()
    try:
        with own.cursor() as cursor:
            cursor.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
            [newest] = cursor.fetchone()
            while time.monotonic() < end:
                cursor.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname <> current_database() "
                    "AND backend_xid::text::bigint < %s",
                    [newest],
                )
                if cursor.fetchone() == (0,):
                    return
                time.sleep(0.02)
    finally:
        own.close()
