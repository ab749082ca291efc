"""Who is here: users, teams, disciplines, the roles of an incident, tokens."""

from __future__ import annotations

import secrets
from datetime import datetime
from hashlib import sha256
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models.functions import Lower, Now
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _


class WordQuerySet(models.QuerySet[Any]):
    def offered(self) -> WordQuerySet:
        """Those that are not retired."""
        return self.filter(is_retired=False)

    def offered_to(self, user: User | None) -> WordQuerySet:
        """Those, and the discipline that somebody has already."""
        return self.filter(models.Q(is_retired=False) | models.Q(pk=user.discipline_id if user else None))


class Discipline(models.Model):
    """What somebody is trained in: SRE, data science, ... Editable data, never a fixed list."""

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=100)
    position = models.PositiveSmallIntegerField(default=0)
    is_retired = models.BooleanField(default=False, db_default=False)  # offered no longer; what has it keeps it
    version = models.PositiveIntegerField(default=1, db_default=1)
    created_at = models.DateTimeField(auto_now_add=True, db_default=Now())
    updated_at = models.DateTimeField(auto_now=True, db_default=Now())

    objects: ClassVar = WordQuerySet.as_manager()

    class Meta:
        ordering = ("position", "name")

    def __str__(self) -> str:
        return self.name


class Role(models.Model):
    """What somebody does in one incident: commander, scribe, data scientist, ..."""

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=100)
    is_exclusive = models.BooleanField(default=False, help_text="At most one person holds it at a time.")
    position = models.PositiveSmallIntegerField(default=0)
    is_retired = models.BooleanField(default=False, db_default=False)  # offered no longer; what has it keeps it
    version = models.PositiveIntegerField(default=1, db_default=1)
    created_at = models.DateTimeField(auto_now_add=True, db_default=Now())
    updated_at = models.DateTimeField(auto_now=True, db_default=Now())

    objects: ClassVar = WordQuerySet.as_manager()

    class Meta:
        ordering = ("position", "name")

    def __str__(self) -> str:
        return self.name


class Team(models.Model):
    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=100)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, name: str, password: str | None = None, **fields: object) -> User:
        """A new user; without a password they cannot sign in by one."""
        user = self.model(email=self.normalize_email(email).lower(), name=name, **fields)
        user.set_password(password)
        user.save()
        return user

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username or "")


class User(AbstractBaseUser):
    """A person. What they may do: `is_admin`, else the best of their memberships, else viewer."""

    class Theme(models.TextChoices):
        SYSTEM = "system", _("System")
        LIGHT = "light", _("Light")
        DARK = "dark", _("Dark")

    email = models.EmailField(max_length=254)
    name = models.CharField(max_length=150)
    discipline = models.ForeignKey(Discipline, null=True, blank=True, on_delete=models.PROTECT, related_name="users")
    time_zone = models.CharField(max_length=64, blank=True)  # "" until known: their browser says it when they sign in
    language = models.CharField(max_length=10, blank=True, default="", db_default="")  # "": what the browser asks for
    theme = models.CharField(max_length=10, choices=Theme.choices, default=Theme.SYSTEM, db_default=Theme.SYSTEM)
    has_keys = models.BooleanField(default=True, db_default=True)  # single letters do something on their pages
    # of what alerts open, where they respond; an admin also of what no team has
    hears_of_incidents = models.BooleanField(default=True, db_default=True)
    has_given_password = models.BooleanField(default=False, db_default=False)  # by who printed or sent it
    is_admin = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    teams = models.ManyToManyField(Team, through="Membership", related_name="members")

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    class Meta:
        ordering = ("name", "id")
        constraints: ClassVar = [models.UniqueConstraint(Lower("email"), name="one_user_per_email")]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """What a user may do in a team, and by it in the organisation."""

    class Role(models.TextChoices):
        VIEWER = "viewer", _("Viewer")
        RESPONDER = "responder", _("Responder")
        MANAGER = "manager", _("Manager")

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=20, choices=Role.choices, default=Role.RESPONDER)

    class Meta:
        ordering = ("team__name", "user__name")
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "team"], name="one_membership_per_team")]

    def __str__(self) -> str:
        return f"{self.user} in {self.team}"


class TokenQuerySet(models.QuerySet["Token"]):
    def live(self, now: datetime) -> TokenQuerySet:
        """Neither revoked nor expired, of an owner who may still sign in."""
        return self.filter(
            models.Q(expires_at=None) | models.Q(expires_at__gt=now), revoked_at=None, owner__is_active=True
        )


