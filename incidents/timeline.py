"""The only place that writes to an incident's timeline.

Every entry is written in the transaction of the change that it tells of. `seq` has no gaps, as it comes from the
incident's own row, whose lock the writer holds. Each entry's hash covers the hash of the one before and the hash of its
own content (canonical JSON, RFC 8785), so that the chain itself does not depend on the content being there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import rfc8785
from django.db import connection, transaction

from common import markdown, wake
from common.errors import Invalid
from common.text import storable, storable_json
from incidents.models import Entry, Incident
from people.actors import Actor, ActorType
from people.models import User


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry that is about to be written. `at` is when it happened, `amends` the seq of the entry it corrects."""

    kind: Entry.Kind
    actor: Actor
    at: datetime
    text: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    amends: int | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class Break:
    """The first place where a chain does not hold."""

    incident: int  # its number
    seq: int
    reason: str


def record(
    incident: Incident,
    kind: Entry.Kind,
    /,
    *,
    actor: Actor,
    at: datetime,
    now: datetime | None = None,
    text: str = "",
    amends: int | None = None,
    key: str = "",
    **data: Any,
) -> Entry:
    """Write one entry and move the incident's head. Needs a transaction; locks the incident's row until its end."""
    [entry] = append([(incident, Draft(kind, actor, at, text, data, amends, key))], now=now or at)
    return entry


def append(drafts: Sequence[tuple[Incident, Draft]], *, now: datetime) -> list[Entry]:
    """Write entries of one or more incidents in the order given: one statement to lock the heads, one to insert, one to
    move the heads, however many. The incidents' `last_seq`, `last_hash` and `last_entry_at` are brought up to date."""
    assert connection.in_atomic_block, "an entry is written with the change that it tells of"
    if not drafts:
        return []
    incidents = {incident.pk: incident for incident, _ in drafts}
    _lock_heads(incidents)
    entries = _chained(drafts, now)
    Entry.objects.bulk_create(entries)
    Incident.objects.bulk_update(incidents.values(), ["last_seq", "last_hash", "last_entry_at"])
    wake.after_commit(wake.ENTRIES)
    return entries


def begin(incident: Incident, drafts: Iterable[Draft], *, now: datetime) -> Incident:
    """Insert a new incident together with its first entries: two statements."""
    entries = _chained([(incident, draft) for draft in drafts], now)
    incident.save(force_insert=True)
    for entry in entries:
        entry.incident = incident
    Entry.objects.bulk_create(entries)
    wake.after_commit(wake.ENTRIES)
    return incident


def written(incident: Incident, key: str) -> Entry | None:
    """The entry that was written under the caller's key, if there is one."""
    return incident.entries.filter(key=key).first() if key else None


def verify(incident: Incident) -> Break | None:
    """The first broken link of the chain, or None when all holds, the incident's own head included."""
    previous = genesis(incident.number)
    seq = 0
    for entry in incident.entries.order_by("seq").select_related("actor_user", "actor_token").iterator(chunk_size=500):
        seq += 1
        if entry.seq != seq:
            return Break(incident.number, seq, f"entry {seq} is missing")
        if entry.content_hash != content_hash(entry.text, entry.data):
            return Break(incident.number, seq, "its content is not what was written")
        if entry.previous_hash != previous:
            return Break(incident.number, seq, "it does not follow the entry before it")
        if entry.hash != link_hash(entry, incident.number):
            return Break(incident.number, seq, "its time, kind, author or place is not what was written")
        previous = entry.hash
    if incident.last_seq != seq:
        return Break(incident.number, seq + 1, f"the incident counts {incident.last_seq} entries, there are {seq}")
    if seq and incident.last_hash != previous:
        return Break(incident.number, seq, "it is not the last entry that the incident knows of")
    return None


def genesis(number: int) -> str:
    """What the first entry of an incident follows."""
    return sha256(f"burnline incident {number}".encode()).hexdigest()


