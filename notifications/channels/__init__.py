"""The ways to reach people: one adapter each, all asked and answering alike."""

from notifications.channels.contract import Action, Channel, Later, Never, Outcome, Outgoing, Priority, Sent, Target
from notifications.channels.email import Email
from notifications.channels.ntfy import Ntfy
from notifications.channels.slack import Slack
from notifications.channels.teams import Teams
from notifications.channels.webhook import Webhook

__all__ = [
    "CHANNELS",
    "Action",
    "Channel",
    "Later",
    "Never",
    "Outcome",
    "Outgoing",
    "Priority",
    "Sent",
    "Target",
]

CHANNELS: dict[str, Channel] = {channel.kind: channel for channel in (Email(), Slack(), Teams(), Ntfy(), Webhook())}
