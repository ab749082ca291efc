"""What an entry of a timeline says, as a sentence in plain text. Pure: it asks nothing but the entry."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from incidents.models import Entry, Incident, SloLink
from people.actors import ActorType

_FIELDS = {
    "is_private": "private",
    "is_drill": "a drill",
    **{name: f"the {name}" for name in ("title", "summary", "kind", "service", "team", "model", "labels", "links")},
}
_MOMENTS = {
    "started_at": "the start of the impact",
    "detected_at": "the detection",
    "acknowledged_at": "the acknowledgement",
    "mitigated_at": "the mitigation",
    "resolved_at": "the resolution",
}
_MOVED = {
    ("triggered", "acknowledged"): "acknowledged",
    ("mitigated", "acknowledged"): "says it is not mitigated after all",
    ("resolved", "acknowledged"): "reopened it",
    ("acknowledged", "triggered"): "gave it back: nobody has it now",
    ("dismissed", "triggered"): "reopened it",
    ("merged", "triggered"): "took it apart again",
    ("closed", "resolved"): "reopened it for a correction",
}
_REACHED = {
    "mitigated": "marked it mitigated",
    "resolved": "resolved it",
    "closed": "closed it",
    "dismissed": "dismissed it",
    "merged": "merged it",
    "acknowledged": "acknowledged",
    "triggered": "set it back to triggered",
}
_TOLD = {
    "asked": "that they are asked to come",
    "role": "that they have a role",
    "mentioned": "that they are mentioned",
    "declined": "that somebody cannot come",
    "reminder": "that a postmortem is due",
}
_FIRST_NAMES = 3


@dataclass(frozen=True, slots=True)
class Sentence:
    """`who` did `what`; `detail` says more, in a lower voice. Of what somebody wrote there is only `who`."""

    who: str
    what: str
    detail: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, [self.who, self.what, f"({self.detail})" if self.detail else ""]))


def sentence(entry: Entry) -> Sentence:
    """What happened. What somebody wrote is the entry's own text, and not in it."""
    data = entry.data
    match entry.kind:
        case Entry.Kind.OPENED:
            return _opened(entry)
        case Entry.Kind.STATUS_CHANGED:
            return _moved(entry)
        case Entry.Kind.SEVERITY_CHANGED:
            before, after = _severity(data.get("from")), _severity(data.get("to"))
            return _by(entry, f"set the severity to {after}", f"it was {before}")
        case Entry.Kind.MOMENT_CORRECTED:
            return _corrected(entry)
        case Entry.Kind.FIELD_CHANGED:
            return _changed(entry)
        case Entry.Kind.ALERTS_FIRED | Entry.Kind.ALERTS_RESOLVED:
            verb = "fired" if entry.kind == Entry.Kind.ALERTS_FIRED else "resolved"
            count = alert_count(entry)
            return Sentence("", f"{count} alert{'' if count == 1 else 's'} {verb}", _listed(alert_names(entry)))
        case Entry.Kind.ALL_CLEAR:
            return Sentence("", "All clear", "no alert fires any more")
        case Entry.Kind.ROLE_ASSIGNED:
            role = str(data.get("role_name", "a role"))
            return _by(entry, f"took {role}" if _is_about_actor(entry) else f"made {_user(data)} {role}")
        case Entry.Kind.ROLE_ENDED:
            role = str(data.get("role_name", "a role"))
            return _by(entry, f"gave up {role}" if _is_about_actor(entry) else f"took {role} from {_user(data)}")
        case Entry.Kind.RESPONDER_ASKED:
            return _by(entry, f"asked {_user(data)} to come", _discipline(data))
        case Entry.Kind.RESPONDER_JOINED:
            return Sentence(_user(data), "joined", _discipline(data))
        case Entry.Kind.RESPONDER_LEFT if data.get("cannot_come"):
            return Sentence(_user(data), "cannot come", _discipline(data))
        case Entry.Kind.RESPONDER_LEFT:
            return _by(entry, "left" if _is_about_actor(entry) else f"sent {_user(data)} home", _discipline(data))
        case Entry.Kind.NOTIFIED:
            return Sentence(_user(data), f"was told by {data.get('channel_name', 'message')}", _told_of(data))
        case Entry.Kind.NOTIFICATION_FAILED if data.get("final") is False:
            return _not_yet_told(data)
        case Entry.Kind.NOTIFICATION_FAILED:
            return Sentence(_user(data), "could not be told", "; ".join(filter(None, [_told_of(data), _reason(data)])))
        case Entry.Kind.MERGED_IN:
            return _by(entry, f"merged INC-{data.get('incident')} into this one", str(data.get("title", "")))
        case Entry.Kind.LINK_ADDED:
            return _by(entry, "added a link", str(data.get("title") or data.get("url") or ""))
        case Entry.Kind.SLO_LINKED:
            origin = data.get("origin")
            how = SloLink.Origin.LABEL.label if origin == SloLink.Origin.LABEL else ""
            return _by(entry, f"linked the SLO {data.get('name') or data.get('slo')}", how)
        case Entry.Kind.OBLIGATION if data.get("what") == "postmortem":
            names = [str(one.get("name", "")) for one in data.get("reminded", []) if isinstance(one, dict)]
            return Sentence("", "A postmortem is due", f"reminded: {', '.join(names)}" if names else "nobody to remind")
        case Entry.Kind.POSTMORTEM_STARTED:
            return _by(entry, "began the postmortem")
        case Entry.Kind.POSTMORTEM_PUBLISHED:
            return _by(entry, "published the postmortem")
        case Entry.Kind.MARKED:
            what = "starred" if data.get("marked") else "took the star from"
            return _by(entry, f"{what} #{entry.amends}")
    if entry.kind in Entry.WRITTEN:
        return Sentence(entry.actor_name, "")
    return _by(entry, entry.get_kind_display().lower())


