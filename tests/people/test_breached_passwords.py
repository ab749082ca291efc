"""Which passwords are taken, and which attackers have too."""

from __future__ import annotations

from hashlib import sha1
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from common.errors import Invalid
from people import passwords
from people.models import User
from tests.make import PASSWORD


@pytest.mark.parametrize(
    "password",
    [
        "password1234",
        "Password2026!",
        "P@ssw0rd2026!!",
        "!!1qaz2wsx3edc",
        "qwertyuiop123",
        "Summer2026Summer2026",
        "letmein-letmein",
        "monkeymonkeymonkey",
        "dragon_dragon_99",
        "ILOVEYOU-iloveyou",
        "Burnline2026!",
        "1234567890123456",
        "1ncident2026",
        "footballpassword",
        "short",
        "elevenchars",
    ],
)
def test_what_attackers_try_first_is_refused_however_it_was_made_longer(db: None, password: str) -> None:
    with pytest.raises(Invalid):
        passwords.check(password)


@pytest.mark.parametrize(
    "password",
    [
        PASSWORD,
        "four quiet words here",
        "kq7-vvx-29p-ttm",
        "Ünïcödé ist erlaubt 雪",
        "with spaces at the end   ",
        "x9" * 3 + "-long-" * 20,
        "sixty-four characters and more are no trouble for anybody at all, are they?",
    ],
)
def test_long_ones_that_nobody_knows_are_taken(db: None, password: str) -> None:
    passwords.check(password)


def test_nobody_takes_their_own_name_or_address(alice: User) -> None:
    alice.email, alice.name = "alexandra.petrov@example.com", "Alexandra Petrov"

    for password in ("alexandra.petrov", "Alexandra Petrov1", "alexandra.petrov@example.com"):
        with pytest.raises(Invalid):
            passwords.check(password, alice)


@pytest.mark.parametrize("count", [1, 2, 3, 1000])
def test_the_whole_of_haveibeenpwned_may_be_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, db: None, count: int
) -> None:
    known = [f"some words nobody else has {number}" for number in range(count)]
    lines = sorted(f"{sha1(each.encode(), usedforsecurity=False).hexdigest().upper()}:{7}" for each in known)
    path = tmp_path / "pwned.txt"
    path.write_text("\r\n".join(lines) + "\r\n")
    monkeypatch.setattr(settings, "ENV", settings.ENV.model_copy(update={"breached_passwords": path}))

    for each in known:
        with pytest.raises(Invalid):
            passwords.check(each)
    for number in range(100):
        passwords.check(f"some words that are in no breach {number}")


def test_the_account_page_says_why_and_changes_nothing(client: Client, alice: User) -> None:
    client.force_login(alice)

    answer = client.post("/account/password/", {"old_password": PASSWORD, "new_password": "Password2026!"})

    assert answer.status_code == 422
    assert "data breaches" in answer.content.decode()
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)
