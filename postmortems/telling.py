"""A timeline's entry as one line of Markdown, in which everything that came from outside is plain text."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from incidents.models import Entry, Incident
from postmortems.markdown_text import counted, escape_markdown, utc

_SHOWN_NAMES = 3
_FIELDS = {"is_private": "private", "is_drill": "drill"}


def tell(entry: Entry, length: int) -> str:
    """What happened, its free text cut to `length` characters."""
    said = _what(entry, length)
    words = escape_markdown(entry.text, length)
    if entry.kind in Entry.WRITTEN:
        said = f"{entry.get_kind_display()}: {words}"
        return f"{said} (corrects #{entry.amends})" if entry.amends else said
    return f"{said}: {words}" if words else said


def _what(entry: Entry, length: int) -> str:
    data = entry.data
    match entry.kind:
        case Entry.Kind.OPENED:
            return f"Opened as {_severity(data.get('severity'))}: {_text(data.get('title'), length)}"
        case Entry.Kind.STATUS_CHANGED:
            moved = f"{_status(data.get('from'))} → {_status(data.get('to'))}"
            if data.get("into"):
                moved += f", into INC-{_text(data['into'], 20)}"
            return f"{moved}, because: {_text(data['reason'], length)}" if data.get("reason") else moved
        case Entry.Kind.SEVERITY_CHANGED:
            return f"Severity {_severity(data.get('from'))} → {_severity(data.get('to'))}"
        case Entry.Kind.MOMENT_CORRECTED:
            name = _text(str(data.get("field", "")).removesuffix("_at"), 60)
            return f"Moment corrected, {name}: {_moment(data.get('from'))} → {_moment(data.get('to'))}"
        case Entry.Kind.FIELD_CHANGED:
            return _field_changed(data, length)
        case Entry.Kind.ALERTS_FIRED | Entry.Kind.ALERTS_RESOLVED:
            verb = "fired" if entry.kind == Entry.Kind.ALERTS_FIRED else "resolved"
            return f"{counted(len(alert_names(entry)), 'alert')} {verb}{_named(alert_names(entry), length)}"
        case Entry.Kind.ROLE_ASSIGNED:
            return f"{_person(data)} became {_text(data.get('role_name'), 100)}"
        case Entry.Kind.ROLE_ENDED:
            return f"{_person(data)} is no longer {_text(data.get('role_name'), 100)}"
        case Entry.Kind.RESPONDER_ASKED:
            return f"{_person(data)} was asked to come{_as(data)}"
        case Entry.Kind.RESPONDER_JOINED:
            return f"{_person(data)} joined{_as(data)}"
        case Entry.Kind.RESPONDER_LEFT:
            return f"{_person(data)} left{_as(data)}"
        case Entry.Kind.MERGED_IN:
            return f"INC-{_text(data.get('incident'), 20)} was merged in: {_text(data.get('title'), length)}"
        case Entry.Kind.SLO_LINKED:
            return f"SLO linked: {_text(data.get('name') or data.get('slo'), 150)}"
    return escape_markdown(entry.get_kind_display())


def alert_names(entry: Entry) -> list[str]:
    """The names of the alerts that an entry lists."""
    alerts = entry.data.get("alerts")
    if not isinstance(alerts, list):
        return []
    return [
        str(one.get("name") or one.get("fingerprint") or "") if isinstance(one, dict) else str(one) for one in alerts
    ]


def _named(names: list[str], length: int) -> str:
    different = [name for name in dict.fromkeys(names) if name]
    if not different:
        return ""
    shown = ", ".join(escape_markdown(name, length) for name in different[:_SHOWN_NAMES])
    more = len(different) - _SHOWN_NAMES
    return f": {shown}" + (f" and {more} more" if more > 0 else "")


def _field_changed(data: dict[str, Any], length: int) -> str:
    field, before, after = data.get("field"), data.get("from"), data.get("to")
    name = _text(_FIELDS.get(str(field), str(field)), 60)
    if any(isinstance(value, (dict, list)) for value in (before, after)):
        return f"Changed: {name}"
    return f"Changed, {name}: {_value(before, length)} → {_value(after, length)}"


def _value(value: object, length: int) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None or value == "" else _text(value, length)


def _text(value: object, length: int) -> str:
    return "" if value is None else escape_markdown(str(value), length)


def _status(value: object) -> str:
    return Incident.Status(value).label if value in Incident.Status.values else _text(value, 40)


def _severity(value: object) -> str:
    return Incident.Severity(value).label if value in Incident.Severity.values else _text(value, 40)


def _moment(value: object) -> str:
    try:
        return utc(datetime.fromisoformat(str(value))) if value else utc(None)
    except ValueError:
        return _text(value, 40)


def _person(data: dict[str, Any]) -> str:
    user = data.get("user")
    return _text(user.get("name") if isinstance(user, dict) else user, 150) or "Somebody"


def _as(data: dict[str, Any]) -> str:
    return f" ({_text(data['discipline_name'], 100)})" if data.get("discipline_name") else ""
