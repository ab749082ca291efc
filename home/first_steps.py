"""The first visit: what is to be done before an installation is of use, and what of it is done; told by the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet, Value
from django.utils.translation import gettext as _

from alerts import testing
from alerts.models import Delivery
from catalog.models import Service
from home.models import Hidden
from incidents import lifecycle
from incidents.models import Entry, Incident
from notifications.models import ContactMethod
from people import access
from people.actors import Actor
from people.models import User
from slos.models import Slo

_READER = -(2**40)  # stands for whoever reads, in a statement that is built once
_FACTS = (
    *("is_hidden", "hears_alerts", "has_company", "has_service", "has_slo", "had_drill", "is_reached"),
    *("has_written", "discipline_id"),
)
OVER = "first_steps_over"  # in the session of who need not be reminded
_TESTS = f'{{}}:{{alertname="{testing.NAME}"'  # how the keys of their groups begin


@dataclass(frozen=True, slots=True)
class Step:
    """One of them. `key` names it to templates; `why` is one line."""

    key: str
    title: str
    why: str
    icon: str
    is_done: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """All steps that concern somebody, and whether they have hidden them."""

    steps: Sequence[Step]
    is_hidden: bool
    is_of_installation: bool  # an administrator's, whose steps concern everybody

    @property
    def done(self) -> int:
        return sum(step.is_done for step in self.steps)

    @property
    def next(self) -> Step | None:
        return next((step for step in self.steps if not step.is_done), None)

    @property
    def is_shown(self) -> bool:
        """Whether other pages remind of it."""
        return not self.is_hidden and self.next is not None


def progress(actor: Actor) -> Progress:
    """How far the actor has come; one statement."""
    if actor.user is None:
        return Progress((), is_hidden=True, is_of_installation=False)
    facts = _facts(actor.user)
    administers = access.can(actor, access.Act.ADMINISTER)
    steps = _of_installation(facts) if administers else _of_member(facts, access.can(actor, access.Act.RESPOND))
    return Progress(steps, is_hidden=facts["is_hidden"], is_of_installation=administers)


def is_untouched(actor: Actor) -> bool:
    """Whether there is nothing to see yet but the first steps."""
    return not Incident.objects.for_actor(actor).exists() and progress(actor).is_shown


def hide(actor: Actor, *, now: datetime) -> None:
    """Show the first steps no more, until they are brought back."""
    Hidden.objects.get_or_create(user=actor.user, defaults={"at": now})


def bring_back(actor: Actor) -> None:
    Hidden.objects.filter(user=actor.user).delete()


@transaction.atomic
def run_drill(*, by: Actor, now: datetime) -> Incident:
    """Declare an incident that is none, with a script of what to try in it. It is marked as a drill, and counts
    nowhere."""
    access.require(by, access.Act.RESPOND)
    return lifecycle.declare(
        _("Drill: checkout answers slowly"),
        by=by,
        now=now,
        is_drill=True,
        severity=Incident.Severity.SEV3,
        kind=Incident.Kind.LATENCY,
        summary="\n".join(
            [
                _("A practice run: nothing is broken, and it counts in no figure. Try this:"),
                _("1. Acknowledge it: now it is yours, and everybody sees so."),
                _("2. Take the role of commander, and ask somebody in."),
                _("3. Write what you see, a hypothesis, a decision. Each is an entry of the timeline."),
                _("4. Change the severity, and see what the timeline says."),
                _("5. Mitigate it, then resolve it."),
                _("6. Write the postmortem: it is drafted from what you did."),
            ]
        ),
    )


def deliveries_of_alertmanager() -> QuerySet[Delivery]:
    """What came from outside: test alerts are ours."""
    return Delivery.objects.exclude(outcome=Delivery.Outcome.REFUSED).exclude(group__key__startswith=_TESTS)


def _facts(user: User) -> dict[str, bool]:
    """All that the steps are judged by, in one row."""
    sql, parameters = _statement()
    with connection.cursor() as cursor:
        cursor.execute(sql, [user.pk if parameter == _READER else parameter for parameter in parameters])
        row = cursor.fetchone()
    return dict(zip(_FACTS, map(bool, row), strict=True))


@cache
def _statement() -> tuple[str, tuple[Any, ...]]:
    """Building it takes ten times as long as running it, on every page that reminds of the steps."""
    me = OuterRef("pk")
    row = User.objects.filter(pk=_READER).annotate(
        is_hidden=Exists(Hidden.objects.filter(user=me)),
        hears_alerts=Exists(deliveries_of_alertmanager()),
        has_company=Exists(User.objects.filter(is_active=True).exclude(pk=me)),
        has_service=Exists(Service.objects.annotate(n=Value(1))),
        has_slo=Exists(Slo.objects.annotate(n=Value(1))),
        had_drill=Exists(Incident.objects.filter(is_drill=True, correlation_key="")),  # no test alert's
        is_reached=Exists(ContactMethod.objects.filter(user=me, is_active=True)),
        has_written=Exists(Entry.objects.filter(actor_user=me, kind__in=Entry.WRITTEN)),
    )
    return row.order_by().values_list(*_FACTS).query.sql_with_params()


def _of_installation(facts: dict[str, bool]) -> list[Step]:
    return [
        Step(
            "connect",
            _("Connect Alertmanager"),
            _("So that alerts become incidents without anybody having to copy them."),
            "plug-connected",
            facts["hears_alerts"],
        ),
        Step(
            "invite",
            _("Invite people"),
            _("So that engineers and data scientists are in the same incident, and hear of it."),
            "user-plus",
            facts["has_company"],
        ),
        Step(
            "service",
            _("Add a service"),
            _("So that an incident knows what it is about, and whose it is."),
            "server",
            facts["has_service"],
        ),
        Step(
            "slo",
            _("Promise something: the first SLO"),
            _("So that an incident can say how much of an error budget it burned."),
            "target",
            facts["has_slo"],
        ),
        Step(
            "drill",
            _("Run a drill"),
            _("So that the first real incident is not the first one that you see here."),
            "player-play",
            facts["had_drill"],
        ),
    ]


def _of_member(facts: dict[str, bool], responds: bool) -> list[Step]:
    steps = [
        Step(
            "reach",
            _("Say how you want to be told"),
            _("So that you hear of it when somebody asks you in."),
            "bell",
            facts["is_reached"],
        ),
        Step(
            "discipline",
            _("Say what you are trained in"),
            _("So that who looks for a data scientist, or an SRE, finds you."),
            "user-check",
            facts["discipline_id"],
        ),
    ]
    if responds:
        steps.append(
            Step(
                "drill",
                _("Try it in a drill"),
                _("So that you know the buttons before you need them. Write one entry, and this is done."),
                "player-play",
                facts["has_written"],
            )
        )
    return steps
