"""What the channels over HTTP have in common: one POST, and what its answer means."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, ClassVar

from django.utils import timezone
from django.utils.translation import gettext_lazy as _lazy

from common import outside
from common.errors import Invalid
from notifications.channels.contract import Channel, Later, Never, Outcome, Outgoing, Sent

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as StrOrPromise


LONGEST_WAIT = 24 * 3600.0  # seconds that a provider may ask us to wait
PASSING = frozenset({408, 425, 429})  # of the 4xx, those that say "not now"


class HttpChannel(Channel):
    """A channel whose address is a URL."""

    address_label: ClassVar[StrOrPromise] = _lazy("Webhook URL")
    address_is_secret: ClassVar[bool] = True

    def check(self, address: str) -> str:
        return place_of(address).url

    def lane(self, address: str) -> str:
        return f"{self.kind}:{outside.place_of(address).netloc}"

    def masked(self, address: str) -> str:
        return f"{outside.place_of(address).netloc}/…"


def place_of(address: str) -> outside.Place:
    """Where the address that somebody typed leads, or `Invalid`."""
    try:
        return outside.place_of(address.strip())
    except outside.Refused as exc:
        raise Invalid(str(exc)) from None


def accepted(answer: outside.Answer) -> Outcome:
    """Any 2xx is a yes, whatever else was said."""
    return Sent(f"{answer.host} answered {answer.status}.")


def post(
    message: Outgoing,
    url: str,
    body: bytes,
    headers: Mapping[str, str] | None = None,
    judge: Callable[[outside.Answer], Outcome] = accepted,
) -> Outcome:
    """Send the JSON with the key of the message. `judge` reads a 2xx as its provider means it."""
    ours = {"Content-Type": "application/json", "User-Agent": "Burnline", "X-Burnline-Key": message.wire_key}
    try:
        answer = outside.post(url, body, ours | dict(headers or {}))
    except outside.Refused as exc:
        return Never(str(exc))
    except outside.Unreachable as exc:
        return Later(str(exc))
    return judge(answer) if 200 <= answer.status < 300 else refused(answer, answer.status)


def refused(answer: outside.Answer, status: int) -> Outcome:
    """What any other status than 2xx means for a message."""
    reason = f"{answer.host} answered {status}."
    if 300 <= status < 400:
        return Never(f"{reason} Redirects are not followed: the address has to be the last one.")
    if 400 <= status < 500 and status not in PASSING:
        return Never(reason)
    return Later(reason, wait(answer.headers.get("retry-after", ""), now=timezone.now()))


def wait(retry_after: str, *, now: datetime) -> float | None:
    """Seconds that a Retry-After asks for, given as seconds or as an HTTP date; nothing if it says neither."""
    value = retry_after.strip()
    if value.isascii() and value.isdigit():
        seconds = float(value[:9])
    else:
        try:
            until = parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None
        seconds = math.ceil((until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds())
    return min(max(seconds, 0.0), LONGEST_WAIT)
