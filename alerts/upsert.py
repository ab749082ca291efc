"""Alert rows in bulk, on both databases: one JSON parameter that the server unpacks, sorted, so that locks are taken in
one order. Measured as fast as COPY, and it carries ON CONFLICT ... RETURNING."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from django.db import connection
from django.db.models.expressions import RawSQL

PROMOTE = "promote"  # given as `was`: a resolved row may become firing again

_COLUMNS = (
    "integration_id, fingerprint, labels_hash, starts_at, ends_at, status, was, superseded, provisional_since, name, "
    "labels, annotations, generator_url, content_hash, group_id, incident_id, first_seen_at, last_seen_at"
)

# What the latest delivery said stands, also where an earlier one is taken in after it.
_NEWEST = ", ".join(
    f"{column} = CASE WHEN excluded.last_seen_at >= alerts_alert.last_seen_at THEN excluded.{column} "
    f"ELSE alerts_alert.{column} END"
    for column in ("name", "annotations", "generator_url", "content_hash", "group_id", "last_seen_at")
)

# Resolved is final for an instance, and the earliest end of it stands: said here, in the statement, so that it holds
# for what two deliveries bring at once.
_ON_CONFLICT = f"""
ON CONFLICT (integration_id, fingerprint, labels_hash, starts_at) DO UPDATE SET
  was = alerts_alert.status,
  status = CASE WHEN alerts_alert.status = 'resolved' AND excluded.was <> '{PROMOTE}' THEN 'resolved'
           ELSE excluded.status END,
  ends_at = CASE WHEN excluded.was = '{PROMOTE}' THEN NULL
            WHEN excluded.ends_at IS NULL OR alerts_alert.ends_at <= excluded.ends_at THEN alerts_alert.ends_at
            ELSE excluded.ends_at END,
  superseded = excluded.superseded, provisional_since = excluded.provisional_since,
  incident_id = CASE WHEN excluded.was = '{PROMOTE}' THEN COALESCE(excluded.incident_id, alerts_alert.incident_id)
                ELSE COALESCE(alerts_alert.incident_id, excluded.incident_id) END,
  {_NEWEST}
RETURNING fingerprint, labels_hash, starts_at, was, status, incident_id
"""

_POSTGRESQL = f"""
INSERT INTO alerts_alert ({_COLUMNS})
SELECT %s, f, h, s, e, st, w, su, p, n, l, a, u, c, %s, i, %s, %s FROM jsonb_to_recordset(%s::jsonb)
  AS t(o int, f text, h text, s timestamptz, e timestamptz, st text, w text, su bool, p timestamptz, n text, l jsonb,
       a jsonb, u text, c text, i bigint) ORDER BY o
{_ON_CONFLICT}"""

_MEMBERS = ("f", "h", "s", "e", "st", "w", "su", "p", "n", "l", "a", "u", "c")
_SQLITE = f"""
INSERT INTO alerts_alert ({_COLUMNS})
SELECT %s, {", ".join(f"json_extract(j.value, '$.{member}')" for member in _MEMBERS)}, %s,
       json_extract(j.value, '$.i'), %s, %s
FROM json_each(%s) AS j WHERE true ORDER BY j.key
{_ON_CONFLICT}"""


@dataclass(frozen=True, slots=True)
class Row:
    """One instance to write. `status` as it shall be, `was` empty or PROMOTE."""

    fingerprint: str
    labels_hash: str
    starts_at: datetime
    ends_at: datetime | None
    status: str
    was: str
    superseded: bool
    provisional_since: datetime | None
    name: str
    labels: dict[str, str]
    annotations: dict[str, str]
    generator_url: str
    content_hash: str
    incident_id: int | None  # of one that is there already it changes nothing, but for a promotion

    @property
    def key(self) -> tuple[str, str, datetime]:
        return self.fingerprint, self.labels_hash, self.starts_at


@dataclass(frozen=True, slots=True)
class Written:
    """What the database made of a row: its status before ("" if it is new) and now, and its incident."""

    was: str
    status: str
    incident_id: int | None


def write(
    integration_id: int, group_id: int, rows: Sequence[Row], *, seen_at: datetime
) -> dict[tuple[str, str, datetime], Written]:
    """Insert or update all rows in one statement, in the order given; what became of each by its key.

    Raises IntegrityError where another delivery has opened the same fingerprint with another start meanwhile.
    """
    if not rows:
        return {}
    moment = connection.ops.adapt_datetimefield_value
    is_postgresql = connection.vendor == "postgresql"
    document = [
        {
            "o": order,
            "f": row.fingerprint,
            "h": row.labels_hash,
            "s": _sent(row.starts_at),
            "e": _sent(row.ends_at),
            "st": row.status,
            "w": row.was,
            "su": _flag(row.superseded),
            "p": _sent(row.provisional_since),
            "n": row.name,
            "l": row.labels,
            "a": row.annotations,
            "u": row.generator_url,
            "c": row.content_hash,
            "i": row.incident_id,
        }
        for order, row in enumerate(rows)
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            _POSTGRESQL if is_postgresql else _SQLITE,
            [integration_id, group_id, moment(seen_at), moment(seen_at), orjson.dumps(document).decode()],
        )
        return {
            (fingerprint, labels_hash, starts_at if starts_at.tzinfo else starts_at.replace(tzinfo=UTC)): Written(*rest)
            for fingerprint, labels_hash, starts_at, *rest in cursor.fetchall()
        }


def among(values: Sequence[str]) -> RawSQL:
    """The right side of `__in` for any number of strings in one parameter."""
    unpack = (
        "SELECT jsonb_array_elements_text(%s::jsonb)"
        if connection.vendor == "postgresql"
        else ("SELECT value FROM json_each(%s)")
    )
    return RawSQL(unpack, [orjson.dumps(list(values)).decode()])


def _sent(moment: datetime | None) -> Any:
    """A moment as it must stand in the JSON: for SQLite in the very form in which Django stores it."""
    if moment is None or connection.vendor == "postgresql":
        return moment
    return str(connection.ops.adapt_datetimefield_value(moment))


def _flag(value: bool) -> bool | int:
    return value if connection.vendor == "postgresql" else int(value)
