"""Trying a contact method: a message of its own, by that method alone, that its owner asked for."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from common import language
from common.errors import DomainError
from notifications import outbox
from notifications.models import ContactMethod, Message
from people import throttling

LIMIT, WINDOW = 6, 60  # tests, in so many seconds, for one person


class TooManyTests(DomainError):
    """They could be used to pester somebody."""

    code = "too_many_tests"
    status = 429
    title = _lazy("Too many tests")


def topic_of(method: ContactMethod) -> str:
    return f"contact-method:{method.pk}"


def test(method: ContactMethod, *, now: datetime) -> Message:
    """Send a message by this method. Raises TooManyTests."""
    user = method.user
    if not throttling.attempt(f"test:user:{user.pk}", limit=LIMIT, seconds=WINDOW, now=now):
        raise TooManyTests(_("{limit} tests a minute are enough. Wait a moment, then try again.").format(limit=LIMIT))
    with language.of_person(user.language):
        subject = _("Burnline: this is a test")
        text = _("{name}, you asked for this test. Where you read it, messages of Burnline reach you.").format(
            name=user.name
        )
    with transaction.atomic():
        return outbox.enqueue(
            key=f"test:{uuid.uuid4()}",
            to=user,
            kind=Message.Kind.TEST,
            topic=topic_of(method),
            subject=subject,
            text=text,
            url=f"{settings.ENV.public_url}{reverse('contact-methods')}",
            now=now,
            through=method,
        )
