"""Who is told of an action item: whoever becomes its owner, by their own contact methods."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings

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
    due = f"Due {item.due_on:%-d %b %Y}" if item.due_on else "No date is set"
    outbox.enqueue(
        key=f"{TOPIC}:{item.pk}:owner:{owner.pk}:{item.version}",
        to=owner,
        kind=Message.Kind.ACTION_ITEM,
        topic=f"{TOPIC}:{item.pk}",
        subject=f"[{item.get_priority_display()}] {by.name} gave you an action item of {incident}: {item.title}",
        text=f"{by.name} made you the owner of an action item.\n\n"
        f"{item.get_priority_display()} · {item.get_type_display()} · {item.title}\n"
        f"{due}\n"
        f"It follows from {incident}: {incident.title}",
        url=f"{settings.ENV.public_url}{item.get_absolute_url()}",
        now=now,
    )
