"""What fires again with the start at which it had resolved is waited for, and then fires without another delivery."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings

from alerts import grace, ingest
from alerts.models import Alert, Integration
from incidents import lifecycle, timeline
from incidents.models import Incident
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db
GRACE = settings.ENV.provisional_grace / 60  # minutes


@pytest.fixture
def source(payments: Any) -> Integration:
    return make.integration(team=payments)[0]


def later(minutes: float) -> Any:
    return NOW + timedelta(minutes=minutes)


def deliver(source: Integration, *alerts: dict[str, Any], minute: float = 0, **fields: Any) -> ingest.Receipt:
    return ingest.receive(source, make.alertmanager_body(*alerts, **fields), now=later(minute))


def returned(source: Integration, *names: str) -> Incident:
    """Alerts that fired, resolved after a minute, and fire again with the same start after two."""
    deliver(source, *[make.alert(name) for name in names])
    deliver(source, *[make.alert(name, status="resolved", ends_at=later(1)) for name in names], minute=1)
    deliver(source, *[make.alert(name) for name in names], minute=2)
    return Incident.objects.get()


def kinds(incident: Incident) -> list[str]:
    return list(incident.entries.order_by("seq").values_list("kind", flat=True))


def test_it_fires_in_the_same_incident_once_its_grace_is_over(source: Integration) -> None:
    incident = returned(source, "A", "B")

    assert grace.end(now=later(2 + GRACE) - timedelta(seconds=1)) == 0
    assert not Alert.objects.firing().exists()
    assert grace.end(now=later(2 + GRACE)) == 1

    fired = Alert.objects.filter(status="firing", incident=incident, provisional_since=None, ends_at=None)
    assert fired.count() == 2
    assert kinds(incident) == ["opened", "alerts_fired", "alerts_resolved", "all_clear", "alerts_fired"]
    entry = incident.entries.get(seq=5)
    assert (entry.at, entry.actor_type, entry.data["count"]) == (later(2 + GRACE), "alert", 2)
    incident.refresh_from_db()
    assert timeline.verify(incident) is None


def test_it_leaves_what_was_said_and_when_it_was_last_heard_of(source: Integration) -> None:
    returned(source, "A")
    kept = ("annotations", "labels", "content_hash", "first_seen_at", "last_seen_at", "group")
    before = Alert.objects.values(*kept).get()

    grace.end(now=later(9))

    assert Alert.objects.values(*kept).get() == before
    assert Alert.objects.get().group.last_seen_at == later(2)  # type: ignore[union-attr]


def test_it_happens_once(source: Integration) -> None:
    incident = returned(source, "A")

    assert [grace.end(now=later(minute)) for minute in (5, 6)] == [1, 0]

    assert kinds(incident).count("alerts_fired") == 2


def test_what_was_taken_back_within_its_grace_stays_resolved(source: Integration) -> None:
    returned(source, "A")
    deliver(source, make.alert("A", status="resolved", ends_at=later(1)), minute=3)

    assert grace.end(now=later(9)) == 0

    assert Alert.objects.get().status == "resolved"


def test_what_is_taken_back_while_its_grace_ends_stays_resolved(
    source: Integration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The resolve comes after the sweep has looked, and before it has the lock."""
    returned(source, "A")
    again = grace._again

    def slowly(alert: Alert) -> Any:
        deliver(source, make.alert("A", status="resolved", ends_at=later(1)), minute=3)
        return again(alert)

    monkeypatch.setattr(grace, "_again", slowly)
    grace.end(now=later(9))

    alert = Alert.objects.get()
    assert (alert.status, alert.provisional_since) == ("resolved", None)
    assert kinds(Incident.objects.get()).count("alerts_fired") == 1


def test_what_was_overtaken_by_a_later_start_is_waited_for_no_more(source: Integration) -> None:
    returned(source, "A")
    deliver(source, make.alert("A", starts_at=later(3)), minute=3)

    grace.end(now=later(9))

    assert set(Alert.objects.values_list("starts_at", "status", "superseded", "provisional_since")) == {
        (NOW, "resolved", False, None),
        (later(3), "firing", False, None),
    }


