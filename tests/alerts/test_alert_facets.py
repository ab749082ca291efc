"""What the list of alerts offers to narrow it by: counts, chips and links, matchers, and how far back it looks."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest

from alerts import facets, ingest, listing, routes, searching
from alerts.models import Alert, Integration
from people.models import Team, User
from tests import make
from tests.browsing import page, signed_in
from tests.conftest import Api
from tests.incidents.test_facets import counts, offered
from tests.make import NOW

CHIP = re.compile(r'<a class="badge bg-blue-lt chip" href="([^"]*)">(.*?)</a>', re.DOTALL)


def fire(source: Integration, name: str, minutes: int = 0, **labels: str) -> None:
    make.fired(source, make.alert(name, labels=labels, starts_at=NOW - timedelta(minutes=minutes)), group=name)


def end(source: Integration, name: str, minutes: int = 0, **labels: str) -> None:
    fire(source, name, minutes, **labels)
    start = NOW - timedelta(minutes=minutes)
    ended = make.alert(name, status="resolved", labels=labels, starts_at=start, ends_at=start + timedelta(seconds=30))
    make.fired(source, ended, group=name)


def deliver(source: Integration, alert: dict[str, Any]) -> None:
    ingest.receive(source, make.alertmanager_body(alert, group=alert["labels"]["alertname"]), now=NOW)


def names(user: User, address: str) -> list[str]:
    return [alert.name for alert in signed_in(user).get(f"/alerts/{address}").context["page"].rows]


def tabs(text: str) -> dict[str, str]:
    return dict(re.findall(r">(Firing|Stale|Resolved|All) <span[^>]*>([^<]*)</span>", text))


@pytest.fixture
def source(payments: Team) -> Integration:
    return make.integration("Production", team=payments)[0]


@pytest.fixture
def three(source: Integration) -> None:
    staging, _ = make.integration("Staging")
    fire(source, "HighErrorRate", 1, severity="critical", service="checkout", pod="web-1")
    fire(source, "HighLatency", 2, severity="warning", service="checkout", pod="web-2")
    fire(staging, "DiskFull", 3, severity="warning", service="ranker", pod="db-1")


def test_each_facet_is_counted_as_if_nothing_of_it_were_chosen(three: None, alice: User) -> None:
    text = page(alice, "/alerts/?severity=warning")

    assert counts(text, "Severity") == {"warning": "2", "critical": "1"}
    assert counts(text, "Service") == {"checkout": "1", "ranker": "1"}
    assert counts(text, "Name") == {"DiskFull": "1", "HighLatency": "1"}
    assert counts(text, "Integration") == {"Production": "1", "Staging": "1"}
    assert counts(text, "Outcome") == {"In the incident of its group": "2"}
    assert tabs(text) == {"Firing": "2", "Stale": "0", "Resolved": "0", "All": "2"}


def test_what_is_no_facet_narrows_the_counts_as_well(three: None, alice: User) -> None:
    web = make.fingerprint_of(
        {"alertname": "HighLatency", "severity": "warning", "service": "checkout", "pod": "web-2"}
    )

    for query in ("label=pod:web-2", f"fingerprint={web}", "q=latency"):
        text = page(alice, f"/alerts/?{query}")
        assert counts(text, "Severity") == {"warning": "1"}, query
        assert tabs(text)["Firing"] == "1", query
        assert names(alice, f"?{query}") == ["HighLatency"], query


def test_a_value_leads_to_the_list_with_it_and_back(three: None, alice: User) -> None:
    text = page(alice, "/alerts/?severity=critical")

    both = "/alerts/" + offered(text, "Severity")["warning"][1]
    assert names(alice, both.removeprefix("/alerts/")) == ["HighErrorRate", "HighLatency", "DiskFull"]
    less = offered(page(alice, both), "Severity")["critical"][1]
    assert names(alice, less) == ["HighLatency", "DiskFull"]
    assert names(alice, offered(page(alice, f"/alerts/{less}"), "Integration")["Staging"][1]) == ["DiskFull"]


def test_a_chip_takes_away_what_it_names(three: None, alice: User) -> None:
    text = page(alice, "/alerts/?integration=production&severity=critical&q=high&incident=1")

    chips = {
        html.unescape(" ".join(re.sub(r"<[^>]*>", "", words).split())): html.unescape(url)
        for url, words in CHIP.findall(text)
    }
    assert [*chips] == [
        "Severity: critical ✕remove",
        "Integration: Production ✕remove",
        "Text: high ✕remove",
        "Incident: INC-1 ✕remove",
    ]
    assert chips["Text: high ✕remove"] == "?integration=production&incident=1&severity=critical"
    assert "Alerts that fire with severity critical, integration Production, text “high”" in html.unescape(text)


def test_nothing_that_matches_says_so_and_clears_the_filters(three: None, alice: User) -> None:
    text = page(alice, "/alerts/?status=resolved&severity=critical")

    assert "No alert matches" in text
    assert 'href="?status=resolved">Clear filters</a>' in text


@pytest.mark.parametrize(
    ("matchers", "found"),
    [
        ('severity="critical"', ["HighErrorRate"]),
        ("severity!=critical", ["HighLatency", "DiskFull"]),
        ('pod=~"web-.*"', ["HighErrorRate", "HighLatency"]),
        ('{pod=~"web-.*", severity!~"crit.*"}', ["HighLatency"]),
        ('pod=~"web"', []),
        ("nowhere=", ["HighErrorRate", "HighLatency", "DiskFull"]),
        ('nowhere=~".+"', []),
        ('nowhere!~"x"', ["HighErrorRate", "HighLatency", "DiskFull"]),
        ('"a \'b\' c"=""', ["HighErrorRate", "HighLatency", "DiskFull"]),
        ("latency", ["HighLatency"]),
    ],
)
def test_matchers_mean_what_they_mean_to_alertmanager(
    matchers: str, found: list[str], three: None, alice: User
) -> None:
    client = signed_in(alice)

    assert [each.name for each in client.get("/alerts/", {"q": matchers}).context["page"].rows] == found


@pytest.mark.parametrize("wrong", ['pod=~"("', 'a="b" c="d"', '"=1'])
def test_what_is_no_matcher_is_said_in_place(wrong: str, three: None, alice: User) -> None:
    response = signed_in(alice).get("/alerts/", {"q": wrong})

    assert response.status_code == 422
    assert "This cannot be searched for" in response.content.decode()
    assert f'value="{html.escape(wrong)}"' in response.content.decode()
    assert tabs(response.content.decode()) == {}, "what was not counted is not none"


def test_an_expression_is_not_matched_against_values_without_end(
    three: None, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "VALUES", 2)

    response = signed_in(alice).get("/alerts/", {"q": 'pod=~"web-.*"'})

    assert response.status_code == 422
    assert "More than 2 values of pod would have to be matched" in response.content.decode()


def test_what_became_of_an_alert_narrows_the_list(source: Integration, alice: User, api: Api) -> None:
    said = [{"name": "Noise", "matchers": 'severity="info"', "does": "ignore"}]
    Integration.objects.filter(pk=source.pk).update(routes=routes.written(routes.read(said)))
    source = Integration.objects.get(pk=source.pk)
    fire(source, "Kept", severity="critical")
    deliver(source, make.alert("Noise", labels={"severity": "info"}))
    deliver(source, make.alert("Over", status="resolved", ends_at=NOW + timedelta(minutes=1)))

    assert counts(page(alice, "/alerts/?status=all"), "Outcome") == {
        "Came resolved": "1",
        "Ignored": "1",
        "In the incident of its group": "1",
    }
    assert names(alice, "?becomes=ignore") == ["Noise"]
    assert names(alice, "?status=all&becomes=none&becomes=default") == ["Over", "Kept"]
    told = api(alice).get("/api/v1/alerts/?becomes=ignore").json()["results"]
    assert [each["name"] for each in told] == ["Noise"]


def test_programs_narrow_by_the_same_words(three: None, source: Integration, alice: User, api: Api) -> None:
    fire(source, "One, two", 4, severity="info")
    client = api(alice)

    for query in (
        "severity=warning",
        "service=checkout&severity=critical",
        "name=DiskFull&name=One%2C%20two",
        "integration=staging",
        "label=pod:web-1",
        "started_before=2026-03-02T08:58:30Z",
        "started_after=2026-03-02T08:58:00Z",
        "status=firing,stale&severity=info",
    ):
        told = [each["name"] for each in client.get(f"/api/v1/alerts/?{query}").json()["results"]]
        assert told, query
        assert told == names(alice, f"?{query}"), query


def test_what_is_resolved_is_looked_through_as_far_as_is_said(
    source: Integration, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "LOOKED_THROUGH", 2)
    for minutes in range(1, 5):
        end(source, f"Noise{minutes}", minutes, severity="info" if minutes < 4 else "critical")

    text = page(alice, "/alerts/?status=resolved&severity=critical")

    assert "No alert matches" in text
    assert tabs(text)["Resolved"] == "0+", "there may be some beyond"
    back = html.unescape(re.findall(r'href="([^"]*)">Look further back', text)[0])
    further = page(alice, f"/alerts/{back}")
    assert html.unescape(re.findall(r'href="([^"]*)">Look further back', further)[0]) != back
    assert names(alice, "?status=resolved") == ["Noise1", "Noise2", "Noise3", "Noise4"]
    assert counts(page(alice, "/alerts/?status=resolved"), "Severity") == {"info": "3+"}
    while "Noise4" not in further:
        back = html.unescape(re.findall(r'href="([^"]*)">Look further back', further)[0])
        further = page(alice, f"/alerts/{back}")
    assert "Started before" in further


def test_what_is_resolved_is_told_up_to_a_bound_and_what_fires_exactly(
    source: Integration, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facets, "BOUND", 2)
    for minutes in range(1, 4):
        end(source, f"Ended{minutes}", minutes)
        fire(source, f"Fires{minutes}", minutes)

    text = page(alice, "/alerts/?status=resolved")

    assert tabs(text) == {"Firing": "3", "Stale": "0", "Resolved": "2+", "All": "2+"}


def test_what_no_filter_knows_is_refused(alice: User) -> None:
    ends = ("started_after=0001-01-01T00:00:00Z", "started_before=9999-12-31T23:59:59Z")
    escapes = ("q=%22a%22%3D%22%5Cud800%22", "q=a%3D~%22%5Cud800%22", "q=%22a%22%3D%22%5Cu0000%22")
    for query in ("status=nonsense", "becomes=nonsense", "incident=x", "started_before=x", *ends, *escapes):
        assert signed_in(alice).get(f"/alerts/?{query}").status_code == 422, query


def test_several_expressions_of_one_label_have_to_fit_together(three: None, alice: User) -> None:
    assert names(alice, "?q=pod%3D~%22web.*%22,pod!~%22.*2%22") == ["HighErrorRate"]
    assert names(alice, "?q=pod%3D~%22web.*%22,pod%3D~%22db.*%22") == []


def test_of_two_searches_the_last_counts_and_is_shown(three: None, alice: User) -> None:
    text = page(alice, "/alerts/?q=HighErrorRate&q=DiskFull")

    assert names(alice, "?q=HighErrorRate&q=DiskFull") == ["DiskFull"]
    assert len(CHIP.findall(text)) == 1
    assert "“DiskFull”" in text


def test_programs_name_several_with_commas(three: None, api: Api, alice: User) -> None:
    client = api(alice)
    found = client.get("/api/v1/alerts/?severity=critical,warning&service=checkout").json()["results"]

    assert {alert["name"] for alert in found} == {"HighErrorRate", "HighLatency"}


def test_a_file_says_that_not_all_was_searched(
    source: Integration, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "LOOKED_THROUGH", 2)
    for minutes in range(1, 4):
        end(source, f"Noise{minutes}", minutes, severity="info")
    client = signed_in(alice)

    def name(query: str) -> str:
        return str(client.get(f"/alerts/export.csv?{query}")["Content-Disposition"])

    assert "-first-" in name("status=resolved&severity=info")
    assert "-first-" not in name("status=resolved")
    assert "-first-" not in name("status=firing&severity=info")


def test_names_and_labels_that_people_wrote_are_text_and_cut_where_they_are_long(
    source: Integration, alice: User
) -> None:
    fire(source, "<b>&\u202e", severity="<script>\"'", service="s" * 500)

    text = page(alice, "/alerts/")

    assert '<script>"' not in text
    assert names(alice, offered(text, "Severity")["<script>\"'"][1]) == ["<b>&\u202e"]
    [(name, (_, url))] = offered(text, "Service").items()
    assert name == "s" * 79 + "…"
    assert f'title="{"s" * 400}"' in text
    assert names(alice, url) == ["<b>&\u202e"]


def test_the_search_keeps_what_the_list_is_narrowed_by(three: None, alice: User) -> None:
    form = page(alice, "/alerts/?status=all&severity=warning").partition("search-row")[2].partition("</form>")[0]

    assert re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form) == [
        ("status", "all"),
        ("severity", "warning"),
    ]


def test_the_page_costs_the_same_whatever_it_is_narrowed_by(
    three: None, alice: User, django_assert_max_num_queries: Any
) -> None:
    client = signed_in(alice)
    client.get("/alerts/")
    before = Alert.objects.count()

    with django_assert_max_num_queries(9):
        client.get("/alerts/", {"status": "all", "severity": "critical", "q": 'pod=~"w.*",service=~"c.*"'})

    assert before == 3
