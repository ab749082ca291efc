"""Alertmanager's notification, and Grafana's, from bytes to typed structs. No database, no clock.

Sources: prometheus/alertmanager notify/webhook/webhook.go and template/template.go, payload version 4; Grafana's
documentation of the webhook of its own alerting, version 1, which is the same but for some fields more.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import orjson

from common import years
from common.errors import DomainError
from common.text import shortened, storable

ALERTMANAGER, GRAFANA = "alertmanager", "grafana"  # kinds of payload
SMALLEST = 64  # bytes that an alert takes at least
_FEW = 1000


class BadPayload(DomainError):
    """Not a notification that can be read at all."""

    code = "bad_payload"
    status = 400
    title = "Not an Alertmanager notification"


class _Kept:
    """A property that is worked out once. `cached_property` does so with a lock, which costs as much as a hash."""

    def __init__(self, work_out: Callable[[Alert], str]) -> None:
        self._work_out = work_out
        self._name = work_out.__name__

    def __get__(self, alert: Alert, owner: type[Alert]) -> str:
        value = alert.__dict__[self._name] = self._work_out(alert)
        return value


class Alert(msgspec.Struct, rename="camel", kw_only=True, dict=True):
    """One alert as it was sent."""

    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    starts_at: Annotated[datetime, msgspec.Meta(tz=True)]
    ends_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    generator_url: str = msgspec.field(name="generatorURL", default="")
    fingerprint: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]

    @property
    def identity(self) -> tuple[str, str]:
        return self.fingerprint, self.labels_hash

    @_Kept
    def name(self) -> str:
        """What it is called, as far as there is room for it."""
        return shortened(self.labels.get("alertname", ""), 300)

    @_Kept
    def labels_hash(self) -> str:
        return _digest(self.labels)

    @_Kept
    def content_hash(self) -> str:
        return _digest([self.annotations, self.generator_url])

    def prepare(self) -> None:
        """Work out now what writing it down takes, and not while rows are locked."""
        _ = self.labels_hash, self.content_hash, self.name


class _GrafanaAlert(Alert, rename="camel", kw_only=True):
    """What Grafana adds is kept as annotations, under these names."""

    values: dict[str, Any] | None = None
    value_string: str = ""
    dashboard_url: str = msgspec.field(name="dashboardURL", default="")
    panel_url: str = msgspec.field(name="panelURL", default="")
    silence_url: str = msgspec.field(name="silenceURL", default="")
    image_url: str = msgspec.field(name="imageURL", default="")

    def __post_init__(self) -> None:
        values = ", ".join(f"{name}={value}" for name, value in (self.values or {}).items())
        more = {"values": values or self.value_string}
        more |= {name: getattr(self, name) for name in ("dashboard_url", "panel_url", "silence_url", "image_url")}
        self.annotations = {**{name: text for name, text in more.items() if text}, **self.annotations}


class _Whole(msgspec.Struct, rename="camel", kw_only=True):
    version: Literal["4"]
    group_key: str
    alerts: list[Alert]
    truncated_alerts: Annotated[int, msgspec.Meta(ge=0, lt=2**31)] = 0
    group_labels: dict[str, str] = {}
    common_labels: dict[str, str] = {}
    common_annotations: dict[str, str] = {}


class _GrafanaWhole(_Whole, rename="camel", kw_only=True):
    version: Literal["1"]  # type: ignore[assignment]
    alerts: list[_GrafanaAlert]  # type: ignore[assignment]


class _Sketch(msgspec.Struct, gc=False):
    status: Literal["firing", "resolved"]  # so that millions of nothing end at the first of them


class _Cover(msgspec.Struct, rename="camel", kw_only=True):
    version: Literal["4"]
    group_key: str
    alerts: list[_Sketch]


class _GrafanaCover(_Cover, rename="camel", kw_only=True):
    version: Literal["1"]  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An alert that could not be read: where it stood, why, and what it was (cut at 4,000 characters)."""

    position: int
    reason: str
    raw: str


