"""What somebody has besides their password: an app that shows codes, passkeys, and codes for the day these are lost."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.models import Authenticator
from allauth.mfa.stages import AuthenticateStage
from allauth.mfa.webauthn.internal import auth as webauthn
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest

from people import guesses
from people.models import User

Type = Authenticator.Type
REAL = (Type.TOTP, Type.WEBAUTHN)  # recovery codes stand in for one, and are none themselves

RECOVERY_CODES = 10
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is taken for another
_GROUPS, _LETTERS = 5, 5  # of 31 letters: 123 bits, so that a plain hash keeps them


class Stage(AuthenticateStage):
    """The step of signing in at which it is asked for."""

    urlname = "sign-in-code"


@dataclass(frozen=True, slots=True)
class Ways:
    """By what somebody can show that it is them."""

    password: bool
    codes: bool
    passkeys: bool

    @property
    def any(self) -> bool:
        return self.password or self.codes or self.passkeys


def ways(user: User) -> Ways:
    kinds = set(Authenticator.objects.filter(user=user).values_list("type", flat=True))
    return Ways(
        password=user.has_usable_password(),
        codes=bool(kinds & {Type.TOTP, Type.RECOVERY_CODES}),
        passkeys=Type.WEBAUTHN in kinds,
    )


def has_one(user: User) -> bool:
    return bool(Authenticator.objects.filter(user=user, type__in=REAL).exists())


def is_missing(user: User) -> bool:
    """Whether this installation asks for one that they do not have."""
    asked = settings.ENV.require_second_factor
    must = asked == "everyone" or (asked == "admins" and user.is_admin)
    return must and not has_one(user)


def check_code(request: HttpRequest, user: User, code: str, *, now: datetime) -> bool:
    """Whether it is a code of their app, or one that they keep for the day that is lost; either works once. Raises
    TooManyGuesses."""
    guess = guesses.begin("code", request, account=user.email, now=now)
    code = "".join(code.split()).lower()
    for each in Authenticator.objects.filter(user=user, type__in=(Type.TOTP, Type.RECOVERY_CODES)):
        if each.wrap().validate_code(code) if each.type == Type.TOTP else _use_up(each, code):
            guess.was_right()
            _used(request, each)
            return True
    return False


def check_passkey(request: HttpRequest, user: User | None, credential: str, *, now: datetime) -> Any:
    """The passkey that answered, or None. Without a user, whoever's it is: it must have seen their face, finger or
    PIN. Raises TooManyGuesses."""
    guess = guesses.begin("passkey", request, account=user.email, now=now) if user is not None else None
    try:
        answer = json.loads(credential)
        parsed = webauthn.parse_authentication_response(answer)
        owner = user if user is not None else webauthn.extract_user_from_response(answer)
        passkey = webauthn.complete_authentication(owner, answer)
    except (ValidationError, ValueError, TypeError, KeyError, AttributeError):
        return None
    if user is None and not parsed.response.authenticator_data.is_user_verified():
        return None
    if guess:
        guess.was_right()
    _used(request, passkey, passwordless=user is None)
    return passkey


def passkey_options(request: HttpRequest, user: User | None) -> dict[str, Any]:
    """What the browser is asked to sign; the session remembers it."""
    options: dict[str, Any] = json.loads(json.dumps(webauthn.begin_authentication(user)))
    return options


def _used(request: HttpRequest, one: Any, **extra: bool) -> None:
    one.record_usage()
    marks = {name: value for name, value in extra.items() if value}
    record_authentication(request, one.user, "mfa", id=one.pk, type=one.type, **marks)


# Recovery codes


@transaction.atomic
def new_recovery_codes(user: User) -> list[str]:
    """Codes to keep, told this once; those before them are dead."""
    User.objects.select_for_update().filter(pk=user.pk).exists()
    Authenticator.objects.filter(user=user, type=Type.RECOVERY_CODES).delete()
    codes = ["-".join(_group() for _ in range(_GROUPS)) for _ in range(RECOVERY_CODES)]
    Authenticator.objects.create(user=user, type=Type.RECOVERY_CODES, data={"hashes": [_hash(code) for code in codes]})
    return codes


def recovery_codes_left(user: User) -> int | None:
    """How many are unused; None where there are none at all."""
    kept = Authenticator.objects.filter(user=user, type=Type.RECOVERY_CODES).first()
    return None if kept is None else len(kept.data["hashes"])


@transaction.atomic
def _use_up(kept: Any, code: str) -> bool:
    known = Authenticator.objects.select_for_update().filter(pk=kept.pk).first()
    hashes: Sequence[str] = known.data["hashes"] if known else ()
    wanted = _hash(code)
    if known is None or wanted not in hashes:
        return False
    known.data["hashes"] = [each for each in hashes if each != wanted]
    known.save(update_fields=["data"])
    return True


def _group() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LETTERS))


def _hash(code: str) -> str:
    return sha256(code.replace("-", "").encode()).hexdigest()
