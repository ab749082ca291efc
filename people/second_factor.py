"""What somebody has besides their password: an app that shows codes, passkeys, and codes for the day these are lost."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.stages import AuthenticateStage
from allauth.mfa.totp.internal import auth as totp
from allauth.mfa.webauthn.internal import auth as webauthn
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from common import language
from common.errors import Invalid
from common.text import shortened, storable
from people import access, audit, guesses, sessions, tidings
from people.actors import Actor, SignedInRequest, person
from people.models import User

Type = Authenticator.Type
REAL = (Type.TOTP, Type.WEBAUTHN)  # recovery codes stand in for one, and are none themselves

RECOVERY_CODES = 10
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is taken for another
_GROUPS, _LETTERS = 5, 5  # of 31 letters: 123 bits, so that a plain hash keeps them


class WrongCode(Invalid):
    """What was typed, or answered, does not fit."""


class Stage(AuthenticateStage):
    """The step of signing in at which it is asked for."""

    urlname = "sign-in-code"

    def handle(self) -> tuple[HttpResponse | None, bool]:
        return (redirect(self.urlname) if self._should_handle(self.request) else None), True


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


def of_users() -> Exists:
    """The same of every user of a query, in that query."""
    return Exists(Authenticator.objects.filter(user=OuterRef("pk"), type__in=REAL))


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
            if each.type == Type.RECOVERY_CODES:
                with transaction.atomic():
                    audit.record(audit.Action.RECOVERY_CODE_USED, user, by=person(user), now=now)
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


# Adding and removing


def app_of(user: User) -> Any:
    """Their app that shows codes, or None."""
    return Authenticator.objects.filter(user=user, type=Type.TOTP).first()


def passkeys_of(user: User) -> list[Any]:
    return list(Authenticator.objects.filter(user=user, type=Type.WEBAUTHN).order_by("created_at", "pk"))


def one_of(user: User, pk: int) -> Any:
    """Their app or passkey of this id, or None."""
    return Authenticator.objects.filter(user=user, pk=pk, type__in=REAL).first()


def is_last(one: Any) -> bool:
    """Whether none is left without it."""
    return not Authenticator.objects.filter(user=one.user_id, type__in=REAL).exclude(pk=one.pk).exists()


def offered_secret(request: HttpRequest, *, again: bool) -> str:
    """What a new app is to know; the session keeps it until the app's first code has come."""
    return str(totp.get_totp_secret(regenerate=not again))


def picture_of(user: User, secret: str) -> dict[str, str]:
    """How an app reads the secret with its camera: an SVG as a data: URL, and the link for this device."""
    adapter = get_adapter()
    url = adapter.build_totp_url(user, secret)
    svg = base64.b64encode(adapter.build_totp_svg(url).encode()).decode()
    return {"url": url, "picture": f"data:image/svg+xml;base64,{svg}"}


@transaction.atomic
def add_app(request: SignedInRequest, code: str, *, by: Actor, now: datetime) -> list[str]:
    """Their app, once it shows a code of the offered secret. Gives recovery codes where these are their first. Raises
    WrongCode, TooManyGuesses."""
    user = request.user
    guess = guesses.begin("code", request, account=user.email, now=now)
    secret = offered_secret(request, again=True)
    User.objects.select_for_update().filter(pk=user.pk).exists()
    if app_of(user) is not None or not totp.validate_totp_code(secret, "".join(code.split())):
        raise WrongCode(_("This is not the code that an app shows now. Is the clock of your phone right?"))
    guess.was_right()
    app = totp.TOTP.activate(user, secret)
    app._mark_code_used(code)
    totp.clear_totp_secret(request)
    return _added(request, app.instance, by=by, now=now)


def registration_options(request: SignedInRequest) -> dict[str, Any]:
    """What the browser makes a passkey of: one that knows its person, so that it signs in alone."""
    options: dict[str, Any] = json.loads(json.dumps(webauthn.begin_registration(request.user, passwordless=True)))
    return options


@transaction.atomic
def add_passkey(request: SignedInRequest, name: str, credential: str, *, by: Actor, now: datetime) -> list[str]:
    """A passkey that the browser has made. Gives recovery codes where these are their first. Raises WrongCode."""
    try:
        answer = json.loads(credential)
        webauthn.parse_registration_response(answer)
        webauthn.complete_registration(answer)
    except (ValidationError, ValueError, TypeError, KeyError, AttributeError):
        raise WrongCode(_("The passkey was not accepted. Try again.")) from None
    name = shortened(storable(name), 60) or _("Passkey")
    passkey = webauthn.WebAuthn.add(request.user, name, answer)
    return _added(request, passkey.instance, by=by, now=now)


def rename_passkey(user: User, pk: int, name: str) -> bool:
    passkey = one_of(user, pk)
    if passkey is None or passkey.type != Type.WEBAUTHN or not name.strip():
        return False
    passkey.data["name"] = shortened(storable(name), 60)
    passkey.save(update_fields=["data"])
    return True


@transaction.atomic
def remove(request: SignedInRequest, one: Any, *, by: Actor, now: datetime) -> None:
    """Forget the app or passkey, and the recovery codes with the last of them."""
    if is_last(one):
        Authenticator.objects.filter(user=one.user, type=Type.RECOVERY_CODES).delete()
    told = audit.Thing("second_factor", str(one.pk), _name(one))
    with language.of_person(request.user.language):
        what = _("A second factor was removed: %(name)s.") % {"name": _name(one)}
    tidings.credentials_changed(request.user, what, f"removed:{one.pk}", now=now)
    one.delete()
    sessions.end_all(request.user, but=request.session.session_key)
    audit.record(audit.Action.SECOND_FACTOR_REMOVED, told, by=by, now=now)


@transaction.atomic
def remove_all(user: User, *, by: Actor, now: datetime) -> bool:
    """For somebody who has lost everything: they sign in by their password alone, until they add one. False where there
    was none."""
    access.require(by, access.Act.ADMINISTER)
    removed, _each = Authenticator.objects.filter(user=user).delete()
    if removed:
        sessions.end_all(user)
        with language.of_person(user.language):
            what = _("An administrator removed your second factors.")
        tidings.credentials_changed(user, what, f"removed:all:{now.timestamp():.0f}", now=now)
        audit.record(audit.Action.SECOND_FACTOR_REMOVED, user, by=by, now=now, before={"second_factors": "all"})
    return bool(removed)


@transaction.atomic
def renew_recovery_codes(user: User, *, by: Actor, now: datetime) -> list[str]:
    codes = new_recovery_codes(user)
    audit.record(audit.Action.RECOVERY_CODES_MADE, user, by=by, now=now)
    return codes


def _added(request: SignedInRequest, one: Any, *, by: Actor, now: datetime) -> list[str]:
    user = request.user
    codes = [] if recovery_codes_left(user) else new_recovery_codes(user)
    sessions.end_all(user, but=request.session.session_key)
    told = audit.Thing("second_factor", str(one.pk), _name(one))
    with language.of_person(user.language):
        what = _("A second factor was added: %(name)s.") % {"name": _name(one)}
    tidings.credentials_changed(user, what, f"added:{one.pk}", now=now)
    audit.record(audit.Action.SECOND_FACTOR_ADDED, told, by=by, now=now)
    return codes


def _name(one: Any) -> str:
    return str(one.data.get("name") or "Authenticator app")


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