@dataclass(frozen=True, slots=True)
class Notification:
    """What one POST says. `alerts` are fit for the database: no U+0000, times with a zone and a sane year."""

    group_key: str
    group_labels: dict[str, str]
    common_labels: dict[str, str]
    common_annotations: dict[str, str]
    truncated: int
    alerts: Sequence[Alert]
    quarantined: Sequence[Quarantined]

    @property
    def received(self) -> int:
        return len(self.alerts) + len(self.quarantined)


class _Form(NamedTuple):
    """How a kind of payload is read."""

    version: str
    whole: msgspec.json.Decoder[Any]
    cover: msgspec.json.Decoder[Any]
    alert: msgspec.json.Decoder[Any]


_FORMS = {
    ALERTMANAGER: _Form("4", *(msgspec.json.Decoder(each) for each in (_Whole, _Cover, Alert))),
    GRAFANA: _Form("1", *(msgspec.json.Decoder(each) for each in (_GrafanaWhole, _GrafanaCover, _GrafanaAlert))),
}

_UNREADABLE = (msgspec.DecodeError, RecursionError, ValueError, OverflowError)  # ValueError: bad UTF-8, huge numbers


def parse(body: bytes, *, kind: str = ALERTMANAGER) -> Notification:
    """The notification within the bytes, in Grafana's form where it is of that `kind`. One alert that cannot be read is
    quarantined and the others are taken; BadPayload is raised for what is not JSON, not of the right version, or has no
    list of alerts."""
    form = _form_of(kind)
    try:
        whole = form.whole.decode(body)
    except _UNREADABLE:
        return _piece_by_piece(body, form)
    if b"\\u0000" in body:
        whole = _without_nul(whole)
    return _sorted_out(whole, list(enumerate(whole.alerts)), [])


def count(body: bytes, *, kind: str = ALERTMANAGER) -> int:
    """How many alerts there are, for much less than it costs to read them. Raises BadPayload where `parse` does, but
    for a fault within an alert that hides its whole notification from the forgiving parser."""
    try:
        body.decode()  # what is skipped over is not looked at
        cover = _form_of(kind).cover.decode(body)
    except _UNREADABLE:
        return len(_opened(body, _form_of(kind))[1])
    return len(cover.alerts)


def _form_of(kind: str) -> _Form:
    return _FORMS.get(kind, _FORMS[ALERTMANAGER])


