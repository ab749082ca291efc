"""A message of what was done may carry the way back: a form that is sent by one button."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from django.contrib import messages
from django.contrib.messages.storage.base import Message
from django.http import HttpRequest
from django.utils.translation import gettext as _


@dataclass(frozen=True, slots=True)
class Undo:
    """What the button says, where it sends, and what with."""

    url: str
    act: str
    fields: Mapping[str, str] = field(default_factory=dict)


def offer(request: HttpRequest, done: str, *, url: str, act: str = "", fields: Mapping[str, str] | None = None) -> None:
    """Say what was done on the next page, with a button that posts `fields` to `url` to take it back. The view there
    asks for rights, and refuses what is no longer possible, as for any other request."""
    way_back = Undo(url, act or _("Undo"), fields or {})
    messages.success(request, done, extra_tags=json.dumps(asdict(way_back)))


def of(message: Message) -> Undo | None:
    """The way back that the message carries, if it does."""
    if not (message.extra_tags or "").startswith("{"):
        return None
    return Undo(**json.loads(str(message.extra_tags)))
