"""What django-allauth asks of us: addresses, where to go, what is sealed, and who may come in."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils import timezone

from common import sealing
from common.addresses import address_of
from people import stepup
from people.models import User


class AccountAdapter(DefaultAccountAdapter):
    def get_login_stages(self) -> list[str]:
        return ["people.second_factor.Stage"]

    def pre_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse | None:
        if not user.is_active:
            raise ImmediateHttpResponse(redirect("sign-in"))
        return None

    def post_login(self, request: HttpRequest, user: User, *, redirect_url: str | None, **kwargs: Any) -> HttpResponse:
        return HttpResponseRedirect(redirect_url or settings.LOGIN_REDIRECT_URL)

    def get_client_ip(self, request: HttpRequest) -> str:
        return address_of(request)

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        return not stepup.is_recent(self.request, now=timezone.now())

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        """Our pages say themselves what was done."""

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """Who is told of what is said by people/second_factor.py."""


class SecondFactorAdapter(DefaultMFAAdapter):
    def encrypt(self, text: str) -> str:
        return sealing.seal(text)

    def decrypt(self, encrypted_text: str) -> str:
        return sealing.open(encrypted_text)

    def get_totp_issuer(self) -> str:
        return "Burnline"

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """Passkeys belong to the name of the public address; where that is a number, to the name that was asked for, as
        localhost is on the machine itself."""
        public = urlsplit(settings.ENV.public_url).hostname or ""
        asked: str = super().get_public_key_credential_rp_entity()["id"]
        return {"id": asked if _is_number(public) else public, "name": "Burnline"}


def _is_number(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
