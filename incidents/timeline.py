"""The only place that writes to an incident's timeline.

Every entry is written in the transaction of the change that it tells of. `seq` has no gaps, as it comes from the
incident's own row, whose lock the writer holds. Each entry's hash covers the hash of the one before and the hash of its
own content (canonical JSON, RFC 8785), so that the chain itself does not depend on the content being there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _

from common import canonical, markdown, statements, wake
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


@dataclass(slots=True)
class _Line:
    """An entry as it is written: its columns, by the names that they have on `Entry`."""

    incident_id: int
    seq: int
    kind: str
    at: datetime
    recorded_at: datetime
    actor_type: str
    actor_user_id: int | None
    actor_token_id: int | None
    actor_source: str
    actor_name: str
    text: str
    html: str
    data: dict[str, Any]
    amends: int | None
    key: str
    content_hash: str
    previous_hash: str
    hash: str = ""


_COLUMNS = tuple(each.name for each in fields(_Line))
_NAMES = ", ".join(f'"{name}"' for name in _COLUMNS)
_TYPES = {
    **dict.fromkeys(("incident_id", "actor_user_id", "actor_token_id"), "bigint"),
    **dict.fromkeys(("seq", "amends"), "int"),
    **dict.fromkeys(("at", "recorded_at"), "timestamptz"),
    "data": "jsonb",
}
_MOVE_AND_INSERT = f"""
WITH moved AS (
  UPDATE incidents_incident SET last_seq = (%s::jsonb ->> id::text)::int, last_hash = %s::jsonb ->> id::text,
         last_entry_at = %s
  WHERE id {{among}}
)
INSERT INTO incidents_entry ({_NAMES})
SELECT {_NAMES} FROM jsonb_to_recordset(%s::jsonb)
  AS t({", ".join(f'"{name}" {_TYPES.get(name, "text")}' for name in _COLUMNS)}) ORDER BY incident_id, seq
RETURNING id, incident_id, seq"""
_INSERT_ON_SQLITE = f"""
INSERT INTO incidents_entry ({_NAMES})
SELECT {", ".join(f"json_extract(j.value, '$.{name}')" for name in _COLUMNS)} FROM json_each(%s) AS j ORDER BY j.key
RETURNING id, incident_id, seq"""
_MOVE_ON_SQLITE = """
UPDATE incidents_incident SET last_seq = json_extract(%s, '$.' || id), last_hash = json_extract(%s, '$.' || id),
       last_entry_at = %s
WHERE id {among}"""

# What `lock` reads of an incident, in the order of the model.
_LOCKED = (
    *("id", "number", "status", "acknowledged_at", "resolved_at", "merged_into_id", "correlation_key"),
    *("is_candidate", "resolves", "reopen_window", "last_seq", "last_hash", "last_entry_at", "updated_at"),
)


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
    """Write entries of one or more incidents in the order given, however many: a statement to lock the heads, and one
    to write (two on SQLite). The incidents' `last_seq`, `last_hash` and `last_entry_at` are brought up to date."""
    if not drafts:
        return []
    incidents = {incident.pk: incident for incident, _ in drafts}
    _lock_heads(incidents)
    lines, keys = _extend(drafts, now)
    return [_entry(incidents[line.incident_id], line, keys[line.incident_id, line.seq]) for line in lines]


def extend(drafts: Sequence[tuple[Incident, Draft]], *, now: datetime) -> None:
    """The same for incidents that are `lock`ed: what they say of their heads is true."""
    if drafts:
        _extend(drafts, now)


def _extend(drafts: Sequence[tuple[Incident, Draft]], now: datetime) -> tuple[list[_Line], dict[tuple[int, int], int]]:
    assert connection.in_atomic_block, "an entry is written with the change that it tells of"
    lines = [_chained(incident, draft, now) for incident, draft in drafts]
    keys = _write(lines, {incident.pk: incident for incident, _ in drafts}.values(), now)
    wake.after_commit(wake.ENTRIES)
    return lines, keys


def begin(incident: Incident, drafts: Iterable[Draft], *, now: datetime) -> Incident:
    """Insert a new incident together with its first entries: two statements."""
    lines = [_chained(incident, draft, now) for draft in drafts]
    incident.save(force_insert=True)
    for line in lines:
        line.incident_id = incident.pk
    _write(lines, (), now)
    wake.after_commit(wake.ENTRIES)
    return incident


