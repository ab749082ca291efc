"""The only place that writes a section's text. Every text that stood is kept as a revision; so is what lost a race."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from common import markdown as rendering
from common.errors import Invalid, VersionMoved
from common.text import storable
from people.actors import Actor, ActorType
from people.models import User
from postmortems.models import Postmortem, Revision, Section


def edit_section(section: Section, markdown: str, *, version: int, by: Actor, now: datetime) -> Section:
    """Put a person's text in the place of the `version` that they have seen.

    Where the section has moved on, their text is kept as a conflict revision, which outlives the refusal:
    VersionMoved with `current` and `yours` in `extra`. Raises Invalid over 64 KB. Not to be called in a transaction.
    """
    text = _clean(markdown)
    kept = _write_or_keep(section, text, version=version, by=by, now=now)
    section.refresh_from_db()
    if kept is not None:
        raise VersionMoved(
            _("{title} was changed by somebody else. Your text is kept as a revision; bring the two together.").format(
                title=section.heading
            ),
            extra={
                "current": {"version": section.version, "markdown": section.markdown, "state": section.state},
                "yours": {"revision": kept.pk, "version": kept.version, "markdown": kept.markdown},
            },
        )
    return section


def write(
    section: Section,
    text: str,
    *,
    state: Section.State,
    version: int,
    by: Actor,
    now: datetime,
    evidence: Sequence[int] | None = None,
) -> bool:
    """Compare-and-set: the text, its HTML and a revision, where the section still has this version. Else False, and
    nothing is written. What only the record wrote until now never overwrites what people wrote. Needs a transaction."""
    standing = Section.objects.filter(pk=section.pk, version=version)
    if state == Section.State.GENERATED:
        standing = standing.filter(state=Section.State.GENERATED)
    changes = {"evidence": list(evidence)} if evidence is not None else {}
    claimed = standing.update(
        markdown=text, html=rendering.render(text), state=state, version=F("version") + 1, updated_at=now, **changes
    )
    if not claimed:
        return False
    Revision.objects.create(section=section, version=version + 1, markdown=text, at=now, **written_by(by))
    Postmortem.objects.filter(pk=section.postmortem_id).update(version=F("version") + 1, updated_at=now)
    return True


def written_by(actor: Actor) -> dict[str, Any]:
    """A revision's columns for who wrote it."""
    user: User | None = actor.user if actor.type in (ActorType.USER, ActorType.BOT) else None
    return {"actor_type": actor.type, "actor_user": user, "actor_token": actor.token, "actor_name": actor.name}


@transaction.atomic(durable=True)
def _write_or_keep(section: Section, text: str, *, version: int, by: Actor, now: datetime) -> Revision | None:
    """None when the text now stands; else the conflict revision that holds it. Sending the same again keeps it once."""
    state = Section.State.EDITED if text.strip() else Section.State.EMPTY
    if write(section, text, state=state, version=version, by=by, now=now):
        return None
    section.refresh_from_db(fields=["version"])
    author = written_by(by)
    kept, _ = Revision.objects.get_or_create(
        section=section,
        is_conflict=True,
        version=version if 1 <= version < section.version else section.version,
        markdown=text,
        actor_user=author["actor_user"],
        actor_token=author["actor_token"],
        defaults={"at": now, **author},
    )
    return kept


def _clean(markdown: str) -> str:
    text = storable(markdown).replace("\r\n", "\n").replace("\r", "\n")
    if len(text.encode()) > rendering.MAX_BYTES:
        raise Invalid(_("A section holds 64 KB of text."), errors=[("markdown", _("This is longer than 64 KB."))])
    return text
