"""Microsoft Teams, by the workflow "post when a webhook request is received": it takes an Adaptive Card."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

import orjson
from django.utils.translation import gettext_lazy as _lazy

from common import outside
from common.text import shortened
from notifications.channels import posting
from notifications.channels.contract import Outcome, Outgoing, Target

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as StrOrPromise


LINES, LINE, TITLE = 60, 300, 60  # a card stays below the 28 KB that Teams takes
BUTTONS = 6
HIDDEN_FAULT = re.compile(rb"returned HTTP error (\d{3})")  # a connector of the old kind says 200 to everything


class Teams(posting.HttpChannel):
    kind: ClassVar[str] = "teams"
    label: ClassVar[StrOrPromise] = _lazy("Microsoft Teams")
    address_example: ClassVar[str] = (
        "https://prod-00.westeurope.logic.azure.com/workflows/…/triggers/manual/paths/invoke"
    )
    address_help: ClassVar[StrOrPromise] = _lazy("The URL of the workflow “Send webhook alerts to a channel”.")

    def send(self, message: Outgoing, target: Target) -> Outcome:
        return posting.post(message, target.address, orjson.dumps(payload(message)), judge=_judge)


def payload(message: Outgoing) -> dict[str, Any]:
    """A card of plain text: in these elements nothing is read as Markdown, so no text of an alert becomes a link."""
    lines = [shortened(line, LINE) for line in message.text.splitlines() if line.strip()]
    body = [_line(shortened(message.subject, LINE), weight="Bolder", size="Medium"), *map(_line, lines[:LINES])]
    if len(lines) > LINES:
        body.append(_line("…"))
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        "actions": [
            {"type": "Action.OpenUrl", "title": shortened(label, TITLE), "url": url}
            for label, url in message.links[:BUTTONS]
        ],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _line(text: str, **look: str) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **look}]}


def _judge(answer: outside.Answer) -> Outcome:
    fault = HIDDEN_FAULT.search(answer.body)
    return posting.refused(answer, int(fault[1])) if fault else posting.accepted(answer)
