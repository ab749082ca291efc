"""What is typed into postmortems and action items."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from common import years
from common.forms import ChangeForm, Form, choosable
from people.models import Team, User
from postmortems import items
from postmortems.models import ActionItem, Postmortem

_DAY = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class SectionForm(Form):
    """A section's text, and the version that it was written upon."""

    markdown = forms.CharField(
        required=False,
        strip=False,
        label=_("Text"),
        widget=forms.Textarea(attrs={"rows": 18, "class": "editor"}),
        help_text=_("Markdown: **bold**, - lists, tables, ``` code. HTML is shown as text."),
    )
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)


class AssignForm(Form):
    """Who writes it, who reads it over, and until when."""

    owner = forms.ModelChoiceField(User.objects.none(), required=False, empty_label=_("Nobody yet"), label=_("Owner"))
    due_at = forms.DateTimeField(
        required=False,
        label=_("Due"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    reviewers = forms.ModelMultipleChoiceField(
        User.objects.none(),
        required=False,
        label=_("Reviewers"),
        widget=forms.CheckboxSelectMultiple,
        help_text=_("One of them approves it."),
    )
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, postmortem: Postmortem, **kwargs: Any) -> None:
        reviewers = list(postmortem.reviewers.all())
        kwargs["initial"] = {"owner": postmortem.owner, "due_at": postmortem.due_at, "reviewers": reviewers}
        super().__init__(*args, **kwargs)
        known = [user.pk for user in reviewers] + ([postmortem.owner.pk] if postmortem.owner else [])
        people = User.objects.filter(Q(is_active=True) | Q(pk__in=known)).order_by("name")
        for name in ("owner", "reviewers"):
            choosable(self, name).queryset = people

    def clean_due_at(self) -> datetime | None:
        due_at: datetime | None = self.cleaned_data["due_at"]
        if due_at is not None and not years.hold(due_at):
            raise forms.ValidationError(
                _("A moment lies in the years %(first)s to %(last)s.") % {"first": years.FIRST, "last": years.LAST}
            )
        return due_at


class MoveForm(Form):
    status = forms.ChoiceField(choices=Postmortem.Status.choices, label=_("Status"))


class PostmortemFilter(Form):
    """Which postmortems are listed; what it cannot read counts as not asked for."""

    q = forms.CharField(required=False, max_length=200, label=_("Search"))
    status = forms.ChoiceField(
        required=False, choices=[("", _("Any status")), *Postmortem.Status.choices], label=_("Status")
    )


class ItemForm(Form):
    """An action item as it is written down."""

    title = forms.CharField(
        label=_("Title"), max_length=300, help_text=_("Begin with a verb, and say when it is done.")
    )
    type = forms.ChoiceField(label=_("Type"), choices=ActionItem.Type.choices, initial=ActionItem.Type.PREVENT)
    priority = forms.ChoiceField(
        label=_("Priority"), choices=ActionItem.Priority.choices, initial=ActionItem.Priority.P2
    )
    owner = forms.ModelChoiceField(User.objects.none(), required=False, empty_label=_("Nobody yet"), label=_("Owner"))
    team = forms.ModelChoiceField(Team.objects.all(), required=False, empty_label=_("No team"), label=_("Team"))
    due_on = forms.DateField(required=False, label=_("Due"), widget=_DAY)
    verify_by = forms.DateField(
        required=False, label=_("Verify by"), widget=_DAY, help_text=_("When one looks whether it worked.")
    )
    check_text = forms.CharField(
        required=False, label=_("How we will know"), widget=forms.Textarea(attrs={"rows": 2}), max_length=4000
    )
    tags = forms.CharField(label=_("Tags"), required=False, max_length=500, help_text=_("Separated by commas."))
    tracker = forms.URLField(
        label=_("Tracker"),
        required=False,
        max_length=500,
        assume_scheme="https",
        help_text=_("Its address in your issue tracker."),
    )

    def __init__(self, *args: Any, owner: User | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        active = User.objects.filter(is_active=True)
        choosable(self, "owner").queryset = active | User.objects.filter(pk=owner.pk) if owner else active

    def clean_tags(self) -> list[str]:
        return [tag.strip() for tag in self.cleaned_data["tags"].split(",") if tag.strip()]


class ItemChangeForm(ItemForm, ChangeForm):
    """The same, and how far it has come."""

    status = forms.ChoiceField(label=_("Status"))
    reason = forms.CharField(
        required=False,
        label=_("Why"),
        widget=forms.Textarea(attrs={"rows": 2}),
        max_length=4000,
        help_text=_("Why it won't be done, or did not work."),
    )
    evidence = forms.CharField(
        required=False,
        label=_("What shows that it worked"),
        widget=forms.Textarea(attrs={"rows": 2}),
        max_length=4000,
    )
    field_order = ("title", "status", "reason")

    def __init__(self, *args: Any, item: ActionItem, **kwargs: Any) -> None:
        same = ("title", "type", "priority", "owner", "team", "due_on", "verify_by", "check_text", "tracker")
        initial = {name: getattr(item, name) for name in (*same, "status", "reason", "evidence")}
        super().__init__(*args, initial={**initial, "tags": ", ".join(item.tags)}, owner=item.owner, **kwargs)
        status = self.fields["status"]
        assert isinstance(status, forms.ChoiceField)
        status.choices = [(value, ActionItem.Status(value).label) for value in (item.status, *items.MOVES[item.status])]
