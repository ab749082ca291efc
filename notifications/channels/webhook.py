"""Any program that takes JSON, signed as Standard Webhooks has it: https://www.standardwebhooks.com."""

from __future__ import annotations

import base64
import binascii
import secrets
from typing import TYPE_CHECKING, Any, ClassVar

import orjson
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from standardwebhooks import Webhook as Signer

from common.errors import Invalid
from notifications.channels import posting
from notifications.channels.contract import Never, Outcome, Outgoing, Target

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as StrOrPromise


PREFIX = "whsec_"


class Webhook(posting.HttpChannel):
    """A 2xx is a yes, whatever its body."""

    kind: ClassVar[str] = "webhook"
    label: ClassVar[StrOrPromise] = _lazy("Webhook")
    address_label: ClassVar[StrOrPromise] = _lazy("URL")
    address_example: ClassVar[str] = "https://example.com/burnline"
    address_help: ClassVar[StrOrPromise] = _lazy("It gets a POST with JSON for each message.")
    secret_label: ClassVar[StrOrPromise] = _lazy("Signing secret")
    secret_help: ClassVar[StrOrPromise] = _lazy("Each message is signed with it, as Standard Webhooks has it.")
    makes_secret: ClassVar[bool] = True

    def new_secret(self) -> str:
        return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()

    def check_secret(self, secret: str) -> str:
        try:
            key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
        except binascii.Error:
            key = b""
        if not secret.startswith(PREFIX) or not 24 <= len(key) <= 64:
            raise Invalid(_("A signing secret is whsec_ with 24 to 64 bytes in Base64."))
        return secret

    def send(self, message: Outgoing, target: Target) -> Outcome:
        try:
            signer = Signer(self.check_secret(target.secret))
        except Invalid:
            return Never("The signing secret cannot be used. Make a new one.")
        now = timezone.now()
        body = orjson.dumps(payload(message))
        signed = {
            "webhook-id": message.wire_key,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signer.sign(message.wire_key, now, body.decode()),
        }
        return posting.post(message, target.address, body, signed)


def payload(message: Outgoing) -> dict[str, Any]:
    return {
        "type": f"burnline.{message.kind}",
        "timestamp": message.at,
        "data": {
            "key": message.key,
            "subject": message.subject,
            "text": message.text,
            "url": message.url,
            "priority": message.priority,
            "actions": [{"label": label, "url": url} for label, url in message.actions],
        },
    }
