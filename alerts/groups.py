"""The group of a delivery, and what else its alerts are correlated by: their rows are the first locks that are
taken."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from alerts.models import Integration
from alerts.payload import Notification
from common import statements

# What the latest delivery said of the group stands, also where an earlier one is taken in after it. Of the incident the
# number is told where its alerts are its own: not of one that is merged into another.
_LOCK = """
INSERT INTO alerts_group (integration_id, key_hash, key, truncated, last_seen_at)
SELECT {members}, %s FROM {rows} WHERE true ORDER BY 1, 2
ON CONFLICT (integration_id, key_hash) DO UPDATE SET
  truncated = CASE WHEN excluded.last_seen_at >= alerts_group.last_seen_at THEN excluded.truncated
              ELSE alerts_group.truncated END,
  last_seen_at = CASE WHEN excluded.last_seen_at >= alerts_group.last_seen_at THEN excluded.last_seen_at
                 ELSE alerts_group.last_seen_at END
RETURNING integration_id, key_hash, id, incident_id,
  (SELECT i.number FROM incidents_incident AS i WHERE i.id = alerts_group.incident_id AND i.merged_into_id IS NULL)"""
_LOCK_ON_POSTGRESQL = _LOCK.format(
    members="i, h, k, t", rows="jsonb_to_recordset(%s::jsonb) AS t(i bigint, h text, k text, t int)"
)
_LOCK_ON_SQLITE = _LOCK.format(
    members=", ".join(f"json_extract(j.value, '$.{member}')" for member in "ihkt"), rows="json_each(%s) AS j"
)

# What routes correlate by has rows of the same kind, found by their keys, which no group has.
_LOCK_MORE = """
INSERT INTO alerts_group (integration_id, key_hash, key, truncated, last_seen_at)
SELECT %s, {hash}, {key}, 0, %s FROM {rows} WHERE true ORDER BY 2
ON CONFLICT (integration_id, key_hash) DO UPDATE SET last_seen_at = excluded.last_seen_at
RETURNING id, incident_id, key_hash"""
_LOCK_MORE_ON_POSTGRESQL = _LOCK_MORE.format(
    hash="h", key="k", rows="jsonb_to_recordset(%s::jsonb) AS t(h text, k text)"
)
_LOCK_MORE_ON_SQLITE = _LOCK_MORE.format(
    hash="json_extract(j.value, '$.h')", key="json_extract(j.value, '$.k')", rows="json_each(%s) AS j"
)

_FOLLOW = "UPDATE alerts_group SET incident_id = %s WHERE id = %s"


@dataclass(frozen=True, slots=True)
class Locked:
    """A group whose row this transaction holds."""

    id: int
    correlation_key: str
    incident_id: int | None
    incident_number: int | None  # where that one is not merged into another


def lock(sent: Sequence[tuple[Integration, Notification]], *, seen_at: datetime) -> list[Locked]:
    """The row of each one's group, made where it is new; all of them locked, in one order."""
    hashes = [_hash_of(notification) for _, notification in sent]
    rows = {
        (integration.pk, key_hash): {
            "i": integration.pk,
            "h": key_hash,
            "k": notification.group_key,
            "t": notification.truncated,
        }
        for (integration, notification), key_hash in zip(sent, hashes, strict=True)
    }
    sql = _LOCK_ON_POSTGRESQL if statements.is_postgresql() else _LOCK_ON_SQLITE
    found = statements.run(sql, [statements.moment(seen_at), statements.document(list(rows.values()))])
    locked = {(i, h): Locked(pk, f"{i}:{h}", incident_id, number) for i, h, pk, incident_id, number in found}
    return [locked[integration.pk, key_hash] for (integration, _), key_hash in zip(sent, hashes, strict=True)]


def lock_more(integration: Integration, keys: Collection[str], *, seen_at: datetime) -> Mapping[str, Locked]:
    """The rows of what alerts are correlated by, by their keys; made where they are new, and locked in one order. They
    come after the group's own."""
    if not keys:
        return {}
    by_hash = {sha256(f"route {key}".encode()).hexdigest(): key for key in keys}
    rows = statements.document([{"h": key_hash, "k": key} for key_hash, key in sorted(by_hash.items())])
    sql = _LOCK_MORE_ON_POSTGRESQL if statements.is_postgresql() else _LOCK_MORE_ON_SQLITE
    found = statements.run(sql, [integration.pk, statements.moment(seen_at), rows])
    return {
        by_hash[key_hash]: Locked(pk, _key(integration, key_hash), incident_id, None)
        for pk, incident_id, key_hash in found
    }


def follow(group: Locked, incident_id: int) -> None:
    """Point the group at the incident of its next alerts."""
    statements.count(_FOLLOW, [incident_id, group.id])


def correlation_key(integration: Integration, notification: Notification) -> str:
    """What the open incident of this group is found by."""
    return _key(integration, _hash_of(notification))


def correlation_keys(integration: Integration, keys: Collection[str]) -> list[str]:
    """The same for what routes correlate by."""
    return [_key(integration, sha256(f"route {key}".encode()).hexdigest()) for key in keys]


def _key(integration: Integration, key_hash: str) -> str:
    return f"{integration.pk}:{key_hash}"


def _hash_of(notification: Notification) -> str:
    return sha256(notification.group_key.encode()).hexdigest()
