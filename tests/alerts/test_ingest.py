"""Which incident an alert belongs to, and what a delivery leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from alerts import ingest, payload, staleness, upsert
from alerts.models import Alert, Delivery, Group, Integration, RawBody
from incidents import lifecycle, quiet, reading, wording
from incidents.models import Entry, Incident
from slos import definitions
from tests import make
from tests.make import NOW

Status = Incident.Status
pytestmark = pytest.mark.django_db


@pytest.fixture
def source(payments: Any) -> Integration:
    return make.integration(team=payments)[0]


def deliver(source: Integration, *alerts: dict[str, Any], minute: float = 0, **fields: Any) -> ingest.Receipt:
    return ingest.receive(source, make.alertmanager_body(*alerts, **fields), now=NOW + timedelta(minutes=minute))


def later(minutes: float) -> Any:
    return NOW + timedelta(minutes=minutes)


def kinds(incident: Incident) -> list[str]:
    return list(incident.entries.order_by("seq").values_list("kind", flat=True))


def only() -> Incident:
    return Incident.objects.get()


def test_a_firing_alert_opens_an_incident_that_knows_where_it_came_from(source: Integration) -> None:
    receipt = deliver(source, make.alert(annotations={"summary": "Errors above 5%"}))

    incident = only()
    assert receipt.incidents == [incident.number]
    assert receipt.counts == {"received": 1, "opened": 1, "changed": 0, "unchanged": 0, "resolved": 0, "quarantined": 0}
    assert incident.title == "Errors above 5%"
    assert incident.severity == "sev2"
    assert incident.team == source.team
    assert incident.detected_at == incident.started_at == NOW
    assert kinds(incident) == ["opened", "alerts_fired"]
    assert incident.entries.get(seq=2).actor_type == "alert"
    assert Alert.objects.get().incident == incident


def test_a_repeat_changes_nothing(source: Integration) -> None:
    deliver(source, make.alert())

    receipt = deliver(source, make.alert(), minute=5)

    assert receipt.counts["unchanged"] == 1
    assert kinds(only()) == ["opened", "alerts_fired"]
    assert Alert.objects.get().last_seen_at == later(5)
    assert RawBody.objects.count() == 1
    assert Delivery.objects.count() == 2


def test_a_changed_annotation_is_shown_and_makes_no_entry(source: Integration) -> None:
    deliver(source, make.alert())

    receipt = deliver(source, make.alert(annotations={"summary": "Errors above 9%"}), minute=5)

    assert receipt.counts["changed"] == 1
    assert Alert.objects.get().annotations == {"summary": "Errors above 9%"}
    assert kinds(only()) == ["opened", "alerts_fired"]


def test_a_resolve_is_told_once_and_the_last_one_clears(source: Integration) -> None:
    one, two = make.alert("A"), make.alert("B")
    deliver(source, one, two)

    deliver(source, {**one, "status": "resolved", "endsAt": "2026-03-02T09:05:00Z"}, two, minute=5)
    deliver(source, {**one, "status": "resolved", "endsAt": "2026-03-02T09:05:00Z"}, two, minute=6)
    receipt = deliver(source, {**two, "status": "resolved", "endsAt": "2026-03-02T09:07:00Z"}, minute=7)

    assert receipt.counts["resolved"] == 1
    assert kinds(only()) == ["opened", "alerts_fired", "alerts_resolved", "alerts_resolved", "all_clear"]
    assert only().status == Status.TRIGGERED


def test_a_resolve_of_something_unknown_is_kept_and_opens_nothing(source: Integration) -> None:
    receipt = deliver(source, make.alert(status="resolved", ends_at=later(1)))

    assert receipt.incidents == []
    assert not Incident.objects.exists()
    assert Alert.objects.get().status == "resolved"


def test_what_comes_resolved_beside_what_fires_is_shown_in_the_incident(source: Integration) -> None:
    ended = make.alert("B", status="resolved", ends_at=later(1))

    deliver(source, make.alert("A"), ended)
    deliver(source, make.alert("A"), make.alert("C", status="resolved", ends_at=later(2)), minute=2)

    assert set(only().alerts.values_list("name", "status")) == {("A", "firing"), ("B", "resolved"), ("C", "resolved")}
    assert kinds(only()) == ["opened", "alerts_fired"]


def test_a_second_alert_of_the_group_joins_the_open_incident(source: Integration) -> None:
    deliver(source, make.alert("A"))

    receipt = deliver(source, make.alert("A"), make.alert("B", starts_at=later(1)), minute=1)

    assert receipt.counts["opened"] == 1
    assert kinds(only()) == ["opened", "alerts_fired", "alerts_fired"]


def test_another_group_with_a_new_alert_is_another_incident(source: Integration) -> None:
    deliver(source, make.alert("A"), group="one")
    deliver(source, make.alert("B"), group="two")

    assert Incident.objects.count() == 2


def test_another_group_that_brings_only_known_alerts_attaches_and_stays_attached(source: Integration) -> None:
    deliver(source, make.alert("A"), group="one")

    deliver(source, make.alert("A"), group="two", minute=1)
    deliver(source, make.alert("A"), make.alert("B", starts_at=later(2)), group="two", minute=2)

    assert Incident.objects.count() == 1
    assert Alert.objects.filter(incident=only()).count() == 2


def test_the_same_group_of_another_integration_is_another_incident(source: Integration) -> None:
    other = make.integration("Staging")[0]

    deliver(source, make.alert())
    deliver(other, make.alert())

    assert Incident.objects.count() == 2


def test_what_still_fires_after_a_person_resolved_does_nothing(source: Integration, alice: Any) -> None:
    deliver(source, make.alert())
    lifecycle.move(only(), Status.RESOLVED, by=make.person(alice), now=later(10))

    receipt = deliver(source, make.alert(), minute=15)

    assert receipt.counts["unchanged"] == 1
    assert only().status == Status.RESOLVED
    assert Alert.objects.get().status == "firing"


@pytest.mark.parametrize(("acknowledged", "status"), [(True, Status.ACKNOWLEDGED), (False, Status.TRIGGERED)])
def test_an_alert_that_starts_later_reopens_within_the_window(
    source: Integration, alice: Any, acknowledged: bool, status: str
) -> None:
    deliver(source, make.alert())
    if acknowledged:
        lifecycle.acknowledge(only(), by=make.person(alice), now=later(1))
    deliver(source, make.alert(status="resolved", ends_at=later(5)), minute=5)
    lifecycle.move(only(), Status.RESOLVED, by=make.person(alice), now=later(6))

    deliver(source, make.alert(starts_at=later(20)), minute=20)

    incident = only()
    assert incident.status == status
    assert incident.resolved_at is None
    assert Alert.objects.get(status="firing").incident == incident


def test_an_alert_that_nobody_knew_reopens_although_it_began_before_the_resolve(
    source: Integration, alice: Any
) -> None:
    deliver(source, make.alert("A"))
    lifecycle.move(only(), Status.RESOLVED, by=make.person(alice), now=later(6))

    deliver(source, make.alert("A"), make.alert("B", starts_at=later(5.5)), minute=7)

    assert only().is_open


def test_what_starts_anew_after_the_group_has_gone_on_to_another_incident_joins_that_one(
    source: Integration, alice: Any
) -> None:
    """Its own was resolved by a person while it fired, and the window in which that would reopen is over."""
    deliver(source, make.alert("B"))
    lifecycle.move(only(), Status.RESOLVED, by=make.person(alice), now=later(1))
    after = 1 + settings.ENV.reopen_window / 60 + 1
    deliver(source, make.alert("A", starts_at=later(after)), minute=after)
    second = Incident.objects.latest("pk")

    receipt = deliver(source, make.alert("B", starts_at=later(after)), minute=after + 1)

    assert receipt.incidents == [second.number]
    assert Alert.objects.get(name="B", status="firing").incident == second


def test_after_the_window_a_new_start_opens_a_new_incident(source: Integration, alice: Any) -> None:
    deliver(source, make.alert())
    deliver(source, make.alert(status="resolved", ends_at=later(5)), minute=5)
    lifecycle.move(only(), Status.RESOLVED, by=make.person(alice), now=later(6))
    after = 6 + settings.ENV.reopen_window / 60 + 1

    deliver(source, make.alert(starts_at=later(after)), minute=after)

    assert Incident.objects.count() == 2
    assert Incident.objects.latest("number").status == Status.TRIGGERED


def test_the_alerts_of_a_merged_incident_go_where_it_went(source: Integration, bob: Any) -> None:
    deliver(source, make.alert("A"))
    merged = only()
    target = make.incident()
    lifecycle.move(merged, Status.MERGED, by=make.person(bob), now=later(1), merged_into=target)

    receipt = deliver(source, make.alert("A"), make.alert("B", starts_at=later(2)), minute=2)

    assert receipt.incidents == [target.number]
    assert Incident.objects.count() == 2
    assert "alerts_fired" in kinds(target)


def test_merging_moves_the_alerts_and_undoing_it_brings_them_back(source: Integration, bob: Any) -> None:
    def firing(incident: Incident) -> set[str]:
        return set(incident.alerts.firing().values_list("name", flat=True))

    deliver(source, make.alert("A"), make.alert("B"))
    merged, target = only(), make.incident()
    lifecycle.move(merged, Status.MERGED, by=make.person(bob), now=later(1), merged_into=target)
    assert (firing(merged), firing(target)) == (set(), {"A", "B"})

    deliver(source, make.alert("A", status="resolved", ends_at=later(2)), make.alert("C", starts_at=later(2)), minute=2)
    assert firing(target) == {"B", "C"}
    assert "all_clear" not in kinds(target)

    lifecycle.move(merged, Status.TRIGGERED, by=make.person(bob), now=later(3))
    assert (firing(merged), firing(target)) == ({"B", "C"}, set())
    assert deliver(source, make.alert("D", starts_at=later(4)), minute=4).incidents == [merged.number]


def test_alerts_come_back_to_where_they_were_when_what_was_merged_is_merged_again(
    source: Integration, bob: Any
) -> None:
    by = make.person(bob)
    deliver(source, make.alert("A"), groupKey="one")
    deliver(source, make.alert("B"), groupKey="two")
    first, second = Incident.objects.order_by("number")
    last = make.incident()
    lifecycle.move(first, Status.MERGED, by=by, now=later(1), merged_into=second)
    lifecycle.move(second, Status.MERGED, by=by, now=later(2), merged_into=last)
    assert last.alerts.count() == 2

    lifecycle.move(second, Status.TRIGGERED, by=by, now=later(3))
    lifecycle.move(first, Status.TRIGGERED, by=by, now=later(4))

    assert [list(each.alerts.values_list("name", flat=True)) for each in (first, second, last)] == [["A"], ["B"], []]


def test_the_alerts_of_a_private_incident_are_not_shown_to_more_people(source: Integration, bob: Any) -> None:
    deliver(source, make.alert("A"))
    Incident.objects.update(is_private=True)
    secret, target = only(), make.incident()

    lifecycle.move(secret, Status.MERGED, by=make.person(bob), now=later(1), merged_into=target)

    assert (secret.alerts.count(), target.alerts.count()) == (1, 0)


def test_labels_name_service_team_and_severity(source: Integration, search: Any) -> None:
    service = make.service("ranker", search)

    deliver(source, make.alert(labels={"service": "ranker", "severity": "warning"}))

    incident = only()
    assert (incident.service, incident.team, incident.severity) == (service, search, "sev3")


@pytest.mark.django_db(transaction=True)
def test_a_service_that_was_removed_a_moment_ago_holds_no_alert_back(source: Integration, search: Any) -> None:
    service = make.service("ranker", search)
    deliver(source, make.alert("A"), group="a")  # from here on, the services are known
    service.delete()

    receipt = deliver(source, make.alert("B", labels={"service": "ranker"}), group="b")

    assert Incident.objects.get(number=receipt.incidents[0]).service is None


def test_a_bad_alert_beside_a_good_one_is_put_aside_and_the_good_one_is_taken(source: Integration) -> None:
    receipt = deliver(source, make.alert(), {**make.alert("Bad"), "startsAt": "9999-12-31T23:59:59-05:00"})

    assert receipt.counts["opened"] == receipt.counts["quarantined"] == 1
    kept = Delivery.objects.get().quarantined
    assert kept[0]["position"] == 1
    assert "Bad" in kept[0]["raw"]


def test_labels_are_compared_where_fingerprints_collide(source: Integration) -> None:
    deliver(
        source, make.alert(labels={"a": "1"}, fingerprint="same"), make.alert(labels={"a": "2"}, fingerprint="same")
    )

    assert Alert.objects.filter(status="firing").count() == 2


def test_what_is_refused_is_kept_with_its_reason(source: Integration) -> None:
    with pytest.raises(payload.BadPayload):
        ingest.receive(source, b'{"version": "3"}', now=NOW)

    refused = Delivery.objects.get()
    assert refused.outcome == Delivery.Outcome.REFUSED
    assert refused.status == 400
    assert refused.raw
    assert bytes(refused.raw.body) == b'{"version": "3"}'
    assert "version" in refused.reason


def test_the_number_of_statements_does_not_grow_with_the_number_of_alerts(source: Integration) -> None:
    def statements(group: str, names: list[str], minute: float, **fields: Any) -> int:
        with CaptureQueriesContext(connection) as captured:
            deliver(source, *[make.alert(name, **fields) for name in names], group=group, minute=minute)
        return sum(
            not q["sql"].startswith(("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT")) for q in captured.captured_queries
        )

    deliver(source, make.alert("Warm"))  # the catalogue is read once in five seconds
    many = [f"Alert{n}" for n in range(100)]
    opening = statements("one", ["Single"], 0), statements("many", many, 0)
    joining = statements("one", ["Another"], 0.5), statements("many", [f"Other{n}" for n in range(100)], 0.5)
    repeat = statements("one", ["Single"], 1), statements("many", many, 1)
    resolve = (
        statements("one", ["Single"], 2, status="resolved", ends_at=later(2)),
        statements("many", many, 2, status="resolved", ends_at=later(2)),
    )

    # SQLite, where nothing travels, has no statement that writes two tables.
    assert opening == ((8, 8) if connection.vendor == "postgresql" else (9, 9))
    assert joining == ((6, 6) if connection.vendor == "postgresql" else (8, 8))
    assert repeat == (4, 4)
    assert resolve == ((7, 7) if connection.vendor == "postgresql" else (9, 9))


@pytest.fixture
def overtaken(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """What the next delivery reads of alerts is what is known now, whatever another one writes meanwhile."""

    def read_now() -> None:
        seen: list[Any] = []
        read = upsert.known

        def known(*args: Any, **kwargs: Any) -> Any:
            return seen.pop() if seen else read(*args, **kwargs)

        alerts = payload.parse(make.alertmanager_body()).alerts
        seen.append(read([(Integration.objects.get().pk, alerts)], is_late=False))
        monkeypatch.setattr(upsert, "known", known)

    return read_now


def test_a_resolve_that_two_groups_bring_at_once_is_told_once(
    source: Integration, overtaken: Callable[[], None]
) -> None:
    ended = make.alert(status="resolved", ends_at=later(1))
    deliver(source, make.alert())
    overtaken()
    Alert.objects.update(status="resolved", ends_at=later(1))

    receipt = deliver(source, ended, minute=1, group="other")

    assert receipt.counts["unchanged"] == 1
    assert "alerts_resolved" not in kinds(only()), "the other one tells of it"


def test_a_repeat_that_a_resolve_overtakes_is_judged_anew(source: Integration, overtaken: Callable[[], None]) -> None:
    deliver(source, make.alert())
    overtaken()
    Alert.objects.update(status="resolved", ends_at=later(1))

    receipt = deliver(source, make.alert(), minute=2)

    alert = Alert.objects.get()
    assert receipt.counts["unchanged"] == 1
    assert (alert.status, alert.provisional_since) == ("resolved", later(2))


def test_a_repeat_through_another_group_is_heard_of_there(source: Integration) -> None:
    deliver(source, make.alert(), group="one")
    deliver(source, make.alert(), group="two", minute=1)

    receipt = deliver(source, make.alert(), group="two", minute=2)

    alert = Alert.objects.get()
    assert receipt.incidents == [only().number]
    assert (alert.group, alert.last_seen_at) == (Group.objects.get(key="two"), later(2))


def test_a_repeat_of_what_was_merged_names_where_it_went(source: Integration, bob: Any) -> None:
    deliver(source, make.alert())
    merged, target = only(), make.incident()
    Incident.objects.filter(pk=merged.pk).update(is_private=True)
    lifecycle.move(merged, Status.MERGED, by=make.person(bob), now=later(1), merged_into=target)

    receipt = deliver(source, make.alert(), minute=2)

    assert receipt.incidents == [target.number]


def test_an_slo_named_by_a_label_is_linked(source: Integration) -> None:
    slo = definitions.create(make.service("checkout"), "Checkout availability", target="0.999", by=make.SYSTEM, now=NOW)

    deliver(source, make.alert(labels={"slo_id": slo.slug}), make.alert("B", labels={"slo_id": "unheard-of"}))

    link = only().slo_links.get()
    assert (link.slo, link.origin) == (slo, "label")
    assert Entry.objects.filter(kind="slo_linked").count() == 1


def test_an_incident_that_people_reopened_takes_its_groups_alerts_again(source: Integration, bob: Any) -> None:
    by = make.person(bob)
    after = settings.ENV.reopen_window / 60 + 10
    deliver(source, make.alert())
    first = only()
    deliver(source, make.alert(status="resolved", ends_at=later(1)), minute=1)
    lifecycle.move(first, Status.RESOLVED, by=by, now=later(2))
    deliver(source, make.alert(starts_at=later(after)), minute=after)
    second = Incident.objects.latest("number")
    deliver(source, make.alert(starts_at=later(after), status="resolved", ends_at=later(after + 1)), minute=after + 1)
    lifecycle.move(second, Status.RESOLVED, by=by, now=later(after + 2))
    lifecycle.move(first, Status.ACKNOWLEDGED, by=by, now=later(after + 3))

    taken = deliver(source, make.alert(starts_at=later(after + 4)), minute=after + 4)
    joined = deliver(source, make.alert("B", starts_at=later(after + 5)), minute=after + 5)

    assert first.number != second.number
    assert taken.incidents == joined.incidents == [first.number]
    assert Alert.objects.filter(status="firing", incident=first).count() == 2


def test_what_turns_out_not_to_be_covered_fires_again_when_it_is_repeated(source: Integration) -> None:
    covered = make.alert(starts_at=later(29))
    deliver(source, covered, minute=30)
    deliver(source, make.alert(status="resolved", ends_at=later(40)), minute=41)
    assert set(Alert.objects.values_list("status", flat=True)) == {"resolved"}

    deliver(source, make.alert(status="resolved", ends_at=later(20)), minute=42)
    deliver(source, covered, minute=43)

    alert = Alert.objects.get(starts_at=later(29))
    assert (alert.status, alert.superseded, alert.incident) == ("firing", False, only())
    assert kinds(only())[-1] == "alerts_fired"


def test_the_end_of_one_instance_and_the_start_of_the_next_may_come_together(source: Integration) -> None:
    deliver(source, make.alert("A"))
    ended = make.alert("A", status="resolved", ends_at=later(1))
    deliver(source, make.alert("A", starts_at=later(2)), ended, minute=3)

    assert list(Alert.objects.order_by("starts_at").values_list("status", flat=True)) == ["resolved", "firing"]


def test_nothing_is_quiet_while_alertmanager_leaves_alerts_out(source: Integration) -> None:
    seen = make.alert("Seen")
    over = {**seen, "status": "resolved", "endsAt": later(1).isoformat()}
    deliver(source, seen, truncatedAlerts=7)
    deliver(source, over, minute=1, truncatedAlerts=7)

    entry = only().entries.get(kind=Entry.Kind.ALL_CLEAR)
    assert entry.data == {"cut_off": True}
    assert str(wording.sentence(entry)).startswith("Not quite clear")
    assert reading._mark(entry) != "green"
    assert not quiet.resolve_quiet(now=later(60))
    assert only().is_open
    deliver(source, over, minute=61)
    assert quiet.resolve_quiet(now=later(61))


def test_what_was_left_out_of_a_group_that_is_silent_is_waited_for_no_more(source: Integration) -> None:
    seen = make.alert("Seen")
    deliver(source, seen, truncatedAlerts=7)
    deliver(source, {**seen, "status": "resolved", "endsAt": later(1).isoformat()}, minute=1, truncatedAlerts=7)
    staleness.look(now=later(60))
    assert not quiet.resolve_quiet(now=later(60))

    staleness.look(now=later(60 * 9))

    assert quiet.resolve_quiet(now=later(60 * 9))


def test_what_is_left_out_later_disturbs_the_quiet(source: Integration) -> None:
    seen = make.alert("Seen")
    over = {**seen, "status": "resolved", "endsAt": later(1).isoformat()}
    deliver(source, seen)
    deliver(source, over, minute=1)
    deliver(source, over, minute=2, truncatedAlerts=7)
    assert not quiet.resolve_quiet(now=later(60))

    deliver(source, over, minute=61)

    assert quiet.resolve_quiet(now=later(67))
