"""What was learned from an incident of the demo's history: its postmortem, and the action items that follow."""

from __future__ import annotations

from datetime import datetime, timedelta

from home.history.cast import Cast
from home.history.stories import Item, Story
from incidents import lifecycle
from incidents.models import Incident
from postmortems import assigning, drafting, editing, items, publishing
from postmortems.models import ActionItem, Postmortem, Section

Status = Postmortem.Status

_STEPS = {  # how an item comes to its status, and when: in parts of the time until it is due
    "open": [],
    "in_progress": [("in_progress", 0.4)],
    "done": [("in_progress", 0.3), ("done", 0.9)],
    "verified": [("in_progress", 0.2), ("done", 0.6), ("verified", 0.95)],
    "ineffective": [("in_progress", 0.2), ("done", 0.6), ("ineffective", 0.95)],
    "wont_do": [("wont_do", 0.5)],
}
_WRITTEN = {
    "trigger": "trigger",
    "contributing_factors": "factors",
    "what_went_well": "well",
    "what_went_poorly": "poorly",
    "where_we_got_lucky": "lucky",
    "lessons": "lessons",
}


def write(story: Story, incident: Incident, cast: Cast, *, now: datetime) -> Postmortem:
    """Drafted the next day, written and reviewed in the week after; as far as that lies before now. Needs a
    transaction."""
    assert story.resolved is not None
    resolved_at, by = story.at(story.resolved), cast.actor(story.leader)
    drafted_at = min(resolved_at + timedelta(hours=19), now - timedelta(hours=1))
    postmortem, _ = drafting.draft(incident, by=by, now=drafted_at)
    due = {"owner": cast.people[story.leader], "due_at": resolved_at + timedelta(days=5)}
    assigning.assign(postmortem, due, by=by, now=drafted_at)
    written_at = min(drafted_at + timedelta(hours=3), now)
    for key, name in _WRITTEN.items():
        if text := getattr(story, name):
            section = postmortem.sections.get(key=key)
            editing.write(section, text, state=Section.State.EDITED, version=section.version, by=by, now=written_at)
    for item in story.items:
        _item(postmortem, item, cast, resolved_at=resolved_at, written_at=written_at, now=now)
    if story.postmortem in ("in_review", "published"):
        reviewers = [cast.people[name] for name in ("ravi", "dana") if name != story.leader]
        assigning.assign(postmortem, {"reviewers": reviewers}, by=by, now=written_at + timedelta(hours=1))
        publishing.move(postmortem, Status.IN_REVIEW, by=by, now=written_at + timedelta(hours=1))
    if story.postmortem == "published":
        for status in (Status.APPROVED, Status.PUBLISHED):
            publishing.move(postmortem, status, by=cast.actor("dana"), now=resolved_at + timedelta(days=4))
        lifecycle.move(incident, Incident.Status.CLOSED, by=by, now=resolved_at + timedelta(days=4, minutes=5))
    return postmortem


def _item(
    postmortem: Postmortem, item: Item, cast: Cast, *, resolved_at: datetime, written_at: datetime, now: datetime
) -> None:
    """By its owner, who need not be told."""
    by = cast.actor(item.owner)
    due_at = resolved_at + timedelta(days=item.due)
    made = items.create(
        postmortem,
        item.title,
        by=by,
        now=written_at,
        type=item.type,
        priority=item.priority,
        owner=cast.people[item.owner],
        due_on=due_at.date(),
    )
    for status, part in _STEPS[item.status]:
        at = written_at + (due_at - written_at) * part
        if at > now:
            break
        changes: dict[str, str] = {"status": ActionItem.Status(status)}
        if status in ("wont_do", "ineffective"):
            changes["reason"] = item.outcome
        elif status == "verified":
            changes["evidence"] = item.outcome
        items.change(made, changes, by=by, now=at)
