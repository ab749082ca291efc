"""What is typed about contact methods, and what messages are looked for."""

from __future__ import annotations

from typing import Any

from django import forms

from common.forms import Form
from notifications import queries
from notifications.channels import Channel
from notifications.models import Message
from people.models import User


class MethodForm(Form):
    """A further method of this channel: its words say what to paste, and where that is found."""

    address = forms.CharField(max_length=2000)
    secret = forms.CharField(max_length=300, required=False)
    label = forms.CharField(max_length=60, required=False, help_text="Such as “My phone”.")

    def __init__(self, *args: Any, channel: Channel, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        address = self.fields["address"]
        address.label = channel.address_label
        address.help_text = channel.address_help
        address.widget.attrs |= {"placeholder": channel.address_example, "autocomplete": "off", "spellcheck": "false"}
        if channel.secret_label and not channel.makes_secret:
            secret = self.fields["secret"]
            secret.label, secret.help_text = channel.secret_label, channel.secret_help
            secret.widget.attrs |= {"autocomplete": "off", "spellcheck": "false"}
        else:
            del self.fields["secret"]


class LabelForm(Form):
    label = forms.CharField(max_length=60, required=False, help_text="Such as “My phone”.")


class MessageFilter(Form):
    """Which messages are shown; what it cannot read counts as not asked for."""

    state = forms.ChoiceField(required=False, choices=[("", "Any state"), *Message.State.choices])
    channel = forms.ChoiceField(required=False, choices=lambda: [("", "Any channel"), *queries.channels()])
    person = forms.ModelChoiceField(User.objects.order_by("name", "id"), required=False, empty_label="Anybody")