class Token(models.Model):
    """A key for a program. It acts for its owner, with the narrower of its scope and the owner's rights.

    Only the SHA-256 of the secret is kept: 256 random bits need no slow hash.
    """

    class Scope(models.TextChoices):
        READ = "read", _("Read")
        WRITE = "write", _("Write")
        ADMIN = "admin", _("Admin")

    PREFIX = "blt_"

    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="tokens")
    name = models.CharField(max_length=100)
    secret_hash = models.CharField(max_length=64, unique=True)
    hint = models.CharField(max_length=12)  # the first characters, to tell tokens apart
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar = TokenQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-id")

    def __str__(self) -> str:
        return self.name

    @staticmethod
    def new_secret() -> str:
        return Token.PREFIX + secrets.token_urlsafe(32)

    @staticmethod
    def hash_of(secret: str) -> str:
        return sha256(secret.encode()).hexdigest()


class Session(AbstractBaseSession):
    """A browser's session; where somebody is signed in, whose it is, since when, and from where it was used.

    It is over when its row is gone, or at `expire_date`, which moves on with its use.
    """

    user = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="sessions")
    signed_in_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    address = models.CharField(max_length=64, blank=True)
    agent = models.CharField(max_length=300, blank=True)

    class Meta(AbstractBaseSession.Meta):
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(user=None, signed_in_at=None)
                | models.Q(user__isnull=False, signed_in_at__isnull=False),
                name="a_session_knows_since_when_it_is_somebodys",
            ),
        ]

    @property
    def mark(self) -> str:
        """What tells it from others in a page, where its key must not stand."""
        return sha256(self.session_key.encode()).hexdigest()[:24]

    @classmethod
    def get_session_store_class(cls) -> type[SessionBase]:
        engine: type[SessionBase] = import_string(f"{settings.SESSION_ENGINE}.SessionStore")
        return engine


class PasswordLink(models.Model):
    """A link by which somebody sets a password, or shows that a new address is theirs. It is signed from this row, and
    stands nowhere."""

    class Kind(models.TextChoices):
        INVITATION = "invitation", _("Invitation")
        RESET = "reset", _("Reset by mail")
        HANDED_OVER = "handed_over", _("Reset by an administrator")
        ADDRESS = "address", _("New e-mail address")

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="password_links")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    nonce = models.CharField(max_length=64)
    address = models.EmailField(max_length=200, blank=True)  # the new one
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    made_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ("-created_at", "-id")

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.user}"


class Cached(models.Model):
    """What Django's DatabaseCache keeps: marks of what may be used once. Its columns are Django's."""

    cache_key = models.CharField(max_length=255, primary_key=True)
    value = models.TextField()
    expires = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "people_cache"

    def __str__(self) -> str:
        return self.cache_key


class Throttle(models.Model):
    """The attempts of late that counted; the row is the lock, shared by all processes."""

    key = models.CharField(max_length=200, primary_key=True)
    moments = models.JSONField(default=list, db_default=[])  # seconds since 1970, oldest first
    over_at = models.DateTimeField(
        db_default=Now(), db_index=True
    )  # for who cleans up: none of them counts from then on

    def __str__(self) -> str:
        return f"{self.key}: {len(self.moments)}"


class AuditEvent(models.Model):
    """One act that matters to who answers for the installation. Written by `audit` alone; triggers refuse any change.

    `object_id` is what the API calls it by: a slug, a number, or an id.
    """

    seq = models.PositiveBigIntegerField(primary_key=True)
    at = models.DateTimeField()
    action = models.CharField(max_length=60)  # one of `audit.Action`
    actor_type = models.CharField(max_length=10)  # as an actor's, or "anonymous"
    actor_user = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    actor_token = models.ForeignKey(Token, null=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    actor_name = models.CharField(max_length=150)
    object_kind = models.CharField(max_length=40, blank=True)
    object_id = models.CharField(max_length=200, blank=True)
    object_name = models.CharField(max_length=300, blank=True)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    address = models.CharField(max_length=64, blank=True)
    user_agent = models.CharField(max_length=300, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        ordering = ("-seq",)
        indexes: ClassVar = [
            # what one person did, newest first
            models.Index(fields=["actor_user", "-seq"], name="audit_by_actor"),
            # what was done to one object, newest first
            models.Index(fields=["object_kind", "object_id", "-seq"], name="audit_by_object"),
            # one kind of act, newest first
            models.Index(fields=["action", "-seq"], name="audit_by_action"),
            # a span of days
            models.Index(fields=["at"], name="audit_by_time"),
        ]

    def __str__(self) -> str:
        return f"#{self.seq} {self.action}"


class AuditHead(models.Model):
    """The end of the one chain of audit events, and the lock of who appends to it."""

    last_seq = models.PositiveBigIntegerField(default=0)
    last_hash = models.CharField(max_length=64, blank=True)

    def __str__(self) -> str:
        return f"#{self.last_seq}"
