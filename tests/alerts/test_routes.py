"""Routes choose what becomes of an alert: which incident, what it says of itself, when it opens and how it ends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from alerts import ingest, integrations, routes, routing
from alerts.models import Alert, Integration
from alerts.payload import Alert as Sent
from common.errors import Invalid
from incidents import lifecycle, quiet
from incidents.models import Entry, Incident
from people.models import Team
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def source(payments: Team) -> Integration:
    integrations.forget()
    routing.forget()
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
