"""Alert rows in bulk, on both databases: one JSON parameter that the server unpacks, sorted, so that locks are taken in
one order. Measured as fast as COPY, and it carries ON CONFLICT ... RETURNING."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Container, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

import msgspec

from alerts import payload, rules
from alerts.models import Alert
from common import statements

PROMOTE = "promote"  # given as `was`: a resolved row may become firing again

Identity = tuple[str, str]  # fingerprint and hash of the labels
Key = tuple[str, str, datetime]  # of one instance of an integration: its identity and its start
RowKey = tuple[int, str, str, datetime]  # of one instance

# The instances that can matter: those open, those that start or end after the earliest start now delivered.
_READ = (
    "fingerprint, labels_hash, starts_at, ends_at, status, superseded, provisional_since, id, incident_id, "
    "content_hash, last_seen_at"
)
_MATTERS = "(status = 'firing' OR starts_at >= %s OR ends_at > %s)"
# For each fingerprint by itself (OFFSET keeps it so): a planner that knows nothing yet of a young table would go
# through all alerts of the integration.
_KNOWN = f"""
SELECT sent.i, found.* FROM jsonb_to_recordset(%s::jsonb) AS sent(i bigint, f text),
  LATERAL (
    SELECT {_READ} FROM alerts_alert
    WHERE integration_id = sent.i AND fingerprint = sent.f AND {_MATTERS} OFFSET 0
  ) AS found"""
_KNOWN_ON_SQLITE = f"""
SELECT integration_id, {_READ}
FROM (SELECT json_extract(value, '$.i') AS i, json_extract(value, '$.f') AS f FROM json_each(%s)) AS sent
CROSS JOIN alerts_alert WHERE integration_id = sent.i AND fingerprint = sent.f AND {_MATTERS}"""

_ORDER = "integration_id, fingerprint, labels_hash, starts_at"
_HOLD = f"SELECT id FROM alerts_alert WHERE id {{among}} ORDER BY {_ORDER} FOR NO KEY UPDATE"

_CLOSE = """
UPDATE alerts_alert SET was = 'firing', status = 'resolved', superseded = {true}, stale_since = NULL
WHERE id {among} AND status = 'firing'"""

_AWAIT = """
UPDATE alerts_alert SET provisional_since = starts_at
WHERE id {among} AND superseded AND status = 'resolved' AND provisional_since IS NULL"""

_COLUMNS = (
    "integration_id, fingerprint, labels_hash, starts_at, ends_at, status, was, superseded, provisional_since, name, "
    "labels, annotations, generator_url, content_hash, group_id, incident_id, first_seen_at, last_seen_at, "
    "waits_for, routed"
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
  stale_since = CASE WHEN excluded.last_seen_at < alerts_alert.last_seen_at THEN alerts_alert.stale_since END,
  waits_for = CASE WHEN COALESCE(alerts_alert.incident_id, excluded.incident_id) IS NULL THEN excluded.waits_for END,
  routed = COALESCE(excluded.routed, alerts_alert.routed),
  {_NEWEST}
RETURNING integration_id, fingerprint, labels_hash, starts_at, was, status"""

_POSTGRESQL = f"""
WITH written AS (INSERT INTO alerts_alert ({_COLUMNS})
SELECT k, f, h, s, e, st, w, su, p, n, l, a, u, c, g, i, %s, %s, wf, r FROM jsonb_to_recordset(%s::jsonb)
  AS t(o int, k bigint, g bigint, f text, h text, s timestamptz, e timestamptz, st text, w text, su bool,
       p timestamptz, n text, l jsonb, a jsonb, u text, c text, i bigint, wf text, r jsonb) ORDER BY o
{_ON_CONFLICT}
)
SELECT * FROM written WHERE was <> ''"""  # what was not there is as it was sent

