"""Signing in at a provider (OpenID Connect). Who somebody is there is its issuer and their `sub`, never their
address; the provider's answer counts when its signature, audience, nonce and state fit."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import jwt
import requests
from allauth.socialaccount.internal import jwtkit, statekit
from allauth.socialaccount.models import SocialAccount, SocialApp
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.utils import generate_code_challenge
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from common.errors import DomainError, Invalid
from common.text import shortened, storable
from people import audit, directory
from people.actors import SYSTEM, Actor
from people.models import User

logger = logging.getLogger(__name__)

PROVIDER = "oidc"
# What a signature may be made with: never a secret that we share, never nothing.
ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
FRESH = timedelta(minutes=5)  # how lately the provider must have asked, where one confirms that it is oneself


class NotLetIn(DomainError):
    """The provider's answer lets nobody in."""

    code = "single_sign_on_refused"
    status = 403
    title = _lazy("Not signed in")


class Unavailable(NotLetIn):
    """The provider does not answer, or not as one."""

    code = "single_sign_on_unavailable"
    status = 503


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom the provider has shown to us, and what for."""

    issuer: str
    subject: str
    email: str
    email_is_verified: bool
    name: str
    asked_at: int | None  # when they showed themselves to the provider
    purpose: str
    then: str

    @property
    def uid(self) -> str:
        return sha256(f"{self.issuer}\n{self.subject}".encode()).hexdigest()


def name() -> str:
    """What people call it; empty where there is none."""
    return settings.ENV.oidc_name if settings.ENV.oidc_issuer else ""


def begin(request: HttpRequest, *, purpose: str, then: str) -> str:
    """The address at the provider where somebody shows who they are. The session keeps what its answer must fit. Raises
    Unavailable."""
    provider = _Adapter(request)
    nonce, pkce = secrets.token_urlsafe(24), dict(generate_code_challenge())
    state = {"nonce": nonce, "verifier": pkce.pop("code_verifier"), "purpose": purpose, "then": then}
    with _answering():
        address = provider.openid_config["authorization_endpoint"]
        client = provider.get_client(request, _app())
    client.state = statekit.stash_state(request, provider_id=PROVIDER, state=state)
    again = {"prompt": "login", "max_age": "0"} if purpose == "confirm" else {}
    url: str = client.get_redirect_url(address, ["openid", "profile", "email"], {"nonce": nonce, **pkce, **again})
    return url


def finish(request: HttpRequest) -> Identity:
    """Whom the provider has sent back. Raises NotLetIn, Unavailable."""
    state = statekit.unstash_state(request, provider_id=PROVIDER, state_id=request.GET.get("state", ""))
    if state is None:
        raise NotLetIn(_("This sign-in was not begun in this browser, or too long ago. Try again."))
    if request.GET.get("error") == "access_denied":
        raise NotLetIn(_("%(provider)s was not allowed to sign you in.") % {"provider": name()})
    if request.GET.get("error") or not request.GET.get("code"):
        raise NotLetIn(_("%(provider)s did not sign you in. Its administrators can say why.") % {"provider": name()})
    provider = _Adapter(request)
    with _answering():
        client = provider.get_client(request, _app())
        answer = client.get_access_token(request.GET["code"], pkce_code_verifier=state["verifier"])
        claims = provider.claims(answer, nonce=state["nonce"])
        about = claims if claims.get("email") else {**provider.about(answer, claims), **claims}
    asked_at = claims.get("auth_time")
    return Identity(
        issuer=str(claims["iss"]),
        subject=str(claims["sub"]),
        email=storable(str(about.get("email") or "")).strip().lower(),
        email_is_verified=about.get("email_verified") in (True, "true"),
        name=shortened(storable(str(about.get("name") or about.get("preferred_username") or "")), 150),
        asked_at=asked_at if isinstance(asked_at, int) else None,
        purpose=state["purpose"],
        then=state["then"],
    )


def identity_of(user: User) -> Any:
    """The account at the provider that is theirs, or None."""
    return SocialAccount.objects.filter(user=user, provider=PROVIDER).first()


@transaction.atomic
def person_of(identity: Identity, *, now: datetime) -> User:
    """Who that is here: whose identity it is, else whom the settings let it become. Raises NotLetIn."""
    known = SocialAccount.objects.filter(provider=PROVIDER, uid=identity.uid).select_related("user").first()
    if known is not None:
        user: User = known.user
        if not user.is_active:
            raise NotLetIn(_("Your account here was deactivated."))
        return user
    same_address = User.objects.filter(email__iexact=identity.email).first() if identity.email else None
    if same_address is not None:
        return _linked_by_address(identity, same_address, now)
    return _new_person(identity, now)


@transaction.atomic
def connect(user: User, identity: Identity, *, by: Actor, now: datetime) -> None:
    """Have it sign this person in from now on. Raises NotLetIn where it is somebody else's, or they have another."""
    known = SocialAccount.objects.filter(provider=PROVIDER, uid=identity.uid).first()
    if known is not None and known.user_id != user.pk:
        raise NotLetIn(_("That account signs in somebody else here."))
    if known is None:
        if identity_of(user) is not None:
            raise NotLetIn(_("Another account of yours is connected. Disconnect that one first."))
        _link(user, identity, by=by, now=now)


@transaction.atomic
def disconnect(user: User, *, by: Actor, now: datetime) -> bool:
    """Raises NotLetIn for who has no password: nothing else would let them in."""
    User.objects.select_for_update().filter(pk=user.pk).exists()
    if not user.has_usable_password():
        raise NotLetIn(_("First set a password: nothing else would let you in."), status=409)
    removed, _each = SocialAccount.objects.filter(user=user, provider=PROVIDER).delete()
    if removed:
        audit.record(audit.Action.ACCOUNT_UNLINKED, user, by=by, now=now)
    return bool(removed)


