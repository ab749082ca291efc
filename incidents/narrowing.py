"""How the list of incidents is narrowed, in words and links: what it is narrowed by, and by what it could be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from urllib.parse import quote_plus

from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from common import language
from common.narrowing import Chip, Count, Facet, Option, Tab, options
from incidents import facets
from incidents.listing import BY_URGENCY, TABS, Asked
from incidents.models import Incident

MOST = 30  # values of a facet in the menu
_USUAL = 500  # characters of an address; the menus of longer ones are not kept, as each of their links holds it
_TITLES = {
    "status": gettext_lazy("Status"),
    "severity": gettext_lazy("Severity"),
    "kind": gettext_lazy("Kind"),
    "service": gettext_lazy("Service"),
    "model": gettext_lazy("Model"),
    "team": gettext_lazy("Team"),
    "label": gettext_lazy("Label"),
}
_OTHERS = {
    "q": gettext_lazy("Text"),
    "drill": gettext_lazy("Drill"),
    "candidate": gettext_lazy("Candidate"),
    "open": gettext_lazy("Open"),
    "opened_after": gettext_lazy("Opened after"),
    "opened_before": gettext_lazy("Opened before"),
}
_CHOICES = {
    "status": dict(Incident.Status.choices),
    "severity": dict(Incident.Severity.choices),
    "kind": dict(Incident.Kind.choices),
}
_WHICH = {
    "mine": gettext_lazy("Open incidents of your teams, or that you were called to"),
    "open": gettext_lazy("Open incidents"),
    "resolved": gettext_lazy("Incidents that are over"),
    "all": gettext_lazy("All incidents"),
}


def tabs(wanted: Asked, counts: facets.Counts) -> list[Tab]:
    """A status is left behind, as each tab has its own."""
    counted = {"mine": counts.mine, "open": counts.open}
    candidates = {"mine": counts.mine_candidates, "open": counts.open_candidates}
    return [
        Tab(str(label), counted.get(name), f"?{wanted.on_tab(name)}", name == wanted.tab, candidates.get(name, 0))
        for name, label in TABS.items()
    ]


def chips(wanted: Asked, counts: facets.Counts) -> list[Chip]:
    """In the order of the facets, whatever the order in the address."""
    names = _names(counts)
    return [
        Chip(str(title), _name(name, value, names), f"?{wanted.without(name, value)}", name in _CHOICES)
        for name, title in (*_TITLES.items(), *_OTHERS.items())
        for value in wanted.given.get(name, ())
    ]


def menu(wanted: Asked, counts: facets.Counts) -> list[Facet]:
    """Every facet with its values, the most frequent first; our own words in their own order, with those of none."""
    build = _options if len(wanted.query) <= _USUAL else _options.__wrapped__
    return [
        Facet(
            str(title),
            build(name, wanted, counts.by_facet[name], counts.is_bounded, get_language()),
            name in _CHOICES,
            name in wanted.given,
        )
        for name, title in _TITLES.items()
    ]


def sentence(wanted: Asked, counts: facets.Counts) -> str:
    """What the list shows, in words."""
    names = _names(counts)
    said = []
    for name, title in (*_TITLES.items(), *_OTHERS.items()):
        if values := wanted.given.get(name):
            shown = [
                _("“%(text)s”") % {"text": value} if name == "q" else _name(name, value, names) for value in values
            ]
            joined = (_(" and ") if name == "label" else _(" or ")).join(shown)
            said.append(f"{language.within_a_sentence(title)} {joined}")
    words = str(_WHICH[wanted.tab])
    if said:
        words = _("%(which)s with %(filters)s") % {"which": words, "filters": ", ".join(said)}
    if wanted.tab in BY_URGENCY:
        return _("%(which)s, most urgent first.") % {"which": words}
    return _("%(which)s, newest first.") % {"which": words}


@lru_cache(maxsize=256)
def _options(name: str, wanted: Asked, counts: Sequence[Count], is_bounded: bool, _language: str | None) -> SafeString:
    chosen = wanted.given.get(name, ())
    values: list[str]
    counted = {each.value: each for each in counts}
    if name in _CHOICES:
        values = list(map(str, _CHOICES[name]))
    else:
        by_count = sorted(counted.values(), key=lambda each: (-each.count, each.name, each.value))
        values = [each.value for each in by_count[:MOST]]
        values += [value for value in chosen if value not in values]
    names = {(name, each.value): each.name for each in counts} if name in facets.NAMED else {}
    more = "+" if is_bounded else ""
    adding = f"{wanted.query}&{name}="
    return options(
        Option(
            wanted.without(name, value) if value in chosen else adding + quote_plus(value),
            value in chosen,
            _name(name, value, names),
            f"{counted[value].count:,}{more}" if value in counted else "0",
        )
        for value in values
    )


def _names(counts: facets.Counts) -> Mapping[tuple[str, str], str]:
    return {(name, each.value): each.name for name in facets.NAMED for each in counts.by_facet[name]}


def _name(name: str, value: str, names: Mapping[tuple[str, str], str]) -> str:
    """What people read for a value: our word, the name that goes with a slug, or the value itself."""
    if name in _CHOICES:
        return str(_CHOICES[name].get(value, value))
    return names.get((name, value), value)
