"""The list of incidents: what stands in which tab, in which order, and what an empty one says."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from incidents import impact, lifecycle, responding, saving
from incidents.models import Incident, SloLink
from people.models import Team, User
from tests import make
from tests.browsing import page, signed_in
from tests.make import NOW, SYSTEM, person

Status = Incident.Status


def listed(client: Client, query: str = "") -> list[str]:
    """The titles that the list shows, from its top."""
    response = client.get(f"/incidents/{query}")
    assert response.status_code == 200
    table = response.content.decode().partition("<tbody")[2]
    return [
        title.strip() for title in re.findall(r'<a href="/incidents/[0-9]+/"[^>]*><span[^>]*>([^<]+)</span></a>', table)
    ]


@pytest.fixture
def client(client: Client, alice: User) -> Client:
    """Alice's, of payments."""
    client.force_login(alice)
    return client


def test_what_nobody_took_stands_first_then_by_severity_then_by_age(client: Client, payments: Team, bob: User) -> None:
    for title, severity, hours in [
        ("taken", "sev1", 9),
        ("minor", "sev4", 8),
        ("grave", "sev2", 7),
        ("older", "sev2", 6),
    ]:
        incident = make.incident(payments, title, severity=severity, now=NOW + timedelta(hours=hours))
        if title == "taken":
            lifecycle.acknowledge(incident, by=person(bob), now=NOW + timedelta(hours=10))

    assert listed(client) == ["older", "grave", "minor", "taken"]


def test_each_tab_has_its_own(client: Client, payments: Team, search: Team, alice: User, bob: User) -> None:
    make.incident(payments, "of my team")
    called = make.incident(search, "I was called")
    responding.ask(called, alice, by=person(bob), now=NOW)
    make.incident(search, "of others")
    over = make.incident(payments, "over")
    lifecycle.move(over, Status.RESOLVED, by=person(bob), now=NOW)

    assert listed(client, "?tab=mine") == ["of my team", "I was called"]
    assert listed(client, "?tab=open") == ["of my team", "I was called", "of others"]
    assert listed(client, "?tab=resolved") == ["over"]
    assert len(listed(client, "?tab=all")) == 4
    assert client.get("/incidents/?tab=closet").status_code == 404
    assert re.search(r"Mine\s*<span[^>]*>2</span>", client.get("/incidents/").content.decode())


def test_the_address_narrows_the_list_and_a_sentence_says_how(client: Client, payments: Team, search: Team) -> None:
    checkout = make.service("checkout", payments)
    make.incident(payments, "Card payments fail", severity="sev1", service=checkout)
    make.incident(search, "Ranking drifts", severity="sev2", kind="drift")

    assert listed(client, "?severity=sev1") == ["Card payments fail"]
    assert listed(client, "?severity=sev1,sev2&kind=drift") == ["Ranking drifts"]
    assert listed(client, "?service=checkout&team=payments&q=CARD") == ["Card payments fail"]
    assert listed(client, "?q=INC-2") == ["Ranking drifts"]
    page = client.get("/incidents/?severity=sev1&q=nothing").content.decode()
    assert "Open incidents with severity SEV1, text “nothing”, most urgent first." in page
    assert "No incident is like this" in page


# Statements and menus are built once, and serve whoever asks next.


def read_by(user: User, query: str) -> list[str]:
    return listed(signed_in(user), query)


def test_who_reads_after_an_administrator_sees_their_own(
    admin: User, alice: User, charlie: User, bob: User, payments: Team
) -> None:
    make.incident(payments, "Between us", is_private=True)
    make.incident(payments, "For all")

    assert set(read_by(admin, "?tab=all")) == set(read_by(bob, "?tab=all")) == {"Between us", "For all"}
    assert read_by(alice, "?tab=all") == read_by(charlie, "?tab=all") == ["For all"]
    assert read_by(alice, "?tab=mine") == ["For all"]
    assert read_by(charlie, "?tab=mine") == []


def test_a_moment_without_an_offset_is_each_readers_own(alice: User, bob: User, payments: Team) -> None:
    make.incident(payments, "At nine in UTC")
    User.objects.filter(pk=alice.pk).update(time_zone="UTC")
    User.objects.filter(pk=bob.pk).update(time_zone="Asia/Tokyo")
    query = f"?tab=all&opened_after={NOW:%Y-%m-%d}T10:00"

    assert NOW.hour == 9
    assert read_by(alice, query) == []
    assert read_by(bob, query) == ["At nine in UTC"]  # where it was 18:00 then


def test_a_menu_speaks_the_language_of_each_reader(alice: User, bob: User, payments: Team) -> None:
    make.incident(payments, "For all")
    User.objects.filter(pk=bob.pk).update(language="de")

    assert ">Acknowledged<" in page(alice, "/incidents/")
    german = page(bob, "/incidents/")
    assert ">Acknowledged<" not in german
    assert ">Übernommen<" in german


