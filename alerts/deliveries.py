"""The record of deliveries: their bytes, once for each content, and what became of them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict
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

# Bytes that are kept already are locked, not written: so `retention` does not take away what is now referred to.
_WITH_BODY = f"""
WITH kept AS (
  INSERT INTO alerts_rawbody (sha256, size, body) VALUES (%s, %s, %s)
  ON CONFLICT (sha256) DO UPDATE SET size = alerts_rawbody.size WHERE false
)
INSERT INTO alerts_delivery ({_COLUMNS}) VALUES ({_PLACES})"""

_ON_SQLITE = f"""
INSERT INTO alerts_delivery ({_COLUMNS}) VALUES ({_PLACES})
RETURNING EXISTS (SELECT 1 FROM alerts_rawbody WHERE sha256 = %s)"""
_BODY_ON_SQLITE = "INSERT INTO alerts_rawbody (sha256, size, body) VALUES (%s, %s, %s)"
_WITHOUT_BODY = f"INSERT INTO alerts_delivery ({_COLUMNS}) VALUES ({_PLACES})"


def record(
    integration: Integration,
    body: bytes | None,
    *,
    outcome: Delivery.Outcome,
    status: int,
    now: datetime,
    group_id: int | None = None,
    size: int | None = None,
    reason: str = "",
    counts: Mapping[str, int] | None = None,
    incidents: Sequence[int] = (),
    quarantined: Sequence[Mapping[str, Any]] = (),
) -> uuid.UUID:
    """Keep a delivery and its bytes; `body` is None, and `size` is given, where they were not read."""
    pk = uuid.uuid4()
    digest = sha256(body).digest() if body is not None else None
    values = [
        *(pk if statements.is_postgresql() else pk.hex, integration.pk, group_id, statements.moment(now)),
        *(outcome.value, status, shortened(storable(reason), 500), digest),
        *(len(body) if body is not None else size, _json(counts or {}), _json(incidents), _json(quarantined)),
    ]
    if body is None:
        statements.count(_WITHOUT_BODY, values)
    elif statements.is_postgresql():
        statements.count(_WITH_BODY, [digest, len(body), body, *values])
    else:
        [(is_kept,)] = statements.run(_ON_SQLITE, [*values, digest])
        if not is_kept:
            statements.count(_BODY_ON_SQLITE, [digest, len(body), body])
    return pk


def put_aside(notification: Notification) -> list[dict[str, Any]]:
    """The alerts that could not be read, as a delivery tells of them."""
    return [asdict(quarantined) for quarantined in notification.quarantined[:_SHOWN]]


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
