"""What fires and is not repeated is said to be unconfirmed; it ends by people, or as its integration says."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from alerts import ingest, integrations, queries, replay, staleness
from alerts.models import Alert, Delivery, Integration
from incidents import quiet, timeline, wording
from incidents.models import Entry, Incident
from people.models import User
from tests import make
from tests.conftest import Api
from tests.make import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def source() -> Integration:
    integrations.forget()
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
    assert staleness.interval(source) == timedelta(minutes=30)


def test_what_brings_something_new_teaches_nothing(source: Integration) -> None:
    Integration.objects.update(repeat_interval=None)
    deliver(source, make.alert("A"))
    deliver(source, make.alert("A"), make.alert("B", starts_at=later(1)), minute=1)
    deliver(source, make.alert("A"), make.alert("B", starts_at=later(1)), minute=61)

    staleness.learn(now=later(62))

    source.refresh_from_db()
    assert source.learned_interval == 3600


def test_before_anything_is_learned_it_is_as_alertmanager_does_by_itself(source: Integration) -> None:
    Integration.objects.update(repeat_interval=None)
    source.refresh_from_db()
    staleness.learn(now=NOW)

    assert staleness.interval(source) == timedelta(hours=4)


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
    assert queries.firing(make.person(admin)) == 1


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
