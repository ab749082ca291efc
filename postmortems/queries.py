"""What a page, the API and the export need of postmortems, in few queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q, QuerySet

from people.actors import Actor
from postmortems import drafting, record
from postmortems import gaps as missing
from postmortems.models import ActionItem, Postmortem, Revision, Section
from postmortems.record import Record

_INCIDENT = (
    *("incident__service", "incident__team", "incident__merged_into"),
    *("incident__model__service", "incident__model__team"),
)


@dataclass(frozen=True, slots=True)
class Document:
    """A postmortem as it is read: its sections in order, its items, the record below it, and what is missing."""

    postmortem: Postmortem
    sections: list[Section]
    items: list[ActionItem]
    record: Record
    gaps: list[missing.Gap]


def visible(actor: Actor | None) -> QuerySet[Postmortem]:
    """Those that the actor may see, each with its incident and owner."""
    found: QuerySet[Postmortem] = Postmortem.objects.for_actor(actor).select_related(*_INCIDENT, "owner")
    return found


def listed(actor: Actor | None) -> QuerySet[Postmortem]:
    """The same for a list, with `open_items` and `empty_sections` (required ones) counted."""
    return (
        visible(actor)
        .annotate(
            open_items=Count(
                "action_items",
                filter=Q(action_items__status__in=(ActionItem.Status.OPEN, ActionItem.Status.IN_PROGRESS)),
                distinct=True,
            ),
            empty_sections=Count(
                "sections",
                filter=Q(sections__state=Section.State.EMPTY, sections__is_required=True)
                & ~Q(sections__key="action_items"),
                distinct=True,
            ),
        )
        .order_by("-incident__number")
    )


def document(postmortem: Postmortem, now: datetime) -> Document:
    """The whole document as the record and the people have it now: what nobody has touched is drawn anew first."""
    facts = record.read(postmortem.incident, now)
    drafting.refresh(postmortem, facts, now=now)
    sections = list(postmortem.sections.all())
    items = list(items_of(postmortem))
    return Document(postmortem, sections, items, facts, missing.gaps(facts, sections, items))


def items_of(postmortem: Postmortem) -> QuerySet[ActionItem]:
    """The most urgent first."""
    return postmortem.action_items.select_related("owner", "team").order_by("priority", "id")


def items_visible(actor: Actor | None) -> QuerySet[ActionItem]:
    """Every action item that the actor may see."""
    found: QuerySet[ActionItem] = ActionItem.objects.for_actor(actor).select_related(
        "postmortem__incident__team", "owner", "team", "created_by"
    )
    return found


def revisions(postmortem: Postmortem, section_key: str = "") -> QuerySet[Revision]:
    """Every text that stood or lost a race, the newest first; of one section where a key is given."""
    found = Revision.objects.filter(section__postmortem=postmortem).select_related("section", "actor_user")
    return (found.filter(section__key=section_key) if section_key else found).order_by("-id")
