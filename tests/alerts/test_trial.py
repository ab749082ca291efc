"""A dry run comes to what the door would have come to: over deliveries that are kept, and over a payload."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client

from alerts import grace, ingest, routes, trial
from alerts.models import Alert, Integration
from incidents import quiet
from incidents.models import Incident
from people.models import Team, User
from tests import make
from tests.conftest import Api
from tests.make import NOW

pytestmark = pytest.mark.django_db

Told = tuple[str, bool, list[str]]  # of an incident: its title, whether it is a candidate, its alerts
Stream = Sequence[tuple[float, Sequence[dict[str, Any]], dict[str, Any]]]  # minute, alerts, fields of the notification

LIST = "/settings/integrations/production/routes/"
BY_APP = {"correlate": "labels", "correlate_labels": ["app"]}


@pytest.fixture
def source(payments: Team) -> Integration:
    return make.integration(team=payments)[0]


def later(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def alert(name: str = "A", minute: float = 0, **labels: str) -> dict[str, Any]:
    return make.alert(name, labels=labels, starts_at=later(minute))


def ended(sent: dict[str, Any], minute: float) -> dict[str, Any]:
    return {**sent, "status": "resolved", "endsAt": later(minute).isoformat()}


def table(*said: dict[str, Any]) -> routes.Table:
    return routes.Table(routes.read([{"name": f"route {n}", **route} for n, route in enumerate(said)]))


def happened(source: Integration, stream: Stream) -> list[Told]:
    """What the door makes of it, with time passing between."""
    minute = 0.0
    for at, alerts, fields in [*stream, (over(stream), (), {})]:
        while minute < at:
            minute = min(minute + 1, at)
            grace.end(now=later(minute))
            quiet.resolve_quiet(now=later(minute))
        if alerts:
            ingest.receive(source, make.alertmanager_body(*alerts, **fields), now=later(at))
    incidents = Incident.objects.order_by("id")
    return [
        (each.title, each.is_candidate, sorted(set(each.alerts.values_list("fingerprint", flat=True))))
        for each in incidents
    ]


def over(stream: Stream) -> float:
    return stream[-1][0] + 5


def imagined(source: Integration, tried: routes.Table, *, minute: float = 600) -> list[Told]:
    found = trial.of_deliveries(source, tried, now=later(minute))
    return [
        (each.title, each.is_candidate, sorted(fingerprint for fingerprint, _ in each.alerts))
        for each in found.tried.incidents
    ]


def routed(source: Integration, *said: dict[str, Any]) -> Integration:
    Integration.objects.filter(pk=source.pk).update(routes=routes.written(table(*said).routes))
    return Integration.objects.get(pk=source.pk)


def churning() -> Stream:
    """A group of its own for each alert, which differ in a number alone."""
    sent = [
        make.alert("Lag", labels={"value": f"{minute}.5%", "topic": "orders"}, starts_at=later(minute))
        for minute in range(20)
    ]
    return [(n, [each], {"group": f"{{}}:{n}", "commonLabels": each["labels"]}) for n, each in enumerate(sent)]


def slowly_churning() -> Stream:
    """The same of a rule that is evaluated every 20 minutes."""
    return [
        (
            20 * n,
            [alert("Lag", 20 * n, value=f"{n}.5")],
            {"group": f"{{}}:{n}", "commonLabels": alert("Lag", value=f"{n}.5")["labels"]},
        )
        for n in range(7)
    ]


def two_routes_of_one_tree() -> Stream:
    """A second group brings what is in the incident of the first already, and later something of its own."""
    shared = alert("Shared")
    return [
        (0, [shared], {"group": "one"}),
        (1, [shared], {"group": "two"}),
        (2, [shared, alert("Own", 2)], {"group": "two"}),
        (3, [shared, alert("Other", 3)], {"group": "three"}),
    ]


def ends_of_any() -> Stream:
    """Enough has ended at 2, so it is over at 7; what ends later is no news, and what fires at 40 is another matter."""
    first, second, third = alert("A", app="x"), alert("B", app="x"), alert("C", app="x")
    return [
        (0, [first, second, third], {}),
        (2, [ended(first, 2), second, third], {}),
        (33, [second, ended(third, 33)], {}),
        (39, [second, alert("D", 39, app="x")], {}),
    ]


def provisional() -> Stream:
    """It fires again with the start at which it had resolved, and nothing more is delivered of it; another that comes
    after joins what that has opened again."""
    fired = alert("A")
    return [
        (0, [fired], {}),
        (1, [ended(fired, 1)], {}),
        (20, [fired], {}),
        (50, [alert("B", 50)], {}),
    ]


def flapping() -> Stream:
    found: list[tuple[float, Sequence[dict[str, Any]], dict[str, Any]]] = []
    for minute in (0, 10, 20, 80, 130, 140):
        fired = alert("A", minute, app="x")
        found += [(minute, [fired], {}), (minute + 2, [ended(fired, minute + 2)], {})]
    return found


def mixed() -> Stream:
    """Three applications, with additions that come before, between and after."""
    a, b, c = alert("A", app="x"), alert("B", 1, app="x"), alert("C", 2, app="y")
    info, late_info = alert("Info", severity="info", app="x"), alert("LateInfo", 50, severity="info", app="x")
    return [
        (0, [info], {"group": "info"}),
        (0.5, [a, alert("Z", app="z")], {"group": "one"}),
        (1, [a, b], {"group": "two"}),
        (2, [c], {"group": "three"}),
        (4, [ended(a, 4), b], {"group": "two"}),
        (5, [ended(c, 5), alert("D", 5, app="y")], {"group": "three"}),
        (20, [alert("E", 20, app="x"), alert("Noise", 20, app="x", env="dev")], {"group": "four"}),
        (45.0, [alert("F", 45, app="x"), alert("G", 45, app="x")], {"group": "four"}),
        (50, [late_info], {"group": "info"}),
        (51, [ended(alert("Never heard of", 3, app="x"), 51)], {"group": "four"}),
    ]


def of_two_routes() -> Stream:
    """Two of each of two routes are not four of one."""
    return [
        (0, [alert("A", app="x", tier="1"), alert("B", app="x", tier="2")], {"group": "one"}),
        (1, [alert("C", 1, app="x", tier="1"), alert("D", 1, app="x", tier="2")], {"group": "two"}),
        (2, [alert("E", 2, app="x", tier="2")], {"group": "three"}),
        (3, [alert("F", 3, app="x", severity="info")], {"group": "four"}),
    ]


def after_its_end() -> Stream:
    """An addition, and one alone of those that have to be several, come after the end; then another."""
    first, second = alert("A", app="x"), alert("B", app="x")
    return [
        (0, [first, second], {}),
        (2, [ended(first, 2), ended(second, 2)], {}),
        (10, [alert("Info", 10, severity="info", app="x")], {"group": "info"}),
        (12, [alert("C", 12, app="x")], {"group": "two"}),
        (14, [alert("D", 14, app="x")], {"group": "three"}),
    ]


def maybe_and_for_certain() -> Stream:
    """What is only a candidate comes with what counts, and before it."""
    return [
        (0, [alert("A", app="x", tier="1"), alert("B", app="x", tier="2")], {}),
        (1, [alert("C", 1, app="y", tier="2")], {"group": "two"}),
        (2, [alert("D", 2, app="y", tier="1")], {"group": "three"}),
    ]


def first_in_another_instance() -> Stream:
    """The first alert begins anew without having ended, and then ends."""
    first, second = sorted([alert("A", app="x"), alert("B", app="x")], key=lambda each: str(each["fingerprint"]))
    again = {**first, "startsAt": later(3).isoformat()}
    return [
        (0, [first, second], {}),
        (3, [again, second], {}),
        (5, [ended(again, 5), second], {}),
        (45, [second, alert("C", 45, app="x")], {}),
    ]


def earlier_end_while_it_waits() -> Stream:
    """What is said of an earlier instance changes nothing for the one that waits."""
    return [
        (5, [alert("D", 5, app="x", tier="1")], {"group": "one"}),
        (6, [ended(alert("D", 2, app="x", tier="1"), 3)], {"group": "two"}),
        (7, [alert("B", 7, app="x", tier="2"), alert("C", 7, app="x", tier="1")], {"group": "two"}),
        (8, [alert("D", 5, app="x", tier="1"), alert("B", 7, app="x", tier="2")], {"group": "one"}),
    ]


def cut_off() -> Stream:
    """Nothing is clear while Alertmanager leaves alerts out: they may fire."""
    first = alert("A")
    return [
        (0, [first], {"truncatedAlerts": 2}),
        (1, [ended(first, 1)], {"truncatedAlerts": 2}),
        (60, [alert("B", 60)], {}),
    ]


def end_of_what_is_ignored() -> Stream:
    return [
        (0, [alert("A", app="x")], {}),
        (1, [ended(alert("Noise", app="x", env="dev"), 1), ended(alert("Watchdog"), 1)], {}),
    ]


def again_beside_several() -> Stream:
    """What opens an incident again comes with what alone would not, and after it in their order."""
    first = alert("A", app="x")
    *several, last = sorted(
        (alert(name, 8, app="x", tier="1") for name in "BCDEFGHIJK"), key=lambda each: str(each["fingerprint"])
    )
    plain = next(
        each
        for each in (alert(f"P{n}", 8, app="x") for n in range(100))
        if str(each["fingerprint"]) > str(last["fingerprint"])
    )
    return [(0, [first], {}), (1, [ended(first, 1)], {}), (8, [*several[:2], plain], {})]


ADDITIONS = {"matchers": "severity=info", "does": "attach", **BY_APP}
NOISE = {"matchers": "env=dev", "does": "ignore"}
SEVERAL = {"threshold": 2, "threshold_within": 600}


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        (churning, []),
        (churning, [{"matchers": "topic=other", "does": "ignore"}]),
        (slowly_churning, []),
        (two_routes_of_one_tree, []),
        (two_routes_of_one_tree, [{"matchers": "alertname=Own", **BY_APP}]),
        (ends_of_any, [{"resolve": "any"}]),
        (ends_of_any, [{"resolve": "first"}]),
        (ends_of_any, [{"resolve": "any", "reopen_window": 3600}]),
        (ends_of_any, [{"resolve": "all", "window": 1800}]),
        (ends_of_any, [{"resolve": "never"}]),
        (provisional, []),
        (provisional, [{"reopen_window": 0}]),
        (flapping, []),
        (flapping, [{"quiet_period": 3600}]),
        (flapping, [{"reopen_window": 7200, **BY_APP}]),
        (mixed, []),
        (mixed, [NOISE, ADDITIONS, {**BY_APP, "resolve": "any"}]),
        (mixed, [NOISE, ADDITIONS, {"matchers": "app=y", **BY_APP, **SEVERAL}, {**BY_APP, "resolve": "first"}]),
        (mixed, [{"matchers": "app=x", "window": 600, **BY_APP}, {"candidate": True, **BY_APP}]),
        (
            of_two_routes,
            [
                ADDITIONS,
                {"matchers": "tier=1", "title": "Tier 1", **BY_APP, **SEVERAL, "threshold": 3},
                {"matchers": "tier=2", "title": "Tier 2", **BY_APP, **SEVERAL, "threshold": 3},
            ],
        ),
        (mixed, [NOISE, ADDITIONS, {**BY_APP, **SEVERAL}]),
        (mixed, [NOISE, ADDITIONS, {**BY_APP, **SEVERAL, "reopen_window": 7200}]),
        (after_its_end, [ADDITIONS, {**BY_APP, **SEVERAL}]),
        (after_its_end, [ADDITIONS, BY_APP]),
        (maybe_and_for_certain, [{"matchers": "tier=2", "candidate": True, "title": "Maybe", **BY_APP}, BY_APP]),
        (maybe_and_for_certain, [{"matchers": "tier=1", "candidate": True, "title": "Maybe", **BY_APP}, BY_APP]),
        (first_in_another_instance, [{"resolve": "first"}]),
        (end_of_what_is_ignored, [NOISE]),
        (cut_off, []),
        (cut_off, [{"resolve": "any"}]),
        (
            earlier_end_while_it_waits,
            [{"matchers": "tier=1", "threshold": 3, "threshold_within": 600, **BY_APP}, {"candidate": True, **BY_APP}],
        ),
        (again_beside_several, [{"matchers": "tier=1", **BY_APP, **SEVERAL}, BY_APP]),
        (again_beside_several, [{"matchers": "tier=1", **BY_APP, **SEVERAL, "threshold": 3}, BY_APP]),
    ],
)
def test_a_dry_run_comes_to_what_the_door_comes_to(
    source: Integration, stream: Callable[[], Stream], said: Iterable[dict[str, Any]]
) -> None:
    source = routed(source, *said)

    sent = list(stream())
    real = happened(source, sent)

    assert imagined(source, table(*said), minute=over(sent)) == real


@pytest.fixture
def browser(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def words(answer: Any) -> str:
    """What is read on the page."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())).split())


