"""What the list offers to narrow it by: counts that are exact for what is open, chips, and links that lead there."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from django.test import Client

from incidents import facets, lifecycle
from incidents.models import Incident
from people.models import Team, User
from tests import make
from tests.browsing import page, signed_in
from tests.make import NOW, SYSTEM

Status = Incident.Status


def offered(text: str, title: str) -> dict[str, tuple[str, str]]:
    """Name of each value of a facet -> (how many, where its link leads)."""
    facet = text.partition(f"<summary>{title}</summary>")[2].partition("</ul>")[0]
    items = re.findall(r'<a href="([^"]*)"[^>]*><span dir="auto">([^<]*)</span><span[^>]*>([^<]*)</span>', facet)
    return {html.unescape(name): (count, html.unescape(url)) for url, name, count in items}


def counts(text: str, title: str) -> dict[str, str]:
    return {name: count for name, (count, _) in offered(text, title).items()}


@pytest.fixture
def three(payments: Team, search: Team) -> None:
    checkout, ranker = make.service("checkout", payments), make.service("ranker", search)
    make.incident(None, "One", severity="sev1", service=checkout, labels={"env": "production"})
    make.incident(None, "Two", severity="sev2", service=checkout, labels={"env": "staging"})
    make.incident(None, "Three", severity="sev2", service=ranker, kind="drift", labels={"env": "production"})


def test_each_facet_is_counted_as_if_nothing_of_it_were_chosen(three: None, alice: User) -> None:
    text = page(alice, "/incidents/?severity=sev2")

    assert counts(text, "Severity") == {"SEV1": "1", "SEV2": "2", "SEV3": "0", "SEV4": "0", "SEV5": "0"}
    assert counts(text, "Service") == {"Checkout": "1", "Ranker": "1"}
    assert counts(text, "Team") == {"Payments": "1", "Search": "1"}
    assert counts(text, "Label") == {"env:production": "1", "env:staging": "1"}
    assert counts(text, "Kind")["Drift"] == "1"


def test_a_value_leads_to_the_list_with_it_and_back(three: None, alice: User) -> None:
    client = signed_in(alice)
    text = client.get("/incidents/?severity=sev1").content.decode()

    both = client.get("/incidents/" + offered(text, "Severity")["SEV2"][1]).content.decode()
    assert both.count('<tr id="incident-') == 3
    less = client.get("/incidents/" + offered(both, "Severity")["SEV1"][1]).content.decode()
    assert less.count('<tr id="incident-') == 2
    label = client.get("/incidents/" + offered(less, "Label")["env:production"][1]).content.decode()
    assert label.count('<tr id="incident-') == 1


def test_a_chip_takes_away_what_it_names(three: None, alice: User) -> None:
    text = page(alice, "/incidents/?service=checkout&severity=sev1&q=one")

    chips = {
        html.unescape(" ".join(re.sub(r"<[^>]*>", "", words).split())): html.unescape(url)
        for url, words in re.findall(r'<a class="badge bg-blue-lt chip" href="([^"]*)">(.*?)</a>', text, re.DOTALL)
    }
    assert list(chips) == ["Severity: SEV1 ✕remove", "Service: Checkout ✕remove", "Text: one ✕remove"]
    assert chips["Service: Checkout ✕remove"] == "?tab=open&severity=sev1&q=one"
    sentence = "Open incidents with severity SEV1, service Checkout, text “one”, most urgent first."
    assert sentence in html.unescape(text)


def test_the_tabs_are_counted_as_narrowed(three: None, alice: User) -> None:
    text = page(alice, "/incidents/?severity=sev2")

    assert re.search(r"Mine\s*<span[^>]*>1</span>", text)
    assert re.search(r"Open\s*<span[^>]*>2</span>", text)


def test_a_private_incident_is_in_no_count_of_who_may_not_see_it(three: None, charlie: User, bob: User) -> None:
    make.incident(bob.teams.get(), "Four", severity="sev5", by=bob, is_private=True, labels={"secret": "canary"})

    assert counts(page(charlie, "/incidents/"), "Severity")["SEV5"] == "0"
    assert "canary" not in page(charlie, "/incidents/")
    assert counts(page(bob, "/incidents/"), "Severity")["SEV5"] == "1"


def test_what_is_over_is_counted_up_to_a_bound(payments: Team, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facets, "BOUND", 3)
    for number in range(5):
        incident = make.incident(payments, severity="sev1" if number else "sev4", now=NOW + timedelta(hours=number))
        lifecycle.move(incident, Status.RESOLVED, by=SYSTEM, now=NOW + timedelta(days=1))

    text = page(alice, "/incidents/?tab=resolved&drill=false")

    assert counts(text, "Severity")["SEV1"] == "4+"
    assert "250+ incidents" in text
    assert counts(page(alice, "/incidents/?tab=resolved&drill=false&severity=sev4"), "Severity")["SEV4"] == "1"


def test_names_and_labels_that_people_wrote_are_text(payments: Team, alice: User) -> None:
    service = make.service("x", payments)
    type(service).objects.update(name="<b>&\u202e")
    make.incident(payments, service=service, labels={"a&b": "<script>\"'"})

    text = page(alice, "/incidents/")

    assert '<script>"' not in text
    assert counts(text, "Service") == {"<b>&\u202e": "1"}
    [(_, url)] = offered(text, "Label").values()
    assert signed_in(alice).get("/incidents/" + url).content.decode().count('<tr id="incident-') == 1


def test_the_search_keeps_what_the_list_is_narrowed_by(three: None, alice: User) -> None:
    form = page(alice, "/incidents/?tab=open&service=checkout").partition("list-search")[2].partition("</form>")[0]

    assert re.findall(r'name="(\w+)"\s+value="([^"]*)"', form)[:2] == [("tab", "open"), ("service", "checkout")]


def test_an_unknown_slug_narrows_to_nothing_and_can_be_taken_away(three: None, client: Client, alice: User) -> None:
    text = page(alice, "/incidents/?service=nowhere")

    assert "No incident is like this" in text
    assert offered(text, "Service")["nowhere"] == ("0", "?tab=open")
