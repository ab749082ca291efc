"""Incoming webhooks of Slack, and of what understands the same: Mattermost, Rocket.Chat.

Slack shows the blocks, and the text in notifications; Mattermost shows the text alone. So the text says everything.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

import orjson
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from common import outside
from common.errors import Invalid
from common.text import shortened
from notifications.channels import posting
from notifications.channels.contract import Later, Outcome, Outgoing, Target

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as StrOrPromise


HEADER, SECTION, TEXT, BUTTON, URL = 150, 3000, 4000, 75, 3000  # the longest of each that Slack takes


class Slack(posting.HttpChannel):
    """It is done only when the provider says "ok"."""

    kind: ClassVar[str] = "slack"
    label: ClassVar[StrOrPromise] = _lazy("Slack or Mattermost")
    address_example: ClassVar[str] = "https://hooks.slack.com/services/T000/B000/XXXX"
    address_help: ClassVar[StrOrPromise] = _lazy("The URL of an incoming webhook.")

    def check(self, address: str) -> str:
        place = posting.place_of(address)
        if place.target == "/":
            raise Invalid(_("This is not the URL of an incoming webhook: it has nothing after the host."))
        return place.url

    def send(self, message: Outgoing, target: Target) -> Outcome:
        return posting.post(message, target.address, orjson.dumps(payload(message)), judge=_judge)


def payload(message: Outgoing) -> dict[str, Any]:
    subject = shortened(message.subject, HEADER)
    body = _cut(message.text, SECTION)
    links = [(label, url) for label, url in message.links if len(url) <= URL]
    blocks: list[dict[str, Any]] = [{"type": "header", "text": _plain(subject)}]
    if body:
        blocks.append({"type": "section", "text": _plain(body)})
    if links:
        blocks.append(
            {
                "type": "actions",
                "elements": [
                    {
                        "type": "button",
                        "action_id": f"open-{place}",
                        "text": _plain(shortened(label, BUTTON)),
                        "url": url,
                    }
                    for place, (label, url) in enumerate(links[:25])
                ],
            }
        )
    written = [f"<{_url(url)}|{escaped(shortened(label, BUTTON)).replace('|', '¦')}>" for label, url in links]
    text = "\n".join(filter(None, [f"*{escaped(subject)}*", escaped(_cut(body, TEXT - SECTION)), " · ".join(written)]))
    return {"text": text, "blocks": blocks, "unfurl_links": False, "unfurl_media": False}


def escaped(text: str) -> str:
    """The text as Slack's markup, with nothing in it that is a link, a command or calls somebody."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"(?<!\w)@(?=\w)", "@\u200b", text)  # Mattermost would call everybody at @all,
    return re.sub(r"\](?=[(\[:])", "]\u200b", text)  # and make links and images of [words](address)


def _judge(answer: outside.Answer) -> Outcome:
    if answer.whole and answer.body.strip() == b"ok":
        return posting.accepted(answer)
    return Later(f"{answer.host} answered {answer.status}, but not that it took the message.")


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _url(url: str) -> str:
    return url.replace("&", "&amp;").replace("<", "%3C").replace(">", "%3E").replace("|", "%7C")


def _cut(text: str, length: int) -> str:
    text = text.strip()
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
