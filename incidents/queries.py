"""What the list and the page of incidents show, each in a number of queries that does not grow with what there is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from django.db.models import Count, Max, Q, QuerySet
from django.utils import timezone

from common import keyset
from common.errors import Invalid
from incidents import filters, impact, moments, overview, steps, wording
from incidents.models import Entry, Incident, IncidentQuerySet, Responder, RoleAssignment
from notifications import methods
from notifications.models import Message
from notifications.queries import Notice, notices
from people import access
from people.actors import Actor, ActorType
from people.models import Discipline, User
from slos.budget import Status
from slos.decimals import to_decimal_string

ENTRIES = 200
ALERTS = 100
ALERT_NAMES = 50
_LATE = timedelta(minutes=1)
TABS = {"mine": "Mine", "open": "Open", "resolved": "Resolved", "all": "All"}
_OVER = (Incident.Status.RESOLVED, Incident.Status.CLOSED, Incident.Status.DISMISSED, Incident.Status.MERGED)


# The list


@dataclass(frozen=True, slots=True)
class Row:
    """An incident in the list. `worst`: of the SLOs that it burned, the one with the greatest share."""

    overview: overview.Overview
    worst: Burn | None

    @property
    def incident(self) -> Incident:
        return self.overview.incident

    @property
    def lasted(self) -> timedelta | None:
        """From its start to its resolution; None while it is open, or where nobody resolved it."""
        ended = self.incident.resolved_at
        return ended - self.incident.since if ended else None


@dataclass(frozen=True, slots=True)
class ListPage:
    rows: list[Row]
    next: str | None
    previous: str | None
    counts: Mapping[str, int]  # of the tabs that are counted

    @property
    def has_waiting(self) -> bool:
        """Whether one of them waits to be acknowledged."""
        return any(row.incident.status == Incident.Status.TRIGGERED for row in self.rows)


def list_page(actor: Actor, tab: str, asked: Any, cursor: str | None, now: datetime) -> ListPage:
    """The incidents of a tab that the actor may see, narrowed by what the address asks. Open ones by urgency, others
    the newest first. Seven queries. Raises Invalid for what no filter knows."""
    visible = Incident.objects.for_actor(actor)
    filtering = filters.IncidentFilter(asked, queryset=_of_tab(tab, overview.rows().for_actor(actor), actor))
    if not filtering.is_valid():
        faults = [(name, str(text)) for name, texts in filtering.errors.items() for text in texts]
        raise Invalid("No incident can be asked for like this: " + " ".join(text for _, text in faults), errors=faults)
    by_urgency = tab in ("mine", "open")
    ordering = "urgency" if by_urgency else "-opened"
    found = filtering.order(filtering.qs, "ordering", ordering)
    page = keyset.page(found, filters.ORDERS[ordering], cursor)
    rows = [Row(each, _worst(each.impacts)) for each in overview.of(page.rows, now=now)]
    counts = visible.open().aggregate(open=Count("pk"), mine=Count("pk", filter=_mine(actor)))
    return ListPage(rows, page.next, page.previous, counts)


def _of_tab(tab: str, incidents: IncidentQuerySet, actor: Actor) -> QuerySet[Incident]:
    match tab:
        case "mine":
            return incidents.open().filter(_mine(actor))
        case "open":
            return incidents.open()
        case "resolved":
            return incidents.filter(status__in=_OVER)
    return incidents


def _mine(actor: Actor) -> Q:
    """Of the actor's teams, or asking for them, or with them in it."""
    user = actor.user
    if user is None:
        return Q(pk__in=())
    called = Responder.objects.filter(user=user).exclude(state=Responder.State.LEFT)
    teams = user.memberships.exclude(role="viewer")
    return Q(pk__in=called.values("incident")) | Q(team__in=teams.values("team"))


# The page


@dataclass(frozen=True, slots=True)
class Line:
    """An entry as the timeline shows it. `look`: person, key or system; `mark`: the colour of its mark, or ""."""

    entry: Entry
    sentence: wording.Sentence
    day: date
    look: str
    mark: str
    discipline: Discipline | None
    names: list[tuple[str, int]]  # of alerts and how many have it, where it lists more than one
    corrected_by: int | None  # the seq of a later entry, where there is one

    @property
    def is_late(self) -> bool:
        """It was written down noticeably later than it happened."""
        return self.entry.recorded_at - self.entry.at > _LATE


@dataclass(frozen=True, slots=True)
class Timeline:
    lines: list[Line]  # the newest first
    total: int
    older: int | None  # before which seq the next page begins
    is_latest: bool


@dataclass(frozen=True, slots=True)
class Person:
    responder: Responder
    roles: list[RoleAssignment]
    is_reader: bool
    notice: Notice | None  # how who was asked, and has not come yet, was told of it
    is_unreachable: bool


