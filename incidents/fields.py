"""Changing what an incident says of itself: title, severity, service, ..., and the five moments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from common.errors import Invalid, VersionMoved
from common.text import storable, storable_json
from incidents import moments, sizes, timeline
from incidents.models import Entry, Incident
from people import access, audit
from people.actors import Actor
from people.audit import Action

CHANGEABLE = (
    *("title", "summary", "severity", "kind", "service", "team", "model", "labels", "links"),
    *("is_private", "is_drill", "is_candidate"),
)
MOMENTS = moments.NAMES
_FOR_MANAGERS = ("is_private", "is_drill", *MOMENTS)
# What also concerns who answers for the installation: who sees it, and what its figures say.
_FOR_AUDIT = {
    Action.INCIDENT_PRIVACY_CHANGED: ("is_private",),
    Action.INCIDENT_MOMENTS_CORRECTED: ("is_drill", *MOMENTS),
}


@transaction.atomic
def change(
    incident: Incident,
    changes: Mapping[str, Any],
    *,
    by: Actor,
    now: datetime,
    reason: str = "",
    version: int | None = None,
) -> bool:
    """Set fields and moments; one entry for each that differs. False when nothing does.

    `version` is the one that the caller has seen: VersionMoved when it is no longer that. Moments, privacy and drill
    are for managers of the team, and so is the team of a private incident, as its managers see it, and to say of what
    counts that it does no more; a moment needs a `reason`. Raises Invalid, Forbidden, VersionMoved.
    """
    Incident.objects.select_for_update().filter(pk=incident.pk).exists()
    incident.refresh_from_db()
    if version is not None and version != incident.version:
        raise VersionMoved(_("{incident} was changed by somebody else.").format(incident=incident))
    cleaned = {name: _clean(value) for name, value in changes.items()}
    before, different = audit.differences(incident, cleaned)
    if not different:
        return False
    is_doubted = different.get("is_candidate", False)
    if is_doubted or any(name in _FOR_MANAGERS for name in different) or ("team" in different and incident.is_private):
        access.require(by, access.Act.MANAGE, incident.team)
    _check(incident, different, now, reason)
    drafts = [
        (incident, draft)
        for name, value in different.items()
        for draft in _entries(incident, name, value, by, now, reason)
    ]
    Incident.objects.filter(pk=incident.pk).update(**different, version=F("version") + 1, updated_at=now)
    for name, value in different.items():
        setattr(incident, name, value)
    incident.version += 1
    incident.updated_at = now
    timeline.append(drafts, now=now)
    for action, names in _FOR_AUDIT.items():
        if changed := [name for name in names if name in different]:
            told = [{name: _shown(values[name]) for name in changed} for values in (before, different)]
            audit.record(action, incident, by=by, now=now, before=told[0], after=told[1])
    return True


def _check(incident: Incident, different: Mapping[str, Any], now: datetime, reason: str) -> None:
    if "title" in different and not different["title"].strip():
        raise Invalid(_("An incident needs a title."), errors=[("title", _("Say in a few words what is wrong."))])
    sizes.check(different)
    changed = [name for name in MOMENTS if name in different]
    if not changed:
        return
    if not reason.strip():
        raise Invalid(
            _("Say why the moment is corrected."), errors=[("reason", _("Correcting a moment needs a reason."))]
        )
    moments.check({name: different.get(name, getattr(incident, name)) for name in MOMENTS}, changed, now=now)


def _entries(
    incident: Incident, name: str, value: Any, by: Actor, now: datetime, reason: str
) -> Iterator[timeline.Draft]:
    """One for each field; links that are only added are told one by one."""
    before = getattr(incident, name)
    if name == "links" and all(link in value for link in before):
        for link in value:
            if link not in before:
                yield timeline.Draft(Entry.Kind.LINK_ADDED, by, now, data=link)
        return
    kind = Entry.Kind.FIELD_CHANGED
    if name in MOMENTS:
        kind = Entry.Kind.MOMENT_CORRECTED
    elif name == "severity":
        kind = Entry.Kind.SEVERITY_CHANGED
    data = {"field": name, "from": _shown(before), "to": _shown(value)}
    yield timeline.Draft(kind, by, now, text=reason, data=data)


def _shown(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return getattr(value, "slug", value)


def _clean(value: Any) -> Any:
    return storable(value) if isinstance(value, str) else storable_json(value)
