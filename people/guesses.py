"""How often a secret may be guessed, a password, a code or a passkey: by account and by address, on every way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.utils.translation import ngettext

from common.addresses import address_of
from common.errors import DomainError
from people import throttling

HOUR = 3600


class TooManyGuesses(DomainError):
    """Whoever this is has to wait."""

    code = "too_often"
    status = 429
    title = _lazy("Too often")

    def __init__(self, seconds: int) -> None:
        self.seconds = max(1, seconds)
        minutes = max(1, -(-seconds // 60))
        again = ngettext("Try again in %(minutes)d minute.", "Try again in %(minutes)d minutes.", minutes)
        super().__init__(f"{_('Too many attempts.')} {again % {'minutes': minutes}}")


@dataclass(frozen=True, slots=True)
class Guess:
    """One that was counted."""

    keys: tuple[str, ...]

    def was_right(self) -> None:
        """It was none: do not count it."""
        for key in self.keys:
            throttling.give_back(key)


def begin(secret: str, request: HttpRequest, *, account: str, now: datetime) -> Guess:
    """Count a guess before it is looked at. `secret` says of what, `account` at whose: their e-mail address, be there
    such an account or not. Raises TooManyGuesses."""
    limit = settings.ENV.login_attempts_per_hour
    whose = sha256(account.strip().lower().encode("utf-8", "replace")).hexdigest()
    keys = (f"{secret}:address:{address_of(request)}"[:200], f"{secret}:account:{whose}")
    within = [throttling.attempt(key, limit=limit, seconds=HOUR, now=now) for key in keys]
    if not all(within):
        raise TooManyGuesses(max(throttling.wait(key, limit=limit, seconds=HOUR, now=now) for key in keys))
    return Guess(keys)