@dataclass(frozen=True, slots=True)
class AlertSeen:
    """One instance of an alert, an alerts.Alert. `source` is empty where it is no web address."""

    alert: Any
    source: str


@dataclass(frozen=True, slots=True)
class AlertGroup:
    """All instances of the alerts of one name: how many, how many of them fire, and the latest of them."""

    name: str
    count: int
    firing: int
    seen: list[AlertSeen]

    @property
    def key(self) -> str:
        """What tells it from the other groups on a page, however its name is written."""
        return sha256(self.name.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Burn:
    """What the incident took of one SLO's budget, as decimals; None is unknown, and `why` says for what reason."""

    impact: impact.Impact
    share: str | None
    percent: str  # of the bar
    bad: str | None
    budget: str | None
    low: str | None
    high: str | None
    coverage: str | None
    why: str


@dataclass(frozen=True, slots=True)
class Page:
    incident: Incident
    timeline: Timeline
    way: list[steps.Step]
    next_step: steps.Next | None
    moves: list[steps.Move]
    people: list[Person]
    has_left: list[Person]
    commander: User | None
    is_in: bool  # the reader is one of the people
    alerts: list[AlertGroup]
    alert_counts: Mapping[str, int]
    more_alert_names: int
    burns: list[Burn]
    worst: Burn | None
    postmortem_required: bool | None
    has_postmortem: bool
    durations: moments.Durations
    links: list[Mapping[str, str]]
    may_respond: bool
    may_manage: bool


def page_of(incident: Incident, actor: Actor, now: datetime, before: int | None = None) -> Page:
    """All that the page shows of an incident that this actor may see; of the timeline the latest ENTRIES, or those
    before a seq. The same number of queries however much there is."""
    [seen] = overview.of([incident], now=now)
    has_postmortem = seen.postmortem is not None
    people = _people(incident, seen.roles, actor)
    offered = steps.next_step(incident, has_postmortem=has_postmortem)
    groups, more_names = _alerts(incident)
    burns = [burn_of(burned) for burned in seen.impacts]
    return Page(
        incident=incident,
        timeline=_timeline(incident, people, before),
        way=steps.steps(incident, _last_moves(incident)),
        next_step=offered,
        moves=steps.other_moves(incident, offered),
        people=[person for person in people if person.responder.state != Responder.State.LEFT],
        has_left=[person for person in people if person.responder.state == Responder.State.LEFT],
        commander=seen.commander,
        is_in=any(person.is_reader and person.responder.state == Responder.State.JOINED for person in people),
        alerts=groups,
        alert_counts=seen.alerts,
        more_alert_names=more_names,
        burns=sorted(burns, key=lambda burn: -float(burn.share or -1)),
        worst=_worst(seen.impacts),
        postmortem_required=impact.postmortem_required(seen.impacts),
        has_postmortem=has_postmortem,
        durations=moments.durations(incident),
        links=[link for link in incident.links if web_address(str(link.get("url", "")))],
        may_respond=access.can(actor, access.Act.RESPOND),
        may_manage=access.can(actor, access.Act.MANAGE, incident.team),
    )


def web_address(url: str) -> str:
    """The address if it is http or https, else nothing: no link of ours runs a script."""
    try:
        return url if urlsplit(url).scheme in ("http", "https") else ""
    except ValueError:
        return ""


def _timeline(incident: Incident, people: Iterable[Person], before: int | None) -> Timeline:
    """By when it happened, within a page cut by when it was written."""
    found = incident.entries.select_related("actor_user__discipline").order_by("-seq")
    if before is not None:
        found = found.filter(seq__lt=before)
    entries = list(found[: ENTRIES + 1])
    shown = entries[:ENTRIES]
    disciplines = {person.responder.user_id: person.responder.discipline for person in people}
    corrected = {entry.amends: entry.seq for entry in reversed(shown) if entry.amends}
    lines = [_line(entry, disciplines, corrected.get(entry.seq)) for entry in shown]
    return Timeline(
        lines=sorted(lines, key=lambda line: (line.entry.at, line.entry.seq), reverse=True),
        total=incident.last_seq,
        older=shown[-1].seq if len(entries) > ENTRIES else None,
        is_latest=before is None,
    )


def _line(entry: Entry, disciplines: Mapping[int, Discipline | None], corrected_by: int | None) -> Line:
    user = entry.actor_user if entry.actor_type == ActorType.USER else None
    discipline = (disciplines.get(user.pk) or user.discipline) if user else None
    if entry.kind == Entry.Kind.RESPONDER_JOINED:  # its sentence names the discipline
        discipline = None
    if entry.kind in Entry.WRITTEN:
        look = "key" if entry.kind == Entry.Kind.DECISION else "person"
    else:
        look = "system"
    return Line(
        entry=entry,
        sentence=wording.sentence(entry),
        day=timezone.localtime(entry.at).date(),
        look=look,
        mark=_mark(entry),
        discipline=discipline,
        names=_counted(wording.alert_names(entry)),
        corrected_by=corrected_by,
    )


def _counted(names: list[str]) -> list[tuple[str, int]]:
    return list(Counter(names).items()) if len(names) > 1 else []


def _mark(entry: Entry) -> str:
    match entry.kind:
        case Entry.Kind.ALERTS_FIRED | Entry.Kind.OPENED:
            return "red"
        case Entry.Kind.ALERTS_RESOLVED | Entry.Kind.ALL_CLEAR | Entry.Kind.STATUS_CHANGED:
            return "red" if entry.data.get("to") == "triggered" else "green"
        case Entry.Kind.DECISION:
            return "star"
        case Entry.Kind.SEVERITY_CHANGED | Entry.Kind.FIELD_CHANGED | Entry.Kind.MOMENT_CORRECTED:
            return "blue"
    return ""


def _last_moves(incident: Incident) -> dict[str, steps.LastMove]:
    """Status -> who brought it there last, and when. Moves may be many: the database picks the last of each."""
    latest = (
        incident.entries.filter(kind=Entry.Kind.STATUS_CHANGED)
        .order_by()
        .values("data__to")
        .annotate(last=Max("seq"))
        .values("last")
    )
    moves = incident.entries.filter(seq__in=latest).only("incident", "actor_name", "at", "data")
    return {str(move.data.get("to")): steps.LastMove(move.actor_name, move.at) for move in moves}


def _people(incident: Incident, roles: Sequence[RoleAssignment], actor: Actor) -> list[Person]:
    """Who leads first, then who is in, who was asked, who has left."""
    held: dict[int, list[RoleAssignment]] = {}
    for assignment in roles:
        held.setdefault(assignment.user_id, []).append(assignment)
    states = [Responder.State.JOINED, Responder.State.ASKED, Responder.State.LEFT]
    responders = list(incident.responders.select_related("user", "discipline"))
    asked = [responder.user for responder in responders if responder.state == Responder.State.ASKED]
    told = notices(f"incident:{incident.number}", asked, (Message.Kind.ASKED, Message.Kind.ROLE))
    lost = methods.unreachable([each.user for each in responders if each.state != Responder.State.LEFT])
    people = [
        Person(
            responder,
            held.get(responder.user_id, []),
            is_reader=responder.user == actor.user,
            notice=told.get(responder.user_id),
            is_unreachable=responder.user_id in lost,
        )
        for responder in responders
    ]
    return sorted(
        people,
        key=lambda person: (
            min((assignment.role.position for assignment in person.roles), default=10**6),
            states.index(Responder.State(person.responder.state)),
            person.responder.pk,
        ),
    )


def firing(incident: Incident) -> int:
    """How many of its alerts fire."""
    return incident.alerts.firing().count()


def _alerts(incident: Incident) -> tuple[list[AlertGroup], int]:
    """Groups by name, what fires first, with the latest instances of all; and how many names are left out."""
    counted = list(
        incident.alerts.order_by()
        .values("name")
        .annotate(count=Count("id"), firing=Count("id", filter=Q(status="firing")))
        .order_by("-firing", "name")[: ALERT_NAMES + 1]
    )
    instances = incident.alerts.select_related("integration").order_by("status", "-starts_at", "-id")[:ALERTS]
    by_name: dict[str, list[AlertSeen]] = {}
    for alert in instances:
        by_name.setdefault(alert.name, []).append(AlertSeen(alert, web_address(alert.generator_url)))
    groups = [AlertGroup(**row, seen=by_name.get(row["name"], [])) for row in counted[:ALERT_NAMES]]
    return groups, len(counted) - len(groups)


def burn_of(burned: impact.Impact) -> Burn:
    share = burned.share
    return Burn(
        impact=burned,
        share=to_decimal_string(share),
        percent=str(min(100, round(float(share) * 100, 1))) if share is not None else "0",
        bad=_events(burned.bad),
        budget=_events(burned.budget),
        low=to_decimal_string(burned.share_low),
        high=to_decimal_string(burned.share_high),
        coverage=to_decimal_string(burned.coverage),
        why=_WHY.get(burned.status, "it cannot be told from the samples that there are"),
    )


_WHY = {
    Status.UNKNOWN: "no sample covers the time of the incident",
    Status.ZERO_BUDGET_OK: "a target of 100% leaves no budget",
    Status.ZERO_BUDGET_EXCEEDED: "a target of 100% leaves no budget, and there were bad events",
}


def _worst(impacts: Iterable[impact.Impact]) -> Burn | None:
    found = impact.worst(impacts)
    return None if found is None else burn_of(found)


def _events(count: Any) -> str | None:
    """A number of events for people, whole where it is large."""
    if count is None:
        return None
    return f"{round(count):,}" if count >= 100 or count == round(count) else f"{float(count):,.1f}"