_MEMBERS = ("k", "f", "h", "s", "e", "st", "w", "su", "p", "n", "l", "a", "u", "c", "g", "i")
_SQLITE = f"""
INSERT INTO alerts_alert ({_COLUMNS})
SELECT {", ".join(f"json_extract(j.value, '$.{member}')" for member in _MEMBERS)}, %s, %s,
       json_extract(j.value, '$.wf'), json_extract(j.value, '$.r')
FROM json_each(%s) AS j WHERE true ORDER BY j.key
{_ON_CONFLICT}"""
# Values that need not be unpacked cost a third of that.
_NEW_ON_SQLITE = f"INSERT INTO alerts_alert ({_COLUMNS}) VALUES ({', '.join(['%s'] * 20)})"

# Only those that still are as they were when they were read; their number tells whether all are.
_TOUCH = f"""
WITH same AS (
  SELECT id AS held FROM alerts_alert WHERE id {statements.AMONG_IDS}
  AND %s::jsonb ->> id::text = status || ' ' || content_hash
  ORDER BY {_ORDER} FOR NO KEY UPDATE
)
UPDATE alerts_alert SET was = status, group_id = (%s::jsonb ->> id::text)::bigint,
       last_seen_at = greatest(last_seen_at, %s), stale_since = NULL
FROM same WHERE id = held"""
_TOUCH_ON_SQLITE = """
UPDATE alerts_alert SET was = status, group_id = json_extract(%s, '$.' || id), last_seen_at = max(last_seen_at, %s),
       stale_since = NULL
WHERE id IN (SELECT value FROM json_each(%s)) AND json_extract(%s, '$.' || id) = status || ' ' || content_hash"""


class Row(msgspec.Struct, omit_defaults=True):
    """One instance to write. `status` as it shall be, `was` empty or PROMOTE. The names within the statement are short,
    as each is sent with every row."""

    integration_id: int = msgspec.field(name="k")
    group_id: int = msgspec.field(name="g")
    fingerprint: str = msgspec.field(name="f")
    labels_hash: str = msgspec.field(name="h")
    starts_at: datetime = msgspec.field(name="s")
    ends_at: datetime | None = msgspec.field(name="e")
    status: str = msgspec.field(name="st")
    was: str = msgspec.field(name="w")
    superseded: bool = msgspec.field(name="su")
    provisional_since: datetime | None = msgspec.field(name="p")
    name: str = msgspec.field(name="n")
    labels: dict[str, str] = msgspec.field(name="l")
    annotations: dict[str, str] = msgspec.field(name="a")
    generator_url: str = msgspec.field(name="u")
    content_hash: str = msgspec.field(name="c")
    # of one that is there already it changes nothing, but for a promotion
    incident_id: int | None = msgspec.field(name="i")
    order: int = msgspec.field(name="o", default=-1)
    waits_for: str | None = msgspec.field(name="wf", default=None)
    routed: dict[str, Any] | None = msgspec.field(name="r", default=None)

    @property
    def key(self) -> RowKey:
        return self.integration_id, self.fingerprint, self.labels_hash, self.starts_at


class Written(NamedTuple):
    """What the database made of a row that was there: its status before and now."""

    was: str
    status: str


def known(
    sent: Sequence[tuple[int, Sequence[payload.Alert]]], *, is_late: bool
) -> dict[int, dict[Identity, list[rules.Instance]]]:
    """What is known of the fingerprints of these alerts, as far as it can matter: by integration, as they are given.
    What is taken in late may be older than that: then the instances say since when."""
    found: dict[int, dict[Identity, list[rules.Instance]]] = defaultdict(lambda: defaultdict(list))
    which = {(integration_id, alert.fingerprint) for integration_id, alerts in sent for alert in alerts}
    if not which:
        return found
    earliest = statements.moment(min(alert.starts_at for _, alerts in sent for alert in alerts))
    document = statements.document([{"i": integration_id, "f": fingerprint} for integration_id, fingerprint in which])
    sql = _KNOWN if statements.is_postgresql() else _KNOWN_ON_SQLITE
    rows = statements.run(sql, [document, earliest, earliest])
    for integration_id, fingerprint, labels_hash, starts_at, ends_at, status, superseded, provisional, *rest in rows:
        pk, incident_id, content_hash, seen_at = rest
        found[integration_id][fingerprint, labels_hash].append(
            rules.Instance(
                starts_at=cast(datetime, statements.read(starts_at)),
                ends_at=statements.read(ends_at),
                is_firing=status == Alert.Status.FIRING,
                superseded=bool(superseded),
                provisional_since=statements.read(provisional),
                id=pk,
                incident_id=incident_id,
                content_hash=content_hash,
                seen_at=statements.read(seen_at) if is_late else None,
                status=status,
            )
        )
    return found


