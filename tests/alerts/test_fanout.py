"""A delivery of very many alerts is kept first and taken in soon after: all of it, once, as if it had been at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from alerts import fanout, ingest, payload, replay
from alerts.models import Alert, Delivery, FanOut, Integration
from common import work
from incidents import lifecycle, timeline
from incidents.models import Incident
from tests import make
from tests.browsing import page
from tests.conftest import Api
from tests.due import forget_leases, run_all_due

pytestmark = pytest.mark.django_db
MANY = ingest.AT_ONCE + 1
SOON = timedelta(seconds=5)


class Killed(BaseException):
    """The process died here."""


@pytest.fixture
def source(payments: Any) -> Integration:
    return make.integration(team=payments)[0]


@pytest.fixture
def began() -> datetime:
    """Some time ago, by the real clock: what is taken in late says so by it."""
    return timezone.now() - timedelta(hours=1)


def many(began: datetime, count: int = MANY, **fields: Any) -> list[dict[str, Any]]:
    return [make.alert(f"Alert{n}", starts_at=began, **fields) for n in range(count)]


def deliver(source: Integration, *alerts: dict[str, Any], at: datetime, **fields: Any) -> ingest.Receipt:
    return ingest.receive(source, make.alertmanager_body(*alerts, **fields), now=at)


def state(source: Integration) -> dict[str, Any]:
    """What its alerts are, whatever the times at which that was written down."""
    rows = source.alerts.order_by("fingerprint", "starts_at")
    return {
        "alerts": list(rows.values_list("name", "starts_at", "status", "superseded", "ends_at", "annotations")),
        "provisional": list(rows.exclude(provisional_since=None).values_list("name", "provisional_since")),
        "seen": list(rows.values_list("last_seen_at", flat=True)),
        "groups": list(rows.values_list("group__truncated", "group__last_seen_at").distinct()),
    }


def test_what_is_taken_in_soon_is_what_a_request_would_have_taken_in(source: Integration, began: datetime) -> None:
    alerts = [*many(began), {"status": "firing"}]
    receipt = deliver(source, *alerts, at=began + SOON)
    before = Delivery.objects.get()
    assert (before.outcome, before.status, before.counts) == ("waiting", 202, {"received": MANY + 1})
    assert (before.incidents, before.group, Alert.objects.count()) == ([], None, 0)

    assert run_all_due() == 1

    delivery = Delivery.objects.get()
    incident = Incident.objects.get()
    assert (delivery.pk, delivery.outcome, delivery.status) == (receipt.delivery, "taken", 202)
    assert delivery.counts == {
        **dict.fromkeys(("changed", "unchanged", "resolved"), 0),
        "received": MANY + 1,
        "opened": MANY,
        "quarantined": 1,
    }
    assert delivery.incidents == [incident.number]
    assert [one["position"] for one in delivery.quarantined] == [MANY]
    assert delivery.group == Alert.objects.first().group  # type: ignore[union-attr]
    assert Alert.objects.filter(status="firing", incident=incident).count() == MANY
    assert timeline.verify(incident) is None


def test_it_counts_from_when_it_was_received_and_is_written_down_now(source: Integration, began: datetime) -> None:
    deliver(source, *many(began), at=began + SOON)

    run_all_due()

    incident = Incident.objects.get()
    assert incident.detected_at == began + SOON
    assert incident.created_at > began + timedelta(minutes=59)
    for entry in incident.entries.all():
        assert entry.at == began + SOON
        assert entry.recorded_at == incident.created_at
    assert set(Alert.objects.values_list("first_seen_at", "last_seen_at")) == {(began + SOON, began + SOON)}


def test_one_entry_tells_of_all_and_lists_the_first_of_them(source: Integration, began: datetime) -> None:
    deliver(source, *many(began), at=began)
    run_all_due()
    over = many(began, status="resolved", ends_at=began + timedelta(minutes=3))
    deliver(source, *over, at=began + timedelta(minutes=4))

    run_all_due()

    entries = list(Incident.objects.get().entries.order_by("seq"))
    assert [entry.kind for entry in entries] == ["opened", "alerts_fired", "alerts_resolved", "all_clear"]
    assert [entries[n].data["count"] for n in (1, 2)] == [MANY, MANY]
    assert [len(entries[n].data["alerts"]) for n in (1, 2)] == [ingest.AT_ONCE, ingest.AT_ONCE]


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The process that takes a delivery in dies at the very end of it."""

    def die(*args: Any, **kwargs: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(ingest, "_end", die)
        yield patch


@pytest.mark.django_db(transaction=True)
def test_who_dies_while_taking_in_has_done_nothing_and_another_does_all_of_it(
    source: Integration, began: datetime, dying: pytest.MonkeyPatch
) -> None:
    deliver(source, *many(began), at=began)
    with pytest.raises(Killed):
        run_all_due()
    assert (Alert.objects.count(), Incident.objects.count()) == (0, 0)
    assert FanOut.objects.get().state == "waiting"
    dying.undo()

    forget_leases(FanOut)
    run_all_due()

    assert Alert.objects.filter(status="firing").count() == MANY
    assert Incident.objects.get().entries.count() == 2
    assert (FanOut.objects.get().state, Delivery.objects.get().outcome) == ("done", "taken")


@pytest.mark.django_db(transaction=True)
def test_who_comes_back_after_another_took_over_does_nothing(source: Integration, began: datetime) -> None:
    deliver(source, *many(began), at=began)
    [taken] = work.take(FanOut, 1, {})
    slow = work.begin(FanOut, taken.pk, taken.claim)
    assert slow is not None
    forget_leases(FanOut)
    run_all_due()

    with pytest.raises(work.LeaseLost):
        fanout.take_in(slow, now=timezone.now())

    assert Incident.objects.get().entries.count() == 2
    assert run_all_due() == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "later",
    [
        pytest.param({"status": "resolved", "minutes": 5}, id="a resolve"),
        pytest.param({"status": "firing", "minutes": 5}, id="a later start"),
        pytest.param({"status": "firing", "minutes": 0, "annotations": {"summary": "Errors above 9%"}}, id="a change"),
    ],
)
def test_a_later_delivery_that_is_taken_in_first_ends_in_the_same_state(began: datetime, later: dict[str, Any]) -> None:
    """Once in the order in which they came, once with the small one before the large one is taken in."""
    minutes = timedelta(minutes=later["minutes"])
    start = began if later["status"] == "resolved" else began + minutes
    ends = {"ends_at": began + minutes} if later["status"] == "resolved" else {}
    annotations = later.get("annotations")
    small = many(start, 3, status=later["status"], annotations=annotations, **ends)
    states = []
    for is_late, name in ((False, "In order"), (True, "Late")):
        source, _ = make.integration(name)
        deliver(source, *many(began), at=began + SOON)
        if not is_late:
            run_all_due()
        deliver(source, *small, at=began + SOON * 2, truncatedAlerts=7)
        run_all_due()
        states.append(state(source))
        [incident] = Incident.objects.filter(alerts__integration=source).distinct()
        assert timeline.verify(incident) is None

    assert states[0] == states[1]


