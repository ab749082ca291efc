"""A document as its page shows it: what the record says in tables, and each section with what it lacks. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from incidents import moments
from incidents.models import Responder
from postmortems import drawing, template
from postmortems.export import DURATIONS
from postmortems.gaps import Gap
from postmortems.models import Section
from postmortems.queries import Document
from postmortems.record import Record


@dataclass(frozen=True, slots=True)
class Moment:
    """One of the five moments; None is unknown."""

    label: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Duration:
    """How long something took, in seconds; None is unknown."""

    label: str
    seconds: int | None


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in the response, with the roles that they held."""

    responder: Responder
    roles: list[str]


@dataclass(frozen=True, slots=True)
class Part:
    """A section, the question that it answers, and what it lacks."""

    section: Section
    question: str
    gaps: list[Gap]


@dataclass(frozen=True, slots=True)
class Reading:
    moments: list[Moment]
    durations: list[Duration]
    people: list[Person]
    parts: list[Part]
    required_gaps: list[Gap]
    other_gaps: list[Gap]


def read(document: Document) -> Reading:
    """Everything of a document that a page shows beside its action items and budgets."""
    incident = document.record.incident
    by_section = defaultdict(list)
    for gap in document.gaps:
        by_section[gap.section].append(gap)
    return Reading(
        moments=[Moment(_(label), getattr(incident, name)) for name, label in drawing.MOMENTS.items()],
        durations=[Duration(_(DURATIONS[name]), took) for name, took in asdict(moments.durations(incident)).items()],
        people=_people(document.record),
        parts=[Part(section, question(section.key), by_section[section.key]) for section in document.sections],
        required_gaps=[gap for gap in document.gaps if gap.required],
        other_gaps=[gap for gap in document.gaps if not gap.required],
    )


def question(key: str) -> str:
    """What a section is to answer; nothing for one that the template does not know."""
    part = template.BY_KEY.get(key)
    return _(part.question) if part else ""


def _people(record: Record) -> list[Person]:
    return [Person(responder, list(_roles(record, responder))) for responder in record.responders]


def _roles(record: Record, responder: Responder) -> Iterable[str]:
    held = (assignment.role.name for assignment in record.roles if assignment.user_id == responder.user_id)
    return dict.fromkeys(held)