def lock(incidents: Collection[int]) -> dict[int, Incident]:
    """These incidents by their ids, in whose order they are locked until the end of the transaction. They know their
    place, their status and their heads; what else they are asked for costs a statement."""
    if not incidents:
        return {}
    among, ids = statements.among(incidents)
    sql = f"SELECT {', '.join(_LOCKED)} FROM incidents_incident WHERE id {among} ORDER BY id"
    if statements.is_postgresql():
        sql += " FOR NO KEY UPDATE"
    rows = statements.run(sql, [ids])
    moments = [n for n, name in enumerate(_LOCKED) if name.endswith("_at")]
    found = {}
    for row in rows:
        values = list(row)
        for n in moments:
            values[n] = statements.read(values[n])
        incident = Incident.from_db(connection.alias, _LOCKED, values)
        found[incident.pk] = incident
    return found


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
    return sha256(canonical.dumps({"data": dict(data), "text": text})).hexdigest()


def link_hash(entry: Entry | _Line, number: int) -> str:
    """The hash of everything of an entry but its content, which stands in by its own hash."""
    return sha256(
        canonical.dumps(
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
        raise Invalid(
            _("Entries of this kind are written by the system."), errors=[("kind", _("Not for people to write."))]
        )
    if not text.strip():
        raise Invalid(_("An entry needs words."), errors=[("text", _("Write something."))])
    if at is not None and at > now:
        raise Invalid(_("An entry cannot lie in the future."), errors=[("at", _("This lies in the future."))])
    _lock_heads({incident.pk: incident})
    if (known := written(incident, key)) is not None:
        return known, False
    if amends is not None and not incident.entries.filter(seq=amends, kind__in=Entry.WRITTEN).exists():
        raise Invalid(
            _("There is no such entry to correct."), errors=[("amends", _("No written entry has this number."))]
        )
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


def _chained(incident: Incident, draft: Draft, now: datetime) -> _Line:
    """The entry of this draft, linked to the one before, and the incident's head moved in memory."""
    data = storable_json(dict(draft.data))
    text = storable(draft.text)
    user = _acting_user(draft.actor)
    line = _Line(
        incident_id=incident.pk,
        seq=incident.last_seq + 1,
        kind=draft.kind.value,
        at=draft.at,
        recorded_at=now,
        actor_type=draft.actor.type.value,
        actor_user_id=user.pk if user else None,
        actor_token_id=draft.actor.token.pk if draft.actor.token else None,
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
    line.hash = link_hash(line, incident.number)
    incident.last_seq, incident.last_hash, incident.last_entry_at = line.seq, line.hash, now
    return line


def _write(lines: Sequence[_Line], moved: Collection[Incident], now: datetime) -> dict[tuple[int, int], int]:
    """Insert the entries, and move the heads of these incidents to where they are in memory. The ids of the entries, by
    incident and seq."""
    entries = statements.document([_as_sent(line) for line in lines])
    among, ids = statements.among([incident.pk for incident in moved])
    heads = [
        statements.document({str(incident.pk): incident.last_seq for incident in moved}),
        statements.document({str(incident.pk): incident.last_hash for incident in moved}),
        statements.moment(now),
        ids,
    ]
    if statements.is_postgresql():
        rows = statements.run(_MOVE_AND_INSERT.format(among=among), [*heads, entries])
    else:
        rows = statements.run(_INSERT_ON_SQLITE, [entries])
        if moved:
            statements.count(_MOVE_ON_SQLITE.format(among=among), heads)
    return {(incident_id, seq): pk for pk, incident_id, seq in rows}


def _as_sent(line: _Line) -> dict[str, Any]:
    columns = {name: getattr(line, name) for name in _COLUMNS}
    columns["at"], columns["recorded_at"] = statements.moment(line.at), statements.moment(line.recorded_at)
    return columns


def _entry(incident: Incident, line: _Line, pk: int) -> Entry:
    """The row, as if it had been read."""
    entry = Entry(pk=pk, **{name: getattr(line, name) for name in _COLUMNS})
    entry.incident = incident
    entry._state.adding, entry._state.db = False, connection.alias
    return entry


def _acting_user(actor: Actor) -> User | None:
    return actor.user if actor.type in (ActorType.USER, ActorType.BOT) else None


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
