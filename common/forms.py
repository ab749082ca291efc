"""A refusal of the domain, said on the form that asked for it, so that nothing typed is lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django import forms
from django.forms.forms import BaseForm
from django.utils.translation import gettext as _

from common.errors import DomainError, Invalid, VersionMoved


def refuse(form: BaseForm, error: DomainError) -> None:
    """Put each fault beside its field; what belongs to no field of this form, above it."""
    if not any(name in form.fields for name, _ in error.errors):
        form.add_error(None, error.message)
    for name, message in error.errors:
        if name in form.fields:
            form.add_error(name, message)


class Form(forms.Form):
    """A form that knows the HTTP status of the page that shows it."""

    http_status = 200

    def full_clean(self) -> None:
        super().full_clean()
        if self.is_bound and self.errors:
            self.http_status = 422

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Say what the domain finds invalid, or changed meanwhile, on this form; other refusals pass."""
        try:
            yield
        except (Invalid, VersionMoved) as refusal:
            refuse(self, refusal)
            self.http_status = refusal.status


class ChangeForm(Form):
    """The same for something that stands already, with the version of it that was seen. The page writes the one that
    stands now, so that who was told of another's change can look at it, and save again."""

    version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def changes(self) -> tuple[dict[str, Any], int | None]:
        """What was typed, and the version that it was typed upon."""
        changes = dict(self.cleaned_data)
        return changes, changes.pop("version")


def choosable(form: forms.Form, name: str) -> forms.ModelChoiceField[Any]:
    """A field whose choices are rows, to say which."""
    field = form.fields[name]
    assert isinstance(field, forms.ModelChoiceField)
    return field


def labels_of(text: str) -> dict[str, str]:
    """What stands in lines of name=value. Raises ValidationError."""
    labels = {}
    for line in filter(str.strip, text.splitlines()):
        name, equals, value = line.partition("=")
        if not equals or not name.strip():
            raise forms.ValidationError(_("“{line}” is not of the form name=value.").format(line=line.strip()[:60]))
        labels[name.strip()] = value.strip()
    return labels