def pasted(*alerts: dict[str, Any], **fields: Any) -> str:
    return make.alertmanager_body(*alerts, **fields).decode()


def test_a_route_is_tried_on_a_payload_before_it_is_saved(browser: Client, source: Integration) -> None:
    payload = pasted(alert("A", env="dev"), alert("B", env="prod"))
    typed = {"name": "Mute dev", "matchers": 'env="dev"', "does": "ignore", "payload": payload, "try": "payload"}

    answer = browser.post(f"{LIST}new/", typed)

    assert "ignored by Mute dev" in words(answer)
    assert "Tried, not saved" in words(answer)
    page = unescape(answer.content.decode())
    assert payload in page
    assert 'value="Mute dev"' in page
    assert Integration.objects.get().routes == []
    assert not Alert.objects.exists()


def test_an_edited_route_is_tried_in_its_place_among_the_others(browser: Client, source: Integration) -> None:
    source = routed(source, {"matchers": "env=dev", "title": "As it is kept"}, {"title": "The rest"})
    typed = {"name": "route 0", "matchers": "env=dev", "does": "open", "title": "As it is typed", "try": "payload"}

    page = words(browser.post(f"{LIST}1/", {**typed, "payload": pasted(alert("A", env="dev"))}))
    elsewhere = words(browser.post(f"{LIST}1/", {**typed, "payload": pasted(alert("B"))}))

    assert "As it is typed" in page
    assert "As it is kept" not in page
    assert "The rest" in elsewhere


