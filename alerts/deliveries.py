"""The record of deliveries: their bytes, once for each content, and what became of them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

import orjson

from alerts.models import Delivery, Integration
from alerts.payload import Notification
from common import statements
from common.text import shortened, storable

_SHOWN = 200  # quarantined alerts that a delivery tells of one by one; the raw body has them all

_COLUMNS = (
    "id, integration_id, group_id, received_at, outcome, status, reason, raw_id, size, counts, incidents, quarantined"
)
_PLACES = ", ".join(["%s"] * 12)

# Bytes that are kept already are locked, not written: so `retention` does not take away what is now referred to. They
# are sent as they are (%b): written out as text, they would cost more than all else of a large delivery in Python.
_ON_POSTGRESQL = f"""
WITH kept AS (
  INSERT INTO alerts_rawbody (sha256, size, body)
  SELECT sha256, size, body FROM unnest(%b::bytea[], %s::int[], %b::bytea[]) AS b(sha256, size, body) ORDER BY 1
  ON CONFLICT (sha256) DO UPDATE SET size = alerts_rawbody.size WHERE false
)
INSERT INTO alerts_delivery ({_COLUMNS})
SELECT id, integration_id, group_id, received_at, outcome, status, reason, decode(raw, 'hex'), size, counts, incidents,
       quarantined
FROM jsonb_to_recordset(%s::jsonb) AS d(
  id uuid, integration_id bigint, group_id bigint, received_at timestamptz, outcome text, status int, reason text,
  raw text, size int, counts jsonb, incidents jsonb, quarantined jsonb)"""

_ON_SQLITE = f"""
INSERT INTO alerts_delivery ({_COLUMNS}) VALUES ({_PLACES})
RETURNING EXISTS (SELECT 1 FROM alerts_rawbody WHERE sha256 = %s)"""
_BODY_ON_SQLITE = "INSERT INTO alerts_rawbody (sha256, size, body) VALUES (%s, %s, %s)"


@dataclass(slots=True)
class Record:
    """A delivery as it is kept; `body` is None, and `size` is given, where its bytes were not read."""

    integration: Integration
    body: bytes | None
    outcome: Delivery.Outcome
    status: int
    group_id: int | None = None
    size: int | None = None
    reason: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    incidents: Sequence[int] = ()
    quarantined: Sequence[Mapping[str, Any]] = ()


def record(which: Sequence[Record], *, now: datetime) -> list[uuid.UUID]:
    """Keep deliveries and their bytes: the keys under which they are kept."""
    keys = [uuid.uuid4() for _ in which]
    digests = [None if each.body is None else sha256(each.body).digest() for each in which]
    if statements.is_postgresql():
        bodies = {digest: each.body for each, digest in zip(which, digests, strict=True) if each.body is not None}
        sizes = [len(body) for body in bodies.values()]
        rows = [
            {
                "id": str(key),
                "integration_id": each.integration.pk,
                "group_id": each.group_id,
                "received_at": now,
                "outcome": each.outcome.value,
                "status": each.status,
                "reason": _reason(each),
                "raw": digest and digest.hex(),
                "size": _size(each),
                "counts": each.counts,
                "incidents": each.incidents,
                "quarantined": each.quarantined,
            }
            for each, key, digest in zip(which, keys, digests, strict=True)
        ]
        statements.count(_ON_POSTGRESQL, [list(bodies), sizes, list(bodies.values()), statements.document(rows)])
        return keys
    for each, key, digest in zip(which, keys, digests, strict=True):
        values = [
            *(key.hex, each.integration.pk, each.group_id, statements.moment(now), each.outcome.value, each.status),
            *(_reason(each), digest, _size(each)),
            *(_json(value) for value in (each.counts, each.incidents, each.quarantined)),
        ]
        [(is_kept,)] = statements.run(_ON_SQLITE, [*values, digest])
        if each.body is not None and not is_kept:
            statements.count(_BODY_ON_SQLITE, [digest, len(each.body), each.body])
    return keys


def put_aside(notification: Notification) -> list[dict[str, Any]]:
    """The alerts that could not be read, as a delivery tells of them."""
    return [asdict(quarantined) for quarantined in notification.quarantined[:_SHOWN]]


def _reason(each: Record) -> str:
    return shortened(storable(each.reason), 500)


def _size(each: Record) -> int | None:
    return len(each.body) if each.body is not None else each.size


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
