"""Who is told of an action item: whoever becomes its owner, by their own contact methods."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from common import language
from notifications import outbox
from notifications.models import Message
from people.actors import Actor, person
from postmortems.models import ActionItem

TOPIC = "action-item"


def owned(item: ActionItem, *, by: Actor, now: datetime) -> None:
    """Its owner is told that it is theirs; not by themselves, and not of what they may not see."""
    owner = item.owner
    if owner is None or (by.user == owner and by.token is None):
        return
    if not ActionItem.objects.for_actor(person(owner)).filter(pk=item.pk).exists():
        return
    incident = item.postmortem.incident
    about = {"name": by.name, "incident": incident, "title": item.title, "of": incident.title}
    with language.of_person(owner.language):
        priority = item.get_priority_display()
        due = _("Due {day}").format(day=date_format(item.due_on, "j M Y")) if item.due_on else _("No date is set")
        subject = _("{name} gave you an action item of {incident}: {title}").format_map(about)
        text = "\n".join(
            [
                _("{name} made you the owner of an action item.").format_map(about),
                "",
                f"{priority} · {item.get_type_display()} · {item.title}",
                due,
                _("It follows from {incident}: {of}").format_map(about),
            ]
        )
    outbox.enqueue(
        key=f"{TOPIC}:{item.pk}:owner:{owner.pk}:{item.version}",
        to=owner,
        kind=Message.Kind.ACTION_ITEM,
        topic=f"{TOPIC}:{item.pk}",
        subject=f"[{priority}] {subject}",
        text=text,
        url=f"{settings.ENV.public_url}{item.get_absolute_url()}",
        now=now,
    )
