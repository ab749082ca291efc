"""An entry of a timeline as HTML. Entries never change, so what was rendered once is rendered for all who read in
the same language and zone; what it says is the key, so nothing shown can be out of date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from django import template
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.safestring import SafeString

from incidents.models import Entry
from incidents.reading import Line
from incidents.wording import Sentence
from people.actors import ActorType

register = template.Library()

KEPT = 2000  # entries that a process remembers
_LARGE = 4000  # characters of what is not worth it


@dataclass(frozen=True, slots=True)
class Said:
    """What an entry said before it was corrected."""

    seq: int
    actor_name: str
    recorded_at: datetime
    html: str


@dataclass(frozen=True, slots=True)
class Shown:
    """Everything that the HTML of an entry depends on."""

    seq: int
    at: datetime
    recorded_at: datetime
    is_late: bool
    kind: str
    kind_label: str
    actor_type: str
    actor_name: str
    discipline: str
    amends: int | None
    html: str
    look: str
    mark: str
    sentence: Sentence
    names: tuple[tuple[str, int], ...]
    history: tuple[Said, ...]
    is_starred: bool
    may_star: bool
    may_correct: bool
    language: str | None
    zone: str


@register.simple_tag(takes_context=True)
def entry(context: template.Context, line: Line) -> SafeString:
    """The entry for this reader: who may respond stars it, who wrote it corrects it."""
    written, page = line.entry, context["page"]
    is_own = written.actor_type == ActorType.USER and written.actor_user_id == context["actor"].user.pk
    shown = Shown(
        seq=written.seq,
        at=written.at,
        recorded_at=written.recorded_at,
        is_late=line.is_late,
        kind=written.kind,
        kind_label=str(Entry.Kind(written.kind).label),  # get_kind_display() translates every kind
        actor_type=written.actor_type,
        actor_name=written.actor_name,
        discipline=str(line.discipline or ""),
        amends=written.amends,
        html=line.html,
        look=line.look,
        mark=line.mark,
        sentence=line.sentence,
        names=tuple(line.names),
        history=tuple(Said(each.seq, each.actor_name, each.recorded_at, each.html) for each in line.history),
        is_starred=line.is_starred,
        may_star=page.may_respond,
        may_correct=page.may_respond and is_own and line.look != "system",
        language=translation.get_language(),
        zone=timezone.get_current_timezone_name(),
    )
    return _rendered(shown) if len(shown.html) < _LARGE and not shown.history else _render(shown)


def _render(shown: Shown) -> SafeString:
    return render_to_string("incidents/_entry.html", {"shown": shown})


_rendered = lru_cache(KEPT)(_render)
