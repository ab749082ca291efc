"""What cannot be an address of a channel is told at once, without asking anybody."""

from __future__ import annotations

import socket

import pytest

from common.errors import Invalid
from notifications.channels import CHANNELS


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def touched(*args: object, **kwargs: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", touched)
    monkeypatch.setattr(socket.socket, "connect", touched)


URLS = [
    "",
    "hooks.slack.com/services/x",
    "ftp://example.com/x",
    "javascript:alert(1)",
    "https://",
    "https://user:pass@example.com/x",
    "https://127.0.0.1/x",
    "https://[::1]/x",
    "https://2130706433/x",
    "https://0x7f.1/x",
    "https://169.254.169.254/latest",
    "https://exämple.com/x",
    "https://example.com./x",
    "https://example.com/x\r\nHost: y",
    "https://example.com/a b",
    "https://example.com/" + "x" * 3000,
]
WRONG = [
    *(("slack", url) for url in [*URLS, "https://hooks.slack.com", "https://hooks.slack.com/"]),
    *(("teams", url) for url in URLS),
    *(("webhook", url) for url in URLS),
    *(
        ("ntfy", url)
        for url in [*URLS, "https://ntfy.sh", "https://ntfy.sh/", "https://ntfy.sh/a/b", "https://ntfy.sh/a?b"]
    ),
    ("ntfy", "https://ntfy.sh/" + "a" * 65),
    ("ntfy", "https://ntfy.sh/töpic"),
    *(
        ("email", address)
        for address in [
            "",
            "alice",
            "@example.com",
            "alice@",
            "alice@example.com\nBcc: bob@example.com",
            "alice@example.com,bob@example.com",
            "Alice <alice@example.com>",
            "alice@example.com bob@example.com",
            "alice@exam ple.com",
            "alice\x00@example.com",
            '"a\nb"@example.com',
        ]
    ),
]


@pytest.mark.parametrize(("kind", "address"), WRONG, ids=range(len(WRONG)))
def test_what_is_no_address_is_told_in_plain_words(kind: str, address: str) -> None:
    with pytest.raises(Invalid) as refusal:
        CHANNELS[kind].check(address)

    assert refusal.value.message.endswith(".")
    assert len(refusal.value.message) < 160


@pytest.mark.parametrize(
    ("kind", "secret"),
    [
        ("slack", "x"),
        ("teams", "x"),
        ("email", "x"),
        ("ntfy", "tk_a b"),
        ("ntfy", "tk_a\r\nX: y"),
        ("ntfy", "ключ"),
        ("ntfy", "x" * 201),
        ("webhook", ""),
        ("webhook", "hello"),
        ("webhook", "whsec_c2hvcnQ="),
    ],
)
def test_what_is_no_secret_is_told_without_repeating_it(kind: str, secret: str) -> None:
    with pytest.raises(Invalid) as refusal:
        CHANNELS[kind].check_secret(secret)

    assert len(secret) < 4 or secret not in refusal.value.message
