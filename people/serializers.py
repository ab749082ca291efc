"""People, teams, words and tokens as JSON."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from common import rest
from people.actors import ActorType
from people.audit import ANONYMOUS
from people.models import AuditEvent, Discipline, Membership, Role, Team, Token, User


def of_team(**kwargs: Any) -> serializers.SlugRelatedField[Team]:
    """A team by its slug."""
    return serializers.SlugRelatedField(slug_field="slug", queryset=Team.objects.all(), **kwargs)


def of_discipline(**kwargs: Any) -> serializers.SlugRelatedField[Discipline]:
    """A discipline by its slug."""
    return serializers.SlugRelatedField(slug_field="slug", queryset=Discipline.objects.offered(), **kwargs)


def of_role(**kwargs: Any) -> serializers.SlugRelatedField[Role]:
    """A role of the vocabulary by its slug."""
    return serializers.SlugRelatedField(slug_field="slug", queryset=Role.objects.offered(), **kwargs)


def of_user(**kwargs: Any) -> serializers.PrimaryKeyRelatedField[User]:
    """A user who is still here, by their id."""
    return serializers.PrimaryKeyRelatedField(queryset=User.objects.filter(is_active=True), **kwargs)


def slug(**kwargs: Any) -> serializers.RegexField:
    """A slug that is given to something new; made from its name where it is not said."""
    return serializers.RegexField(r"^[a-z0-9_]+(?:-[a-z0-9_]+)*$", max_length=60, required=False, **kwargs)


class UserRef(rest.Output):
    """Somebody, as everything else refers to them."""

    id = serializers.IntegerField()
    name = serializers.CharField()


class MembershipOut(rest.Output):
    team = serializers.SlugField(source="team.slug")
    role = serializers.ChoiceField(Membership.Role.choices)


class UserOut(rest.Output):
    id = serializers.IntegerField()
    name = serializers.CharField()
    email = serializers.EmailField()
    discipline = serializers.SlugField(source="discipline.slug", default=None, allow_null=True)
    time_zone = serializers.SerializerMethodField(help_text="An IANA name; null until it is known.")
    is_admin = serializers.BooleanField()
    is_active = serializers.BooleanField()
    memberships = MembershipOut(many=True)
    url = serializers.SerializerMethodField()
    api_url = serializers.SerializerMethodField()
    created_at = rest.Instant()
    updated_at = rest.Instant()
    version = serializers.IntegerField()

    @extend_schema_field({"type": "string", "nullable": True})
    def get_time_zone(self, user: User) -> str | None:
        return user.time_zone or None

    @extend_schema_field(OpenApiTypes.URI)
    def get_url(self, user: User) -> str:
        return rest.page_url(reverse("people-list"))

    @extend_schema_field(OpenApiTypes.URI)
    def get_api_url(self, user: User) -> str:
        return rest.api_url(self.context, "api-user-detail", user.pk)


class MembershipsIn(serializers.ListSerializer[Any]):
    """Each team once."""

    def validate(self, memberships: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if len({each["team"].pk for each in memberships}) < len(memberships):
            raise serializers.ValidationError("A team is named twice.")
        return memberships


class MembershipIn(rest.Input):
    team = of_team()
    role = serializers.ChoiceField(Membership.Role.choices)

    class Meta:
        list_serializer_class = MembershipsIn


class UserIn(rest.Input):
    email = serializers.EmailField(max_length=254)
    name = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=256, min_length=12, trim_whitespace=False, required=False)
    discipline = of_discipline(required=False, allow_null=True)
    time_zone = serializers.CharField(max_length=64, required=False)
    is_admin = serializers.BooleanField(required=False)
    memberships = MembershipIn(many=True, required=False)


class UserChange(rest.Input):
    email = serializers.EmailField(max_length=254, required=False)
    name = serializers.CharField(max_length=150, required=False)
    discipline = of_discipline(required=False, allow_null=True)
    time_zone = serializers.CharField(max_length=64, required=False)
    is_admin = serializers.BooleanField(required=False)
    is_active = serializers.BooleanField(required=False)
    memberships = MembershipIn(many=True, required=False)


class TeamOut(rest.Output):
    slug = serializers.SlugField()
    name = serializers.CharField()
    url = serializers.SerializerMethodField()
    api_url = serializers.SerializerMethodField()
    created_at = rest.Instant()
    updated_at = rest.Instant()
    version = serializers.IntegerField()

    @extend_schema_field(OpenApiTypes.URI)
    def get_url(self, team: Team) -> str:
        return rest.page_url(reverse("team-edit", args=[team.slug]))

    @extend_schema_field(OpenApiTypes.URI)
    def get_api_url(self, team: Team) -> str:
        return rest.api_url(self.context, "api-team-detail", team.slug)


class TeamIn(rest.Input):
    name = serializers.CharField(max_length=100)
    slug = slug()


class TeamChange(rest.Input):
    name = serializers.CharField(max_length=100, required=False)


class DisciplineOut(rest.Output):
    slug = serializers.SlugField()
    name = serializers.CharField()
    position = serializers.IntegerField()
    is_retired = serializers.BooleanField(help_text="Offered no longer; what has it keeps it.")
    url = serializers.SerializerMethodField()
    api_url = serializers.SerializerMethodField()
    created_at = rest.Instant()
    updated_at = rest.Instant()
    version = serializers.IntegerField()

    @extend_schema_field(OpenApiTypes.URI)
    def get_url(self, discipline: Discipline) -> str:
        return rest.page_url(reverse("vocabulary"))

    @extend_schema_field(OpenApiTypes.URI)
    def get_api_url(self, discipline: Discipline) -> str:
        return rest.api_url(self.context, "api-discipline-detail", discipline.slug)


class DisciplineIn(rest.Input):
    name = serializers.CharField(max_length=100)
    slug = slug()


class DisciplineChange(rest.Input):
    name = serializers.CharField(max_length=100, required=False)
    position = serializers.IntegerField(min_value=0, max_value=32767, required=False)
    is_retired = serializers.BooleanField(required=False)


class RoleOut(rest.Output):
    slug = serializers.SlugField()
    name = serializers.CharField()
    is_exclusive = serializers.BooleanField(help_text="At most one person holds it at a time.")
    position = serializers.IntegerField()
    is_retired = serializers.BooleanField(help_text="Offered no longer; what has it keeps it.")
    url = serializers.SerializerMethodField()
    api_url = serializers.SerializerMethodField()
    created_at = rest.Instant()
    updated_at = rest.Instant()
    version = serializers.IntegerField()

    @extend_schema_field(OpenApiTypes.URI)
    def get_url(self, role: Role) -> str:
        return rest.page_url(reverse("vocabulary"))

    @extend_schema_field(OpenApiTypes.URI)
    def get_api_url(self, role: Role) -> str:
        return rest.api_url(self.context, "api-role-detail", role.slug)


class RoleIn(rest.Input):
    name = serializers.CharField(max_length=100)
    slug = slug()
    is_exclusive = serializers.BooleanField(required=False)


class RoleChange(rest.Input):
    name = serializers.CharField(max_length=100, required=False)
    position = serializers.IntegerField(min_value=0, max_value=32767, required=False)
    is_retired = serializers.BooleanField(required=False)


class TokenOut(rest.Output):
    id = serializers.IntegerField()
    name = serializers.CharField()
    owner = UserRef()
    hint = serializers.CharField(help_text="The first characters of the secret, to tell tokens apart.")
    scopes = serializers.ListField(child=serializers.ChoiceField(Token.Scope.choices))
    created_at = rest.Instant()
    expires_at = rest.Instant(allow_null=True)
    revoked_at = rest.Instant(allow_null=True)
    last_used_at = rest.Instant(allow_null=True)


class TokenIssued(TokenOut):
    token = serializers.CharField(help_text="The secret, this once.")


class TokenIn(rest.Input):
    name = serializers.CharField(max_length=100)
    scopes = serializers.ListField(child=serializers.ChoiceField(Token.Scope.choices), allow_empty=False, max_length=3)
    expires_at = rest.Instant(required=False, allow_null=True)


class AuditActor(rest.Output):
    """Who did it: a user's or a token's id, null for the system itself and for who is not signed in."""

    type = serializers.ChoiceField([*ActorType.choices, (ANONYMOUS, "Anonymous")], source="actor_type")
    id = serializers.SerializerMethodField()
    name = serializers.CharField(source="actor_name")
    user = serializers.IntegerField(source="actor_user_id", allow_null=True, help_text="Whose rights counted.")

    @extend_schema_field({"type": "integer", "nullable": True})
    def get_id(self, event: AuditEvent) -> int | None:
        return event.actor_token_id or event.actor_user_id


class AuditObject(rest.Output):
    """What it is about; all empty where that is nothing in particular."""

    kind = serializers.CharField(source="object_kind")
    id = serializers.CharField(source="object_id", help_text="A slug, a number, or an id.")
    name = serializers.CharField(source="object_name")


class AuditOut(rest.Output):
    seq = serializers.IntegerField()
    at = rest.Instant()
    action = serializers.CharField(help_text="A code that stays, such as person.role_changed.")
    actor = AuditActor(source="*")
    object = AuditObject(source="*")
    before: Any = serializers.DictField(help_text="What changed, as it was; secrets are masked.")
    after: Any = serializers.DictField(help_text="What changed, as it became; secrets are masked.")
    address = serializers.CharField(help_text="Where the request came from; empty where none did.")
    user_agent = serializers.CharField()
    request_id = serializers.CharField()
    previous_hash = serializers.CharField()
    hash = serializers.CharField(help_text="SHA-256 of everything above as canonical JSON, previous_hash included.")