def test_what_comes_back_after_the_resolve_reopens_its_incident(source: Integration, alice: Any) -> None:
    deliver(source, make.alert())
    deliver(source, make.alert(status="resolved", ends_at=later(1)), minute=1)
    incident = Incident.objects.get()
    lifecycle.move(incident, Incident.Status.RESOLVED, by=make.person(alice), now=later(2))
    deliver(source, make.alert(), minute=3)

    grace.end(now=later(3 + GRACE))

    incident.refresh_from_db()
    assert incident.status == "triggered"
    assert Alert.objects.get().incident == incident
    assert kinds(incident)[-2:] == ["status_changed", "alerts_fired"]


def test_what_came_back_before_the_resolve_does_nothing(source: Integration, alice: Any) -> None:
    incident = returned(source, "A")
    lifecycle.move(incident, Incident.Status.RESOLVED, by=make.person(alice), now=later(3))

    grace.end(now=later(2 + GRACE))

    incident.refresh_from_db()
    assert (incident.status, Alert.objects.get().status) == ("resolved", "firing")


def test_what_comes_back_after_the_window_opens_a_new_incident(source: Integration, alice: Any) -> None:
    deliver(source, make.alert())
    deliver(source, make.alert(status="resolved", ends_at=later(1)), minute=1)
    first = Incident.objects.get()
    lifecycle.move(first, Incident.Status.RESOLVED, by=make.person(alice), now=later(2))
    after = settings.ENV.reopen_window / 60 + 3
    deliver(source, make.alert(), minute=after)

    grace.end(now=later(after + GRACE))

    first.refresh_from_db()
    second = Incident.objects.exclude(pk=first.pk).get()
    assert (first.status, second.status) == ("resolved", "triggered")
    assert Alert.objects.get().incident == second


def test_what_was_only_heard_of_as_resolved_and_then_comes_back_opens_an_incident(source: Integration) -> None:
    deliver(source, make.alert(status="resolved", ends_at=later(1)), minute=1)
    deliver(source, make.alert(), minute=2)

    grace.end(now=later(2 + GRACE))

    assert Alert.objects.get().status == "firing"
    assert Alert.objects.get().incident == Incident.objects.get()


def test_what_turns_out_not_to_be_covered_fires_soon(source: Integration) -> None:
    """An earlier end of the instance before it is heard of last, as another node was the first to see it resolve."""
    deliver(source, make.alert("A", status="resolved", starts_at=later(0), ends_at=later(40)), minute=41)
    deliver(source, make.alert("A", starts_at=later(29)), minute=42)
    assert not Alert.objects.firing().exists()

    deliver(source, make.alert("A", status="resolved", starts_at=later(0), ends_at=later(20)), minute=43)
    assert grace.end(now=later(43)) == 1

    alert = Alert.objects.firing().get()
    assert (alert.starts_at, alert.superseded, alert.provisional_since) == (later(29), False, None)
    assert alert.incident is not None
    assert alert.incident.is_open
    assert grace.end(now=later(44)) == 0


def test_an_integration_may_have_a_grace_of_its_own(source: Integration) -> None:
    Integration.objects.filter(pk=source.pk).update(provisional_grace=600)
    source.refresh_from_db()
    returned(source, "A")

    deliver(source, make.alert("A"), minute=11)
    assert grace.end(now=later(11.9)) == 0
    assert not Alert.objects.firing().exists()
    assert grace.end(now=later(12)) == 1

    assert Alert.objects.firing().count() == 1


def test_without_any_grace_what_returns_fires_at_once(source: Integration) -> None:
    Integration.objects.filter(pk=source.pk).update(provisional_grace=0)
    source.refresh_from_db()

    returned(source, "A")

    assert Alert.objects.firing().count() == 1