def test_an_older_firing_does_not_bring_back_what_a_later_delivery_resolved(
    source: Integration, began: datetime
) -> None:
    deliver(source, *many(began), at=began + SOON)
    deliver(source, *many(began, 1, status="resolved", ends_at=began + SOON), at=began + SOON * 2)

    run_all_due()

    alert = Alert.objects.get(name="Alert0")
    assert (alert.status, alert.provisional_since) == ("resolved", None)


def test_what_fires_after_an_older_resolve_that_comes_late_is_waited_for(source: Integration, began: datetime) -> None:
    """In the order in which they came: firing, resolved, firing with the same start, which is provisional."""
    deliver(source, *many(began, 1), at=began + SOON)
    deliver(source, *many(began, status="resolved", ends_at=began + SOON), at=began + SOON * 2)
    deliver(source, *many(began, 1), at=began + SOON * 3)

    run_all_due()

    alert = Alert.objects.get(name="Alert0")
    assert (alert.status, alert.provisional_since) == ("resolved", began + SOON * 3)


def test_a_delay_of_ours_does_not_close_the_window_in_which_an_incident_is_reopened(
    source: Integration, began: datetime, alice: Any
) -> None:
    """Received three minutes after the resolve, taken in after the window: the incident is reopened all the same."""
    incident = make.fired(source, make.alert("First", starts_at=began), now=began)
    over = make.alert("First", status="resolved", starts_at=began, ends_at=began + timedelta(minutes=1))
    deliver(source, over, at=began + timedelta(minutes=1))
    lifecycle.move(incident, Incident.Status.RESOLVED, by=make.person(alice), now=began + timedelta(minutes=2))
    deliver(source, *many(began + timedelta(minutes=4)), at=began + timedelta(minutes=5))

    run_all_due()

    assert Incident.objects.get().status == "triggered"


