"""How the list of alerts is narrowed, in words and links: what it is narrowed by, and by what it could be."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote_plus

from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from alerts import facets
from alerts.listing import Asked
from alerts.models import Alert
from alerts.outcomes import Outcome
from common import language
from common.narrowing import Chip, Facet, Option, Tab, options
from common.text import shortened

Status = Alert.Status
TABS = {
    (Status.FIRING.value,): Status.FIRING.label,
    (Status.STALE.value,): Status.STALE.label,
    (Status.RESOLVED.value,): Status.RESOLVED.label,
    tuple(Status.values): gettext_lazy("All"),
}
_TITLES = {
    "severity": gettext_lazy("Severity"),
    "service": gettext_lazy("Service"),
    "name": gettext_lazy("Name"),
    "integration": gettext_lazy("Integration"),
    "becomes": gettext_lazy("Outcome"),
}
_OTHERS = {
    "label": gettext_lazy("Label"),
    "q": gettext_lazy("Text"),
    "incident": gettext_lazy("Incident"),
    "fingerprint": gettext_lazy("Fingerprint"),
    "started_after": gettext_lazy("Started after"),
    "started_before": gettext_lazy("Started before"),
}
_CHOICES = {"becomes": dict(Outcome.choices)}
_MOMENTS = ("started_after", "started_before")
_WHICH: Mapping[tuple[str, ...], object] = {
    (Status.FIRING.value,): gettext_lazy("Alerts that fire"),
    (Status.STALE.value,): gettext_lazy("Alerts that fire and are not confirmed any more"),
    (Status.RESOLVED.value,): gettext_lazy("Resolved alerts"),
}


def tabs(wanted: Asked, counts: facets.Counts) -> list[Tab]:
    return [
        Tab(str(label), str(counts.of(states)), f"?{wanted.of(*states)}", wanted.is_of(*states))
        for states, label in TABS.items()
    ]


def chips(wanted: Asked, counts: facets.Counts) -> list[Chip]:
    """In the order of the facets, whatever the order in the address."""
    names = _names(counts)
    return [
        Chip(str(title), _name(wanted, name, value, names), f"?{wanted.without(name, value)}", name in _CHOICES)
        for name, title in (*_TITLES.items(), *_OTHERS.items())
        for value in wanted.given.get(name, ())
    ]


def menu(wanted: Asked, counts: facets.Counts) -> list[Facet]:
    """Every facet with its values, the most frequent first."""
    names = _names(counts)
    return [
        Facet(
            str(title),
            options(_options(name, wanted, counts, names)),
            name in _CHOICES,
            name in wanted.given,
        )
        for name, title in _TITLES.items()
    ]


def _options(name: str, wanted: Asked, counts: facets.Counts, names: Mapping[tuple[str, str], str]) -> list[Option]:
    chosen = wanted.given.get(name, ())
    counted = {each.value: each.count for each in counts.by_facet[name]}
    adding = "&".join(filter(None, [wanted.query, f"{name}="]))
    values = dict.fromkeys([*sorted(counted, key=lambda value: (-counted[value], value)), *chosen])
    return [
        Option(
            wanted.without(name, value) if value in chosen else adding + quote_plus(value),
            value in chosen,
            _name(wanted, name, value, names),
            str(counts.number(counted.get(value, 0), wanted.states)),
        )
        for value in values
    ]


def sentence(wanted: Asked, counts: facets.Counts) -> str:
    """What the list shows, in words."""
    names = _names(counts)
    said = []
    for name, title in (*_TITLES.items(), *_OTHERS.items()):
        if values := wanted.given.get(name):
            shown = [
                _("“%(text)s”") % {"text": shortened(value, 60)}
                if name == "q"
                else shortened(_name(wanted, name, value, names), 60)
                for value in values
            ]
            joined = (_(" and ") if name == "label" else _(" or ")).join(shown)
            said.append(f"{language.within_a_sentence(title)} {joined}")
    words = str(_WHICH.get(tuple(wanted.states), _("Alerts")))
    if said:
        words = _("%(which)s with %(filters)s") % {"which": words, "filters": ", ".join(said)}
    return _("%(which)s, newest first.") % {"which": words}


def shown(wanted: Asked, counts: facets.Counts) -> str:
    """How many alerts the list has."""
    number = counts.of(wanted.states)
    return ngettext("%(number)s alert", "%(number)s alerts", number.least) % {"number": number}


def _names(counts: facets.Counts) -> Mapping[tuple[str, str], str]:
    return {("integration", each.value): each.name for each in counts.by_facet["integration"]}


def _name(wanted: Asked, name: str, value: str, names: Mapping[tuple[str, str], str]) -> str:
    """What people read for a value: our word, the name that goes with a slug, a moment, or the value itself."""
    if name in _CHOICES:
        return str(_CHOICES[name].get(value, value))
    if name in _MOMENTS:
        return f"{localtime(wanted.values[name]):%Y-%m-%d %H:%M}"
    if name == "incident":
        return f"INC-{value}"
    return names.get((name, value), value)
