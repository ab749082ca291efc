"""What the page of an incident shows, in a number of queries that does not grow with what there is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from django.db.models import Count, Max, Q
from django.utils.translation import gettext as _

from common.text import shortened
from incidents import impact, moments, overview, reading, steps
from incidents.models import Entry, Incident, Responder, RoleAssignment
from incidents.queries import Burn, burn_of, web_address
from notifications import methods
from notifications.models import Message
from notifications.queries import Notice, notices
from people import access
from people.actors import Actor
from people.models import User
from slos import ledger

ALERTS = 40
ALERT_NAMES = 50
INSTANCES = 5
LABELS = 30
BEFORE = 3
_CANDIDATES = 20
_OPEN_ITEMS = 4
_OF_MODELS = (Incident.Kind.QUALITY, Incident.Kind.DRIFT)
Label = tuple[str, str]
_DATA_SCIENCE = ("data_science", "data_scientist")


@dataclass(frozen=True, slots=True)
class Person:
    responder: Responder
    roles: list[RoleAssignment]
    is_reader: bool
    notice: Notice | None  # how who was asked, and has not come yet, was told of it
    is_unreachable: bool


@dataclass(frozen=True, slots=True)
class Missing:
    """Somebody who should be in it and is not. `role`: a slug to ask with; `has_been_asked`: they may still come."""

    label: str
    why: str
    role: str
    has_been_asked: bool


@dataclass(frozen=True, slots=True)
class AlertSeen:
    """One instance of an alert, an alerts.Alert. `source` is empty where it is no web address; `labels` are those that
    tell it from the others of its name."""

    alert: Any
    source: str
    labels: list[Label]


@dataclass(frozen=True, slots=True)
class AlertGroup:
    """All instances of the alerts of one name: how many, how many of them fire, and the latest of them; `labels` are
    those that all of these have."""

    name: str
    count: int
    firing: int
    stale: int  # of those that fire: not confirmed any more
    cut_off: int  # alerts that Alertmanager left out of the last delivery of their group
    labels: list[Label]
    seen: list[AlertSeen]

    @property
    def key(self) -> str:
        """What tells it from the other groups on a page, however its name is written."""
        return sha256(self.name.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Before:
    """An earlier incident that resembles this one: in what, and what is still to be done since."""

    incident: Incident
    alike: list[str]
    open_items: list[str]  # the titles of the most urgent ones
    more_items: int


@dataclass(frozen=True, slots=True)
class Page:
    incident: Incident
    timeline: reading.Timeline
    way: list[steps.Step]
    next_step: steps.Next | None
    moves: list[steps.Move]
    people: list[Person]
    has_left: list[Person]
    missing: list[Missing]
    commander: User | None
    is_in: bool  # the reader is one of the people
    alerts: list[AlertGroup]
    alert_counts: Mapping[str, int]
    by_route: bool  # routes had a say in where its alerts are
    cut_off: int  # alerts that were left out of a delivery: there may be more of them
    more_alert_names: int
    merged: list[Incident]  # into this one, as far as the reader sees them
    burns: list[Burn]
    worst: Burn | None
    exhausted_at: datetime | None  # the budget of `worst`, if it goes on burning as it does
    postmortem_required: bool | None
    has_postmortem: bool
    durations: moments.Durations
    links: list[Mapping[str, str]]
    before: list[Before]
    may_respond: bool
    may_manage: bool

    @property
    def asked(self) -> list[Person]:
        return [person for person in self.people if person.responder.state == Responder.State.ASKED]


def page_of(
    incident: Incident,
    actor: Actor,
    now: datetime,
    *,
    show: str = "all",
    before: int | None = None,
    around: int | None = None,
) -> Page:
    """All that the page shows of an incident that this actor may see. Of the timeline, what `show`, `before` and
    `around` ask for. The same number of queries however much there is."""
    [seen] = overview.of([incident], now=now)
    has_postmortem = seen.postmortem is not None
    people = _people(incident, seen.roles, actor)
    offered = steps.next_step(incident, has_postmortem=has_postmortem)
    groups, more_names = _alerts(incident)
    disciplines = {person.responder.user_id: person.responder.discipline for person in people}
    worst = impact.worst(seen.impacts)
    in_it = [person for person in people if person.responder.state != Responder.State.LEFT]
    return Page(
        incident=incident,
        timeline=reading.timeline(incident, disciplines, show=show, before=before, around=around),
        way=steps.steps(incident, _last_moves(incident)),
        next_step=offered,
        moves=steps.other_moves(incident, offered),
        people=in_it,
        has_left=[person for person in people if person.responder.state == Responder.State.LEFT],
        missing=_missing(incident, in_it) if incident.is_open else [],
        commander=seen.commander,
        is_in=any(person.is_reader and person.responder.state == Responder.State.JOINED for person in people),
        alerts=groups,
        alert_counts=seen.alerts,
        by_route=any(one.alert.routed for group in groups for one in group.seen),
        cut_off=max((group.cut_off for group in groups), default=0),
        more_alert_names=more_names,
        merged=list(Incident.objects.for_actor(actor).filter(merged_into=incident).order_by("-pk")[:ALERT_NAMES]),
        burns=sorted((burn_of(burned) for burned in seen.impacts), key=lambda burn: -float(burn.share or -1)),
        worst=burn_of(worst) if worst else None,
        exhausted_at=ledger.budgets([worst.slo], now)[0].exhausted_at if worst and incident.is_open else None,
        postmortem_required=impact.postmortem_required(seen.impacts),
        has_postmortem=has_postmortem,
        durations=moments.durations(incident),
        links=dashboards(incident),
        before=_before(incident, actor, [group.name for group in groups]),
        may_respond=access.can(actor, access.Act.RESPOND),
        may_manage=access.can(actor, access.Act.MANAGE, incident.team),
    )


def runbook(incident: Incident) -> str:
    """Where the latest of its alerts that names one says what to do; nothing where none does."""
    said = incident.alerts.order_by("status", "-starts_at").values_list("annotations", flat=True)[:ALERTS]
    return next((url for each in said if (url := web_address(str(each.get("runbook_url", ""))))), "")


def dashboards(incident: Incident) -> list[Mapping[str, str]]:
    """The links that people added, those that are web addresses."""
    return [link for link in incident.links if web_address(str(link.get("url", "")))]


def postmortem_is_due(incident: Incident, is_required: bool | None) -> str:
    """Why a postmortem is due once it is resolved; nothing where none is."""
    if incident.is_drill or incident.is_candidate:
        return ""
    if is_required:
        return _("It took more than a fifth of an error budget: a postmortem with a P0 action is due.")
    if incident.severity in (Incident.Severity.SEV1, Incident.Severity.SEV2):
        return _("It is %(severity)s: a postmortem is due.") % {"severity": incident.get_severity_display()}
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


def _missing(incident: Incident, people: Collection[Person]) -> list[Missing]:
    """A commander, and where it concerns a model, data science: what the postmortem will ask for too."""
    found = []
    roles = {held.role.slug for person in people for held in person.roles}
    if overview.COMMANDER not in roles:
        found.append(Missing(_("Commander"), _("nobody leads it yet"), overview.COMMANDER, has_been_asked=False))
    if incident.kind in _OF_MODELS or incident.model_id is not None:
        experts = [person for person in people if _is_data_scientist(person)]
        if not any(person.responder.state == Responder.State.JOINED for person in experts):
            why = _("it concerns a model")
            found.append(Missing(_("Data scientist"), why, "data_scientist", has_been_asked=bool(experts)))
    return found


def _is_data_scientist(person: Person) -> bool:
    discipline = person.responder.discipline
    slugs = [held.role.slug for held in person.roles] + ([discipline.slug] if discipline else [])
    return any(slug in _DATA_SCIENCE for slug in slugs)


def _alerts(incident: Incident) -> tuple[list[AlertGroup], int]:
    """Groups by name, what fires first, with the latest instances of all; and how many names are left out."""
    counted = list(
        incident.alerts.order_by()
        .values("name")
        .annotate(
            count=Count("id"),
            firing=Count("id", filter=Q(status="firing")),
            stale=Count("id", filter=Q(status="firing", stale_since__isnull=False)),
            cut_off=Max("group__truncated", default=0),
        )
        .order_by("-firing", "name")[: ALERT_NAMES + 1]
    )
    instances = incident.alerts.select_related("integration", "merged_from").order_by("status", "-starts_at", "-id")
    by_name: dict[str, list[Any]] = {}
    for alert in instances[:ALERTS]:
        by_name.setdefault(alert.name, []).append(alert)
    groups = [_group(row, by_name.get(row["name"], [])[:INSTANCES]) for row in counted[:ALERT_NAMES]]
    return groups, len(counted) - len(groups)


def _group(counted: Mapping[str, Any], alerts: Sequence[Any]) -> AlertGroup:
    common = set.intersection(*(set(_labels(alert)) for alert in alerts)) if alerts else set()
    return AlertGroup(
        **counted,
        labels=sorted(common),
        seen=[
            AlertSeen(alert, web_address(alert.generator_url), [each for each in _labels(alert) if each not in common])
            for alert in alerts
        ],
    )


def _labels(alert: Any) -> list[Label]:
    """By name, the name of the alert aside; what is very long is cut."""
    found = sorted((str(name), str(value)) for name, value in alert.labels.items() if name != "alertname")
    return [(shortened(name, 60), shortened(value, 80)) for name, value in found[:LABELS]]


def _before(incident: Incident, actor: Actor, alert_names: Collection[str]) -> list[Before]:
    """The earlier incidents that resemble this one most, the latest first among equals: of the same model or service,
    or with the same alerts. Three queries, or none where it has neither."""
    near = Q()
    if incident.model_id is not None:
        near |= Q(model=incident.model_id)
    if incident.service_id is not None:
        near |= Q(service=incident.service_id)
    if not near:
        return []
    visible = Incident.objects.for_actor(actor).filter(near, pk__lt=incident.pk, is_drill=incident.is_drill)
    found = list(visible.exclude(status__in=Incident.GONE).order_by("-pk")[:_CANDIDATES])
    alerted = set(
        Incident.objects.filter(pk__in=[each.pk for each in found], alerts__name__in=alert_names).values_list(
            "pk", flat=True
        )
    )
    alike = {each.pk: _alike(each, incident, has_same_alert=each.pk in alerted) for each in found}
    nearest = sorted(found, key=lambda each: -len(alike[each.pk]))[:BEFORE]
    items = _open_items([each.pk for each in nearest])
    return [
        Before(
            each,
            alike[each.pk],
            items.get(each.pk, [])[:_OPEN_ITEMS],
            max(0, len(items.get(each.pk, [])) - _OPEN_ITEMS),
        )
        for each in nearest
    ]


def _alike(other: Incident, incident: Incident, *, has_same_alert: bool) -> list[str]:
    words = []
    if incident.model_id is not None and other.model_id == incident.model_id:
        words.append(_("same model"))
    if incident.service_id is not None and other.service_id == incident.service_id:
        words.append(_("same service"))
    if has_same_alert:
        words.append(_("same alert"))
    return words


def _open_items(incidents: Collection[int]) -> dict[int, list[str]]:
    """Incident -> the titles of what its postmortem left to do, the most urgent first."""
    title = "postmortem__action_items__title"
    rows = Incident.objects.filter(
        pk__in=incidents, postmortem__action_items__status__in=("open", "in_progress")
    ).order_by("postmortem__action_items__priority", "postmortem__action_items__id")
    found: dict[int, list[str]] = {}
    for pk, words in rows.values_list("pk", title):
        found.setdefault(pk, []).append(words)
    return found
