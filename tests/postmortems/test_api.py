"""Postmortems and action items over REST."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from incidents import timeline
from incidents.models import Entry, Incident
from people.models import Team, User
from postmortems import drafting, items, template
from postmortems.models import Postmortem, Revision
from tests import make
from tests.conftest import Api
from tests.make import NOW, person

ROOT = "/api/v1"


def test_the_first_who_asks_begins_it_and_the_next_reads_it(api: Api, incident: Incident, alice: User) -> None:
    first = api(alice).post(f"{ROOT}/incidents/{incident.number}/postmortem/")
    again = api(alice).post(f"{ROOT}/incidents/{incident.number}/postmortem/")

    assert (first.status_code, again.status_code) == (201, 200)
    body = first.json()
    assert (body["number"], body["incident"], body["status"]) == (incident.number, incident.number, "draft")
    assert body["owner"] is None  # a program asked
    assert body["url"].endswith(f"/postmortems/{incident.number}/")
    assert [section["key"] for section in body["sections"]] == [part.key for part in template.DEFAULT]
    assert {"state", "required", "version", "markdown", "html", "evidence", "title"} <= set(body["sections"][0])
    assert {
        key: value for key, value in next(g for g in body["gaps"] if g["code"] == "no_slo").items() if key != "message"
    } == {"code": "no_slo", "section": "impact", "required": False}
    assert again.json()["sections"] == body["sections"]
    assert first.headers["ETag"] == f'"{body["version"]}"'


def test_a_section_is_changed_by_who_has_seen_it(api: Api, postmortem: Postmortem, alice: User) -> None:
    address = f"{ROOT}/postmortems/{postmortem.number}/sections/trigger/"
    client = api(alice)

    assert client.patch(address, {"markdown": "A deploy."}).status_code == 428
    saved = client.patch(address, {"markdown": "A deploy."}, headers={"If-Match": '"1"'})
    lost = client.patch(address, {"markdown": "Another."}, headers={"If-Match": '"1"'})

    assert (saved.status_code, saved.json()["version"], saved.headers["ETag"]) == (200, 2, '"2"')
    assert (saved.json()["state"], saved.json()["html"]) == ("edited", "<p>A deploy.</p>")
    assert (lost.status_code, lost.headers["Content-Type"]) == (412, "application/problem+json")
    assert lost.json()["current"]["markdown"] == "A deploy."
    assert lost.json()["current"]["version"] == 2
    assert lost.json()["yours"]["markdown"] == "Another."
    assert client.get(address).json()["markdown"] == "A deploy."
    assert Revision.objects.get(is_conflict=True).markdown == "Another."


def test_a_text_is_kept_as_it_was_typed(api: Api, postmortem: Postmortem, alice: User) -> None:
    address = f"{ROOT}/postmortems/{postmortem.number}/sections/trigger/"

    saved = api(alice).patch(address, {"markdown": "    code\n\ntext  \n"}, headers={"If-Match": '"1"'})

    assert saved.json()["markdown"] == "    code\n\ntext  \n"


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 422), ({"markdown": None}, 422), ({"markdown": 7.5, "x": 1}, 422), ({"markdown": "é" * 40000}, 422)],
)
def test_a_section_takes_text_only(api: Api, postmortem: Postmortem, alice: User, body: Any, status: int) -> None:
    address = f"{ROOT}/postmortems/{postmortem.number}/sections/trigger/"

    answer = api(alice).patch(address, body, headers={"If-Match": '"1"'})

    assert answer.status_code == status
    assert answer.json()["code"] == "invalid"


def test_an_unknown_section_is_not_there(api: Api, postmortem: Postmortem, alice: User) -> None:
    address = f"{ROOT}/postmortems/{postmortem.number}/sections/nonsense/"

    assert api(alice).get(address).status_code == 404
    assert api(alice).patch(address, {"markdown": "x"}, headers={"If-Match": '"1"'}).status_code == 404


def test_revisions_can_be_read_by_section(api: Api, postmortem: Postmortem, alice: User) -> None:
    client = api(alice)
    client.patch(
        f"{ROOT}/postmortems/{postmortem.number}/sections/summary/", {"markdown": "Mine."}, headers={"If-Match": '"1"'}
    )

    found = client.get(f"{ROOT}/postmortems/{postmortem.number}/revisions/?section=summary").json()["results"]

    assert [(r["section"], r["version"], r["actor"]["type"]) for r in found] == [
        ("summary", 2, "bot"),
        ("summary", 1, "system"),
    ]
    assert len(client.get(f"{ROOT}/postmortems/{postmortem.number}/revisions/").json()["results"]) == 9


def test_owner_reviewers_and_date_are_set(api: Api, postmortem: Postmortem, alice: User, bob: User) -> None:
    address = f"{ROOT}/postmortems/{postmortem.number}/"
    change = {"owner": alice.pk, "reviewers": [bob.pk], "due_at": "2026-03-05T12:00:00+01:00"}

    changed = api(alice).patch(address, change, headers={"If-Match": '"1"'})
    late = api(alice).patch(address, {"owner": None}, headers={"If-Match": '"1"'})

    assert changed.status_code == 200
    assert changed.json()["owner"]["name"] == "Alice"
    assert changed.json()["reviewers"] == [{"id": bob.pk, "name": "Bob"}]
    assert changed.json()["due_at"] == "2026-03-05T11:00:00Z"
    assert (late.status_code, late.json()["current"]["owner"]["name"]) == (412, "Alice")
    assert api(alice).patch(address, {"status": "published"}).status_code == 422


def test_the_list_is_filtered_and_costs_the_same_for_more(api: Api, payments: Team, alice: User, bob: User) -> None:
    def begin() -> Postmortem:
        postmortem, _ = drafting.draft(make.incident(payments, by=bob), by=person(bob), now=NOW)
        items.create(postmortem, "Alert", by=person(bob), now=NOW, owner=alice)
        return postmortem

    client = api(alice)
    begin()
    client.get(f"{ROOT}/postmortems/")
    with CaptureQueriesContext(connection) as few:
        client.get(f"{ROOT}/postmortems/")
    last = begin()
    begin()
    with CaptureQueriesContext(connection) as more:
        listed = client.get(f"{ROOT}/postmortems/?status=draft,in_review&team=payments").json()

    assert len(more) <= len(few)
    assert len(listed["results"]) == 3
    assert listed["results"][1]["number"] == last.number
    assert "html" not in listed["results"][0]["sections"][0]
    assert listed["results"][0]["action_items"][0]["owner"]["name"] == "Alice"
    assert client.get(f"{ROOT}/postmortems/?status=published").json()["results"] == []
    assert client.get(f"{ROOT}/postmortems/?status=nonsense").status_code == 422


def test_the_export_is_a_markdown_file(api: Api, postmortem: Postmortem, alice: User) -> None:
    answer = api(alice).get(f"{ROOT}/postmortems/{postmortem.number}/export.md")

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/markdown; charset=utf-8"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="INC-{postmortem.number}-postmortem.md"'
    assert answer.content.decode().startswith(f"# INC-{postmortem.number}: ")


def test_an_action_item_is_written_changed_and_found(
    api: Api, postmortem: Postmortem, payments: Team, alice: User, bob: User
) -> None:
    client = api(alice)
    given = {
        "postmortem": postmortem.number,
        "title": "Alert on drift",
        "type": "detect",
        "tags": ["ml_control", "ml_control"],
        "priority": "p0",
        "owner": alice.pk,
        "team": "payments",
        "due_on": "2026-03-20",
        "verify_by": "2026-04-20",
        "check": "It fires in the drill.",
        "tracker": "https://tracker.example/1",
    }

    created = client.post(f"{ROOT}/action-items/", given)
    body = created.json()
    changed = client.patch(f"{ROOT}/action-items/{body['id']}/", {"status": "done"}, headers={"If-Match": '"1"'})
    late = client.patch(f"{ROOT}/action-items/{body['id']}/", {"priority": "p1"}, headers={"If-Match": '"1"'})

    assert created.status_code == 201
    assert {name: body[name] for name in given} == {
        **given,
        "owner": {"id": alice.pk, "name": "Alice"},
        "tags": ["ml_control"],
    }
    assert (body["status"], body["reason"], body["evidence"]) == ("open", None, None)
    assert (changed.status_code, changed.json()["status"], changed.json()["version"]) == (200, "done", 2)
    assert (late.status_code, late.json()["current"]["version"]) == (412, 2)
    for query in (
        f"postmortem={postmortem.number}",
        "status=done&status=open",
        f"owner={alice.pk}",
        "team=payments,search",
        "priority=p0",
        "type=detect",
    ):
        assert len(client.get(f"{ROOT}/action-items/?{query}").json()["results"]) == 1, query
    for query in ("postmortem=999", "status=open", f"owner={bob.pk}", "team=search", "priority=p1", "type=learn"):
        assert client.get(f"{ROOT}/action-items/?{query}").json()["results"] == [], query
    assert client.get(f"{ROOT}/action-items/?owner=alice").status_code == 422


def test_an_action_item_may_be_emptied_by_null(api: Api, postmortem: Postmortem, alice: User) -> None:
    item = items.create(postmortem, "Alert", by=person(alice), now=NOW, owner=alice, check_text="It fires.")

    changed = api(alice).patch(f"{ROOT}/action-items/{item.pk}/", {"check": None, "owner": None, "due_on": None})

    assert (changed.status_code, changed.json()["check"], changed.json()["owner"]) == (200, None, None)


def test_refusals_of_action_items_have_their_status(
    api: Api, postmortem: Postmortem, alice: User, charlie: User
) -> None:
    item = items.create(postmortem, "Alert", by=person(alice), now=NOW, owner=alice)
    address = f"{ROOT}/action-items/{item.pk}/"

    assert api(charlie).patch(address, {"priority": "p0"}).status_code == 403
    assert api(alice).patch(address, {"status": "wont_do"}).status_code == 422
    refused = api(alice).patch(address, {"status": "verified"})
    assert (refused.status_code, refused.json()["allowed"]) == (409, ["in_progress", "done", "wont_do"])
    assert api(alice).post(f"{ROOT}/action-items/", {"postmortem": 999, "title": "x"}).status_code == 422


def test_a_viewer_reads_and_writes_nothing(api: Api, postmortem: Postmortem, victor: User) -> None:
    client = api(victor)
    address = f"{ROOT}/postmortems/{postmortem.number}/"

    assert client.get(address).status_code == 200
    assert client.get(f"{address}export.md").status_code == 200
    assert (
        client.patch(f"{address}sections/trigger/", {"markdown": "x"}, headers={"If-Match": '"1"'}).status_code == 403
    )
    assert client.post(f"{ROOT}/action-items/", {"postmortem": postmortem.number, "title": "x"}).status_code == 403
    assert client.post(f"{ROOT}/incidents/{postmortem.number}/postmortem/").status_code == 403


def test_a_private_incidents_postmortem_is_not_there_for_others(
    api: Api, payments: Team, bob: User, charlie: User, admin: User
) -> None:
    incident = make.incident(payments, by=bob, is_private=True)
    postmortem, _ = drafting.draft(incident, by=person(bob), now=NOW)
    item = items.create(postmortem, "Alert", by=person(bob), now=NOW)
    address = f"{ROOT}/postmortems/{incident.number}/"
    paths = [
        address,
        f"{address}sections/summary/",
        f"{address}revisions/",
        f"{address}export.md",
        f"{ROOT}/action-items/{item.pk}/",
    ]

    for path in paths:
        assert api(charlie).get(path).status_code == 404, path
        assert api(bob).get(path).status_code == 200, path
        assert api(admin).get(path).status_code == 200, path
    client = api(charlie)
    assert client.post(f"{ROOT}/incidents/{incident.number}/postmortem/").status_code == 404
    assert (
        client.patch(f"{address}sections/trigger/", {"markdown": "x"}, headers={"If-Match": '"1"'}).status_code == 404
    )
    assert client.patch(address, {"owner": None}).status_code == 404
    assert client.patch(f"{ROOT}/action-items/{item.pk}/", {"priority": "p0"}).status_code == 404
    assert client.post(f"{ROOT}/action-items/", {"postmortem": incident.number, "title": "x"}).status_code == 422
    assert client.get(f"{ROOT}/postmortems/").json()["results"] == []
    assert client.get(f"{ROOT}/action-items/").json()["results"] == []


def test_the_document_follows_the_record(api: Api, postmortem: Postmortem, incident: Incident, alice: User) -> None:
    timeline.write(incident, Entry.Kind.NOTE, "Rolled back.", by=person(alice), now=NOW + timedelta(hours=1, minutes=5))

    section = api(alice).get(f"{ROOT}/postmortems/{postmortem.number}/sections/timeline/")

    assert "Rolled back." in section.json()["markdown"]
    assert section.headers["ETag"] == '"2"'
