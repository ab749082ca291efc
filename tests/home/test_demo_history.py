"""The history that the demo begins with: made as people make it, so that all of it holds."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from home.history import cast, seeding, stories
from incidents import timeline
from incidents.models import Entry, Incident
from people.models import User
from postmortems import queries
from postmortems.models import ActionItem, Postmortem
from slos import ledger, wording
from slos.models import Slo
from tests import make

NOW = datetime(2026, 11, 28, 3, 30, tzinfo=UTC)


def test_sixty_days_of_incidents_are_told_once_and_every_timeline_of_them_holds(db: None) -> None:
    assert seeding.seed(make.PASSWORD, now=NOW)
    assert not seeding.seed(make.PASSWORD, now=NOW + timedelta(days=1))

    incidents = list(Incident.objects.all())
    assert len(incidents) == 30
    assert [timeline.verify(incident) for incident in incidents] == [None] * 30
    assert NOW - timedelta(days=61) < min(incident.created_at for incident in incidents)
    assert not Entry.objects.filter(recorded_at__gt=NOW).exists()
    states = Counter(incident.status for incident in incidents)
    assert (states["triggered"], states["mitigated"], states["merged"], states["dismissed"]) == (1, 1, 1, 1)
    assert sum(incident.is_private for incident in incidents) == sum(incident.is_drill for incident in incidents) == 1
    assert {incident.severity for incident in incidents} >= {"sev1", "sev2", "sev3", "sev4"}
    assert {"availability", "latency", "quality", "drift", "data", "cost", "security"} <= {i.kind for i in incidents}
    _nobody_is_written_to()
    _postmortems_stand_at_every_stage()
    _budgets_have_something_to_show()
    assert User.objects.get(email=cast.ADMIN).check_password(make.PASSWORD)


def test_the_history_does_not_mix_with_real_incidents(db: None) -> None:
    make.incident()

    with pytest.raises(seeding.NotEmpty):
        seeding.seed(make.PASSWORD, now=NOW)

    assert not seeding.is_told()


@pytest.mark.parametrize("hour", [0, 12, 23])
def test_no_story_lies_ahead_at_any_hour(hour: int) -> None:
    now = NOW.replace(hour=hour, minute=1)

    told = stories.told(now)

    assert all(story.at(story.resolved or story.detected) < now - timedelta(minutes=1) for story in told)


def _nobody_is_written_to() -> None:
    assert not Entry.objects.filter(kind__in=("notified", "notification_failed")).exists()


def _postmortems_stand_at_every_stage() -> None:
    found = list(Postmortem.objects.all())
    assert {postmortem.status for postmortem in found} == {"draft", "in_review", "published"}
    for postmortem in found:
        missing = [gap for gap in queries.document(postmortem, NOW).gaps if gap.required]
        assert not (postmortem.status == "published" and missing), (postmortem.number, missing)
    items = ActionItem.objects.all()
    assert {item.status for item in items} == set(ActionItem.Status.values)
    overdue = items.filter(status__in=("open", "in_progress"), due_on__lt=NOW.date()).count()
    assert 0 < overdue < 10


def _budgets_have_something_to_show() -> None:
    standings = ledger.budgets(Slo.objects.all(), NOW)
    assert {wording.state(standing).word for standing in standings} == {"Healthy", "At risk", "Exceeded"}
    assert all(standing.coverage == 1 or (standing.coverage or 0) > 0.99 for standing in standings)
