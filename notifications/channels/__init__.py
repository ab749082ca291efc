"""The ways to reach people: one adapter each, all asked and answering alike."""

from notifications.channels.contract import Channel, Later, Never, Outcome, Outgoing, Priority, Sent, Target
from notifications.channels.email import Email
from notifications.channels.ntfy import Ntfy
from notifications.channels.slack import Slack
from notifications.channels.teams import Teams
from notifications.channels.webhook import Webhook

__all__ = [
    "CHANNELS",
    "Channel",
    "Later",
    "Never",
    "Outcome",
    "Outgoing",
    "Priority",
    "Sent",
    "Target",
    "send",
    "usable",
]

CHANNELS: dict[str, Channel] = {channel.kind: channel for channel in (Email(), Slack(), Teams(), Ntfy(), Webhook())}


def usable() -> list[Channel]:
    """Those by which this installation can send, in the order to offer them."""
    return [channel for channel in CHANNELS.values() if channel.is_usable]


def send(message: Outgoing, target: Target) -> Outcome:
    """Try once to bring the message to the target. Takes at most some seconds, and belongs in no transaction."""
    return CHANNELS[target.kind].send(message, target)
