"""What a fingerprint's instances are after a delivery, whatever the order in which deliveries come. Pure.

The rule (Alertmanager re-sends, reorders, duplicates and forgets): resolved is final for an instance; only the instance
with the greatest start can be open; and it is not open if a resolved instance covers its start.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace


class Instance(msgspec.Struct, frozen=True):
    """One (fingerprint, start). `id` is None for one that is not in the database yet."""

    starts_at: datetime
    ends_at: datetime | None = None
    is_firing: bool = True
    superseded: bool = False
    provisional_since: datetime | None = None
    id: int | None = None
    incident_id: int | None = None
    content_hash: str = ""
    seen_at: datetime | None = None  # when it was last heard of, where that may be after what is judged now
    status: str = ""  # as it is in the database, "" where it is not


class Verdict(msgspec.Struct, frozen=True):
    """What became of one fingerprint. `delivered` are the instances that the delivery named, as they are now;
    `overtaken` those in the database that are open no longer without having been resolved; `uncovered` one in the
    database that was so, and would not be now: it is to fire soon, as `lapse` does; `confirmed` the one in the database
    that is open and was not named, where it was said of an earlier start that it fires: of one alert, that is its word
    too."""

    delivered: list[Instance]
    overtaken: list[Instance]
    was_open: Instance | None
    is_open: Instance | None
    returned_at: datetime | None = None  # since when a provisional instance was so that outlived its grace: it fires
    uncovered: Instance | None = None
    confirmed: Instance | None = None

    @property
    def promoted(self) -> bool:
        return self.returned_at is not None


def judge(known: Collection[Instance], named: Sequence[Instance], *, now: datetime, grace: timedelta) -> Verdict:
    """Fold the delivered instances of one fingerprint into what is known of it. `now` is when they were received."""
    if not known and len(named) == 1:  # never heard of: most of a storm
        return Verdict([named[0]], [], None, named[0] if named[0].is_firing else None)
    before = {instance.starts_at: instance for instance in known}
    after = dict(before)
    returned: dict[datetime, datetime] = {}
    for new in named:
        old = after.get(new.starts_at)
        is_older = bool(old and old.seen_at and old.seen_at > now)  # than what is known, although it is judged after it
        if old is None:
            after[new.starts_at] = new
        elif not new.is_firing:
            ends = min(filter(None, (old.ends_at, new.ends_at)), default=None)
            since = (old.provisional_since or (old.seen_at if old.is_firing else None)) if is_older else None
            after[new.starts_at] = replace(
                old, ends_at=ends, is_firing=False, superseded=False, provisional_since=since
            )
        elif not old.is_firing and not old.superseded and not is_older:
            # It had resolved, and fires with the same start: a stale copy from another node, or a real return.
            since = old.provisional_since or now
            if now - since >= grace:
                after[new.starts_at] = replace(old, ends_at=None, is_firing=True, provisional_since=None)
                returned[new.starts_at] = since
            else:
                after[new.starts_at] = replace(old, provisional_since=since)
        elif old.superseded and not is_older:
            # It is repeated: where nothing stands in its way any more, it fires.
            after[new.starts_at] = replace(old, is_firing=True, superseded=False, provisional_since=None)
            returned[new.starts_at] = new.starts_at
    verdict = _verdict(before, after, [new.starts_at for new in named], returned)
    still = verdict.is_open
    if still and still.id is not None and still not in verdict.delivered:
        replaced = zip(named, verdict.delivered, strict=True)
        if any(new.is_firing and instance.superseded for new, instance in replaced):
            return replace(verdict, confirmed=still)
    return verdict


def lapse(known: Collection[Instance], named: Sequence[Instance], *, now: datetime, grace: timedelta) -> Verdict:
    """Let those of the named instances fire that are provisional still and have outlived their grace. One that was
    overtaken meanwhile stays resolved, and is waited for no more."""
    before = {instance.starts_at: instance for instance in known}
    after = dict(before)
    returned: dict[datetime, datetime] = {}
    starts = sorted({new.starts_at for new in named} & before.keys())
    for start in starts:
        old = before[start]
        if old.is_firing or old.provisional_since is None or now - old.provisional_since < grace:
            continue
        is_newest = start == max(before) and not _is_covered(start, before)
        if is_newest:
            returned[start] = old.provisional_since
            after[start] = replace(old, ends_at=None, is_firing=True, superseded=False, provisional_since=None)
        else:
            after[start] = replace(old, provisional_since=None)
    return _verdict(before, after, [start for start in starts if after[start] != before[start]], returned)


def _verdict(
    before: Mapping[datetime, Instance],
    after: dict[datetime, Instance],
    named: Collection[datetime],
    returned: Mapping[datetime, datetime],
) -> Verdict:
    """What it comes to: only the instance with the greatest start is open, and only if no resolved one covers it."""
    newest = max(after)
    for start, instance in after.items():
        if instance.is_firing and (start != newest or _is_covered(start, after)):
            after[start] = replace(instance, is_firing=False, superseded=True)
    last = after[newest]
    is_uncovered = last.superseded and last.provisional_since is None and last.id is not None and newest not in named
    return Verdict(
        delivered=[after[start] for start in named],
        overtaken=[after[start] for start, old in before.items() if old.is_firing and after[start].superseded],
        was_open=next((i for i in before.values() if i.is_firing), None),
        is_open=next((i for i in after.values() if i.is_firing), None),
        returned_at=returned.get(newest) if last.is_firing else None,
        uncovered=last if is_uncovered and not _is_covered(newest, after) else None,
    )


def _is_covered(start: datetime, instances: Mapping[datetime, Instance]) -> bool:
    return any(i.starts_at < start < i.ends_at for i in instances.values() if not i.is_firing and i.ends_at is not None)
