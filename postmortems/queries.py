"""What a page, the API and the export need of postmortems, in few queries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Prefetch, Q, QuerySet

from incidents import impact
from people.actors import Actor
from postmortems import comparing, drafting, record
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

    @property
    def factors(self) -> list[str]:
        """The points that people listed as contributing factors."""
        text = next((section.markdown for section in self.sections if section.key == "contributing_factors"), "")
        return [line[2:].strip() for line in text.splitlines() if line.startswith(("- ", "* ")) and line[2:].strip()]


def visible(actor: Actor | None) -> QuerySet[Postmortem]:
    """Those that the actor may see, each with its incident and owner."""
    found: QuerySet[Postmortem] = Postmortem.objects.for_actor(actor).select_related(*_INCIDENT, "owner")
    return found


def listed(actor: Actor | None) -> QuerySet[Postmortem]:
    """The same for a list, newest first, with `open_items` counted and all that `outlines` looks at. Eight queries."""
    return (
        visible(actor)
        .annotate(
            open_items=Count(
                "action_items",
                filter=Q(action_items__status__in=(ActionItem.Status.OPEN, ActionItem.Status.IN_PROGRESS)),
            )
        )
        .prefetch_related(
            "reviewers",
            Prefetch("sections", Section.objects.defer("html")),
            Prefetch("action_items", ActionItem.objects.select_related("owner", "team").order_by("priority", "id")),
            "incident__responders__user",
            "incident__responders__discipline",
            "incident__role_assignments__role",
        )
        .order_by("-id")
    )


def outlines(postmortems: Iterable[Postmortem], now: datetime) -> list[Document]:
    """Of rows of `listed`, as they stand: no entries and no alerts, and nothing is drawn anew. Three queries."""
    rows = list(postmortems)
    burned = impact.impacts_of([postmortem.incident for postmortem in rows], now)
    return [_outline(postmortem, burned[postmortem.incident_id]) for postmortem in rows]


def _outline(postmortem: Postmortem, impacts: list[impact.Impact]) -> Document:
    incident = postmortem.incident
    facts = Record(
        incident=incident,
        entries=[],
        responders=list(incident.responders.all()),
        roles=list(incident.role_assignments.all()),
        alert_names=[],
        alerts_seen=[],
        impacts=impacts,
    )
    sections, items = list(postmortem.sections.all()), list(postmortem.action_items.all())
    for item in items:
        item.postmortem = postmortem
    return Document(postmortem, sections, items, facts, missing.gaps(facts, sections, items))


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


def changes(rows: Iterable[Revision]) -> dict[int, list[comparing.Line]]:
    """What each of these revisions changed in the one before it, by id; a conflict, in the one that it began from. One
    query."""
    rows = list(rows)
    before = {row.pk: row.version if row.is_conflict else row.version - 1 for row in rows}
    wanted = Q(pk__in=())
    for row in rows:
        wanted |= Q(section=row.section_id, version=before[row.pk])
    texts = {
        (section, version): text
        for section, version, text in Revision.objects.filter(wanted, is_conflict=False).values_list(
            "section_id", "version", "markdown"
        )
    }
    return {row.pk: comparing.lines(texts.get((row.section_id, before[row.pk]), ""), row.markdown) for row in rows}


def revisions(postmortem: Postmortem, section_key: str = "") -> QuerySet[Revision]:
    """Every text that stood or lost a race, the newest first; of one section where a key is given."""
    found = Revision.objects.filter(section__postmortem=postmortem).select_related("section", "actor_user")
    return (found.filter(section__key=section_key) if section_key else found).order_by("-id")
