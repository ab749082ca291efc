"""What fires and is not repeated is said to be unconfirmed; it ends by people, or as its integration says."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from alerts import ingest, integrations, replay, staleness
from alerts.models import Alert, Delivery, Integration
from incidents import quiet, timeline, wording
from incidents.models import Entry, Incident
from people.models import User
from tests import make
from tests.browsing import signed_in
from tests.conftest import Api
from tests.make import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def source() -> Integration:
    integration, _ = make.integration()
    Integration.objects.filter(pk=integration.pk).update(repeat_interval=600)
    return Integration.objects.get(pk=integration.pk)


def deliver(source: Integration, *alerts: dict[str, Any], minute: float = 0, **fields: Any) -> ingest.Receipt:
    return ingest.receive(source, make.alertmanager_body(*alerts, **fields), now=later(minute))


def later(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def stale() -> set[str]:
    return set(Alert.objects.shown_as("stale").values_list("name", flat=True))


def test_what_is_not_repeated_within_twice_its_interval_is_stale_and_goes_on_firing(source: Integration) -> None:
    deliver(source, make.alert("A"), make.alert("B"))
    deliver(source, make.alert("B"), minute=20)

    staleness.look(now=later(24))
    assert stale() == set()
    staleness.look(now=later(26))
    staleness.look(now=later(27))

    assert stale() == {"A"}
    assert Alert.objects.get(name="A").status == "firing"
    entry = Entry.objects.get(kind="alert_stale")
    assert (entry.data["count"], entry.data["since"]) == (1, NOW.isoformat())
    assert str(wording.sentence(entry)) == "1 alert is not confirmed any more (A)"
    assert Incident.objects.get().status == "triggered"
    assert timeline.verify(Incident.objects.get()) is None


def test_hearing_of_it_again_confirms_it(source: Integration) -> None:
    deliver(source, make.alert("A"))
    staleness.look(now=later(26))

    deliver(source, make.alert("A"), minute=30)

    assert stale() == set()
    assert Entry.objects.filter(kind="alert_stale").count() == 1


def test_a_late_copy_of_something_else_confirms_nothing(source: Integration) -> None:
    deliver(source, make.alert("A"), make.alert("B"))
    staleness.look(now=later(26))

    deliver(source, make.alert("B"), minute=30)

    assert stale() == {"A"}


def test_what_is_stale_disturbs_the_quiet(source: Integration) -> None:
    first, second = make.alert("A"), make.alert("B")
    deliver(source, first, second)
    deliver(source, {**first, "status": "resolved", "endsAt": later(1).isoformat()}, minute=1)
    staleness.look(now=later(60))

    quiet.resolve_quiet(now=later(600))

    assert Incident.objects.get().status == "triggered"


def test_it_resolves_by_itself_only_where_the_integration_says_so(source: Integration) -> None:
    deliver(source, make.alert("A"))
    staleness.look(now=later(26))
    staleness.look(now=later(60 * 24))
    assert stale() == {"A"}
    Integration.objects.update(stale_resolves_after=3600)

    staleness.look(now=later(26 + 59))
    assert stale() == {"A"}
    staleness.look(now=later(26 + 61))

    alert = Alert.objects.get()
    assert (alert.status, alert.state, alert.ends_at) == ("resolved", "resolved", NOW + timedelta(microseconds=1))
    assert list(Entry.objects.order_by("seq").values_list("kind", flat=True)) == [
        *("opened", "alerts_fired", "alert_stale", "alerts_resolved", "all_clear")
    ]
    quiet.resolve_quiet(now=later(26 + 61 + 6))
    assert Incident.objects.get().status == "resolved"


def test_without_a_setting_the_interval_is_learned_from_what_is_only_repeated(source: Integration) -> None:
    Integration.objects.update(repeat_interval=None)
    for minute in (0, 30, 60, 60.01, 90):  # one of them came from another node too
        deliver(source, make.alert("A"), minute=minute)
        deliver(source, make.alert("B"), group="quick", minute=minute / 10)

    staleness.learn(now=later(91))

    source.refresh_from_db()
    assert source.repeats_every == timedelta(minutes=30)


def test_what_brings_something_new_teaches_nothing(source: Integration) -> None:
    Integration.objects.update(repeat_interval=None)
    deliver(source, make.alert("A"))
    deliver(source, make.alert("A"), make.alert("B", starts_at=later(1)), minute=1)
    deliver(source, make.alert("A"), make.alert("B", starts_at=later(1)), minute=61)

    staleness.learn(now=later(62))

    source.refresh_from_db()
    assert source.learned_interval == 3600


def test_a_sign_of_life_may_come_more_often_and_teaches_nothing_of_others(source: Integration) -> None:
    Integration.objects.update(repeat_interval=None)
    for minute in range(0, 60, 5):
        deliver(source, make.alert("Watchdog"), group="life", minute=minute)
    staleness.learn(now=later(60))
    source.refresh_from_db()
    assert source.learned_interval is None

    for minute in (0, 10, 20):
        deliver(source, make.alert("Watchdog", labels={"in": "both"}), make.alert("A"), group="both", minute=minute)
    staleness.learn(now=later(61))
    source.refresh_from_db()
    assert source.learned_interval == 600


def test_before_anything_is_learned_it_is_as_alertmanager_does_by_itself(source: Integration) -> None:
    Integration.objects.update(repeat_interval=None)
    source.refresh_from_db()
    staleness.learn(now=NOW)

    assert source.repeats_every == timedelta(hours=4)


def test_programs_see_it_as_stale_and_count_it_so(source: Integration, api: Api, admin: User) -> None:
    deliver(source, make.alert("A"), make.alert("B"))
    deliver(source, make.alert("B"), minute=20)
    staleness.look(now=later(26))
    client = api(admin)

    by_state = {
        state: [a["name"] for a in client.get(f"/api/v1/alerts/?status={state}").json()["results"]]
        for state in ("firing", "stale", "resolved", "firing,stale")
    }

    assert by_state["firing"] == ["B"]
    assert by_state["stale"] == ["A"]
    assert by_state["resolved"] == []
    assert sorted(by_state["firing,stale"]) == ["A", "B"]
    incident = client.get(f"/api/v1/incidents/{Incident.objects.get().number}/").json()
    assert incident["alerts"] == {"firing": 1, "resolved": 0, "stale": 1}
    assert signed_in(admin).get("/alerts/").context["page"].counts.by_state == {"firing": 1, "stale": 1}


def test_what_is_heard_in_the_last_moment_does_not_end(source: Integration, monkeypatch: pytest.MonkeyPatch) -> None:
    deliver(source, make.alert("A"))
    staleness.look(now=later(26))
    Integration.objects.update(stale_resolves_after=60)
    settle = ingest.settle

    def after_it_is_heard(*told: Any) -> Any:
        monkeypatch.setattr(ingest, "settle", settle)
        deliver(source, make.alert("A"), minute=30)
        return settle(*told)

    monkeypatch.setattr(ingest, "settle", after_it_is_heard)
    staleness.look(now=later(30))

    assert Alert.objects.get().status == "firing"


def test_what_is_taken_in_again_teaches_nothing(source: Integration) -> None:
    Integration.objects.update(repeat_interval=None)
    for minute in (0, 30, 60):
        deliver(source, make.alert("A"), minute=minute)
    for minute in range(61, 70):
        replay.again(Delivery.objects.earliest("received_at"), by=make.SYSTEM, now=later(minute))

    staleness.learn(now=later(71))

    source.refresh_from_db()
    assert source.learned_interval == 1800


def test_what_began_earlier_than_we_know_is_confirmed_by_its_repeats(source: Integration) -> None:
    """A second Prometheus may say an earlier start of what fires already, from then on."""
    deliver(source, make.alert(starts_at=later(1)), minute=1)
    earlier = make.alert(starts_at=NOW, annotations={"summary": "newer words"})

    receipts = [deliver(source, earlier, minute=minute) for minute in (60, 120, 180)]
    staleness.look(now=later(181))

    assert [receipt.counts["changed"] for receipt in receipts] == [1, 0, 0]
    assert [receipt.counts["unchanged"] for receipt in receipts] == [0, 1, 1]
    assert stale() == set()
    row = Alert.objects.get(status="firing")
    assert (row.starts_at, row.last_seen_at, row.annotations) == (later(1), later(180), {"summary": "newer words"})


def test_what_two_senders_say_of_one_alert_follows_the_last_of_them(source: Integration) -> None:
    """Each has a start of its own, and repeats its own words."""
    late = make.alert(starts_at=later(1), annotations={"summary": "of the later"})
    early = make.alert(starts_at=NOW, annotations={"summary": "of the earlier"})

    for minute, said in enumerate((late, early, late, early), start=1):
        deliver(source, said, minute=minute)

        assert Alert.objects.get(status="firing").annotations == said["annotations"]


def test_a_stale_copy_of_what_has_resolved_confirms_nothing(source: Integration) -> None:
    first = make.alert(starts_at=NOW)
    deliver(source, first)
    deliver(source, {**first, "status": "resolved", "endsAt": later(1).isoformat()}, minute=1)
    deliver(source, make.alert(starts_at=later(2)), minute=2)

    deliver(source, first, minute=3)

    assert Alert.objects.get(status="firing").last_seen_at == later(2)


def test_what_waits_for_an_incident_and_is_not_confirmed_joins_none(source: Integration) -> None:
    per_job = {"correlate": "labels", "correlate_labels": ["job"]}
    said = [{"name": "extra", "matchers": "alertname=Extra", "does": "attach", **per_job}, {"name": "all", **per_job}]
    integrations.set_routes(source, said, by=make.SYSTEM, now=NOW)
    source = Integration.objects.get()
    extra = make.alert("Extra", labels={"job": "web"})
    deliver(source, extra, group="extra")

    assert staleness.look(now=later(60 * 24)) == 1
    deliver(source, make.alert("Down", labels={"job": "web"}, starts_at=later(60 * 24)), minute=60 * 24, group="down")
    assert Alert.objects.get(name="Extra").incident is None
    deliver(source, extra, minute=60 * 24 + 1, group="extra")

    assert Alert.objects.get(name="Extra").incident == Incident.objects.get()
    assert stale() == set()


def learned(source: Integration, *, minute: float) -> float:
    """In minutes."""
    staleness.learn(now=later(minute))
    source.refresh_from_db()
    return (source.learned_interval or 0) / 60


@pytest.fixture
def unset(source: Integration) -> Integration:
    Integration.objects.update(repeat_interval=None)
    source.refresh_from_db()
    return source


DAY = 24 * 60


def test_the_slowest_group_counts_however_many_quick_ones_there_are(unset: Integration) -> None:
    for hour in range(2 * 24 + 3):
        deliver(unset, make.alert("Critical"), group="critical", minute=hour * 60)
        if hour % 24 == 0:
            deliver(unset, make.alert("Ticket"), group="ticket", minute=hour * 60 + 1)
        learned(unset, minute=hour * 60 + 2)
    now = 2 * DAY + 2 * 60 + 30

    staleness.look(now=later(now))

    assert learned(unset, minute=now) == DAY
    assert stale() == set()
    staleness.look(now=later(2 * DAY + 23 * 60))
    assert "Ticket" not in stale()


def test_what_was_not_repeated_yet_has_as_long_as_alertmanager_takes_by_itself(unset: Integration) -> None:
    deliver(unset, make.alert("Ticket"), group="ticket")
    for hour in range(4):
        deliver(unset, make.alert("Critical"), group="critical", minute=hour * 60)

    assert learned(unset, minute=181) == 60
    staleness.look(now=later(8 * 60))
    assert stale() == {"Critical"}
    staleness.look(now=later(8 * 60 + 6))
    assert stale() == {"Critical", "Ticket"}


def test_two_alertmanagers_that_are_apart_are_one(unset: Integration) -> None:
    for hour in range(6):
        deliver(unset, make.alert("A"), minute=hour * 60)
        deliver(unset, make.alert("A"), minute=hour * 60 + 0.25)

    assert learned(unset, minute=301) == 59.75


def test_two_alertmanagers_that_are_far_apart_are_never_quicker_than_one_alone(unset: Integration) -> None:
    for hour in range(6):
        deliver(unset, make.alert("A"), minute=hour * 60)
        deliver(unset, make.alert("A"), minute=hour * 60 + 20)

    assert learned(unset, minute=321) == 40


def test_what_comes_at_each_group_interval_teaches_nothing(unset: Integration) -> None:
    for minute in range(0, 100, 5):  # another receiver of the group fails
        deliver(unset, make.alert("A"), minute=minute)
    assert learned(unset, minute=100) == 0

    deliver(unset, make.alert("A"), minute=95 + 240)
    for minute in range(340, 500, 5):
        deliver(unset, make.alert("A"), minute=minute)

    assert learned(unset, minute=500) == 240


def test_what_was_learned_of_the_group_interval_is_forgotten(unset: Integration) -> None:
    Integration.objects.update(learned_interval=300)
    unset.refresh_from_db()
    deliver(unset, make.alert("A"))

    learned(unset, minute=6)

    assert unset.repeats_every == timedelta(hours=4)


def test_a_silence_is_an_exception_once_it_is_repeated_evenly_again(unset: Integration) -> None:
    for hour in (0, 1, 2, 3, 33, 34, 35):
        deliver(unset, make.alert("A"), minute=hour * 60)
    assert learned(unset, minute=35 * 60 + 1) == 30 * 60

    deliver(unset, make.alert("A"), minute=36 * 60)

    assert learned(unset, minute=36 * 60 + 1) == 60


def test_a_rhythm_that_got_slower_counts_at_once(unset: Integration) -> None:
    for hour in (0, 1, 2, 3, 4, 28):
        deliver(unset, make.alert("A"), minute=hour * 60)

    assert learned(unset, minute=28 * 60 + 1) == DAY


def test_a_storm_does_not_make_it_forget(unset: Integration, monkeypatch: pytest.MonkeyPatch) -> None:
    deliver(unset, make.alert("Ticket"), group="ticket")
    deliver(unset, make.alert("Ticket"), group="ticket", minute=DAY)
    assert learned(unset, minute=DAY + 1) == DAY
    monkeypatch.setattr(staleness, "SAMPLES", 20)
    for n in range(30):
        deliver(unset, make.alert(f"S{n}", starts_at=later(DAY + 2)), group=f"s{n}", minute=DAY + 2 + n / 60)
    deliver(unset, make.alert("S29", starts_at=later(DAY + 2)), group="s29", minute=DAY + 62)

    assert learned(unset, minute=DAY + 63) == DAY


def test_a_group_that_fires_and_has_not_been_repeated_for_long_keeps_what_was_known(unset: Integration) -> None:
    Integration.objects.update(learned_interval=DAY * 60)
    unset.refresh_from_db()
    deliver(unset, make.alert("Ticket"), group="ticket", minute=9 * DAY)
    for hour in range(4):
        deliver(unset, make.alert("Critical"), group="critical", minute=9 * DAY + hour * 60)

    assert learned(unset, minute=9 * DAY + 181) == DAY
    resolved = {**make.alert("Ticket"), "status": "resolved", "endsAt": later(9 * DAY + 182).isoformat()}
    deliver(unset, resolved, group="ticket", minute=9 * DAY + 182)

    assert learned(unset, minute=9 * DAY + 183) == 60