def _opened(body: bytes, form: _Form) -> tuple[dict[str, Any], list[Any]]:
    """The members of a notification and its alerts, of whatever kind they are. The standard library's parser is used
    here because it is the one that gets past a lone surrogate, which then spoils its own alert alone."""
    try:
        members = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except _UNREADABLE as exc:
        raise BadPayload(f"This is not JSON: {shortened(str(exc), 200)}.") from exc
    if not isinstance(members, dict):
        raise BadPayload("This is not a JSON object.")
    if members.get("version") != form.version:
        raise BadPayload(f'This is not version "{form.version}" of the webhook payload.')
    raws = members.get("alerts")
    if not isinstance(raws, list):
        raise BadPayload("`alerts` is not a list.")
    if len(raws) > max(_FEW, len(body) // SMALLEST):  # looked at one by one, millions of nothing take a minute
        raise BadPayload(f"These are no alerts: {len(raws):,} of them in {len(body):,} bytes.")
    return members, raws


def _piece_by_piece(body: bytes, form: _Form) -> Notification:
    """The forgiving way, for what does not decode as a whole."""
    members, raws = _opened(body, form)
    group_labels = _converted(members.get("groupLabels"), dict[str, str], {})
    whole = _Whole(
        version="4",
        group_key=_converted(members.get("groupKey"), str, "") or f"labels:{_digest(_clean(group_labels))}",
        alerts=[],
        truncated_alerts=_converted(members.get("truncatedAlerts"), Annotated[int, msgspec.Meta(ge=0, lt=2**31)], 0),
        group_labels=group_labels,
        common_labels=_converted(members.get("commonLabels"), dict[str, str], {}),
        common_annotations=_converted(members.get("commonAnnotations"), dict[str, str], {}),
    )
    readable: list[tuple[int, Alert]] = []
    quarantined = []
    for position, raw in enumerate(raws):
        raw_text = ""
        try:
            raw_text = json.dumps(raw)
            readable.append((position, form.alert.decode(raw_text)))
        except _UNREADABLE as exc:
            quarantined.append(Quarantined(position, storable(str(exc))[:500], storable(raw_text[:4000])))
    whole.alerts = [alert for _, alert in readable]
    return _sorted_out(_without_nul(whole), readable, quarantined)


def _sorted_out(whole: _Whole, alerts: list[tuple[int, Alert]], quarantined: list[Quarantined]) -> Notification:
    """Times made sane, duplicates within the body folded (a resolve wins), quarantined ones added."""
    taken: dict[tuple[str, str, datetime], Alert] = {}
    for position, alert in alerts:
        try:
            if alert.starts_at.tzinfo is not UTC:
                alert.starts_at = alert.starts_at.astimezone(UTC)
            if alert.ends_at is not None:  # year 1 means "not ended"
                alert.ends_at = None if alert.ends_at.year == 1 else alert.ends_at.astimezone(UTC)
        except OverflowError:
            quarantined.append(_put_aside(position, "a time out of range", alert))
            continue
        if not years.hold(alert.starts_at) or (alert.ends_at and alert.ends_at.year > years.LAST):
            reason = f"startsAt or endsAt lies outside the years {years.FIRST} to {years.LAST}"
            quarantined.append(_put_aside(position, reason, alert))
            continue
        if alert.status == "resolved" and alert.ends_at is None:
            alert.ends_at = alert.starts_at
        if alert.status == "firing":
            alert.ends_at = None
        key = (alert.fingerprint, alert.labels_hash, alert.starts_at)
        known = taken.get(key)
        if known is None or alert.status == "resolved" != known.status:
            taken[key] = alert
    return Notification(
        group_key=whole.group_key,
        group_labels=whole.group_labels,
        common_labels=whole.common_labels,
        common_annotations=whole.common_annotations,
        truncated=whole.truncated_alerts,
        alerts=[taken[key] for key in sorted(taken)],
        quarantined=sorted(quarantined, key=lambda q: q.position),
    )


def _converted(value: Any, type_: Any, default: Any) -> Any:
    """The value where it is of the type, else the default: nothing but `alerts` and `version` is worth a refusal."""
    try:
        return msgspec.convert(value, type_)
    except _UNREADABLE:  # also a lone surrogate where no string is wanted
        return default


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _put_aside(position: int, reason: str, alert: Alert) -> Quarantined:
    return Quarantined(position, reason, msgspec.json.encode(alert).decode()[:4000])


def _without_nul(whole: _Whole) -> _Whole:
    """U+0000, which Alertmanager lets pass and PostgreSQL cannot hold, replaced everywhere."""
    whole.group_key = storable(whole.group_key)
    whole.group_labels = _clean(whole.group_labels)
    whole.common_labels = _clean(whole.common_labels)
    whole.common_annotations = _clean(whole.common_annotations)
    for alert in whole.alerts:
        alert.labels = _clean(alert.labels)
        alert.annotations = _clean(alert.annotations)
        alert.generator_url = storable(alert.generator_url)
        alert.fingerprint = storable(alert.fingerprint)
    return whole


def _clean(strings: dict[str, str]) -> dict[str, str]:
    return {storable(name): storable(value) for name, value in strings.items()}


def _digest(value: Any) -> str:
    return blake2b(orjson.dumps(value, option=orjson.OPT_SORT_KEYS), digest_size=8).hexdigest()
