"""Statements as they are sent, where the way through the ORM would cost more than the database does.

On PostgreSQL each is prepared once for a connection. Rows come as tuples, JSON in them as text.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, cast

import orjson
from django.db import DEFAULT_DB_ALIAS, connection, connections


def run(sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Send it, and give the rows that it returns."""
    if is_postgresql():
        return cast(list[tuple[Any, ...]], _database().prepared(sql, values).fetchall())
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cast(list[tuple[Any, ...]], cursor.fetchall())


def count(sql: str, values: Sequence[Any]) -> int:
    """Send it, and give how many rows it wrote."""
    if is_postgresql():
        return int(_database().prepared(sql, values).rowcount)
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return int(cursor.rowcount)


def each(sql: str, rows: Sequence[Sequence[Any]]) -> None:
    """Send it once for each of the rows: for SQLite, where that costs no way there and back."""
    with connection.cursor() as cursor:
        cursor.executemany(sql, rows)


@cache
def is_postgresql() -> bool:
    return connection.vendor == "postgresql"


# The right side of a comparison with a `document` of so many ids. The planner does not see into it, and so does not
# plan anew for each: for a hundred of them that takes longer than to find them.
AMONG_IDS = "= ANY(ARRAY(SELECT value::bigint FROM jsonb_array_elements_text(%s::jsonb)))"
_AMONG_ON_SQLITE = "IN (SELECT value FROM json_each(%s))"


def among_ids() -> str:
    return AMONG_IDS if is_postgresql() else _AMONG_ON_SQLITE


def among(ids: Collection[int]) -> tuple[str, Any]:
    """The right side of a comparison with these ids, and its value. One alone is named, as most often it is: so also a
    planner that knows nothing yet of a young table finds it by its key."""
    return ("= %s", next(iter(ids))) if len(ids) == 1 else (among_ids(), document(list(ids)))


def moment(value: datetime | None) -> Any:
    """A moment as a parameter, or within JSON that the database unpacks: on SQLite in the form in which Django keeps
    it."""
    if value is None or is_postgresql():
        return value
    return (value if value.tzinfo is UTC else value.astimezone(UTC)).isoformat(" ").removesuffix("+00:00")


def read(value: datetime | None) -> datetime | None:
    """A moment as the database gave it, with its zone."""
    return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)


def flag(value: bool) -> bool | int:
    """A truth within JSON that the database unpacks."""
    return value if is_postgresql() else int(value)


def document(value: Any) -> str:
    """Any number of values as one parameter, which the database unpacks."""
    return orjson.dumps(value).decode()


def wait_for_locks(seconds: float) -> None:
    """In this transaction, wait so long for each row that somebody else has locked, and then raise OperationalError. On
    SQLite, where the transaction itself is the lock, it says nothing."""
    if is_postgresql():
        count(f"SET LOCAL lock_timeout = {round(seconds * 1000)}", [])


def _database() -> Any:
    return connections[DEFAULT_DB_ALIAS]
