"""Signing in, one's own account, tokens, and what admins say of people, teams and words."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from common import years
from common.forms import ChangeForm, Form, choosable
from people.models import Discipline, Membership, Team, Token, User

LONGEST_PASSWORD = 1000  # characters: none is too long for a person, and none costs much to hash


class SignInForm(Form):
    username = forms.EmailField(
        label=_lazy("E-mail"),
        widget=forms.EmailInput(attrs={"autofocus": True, "autocomplete": "username webauthn"}),
    )
    password = forms.CharField(
        label=_lazy("Password"),
        strip=False,
        max_length=LONGEST_PASSWORD,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class ResetForm(Form):
    email = forms.EmailField(
        label=_lazy("E-mail"), max_length=200, widget=forms.EmailInput(attrs={"autocomplete": "username"})
    )


class CodeForm(Form):
    """A code of an app, or a recovery code."""

    code = forms.CharField(
        label=_lazy("Code"),
        max_length=64,
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "autofocus": True, "autocapitalize": "none", "spellcheck": "false"}
        ),
    )


class PasskeyForm(Form):
    name = forms.CharField(
        max_length=60,
        required=False,
        label=_lazy("Name"),
        help_text=_lazy("By which you know it again, such as the device that keeps it."),
    )
    credential = forms.CharField(max_length=20_000, widget=forms.HiddenInput)


class AccountForm(Form):
    name = forms.CharField(max_length=150, label=_lazy("Name"))
    time_zone = forms.ChoiceField(help_text=_lazy("In which times are shown to you."), label=_lazy("Time zone"))
    discipline = forms.ModelChoiceField(
        Discipline.objects.offered(),
        required=False,
        empty_label=_lazy("Not said"),
        help_text=_lazy("Shown beside your name in every incident."),
        label=_lazy("Discipline"),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        zone = user.time_zone or "UTC"
        kwargs["initial"] = {"name": user.name, "time_zone": zone, "discipline": user.discipline_id}
        super().__init__(*args, **kwargs)
        choosable(self, "discipline").queryset = Discipline.objects.offered_to(user)
        zones = sorted({*zoneinfo.available_timezones(), "UTC", zone})
        self.fields["time_zone"] = forms.ChoiceField(
            choices=[(zone, zone.replace("_", " ")) for zone in zones],
            label=_lazy("Time zone"),
            help_text=self.fields["time_zone"].help_text,
        )


class NewPasswordForm(Form):
    """One password, typed once: it can be shown, and pasted."""

    new_password = forms.CharField(
        label=_lazy("New password"),
        strip=False,
        max_length=LONGEST_PASSWORD,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_lazy(
            "At least 12 characters; a few words in a row are easy to remember. Not one that is known from data "
            "breaches."
        ),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        self.user = user
        super().__init__(*args, **kwargs)

    def clean_new_password(self) -> str:
        password: str = self.cleaned_data["new_password"]
        validate_password(password, self.user)
        return password


class PasswordForm(NewPasswordForm):
    """Asks for the old one first, where there is one."""

    old_password = forms.CharField(
        label=_lazy("Current password"),
        strip=False,
        max_length=LONGEST_PASSWORD,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    field_order = ("old_password", "new_password")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.user.has_usable_password():
            del self.fields["old_password"]


class TokenForm(Form):
    name = forms.CharField(label=_lazy("Name"), max_length=100, help_text=_lazy("Which program it is for."))
    scopes = forms.MultipleChoiceField(
        choices=Token.Scope.choices, widget=forms.CheckboxSelectMultiple, initial=["read"], label=_lazy("It may")
    )
    last_day = forms.DateField(
        required=False,
        label=_lazy("Valid until the end of"),
        help_text=_lazy("Empty: until it is revoked."),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )

    def __init__(self, *args: Any, scopes: Iterable[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = [(str(value), label) for value, label in Token.Scope.choices if value in set(scopes)]
        field = self.fields["scopes"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = offered

    def clean_last_day(self) -> date | None:
        day: date | None = self.cleaned_data["last_day"]
        if day is not None and not years.hold(day):
            raise forms.ValidationError(
                _("A day in the years {first} to {last}.").format(first=years.FIRST, last=years.LAST)
            )
        return day

    def expires_at(self) -> datetime | None:
        """The midnight after the last day, in the reader's zone."""
        day = self.cleaned_data["last_day"]
        return timezone.make_aware(datetime.combine(day + timedelta(days=1), time())) if day else None