def test_what_is_typed_into_the_search_is_text(client: Client) -> None:
    page = client.get("/incidents/?q=<script>alert(1)</script>").content.decode()

    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page


TOO_MANY = "?service=" + ",".join(f"s{n}" for n in range(101))


@pytest.mark.parametrize("query", ["?severity=sev9", "?status=on-fire", "?cursor=x", "?opened_after=soon", TOO_MANY])
def test_an_address_that_no_filter_understands_is_refused_in_words(client: Client, query: str) -> None:
    assert client.get(f"/incidents/{query}").status_code == 422


def test_pages_follow_each_other_without_skipping_or_repeating(client: Client, payments: Team) -> None:
    for number in range(60):
        make.incident(payments, f"Number {number}", now=NOW + timedelta(minutes=number))

    seen: list[str] = []
    query = ""
    for _ in range(3):
        seen += listed(client, query)
        link = re.search(
            r'href="(\?[^"]*cursor=[^"]*)"\s+rel="next"', client.get(f"/incidents/{query}").content.decode()
        )
        query = link[1].replace("&amp;", "&") if link else ""

    assert seen == [f"Number {number}" for number in range(60)]
    assert query == ""


def test_who_may_respond_acknowledges_from_the_list(client: Client, payments: Team, victor: User) -> None:
    incident = make.incident(payments)
    action = f'action="/incidents/{incident.number}/acknowledge/"'
    assert action in client.get("/incidents/").content.decode()

    reader = Client()
    reader.force_login(victor)
    assert action not in reader.get("/incidents/").content.decode()

    assert client.post(f"/incidents/{incident.number}/acknowledge/")["Location"] == f"/incidents/{incident.number}/"
    assert action not in client.get("/incidents/").content.decode()


def test_firing_alerts_and_the_missing_commander_are_seen(client: Client, alice: User) -> None:
    integration, _ = make.integration()
    incident = make.fired(integration, *[make.alert(labels={"pod": str(n)}) for n in range(7)])
    page = client.get("/incidents/").content.decode()
    assert "no commander" in page
    assert '<td class="num c-firing wide">7</td>' in page

    responding.assign_role(incident, make.role("commander"), alice, by=person(alice), now=NOW)

    assert "no commander" not in client.get("/incidents/").content.decode()


def test_silence_is_told_from_breakage(client: Client, admin: User, payments: Team, bob: User) -> None:
    nothing = client.get("/incidents/").content.decode()
    assert "nothing has been delivered yet" in nothing
    assert "Connect Alertmanager" not in nothing

    integration, _ = make.integration()
    incident = make.fired(integration)
    lifecycle.move(incident, Status.RESOLVED, by=person(bob), now=NOW)

    quiet = client.get("/incidents/").content.decode()
    assert "No open incidents" in quiet
    assert "the last delivery came" in quiet


def test_the_list_costs_the_same_for_one_and_for_many(client: Client, payments: Team, alice: User) -> None:
    make.incident(payments, by=alice)
    client.get("/incidents/")
    with CaptureQueriesContext(connection) as few:
        client.get("/incidents/")

    slo = make.slo()
    for number in range(20):
        incident = make.incident(payments, f"Number {number}", by=alice, service=slo.service)
        responding.assign_role(incident, make.role("commander"), alice, by=person(alice), now=NOW)
    with CaptureQueriesContext(connection) as many:
        client.get("/incidents/")

    assert len(many) == len(few)


def test_a_page_of_the_list_takes_six_statements(client: Client, payments: Team, alice: User) -> None:
    source, _ = make.integration()
    make.fired(source)
    slo = make.slo()
    make.samples(slo, (NOW, 3600, 990, 1000))
    for number in range(30):
        incident = make.incident(payments, f"Number {number}", severity="sev1", labels={"env": "production"})
        impact.link(incident, slo, origin=SloLink.Origin.RULE, by=SYSTEM, now=NOW)
    saving.save("Grave", "tab=open&severity=sev1", team=None, by=person(alice), now=NOW)
    client.post("/first-steps/hide/")  # who is reminded of them pays one more

    for address in ("/incidents/", "/incidents/?tab=resolved", "/incidents/?severity=sev1&label=env:production"):
        client.get(address)  # what a process knows for some seconds
        with CaptureQueriesContext(connection) as queries:
            client.get(address)

        assert len(queries) == 6, address


def test_the_list_of_incidents_says_their_status_in_the_reader_s_language(payments: Team, alice: User) -> None:
    make.incident(payments, "answers late")
    User.objects.filter(pk=alice.pk).update(language="de")

    rows = page(alice, "/incidents/?tab=all").partition("<tbody")[2]

    assert "Ausgelöst" in rows
    assert "Triggered" not in rows
