"""The parts of a postmortem, in their order, and what each asks of the people who write it.

The parts are the union of the published structures (Google's SRE book, PagerDuty, Atlassian, Etsy's debriefing guide),
with one for the models that an incident touched.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """A section before it is written. `is_generated`: the record can fill it; `question` helps who writes it."""

    key: str
    title: str
    question: str
    is_generated: bool = False
    is_required: bool = True


DEFAULT = (
    Part("summary", "Summary", "What happened, in three sentences that anybody can read?", is_generated=True),
    Part("impact", "Impact", "Who was affected, how many, how badly, and for how long?", is_generated=True),
    Part("timeline", "Timeline", "What happened when, as the people in it knew it?", is_generated=True),
    Part(
        "detection",
        "Detection",
        "How did we notice, and how could we have noticed in half the time?",
        is_generated=True,
    ),
    Part("response", "Response", "Who came, what helped them, and what stood in their way?", is_generated=True),
    Part("trigger", "Trigger", "Which event set it off?"),
    Part(
        "contributing_factors",
        "Contributing factors",
        "What had to be true for this to happen? Several things, one per line; never a person.",
    ),
    Part("resolution", "Resolution", "What made it stop, and how did we know that it was over?", is_generated=True),
    Part("what_went_well", "What went well", "What worked as we hoped, and should stay so?"),
    Part("what_went_poorly", "What went poorly", "What made it worse, longer or harder than it had to be?"),
    Part(
        "where_we_got_lucky",
        "Where we got lucky",
        "What could have been worse, had chance not helped?",
        is_required=False,
    ),
    Part(
        "surprises", "Surprises", "Where did the system behave differently from how we pictured it?", is_required=False
    ),
    Part(
        "ai_context",
        "AI context",
        "Which model, version and data were involved, and how did its behaviour change?",
        is_generated=True,
    ),
    Part("lessons", "Lessons", "What do we know now that others should know too?"),
    Part("action_items", "Action items", "What will we change, who does it, and how will we know that it worked?"),
    Part(
        "supporting_material",
        "Supporting material",
        "Which dashboards, logs, queries and tickets back this up?",
        is_generated=True,
        is_required=False,
    ),
)

BY_KEY = {part.key: part for part in DEFAULT}
GENERATED = frozenset(part.key for part in DEFAULT if part.is_generated)
