"""Who leads a bad incident is reminded of its postmortem a day after it was resolved: once, and nobody else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connections

from incidents import lifecycle, responding, timeline, wording
from incidents.models import Incident
from notifications.models import Message
from people.models import User
from postmortems import drafting, reminders
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db
Status = Incident.Status


def hours(n: float) -> datetime:
    return NOW + timedelta(hours=n)


@pytest.fixture
def resolved(payments: Any, bob: User) -> Incident:
    """A SEV1 of payments, resolved after an hour. Bob manages the team."""
    return over(make.incident(payments, severity="sev1"), bob)


def over(incident: Incident, by: User, hour: float = 1, to: Status = Status.RESOLVED, **how: Any) -> Incident:
    lifecycle.move(incident, to, by=make.person(by), now=hours(hour), **how)
    return incident


def told() -> list[str]:
    """Who has messages that remind, in order."""
    return sorted(Message.objects.filter(kind="reminder").values_list("user__name", flat=True))


def remind(hour: float) -> int:
    return reminders.remind(now=hours(hour))


def test_the_managers_of_the_team_are_reminded_a_day_after_the_resolution(
    resolved: Incident, bob: User, admin: User, alice: User
) -> None:
    assert remind(24.9) == 0
    assert remind(25) == 1

    message = Message.objects.get()
    assert (message.user, message.kind, message.topic) == (bob, "reminder", f"incident:{resolved.number}")
    assert "no postmortem yet" in message.subject
    assert "2 Mar 2026, 10:00 UTC" in message.text
    assert message.url.endswith(resolved.get_absolute_url())
    entry = resolved.entries.filter(kind="obligation").get()
    assert (entry.actor_type, entry.at) == ("system", hours(25))
    assert str(wording.sentence(entry)) == "A postmortem is due (reminded: Bob)"
    resolved.refresh_from_db()
    assert timeline.verify(resolved) is None


def test_who_leads_is_reminded_alone(resolved: Incident, alice: User, bob: User) -> None:
    responding.assign_role(resolved, make.role("commander"), alice, by=make.person(bob), now=hours(2))

    remind(25)

    assert told() == ["Alice"]


def test_a_leader_who_is_gone_passes_it_to_the_managers(resolved: Incident, alice: User, bob: User) -> None:
    responding.assign_role(resolved, make.role("commander"), alice, by=make.person(bob), now=hours(2))
    User.objects.filter(pk=alice.pk).update(is_active=False)

    remind(25)

    assert told() == ["Bob"]


def test_where_there_is_no_team_the_admins_are_reminded(admin: User, alice: User) -> None:
    over(make.incident(severity="sev2"), alice)

    remind(25)

    assert told() == ["Admin"]


def test_of_a_private_incident_only_who_may_see_it_is_told(payments: Any, alice: User, admin: User) -> None:
    incident = over(make.incident(payments, severity="sev1", is_private=True), admin)
    responding.assign_role(incident, make.role("commander"), alice, by=make.person(admin), now=hours(2))
    responding.leave(incident.responders.get(user=alice), by=make.person(admin), now=hours(3))
    held = incident.role_assignments.get()
    held.ended_at = None
    held.save()

    remind(25)

    assert told() == ["Admin"]


def test_it_is_said_once(resolved: Incident) -> None:
    assert [remind(hour) for hour in (25, 25.1, 50)] == [1, 0, 0]

    assert told() == ["Bob"]


def test_a_moment_that_is_corrected_is_no_other_resolution(resolved: Incident) -> None:
    remind(25)
    Incident.objects.update(resolved_at=hours(26))

    assert remind(60) == 0


@pytest.mark.django_db(transaction=True)
def test_any_number_of_engines_remind_once(payments: Any, bob: User) -> None:
    for _ in range(3):
        over(make.incident(payments, severity="sev1"), bob)

    def sweep(_: int) -> int:
        try:
            return remind(25)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(sweep, range(8))) == 3

    assert told() == ["Bob"] * 3


def test_another_resolution_is_another_reminder(resolved: Incident, bob: User) -> None:
    remind(25)
    over(resolved, bob, 30, Status.ACKNOWLEDGED)
    over(resolved, bob, 31)

    assert [remind(hour) for hour in (54, 55, 56)] == [0, 1, 0]
    assert told() == ["Bob", "Bob"]


def test_closing_it_does_not_pay_for_it(resolved: Incident, bob: User) -> None:
    over(resolved, bob, 2, Status.CLOSED)

    assert remind(25) == 1


@pytest.mark.parametrize("fields", [{"severity": "sev3"}, {"severity": "sev1", "is_drill": True}])
def test_small_ones_and_drills_owe_none(payments: Any, bob: User, fields: dict[str, Any]) -> None:
    over(make.incident(payments, **fields), bob)

    assert remind(25) == 0


def test_what_was_reopened_dismissed_or_merged_owes_none(payments: Any, bob: User) -> None:
    into = make.incident(payments, severity="sev1")
    for to, how in (
        (Status.ACKNOWLEDGED, {}),
        (Status.DISMISSED, {"reason": "Noise"}),
        (Status.MERGED, {"merged_into": into}),
    ):
        over(over(make.incident(payments, severity="sev1"), bob), bob, 2, to, **how)

    assert remind(25) == 0


def test_what_has_a_postmortem_owes_none(resolved: Incident, bob: User) -> None:
    drafting.draft(resolved, by=make.person(bob), now=hours(2))

    assert remind(25) == 0


def test_what_was_resolved_long_ago_is_left_alone(resolved: Incident) -> None:
    assert remind(8 * 24 + 1.1) == 0


def test_what_was_reminded_of_does_not_keep_others_waiting(
    payments: Any, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reminders, "BATCH", 1)
    for _ in range(3):
        over(make.incident(payments, severity="sev1"), bob)

    assert [remind(25 + n / 10) for n in range(4)] == [1, 1, 1, 0]