def alert_names(entry: Entry) -> list[str]:
    """The name of each alert that the entry lists, repeated where several have it."""
    listed = entry.data.get("alerts")
    if not isinstance(listed, list):
        return []
    return [str(one.get("name") or one.get("fingerprint") or "") for one in listed if isinstance(one, dict)]


def alert_count(entry: Entry) -> int:
    count = entry.data.get("count")
    return count if isinstance(count, int) else len(alert_names(entry))


def moment_name(field: str) -> str:
    """A moment's field as people call it."""
    return _MOMENTS.get(field, field)


def _opened(entry: Entry) -> Sentence:
    severity = _severity(entry.data.get("severity"))
    if entry.actor_type == ActorType.ALERT:
        return Sentence("", f"Opened by an alert as {severity}", f"from {entry.actor_name}")
    return _by(entry, f"declared it as {severity}")


def _moved(entry: Entry) -> Sentence:
    data = entry.data
    before, after = str(data.get("from", "")), str(data.get("to", ""))
    if data.get("because") == "alerts":
        return Sentence("", "Reopened by an alert that started again", f"from {entry.actor_name}")
    what = _MOVED.get((before, after)) or _REACHED.get(after) or f"moved it from {before} to {after}"
    if data.get("into"):
        what += f" into INC-{data['into']}"
    ended = f"the impact ended {_instant(data['impact_ended_at'])}" if data.get("impact_ended_at") else ""
    return _by(entry, what, str(data.get("reason") or ended))


def _corrected(entry: Entry) -> Sentence:
    """The moments themselves are in the entry's data, for the page to show in the reader's zone."""
    what = f"corrected {moment_name(str(entry.data.get('field', '')))}"
    return _by(entry, what, f"{_instant(entry.data.get('from'))} → {_instant(entry.data.get('to'))}")


def _changed(entry: Entry) -> Sentence:
    field, before, after = (entry.data.get(name) for name in ("field", "from", "to"))
    name = _FIELDS.get(str(field), str(field))
    if isinstance(before, (dict, list)) or isinstance(after, (dict, list)) or field == "summary":
        return _by(entry, f"changed {name}")
    if isinstance(after, bool):
        return _by(entry, f"marked it {name}" if after else f"marked it not {name}")
    if after in (None, ""):
        return _by(entry, f"emptied {name}", f"it was {before}")
    return _by(entry, f"set {name} to {after}", f"it was {before}" if before not in (None, "") else "")


def _by(entry: Entry, what: str, detail: str = "") -> Sentence:
    return Sentence(entry.actor_name, what, detail)


def _is_about_actor(entry: Entry) -> bool:
    user = entry.data.get("user")
    is_person = entry.actor_type == ActorType.USER
    return is_person and isinstance(user, dict) and user.get("id") == entry.actor_user_id


def _user(data: dict[str, Any]) -> str:
    user = data.get("user")
    return str(user.get("name", "somebody")) if isinstance(user, dict) else "somebody"


def _not_yet_told(data: dict[str, Any]) -> Sentence:
    then = f"trying {data['then']}" if data.get("then") else "it goes on trying"
    answer = " ".join(str(data.get("answer") or "").split())
    what = f"could not be told by {data.get('channel_name', 'message')} so far; {then}"
    return Sentence(_user(data), what, answer)


def _told_of(data: dict[str, Any]) -> str:
    return _TOLD.get(str(data.get("message", "")), "")


def _reason(data: dict[str, Any]) -> str:
    return " ".join(str(data.get("reason") or "").split())


def _discipline(data: dict[str, Any]) -> str:
    return f"as {data['discipline_name']}" if data.get("discipline_name") else ""


def _severity(value: object) -> str:
    return Incident.Severity(value).label if value in Incident.Severity.values else str(value)


def _instant(value: object) -> str:
    if not value:
        return "unknown"
    try:
        return f"{datetime.fromisoformat(str(value)):%Y-%m-%d %H:%M:%S} UTC"
    except ValueError:
        return str(value)


def _listed(names: Iterable[str]) -> str:
    different = list(dict.fromkeys(filter(None, names)))
    more = len(different) - _FIRST_NAMES
    return " · ".join([*different[:_FIRST_NAMES], *([f"{more} more"] if more > 0 else [])])
