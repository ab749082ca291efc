"""How a postmortem begins, and how it follows the record until people take its sections over."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from common import markdown as rendering
from incidents import timeline
from incidents.models import Entry, Incident
from people.actors import SYSTEM, Actor, ActorType
from people.models import User
from postmortems import drawing, editing, record, template
from postmortems.drawing import Drawn
from postmortems.models import Postmortem, Revision, Section
from postmortems.record import Record


@transaction.atomic
def draft(incident: Incident, *, by: Actor, now: datetime) -> tuple[Postmortem, bool]:
    """(the postmortem of this incident, whether this call began it). At any status; whoever comes second gets the
    first's, which the database decides."""
    incident = (
        Incident.objects.select_for_update(of=("self",))
        .select_related("service", "model__service", "model__team", "team", "merged_into")
        .get(pk=incident.pk)
    )
    postmortem, created = Postmortem.objects.get_or_create(
        incident=incident, defaults={"owner": _owner(incident, by), "created_at": now, "updated_at": now}
    )
    if not created:
        return postmortem, False
    timeline.record(incident, Entry.Kind.POSTMORTEM_STARTED, actor=by, at=now)
    facts = record.read(incident, now)
    drawn = {part.key: drawing.draw(part.key, facts) for part in template.DEFAULT if part.is_generated}
    sections = Section.objects.bulk_create(
        _section(postmortem, part, position, drawn.get(part.key), now) for position, part in enumerate(template.DEFAULT)
    )
    Revision.objects.bulk_create(
        Revision(section=section, version=1, markdown=section.markdown, at=now, **editing.written_by(SYSTEM))
        for section in sections
        if section.state == Section.State.GENERATED
    )
    return postmortem, True


def refresh(postmortem: Postmortem, facts: Record, *, now: datetime) -> bool:
    """Draw the untouched generated sections anew, where the record says something else by now. What people have written
    stays, and nothing is written where the text is the same. True when something changed."""
    if postmortem.status not in (Postmortem.Status.DRAFT, Postmortem.Status.IN_REVIEW):
        return False
    sections = list(postmortem.sections.filter(key__in=template.GENERATED))
    untouched = [section for section in sections if section.state == Section.State.GENERATED]
    changed = False
    for section in untouched:
        changed |= _redraw(section, drawing.draw(section.key, facts), now)
    for section in sections:
        required = _is_required(template.BY_KEY[section.key], postmortem.incident)
        if section.is_required != required:
            changed |= bool(Section.objects.filter(pk=section.pk).update(is_required=required))
    if changed:
        postmortem.refresh_from_db(fields=["version", "updated_at"])
    return changed


def _redraw(section: Section, drawn: Drawn, now: datetime) -> bool:
    if drawn.markdown != section.markdown:
        with transaction.atomic():
            return editing.write(
                section,
                drawn.markdown,
                state=Section.State.GENERATED,
                version=section.version,
                by=SYSTEM,
                now=now,
                evidence=drawn.evidence,
            )
    if drawn.evidence != section.evidence:
        same = Section.objects.filter(pk=section.pk, version=section.version)
        return bool(same.update(evidence=drawn.evidence))
    return False


def _section(postmortem: Postmortem, part: template.Part, position: int, drawn: Drawn | None, now: datetime) -> Section:
    return Section(
        postmortem=postmortem,
        key=part.key,
        title=part.title,
        position=position,
        state=Section.State.GENERATED if drawn else Section.State.EMPTY,
        is_required=_is_required(part, postmortem.incident),
        markdown=drawn.markdown if drawn else "",
        html=rendering.render(drawn.markdown) if drawn else "",
        evidence=drawn.evidence if drawn else [],
        updated_at=now,
    )


def _is_required(part: template.Part, incident: Incident) -> bool:
    """What concerns a model is asked for only where one is linked."""
    return part.is_required and (part.key != "ai_context" or incident.model_id is not None)


def _owner(incident: Incident, by: Actor) -> User | None:
    """Who leads the incident, else the person who asks for it."""
    commander = incident.role_assignments.filter(role__slug="commander", ended_at=None).select_related("user").first()
    if commander is not None:
        return commander.user
    return by.user if by.type == ActorType.USER else None
