"""Postmortems: documents of sections, every revision of them, and the action items that follow."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from incidents.models import Incident
from people.actors import Actor, ActorType
from people.models import Team, Token, User


class PostmortemQuerySet(models.QuerySet["Postmortem"]):
    def for_actor(self, actor: Actor | None) -> PostmortemQuerySet:
        """Those of the incidents that this actor may see."""
        return self.filter(incident__in=Incident.objects.for_actor(actor).values("id"))


class Postmortem(models.Model):
    """What an incident taught. Its number is the incident's."""

    class Status(models.TextChoices):
        DRAFT = "draft", _("Draft")
        IN_REVIEW = "in_review", _("In review")
        APPROVED = "approved", _("Approved")
        PUBLISHED = "published", _("Published")

    incident = models.OneToOneField(Incident, on_delete=models.PROTECT, related_name="postmortem")
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.DRAFT)
    template = models.CharField(max_length=60, default="default")
    owner = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    reviewers = models.ManyToManyField(User, blank=True, related_name="+")
    due_at = models.DateTimeField(null=True, blank=True)
    published_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    objects: ClassVar = PostmortemQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"Postmortem of {self.incident}"

    def get_absolute_url(self) -> str:
        return reverse("postmortem-detail", args=[self.number])

    @property
    def number(self) -> int:
        return self.incident.number


class Section(models.Model):
    """One part of the document. While it is generated, it follows the record; once a person wrote, it is theirs."""

    class State(models.TextChoices):
        GENERATED = "generated", _("Generated")
        EMPTY = "empty", _("Empty")
        EDITED = "edited", _("Edited")
        ACCEPTED = "accepted", _("Accepted")

    postmortem = models.ForeignKey(Postmortem, on_delete=models.CASCADE, related_name="sections")
    key = models.SlugField(max_length=60)
    title = models.CharField(max_length=150)
    position = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=20, choices=State.choices)
    is_required = models.BooleanField(default=False)
    markdown = models.TextField(blank=True)
    html = models.TextField(blank=True)
    evidence = models.JSONField(default=list)  # seqs of the entries that it rests on
    version = models.PositiveIntegerField(default=1)
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ("position",)
        constraints: ClassVar = [models.UniqueConstraint(fields=["postmortem", "key"], name="one_section_per_key")]

    def __str__(self) -> str:
        return self.title

    @property
    def heading(self) -> str:
        """Its title in the reader's language; a title that is none of ours stands as it is."""
        return gettext(self.title)


class Revision(models.Model):
    """A section's text as somebody saved it. Never changed, never deleted; a lost race is kept as a conflict."""

    section = models.ForeignKey(Section, on_delete=models.CASCADE, related_name="revisions")
    version = models.PositiveIntegerField()  # the section's that it made; of a conflict, the one that it began from
    is_conflict = models.BooleanField(default=False)
    markdown = models.TextField(blank=True)
    actor_type = models.CharField(max_length=10, choices=ActorType.choices)
    actor_user = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    actor_token = models.ForeignKey(Token, null=True, on_delete=models.PROTECT, related_name="+")
    actor_name = models.CharField(max_length=150)
    at = models.DateTimeField()

    class Meta:
        ordering = ("-id",)
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["section", "version"], condition=Q(is_conflict=False), name="one_revision_per_version"
            )
        ]

    def __str__(self) -> str:
        return f"{self.section} v{self.version}"

    @property
    def author(self) -> dict[str, str | None]:
        """Who wrote it: what kind of actor, its id among those of its kind, and the name it had then."""
        of_kind = {ActorType.USER: self.actor_user_id, ActorType.BOT: self.actor_token_id}.get(
            ActorType(self.actor_type)
        )
        return {"type": self.actor_type, "id": str(of_kind) if of_kind else None, "name": self.actor_name}


class ActionItemQuerySet(models.QuerySet["ActionItem"]):
    def for_actor(self, actor: Actor | None) -> ActionItemQuerySet:
        """Those of the postmortems that this actor may see."""
        return self.filter(postmortem__in=Postmortem.objects.for_actor(actor).values("id"))


class ActionItem(models.Model):
    """What shall change because of an incident, followed until it worked."""

    class Type(models.TextChoices):
        INVESTIGATE = "investigate", _("Investigate")
        REPAIR = "repair", _("Repair")
        DETECT = "detect", _("Detect")
        MITIGATE = "mitigate", _("Mitigate")
        PREVENT = "prevent", _("Prevent")
        PROCESS = "process", _("Process")
        LEARN = "learn", _("Learn")

    class Priority(models.TextChoices):
        P0 = "p0", _("P0")
        P1 = "p1", _("P1")
        P2 = "p2", _("P2")
        P3 = "p3", _("P3")

    class Status(models.TextChoices):
        OPEN = "open", _("Open")
        IN_PROGRESS = "in_progress", _("In progress")
        DONE = "done", _("Done")
        VERIFIED = "verified", _("Verified")
        INEFFECTIVE = "ineffective", _("Ineffective")
        WONT_DO = "wont_do", _("Won't do")

    postmortem = models.ForeignKey(Postmortem, on_delete=models.PROTECT, related_name="action_items")
    title = models.CharField(max_length=300)
    type = models.CharField(max_length=20, choices=Type.choices, default=Type.PREVENT)
    tags = models.JSONField(default=list, blank=True)
    priority = models.CharField(max_length=2, choices=Priority.choices, default=Priority.P2)
    owner = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="action_items")
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.PROTECT, related_name="action_items")
    due_on = models.DateField(null=True, blank=True)
    verify_by = models.DateField(null=True, blank=True)
    check_text = models.TextField(blank=True)  # how one will know that it worked
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.OPEN)
    reason = models.TextField(blank=True)  # why it won't be done, or did not work
    evidence = models.TextField(blank=True)  # what shows that it worked
    tracker = models.URLField(max_length=500, blank=True)
    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    objects: ClassVar = ActionItemQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(status="wont_do") | ~Q(reason=""), name="wont_do_says_why")
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        """Where it stands in its postmortem."""
        return f"{self.postmortem.get_absolute_url()}#action-item-{self.pk}"