def test_trying_on_deliveries_keeps_the_payload_that_was_pasted(browser: Client, source: Integration) -> None:
    ingest.receive(source, make.alertmanager_body(alert()), now=NOW)

    typed = {"name": "Mine", "does": "open", "payload": '{"half": "typed', "try": "delivered"}
    answer = browser.post(f"{LIST}new/", typed)

    assert answer.status_code == 200
    assert "would have made 1 incident instead of 1" in words(answer)
    assert '{"half": "typed' in unescape(answer.content.decode())


def test_a_payload_that_cannot_be_read_is_told_at_once_and_beside_it_and_nothing_is_lost(
    browser: Client, source: Integration
) -> None:
    typed = {"name": "Mine", "does": "open", "payload": "{", "try": "payload"}

    answer = browser.post(f"{LIST}new/", typed)

    assert answer.status_code == 422
    assert words(answer).count("This cannot be read as the body of such a webhook.") == 2
    assert 'value="Mine"' in answer.content.decode()


def test_a_payload_of_more_than_anybody_reads_is_refused(
    browser: Client, api: Api, admin: User, source: Integration
) -> None:
    make_it = pasted(*[alert(f"A{n}") for n in range(501)])

    page = browser.post(f"{LIST}new/", {"name": "Mine", "does": "open", "payload": make_it, "try": "payload"})
    told = api(admin).post("/api/v1/integrations/production/routes/try/", {"payload": json.loads(make_it)})

    assert (page.status_code, told.status_code) == (422, 422)
    assert "At most 500 alerts are tried at once." in words(page)


