"""ntfy: push messages to phones, by https://ntfy.sh or a server of one's own."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, ClassVar

import orjson
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from common import outside
from common.errors import Invalid
from common.text import shortened
from notifications.channels import posting
from notifications.channels.contract import Later, Outcome, Outgoing, Priority, Target

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as StrOrPromise


PRIORITIES: dict[Priority, int] = {"urgent": 5, "high": 4, "normal": 3, "low": 2}
MESSAGE, TITLE, ACTIONS = 4000, 250, 3  # ntfy takes 4096 bytes and three buttons
TOPIC = re.compile(r"/([-_A-Za-z0-9]{1,64})/?")


class Ntfy(posting.HttpChannel):
    """Messages are published as JSON to the root of the server. It is done only when it returns the message."""

    kind: ClassVar[str] = "ntfy"
    label: ClassVar[StrOrPromise] = "ntfy"
    address_label: ClassVar[StrOrPromise] = _lazy("Topic URL")
    address_example: ClassVar[str] = "https://ntfy.sh/a-name-nobody-guesses"
    address_help: ClassVar[StrOrPromise] = _lazy("The server and the topic that your phone is subscribed to.")
    secret_label: ClassVar[StrOrPromise] = _lazy("Access token")
    secret_help: ClassVar[StrOrPromise] = _lazy("Where the topic is protected. It begins with tk_.")

    def check(self, address: str) -> str:
        place = posting.place_of(address)
        topic = TOPIC.fullmatch(place.target)
        if topic is None:
            raise Invalid(_("A topic URL is a server and one name: letters, digits, - and _, at most 64."))
        return f"{place.scheme}://{place.netloc}/{topic[1]}"

    def check_secret(self, secret: str) -> str:
        if not re.fullmatch(r"[!-~]{0,200}", secret.strip()):
            raise Invalid(_("An access token has no spaces, and only plain letters, digits and signs."))
        return secret.strip()

    def send(self, message: Outgoing, target: Target) -> Outcome:
        server, _, topic = target.address.rpartition("/")
        headers = {"Authorization": f"Bearer {target.secret}"} if target.secret else {}
        return posting.post(message, f"{server}/", orjson.dumps(payload(message, topic)), headers, _judge)


def payload(message: Outgoing, topic: str) -> dict[str, Any]:
    published: dict[str, Any] = {
        "topic": topic,
        "title": shortened(message.subject, TITLE),
        "message": _cut(message.text),
        "priority": PRIORITIES[message.priority],
        "actions": [{"action": "view", "label": label, "url": url} for label, url in message.actions[:ACTIONS]],
        # Servers from 2.16 on show a second copy in the place of the first; older ones do not know the word.
        "sequence_id": hashlib.sha256(message.key.encode()).hexdigest()[:32],
    }
    return published | ({"click": message.url} if message.url else {})


def _judge(answer: outside.Answer) -> Outcome:
    try:
        published = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        published = None
    if isinstance(published, dict) and published.get("id"):
        return posting.accepted(answer)
    return Later(f"{answer.host} answered {answer.status}, but not as ntfy does.")


def _cut(text: str) -> str:
    """As much of the text as fits, in bytes, and whole characters only."""
    data = text.strip().encode()
    return data.decode() if len(data) <= MESSAGE else data[: MESSAGE - 3].decode(errors="ignore") + "…"
