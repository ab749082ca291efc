"""Reading pages as a browser without a script does."""

from __future__ import annotations

from collections.abc import Callable

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from people.models import User


def signed_in(user: User) -> Client:
    """A browser in which this person is signed in."""
    client = Client()
    client.force_login(user)
    return client


def page(user: User, path: str) -> str:
    """What this person reads there."""
    response = signed_in(user).get(path)
    assert response.status_code == 200, response.status_code
    return response.content.decode()


def cost(user: User, path: str) -> int:
    """How many SQL statements the page takes."""
    client = signed_in(user)
    with CaptureQueriesContext(connection) as queries:
        assert client.get(path).status_code == 200
    return len(queries)


def grows(user: User, paths: list[str], add: Callable[[], object]) -> list[tuple[int, int]]:
    """The statements of each page with one thing and with six, where they differ: nothing, if all is well."""
    add()
    one = [cost(user, path) for path in paths]
    for _ in range(5):
        add()
    six = [cost(user, path) for path in paths]
    return [pair for pair in zip(one, six, strict=True) if pair[0] != pair[1]]
