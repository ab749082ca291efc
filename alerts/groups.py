"""The group of a delivery: its row is the first lock that is taken."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from alerts.models import Integration
from alerts.payload import Notification
from common import statements

# What the latest delivery said of the group stands, also where an earlier one is taken in after it. Of the incident the
# number is told where its alerts are its own: not of one that is merged into another.
_LOCK = """
INSERT INTO alerts_group (integration_id, key_hash, key, truncated, last_seen_at) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (integration_id, key_hash) DO UPDATE SET
  truncated = CASE WHEN excluded.last_seen_at >= alerts_group.last_seen_at THEN excluded.truncated
              ELSE alerts_group.truncated END,
  last_seen_at = CASE WHEN excluded.last_seen_at >= alerts_group.last_seen_at THEN excluded.last_seen_at
                 ELSE alerts_group.last_seen_at END
RETURNING id, incident_id,
  (SELECT i.number FROM incidents_incident AS i WHERE i.id = alerts_group.incident_id AND i.merged_into_id IS NULL)"""

_FOLLOW = "UPDATE alerts_group SET incident_id = %s WHERE id = %s"


@dataclass(frozen=True, slots=True)
class Locked:
    """A group whose row this transaction holds."""

    id: int
    correlation_key: str
    incident_id: int | None
    incident_number: int | None  # where that one is not merged into another


def lock(integration: Integration, notification: Notification, *, seen_at: datetime) -> Locked:
    """The group's row, made where it is new, and locked."""
    key_hash = _hash_of(notification)
    values = [integration.pk, key_hash, notification.group_key, notification.truncated, statements.moment(seen_at)]
    [(pk, incident_id, number)] = statements.run(_LOCK, values)
    return Locked(pk, _key(integration, key_hash), incident_id, number)


def follow(group: Locked, incident_id: int) -> None:
    """Point the group at the incident of its next alerts."""
    statements.count(_FOLLOW, [incident_id, group.id])


def correlation_key(integration: Integration, notification: Notification) -> str:
    """What the open incident of this group is found by."""
    return _key(integration, _hash_of(notification))


def _key(integration: Integration, key_hash: str) -> str:
    return f"{integration.pk}:{key_hash}"


def _hash_of(notification: Notification) -> str:
    return sha256(notification.group_key.encode()).hexdigest()
