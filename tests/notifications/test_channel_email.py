"""E-mail against a mail server on this machine: one mail each, whatever is in it, and what its answers mean."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from pytest_django.fixtures import Settings

from notifications.channels import CHANNELS, Action, Later, Never, Outgoing, Sent, Target, email
from tests import providers
from tests.providers import MailProvider

EMAIL = CHANNELS["email"]
ALICE = Target("alice@example.com")
MESSAGE = Outgoing(
    key="incident:42:asked:7",
    subject="SEV1: Checkout is slow — INC-42",
    text="Alice asks you to join.\n\n<script>alert('&')</script>\n.\nFrom here on",
    url="https://burnline.example/incidents/42/",
    at=datetime(2026, 11, 22, 3, 7, 9, tzinfo=UTC),
    actions=(Action("I'm in", "https://burnline.example/answers/1/?a=b&c=d"),),
)


@pytest.fixture
def server(settings: Settings) -> Iterator[MailProvider]:
    with providers.smtp() as server:
        settings.ENV = settings.ENV.model_copy(
            update={"smtp_url": server.url(), "mail_from": "Burnline <burnline@ops.example.com>"}
        )
        yield server


def part(mail: EmailMessage, kind: str) -> str:
    found = mail.get_body((kind,))
    assert isinstance(found, EmailMessage)
    return str(found.get_content())


def test_a_mail_has_its_words_as_text_and_as_html(server: MailProvider) -> None:
    assert EMAIL.send(MESSAGE, ALICE) == Sent("127.0.0.1 took it.")

    (sent,) = server.mails
    assert (sent.sender, sent.to) == ("burnline@ops.example.com", ("alice@example.com",))
    mail = sent.message
    assert mail["Subject"] == MESSAGE.subject
    assert mail["From"] == "Burnline <burnline@ops.example.com>"
    assert mail["To"] == "alice@example.com"
    assert mail["Date"].datetime == MESSAGE.at
    assert mail["Auto-Submitted"] == "auto-generated"
    text = part(mail, "plain").replace("\r\n", "\n")
    assert text.startswith(MESSAGE.text)
    assert "I'm in: https://burnline.example/answers/1/?a=b&c=d" in text
    assert "Open in Burnline: https://burnline.example/incidents/42/" in text
    html = part(mail, "html")
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert '<a href="https://burnline.example/answers/1/?a=b&amp;c=d">I&#x27;m in</a> · <a href=' in html
    assert "&amp;nbsp;" not in html


def test_each_copy_is_the_same_mail(server: MailProvider) -> None:
    for key in (MESSAGE.key, MESSAGE.key, "another"):
        EMAIL.send(replace(MESSAGE, key=key), ALICE)

    first, second, another = (mail.message for mail in server.mails)
    assert first["Message-ID"] == second["Message-ID"] != another["Message-ID"]
    assert first["Message-ID"].endswith("@ops.example.com>")
    assert first["Date"] == second["Date"]
    assert first["X-Burnline-Key"] == MESSAGE.key


HOSTILE = [
    "a\nBcc: mallory@example.com",
    "a\r\nBcc: mallory@example.com\r\n\r\nAnother mail",
    "a\rBcc: mallory@example.com",
    "a\x0bBcc: mallory@example.com",
    "a\x0cBcc: x",
    "a\x85Bcc: x",
    "a\u2028Bcc: x",
    "a\x00b",
    "=?utf-8?q?a=0ABcc:_x?=",
    "\r\n.\r\nMAIL FROM:<mallory@example.com>",
    "ä" * 500 + "\nBcc: x",
    "",
]


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_nothing_in_a_message_adds_a_header_a_recipient_or_a_mail(hostile: str, server: MailProvider) -> None:
    message = replace(
        MESSAGE, key=hostile[:100], subject=hostile, text=hostile, actions=(Action(hostile, f"javascript:{hostile}"),)
    )

    assert EMAIL.send(message, ALICE) == Sent("127.0.0.1 took it.")

    (sent,) = server.mails
    assert sent.to == ("alice@example.com",)
    assert sorted(sent.message.keys()) == sorted(
        [
            "Content-Type",
            "MIME-Version",
            "Subject",
            "From",
            "To",
            "Message-ID",
            "Date",
            "X-Burnline-Key",
            "Auto-Submitted",
        ]
    )
    assert "javascript:" not in part(sent.message, "html")


@pytest.mark.parametrize("address", ["a@example.com\nBcc: b@example.com", "a@example.com, b@example.com", "a", ""])
def test_a_kept_address_that_is_none_gets_nothing(address: str, server: MailProvider) -> None:
    assert isinstance(EMAIL.send(MESSAGE, Target(address)), Never)
    assert server.mails == []


@pytest.mark.parametrize("step", ["RCPT", "DATA", "MAIL"])
@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ("550 5.1.1 No such user", Never),
        ("552 Mailbox full for good", Never),
        ("554 Rejected", Never),
        ("421 Closing", Later),
        ("450 4.2.1 Try again later", Later),
        ("451 Greylisted", Later),
        ("452 Mailbox full", Later),
    ],
)
def test_a_refusal_is_for_good_or_for_now_as_its_code_says(
    step: str, said: str, meaning: type, server: MailProvider
) -> None:
    server.refusals[step] = said

    outcome = EMAIL.send(MESSAGE, ALICE)

    assert isinstance(outcome, meaning)
    assert not isinstance(outcome, Sent)
    assert said[:3] in outcome.reason
    assert server.mails == []


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
def test_a_server_that_hangs_is_left_in_time(step: str, server: MailProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(email, "TIMEOUT", 0.3)
    server.hang_at = step
    begun = time.monotonic()

    outcome = EMAIL.send(MESSAGE, ALICE)

    assert time.monotonic() - begun < 4
    assert outcome == Later("127.0.0.1 took longer than 0.3 seconds.")


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
@pytest.mark.parametrize("words", [b"220 welcome" + b"." * 1000, b"220-and another line\r\n" * 100])
def test_a_server_that_drips_is_left_in_time(
    scheme: str, words: bytes, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(email, "TIMEOUT", 0.4)
    monkeypatch.setattr(email, "TOTAL", 0.8)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            line, _ = listener.accept()
            with line, suppress(OSError):
                for byte in words:
                    line.sendall(bytes([byte]))
                    time.sleep(0.05)

        threading.Thread(target=drip, daemon=True).start()
        settings.ENV = settings.ENV.model_copy(update={"smtp_url": f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"})
        begun = time.monotonic()

        outcome = EMAIL.send(MESSAGE, ALICE)

    assert isinstance(outcome, Later)
    assert time.monotonic() - begun < 3


def test_no_timer_is_left_behind(server: MailProvider, settings: Settings) -> None:
    for _ in range(3):
        EMAIL.send(MESSAGE, ALICE)
    settings.ENV = settings.ENV.model_copy(update={"smtp_url": "smtp://127.0.0.1:1"})
    EMAIL.send(MESSAGE, ALICE)

    time.sleep(0.05)
    assert not any(isinstance(thread, threading.Timer) for thread in threading.enumerate())


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
def test_a_connection_that_breaks_is_tried_later(step: str, server: MailProvider) -> None:
    server.close_at = step

    assert isinstance(EMAIL.send(MESSAGE, ALICE), Later)


def test_a_server_that_is_gone_is_tried_later(server: MailProvider, settings: Settings) -> None:
    settings.ENV = settings.ENV.model_copy(update={"smtp_url": "smtp://127.0.0.1:1"})

    assert EMAIL.send(MESSAGE, ALICE) == Later("127.0.0.1 cannot be used: ConnectionRefusedError.")


@pytest.mark.parametrize("behaviour", [providers.rubbish, providers.closed])
def test_what_is_no_mail_server_is_tried_later(behaviour: providers.Behaviour, settings: Settings) -> None:
    with providers.http() as other:
        other.behave(behaviour)
        settings.ENV = settings.ENV.model_copy(update={"smtp_url": f"smtp://127.0.0.1:{other.port}"})
        other.close()

        assert isinstance(EMAIL.send(MESSAGE, ALICE), Later)


@pytest.mark.parametrize("query", ["?tls=true", "?ssl=true"])
def test_tls_that_is_asked_for_is_not_left_out(query: str, server: MailProvider, settings: Settings) -> None:
    settings.ENV = settings.ENV.model_copy(update={"smtp_url": server.url(query)})

    assert isinstance(EMAIL.send(MESSAGE, ALICE), Later)
    assert server.mails == []


def test_a_password_is_in_no_outcome(
    server: MailProvider, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    url = server.url().replace("//", "//burnline:SECRET%40WORD@")
    settings.ENV = settings.ENV.model_copy(update={"smtp_url": url})

    outcome = EMAIL.send(MESSAGE, ALICE)

    assert isinstance(outcome, Later)
    assert "SECRET" not in repr(outcome) + caplog.text
    assert "SECRET" not in EMAIL.lane(ALICE.address)


@pytest.mark.parametrize(
    ("url", "host", "port", "is_tls", "starts_tls"),
    [
        ("smtp://mail.example.com", "mail.example.com", 25, False, False),
        ("smtp://mail.example.com:2525", "mail.example.com", 2525, False, False),
        ("smtp://mail.example.com?tls=true", "mail.example.com", 587, False, True),
        ("smtp://mail.example.com:25/?tls=true", "mail.example.com", 25, False, True),
        ("smtp+tls://mail.example.com", "mail.example.com", 587, False, True),
        ("smtp+starttls://mail.example.com", "mail.example.com", 587, False, True),
        ("smtps://mail.example.com", "mail.example.com", 465, True, False),
        ("smtp+ssl://mail.example.com:4650", "mail.example.com", 4650, True, False),
        ("smtps://a%40b:p%2Fw@mail.example.com", "mail.example.com", 465, True, False),
        ("smtp://[::1]:2525", "::1", 2525, False, False),
    ],
)
def test_the_mail_server_is_read_from_its_url(
    url: str, host: str, port: int, is_tls: bool, starts_tls: bool, settings: Settings
) -> None:
    settings.ENV = settings.ENV.model_copy(update={"smtp_url": url})

    server = email._server(url)
    assert (server.host, server.port, server.is_tls, server.starts_tls) == (host, port, is_tls, starts_tls)
    assert (server.user, server.password) == (("a@b", "p/w") if "@" in url else ("", ""))
    assert EMAIL.usable()
    assert EMAIL.lane("alice@example.com") == f"email:{host}"


def test_without_a_mail_server_nothing_is_mailed(settings: Settings) -> None:
    settings.ENV = settings.ENV.model_copy(update={"smtp_url": ""})

    assert not EMAIL.usable()
    assert EMAIL.send(MESSAGE, ALICE) == Never("This installation has no mail server.")


def test_an_address_is_kept_with_its_domain_in_small_letters() -> None:
    assert EMAIL.check(" Alice.B+x@Example.COM ") == "Alice.B+x@example.com"
    assert EMAIL.masked("alice@example.com") == "alice@example.com"
