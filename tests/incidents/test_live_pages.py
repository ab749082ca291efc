"""What the server gives to pages that change by themselves."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from django.test import Client

from incidents import lifecycle, responding
from incidents.models import Entry, Incident
from people.models import Team, User
from tests import make
from tests.browsing import page, signed_in
from tests.make import NOW, person


@pytest.fixture
def incident(payments: Team) -> Incident:
    return make.incident(payments)


class Ids(HTMLParser):
    """The ids of a page in their order, and those of its live parts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.all: list[str] = []
        self.live: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("id"):
            self.all.append(given["id"] or "")
        if "data-live-part" in given:
            self.live.append(given.get("id") or "")


def body(html: str) -> dict[str, str]:
    """What the page's body says of what it shows."""
    [tag] = re.findall(r"<body[^>]*>", html)
    return dict(re.findall(r'data-live-(\w+)="([^"]*)"', tag))


def versions(client: Client, query: str = "") -> str:
    return str(client.get(f"/live/version/{query}").json()["version"])


def test_a_page_carries_the_version_that_is_told_to_who_asks(incident: Incident, alice: User) -> None:
    client = signed_in(alice)
    address = f"/incidents/{incident.number}/"
    for _ in range(2):
        incident.refresh_from_db()

        shown = body(client.get(address).content.decode())

        assert shown["version"] == versions(client, f"?incident={incident.number}")
        assert (shown["incident"], shown["seq"]) == (str(incident.number), str(incident.last_seq))
        assert body(client.get("/incidents/").content.decode())["version"] == versions(client)
        responding.speak(incident, Entry.Kind.NOTE, "Looking", by=person(alice), now=NOW)


@pytest.mark.django_db(transaction=True)  # what moves it is committed
def test_a_private_incident_moves_nothing_for_who_may_not_see_it(
    incident: Incident, alice: User, charlie: User
) -> None:
    outside, inside = (body(page(user, "/incidents/"))["version"] for user in (charlie, alice))
    make.incident(incident.team, by=alice, is_private=True)

    assert body(page(charlie, "/incidents/"))["version"] == outside
    assert body(page(alice, "/incidents/"))["version"] != inside


def test_every_live_part_is_found_by_an_id_of_its_own(incident: Incident, alice: User) -> None:
    source, _ = make.integration()
    instances = [make.alert("HighErrorRate", labels={"pod": name}) for name in ("a", "b")]
    alerted = make.fired(source, *instances, make.alert("a name with blanks"))
    for address in ("/incidents/", f"/incidents/{alerted.number}/", f"/incidents/{incident.number}/"):
        ids = Ids(page(alice, address))

        assert len(ids.live) >= 3
        assert "" not in ids.live
        assert sorted(ids.all) == sorted(set(ids.all)), address
        assert not [each for each in ids.all if re.search(r"\s", each)]


def test_the_parts_are_there_whatever_becomes_of_the_incident(incident: Incident, alice: User, victor: User) -> None:
    parts = Ids(page(alice, f"/incidents/{incident.number}/")).live
    lifecycle.move(incident, Incident.Status.DISMISSED, by=person(alice), now=NOW, reason="A drill")

    assert Ids(page(alice, f"/incidents/{incident.number}/")).live == parts
    assert Ids(page(victor, f"/incidents/{incident.number}/")).live == parts


def test_an_empty_list_has_the_parts_of_a_full_one(alice: User, payments: Team) -> None:
    empty = Ids(page(alice, "/incidents/")).live
    make.incident(payments)

    assert Ids(page(alice, "/incidents/")).live == empty


def test_a_form_that_was_refused_is_shown_with_the_address_that_shows_the_page(incident: Incident, alice: User) -> None:
    answer = signed_in(alice).post(f"/incidents/{incident.number}/note/", {"kind": "note", "text": ""})

    assert answer.status_code == 422
    assert body(answer.content.decode())["page"] == f"/incidents/{incident.number}/"


def test_a_refresh_takes_no_message_away_from_the_page_that_it_is_for(incident: Incident, alice: User) -> None:
    client = signed_in(alice)
    address = f"/incidents/{incident.number}/"
    client.post(f"{address}acknowledge/")

    refreshed = client.get(address, headers={"HX-Request": "true"}).content.decode()

    assert "is yours" not in refreshed
    assert "is yours" in client.get(address).content.decode()


def test_nothing_is_live_where_nobody_is_signed_in(db: None) -> None:
    html = Client().get("/sign-in/").content.decode()

    assert "data-live=" not in html
    assert Ids(html).live == []


def test_pages_say_nothing_of_being_live_before_a_script_has_said_it(incident: Incident, alice: User) -> None:
    html = page(alice, "/incidents/")

    assert len(re.findall(r"<div class=\"live-light\"[^>]*\shidden>", html)) == 1
    assert re.search(r"data-live-held=\"incidents\"[^>]*\shidden>", html) is not None
