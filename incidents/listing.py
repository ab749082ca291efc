"""The list of incidents: which stand in a tab, what a row shows, and in which words the address narrows it.

The address is the whole state. A row is plain columns, read at once with who commands and how much fires, so that a
page costs the same whatever number of incidents there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.forms import Form
from django.http import Http404, QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common import keyset, narrowing
from incidents import facets, filters, impact, saving, stream
from incidents.models import Incident, IncidentQuerySet, Responder, RoleAssignment, SloLink
from incidents.overview import COMMANDER
from people.actors import Actor, person
from people.models import User

TABS = {
    "mine": gettext_lazy("Mine"),
    "open": gettext_lazy("Open"),
    "resolved": gettext_lazy("Resolved"),
    "all": gettext_lazy("All"),
}
BY_URGENCY = ("mine", "open")
OVER = (Incident.Status.RESOLVED, Incident.Status.CLOSED, Incident.Status.DISMISSED, Incident.Status.MERGED)

_COLUMNS = (
    *("id", "number", "title", "status", "severity", "is_private", "is_drill", "is_candidate"),
    *("service__name", "model__name", "team__name"),
    *("started_at", "detected_at", "created_at", "resolved_at", "last_entry_at", "last_seq"),
    *("commander", "firing", "has_slos", "waiting"),
)
_LABELS = {str(value): label for value, label in (*Incident.Status.choices, *Incident.Severity.choices)}


# What is asked for


@dataclass(frozen=True, eq=False)
class Asked(narrowing.Asked):
    """With the tab, which stands in every address."""

    tab: str

    def on_tab(self, tab: str) -> str:
        """The address of another tab, narrowed alike but for the status."""
        return replace(self, tab=tab).without("status")

    def _address(self, given: Mapping[str, Sequence[str]]) -> str:
        return "&".join(filter(None, [urlencode({"tab": self.tab}), super()._address(given)]))


def tab_of(address: QueryDict) -> str:
    """The tab of an address. Raises Http404 for one that there is not."""
    tab = address.get("tab", "open")
    if tab not in TABS:
        raise Http404(_("There is no such tab."))
    return tab


def asked(tab: str, address: QueryDict) -> Asked:
    """What the address asks for. Raises Invalid for what no filter knows."""
    known, form_class = _filters()
    values = narrowing.checked(form_class(address), _("No incident can be asked for like this: %(faults)s"))
    given = narrowing.given((name for name in known if name != "ordering"), values, address)
    return Asked(given, values, known, tab)


@cache
def _filters() -> tuple[Mapping[str, Any], type[Form]]:
    """Those of IncidentFilter and the form that checks them, which it would make anew for each request."""
    filtering = filters.IncidentFilter(queryset=Incident.objects.none())
    return filtering.filters, filtering.get_form_class()


def listed(actor: Actor, wanted: Asked) -> QuerySet[Incident]:
    """The incidents of the tab that the actor may see, as they were asked for and in the tab's order."""
    found = wanted.narrowed(_of_tab(wanted.tab, Incident.objects.for_actor(actor), actor))
    return filters.ordered(found, _ordering(wanted.tab))


def _of_tab(tab: str, incidents: IncidentQuerySet, actor: Actor) -> QuerySet[Incident]:
    match tab:
        case "mine":
            return incidents.open().filter(_mine(actor))
        case "open":
            return incidents.open()
        case "resolved":
            return incidents.filter(status__in=OVER)
    return incidents


def _ordering(tab: str) -> str:
    return "urgency" if tab in BY_URGENCY else "-opened"


def _mine(actor: Actor) -> Q:
    """Of the actor's teams, or asking for them, or with them in it."""
    user = actor.user
    if user is None:
        return Q(pk__in=())
    called = Responder.objects.filter(user=user).exclude(state=Responder.State.LEFT)
    teams = user.memberships.exclude(role="viewer")
    return Q(pk__in=called.values("incident")) | Q(team__in=teams.values("team"))


# What is shown


@dataclass(frozen=True, slots=True)
class Row:
    """An incident in the list."""

    id: int
    number: int
    title: str
    status: str
    severity: str
    is_private: bool
    is_drill: bool
    is_candidate: bool
    service: str | None
    model: str | None
    team: str | None
    started_at: datetime | None
    detected_at: datetime | None
    created_at: datetime
    resolved_at: datetime | None
    last_entry_at: datetime | None
    last_seq: int
    commander: str | None
    firing: int
    has_slos: bool
    waiting: int
    worst: impact.Worst | None = None  # of what counts

    def __str__(self) -> str:
        return f"INC-{self.number}"

    @property
    def url(self) -> str:
        return reverse("incident-detail", args=[self.number])

    @property
    def is_open(self) -> bool:
        return self.status in Incident.OPEN

    @property
    def is_waiting(self) -> bool:
        """Whether nobody has acknowledged it."""
        return self.status == Incident.Status.TRIGGERED

    @property
    def names(self) -> list[str]:
        """Of what it is about, and of who commands."""
        return [name for name in (self.service, self.model, self.team, self.commander) if name]

    @property
    def status_label(self) -> str:
        return str(_LABELS[self.status])

    @property
    def severity_label(self) -> str:
        return str(_LABELS[self.severity])

    @property
    def since(self) -> datetime:
        """As Incident.since."""
        return self.started_at or self.detected_at or self.created_at

    @property
    def lasted(self) -> timedelta | None:
        """From its start to its resolution; None while it is open, or where nobody resolved it."""
        return self.resolved_at - self.since if self.resolved_at else None


