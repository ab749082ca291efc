"""What pages and programs are told where no process holds a stream for them: a version, and what there is by now."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from incidents import stream, timeline
from incidents.models import Entry, Incident
from people.models import Team, User
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db(transaction=True)


def note(incident: Incident, text: str = "Looking") -> Entry:
    return timeline.write(Incident.objects.get(pk=incident.pk), Entry.Kind.NOTE, text, by=make.SYSTEM, now=NOW)[0]


def reader(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def events(body: bytes) -> list[dict[str, str]]:
    blocks = [block for block in body.decode().split("\n\n") if block]
    return [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks]


def test_the_version_of_an_incident_is_its_last_entry(payments: Team, alice: User) -> None:
    incident = make.incident(payments)
    note(incident)

    answer = reader(alice).get(f"/live/version/?incident={incident.number}")

    assert answer.json() == {"version": "2"}
    assert answer.headers["ETag"] == '"2"'
    assert answer.headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("of", ["", "?incident={number}"])
def test_nothing_is_told_twice_to_who_has_the_version(of: str, payments: Team, alice: User) -> None:
    incident, client = make.incident(payments), reader(alice)
    address = "/live/version/" + of.format(number=incident.number)
    tag = client.get(address).headers["ETag"]

    again = client.get(address, headers={"If-None-Match": tag})
    note(incident)
    changed = client.get(address, headers={"If-None-Match": tag})

    assert (again.status_code, again.content) == (304, b"")
    assert changed.status_code == 200
    assert changed.headers["ETag"] != tag


def test_an_incident_that_one_may_not_see_has_no_version(payments: Team, charlie: User) -> None:
    private = make.incident(payments, is_private=True)

    asked = [str(private.number), "999999", "x", "-1", "9" * 30, "", "١"]

    assert {reader(charlie).get("/live/version/", {"incident": number}).status_code for number in asked} == {404}


def test_who_is_not_signed_in_is_told_so(client: Client) -> None:
    for path in ("/live/", "/live/version/", "/api/v1/events/"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["Content-Type"]) == (401, "application/problem+json"), path


def test_pages_are_told_where_there_is_no_stream(alice: User) -> None:
    answer = reader(alice).get("/live/")

    assert answer.status_code == 404
    assert answer.json()["code"] == "no_stream"


def test_programs_get_what_is_new_and_come_again(payments: Team, alice: User, api: Any) -> None:
    incident, private = make.incident(payments), make.incident(payments, is_private=True)
    [begin] = [event for event in events(api(alice).get("/api/v1/events/").content) if "event" in event]
    note(incident)
    note(private)

    answer = api(alice).get("/api/v1/events/", headers={"Last-Event-ID": begin["id"]})
    [pause, entry, ready] = events(answer.content)
    [_, end] = events(api(alice).get(f"/api/v1/events/?last_event_id={ready['id']}").content)

    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.headers["Cache-Control"] == "no-store"
    assert pause == {"retry": "2000"}
    assert (entry["event"], json.loads(entry["data"])["entry"]["seq"]) == ("entry", 2)
    assert stream.parse(begin["id"]) < stream.parse(entry["id"]) < stream.parse(ready["id"])
    assert json.loads(ready["data"]) == {"cursor": ready["id"]}
    assert end == ready


def test_a_place_that_nobody_was_given_is_refused(alice: User, api: Any) -> None:
    answer = api(alice).get("/api/v1/events/", headers={"Last-Event-ID": "yesterday"})

    assert answer.status_code == 422
    assert answer.json()["code"] == "bad_cursor"