def content_hash(text: str, data: Mapping[str, Any]) -> str:
    return sha256(rfc8785.dumps({"data": dict(data), "text": text})).hexdigest()


def link_hash(entry: Entry, number: int) -> str:
    """The hash of everything of an entry but its content, which stands in by its own hash."""
    return sha256(
        rfc8785.dumps(
            {
                "actor": {
                    "name": entry.actor_name,
                    "source": entry.actor_source,
                    "token": entry.actor_token_id,
                    "type": entry.actor_type,
                    "user": entry.actor_user_id,
                },
                "amends": entry.amends,
                "at": _instant(entry.at),
                "content": entry.content_hash,
                "incident": number,
                "key": entry.key,
                "kind": entry.kind,
                "previous": entry.previous_hash,
                "recorded_at": _instant(entry.recorded_at),
                "seq": entry.seq,
            }
        )
    ).hexdigest()


@transaction.atomic
def write(
    incident: Incident,
    kind: Entry.Kind,
    text: str,
    *,
    by: Actor,
    now: datetime,
    at: datetime | None = None,
    key: str = "",
    amends: int | None = None,
) -> tuple[Entry, bool]:
    """What a person or a bot adds: (entry, True), or (the entry already there under this key, False).

    A correction is another entry: `amends` names the seq of the one that it corrects, itself written by hand.
    """
    if kind not in Entry.WRITTEN:
        raise Invalid("Entries of this kind are written by the system.", errors=[("kind", "Not for people to write.")])
    if not text.strip():
        raise Invalid("An entry needs words.", errors=[("text", "Write something.")])
    if at is not None and at > now:
        raise Invalid("An entry cannot lie in the future.", errors=[("at", "This lies in the future.")])
    _lock_heads({incident.pk: incident})
    if (known := written(incident, key)) is not None:
        return known, False
    if amends is not None and not incident.entries.filter(seq=amends, kind__in=Entry.WRITTEN).exists():
        raise Invalid("There is no such entry to correct.", errors=[("amends", "No written entry has this number.")])
    return record(incident, kind, actor=by, at=at or now, now=now, text=text, amends=amends, key=key), True


def _lock_heads(incidents: Mapping[int, Incident]) -> None:
    """Lock the rows by id and read their heads afresh. On SQLite the transaction itself is the lock."""
    heads = (
        Incident.objects.select_for_update()
        .filter(pk__in=incidents)
        .order_by("pk")
        .values_list("pk", "last_seq", "last_hash")
    )
    for pk, last_seq, last_hash in heads:
        incidents[pk].last_seq = last_seq
        incidents[pk].last_hash = last_hash


def _chained(drafts: Sequence[tuple[Incident, Draft]], now: datetime) -> list[Entry]:
    """The entries of these drafts, each linked to the one before, and their incidents' heads moved in memory."""
    entries = []
    for incident, draft in drafts:
        data = storable_json(dict(draft.data))
        text = storable(draft.text)
        entry = Entry(
            incident=incident if incident.pk else None,
            seq=incident.last_seq + 1,
            kind=draft.kind,
            at=draft.at,
            recorded_at=now,
            actor_type=draft.actor.type,
            actor_user=_acting_user(draft.actor),
            actor_token=draft.actor.token,
            actor_source=draft.actor.source,
            actor_name=draft.actor.name,
            text=text,
            html=markdown.render(text) if text else "",
            data=data,
            amends=draft.amends,
            key=draft.key,
            content_hash=content_hash(text, data),
            previous_hash=incident.last_hash or genesis(incident.number),
        )
        entry.hash = link_hash(entry, incident.number)
        incident.last_seq, incident.last_hash, incident.last_entry_at = entry.seq, entry.hash, now
        entries.append(entry)
    return entries


def _acting_user(actor: Actor) -> User | None:
    return actor.user if actor.type in (ActorType.USER, ActorType.BOT) else None


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