def hold(ids: Collection[int]) -> None:
    """Lock these rows in the order in which everybody does, before some of them are written out of it."""
    if ids and statements.is_postgresql():
        among, value = statements.among(ids)
        statements.run(_HOLD.format(among=among), [value])


def close(overtaken: Collection[int]) -> int:
    """Resolve what another instance replaces; how many of these rows were firing still."""
    true = "true" if statements.is_postgresql() else "1"
    return statements.count(
        _CLOSE.format(among=statements.among_ids(), true=true), [statements.document(list(overtaken))]
    )


def await_again(uncovered: Collection[int]) -> None:
    """Have these looked at with what is provisional: as nothing covers them any more, they fire soon."""
    statements.count(_AWAIT.format(among=statements.among_ids()), [statements.document(list(uncovered))])


def write(rows: Sequence[Row], known: Container[RowKey], *, seen_at: datetime) -> dict[RowKey, Written]:
    """Insert or update all rows in the order given; what became of those that were there, by their keys. The others are
    as they were given. One statement; on SQLite, where nobody writes meanwhile and only those are there that are known,
    one for these, and then one for what is new.

    Raises IntegrityError where another delivery has opened the same fingerprint with another start meanwhile.
    """
    seen = statements.moment(seen_at)
    if statements.is_postgresql():
        for order, row in enumerate(rows):
            row.order = order
        return _written(_POSTGRESQL, msgspec.json.encode(rows).decode(), seen) if rows else {}
    there = [row for row in rows if row.key in known]
    new = [row for row in rows if row.key not in known]
    # In this order: what they end is written before what begins.
    written = _written(_SQLITE, statements.document(list(map(_as_sqlite_reads_it, there))), seen) if there else {}
    if new:
        statements.each(_NEW_ON_SQLITE, [_values(row, seen) for row in new])
    return written


def _written(sql: str, document: str, seen: Any) -> dict[RowKey, Written]:
    return {
        (integration_id, fingerprint, labels_hash, cast(datetime, statements.read(starts_at))): Written(was, status)
        for integration_id, fingerprint, labels_hash, starts_at, was, status in statements.run(
            sql, [seen, seen, document]
        )
        if was
    }


def _values(row: Row, seen: Any) -> Sequence[Any]:
    """What it comes to in each of the columns."""
    return (
        *(row.integration_id, row.fingerprint, row.labels_hash),
        *(statements.moment(row.starts_at), statements.moment(row.ends_at), row.status, row.was, row.superseded),
        *(statements.moment(row.provisional_since), row.name),
        *(statements.document(row.labels), statements.document(row.annotations), row.generator_url, row.content_hash),
        *(row.group_id, row.incident_id, seen, seen, row.waits_for),
        None if row.routed is None else statements.document(row.routed),
    )


def touch(heard: Mapping[int, tuple[rules.Instance, int]], *, seen_at: datetime) -> int:
    """These were delivered again, as they are known: by their ids, each with the group that it came in. How many of
    them still are so."""
    which = [
        statements.document(list(heard)),
        statements.document({str(pk): f"{each.status} {each.content_hash}" for pk, (each, _) in heard.items()}),
    ]
    groups = statements.document({str(pk): group_id for pk, (_, group_id) in heard.items()})
    how = [groups, statements.moment(seen_at)]
    if statements.is_postgresql():
        return statements.count(_TOUCH, [*which, *how])
    return statements.count(_TOUCH_ON_SQLITE, [*how, *which])


def _as_sqlite_reads_it(row: Row) -> dict[str, Any]:
    members: dict[str, Any] = msgspec.to_builtins(row, builtin_types=(datetime,))
    members["su"] = int(row.superseded)
    for name in ("s", "e", "p"):
        members[name] = statements.moment(members[name])
    return members
