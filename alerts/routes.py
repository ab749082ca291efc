"""Routes: what becomes of an alert, by its labels. Pure: no database, no clock.

An integration's routes are walked in their order. The first that fits decides: it opens an incident, attaches to one
that is open, feeds a heartbeat, or ignores. One that *continues* decides nothing: it only says something of the
incident - its service, its title, how it correlates - and the walk goes on. What an earlier route says stands. What no
route says is as the defaults have it: every alert opens, an incident for each Alertmanager group, and a Watchdog feeds
a heartbeat. As it fires for ever, only a route that names it takes it from there: for any other that decides, the walk
of a Watchdog goes on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from django.utils.translation import gettext as _

from alerts import matchers, payload
from common.errors import Invalid
from common.text import shortened, storable

MOST = 50  # of an integration
WATCHDOG = "Watchdog"  # the alert that always fires, by the convention of Prometheus' own rules

Does = Literal["open", "attach", "ignore", "heartbeat"]
Correlates = Literal["", "group", "labels", "service", "model"]
Resolves = Literal["", "all", "any", "first", "never"]

TEXTS = ("title", "service", "model", "team", "kind", "severity")  # of an incident, with labels put in

_PLACE = re.compile(r"\{\{\s*(label|annotation)\.([^{}]+?)\s*\}\}")
_DAY = 86_400
_NO_ALERT = {"alertname": "NameOfNoAlert"}  # a matcher that fits it too names none
_NAME, _TEXT, _LABELS = 100, 300, 10


class Route(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One line of the list, as it is kept and as the API gives it. Spans are in seconds; what is empty or null is left
    to later routes and to the defaults."""

    name: str
    matchers: str = ""
    continues: bool = msgspec.field(name="continue", default=False)
    does: Does = "open"
    title: str = ""
    service: str = ""
    model: str = ""
    team: str = ""
    kind: str = ""
    severity: str = ""
    correlate: Correlates = ""
    correlate_labels: tuple[str, ...] = ()
    window: int | None = None  # how long after its last alert an incident takes another
    threshold: int | None = None  # so many alerts, or values of a label, before one opens
    threshold_label: str = ""
    threshold_within: int | None = None
    resolve: Resolves = ""
    quiet_period: int | None = None
    reopen_window: int | None = None
    candidate: bool | None = None
    heartbeat_interval: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of an alert. `route` decided it, None where the defaults did; `said` is what all the routes that fit
    say, by field; `because` the matchers of those, in order: [(route's name, its matchers)]."""

    does: Does
    route: str | None
    said: Mapping[str, Any]
    because: Sequence[tuple[str, str]] = ()


_OPEN = Decision("open", None, {})
_WATCHED = Decision("heartbeat", None, {})


class Table:
    """The routes of an integration, compiled. False where there are none."""

    def __init__(self, routes: Sequence[Route] = ()) -> None:
        self.routes = tuple(routes)
        self._compiled = []
        for route in self.routes:
            wanted = matchers.parse(route.matchers)
            takes_watchdogs = route.continues or route.does == "heartbeat" or _ask_for_names(wanted)
            self._compiled.append((route, wanted, _said(route), takes_watchdogs))

    def __bool__(self) -> bool:
        return bool(self.routes)

    def decide(self, alert: payload.Alert) -> Decision:
        """The walk of an alert through them."""
        is_watchdog = alert.name == WATCHDOG
        if not self._compiled:
            return _WATCHED if is_watchdog else _OPEN
        said: dict[str, Any] = {}
        because: list[tuple[str, str]] = []
        for route, wanted, says, takes_watchdogs in self._compiled:
            if is_watchdog and not takes_watchdogs:
                continue
            if not all(matcher.matches(alert.labels) for matcher in wanted):
                continue
            said = {**says, **said}
            because.append((route.name, route.matchers))
            if not route.continues:
                return Decision(route.does, route.name, said, because)
        return Decision("heartbeat" if is_watchdog else "open", None, said, because)


def filled(text: str, alert: payload.Alert) -> str:
    """The text with labels and annotations put in their places, `{{label.name}}`; what is not there is empty."""

    def put(match: re.Match[str]) -> str:
        values = alert.labels if match[1] == "label" else alert.annotations
        return values.get(match[2], "")

    return " ".join(_PLACE.sub(put, text).split())


def read(raw: object) -> list[Route]:
    """Routes from JSON, checked. Raises Invalid with what is wrong in which of them."""
    try:
        found = msgspec.convert(raw, list[Route])
    except msgspec.ValidationError as exc:
        raise Invalid(_("These are no routes."), errors=[("routes", shortened(str(exc), 200))]) from exc
    if len(found) > MOST:
        raise Invalid(_("These are no routes."), errors=[("routes", _("At most {n} routes.").format(n=MOST))])
    checked, faults = [], []
    for position, route in enumerate(found):
        route = _tidied(route)
        checked.append(route)
        faults += [(f"routes.{position}.{field}", said) for field, said in _faults(route)]
    names = [route.name for route in checked]
    for position, name in enumerate(names):
        if name in names[:position]:
            faults.append((f"routes.{position}.name", _("Another route has this name.")))
    if faults:
        raise Invalid(_("A route cannot be used as it is."), errors=faults)
    return checked


def written(routes: Sequence[Route]) -> list[dict[str, Any]]:
    """The same as JSON."""
    kept: list[dict[str, Any]] = json.loads(msgspec.json.encode(list(routes)))
    return kept


def table(kept: object) -> Table:
    """The routes of an integration as they are kept."""
    return Table(msgspec.convert(kept, list[Route]))


def _ask_for_names(wanted: Sequence[matchers.Matcher]) -> bool:
    """Whether these are for alerts of certain names."""
    return any(matcher.name == "alertname" and not matcher.matches(_NO_ALERT) for matcher in wanted)


def _said(route: Route) -> dict[str, Any]:
    """What it says of the incident, by field: neither its name nor what it does."""
    fields = msgspec.structs.asdict(route)
    for own in ("name", "matchers", "continues", "does"):
        del fields[own]
    return {name: value for name, value in fields.items() if value not in ("", None, ())}


def _tidied(route: Route) -> Route:
    """With text that the database holds, and no spaces around it."""
    text = {
        name: storable(value).strip() for name, value in msgspec.structs.asdict(route).items() if type(value) is str
    }
    labels = tuple(storable(label).strip() for label in route.correlate_labels)
    return msgspec.structs.replace(route, **text, correlate_labels=labels)


def _faults(route: Route) -> list[tuple[str, str]]:
    faults = []
    if not route.name:
        faults.append(("name", _("Give it a name.")))
    if len(route.name) > _NAME:
        faults.append(("name", _("At most {n} characters.").format(n=_NAME)))
    if route.continues and route.does != "open":
        faults.append(("does", _("A route that continues leaves this to the next one.")))
    try:
        matchers.parse(route.matchers)
    except matchers.BadMatcher as exc:
        faults.append(("matchers", exc.message))
    for name in (*TEXTS, "threshold_label"):
        text = getattr(route, name)
        if len(text) > _TEXT:
            faults.append((name, _("At most {n} characters.").format(n=_TEXT)))
        if name in TEXTS and "{{" in _PLACE.sub("", text):
            faults.append((name, _("Labels stand as {place}.").format(place="{{label.name}}")))
    if route.correlate == "labels" and not any(route.correlate_labels):
        faults.append(("correlate_labels", _("Name the labels.")))
    if len(route.correlate_labels) > _LABELS:
        faults.append(("correlate_labels", _("At most {n} labels.").format(n=_LABELS)))
    spans = {"window": 60, "threshold_within": 10, "quiet_period": 0, "reopen_window": 0, "heartbeat_interval": 10}
    for name, least in spans.items():
        value = getattr(route, name)
        if value is not None and not least <= value <= 7 * _DAY:
            words = _("From {least} seconds to {most}.")
            faults.append((name, words.format(least=least, most=7 * _DAY)))
    if route.threshold is not None and not 1 <= route.threshold <= 1000:
        faults.append(("threshold", _("From 1 to 1,000.")))
    if (route.threshold or 1) > 1 and route.threshold_within is None:
        faults.append(("threshold_within", _("Say within how long so many have to fire.")))
    return faults
