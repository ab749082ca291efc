"""REST of timelines and responders."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from people.models import Team, Token, User
from tests import make
from tests.conftest import Api


def test_entries_are_read_oldest_first_or_newest(api: Api, alice: User, payments: Team) -> None:
    incident = make.incident(payments)
    client = api(alice)
    address = f"/api/v1/incidents/{incident.number}/timeline/"
    for word in ("one", "two"):
        client.post(address, {"kind": "observation", "text": word})

    oldest = client.get(address).json()["results"]
    newest = client.get(f"{address}?ordering=-seq&page_size=1").json()

    assert [each["seq"] for each in oldest] == [1, 2, 3]
    assert [each["seq"] for each in newest["results"]] == [3]
    assert client.get(newest["next"]).json()["results"][0]["seq"] == 2
    assert [each["text"] for each in client.get(f"{address}?kind=observation&after=2").json()["results"]] == ["two"]
    assert set(oldest[0]) == {
        *("seq", "at", "recorded_at", "kind", "actor", "text", "html", "data", "key", "amends", "hash")
    }
    assert oldest[0]["actor"] == {"type": "system", "id": None, "name": "Burnline"}
    token = Token.objects.get()
    assert oldest[1]["actor"] == {"type": "bot", "id": token.pk, "name": token.name}
    assert oldest[0]["key"] is None


def test_an_entry_under_a_key_is_written_once(api: Api, alice: User, payments: Team) -> None:
    incident = make.incident(payments)
    client = api(alice)
    address = f"/api/v1/incidents/{incident.number}/timeline/"
    entry = {"kind": "decision", "text": "Roll **back**", "key": "deploy-7"}

    first, second = client.post(address, entry), client.post(address, entry)

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert first.json()["html"] == "<p>Roll <strong>back</strong></p>"
    assert first.json()["key"] == "deploy-7"
    assert incident.entries.filter(kind="decision").count() == 1


def test_a_program_stars_an_entry_and_takes_the_star_back(api: Api, alice: User, payments: Team) -> None:
    incident = make.incident(payments)
    client = api(alice)
    address = f"/api/v1/incidents/{incident.number}/timeline/"

    starred = [client.post(f"{address}1/mark/", sent) for sent in ({}, {"marked": True}, {"marked": False})]

    assert [each.status_code for each in starred] == [200, 200, 200]
    assert starred[0].json()["seq"] == 1
    marks = [each for each in client.get(address).json()["results"] if each["kind"] == "marked"]
    assert [(each["amends"], each["data"]) for each in marks] == [(1, {"marked": True}), (1, {"marked": False})]
    assert [client.post(f"{address}{seq}/mark/").status_code for seq in (2, 99, 10**12)] == [404, 404, 404]


def test_markup_in_an_entry_shows_as_text(api: Api, alice: User, payments: Team) -> None:
    incident = make.incident(payments)

    answer = api(alice).post(
        f"/api/v1/incidents/{incident.number}/timeline/", {"kind": "note", "text": "<script>alert(1)</script>"}
    )

    assert "<script" not in answer.json()["html"]
    assert "&lt;script&gt;" in answer.json()["html"]


def test_a_correction_is_another_entry(api: Api, alice: User, payments: Team) -> None:
    incident = make.incident(payments)
    client = api(alice)
    address = f"/api/v1/incidents/{incident.number}/timeline/"
    wrong = client.post(address, {"kind": "note", "text": "At 9:00"}).json()["seq"]

    right = client.post(address, {"kind": "note", "text": "At 9:30", "amends": wrong})
    of_the_system = client.post(address, {"kind": "note", "text": "x", "amends": 1})

    assert (right.status_code, right.json()["amends"]) == (201, wrong)
    assert of_the_system.status_code == 422


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        ({"kind": "opened", "text": "x"}, "kind"),
        ({"kind": "note", "text": " "}, "text"),
        ({"kind": "note"}, "text"),
        ({"kind": "note", "text": "x", "at": "2199-01-01T00:00:00Z"}, "at"),
        ({"kind": "note", "text": "x", "at": "soon"}, "at"),
        ({"kind": "note", "text": "x", "key": "k" * 201}, "key"),
        ({"kind": "note", "text": {"x": 1}}, "text"),
        ({"kind": "note", "text": "x", "actor": "somebody else"}, "actor"),
    ],
)
def test_an_entry_that_cannot_be_used(api: Api, alice: User, payments: Team, entry: Any, field: str) -> None:
    incident = make.incident(payments)

    answer = api(alice).post(f"/api/v1/incidents/{incident.number}/timeline/", entry)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field
    assert incident.entries.count() == 1


def test_what_no_database_holds_is_replaced(api: Api, alice: User, payments: Team) -> None:
    incident = make.incident(payments)

    answer = api(alice).generic(
        "POST",
        f"/api/v1/incidents/{incident.number}/timeline/",
        rb'{"kind": "note", "text": "a\u0000b\ud83dc", "key": "\u0000"}',  # type: ignore[arg-type]
        content_type="application/json",
    )

    assert answer.status_code == 201
    assert answer.json()["text"] == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c"


def test_when_it_happened_is_not_when_it_was_written_down(api: Api, alice: User, payments: Team) -> None:
    incident = make.incident(payments)
    before = timezone.now() - timedelta(hours=1)

    entry = api(alice).post(
        f"/api/v1/incidents/{incident.number}/timeline/", {"kind": "note", "text": "x", "at": before.isoformat()}
    ).json()  # fmt: skip

    assert entry["at"] == before.isoformat().replace("+00:00", "Z")
    assert entry["recorded_at"] > entry["at"]


# Responders


def test_one_joins_oneself_and_asks_others(api: Api, alice: User, bob: User, payments: Team) -> None:
    incident = make.incident(payments)
    client = api(alice)
    address = f"/api/v1/incidents/{incident.number}/responders/"

    joined = client.post(address, {"user": alice.pk, "role": "data_scientist"})
    asked = client.post(address, {"user": bob.pk, "role": "commander", "discipline": "ml_engineering"})
    again = client.post(address, {"user": bob.pk})

    assert (joined.status_code, asked.status_code, again.status_code) == (201, 201, 200)
    assert joined.json()["user"] == {"id": alice.pk, "name": "Alice"}
    assert (joined.json()["state"], joined.json()["role"]) == ("joined", "data_scientist")
    assert joined.json()["discipline"] == "data_science"
    assert (asked.json()["state"], asked.json()["role"]) == ("asked", "commander")
    assert asked.json()["discipline"] == "ml_engineering"
    listed = client.get(address).json()["results"]
    assert listed == [joined.json(), asked.json()]
    assert set(listed[0]) == {"id", "user", "role", "discipline", "state", "asked_at", "joined_at", "left_at"}


def test_roles_end_with_who_leaves(api: Api, alice: User, payments: Team) -> None:
    incident = make.incident(payments)
    client = api(alice)
    address = f"/api/v1/incidents/{incident.number}/responders/"
    pk = client.post(address, {"user": alice.pk, "role": "commander"}).json()["id"]

    left = client.post(f"{address}{pk}/leave/")
    again = client.post(f"{address}{pk}/leave/")

    assert (left.status_code, left.json()["state"], left.json()["role"]) == (200, "left", None)
    assert again.json() == left.json()
    assert client.get(f"/api/v1/incidents/{incident.number}/").json()["commander"] is None


def test_who_cannot_respond_is_not_asked(api: Api, alice: User, victor: User, payments: Team) -> None:
    incident = make.incident(payments)
    address = f"/api/v1/incidents/{incident.number}/responders/"

    for sent in ({"user": victor.pk}, {"user": 10**12}, {"user": alice.pk, "role": "king"}, {}):
        assert api(alice).post(address, sent).status_code == 422
    assert api(victor).post(address, {"user": victor.pk}).status_code == 403
    assert not incident.responders.exists()


def test_a_responder_is_one_of_this_incident(api: Api, alice: User, payments: Team) -> None:
    here, there = make.incident(payments, by=alice), make.incident(payments)
    pk = here.responders.get().pk

    assert api(alice).post(f"/api/v1/incidents/{there.number}/responders/{pk}/leave/").status_code == 404
