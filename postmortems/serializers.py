"""Postmortems, their sections and revisions, and action items as JSON."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from common import rest
from people.actors import ActorType
from people.serializers import UserRef, of_team, of_user
from postmortems.models import ActionItem, Postmortem, Section
from postmortems.queries import Document


class Words(serializers.CharField):
    """Free text; null where nothing is written."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_blank=True, allow_null=True, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        return str(super().to_internal_value(data)).strip()

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        is_empty, value = super().validate_empty_values(data)
        return is_empty, "" if is_empty and value is None else value

    def to_representation(self, value: Any) -> Any:
        return super().to_representation(value) or None


class Tags(serializers.ListField):
    """Short words, each once, such as `ml_control`."""

    child = serializers.CharField(max_length=60)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=20, **kwargs)

    def to_internal_value(self, data: Any) -> list[str]:
        return list(dict.fromkeys(super().to_internal_value(data)))


class SectionOutline(rest.Output):
    key = serializers.SlugField()
    title = serializers.CharField()
    state = serializers.ChoiceField(Section.State.choices)
    required = serializers.BooleanField(source="is_required")  # type: ignore[assignment]
    version = serializers.IntegerField(help_text="What If-Match names when the section is changed.")


class SectionOut(SectionOutline):
    markdown = serializers.CharField()
    html = serializers.CharField(help_text="The same as safe HTML.")
    evidence = serializers.ListField(
        child=serializers.IntegerField(), help_text="The seqs of the timeline's entries that a generated text rests on."
    )
    updated_at = rest.Instant()


class SectionChange(rest.Input):
    markdown = serializers.CharField(allow_blank=True, trim_whitespace=False)


class GapOut(rest.Output):
    code = serializers.SlugField()
    section = serializers.SlugField()
    message = serializers.CharField()
    required = serializers.BooleanField(help_text="It stands in the way of publishing.")  # type: ignore[assignment]


class ActionItemOut(rest.Output):
    id = serializers.IntegerField()
    postmortem = serializers.IntegerField(source="postmortem.number")
    title = serializers.CharField()
    type = serializers.ChoiceField(ActionItem.Type.choices)
    tags = serializers.ListField(child=serializers.CharField())
    priority = serializers.ChoiceField(ActionItem.Priority.choices)
    owner = UserRef(allow_null=True)
    team = serializers.SlugField(source="team.slug", default=None, allow_null=True)
    due_on = serializers.DateField(allow_null=True)
    verify_by = serializers.DateField(allow_null=True)
    check = Words(source="check_text", help_text="How one will know that it worked.")
    status = serializers.ChoiceField(ActionItem.Status.choices)
    reason = Words(help_text="Why it won't be done, or did not work.")
    evidence = Words(help_text="What shows that it worked.")
    tracker = Words(help_text="Its address in an issue tracker.")
    url = serializers.SerializerMethodField()
    api_url = serializers.SerializerMethodField()
    created_at = rest.Instant()
    updated_at = rest.Instant()
    version = serializers.IntegerField()

    @extend_schema_field(OpenApiTypes.URI)
    def get_url(self, item: ActionItem) -> str:
        return rest.page_url(item.get_absolute_url())

    @extend_schema_field(OpenApiTypes.URI)
    def get_api_url(self, item: ActionItem) -> str:
        return rest.api_url(self.context, "api-action-item-detail", item.pk)


class ActionItemChange(rest.Input):
    title = serializers.CharField(max_length=300, required=False)
    type = serializers.ChoiceField(ActionItem.Type.choices, required=False)
    tags = Tags(required=False)
    priority = serializers.ChoiceField(ActionItem.Priority.choices, required=False)
    owner = of_user(required=False, allow_null=True)
    team = of_team(required=False, allow_null=True)
    due_on = serializers.DateField(required=False, allow_null=True)
    verify_by = serializers.DateField(required=False, allow_null=True)
    check = Words(source="check_text", required=False, max_length=10_000)
    status = serializers.ChoiceField(ActionItem.Status.choices, required=False)
    reason = Words(required=False, max_length=10_000)
    evidence = Words(required=False, max_length=10_000)
    tracker = Words(required=False, max_length=500)


class ActionItemIn(ActionItemChange):
    postmortem = serializers.IntegerField(min_value=1, help_text="The incident's number.")
    title = serializers.CharField(max_length=300)


class PostmortemOutline(rest.Output):
    """As in a list: its sections come without their text, and as they were last drawn."""

    number = serializers.IntegerField(source="postmortem.number", help_text="The incident's number.")
    incident = serializers.IntegerField(source="postmortem.number")
    status = serializers.ChoiceField(Postmortem.Status.choices, source="postmortem.status")
    template = serializers.CharField(source="postmortem.template")
    owner = UserRef(source="postmortem.owner", allow_null=True)
    reviewers = UserRef(many=True, source="postmortem.reviewers.all")
    due_at = rest.Instant(source="postmortem.due_at", allow_null=True)
    published_at = rest.Instant(source="postmortem.published_at", allow_null=True)
    sections: Any = SectionOutline(many=True)
    gaps = GapOut(many=True)
    factors = serializers.SerializerMethodField(help_text="The points of the section on contributing factors.")
    action_items = ActionItemOut(many=True, source="items")
    url = serializers.SerializerMethodField()
    api_url = serializers.SerializerMethodField()
    created_at = rest.Instant(source="postmortem.created_at")
    updated_at = rest.Instant(source="postmortem.updated_at")
    version = serializers.IntegerField(source="postmortem.version")

    def get_factors(self, document: Document) -> list[str]:
        return document.factors

    @extend_schema_field(OpenApiTypes.URI)
    def get_url(self, document: Document) -> str:
        return rest.page_url(document.postmortem.get_absolute_url())

    @extend_schema_field(OpenApiTypes.URI)
    def get_api_url(self, document: Document) -> str:
        return rest.api_url(self.context, "api-postmortem-detail", document.postmortem.number)


class PostmortemOut(PostmortemOutline):
    """The whole document. What nobody has touched says what the record says now."""

    sections = SectionOut(many=True)


class PostmortemChange(rest.Input):
    owner = of_user(required=False, allow_null=True)
    reviewers = serializers.ListField(child=of_user(), required=False, max_length=50)
    due_at = rest.Instant(required=False, allow_null=True)


class PostmortemStatusIn(rest.Input):
    status = serializers.ChoiceField(Postmortem.Status.choices)


class RevisionAuthor(rest.Output):
    type = serializers.ChoiceField(ActorType.choices)
    id = serializers.CharField(allow_null=True)
    name = serializers.CharField()


class RevisionOut(rest.Output):
    id = serializers.IntegerField()
    section = serializers.SlugField(source="section.key")
    version = serializers.IntegerField(help_text="The one it made; of a conflict, the one it began from.")
    is_conflict = serializers.BooleanField(help_text="The text lost a race, and waits to be brought in.")
    markdown = serializers.CharField()
    actor = RevisionAuthor(source="author")
    at = rest.Instant()
