"""Statements as they are sent, where the way through the ORM would cost more than the database does.

On PostgreSQL each is prepared once for a connection. Rows come as tuples, JSON in them as text.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, cast

import orjson
from django.db import DEFAULT_DB_ALIAS, connection, connections


@dataclass(frozen=True, slots=True)
class Sent:
    """A statement that was sent. Within `together` it may be on its way until its rows or their number are wanted."""

    rows: Callable[[], list[tuple[Any, ...]]]
    count: Callable[[], int]


def send(sql: str, values: Sequence[Any]) -> Sent:
    """Send it. Whoever needs no answer asks for none; what it breaks is raised at the latest where `together` ends."""
    if not is_postgresql():
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            rows, count = (cursor.fetchall() if cursor.description else []), int(cursor.rowcount)
        return Sent(lambda: rows, lambda: count)
    database = _database()
    cursor = database.prepared(sql, values)

    def fetched() -> list[tuple[Any, ...]]:
        with database.wrap_database_errors:
            return cast(list[tuple[Any, ...]], cursor.fetchall())

    def counted() -> int:
        if cursor.rowcount < 0:
            database.arrive()
        return int(cursor.rowcount)

    return Sent(fetched, counted)


def run(sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Send it, and give the rows that it returns."""
    return send(sql, values).rows()


def count(sql: str, values: Sequence[Any]) -> int:
    """Send it, and give how many rows it wrote."""
    return send(sql, values).count()


def together() -> AbstractContextManager[None]:
    """A stretch of a transaction in which no statement of ours waits for another's answer, on PostgreSQL. Whatever the
    ORM is asked for waits for them, and ends it."""
    return _database().together() if is_postgresql() else nullcontext()


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
    return str(connection.ops.adapt_datetimefield_value(value))


def read(value: datetime | None) -> datetime | None:
    """A moment as the database gave it, with its zone."""
    return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)


def flag(value: bool) -> bool | int:
    """A truth within JSON that the database unpacks."""
    return value if is_postgresql() else int(value)


def document(value: Any) -> str:
    """Any number of values as one parameter, which the database unpacks."""
    return orjson.dumps(value).decode()


def _database() -> Any:
    return connections[DEFAULT_DB_ALIAS]
