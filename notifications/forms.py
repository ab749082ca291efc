"""What is typed about contact methods, and what messages are looked for."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _lazy

from common.forms import Form
from notifications import queries
from notifications.channels import Channel
from notifications.models import Message
from people.models import User


class MethodForm(Form):
    """A further method of this channel: its words say what to paste, and where that is found."""

    address = forms.CharField(max_length=2000, label=_lazy("Address"))
    secret = forms.CharField(max_length=300, required=False, label=_lazy("Secret"))
    label = forms.CharField(max_length=60, required=False, help_text=_lazy("Such as “My phone”."), label=_lazy("Label"))

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
    label = forms.CharField(max_length=60, required=False, help_text=_lazy("Such as “My phone”."), label=_lazy("Label"))


class MessageFilter(Form):
    """Which messages are shown; what it cannot read counts as not asked for."""

    state = forms.ChoiceField(
        required=False, choices=[("", _lazy("Any state")), *Message.State.choices], label=_lazy("State")
    )
    channel = forms.ChoiceField(
        required=False, choices=lambda: [("", _lazy("Any channel")), *queries.channels()], label=_lazy("Channel")
    )
    person = forms.ModelChoiceField(
        User.objects.order_by("name", "id"), required=False, empty_label=_lazy("Anybody"), label=_lazy("Person")
    )