@dataclass(frozen=True, slots=True)
class View:
    """A saved view; `is_on` where the list shows just that."""

    id: int
    name: str
    query: str
    is_on: bool


@dataclass(frozen=True, slots=True)
class ListPage:
    rows: list[Row]
    next: str | None
    previous: str | None
    counts: facets.Counts
    views: list[View]  # that the reader may choose
    version: str  # as stream.version says it

    @property
    def has_waiting(self) -> bool:
        """Whether one of them waits to be acknowledged."""
        return any(row.is_waiting for row in self.rows)


def page(actor: Actor, wanted: Asked, cursor: str | None, now: datetime) -> ListPage:
    """A page of the list, and what it could be narrowed by: two statements, and three more where `impact.worst_of`
    does not know what one of its incidents burned."""
    counts = _counts(actor, wanted)
    shown = _shown(actor, wanted, cursor)  # after what it is a version of
    views = [View(pk, name, query, query == wanted.query) for query, name, pk in counts.beside["views"]]
    views.sort(key=lambda view: (view.name.casefold(), view.id))
    version = stream.version_of(counts.beside["version"])
    return ListPage(_rows(shown.rows, now), shown.next, shown.previous, counts, views, version)


def _counts(actor: Actor, wanted: Asked) -> facets.Counts:
    assert actor.user is not None, "pages are for people"
    build = _statement if _is_the_same_for_all(wanted) else _statement.__wrapped__
    counting = build(wanted.tab, wanted.query, is_admin=actor.user.is_admin)
    return facets.count(counting, [*map(_read_by(actor.user), counting.parameters)])


def _shown(actor: Actor, wanted: Asked, cursor: str | None) -> keyset.Page[Any]:
    assert actor.user is not None, "pages are for people"
    build = _pages if _is_the_same_for_all(wanted) else _pages.__wrapped__
    return build(wanted.tab, wanted.query, is_admin=actor.user.is_admin).page(cursor, _read_by(actor.user))


_READER = -(2**40)  # stands for whoever reads, in a statement that is built once


def _read_by(reader: User) -> Callable[[Any], Any]:
    return lambda parameter: reader.pk if parameter == _READER else parameter


def _is_the_same_for_all(wanted: Asked) -> bool:
    """A moment without an offset means another one in another reader's zone."""
    return not wanted.given.keys() & {"opened_after", "opened_before"}


@lru_cache(maxsize=128)
def _pages(tab: str, query: str, *, is_admin: bool) -> keyset.Pages:
    reader = person(User(pk=_READER, is_admin=is_admin))
    found = _columns(listed(reader, asked(tab, QueryDict(query))))
    return keyset.Pages(found, _COLUMNS, filters.ORDERS[_ordering(tab)])


@lru_cache(maxsize=128)
def _statement(tab: str, query: str, *, is_admin: bool) -> facets.Statement:
    """Building it takes longer than running it, and it is the same for all readers of a kind."""
    reader = person(User(pk=_READER, is_admin=is_admin))
    wanted = asked(tab, QueryDict(query))
    return facets.statement(
        wanted.narrowed(Incident.objects.for_actor(reader).open().order_by(), but=facets.COLUMNS),
        _mine(reader),
        wanted.values,
        only_mine=tab == "mine",
        instead=None if tab in BY_URGENCY else listed(reader, wanted),
        beside={
            "views": saving.visible(reader).values_list("query", "name", "pk"),
            "version": stream.newest(reader),
        },
    )


def rows_of(incidents: QuerySet[Incident], now: datetime) -> list[Row]:
    """The rows of all of them, in their order."""
    return _rows(_columns(incidents), now)


def _columns(incidents: QuerySet[Incident]) -> QuerySet[Incident, Any]:
    """What a row is made of. The alerts are of a room above this one, and reached by their accessor."""
    if "waiting" not in incidents.query.annotations:
        incidents = incidents.annotate(waiting=filters.waiting())
    return incidents.annotate(**_beside()).values_list(*_COLUMNS, named=True)


@cache
def _beside() -> Mapping[str, Any]:
    """Who commands, how much fires, and whether an SLO is linked."""
    own = OuterRef("pk")
    commanders = RoleAssignment.objects.filter(incident=own, ended_at=None, role__slug=COMMANDER).order_by(
        "since", "id"
    )
    alerts = Incident._meta.get_field("alerts").related_model._default_manager
    firing = alerts.filter(incident=own, status="firing").order_by().values("incident").annotate(n=Count("pk"))
    return {
        "commander": Subquery(commanders.values("user__name")[:1]),
        "firing": Coalesce(Subquery(firing.values("n")), 0),
        "has_slos": Exists(SloLink.objects.filter(incident=own)),
    }


def _rows(found: Iterable[Any], now: datetime) -> list[Row]:
    rows = [Row(*columns) for columns in found]
    burned = impact.worst_of({row.id: row.last_seq for row in rows if row.has_slos and not row.is_candidate}, now)
    return [replace(row, worst=burned[row.id]) if row.id in burned else row for row in rows]
