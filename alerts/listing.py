"""The list of alerts: which an address asks for, and a page of them with what it could be narrowed by.

What fires is counted and searched in whole; it stands in an index of its own. Of what is resolved, whose number has no
bound, the newest LOOKED_THROUGH are: the page says how far back that goes, and leads further.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, cached_property
from typing import Any

from django.db.models import Min, Q, QuerySet
from django.forms import Form
from django.http import QueryDict
from django.utils.translation import gettext as _

from alerts import facets, filters, searching
from alerts.models import Alert, AlertQuerySet
from common import keyset, narrowing
from common.errors import DomainError
from common.filters import HasLabel
from people.actors import Actor

LOOKED_THROUGH = 10_000
ALL = "all"
ORDER = ("-starts_at", "-id")
Status = Alert.Status

_OUTRIGHT = ("incident", "started_after", "started_before")  # what an index serves, beside the status


@dataclass(frozen=True, eq=False)
class Asked(narrowing.Asked):
    """With the states; an address that says none asks for what fires."""

    @property
    def states(self) -> Sequence[str]:
        return self.given["status"]

    def is_of(self, *states: str) -> bool:
        """Whether it asks for just these states."""
        return {*self.states} == {*states}

    def of(self, *states: str) -> str:
        """The address of other states, narrowed alike."""
        return self._address({**self.given, "status": states})

    def cleared(self) -> str:
        """The address with nothing but the states."""
        return self._address({"status": self.states})

    def further_back(self, before: datetime) -> str:
        return self._address({**self.given, "started_before": [before.isoformat()]})

    @property
    def hidden(self) -> Mapping[str, list[str]]:
        """What a form of the search keeps."""
        return dict(QueryDict(self.without("q")).lists())

    @cached_property
    def is_searched(self) -> bool:
        """Whether rows have to be looked through for what it asks."""
        return bool(self.given.keys() - {"status", *_OUTRIGHT})

    def _address(self, given: Mapping[str, Sequence[str]]) -> str:
        said = {*given["status"]}
        states = [ALL] if said == {*Status.values} else [] if said == {Status.FIRING} else given["status"]
        return super()._address({**given, "status": states})


def asked(address: QueryDict) -> Asked:
    """What the address asks for. Raises Invalid for what no filter knows."""
    if ALL in address.getlist("status"):
        address = address.copy()
        address.setlist("status", Status.values)
    known, form_class = _filters()
    values = narrowing.checked(form_class(address), _("No alert can be asked for like this: %(faults)s"))
    given = narrowing.given(known, values, address)
    if "status" not in given:
        given = {"status": [Status.FIRING.value], **given}
        values = {**values, "status": given["status"]}
    return Asked(given, values, known)


@cache
def _filters() -> tuple[Mapping[str, Any], type[Form]]:
    """Those of ListFilter and the form that checks them, which it would make anew for each request."""
    filtering = filters.ListFilter(queryset=Alert.objects.none())
    return filtering.filters, filtering.get_form_class()


@dataclass(frozen=True, slots=True)
class ListPage:
    rows: list[Alert]
    next: str | None
    previous: str | None
    counts: facets.Counts
    looked_back_to: datetime | None = None  # where not all that is resolved was looked through
    further_back: str | None = None  # and the address of the rest
    fault: str = ""  # why it cannot be searched like this


def page(actor: Actor, wanted: Asked, cursor: str | None) -> ListPage:
    """A page of the list, and what it could be narrowed by: two statements, one more where resolved ones are looked
    through, and one where labels are matched with expressions."""
    try:
        searched = _searched(actor, wanted)
    except DomainError as exc:
        return ListPage([], None, None, facets.Counts(), fault=exc.message)
    counts = facets.count(*_sources(actor, wanted), searched, wanted.values, wanted.states)
    shown = keyset.page(_found(actor, wanted, searched), ORDER, cursor)
    back_to = _looked_back_to(actor, wanted) if counts.is_bounded else None
    further = _further_back(wanted, back_to) if back_to else None
    return ListPage(shown.rows, shown.next, shown.previous, counts, back_to, further)


def listed(actor: Actor, wanted: Asked) -> QuerySet[Alert]:
    """All that the actor may see of what was asked for, newest first. Raises what `searching` does."""
    return _found(actor, wanted, _searched(actor, wanted)).order_by(*ORDER)


def is_cut(actor: Actor, wanted: Asked) -> bool:
    """Whether there is more that is resolved than is looked through for what was asked."""
    is_partial = wanted.is_searched and Status.RESOLVED in wanted.states
    return is_partial and _resolved(actor, wanted)[LOOKED_THROUGH : LOOKED_THROUGH + 1].exists()


def _found(actor: Actor, wanted: Asked, searched: Q) -> QuerySet[Alert]:
    narrowed = facets.narrowed(_outright(actor, wanted).shown_as(*wanted.states).filter(searched), wanted.values)
    found = narrowed.select_related("integration", "incident")
    if not wanted.is_searched and Status.RESOLVED in wanted.states:
        return found
    # Said like this, no database walks through what is resolved to find what fires.
    looked_through: QuerySet[Alert, Any] = _outright(actor, wanted).firing().order_by().values("pk")
    if Status.RESOLVED in wanted.states:
        newest = Alert.objects.filter(pk__in=_looked_through(actor, wanted)).order_by()
        looked_through = looked_through.union(newest.values("pk"))
    return found.filter(pk__in=looked_through)


def _sources(actor: Actor, wanted: Asked) -> tuple[QuerySet[Alert], QuerySet[Alert]]:
    """What fires, and the newest of what is resolved."""
    most = LOOKED_THROUGH if Status.RESOLVED in wanted.states else facets.BOUND
    return _outright(actor, wanted).firing().order_by(), _resolved(actor, wanted)[: most + 1]


def _resolved(actor: Actor, wanted: Asked) -> QuerySet[Alert]:
    return _outright(actor, wanted).filter(status=Status.RESOLVED).order_by(*ORDER)


def _outright(actor: Actor, wanted: Asked) -> AlertQuerySet:
    found = wanted.narrowed(Alert.objects.for_actor(actor), but=wanted.filters.keys() - {*_OUTRIGHT})
    assert isinstance(found, AlertQuerySet)
    return found


def _looked_through(actor: Actor, wanted: Asked) -> QuerySet[Alert, Any]:
    return _resolved(actor, wanted)[:LOOKED_THROUGH].values("pk")


def _searched(actor: Actor, wanted: Asked) -> Q:
    """What is said but for the states, for what an index serves, and for the facets."""
    found = Q()
    for name, text in (label.split(":", 1) for label in wanted.given.get("label", ())):
        found &= Q(HasLabel("labels", name, text))
    if "fingerprint" in wanted.given:
        found &= Q(fingerprint__in=wanted.values["fingerprint"])
    if "q" in wanted.given:
        firing, resolved = _sources(actor, wanted)
        among = [firing, Alert.objects.filter(pk__in=resolved.values("pk"))]
        found &= searching.condition(searching.parse(wanted.values["q"]), among)
    return found


def _looked_back_to(actor: Actor, wanted: Asked) -> datetime | None:
    if not (wanted.is_searched and Status.RESOLVED in wanted.states):
        return None
    looked_through = Alert.objects.filter(pk__in=_looked_through(actor, wanted))
    first: datetime | None = looked_through.aggregate(first=Min("starts_at"))["first"]
    return first


def _further_back(wanted: Asked, looked_back_to: datetime) -> str | None:
    """The address of what lies before; with those of the same start, of which some may be left. None where all that was
    looked through started at once."""
    before = looked_back_to + timedelta(microseconds=1)
    return wanted.further_back(before) if wanted.values["started_before"] != before else None