def test_a_resolved_alert_opens_nothing_and_the_answer_says_so(browser: Client, source: Integration) -> None:
    page = words(browser.post(f"{LIST}try/", {"payload": pasted(ended(alert(), 5))}))

    assert "resolved: it opens nothing" in page
    assert "opens, or joins" not in page


def test_an_answer_says_what_a_threshold_waits_for(browser: Client, source: Integration) -> None:
    routed(source, {"threshold": 3, "threshold_within": 600, "threshold_label": "node"})
    two = pasted(alert("A", node="1"), alert("B", node="2"), alert("C", node="2"))
    three = pasted(alert("A", node="1"), alert("B", node="2"), alert("C", node="3"))

    waits = words(browser.post(f"{LIST}try/", {"payload": two}))
    opens = words(browser.post(f"{LIST}try/", {"payload": three}))

    assert "It waits until 3 values of “node” have fired within 10 m; here are 2." in waits
    assert "One incident opens" not in waits
    assert "One incident opens" in opens


def test_alerts_of_one_key_are_told_as_one_incident_with_the_title_that_it_has(
    browser: Client, source: Integration
) -> None:
    sent = [
        alert("A", app="x"),
        alert("B", app="x"),
        alert("Info", app="x", severity="info"),
        alert("C", app="y"),
        alert("Noise", app="x", env="dev"),
    ]
    source = routed(source, NOISE, ADDITIONS, BY_APP)

    page = words(browser.post(f"{LIST}try/", {"payload": pasted(*sent)}))
    answer = trial.of_payload(source, source.table, pasted(*sent).encode(), now=NOW)
    ingest.receive(source, make.alertmanager_body(*sent), now=NOW)

    assert page.count("One incident opens") == 2
    told = {
        each.fields["title"]: {judged.alert.name for judged in each.alerts} for each in answer.incidents if each.fields
    }
    assert told == {each.title: set(each.alerts.values_list("name", flat=True)) for each in Incident.objects.all()}
    becomes = {"A": "opens", "B": "opens", "Info": "joins", "C": "opens", "Noise": "ignore"}
    assert {each.alert.name: each.becomes for each in answer.judged} == becomes