def confirms(identity: Identity, user: User, *, now: datetime) -> bool:
    """Whether it is this person, and the provider has asked them just now."""
    known = identity_of(user)
    at = identity.asked_at
    is_fresh = at is not None and now.timestamp() - at < FRESH.total_seconds()
    return known is not None and known.uid == identity.uid and is_fresh


def _linked_by_address(identity: Identity, user: User, now: datetime) -> User:
    may = settings.ENV.oidc_links_verified_email and identity.email_is_verified and user.is_active
    if not may or identity_of(user) is not None:
        raise NotLetIn(
            _(
                "Somebody here has your e-mail address. If that is you, sign in with your password, and connect "
                "%(provider)s on the page of your account."
            )
            % {"provider": name()}
        )
    _link(user, identity, by=SYSTEM, now=now)
    return user


def _new_person(identity: Identity, now: datetime) -> User:
    domains = {each.strip().lower() for each in settings.ENV.oidc_domains.split(",") if each.strip()}
    _local, _at, domain = identity.email.rpartition("@")
    belongs = not domains or (identity.email_is_verified and domain in domains)
    if not settings.ENV.oidc_new_people or not belongs:
        raise NotLetIn(_("You have no account here yet. Ask an administrator to invite you."))
    try:
        user = directory.add_user(identity.email, identity.name or identity.email, by=SYSTEM, now=now)
    except Invalid as refusal:
        logger.warning("nobody was added by single sign-on: %s", refusal.message)
        raise NotLetIn(_("%(provider)s told no e-mail address that can be used.") % {"provider": name()}) from refusal
    _link(user, identity, by=SYSTEM, now=now)
    return user


def _link(user: User, identity: Identity, *, by: Actor, now: datetime) -> None:
    told = {"issuer": identity.issuer, "subject": identity.subject}
    SocialAccount.objects.create(user=user, provider=PROVIDER, uid=identity.uid, extra_data=told)
    audit.record(audit.Action.ACCOUNT_LINKED, user, by=by, now=now, after=told)


class _Adapter(OpenIDConnectOAuth2Adapter):
    """django-allauth's, for the one provider of the settings; its answer is checked as if it came from anywhere."""

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request, PROVIDER)

    def get_provider(self) -> OpenIDConnectProvider:
        return OpenIDConnectProvider(self.request, app=_app())

    @property
    def openid_config(self) -> Mapping[str, Any]:
        config: Mapping[str, Any] = super().openid_config
        if config.get("issuer", "").rstrip("/") != settings.ENV.oidc_issuer.rstrip("/"):
            raise OAuth2Error("the provider calls itself otherwise")
        return config

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        return f"{settings.ENV.public_url}{reverse('single-sign-on-back')}"

    def claims(self, answer: Mapping[str, Any], *, nonce: str) -> Mapping[str, Any]:
        """What the ID token says, if it is the provider's, for us, and the answer to what we asked."""
        token = answer.get("id_token")
        if not isinstance(token, str) or jwt.get_unverified_header(token).get("alg") not in ALGORITHMS:
            raise OAuth2Error("no ID token with a signature that counts")
        claims: Mapping[str, Any] = jwtkit.verify_and_decode(
            credential=token,
            keys_url=self.openid_config["jwks_uri"],
            issuer=self.openid_config["issuer"],
            audience=settings.ENV.oidc_client_id,
            lookup_kid=jwtkit.lookup_kid_jwk,
        )
        audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        if len(audiences) > 1 and claims.get("azp") != settings.ENV.oidc_client_id:
            raise OAuth2Error("an ID token for somebody else")
        if not constant_time_compare(str(claims.get("nonce", "")), nonce):
            raise OAuth2Error("an ID token that answers another request")
        if not isinstance(claims.get("sub"), str) or not claims["sub"]:
            raise OAuth2Error("an ID token about nobody")
        return claims

    def about(self, answer: Mapping[str, Any], claims: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the provider tells of them beside the token; nothing where it is about somebody else."""
        if "userinfo_endpoint" not in self.openid_config:
            return {}
        told: Mapping[str, Any] = self._fetch_user_info(answer["access_token"])
        if told.get("sub") != claims["sub"]:
            raise OAuth2Error("user info about somebody else")
        return told


class _answering:
    """Within it, what goes wrong with the provider is a refusal in words."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: object) -> None:
        words = {"provider": name()}
        if isinstance(exc, OAuth2Error | jwt.PyJWTError):
            logger.warning("single sign-on: an answer was refused: %s", type(exc.__cause__ or exc).__name__)
            raise NotLetIn(_("The answer of %(provider)s could not be trusted, so you are not in.") % words) from exc
        if isinstance(exc, requests.RequestException | KeyError | ValueError | TypeError | AttributeError):
            logger.warning("single sign-on: the provider does not answer as one: %s", type(exc).__name__)
            raise Unavailable(
                _("%(provider)s cannot be reached just now. Sign in with your password, or try again later.") % words
            ) from exc


def _app() -> SocialApp:
    env = settings.ENV
    return SocialApp(
        provider=OpenIDConnectProvider.id,
        provider_id=PROVIDER,
        name=env.oidc_name,
        client_id=env.oidc_client_id,
        secret=env.oidc_secret,
        settings={"server_url": env.oidc_issuer.rstrip("/")},
    )
