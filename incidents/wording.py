"""What an entry of a timeline says, as a sentence in plain text. Pure: it asks nothing but the entry."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from common import language
from incidents.models import Entry, Incident, SloLink
from people.actors import ActorType

_FIELDS = {
    "is_private": gettext_lazy("private"),
    "is_drill": gettext_lazy("a drill"),
    "is_candidate": gettext_lazy("a candidate"),
    "title": gettext_lazy("the title"),
    "summary": gettext_lazy("the summary"),
    "kind": gettext_lazy("the kind"),
    "service": gettext_lazy("the service"),
    "team": gettext_lazy("the team"),
    "model": gettext_lazy("the model"),
    "labels": gettext_lazy("the labels"),
    "links": gettext_lazy("the links"),
}
_MOMENTS = {
    "started_at": gettext_lazy("the start of the impact"),
    "detected_at": gettext_lazy("the detection"),
    "acknowledged_at": gettext_lazy("the acknowledgement"),
    "mitigated_at": gettext_lazy("the mitigation"),
    "resolved_at": gettext_lazy("the resolution"),
}
_MOVED = {
    ("triggered", "acknowledged"): gettext_lazy("acknowledged"),
    ("mitigated", "acknowledged"): gettext_lazy("says it is not mitigated after all"),
    ("resolved", "acknowledged"): gettext_lazy("reopened it"),
    ("acknowledged", "triggered"): gettext_lazy("gave it back: nobody has it now"),
    ("dismissed", "triggered"): gettext_lazy("reopened it"),
    ("merged", "triggered"): gettext_lazy("took it apart again"),
    ("closed", "resolved"): gettext_lazy("reopened it for a correction"),
}
_REACHED = {
    "mitigated": gettext_lazy("marked it mitigated"),
    "resolved": gettext_lazy("resolved it"),
    "closed": gettext_lazy("closed it"),
    "dismissed": gettext_lazy("dismissed it"),
    "merged": gettext_lazy("merged it"),
    "acknowledged": gettext_lazy("acknowledged"),
    "triggered": gettext_lazy("set it back to triggered"),
}
_TOLD = {
    "asked": gettext_lazy("that they are asked to come"),
    "role": gettext_lazy("that they have a role"),
    "mentioned": gettext_lazy("that they are mentioned"),
    "declined": gettext_lazy("that somebody cannot come"),
    "reminder": gettext_lazy("that a postmortem is due"),
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
            return _by(entry, _("set the severity to %(to)s") % {"to": after}, _it_was(before))
        case Entry.Kind.MOMENT_CORRECTED:
            return _corrected(entry)
        case Entry.Kind.FIELD_CHANGED:
            return _changed(entry)
        case Entry.Kind.ALERTS_FIRED | Entry.Kind.ALERTS_RESOLVED:
            return Sentence("", _alerts_changed(entry), _listed(alert_names(entry)))
        case Entry.Kind.ALERT_STALE:
            return Sentence("", _alerts_changed(entry), _listed(alert_names(entry)))
        case Entry.Kind.ALL_CLEAR if data.get("policy") == Incident.Resolves.ANY:
            return Sentence("", _("All clear"), _("an alert has ended, which is enough here"))
        case Entry.Kind.ALL_CLEAR if data.get("policy") == Incident.Resolves.FIRST:
            return Sentence("", _("All clear"), _("the alert that opened it has ended, which is enough here"))
        case Entry.Kind.ALL_CLEAR if data.get("cut_off"):
            return Sentence("", _("Not quite clear"), _("nothing known fires, and Alertmanager left alerts out"))
        case Entry.Kind.ALL_CLEAR:
            return Sentence("", _("All clear"), _("no alert fires any more"))
        case Entry.Kind.ROLE_ASSIGNED:
            about = {"role": str(data.get("role_name", _("a role"))), "name": _user(data)}
            return _by(entry, (_("took %(role)s") if _is_about_actor(entry) else _("made %(name)s %(role)s")) % about)
        case Entry.Kind.ROLE_ENDED:
            about = {"role": str(data.get("role_name", _("a role"))), "name": _user(data)}
            words = _("gave up %(role)s") if _is_about_actor(entry) else _("took %(role)s from %(name)s")
            return _by(entry, words % about)
        case Entry.Kind.RESPONDER_ASKED:
            return _by(entry, _("asked %(name)s to come") % {"name": _user(data)}, _discipline(data))
        case Entry.Kind.RESPONDER_JOINED:
            return Sentence(_user(data), _("joined"), _discipline(data))
        case Entry.Kind.RESPONDER_LEFT if data.get("cannot_come"):
            return Sentence(_user(data), _("cannot come"), _discipline(data))
        case Entry.Kind.RESPONDER_LEFT:
            words = _("left") if _is_about_actor(entry) else _("sent %(name)s home") % {"name": _user(data)}
            return _by(entry, words, _discipline(data))
        case Entry.Kind.NOTIFIED:
            return Sentence(_user(data), _("was told by %(channel)s") % {"channel": _channel(data)}, _told_of(data))
        case Entry.Kind.NOTIFICATION_FAILED if data.get("final") is False:
            return _not_yet_told(data)
        case Entry.Kind.NOTIFICATION_FAILED:
            return Sentence(
                _user(data), _("could not be told"), "; ".join(filter(None, [_told_of(data), _reason(data)]))
            )
        case Entry.Kind.MERGED_IN:
            words = _("merged INC-%(number)s into this one") % {"number": data.get("incident")}
            return _by(entry, words, str(data.get("title", "")))
        case Entry.Kind.LINK_ADDED:
            return _by(entry, _("added a link"), str(data.get("title") or data.get("url") or ""))
        case Entry.Kind.SLO_LINKED:
            origin = data.get("origin")
            how = str(SloLink.Origin.LABEL.label) if origin == SloLink.Origin.LABEL else ""
            return _by(entry, _("linked the SLO %(slo)s") % {"slo": data.get("name") or data.get("slo")}, how)
        case Entry.Kind.OBLIGATION if data.get("what") == "postmortem":
            names = [str(one.get("name", "")) for one in data.get("reminded", []) if isinstance(one, dict)]
            told = _("reminded: %(names)s") % {"names": ", ".join(names)} if names else _("nobody to remind")
            return Sentence("", _("A postmortem is due"), told)
        case Entry.Kind.POSTMORTEM_STARTED:
            return _by(entry, _("began the postmortem"))
        case Entry.Kind.POSTMORTEM_PUBLISHED:
            return _by(entry, _("published the postmortem"))
        case Entry.Kind.MARKED:
            words = _("starred #%(seq)s") if data.get("marked") else _("took the star from #%(seq)s")
            return _by(entry, words % {"seq": entry.amends})
    if entry.kind in Entry.WRITTEN:
        return Sentence(entry.actor_name, "")
    return _by(entry, language.within_a_sentence(entry.get_kind_display()))


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
    return str(_MOMENTS.get(field, field))


def _opened(entry: Entry) -> Sentence:
    severity = _severity(entry.data.get("severity"))
    if entry.actor_type == ActorType.ALERT:
        return Sentence("", _("Opened by an alert as %(severity)s") % {"severity": severity}, _from(entry))
    return _by(entry, _("declared it as %(severity)s") % {"severity": severity})


def _moved(entry: Entry) -> Sentence:
    data = entry.data
    before, after = str(data.get("from", "")), str(data.get("to", ""))
    if data.get("because") == "alerts":
        return Sentence("", _("Reopened by an alert that started again"), _from(entry))
    known = _MOVED.get((before, after)) or _REACHED.get(after)
    what = str(known or _("moved it from %(before)s to %(after)s") % {"before": before, "after": after})
    if data.get("into"):
        what = _("merged it into INC-%(number)s") % {"number": data["into"]}
    ended_at = data.get("impact_ended_at")
    ended = _("the impact ended %(at)s") % {"at": _instant(ended_at)} if ended_at else ""
    return _by(entry, what, str(data.get("reason") or ended))


def _corrected(entry: Entry) -> Sentence:
    """The moments themselves are in the entry's data, for the page to show in the reader's zone."""
    what = _("corrected %(moment)s") % {"moment": moment_name(str(entry.data.get("field", "")))}
    return _by(entry, what, f"{_instant(entry.data.get('from'))} → {_instant(entry.data.get('to'))}")


def _changed(entry: Entry) -> Sentence:
    field, before, after = (entry.data.get(name) for name in ("field", "from", "to"))
    if field == "is_candidate" and after is False:
        return _by(entry, _("confirmed it: it counts"))
    name = str(_FIELDS.get(str(field), field))
    if isinstance(before, (dict, list)) or isinstance(after, (dict, list)) or field == "summary":
        return _by(entry, _("changed %(field)s") % {"field": name})
    if isinstance(after, bool):
        return _by(entry, (_("marked it %(field)s") if after else _("marked it not %(field)s")) % {"field": name})
    if after in (None, ""):
        return _by(entry, _("emptied %(field)s") % {"field": name}, _it_was(before))
    was = _it_was(before) if before not in (None, "") else ""
    return _by(entry, _("set %(field)s to %(to)s") % {"field": name, "to": after}, was)


def _by(entry: Entry, what: str, detail: str = "") -> Sentence:
    return Sentence(entry.actor_name, what, detail)


def _is_about_actor(entry: Entry) -> bool:
    user = entry.data.get("user")
    is_person = entry.actor_type == ActorType.USER
    return is_person and isinstance(user, dict) and user.get("id") == entry.actor_user_id


def _user(data: dict[str, Any]) -> str:
    user = data.get("user")
    return str(user.get("name") or _("somebody")) if isinstance(user, dict) else _("somebody")


def _not_yet_told(data: dict[str, Any]) -> Sentence:
    then = _("trying %(next)s") % {"next": data["then"]} if data.get("then") else _("it goes on trying")
    answer = " ".join(str(data.get("answer") or "").split())
    what = _("could not be told by %(channel)s so far; %(then)s") % {"channel": _channel(data), "then": then}
    return Sentence(_user(data), what, answer)


def _told_of(data: dict[str, Any]) -> str:
    return str(_TOLD.get(str(data.get("message", "")), ""))


def _reason(data: dict[str, Any]) -> str:
    return " ".join(str(data.get("reason") or "").split())


def _discipline(data: dict[str, Any]) -> str:
    name = data.get("discipline_name")
    return _("as %(discipline)s") % {"discipline": name} if name else ""


def _channel(data: dict[str, Any]) -> str:
    return str(data.get("channel_name") or _("message"))


def _from(entry: Entry) -> str:
    return _("from %(source)s") % {"source": entry.actor_name}


def _it_was(before: object) -> str:
    return _("it was %(before)s") % {"before": before}


def _alerts_changed(entry: Entry) -> str:
    count = alert_count(entry)
    if entry.kind == Entry.Kind.ALERTS_FIRED:
        words = ngettext("%(count)s alert fired", "%(count)s alerts fired", count)
    elif entry.kind == Entry.Kind.ALERT_STALE:
        words = ngettext(
            "%(count)s alert is not confirmed any more", "%(count)s alerts are not confirmed any more", count
        )
    else:
        words = ngettext("%(count)s alert resolved", "%(count)s alerts resolved", count)
    return words % {"count": count}


def _severity(value: object) -> str:
    return str(Incident.Severity(value).label) if value in Incident.Severity.values else str(value)


def _instant(value: object) -> str:
    if not value:
        return _("unknown")
    try:
        return f"{datetime.fromisoformat(str(value)):%Y-%m-%d %H:%M:%S} UTC"
    except ValueError:
        return str(value)


def _listed(names: Iterable[str]) -> str:
    different = list(dict.fromkeys(filter(None, names)))
    more = len(different) - _FIRST_NAMES
    return " · ".join(
        [
            *different[:_FIRST_NAMES],
            *([ngettext("%(count)s more", "%(count)s more", more) % {"count": more}] if more > 0 else []),
        ]
    )