def test_what_alone_would_wait_joins_what_others_open(source: Integration) -> None:
    tried = table({"matchers": "tier=1", **SEVERAL}, {"title": "For certain"})

    answer = trial.of_payload(source, tried, pasted(alert("A", tier="1"), alert("B")).encode(), now=NOW)

    assert {each.alert.name: each.becomes for each in answer.judged} == {"A": "joins", "B": "opens"}
    [opens] = answer.incidents
    assert opens.fields is not None
    assert opens.fields["title"] == "For certain"


def test_programs_are_told_the_same_of_a_payload(api: Api, admin: User, source: Integration) -> None:
    routed(source, {"matchers": "app=x", **SEVERAL, **BY_APP})
    payload = json.loads(pasted(alert("A", app="x"), alert("B"), ended(alert("C"), 5)))

    found = api(admin).post("/api/v1/integrations/production/routes/try/", {"payload": payload}).json()

    assert {each["name"]: each["becomes"] for each in found["judged"]} == {"A": "waits", "B": "opens", "C": "ended"}
    titles = {each["name"]: each["incident"] and each["incident"]["title"] for each in found["judged"]}
    assert titles == {"A": None, "B": "Errors above 5%", "C": None}
    waits = next(each for each in found["incidents"] if each["needs"])
    need = {"route": "route 0", "threshold": 2, "threshold_label": "", "threshold_within": 600, "found": 1}
    assert (waits["incident"], waits["needs"]) == (None, [need])


def test_where_there_is_no_time_for_all_the_newest_are_tried_and_the_page_says_how_many_are_not(
    browser: Client, api: Api, admin: User, source: Integration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "SECONDS", 0.0)
    monkeypatch.setattr(trial, "BATCH", 2)
    monkeypatch.setattr(trial, "PROBE", 13, raising=False)
    for n in range(6):
        ingest.receive(source, make.alertmanager_body(alert(f"A{n}", n), group=f"g{n}"), now=later(n))

    found = api(admin).post("/api/v1/integrations/production/routes/try/", {}).json()
    page = words(browser.post(f"{LIST}new/", {"name": "Mine", "does": "open", "try": "delivered"}))

    assert found["since"] == later(4).isoformat().replace("+00:00", "Z")
    assert (found["deliveries"], found["left_out"], found["alerts"]) == (2, 4, 2)
    assert found["until"] == later(5).isoformat().replace("+00:00", "Z")
    assert "4 older ones were left out" in page


def test_the_page_says_what_a_dry_run_does_not_follow(browser: Client, source: Integration) -> None:
    ingest.receive(source, make.alertmanager_body(alert()), now=NOW)

    page = words(browser.post(f"{LIST}new/", {"name": "Mine", "does": "open", "try": "delivered"}))

    assert "does not follow what people did" in page
    assert "alerts that ended because they were not repeated" in page