def test_deliveries_of_one_integration_go_one_after_another(source: Integration, began: datetime) -> None:
    other, _ = make.integration("Other")
    for n in range(3):
        deliver(source, *many(began), at=began, group=f"group-{n}")
    deliver(other, *many(began), at=began)

    first, second = work.take(FanOut, 10, {})

    assert (first.pk, second.pk) == (FanOut.objects.earliest("pk").pk, FanOut.objects.latest("pk").pk)


def test_what_cannot_be_read_after_all_is_refused_in_the_end(source: Integration, began: datetime) -> None:
    """A number so long that Python's parser takes it for an attack hides the notification from the forgiving one."""
    body = json.loads(make.alertmanager_body(*many(began)))
    raw = json.dumps({**body, "alerts": [*body["alerts"], {"status": "firing", "n": 0}]}).replace(
        '"n": 0', f'"n": {"1" * 5000}'
    )
    ingest.receive(source, raw.encode(), now=began)

    run_all_due()

    delivery = Delivery.objects.get()
    assert (delivery.outcome, delivery.status, Alert.objects.count()) == ("refused", 202, 0)
    assert "not JSON" in delivery.reason


def test_what_is_no_notification_is_refused_at_once_however_large(source: Integration, began: datetime) -> None:
    body = json.loads(make.alertmanager_body(*many(began)))

    with pytest.raises(payload.BadPayload):
        ingest.receive(source, json.dumps({**body, "version": "3"}).encode(), now=began)

    assert (Delivery.objects.get().outcome, FanOut.objects.count()) == ("refused", 0)


def test_the_pages_say_that_it_waits_and_when_it_was_given_up(
    source: Integration, began: datetime, admin: Any, api: Api
) -> None:
    deliver(source, *many(began), at=began)
    delivery = Delivery.objects.get()
    at = f"/settings/deliveries/{delivery.pk}/"
    for text in (page(admin, "/settings/deliveries/"), page(admin, at)):
        assert "Waiting" in text
    assert "will be taken in" in page(admin, at)
    assert f'hx-get="{at}"' in page(admin, at)
    assert api(admin).get("/api/v1/deliveries/?outcome=waiting").json()["results"][0]["alerts"] == {"received": MANY}

    FanOut.objects.update(state="quarantined", finished_at=Now(), fault="OperationalError: disk full")

    assert "given up" in page(admin, "/settings/deliveries/")
    assert "disk full" in page(admin, at)
    assert "every 2s" not in page(admin, at)
    assert "disk full" in api(admin).get(f"/api/v1/deliveries/{delivery.pk}/").json()["reason"]


def test_one_that_is_taken_in_again_is_judged_by_when_it_came_and_undoes_nothing(
    source: Integration, began: datetime
) -> None:
    deliver(source, *many(began), at=began + SOON)
    run_all_due()
    first = Delivery.objects.get()
    deliver(source, *many(began, status="resolved", ends_at=began + 2 * SOON), at=began + 3 * SOON)
    run_all_due()

    replay.again(first, by=make.SYSTEM, now=began + 4 * SOON)
    run_all_due()

    assert Delivery.objects.filter(replay_of=first, outcome="taken").count() == 1
    assert set(source.alerts.values_list("status", "provisional_since")) == {("resolved", None)}
