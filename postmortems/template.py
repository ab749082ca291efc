"""The parts of a postmortem, in their order, and what each asks of the people who write it.

The parts are the union of the published structures (Google's SRE book, PagerDuty, Atlassian, Etsy's debriefing guide),
with one for the models that an incident touched.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext_noop as _


@dataclass(frozen=True, slots=True)
class Part:
    """A section before it is written. `is_generated`: the record can fill it; `question` helps who writes it."""

    key: str
    title: str
    question: str
    is_generated: bool = False
    is_required: bool = True


DEFAULT = (
    Part("summary", _("Summary"), _("What happened, in three sentences that anybody can read?"), is_generated=True),
    Part("impact", _("Impact"), _("Who was affected, how many, how badly, and for how long?"), is_generated=True),
    Part("timeline", _("Timeline"), _("What happened when, as the people in it knew it?"), is_generated=True),
    Part(
        "detection",
        _("Detection"),
        _("How did we notice, and how could we have noticed in half the time?"),
        is_generated=True,
    ),
    Part("response", _("Response"), _("Who came, what helped them, and what stood in their way?"), is_generated=True),
    Part("trigger", _("Trigger"), _("Which event set it off?")),
    Part(
        "contributing_factors",
        _("Contributing factors"),
        _("What had to be true for this to happen? Several things, one per line; never a person."),
    ),
    Part(
        "resolution", _("Resolution"), _("What made it stop, and how did we know that it was over?"), is_generated=True
    ),
    Part("what_went_well", _("What went well"), _("What worked as we hoped, and should stay so?")),
    Part("what_went_poorly", _("What went poorly"), _("What made it worse, longer or harder than it had to be?")),
    Part(
        "where_we_got_lucky",
        _("Where we got lucky"),
        _("What could have been worse, had chance not helped?"),
        is_required=False,
    ),
    Part(
        "surprises",
        _("Surprises"),
        _("Where did the system behave differently from how we pictured it?"),
        is_required=False,
    ),
    Part(
        "ai_context",
        _("AI context"),
        _("Which model, version and data were involved, and how did its behaviour change?"),
        is_generated=True,
    ),
    Part("lessons", _("Lessons"), _("What do we know now that others should know too?")),
    Part(
        "action_items", _("Action items"), _("What will we change, who does it, and how will we know that it worked?")
    ),
    Part(
        "supporting_material",
        _("Supporting material"),
        _("Which dashboards, logs, queries and tickets back this up?"),
        is_generated=True,
        is_required=False,
    ),
)

BY_KEY = {part.key: part for part in DEFAULT}
GENERATED = frozenset(part.key for part in DEFAULT if part.is_generated)
