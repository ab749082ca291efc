"""What alerts opened and nobody has confirmed is shown, and counts nowhere."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alerts import ingest, integrations
from home import frame
from incidents import gauges, lifecycle, page
from incidents.models import Incident
from people.models import User
from postmortems import reminders
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def candidate() -> Incident:
    source, _ = make.integration()
    integrations.set_routes(source, [{"name": "maybe", "candidate": True}], by=make.SYSTEM, now=NOW)
    ingest.receive(source, make.alertmanager_body(), now=NOW)
    return Incident.objects.get()


def figure() -> float:
    opened = next(iter(gauges.open_incidents(NOW)))
    return sum(float(sample.value) for sample in opened.samples)


def confirm(incident: Incident) -> None:
    Incident.objects.filter(pk=incident.pk).update(is_candidate=False)
    incident.refresh_from_db()


def test_it_is_not_counted_among_what_is_open(candidate: Incident, admin: User) -> None:
    assert figure() == 0
    assert frame.counts(admin)["open_incidents"] == 0

    confirm(candidate)

    assert figure() == 1
    assert frame.counts(admin)["open_incidents"] == 1


def test_it_owes_no_postmortem(candidate: Incident, admin: User) -> None:
    lifecycle.move(candidate, Incident.Status.RESOLVED, by=make.SYSTEM, now=NOW + timedelta(hours=1))
    assert page.postmortem_is_due(candidate, None) == ""
    assert reminders.remind(now=NOW + timedelta(days=2)) == 0

    confirm(candidate)

    assert page.postmortem_is_due(candidate, None)
    assert reminders.remind(now=NOW + timedelta(days=2)) == 1
