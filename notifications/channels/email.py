"""E-mail, by the mail server that the installation is given."""

from __future__ import annotations

import hashlib
import re
import smtplib
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from email.utils import format_datetime, parseaddr
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

import dj_email_url
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.smtp import EmailBackend
from django.core.validators import validate_email
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from common.errors import Invalid
from common.text import shortened
from notifications.channels.contract import Action, Channel, Later, Never, Outcome, Outgoing, Sent, Target

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as StrOrPromise


TIMEOUT = 10.0  # seconds for each thing that we say to the server,
TOTAL = 30.0  # and for the whole conversation, however slowly it speaks
SUBJECT = 200
HIGH = {"X-Priority": "1", "Importance": "high"}


class Email(Channel):
    kind: ClassVar[str] = "email"
    label: ClassVar[StrOrPromise] = _lazy("E-mail")
    address_label: ClassVar[StrOrPromise] = _lazy("E-mail address")
    address_example: ClassVar[str] = "alice@example.com"
    address_is_secret: ClassVar[bool] = False

    def usable(self) -> bool:
        return bool(settings.ENV.smtp_url)

    def check(self, address: str) -> str:
        local, __, domain = address.strip().rpartition("@")
        address = f"{local}@{domain.lower()}"
        try:
            validate_email(address)
        except ValidationError:
            raise Invalid(_("This is not an e-mail address.")) from None
        return address

    def lane(self, address: str) -> str:
        return f"email:{_server(settings.ENV.smtp_url).host}" if settings.ENV.smtp_url else "email:"

    def masked(self, address: str) -> str:
        return address

    def send(self, message: Outgoing, target: Target) -> Outcome:
        if not settings.ENV.smtp_url:
            return Never("This installation has no mail server.")
        try:
            mail = _mail(message, self.check(target.address))
        except Invalid as exc:
            return Never(str(exc))
        server = _server(settings.ENV.smtp_url)
        try:
            mail.connection = server.backend()
            mail.send()
        except (smtplib.SMTPException, OSError) as exc:
            return _refused(exc, server.host)
        return Sent(f"{server.host} took it.")


def _mail(message: Outgoing, to: str) -> EmailMultiAlternatives:
    """The mail, the same in each copy. Its headers are of one line, whatever the message holds."""
    sender = settings.ENV.mail_from
    domain = parseaddr(sender)[1].rpartition("@")[2] or "burnline.localhost"
    headers = {
        "Message-ID": f"<{hashlib.sha256(message.key.encode()).hexdigest()[:40]}@{domain}>",
        "Date": format_datetime(message.at),
        "X-Burnline-Key": message.wire_key,
        "Auto-Submitted": "auto-generated",
        **(HIGH if message.priority == "urgent" else {}),
    }
    links = message.links
    text = message.text.strip()
    lines = [f"{label}: {url}" for label, url in links if url not in text]
    mail = EmailMultiAlternatives(
        subject=shortened(_one_line(message.subject), SUBJECT),
        body="\n\n".join(filter(None, [text, "\n".join(lines)])) + "\n",
        from_email=sender,
        to=[to],
        headers=headers,
    )
    mail.attach_alternative(_html(text, links, message.language), "text/html")
    return mail


def _html(text: str, links: tuple[Action, ...], language: str) -> str:
    paragraphs = format_html_join("", '<p style="white-space:pre-line">{}</p>', ((p,) for p in text.split("\n\n") if p))
    anchors = format_html_join(
        " · ",
        '<a href="{}">{}</a>',
        ((url, label) for label, url in links if url.startswith(("http://", "https://"))),
    )
    return format_html('<!doctype html><html lang="{}"><body>{}<p>{}</p></body></html>', language, paragraphs, anchors)


def _one_line(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text)


def _refused(exc: smtplib.SMTPException | OSError, host: str) -> Outcome:
    """A 5xx to the recipient or to the mail is for good. Faults of the server or of our login may be mended."""
    code, said = 0, b""
    if isinstance(exc, smtplib.SMTPRecipientsRefused):
        code, said = next(iter(exc.recipients.values()))
    elif isinstance(exc, (smtplib.SMTPDataError, smtplib.SMTPSenderRefused)):
        code, said = exc.smtp_code, exc.smtp_error if isinstance(exc.smtp_error, bytes) else exc.smtp_error.encode()
    if code:
        reason = shortened(f"{host} answered {code} {_one_line(said.decode(errors='replace'))}", 200)
        return Never(reason) if code >= 500 else Later(reason)
    if isinstance(exc, smtplib.SMTPAuthenticationError):
        return Later(f"{host} does not take the login of this installation.")
    if isinstance(exc, TimeoutError) or isinstance(exc.__context__, TimeoutError):  # smtplib calls some a disconnection
        return Later(f"{host} took longer than {TIMEOUT:g} seconds.")
    return Later(f"{host} cannot be used: {type(exc).__name__}.")


class _Ends(smtplib.SMTP):
    """A conversation that is broken off after TOTAL."""

    def connect(self, host: str = "localhost", port: int = 0, source_address: Any = None) -> tuple[int, bytes]:
        self._end = threading.Timer(TOTAL, self._break_off)
        self._end.daemon = True
        self._end.start()
        try:
            return super().connect(host, port, source_address)
        except BaseException:
            self._end.cancel()
            raise

    def close(self) -> None:
        self._end.cancel()
        super().close()

    def _break_off(self) -> None:
        if self.sock is not None:
            with suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)


class _EndsOverTls(_Ends, smtplib.SMTP_SSL):
    pass


class _Backend(EmailBackend):
    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return _EndsOverTls if self.use_ssl else _Ends


@dataclass(frozen=True)
class _Server:
    host: str
    port: int
    user: str
    password: str
    is_tls: bool  # from the first byte,
    starts_tls: bool  # or after a word

    def backend(self) -> EmailBackend:
        return _Backend(
            host=self.host,
            port=self.port,
            username=self.user,
            password=self.password,
            use_ssl=self.is_tls,
            use_tls=self.starts_tls,
            timeout=TIMEOUT,
        )


@lru_cache(maxsize=4)
def _server(url: str) -> _Server:
    """smtp://, smtp+tls:// (STARTTLS), smtps:// and smtp+ssl:// (TLS at once); ?tls=true and ?ssl=true say the same."""
    scheme, _, rest = url.partition("://")
    read = dj_email_url.parse(f"smtp://{rest}")
    is_tls = read["EMAIL_USE_SSL"] or (scheme in ("smtps", "smtp+ssl") and not read["EMAIL_USE_TLS"])
    starts_tls = not is_tls and (read["EMAIL_USE_TLS"] or scheme in ("smtp+tls", "smtp+starttls"))
    usual = 465 if is_tls else 587 if starts_tls else 25
    return _Server(
        host=read["EMAIL_HOST"],
        port=urlsplit(f"smtp://{rest}").port or usual,
        user=read["EMAIL_HOST_USER"] or "",
        password=read["EMAIL_HOST_PASSWORD"] or "",
        is_tls=is_tls,
        starts_tls=starts_tls,
    )
