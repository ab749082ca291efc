"""What people are told of their own accounts, as messages."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.urls import reverse

from notifications import methods, outbox
from notifications.models import Message
from people.models import User


def tell(user: User, key: str, subject: str, text: str, *, now: datetime) -> None:
    """By their own contact methods; nothing where none reaches them."""
    if methods.routes(user):
        outbox.enqueue(
            key=key,
            to=user,
            kind=Message.Kind.ACCOUNT,
            topic="account",
            subject=subject,
            text=text,
            url=f"{settings.ENV.public_url}{reverse('account')}",
            now=now,
        )


def send_link(user: User, address: str, key: str, topic: str, subject: str, text: str, *, now: datetime) -> None:
    """To this address of theirs alone. The link itself is not in the message: whoever sends it asks for it."""
    outbox.enqueue(
        key=key,
        to=user,
        kind=Message.Kind.ACCOUNT,
        topic=topic,
        subject=subject,
        text=text,
        now=now,
        along=[methods.to_address(address)],
    )
