"""An incident that cleared up before anybody took it resolves by itself; one that people have taken waits for them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import settings

from alerts import ingest
from alerts.models import Integration
from incidents import lifecycle, quiet, timeline, wording
from incidents.models import Incident
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db
Status = Incident.Status
QUIET = settings.ENV.quiet_period / 60  # minutes


@pytest.fixture
def source(payments: Any) -> Integration:
    return make.integration(team=payments)[0]


def later(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def deliver(source: Integration, *alerts: dict[str, Any], minute: float = 0) -> None:
    ingest.receive(source, make.alertmanager_body(*alerts), now=later(minute))


def over(name: str = "A", minute: float = 1) -> dict[str, Any]:
    return make.alert(name, status="resolved", ends_at=later(minute))


@pytest.fixture
def cleared(source: Integration) -> Incident:
    """One whose only alert was over after a minute."""
    deliver(source, make.alert("A"))
    deliver(source, over(), minute=1)
    return Incident.objects.get()


def resolved(minute: float) -> int:
    return quiet.resolve_quiet(now=later(minute))


def test_it_resolves_by_itself_when_the_quiet_period_is_over(cleared: Incident) -> None:
    assert resolved(1 + QUIET - 0.1) == 0
    assert resolved(1 + QUIET) == 1

    cleared.refresh_from_db()
    assert (cleared.status, cleared.resolved_at) == (Status.RESOLVED, later(1 + QUIET))
    entry = cleared.entries.latest("seq")
    assert (entry.kind, entry.actor_type, entry.data) == (
        "status_changed",
        "system",
        {"from": "triggered", "to": "resolved"},
    )
    assert str(wording.sentence(entry)) == "Burnline resolved it"
    assert entry.text == "No alert has fired for 5 minutes, and nobody had taken it."
    assert timeline.verify(cleared) is None
    assert resolved(1 + QUIET) == 0


@pytest.mark.parametrize(
    ("seconds", "words"), [(20, "20 seconds"), (60, "1 minute"), (90, "90 seconds"), (600, "10 minutes")]
)
def test_it_says_how_long_it_was_quiet(cleared: Incident, settings: Any, seconds: int, words: str) -> None:
    settings.ENV = settings.ENV.model_copy(update={"quiet_period": seconds})

    assert resolved(30) == 1

    assert cleared.entries.latest("seq").text == f"No alert has fired for {words}, and nobody had taken it."


def test_what_people_acknowledged_waits_for_them(cleared: Incident, alice: Any) -> None:
    lifecycle.move(cleared, Status.ACKNOWLEDGED, by=make.person(alice), now=later(2))

    assert resolved(60) == 0


def test_what_people_gave_back_waits_for_people(cleared: Incident, alice: Any) -> None:
    for to in (Status.ACKNOWLEDGED, Status.TRIGGERED):
        lifecycle.move(cleared, to, by=make.person(alice), now=later(2))

    assert resolved(60) == 0


def test_what_still_fires_or_was_never_an_alert_stays(source: Integration) -> None:
    deliver(source, make.alert("A"), make.alert("B"))
    deliver(source, over(), make.alert("B"), minute=1)
    make.incident()

    assert resolved(60) == 0


def test_an_alert_that_fires_again_begins_the_quiet_anew(source: Integration, cleared: Incident) -> None:
    deliver(source, make.alert("B", starts_at=later(3)), minute=3)
    assert resolved(3 + QUIET) == 0
    deliver(source, {**make.alert("B", status="resolved", starts_at=later(3), ends_at=later(4))}, minute=4)

    assert resolved(4 + QUIET - 0.1) == 0
    assert resolved(4 + QUIET) == 1


def test_it_waits_for_an_alert_that_may_fire_again(source: Integration, cleared: Incident) -> None:
    deliver(source, make.alert("A"), minute=QUIET)

    assert resolved(1 + QUIET) == 0

    deliver(source, over(), minute=QUIET + 2)
    assert resolved(QUIET + 2) == 1


def test_an_alert_that_starts_after_that_reopens_it(source: Integration, cleared: Incident) -> None:
    resolved(1 + QUIET)

    deliver(source, make.alert("A", starts_at=later(8)), minute=8)

    cleared.refresh_from_db()
    assert cleared.status == Status.TRIGGERED
    assert resolved(60) == 0


def test_who_acknowledges_while_the_sweep_looks_keeps_it(
    cleared: Incident, alice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve = quiet._resolve

    def slowly(*args: Any) -> bool:
        lifecycle.move(cleared, Status.ACKNOWLEDGED, by=make.person(alice), now=later(6))
        return resolve(*args)

    monkeypatch.setattr(quiet, "_resolve", slowly)

    assert resolved(60) == 0
    cleared.refresh_from_db()
    assert cleared.status == Status.ACKNOWLEDGED


def test_those_that_wait_for_people_do_not_keep_others_waiting(
    source: Integration, alice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quiet, "BATCH", 1)
    for n in range(3):
        alert = make.alert(f"Alert{n}")
        ingest.receive(source, make.alertmanager_body(alert, group=f"group-{n}"), now=NOW)
        ended = {**alert, "status": "resolved", "endsAt": "2026-03-02T09:01:00Z"}
        ingest.receive(source, make.alertmanager_body(ended, group=f"group-{n}"), now=later(1))
    first = Incident.objects.earliest("number")
    for to in (Status.ACKNOWLEDGED, Status.TRIGGERED):
        lifecycle.move(first, to, by=make.person(alice), now=later(2))

    assert [resolved(60) for _ in range(3)] == [1, 1, 0]
