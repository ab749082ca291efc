"""How people are reached, what they were told, and each attempt to tell them."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _lazy

from common import work
from people.models import User


class ContactMethodQuerySet(models.QuerySet["ContactMethod"]):
    def active(self) -> ContactMethodQuerySet:
        """Those that their owners want to be used."""
        return self.filter(is_active=True)


class ContactMethod(models.Model):
    """One way in which somebody wants to be told. Their first one is tried first.

    Address and secret are sealed, as an address often is a secret itself; `hint` is what of it may be shown.
    """

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="contact_methods")
    kind = models.CharField(max_length=20)  # of channels.CHANNELS
    label = models.CharField(max_length=60, blank=True)
    address = models.TextField()
    secret = models.TextField(blank=True)
    hint = models.CharField(max_length=200)
    lane = models.CharField(max_length=200)  # what goes to one provider has one lane
    position = models.PositiveSmallIntegerField(default=0)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField()
    last_sent_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)  # since when what goes there is refused; null: nothing says that it is
    failure = models.TextField(blank=True)  # why

    objects: ClassVar = ContactMethodQuerySet.as_manager()

    class Meta:
        ordering = ("position", "id")

    def __str__(self) -> str:
        return self.label or self.hint


class Message(models.Model):
    """Something that somebody is to be told, written down with the change that it tells of."""

    class Kind(models.TextChoices):
        OPENED = "opened", _lazy("New incident")
        ASKED = "asked", _lazy("Asked to come")
        ROLE = "role", _lazy("Given a role")
        MENTIONED = "mentioned", _lazy("Mentioned")
        ACTION_ITEM = "action_item", _lazy("Owns an action item")
        DECLINED = "declined", _lazy("Somebody cannot come")
        REMINDER = "reminder", _lazy("Reminder")
        ACCOUNT = "account", _lazy("About the account")
        TEST = "test", _lazy("Test")

    class State(models.TextChoices):
        WAITING = "waiting", _lazy("On its way")
        DELIVERED = "delivered", _lazy("Delivered")
        FAILED = "failed", _lazy("Failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    key = models.CharField(max_length=200, unique=True)  # the asker's own, which makes asking twice harmless
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="messages")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    topic = models.CharField(max_length=100)  # such as incident:42
    subject = models.CharField(max_length=200)
    text = models.TextField()
    url = models.URLField(max_length=500, blank=True)
    actions = models.JSONField(default=list)  # [[label, URL]]; who has the URL may do it
    priority = models.CharField(max_length=10, default="normal")  # of channels.Priority
    state = models.CharField(max_length=12, choices=State.choices, default=State.WAITING)
    reason = models.TextField(blank=True)  # why it failed
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-created_at", "-id")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state="waiting", ended_at=None) | ~Q(state="waiting") & Q(ended_at__isnull=False),
                name="a_message_ends_when_it_is_delivered_or_failed",
            ),
        ]
        indexes: ClassVar = [
            # the list of messages, and its pages
            models.Index(fields=["created_at", "id"], name="message_written"),
            # what somebody was told of a topic, and how it went
            models.Index(fields=["topic", "user", "created_at"], name="message_of_topic"),
            # what is on its way, to see what nobody brings any more
            models.Index(fields=["created_at"], condition=Q(state="waiting"), name="message_waiting"),
        ]

    def __str__(self) -> str:
        return self.subject

    def get_absolute_url(self) -> str:
        return reverse("message-detail", args=[self.pk])


class Delivery(work.DueWork):
    """A message on its way by one method. The methods of a person stand in line: each is due a minute after the one
    before it, or as soon as that one has failed often enough; what arrives first cancels the others."""

    TASK: ClassVar[str] = "notifications.tasks.deliver"
    CONCERNS: ClassVar = ("message__user",)
    MAX_ATTEMPTS: ClassVar[int] = 10  # what is sent by us may outlive many deaths of the engine

    class Outcome(models.TextChoices):
        WAITING = "waiting", _lazy("Waiting")
        SENT = "sent", _lazy("Sent")
        REFUSED = "refused", _lazy("Refused")
        GIVEN_UP = "given_up", _lazy("Given up")
        NOT_NEEDED = "not_needed", _lazy("Not needed")

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="deliveries")
    position = models.PositiveSmallIntegerField()  # in the line of methods, from 0
    method = models.ForeignKey(ContactMethod, null=True, on_delete=models.SET_NULL, related_name="deliveries")
    is_to_account = models.BooleanField(default=False)  # to the e-mail address of the account: there is no method
    channel = models.CharField(max_length=20)
    hint = models.CharField(max_length=200)  # of the address, as it stays when the method is gone
    outcome = models.CharField(max_length=12, choices=Outcome.choices, default=Outcome.WAITING)
    tries = models.PositiveSmallIntegerField(default=0)  # that came to an answer, or to none in time
    first_tried_at = models.DateTimeField(null=True)
    last_tried_at = models.DateTimeField(null=True)
    last_answer = models.TextField(blank=True)
    sent_at = models.DateTimeField(null=True)

    class Meta(work.DueWork.Meta):
        ordering = ("position",)
        verbose_name = _lazy("delivery of a message")
        verbose_name_plural = _lazy("deliveries of messages")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["message", "position"], name="one_delivery_per_place_in_line"),
            models.UniqueConstraint(fields=["message", "method"], name="one_delivery_per_method"),
        ]

    @property
    def was_in_vain(self) -> bool:
        """It was tried, and something else brought the message, or nothing did, before it could."""
        return self.outcome == self.Outcome.NOT_NEEDED and self.tries > 0

    @property
    def concerns(self) -> str:
        """What it is about, for who looks at background work."""
        return f"{self.message.subject}, to {self.message.user.name}"

    def get_absolute_url(self) -> str:
        return self.message.get_absolute_url()
