"""What the audit log shows: sentences, what changed, filters that are addresses, and all of it as lines of JSON."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import translation

from people import audit, audit_words, directory
from people.audit import Action
from people.models import AuditEvent, Team, User
from tests import make
from tests.make import NOW


@pytest.fixture
def signed_in(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def page(client: Client, query: str = "", status: int = 200) -> str:
    response = client.get(f"/settings/audit/{query}")
    assert response.status_code == status
    return response.content.decode()


def exported(client: Client, query: str = "") -> list[dict[str, Any]]:
    response = client.get(f"/settings/audit/export.jsonl{query}")
    assert response.status_code == 200
    return [json.loads(line) for line in b"".join(response.streaming_content).splitlines()]  # type: ignore[attr-defined]


@pytest.fixture
def alicia(admin: User, alice: User, payments: Team) -> User:
    """Alice, whom an administrator made a manager."""
    by = make.person(admin)
    directory.change_user(alice, {"name": "Alicia <b>"}, by=by, now=NOW, memberships={payments: "manager"})
    return alice


@pytest.mark.parametrize("path", ["/settings/audit/", "/settings/audit/export.jsonl"])
def test_it_is_for_administrators(client: Client, bob: User, path: str) -> None:
    client.force_login(bob)

    assert client.get(path).status_code == 403


def test_an_event_is_a_sentence_with_what_changed(signed_in: Client, alicia: User) -> None:
    text = page(signed_in)

    assert (
        '<b dir="auto" translate="no">Admin</b> changed what <b dir="auto" translate="no">Alicia &lt;b&gt;</b> may do'
        in text
    )
    assert "in the team Payments" in text
    assert '<del dir="auto" translate="no">responder</del>' in text
    assert '<ins dir="auto" translate="no">manager</ins>' in text
    assert f'href="/settings/people/{alicia.pk}/"' in text


def test_every_act_has_a_sentence(db: None) -> None:
    assert set(audit_words._SENTENCES) == set(Action)


def test_a_code_of_another_version_still_shows(signed_in: Client) -> None:
    event = AuditEvent(action="gone.by", object_name="Thing <i>", actor_name="x", actor_type="user")

    assert audit_words.sentence(event) == 'gone.by: <b dir="auto" translate="no">Thing &lt;i&gt;</b>'


def test_what_one_does_to_oneself_reads_so(alice: User) -> None:
    directory.change_user(alice, {"name": "Al"}, by=make.person(alice), now=NOW)

    with translation.override("en"):
        said = audit_words.sentence(AuditEvent.objects.latest("seq"))

    assert said == '<b dir="auto" translate="no">Alice</b> changed their account'


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("?q=alicia manager", ["person.role_changed"]),
        ("?action=person.changed", ["person.changed"]),
        ("?action=person.changed,person.role_changed", ["person.role_changed", "person.changed"]),
        ("?object=user:{alice}", ["person.role_changed", "person.changed", "person.added"]),
        ("?object=team", ["team.added"]),
        ("?actor={admin}", ["person.role_changed", "person.changed"]),
        ("?actor_type=system&action=team.added", ["team.added"]),
        ("?address=192.0.2.1", []),
        ("?after=2026-03-03", []),
        ("?before=2026-03-01", []),
        ("?after=2026-03-02&before=2026-03-02&object=team", ["team.added"]),
    ],
)
def test_the_address_says_what_is_shown(
    signed_in: Client, api: Any, admin: User, alicia: User, query: str, shown: list[str]
) -> None:
    asked = query.format(alice=alicia.pk, admin=admin.pk)
    seen = AuditEvent.objects.latest("seq").seq
    client = api(admin)

    text = page(signed_in, asked)
    listed = client.get(f"/api/v1/audit/{asked}").json()["results"]
    lines = exported(signed_in, asked)

    assert [event["action"] for event in listed if event["seq"] <= seen] == shown
    assert [event["action"] for event in reversed(lines) if event["seq"] <= seen] == shown
    assert text.count('class="audit-event"') == len(listed)
    assert ("Nothing of this kind happened" in text) == (not listed)


def test_what_cannot_be_looked_for_is_said(signed_in: Client) -> None:
    assert "Write a moment" in page(signed_in, "?after=yesterday", 422)
    assert signed_in.get("/settings/audit/export.jsonl?after=yesterday").status_code == 422


def test_old_events_are_pages_away(signed_in: Client, admin: User, payments: Team) -> None:
    for n in range(60):
        directory.change(payments, {"name": f"Payments {n}"}, by=make.person(admin), now=NOW + timedelta(minutes=n))

    text = page(signed_in, "?object=team:payments")

    assert text.count('class="audit-event"') == 50
    assert 'rel="next"' in text


def test_an_export_is_whole_ends_in_itself_and_verifies(signed_in: Client, admin: User, alicia: User) -> None:
    lines = exported(signed_in)

    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert (lines[-1]["action"], lines[-1]["actor"]["user"]) == ("list.exported", admin.pk)
    assert [line["previous_hash"] for line in lines[1:]] == [line["hash"] for line in lines[:-1]]
    assert lines[0]["previous_hash"] == audit.GENESIS
    assert audit.verify() is None


def test_a_page_costs_the_same_however_much_it_shows(
    signed_in: Client, admin: User, payments: Team, django_assert_max_num_queries: Any
) -> None:
    token, _ = make.token(admin, ["admin"])
    for n in range(30):
        directory.change(payments, {"name": f"Payments {n}"}, by=make.bot(token), now=NOW)

    with django_assert_max_num_queries(6):
        page(signed_in)
