"""Whom a text names."""

from __future__ import annotations

import pytest

from common import markdown
from people import mentions
from people.models import Team, User
from tests import make


def named(text: str) -> list[str]:
    return sorted(user.email for user in mentions.mentioned(markdown.render(text)))


@pytest.fixture(autouse=True)
def _people(alice: User, bob: User, payments: Team) -> None:
    make.user("Ana Maria", {payments: "responder"})


@pytest.mark.parametrize(
    "text",
    [
        "@alice look",
        "look @alice",
        "look, @Alice!",
        "(@alice)",
        "@alice: look",
        "@alice's query",
        "**@alice**",
        "- one\n    - @alice has it",
        "@alice.",
        "@alice@example.com",
        "@alice@example.com.",
        "@ALICE@example.com @alice",
    ],
)
def test_somebody_is_named_by_the_start_of_their_address_or_all_of_it(text: str) -> None:
    assert named(text) == ["alice@example.com"]


@pytest.mark.parametrize(
    "text",
    [
        "alice",
        "mail to alice@example.com",
        "@alicia",
        "@alice@example.org",
        "`@alice`",
        "``x @alice``",
        "```\n@alice\n```",
        "~~~\n@alice\n~~~",
        "text\n\n    @alice",
        "https://example.com/@alice",
        "@",
        "@@alice",
    ],
)
def test_what_only_looks_like_it_and_what_is_code_names_nobody(text: str) -> None:
    assert named(text) == []


def test_several_are_named_each_once() -> None:
    assert named("@bob and @alice, and @ana.maria and again @bob") == [
        "alice@example.com",
        "ana.maria@example.com",
        "bob@example.com",
    ]


def test_whose_start_several_have_is_named_in_full(alice: User) -> None:
    other = User.objects.create_user("alice@example.org", "Another Alice")

    assert named("@alice") == []
    assert named("@alice@example.org") == [other.email]


def test_who_has_left_is_not_named_and_leaves_the_name_to_others(alice: User) -> None:
    other = User.objects.create_user("alice@example.org", "Another Alice")
    User.objects.filter(pk=alice.pk).update(is_active=False)

    assert named("@alice") == [other.email]
    assert named("@alice@example.com") == []


def test_a_text_names_no_more_than_twenty() -> None:
    assert len(mentions._names(markdown.render(" ".join(f"@p{number}" for number in range(500))))) == mentions.MOST
