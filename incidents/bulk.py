"""The same done to many incidents at once: each by itself, so that one refusal stops none of the others."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from common.errors import DomainError, Invalid
from incidents import lifecycle, responding
from incidents.models import Incident
from people.actors import Actor
from people.models import Role, User

MOST = 100


@dataclass(frozen=True, slots=True)
class Refused:
    """An incident to which it was not done, and why."""

    number: int
    title: str  # empty where the actor may not see it
    why: str


@dataclass(frozen=True, slots=True)
class Outcome:
    done: list[Incident]
    refused: list[Refused]

    @property
    def asked(self) -> int:
        return len(self.done) + len(self.refused)


def acknowledge(numbers: Collection[int], *, by: Actor, now: datetime) -> Outcome:
    """Take each of these, at most MOST. Raises Invalid for none or more."""
    return _each(numbers, by, lambda incident: lifecycle.acknowledge(incident, by=by, now=now))


def assign(numbers: Collection[int], role: Role, user: User, *, by: Actor, now: datetime) -> Outcome:
    """Give somebody a role in each of these, at most MOST. Raises Invalid for none or more."""
    return _each(numbers, by, lambda incident: responding.assign_role(incident, role, user, by=by, now=now))


def chosen(numbers: Collection[int], actor: Actor) -> list[Incident]:
    """Those of them that the actor may see, in the order of their numbers. Raises Invalid for none or too many."""
    if not numbers:
        raise Invalid(_("Select incidents first."), errors=[("incident", _("None is selected."))])
    if len(set(numbers)) > MOST:
        raise Invalid(_("At most %(most)s incidents at once.") % {"most": MOST}, errors=[("incident", _("Too many."))])
    found = Incident.objects.for_actor(actor).filter(number__in=numbers)
    return list(found.select_related("team").order_by("number"))


def _each(numbers: Collection[int], by: Actor, act: Callable[[Incident], object]) -> Outcome:
    incidents = chosen(numbers, by)
    outcome = Outcome([], [])
    for incident in incidents:
        try:
            act(incident)
        except DomainError as refusal:
            outcome.refused.append(Refused(incident.number, incident.title, refusal.message))
        else:
            outcome.done.append(incident)
    for number in sorted(set(numbers) - {incident.number for incident in incidents}):
        outcome.refused.append(Refused(number, "", _("There is no such incident that you can see.")))
    return outcome
