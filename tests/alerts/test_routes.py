"""Routes choose what becomes of an alert: which incident, what it says of itself, when it opens and how it ends."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from alerts import ingest, integrations, routes, routing, waiters
from alerts.models import Alert, Integration
from alerts.payload import Alert as Sent
from alerts.plans import Plan
from common.errors import Invalid
from incidents import lifecycle, quiet
from incidents.models import Counter, Entry, Incident
from people.models import Team
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def source(payments: Team) -> Integration:
    return make.integration(team=payments)[0]


def routed(source: Integration, *said: dict[str, Any]) -> Integration:
    """The integration with these routes, as every process reads it anew."""
    kept = routes.written(routes.read([{"name": f"route {n}", **route} for n, route in enumerate(said)]))
    Integration.objects.filter(pk=source.pk).update(routes=kept)
    return Integration.objects.get(pk=source.pk)


def deliver(source: Integration, *alerts: dict[str, Any], minute: float = 0, **fields: Any) -> ingest.Receipt:
    return ingest.receive(source, make.alertmanager_body(*alerts, **fields), now=later(minute))


def later(minutes: float) -> Any:
    return NOW + timedelta(minutes=minutes)


def alert(name: str = "A", minute: float = 0, **labels: str) -> dict[str, Any]:
    return make.alert(name, labels=labels, starts_at=later(minute))


def ended(sent: dict[str, Any], minute: float) -> dict[str, Any]:
    return {**sent, "status": "resolved", "endsAt": later(minute).isoformat()}


def sent(name: str = "A", **labels: str) -> Sent:
    return Sent(
        status="firing", labels={"alertname": name, **labels}, starts_at=NOW, fingerprint="f", annotations={"a": "x"}
    )


def becomes() -> str:
    """What a route made of the one alert that there is."""
    told = Alert.objects.get().routed
    assert told is not None
    return str(told["becomes"])


def only() -> Incident:
    return Incident.objects.get()


def test_the_first_route_that_fits_decides() -> None:
    table = routes.Table(
        routes.read(
            [
                {"name": "noise", "matchers": "env=dev", "does": "ignore"},
                {"name": "all", "title": "first"},
                {"name": "later", "title": "second"},
            ]
        )
    )

    assert table.decide(sent(env="dev")).does == "ignore"
    assert table.decide(sent(env="prod")).said == {"title": "first"}


def test_a_route_that_continues_adds_what_it_says_and_an_earlier_word_stands() -> None:
    table = routes.Table(
        routes.read(
            [
                {"name": "prod", "matchers": "env=prod", "continue": True, "severity": "sev1", "team": "payments"},
                {
                    "name": "rest",
                    "severity": "sev4",
                    "title": "{{label.alertname}} in {{ label.env }} ({{annotation.a}})",
                },
            ]
        )
    )

    decision = table.decide(sent(env="prod"))

    assert decision.route == "rest"
    assert decision.said["severity"] == "sev1"
    assert decision.because == [("prod", "env=prod"), ("rest", "")]
    assert routes.filled(decision.said["title"], sent(env="prod")) == "A in prod (x)"


def test_where_no_route_fits_the_defaults_decide() -> None:
    table = routes.Table(routes.read([{"name": "db", "matchers": "team=db", "does": "ignore"}]))

    assert table.decide(sent()).does == "open"
    assert table.decide(sent("Watchdog")).does == "heartbeat"


@pytest.mark.parametrize(
    ("matchers", "does", "becomes"),
    [
        ("", "open", "heartbeat"),
        ("", "ignore", "heartbeat"),
        ("severity=none", "ignore", "heartbeat"),
        ('alertname!="InfoInhibitor"', "open", "heartbeat"),
        ('alertname=~".*"', "open", "heartbeat"),
        ("alertname=Watchdog", "open", "open"),
        ('alertname=~"Watchdog|DeadMansSwitch", severity=none', "ignore", "ignore"),
        ("severity=none", "heartbeat", "heartbeat"),
    ],
)
def test_a_route_takes_a_watchdog_where_it_names_it(matchers: str, does: str, becomes: str) -> None:
    table = routes.Table(routes.read([{"name": "a", "matchers": matchers, "does": does, "title": "t"}]))

    decision = table.decide(sent("Watchdog", severity="none"))

    assert decision.does == becomes
    takes = does == becomes
    assert (decision.route, list(decision.because)) == (("a", [("a", matchers)]) if takes else (None, []))
    assert decision.said == ({"title": "t"} if takes else {})
    assert table.decide(sent("AnyOther", severity="none")).route == (None if "Watchdog" in matchers else "a")


def test_a_watchdog_goes_on_to_the_route_that_names_it_and_hears_what_continues() -> None:
    table = routes.Table(
        routes.read(
            [
                {"name": "says", "continue": True, "heartbeat_interval": 60},
                {"name": "all", "does": "open"},
                {"name": "it", "matchers": "alertname=Watchdog, severity=none", "does": "ignore"},
            ]
        )
    )

    assert table.decide(sent("Watchdog", severity="none")).route == "it"
    decision = table.decide(sent("Watchdog"))

    assert (decision.does, decision.route) == ("heartbeat", None)
    assert (decision.said, list(decision.because)) == ({"heartbeat_interval": 60}, [("says", "")])
    assert table.decide(sent()).route == "all"


@pytest.mark.parametrize(
    ("route", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a", "matchers": "not a matcher"}, "matchers"),
        ({"name": "a", "matchers": 'x=~"("'}, "matchers"),
        ({"name": "a", "correlate": "labels"}, "correlate_labels"),
        ({"name": "a", "title": "{% if x %}"}, None),
        ({"name": "a", "title": "{{ x|upper }}"}, "title"),
        ({"name": "a", "threshold": 3}, "threshold_within"),
        ({"name": "a", "window": 1}, "window"),
        ({"name": "a", "continue": True, "does": "ignore"}, "does"),
    ],
)
def test_what_is_wrong_in_a_route_is_said_by_field(route: dict[str, Any], field: str | None) -> None:
    if field is None:  # text like any other: there is no template language
        assert routes.read([route])[0].title == route["title"]
        return
    with pytest.raises(Invalid) as refused:
        routes.read([route])

    assert [name for name, _ in refused.value.errors] == [f"routes.0.{field}"]


def test_what_is_ignored_is_known_and_opens_nothing(source: Integration) -> None:
    source = routed(source, {"matchers": "env=dev", "does": "ignore"})

    receipt = deliver(source, alert(env="dev"))
    deliver(source, alert(env="dev"), minute=5)

    assert receipt.incidents == []
    assert not Incident.objects.exists()
    kept = Alert.objects.get()
    assert kept.status == "firing"
    assert kept.routed is not None
    assert kept.routed["does"] == kept.routed["becomes"] == "ignore"
    assert kept.routed["because"] == [["route 0", "env=dev"]]


def test_what_is_no_longer_ignored_opens_at_its_next_repeat(source: Integration) -> None:
    deliver(routed(source, {"does": "ignore"}), alert())

    deliver(routed(source), alert(), minute=5)

    assert only().alerts.count() == 1
    assert [entry.kind for entry in only().entries.order_by("seq")] == ["opened", "alerts_fired"]


def test_an_incident_says_of_itself_what_its_route_says(source: Integration, search: Team) -> None:
    make.service("checkout-api", search)
    routing.forget()
    source = routed(
        source,
        {
            "title": "{{label.app}} is down",
            "service": "{{label.app}}-api",
            "severity": "{{label.priority}}",
            "kind": "latency",
            "quiet_period": 60,
            "reopen_window": 120,
            "resolve": "any",
        },
    )

    deliver(source, alert(app="checkout", priority="P1"))

    incident = only()
    assert incident.title == "checkout is down"
    assert incident.service is not None and incident.service.slug == "checkout-api"
    assert incident.team == search
    assert (incident.severity, incident.kind) == ("sev1", "latency")
    assert (incident.quiet_period, incident.reopen_window, incident.resolves) == (60, 120, "any")


def test_what_a_route_names_and_nobody_knows_leaves_the_defaults(source: Integration, payments: Team) -> None:
    source = routed(source, {"service": "nowhere", "team": "nobody", "severity": "loud", "kind": "odd"})

    deliver(source, alert())

    assert (only().service, only().team, only().severity, only().kind) == (None, payments, "sev2", "other")


def test_alerts_of_many_groups_are_one_incident_by_the_labels_that_are_chosen(source: Integration) -> None:
    source = routed(source, {"correlate": "labels", "correlate_labels": ["cluster"]})

    deliver(source, alert("A", cluster="eu"), group="one")
    deliver(source, alert("B", cluster="eu"), group="two")
    deliver(source, alert("C", cluster="us"), group="two")

    assert [sorted(i.alerts.values_list("name", flat=True)) for i in Incident.objects.order_by("id")] == [
        ["A", "B"],
        ["C"],
    ]


def test_one_delivery_can_open_several_incidents(source: Integration) -> None:
    source = routed(source, {"correlate": "labels", "correlate_labels": ["cluster"]})

    receipt = deliver(source, alert("A", cluster="eu"), alert("B", cluster="us"), alert("C", cluster="eu"))

    assert len(receipt.incidents) == 2
    assert receipt.counts["opened"] == 3
    for incident in Incident.objects.all():
        assert [entry.kind for entry in incident.entries.order_by("seq")] == ["opened", "alerts_fired"]


def test_alerts_are_one_incident_by_the_service_that_they_speak_of(source: Integration, payments: Team) -> None:
    make.service("checkout", payments)
    routing.forget()
    source = routed(source, {"correlate": "service", "service": "{{label.app}}"})

    deliver(source, alert("A", app="checkout"), group="one")
    deliver(source, alert("B", service="checkout"), group="two")
    deliver(source, alert("C", app="unknown"), group="three")

    assert Incident.objects.count() == 2
    assert Alert.objects.get(name="B").incident == Alert.objects.get(name="A").incident


def test_after_its_window_an_incident_takes_no_other_alert(source: Integration) -> None:
    source = routed(source, {"correlate": "labels", "correlate_labels": ["cluster"], "window": 600})

    deliver(source, alert("A", cluster="eu"))
    deliver(source, alert("B", 9, cluster="eu"), minute=9)
    deliver(source, alert("C", 18, cluster="eu"), minute=18)
    deliver(source, alert("D", 40, cluster="eu"), minute=40)
    deliver(source, alert("D", 40, cluster="eu"), minute=41)

    assert [i.alerts.count() for i in Incident.objects.order_by("id")] == [3, 1]


def test_an_alert_attaches_to_what_is_open_and_opens_nothing_itself(source: Integration) -> None:
    source = routed(
        source,
        {"matchers": "severity=info", "does": "attach", "correlate": "labels", "correlate_labels": ["app"]},
        {"correlate": "labels", "correlate_labels": ["app"]},
    )

    deliver(source, alert("Info", severity="info", app="web"), group="one")
    assert not Incident.objects.exists()
    assert becomes() == "waits"
    deliver(source, alert("Down", 1, app="web"), group="two", minute=1)
    deliver(source, alert("More info", 2, severity="info", app="web"), group="one", minute=2)

    assert set(only().alerts.values_list("name", flat=True)) == {"Info", "Down", "More info"}
    fired = Entry.objects.get(incident=only(), kind="alerts_fired", seq=2)
    assert fired.data["count"] == 2


def test_so_many_alerts_have_to_fire_before_an_incident_opens(source: Integration) -> None:
    source = routed(
        source, {"threshold": 3, "threshold_within": 600, "correlate": "labels", "correlate_labels": ["app"]}
    )

    deliver(source, alert("A", app="web"), group="one")
    deliver(source, alert("B", 2, app="web"), group="two", minute=2)
    deliver(source, alert("X", 2, app="other"), group="three", minute=2)
    assert not Incident.objects.exists()
    deliver(source, alert("C", 4, app="web"), group="four", minute=4)

    assert set(only().alerts.values_list("name", flat=True)) == {"A", "B", "C"}
    assert only().started_at == NOW
    assert Alert.objects.filter(waits_for__isnull=False).count() == 1


def test_what_fired_too_long_ago_does_not_count_towards_the_threshold(source: Integration) -> None:
    source = routed(source, {"threshold": 2, "threshold_within": 300})

    deliver(source, alert("A"))
    deliver(source, alert("A"), alert("B", 20), minute=20)
    assert not Incident.objects.exists()
    deliver(source, alert("A"), alert("B", 20), alert("C", 22), minute=22)

    assert only().alerts.count() == 3


def test_what_resolved_does_not_count_towards_the_threshold(source: Integration) -> None:
    source = routed(source, {"threshold": 2, "threshold_within": 3600})
    first = alert("A")

    deliver(source, first)
    deliver(source, ended(first, 1), minute=1)
    deliver(source, alert("B", 2), minute=2)

    assert not Incident.objects.exists()


def test_so_many_values_of_a_label_have_to_be_seen(source: Integration) -> None:
    source = routed(source, {"threshold": 2, "threshold_within": 600, "threshold_label": "node"})

    deliver(source, alert("A", node="1"), alert("B", node="1"), alert("C", node="1"))
    assert not Incident.objects.exists()
    deliver(source, alert("D", node="2"), minute=1)

    assert only().alerts.count() == 4


@pytest.mark.parametrize(("policy", "resolves"), [("all", False), ("any", True), ("first", False), ("never", False)])
def test_an_incident_resolves_as_its_route_says(source: Integration, policy: str, resolves: bool) -> None:
    source = routed(source, {"resolve": policy, "quiet_period": 60})
    first, second = alert("A"), alert("B", 1)
    deliver(source, first)
    deliver(source, first, second, minute=1)

    deliver(source, first, ended(second, 2), minute=2)
    quiet.resolve_quiet(now=later(2.9))
    assert only().status == "triggered"
    quiet.resolve_quiet(now=later(3.1))

    assert (only().status == "resolved") is resolves


def test_the_end_of_the_first_alert_is_enough_where_the_route_says_so(source: Integration) -> None:
    source = routed(source, {"resolve": "first", "quiet_period": 60})
    first, second = alert("A"), alert("B", 1)
    deliver(source, first)
    deliver(source, first, second, minute=1)

    deliver(source, ended(first, 2), second, minute=2)
    quiet.resolve_quiet(now=later(3.1))

    assert only().status == "resolved"
    assert only().entries.get(kind="all_clear").data == {"policy": "first"}


def test_what_fires_afterwards_disturbs_the_quiet_of_any(source: Integration) -> None:
    source = routed(source, {"resolve": "any", "quiet_period": 60})
    first, second = alert("A"), alert("B")
    deliver(source, first, second)
    deliver(source, ended(first, 2), second, minute=2)

    deliver(source, second, alert("C", 2.5), minute=2.5)
    quiet.resolve_quiet(now=later(10))

    assert only().status == "triggered"


def test_never_means_that_people_resolve_it(source: Integration) -> None:
    source = routed(source, {"resolve": "never", "quiet_period": 0})
    first = alert("A")
    deliver(source, first)

    deliver(source, ended(first, 2), minute=2)
    quiet.resolve_quiet(now=later(60))

    assert only().status == "triggered"


def test_the_reopen_window_is_the_routes(source: Integration) -> None:
    source = routed(source, {"reopen_window": 60})
    first = alert("A")
    deliver(source, first)
    deliver(source, ended(first, 1), minute=1)
    lifecycle.move(only(), Incident.Status.RESOLVED, by=make.SYSTEM, now=later(2))

    deliver(source, alert("A", 4), minute=4)

    assert Incident.objects.count() == 2


def test_a_repeat_of_what_routes_have_settled_changes_nothing(source: Integration) -> None:
    source = routed(source, {"correlate": "labels", "correlate_labels": ["cluster"]})
    body = (alert("A", cluster="eu"), alert("B", cluster="us"))
    deliver(source, *body)

    receipt = deliver(source, *body, minute=5)

    assert receipt.counts["unchanged"] == 2
    assert Entry.objects.count() == 4


def test_what_waits_from_other_groups_counts_only_while_it_is_new(source: Integration) -> None:
    source = routed(
        source, {"threshold": 2, "threshold_within": 300, "correlate": "labels", "correlate_labels": ["app"]}
    )

    deliver(source, alert("A", app="web"), group="one")
    deliver(source, alert("B", 20, app="web"), group="two", minute=20)
    assert not Incident.objects.exists()
    deliver(source, alert("C", 22, app="web"), group="three", minute=22)

    assert only().alerts.count() == 3


def test_a_process_goes_by_new_routes_at_once_where_it_was_that_changed_them(
    source: Integration, django_capture_on_commit_callbacks: Any
) -> None:
    token = integrations.rotate(source, by=make.SYSTEM, now=NOW)
    header = f"Bearer {token}"
    integrations.forget()
    before = integrations.by_authorization(header)
    assert before is not None
    assert not before.table

    with django_capture_on_commit_callbacks(execute=True):
        integrations.set_routes(source, [{"name": "all", "does": "ignore"}], by=make.SYSTEM, now=NOW)

    after = integrations.by_authorization(header)
    assert after is not None
    assert [route.name for route in after.table.routes] == ["all"]


@pytest.mark.parametrize("does", ["ignore", "attach"])
def test_an_end_of_an_earlier_time_changes_nothing_for_what_fires_in_no_incident(
    source: Integration, does: str
) -> None:
    source = routed(source, {"does": does})
    deliver(source, alert("A", 10), minute=10)

    receipt = deliver(source, ended(alert("A", 0), 5), minute=11)

    assert receipt.counts["received"] == 1
    assert set(Alert.objects.values_list("starts_at", "status")) == {(NOW, "resolved"), (later(10), "firing")}


def test_a_start_that_moves_stays_without_an_incident_where_it_had_none(source: Integration) -> None:
    source = routed(source, {"does": "ignore"})
    deliver(source, alert("A", 0))

    deliver(source, alert("A", 10), minute=10)

    assert not Incident.objects.exists()
    assert Alert.objects.get(status="firing").routed is not None


LOW, HIGH = "0" * 16, "f" * 16  # fingerprints, in whose order alerts are looked at


def test_a_threshold_holds_back_nothing_that_has_none(source: Integration) -> None:
    source = routed(source, {"matchers": "severity=warning", "threshold": 5, "threshold_within": 600})
    held = {**alert("Slow", severity="warning"), "fingerprint": LOW}

    deliver(source, held)
    assert becomes() == "waits"
    deliver(source, held, {**alert("Down", severity="critical"), "fingerprint": HIGH}, minute=1)

    assert only().alerts.count() == 2
    assert only().severity == "sev2"
    assert only().is_news


def test_each_route_counts_towards_its_own_threshold(source: Integration) -> None:
    three = {"threshold": 3, "threshold_within": 600}
    source = routed(source, {"matchers": "tier=web", **three}, {"matchers": "tier=db", **three}, {"does": "attach"})
    two_of_each = [alert("W1", tier="web"), alert("W2", tier="web"), alert("D1", tier="db"), alert("D2", tier="db")]

    deliver(source, *two_of_each, alert("X"))
    deliver(source, *two_of_each, alert("X"), minute=1)
    assert not Incident.objects.exists()
    deliver(source, *two_of_each, alert("X"), alert("D3", minute=2, tier="db"), minute=2)

    assert only().alerts.count() == 6


def test_what_waits_by_another_route_does_not_count(source: Integration) -> None:
    three = {"threshold": 3, "threshold_within": 600, "correlate": "labels", "correlate_labels": ["app"]}
    source = routed(source, {"matchers": "tier=web", **three}, {"matchers": "tier=db", **three})
    deliver(source, alert("W1", tier="web", app="x"), alert("W2", tier="web", app="x"), group="web")

    deliver(source, alert("D1", tier="db", app="x"), group="db")
    assert not Incident.objects.exists()
    deliver(source, alert("W3", tier="web", app="x"), group="more")

    assert only().alerts.count() == 4


def test_what_only_waited_does_not_say_when_it_began(source: Integration) -> None:
    source = routed(
        source,
        {"matchers": "severity=info", "does": "attach", "correlate": "labels", "correlate_labels": ["app"]},
        {"correlate": "labels", "correlate_labels": ["app"]},
    )
    deliver(source, alert("LicenceExpires", app="web", severity="info"), group="info")

    deliver(source, alert("Down", minute=5000, app="web"), minute=5000)

    assert only().alerts.count() == 2
    assert only().started_at == later(5000)


def test_what_counts_makes_a_candidate_count_that_it_joins(source: Integration) -> None:
    per_service = {"correlate": "labels", "correlate_labels": ["app"]}
    source = routed(
        source,
        {"matchers": "alertname=Drift", "candidate": True, **per_service},
        {"matchers": "severity=info", "does": "attach", **per_service},
        per_service,
    )
    deliver(source, alert("Drift", app="web"), group="drift")
    Incident.objects.update(is_news=False)
    deliver(source, alert("Drift", app="web"), alert("Drift", app="web", pod="b"), group="drift", minute=1)
    deliver(source, alert("Licence", app="web", severity="info"), group="info", minute=1)
    assert only().is_candidate
    assert not only().is_news

    deliver(source, alert("Down", minute=2, app="web"), group="down", minute=2)

    assert not only().is_candidate
    assert only().is_news
    assert only().entries.get(kind=Entry.Kind.FIELD_CHANGED).data == {
        "field": "is_candidate",
        "from": True,
        "to": False,
    }


def test_where_several_open_it_together_what_counts_speaks_for_it(source: Integration) -> None:
    source = routed(
        source, {"matchers": "alertname=Drift", "candidate": True, "title": "A drift"}, {"title": "It is down"}
    )

    deliver(source, {**alert("Drift"), "fingerprint": LOW}, {**alert("Down"), "fingerprint": HIGH})

    assert (only().title, only().is_candidate) == ("It is down", False)


@pytest.mark.parametrize("policy", ["any", "first", "all"])
def test_the_end_of_what_is_ignored_says_nothing_of_the_others(source: Integration, policy: str) -> None:
    source = routed(source, {"matchers": "env=dev", "does": "ignore"}, {"resolve": policy})
    mine, other = {**alert("A"), "fingerprint": HIGH}, {**alert("A", env="dev"), "fingerprint": LOW}
    deliver(source, mine, other)

    deliver(source, mine, ended(other, 1), minute=1)
    deliver(source, mine, ended({**alert("Unheard", env="dev"), "fingerprint": "1" * 16}, 1), minute=1)

    assert set(only().entries.values_list("kind", flat=True)) == {"opened", "alerts_fired"}
    assert only().alerts.count() == 1
    assert {row.routed["becomes"] for row in Alert.objects.filter(incident=None) if row.routed} == {"ignore"}


def test_the_first_alert_is_the_one_that_opened_it_whichever_of_its_starts_ends(source: Integration) -> None:
    source = routed(
        source,
        {"matchers": "severity=info", "does": "attach"},
        {"resolve": "first", "quiet_period": 60},
    )
    deliver(source, alert("Info", severity="info"))
    first, second = alert("A", minute=1), alert("B", minute=2)
    deliver(source, alert("Info", severity="info"), first, minute=1)
    deliver(source, first, second, minute=2)
    deliver(source, alert("A", minute=3), second, minute=3)

    deliver(source, ended(alert("Info", severity="info"), 4), second, minute=4)
    assert not only().entries.filter(kind=Entry.Kind.ALL_CLEAR).exists()
    deliver(source, ended(alert("A", minute=3), 5), second, minute=5)

    assert only().entries.get(kind=Entry.Kind.ALL_CLEAR).data == {"policy": "first"}


def test_what_attaches_opens_nothing_again(source: Integration) -> None:
    source = routed(source, {"matchers": "severity=info", "does": "attach"}, {})
    deliver(source, alert("Down"))
    lifecycle.move(only(), Incident.Status.RESOLVED, by=make.SYSTEM, now=later(1))

    deliver(source, alert("Licence", minute=2, severity="info"), minute=2)

    assert only().status == Incident.Status.RESOLVED
    assert Alert.objects.get(name="Licence").waits_for


def test_an_incident_opens_again_when_the_threshold_is_met_again(source: Integration) -> None:
    source = routed(source, {"threshold": 2, "threshold_within": 600})
    deliver(source, alert("A"), alert("B"))
    lifecycle.move(only(), Incident.Status.RESOLVED, by=make.SYSTEM, now=later(1))
    Incident.objects.update(is_news=False)

    deliver(source, alert("C", minute=2), minute=2)
    assert only().status == Incident.Status.RESOLVED
    deliver(source, alert("C", minute=2), alert("D", minute=3), minute=3)

    assert only().status == Incident.Status.TRIGGERED
    assert only().is_news
    assert only().alerts.count() == 4


def test_what_routes_said_before_is_not_said_of_what_the_defaults_do_now(source: Integration) -> None:
    ignoring = routed(source, {"matchers": "env=dev", "does": "ignore"})
    deliver(ignoring, alert("A", env="dev"))

    deliver(routed(source), alert("A", env="dev"), minute=1)

    assert only().alerts.count() == 1
    assert becomes() == "opened"


def test_a_threshold_that_a_route_adds_counts_for_those_alone_that_it_fits(source: Integration) -> None:
    adding = {"matchers": "severity=info", "continue": True, "threshold": 10, "threshold_within": 3600}
    source = routed(source, adding, {"title": "all"})
    info, critical = alert("Info", severity="info"), alert("Down", severity="critical")

    deliver(source, {**info, "fingerprint": LOW})
    assert becomes() == "waits"
    deliver(source, {**info, "fingerprint": LOW}, {**critical, "fingerprint": HIGH}, minute=1)

    assert only().alerts.count() == 2


def test_what_waits_and_is_repeated_by_an_earlier_start_waits_on(source: Integration) -> None:
    source = routed(source, {"threshold": 2, "threshold_within": 600})
    deliver(source, alert("A", minute=1), minute=1)
    earlier = alert("A", minute=0)
    deliver(source, earlier, minute=2)
    deliver(source, earlier, minute=3)
    assert Alert.objects.get(status="firing").waits_for

    deliver(source, alert("B", minute=4), group="other", minute=4)
    deliver(source, earlier, alert("B", minute=4), minute=5)

    assert set(only().alerts.values_list("name", flat=True)) == {"A", "B"}


def test_what_is_no_longer_ignored_opens_also_when_repeated_by_an_earlier_start(source: Integration) -> None:
    deliver(routed(source, {"does": "ignore"}), alert("A", minute=1), minute=1)

    deliver(routed(source), alert("A", minute=0), minute=2)

    assert only().alerts.get(status="firing").starts_at == later(1)


def test_what_counts_makes_a_candidate_count_that_opens_with_it(source: Integration) -> None:
    source = routed(source, {"matchers": "tier=web", "threshold": 5, "threshold_within": 600}, {"candidate": True})

    deliver(source, alert("A", tier="web"), alert("B"))

    assert not only().is_candidate


def test_the_window_is_looked_at_once_however_many_alerts_there_are(source: Integration) -> None:
    source = routed(source, {"window": 60})
    deliver(source, alert("A"))

    def statements(count: int, minute: float) -> int:
        sent = [alert(f"{minute} {n}", minute=minute) for n in range(count)]
        with CaptureQueriesContext(connection) as captured:
            deliver(source, *sent, minute=minute)
        return len(captured)

    assert statements(2, 0.5) == statements(30, 1)
    assert statements(2, 10) == statements(30, 20)
    assert Incident.objects.count() == 3


def test_what_waits_no_longer_when_its_row_is_locked_begins_all_anew(
    source: Integration, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = routed(source, {"threshold": 2, "threshold_within": 600})
    deliver(source, alert("A"))
    found, calls = waiters.of, list[int]()

    def of(key: str, plan: Plan) -> Sequence[Alert]:
        waiting = found(key, plan)
        calls.append(len(waiting))
        if len(calls) == 1:  # undone with what was begun upon it
            Alert.objects.filter(name="A").update(status="resolved")
        return waiting

    monkeypatch.setattr(waiters, "of", of)
    deliver(source, alert("B", minute=1), minute=1)

    assert calls == [1, 1]
    assert only().alerts.filter(status="firing").count() == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="one writer at a time locks no rows")
def test_the_number_of_an_incident_is_taken_before_the_rows_of_what_waits(source: Integration) -> None:
    """In the order in which everybody locks: another delivery of these alerts may hold the counter."""
    source = routed(source, {"threshold": 2, "threshold_within": 600})
    deliver(source, alert("A"))

    def second() -> None:
        try:
            deliver(source, alert("B", minute=1), minute=1)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Counter.objects.select_for_update().get(name="incident")
            delivered = pool.submit(second)
            with pytest.raises(TimeoutError):
                delivered.result(1)
            assert Alert.objects.select_for_update(nowait=True).get(name="A").waits_for
        delivered.result(5)

    assert only().alerts.count() == 2