class TokenFilter(Form):
    """Which of everybody's tokens are shown; what it cannot read counts as not asked for."""

    q = forms.CharField(required=False, max_length=200, label=_lazy("Q"))
    state = forms.ChoiceField(
        label=_lazy("State"),
        required=False,
        choices=[
            ("", _lazy("Any state")),
            ("live", _lazy("Working")),
            ("unused", _lazy("Never used")),
            ("ended", _lazy("Revoked, expired or stopped")),
        ],
    )


class PeopleFilter(Form):
    """Which people are shown; what it cannot read counts as not asked for."""

    q = forms.CharField(required=False, max_length=200, label=_lazy("Q"))
    who = forms.ChoiceField(
        label=_lazy("Which of them"),
        required=False,
        choices=[
            ("", _lazy("Everybody")),
            ("active", _lazy("Active")),
            ("inactive", _lazy("Not active")),
            ("admins", _lazy("Administrators")),
        ],
    )

    def __init__(self, *args: Any, for_admin: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if for_admin:
            field = self.fields["who"]
            assert isinstance(field, forms.ChoiceField)
            field.choices = [*field.choices, ("one_factor", _lazy("Without a second factor"))]  # type: ignore[misc]


class PersonForm(ChangeForm):
    """What an admin says of a person. `teams` become one field each."""

    name = forms.CharField(label=_lazy("Name"), max_length=150)
    email = forms.EmailField(max_length=254, label=_lazy("E-mail"))
    discipline = forms.ModelChoiceField(
        Discipline.objects.offered(), label=_lazy("Discipline"), required=False, empty_label=_lazy("Not said")
    )
    is_admin = forms.BooleanField(required=False, label=_lazy("Administrator: may do everything, in every team"))

    def __init__(self, *args: Any, user: User | None = None, teams: Iterable[Team], **kwargs: Any) -> None:
        kwargs["initial"] = _of(user)
        super().__init__(*args, **kwargs)
        choosable(self, "discipline").queryset = Discipline.objects.offered_to(user)
        self.teams = list(teams)
        held = {membership.team_id: membership.role for membership in user.memberships.all()} if user else {}
        for team in self.teams:
            self.fields[f"team_{team.pk}"] = forms.ChoiceField(
                choices=[("", _lazy("not in it")), *Membership.Role.choices],
                required=False,
                label=team.name,
                initial=held.get(team.pk, "" if user or len(self.teams) > 1 else Membership.Role.RESPONDER),
            )

    def team_fields(self) -> list[forms.BoundField]:
        return [self[f"team_{team.pk}"] for team in self.teams]

    def about(self) -> dict[str, Any]:
        """The person's own fields."""
        return {name: self.cleaned_data[name] for name in ("name", "email", "discipline", "is_admin")}

    def memberships(self) -> Mapping[Team, str]:
        chosen = {team: self.cleaned_data[f"team_{team.pk}"] for team in self.teams}
        return {team: role for team, role in chosen.items() if role}


def _of(user: User | None) -> dict[str, Any]:
    if user is None:
        return {}
    names = ("name", "email", "is_admin")
    return {**{name: getattr(user, name) for name in names}, "discipline": user.discipline_id}


class TeamForm(Form):
    name = forms.CharField(max_length=100, label=_lazy("Name"))
    slug = forms.SlugField(
        max_length=60,
        required=False,
        help_text=_lazy("How programs name it, for good. Empty: made from the name."),
        label=_lazy("Slug"),
    )


class TeamChangeForm(ChangeForm):
    name = forms.CharField(label=_lazy("Name"), max_length=100)


class MemberForm(Form):
    """Somebody, and what they may do in the team; nothing takes them out of it."""

    user = forms.ModelChoiceField(User.objects.order_by("-is_active", "name", "id"), label=_lazy("Person"))
    role = forms.ChoiceField(
        label=_lazy("May be"), choices=Membership.Role.choices, initial=Membership.Role.RESPONDER, required=False
    )


class WordForm(ChangeForm):
    name = forms.CharField(label=_lazy("Name"), max_length=100)


class DisciplineForm(Form):
    prefix = "discipline"

    name = forms.CharField(max_length=100, label=_lazy("New discipline"))


class RoleForm(Form):
    prefix = "role"

    name = forms.CharField(max_length=100, label=_lazy("New role"))
    is_exclusive = forms.BooleanField(required=False, label=_lazy("One person at a time"))
