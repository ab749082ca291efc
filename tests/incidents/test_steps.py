"""How far an incident has come, and which step comes next."""

from __future__ import annotations

from datetime import timedelta

import pytest

from incidents import steps
from incidents.lifecycle import MOVES
from incidents.models import Incident
from tests.make import NOW

Status = Incident.Status


def incident(status: Status, **moments: int) -> Incident:
    """With moments as minutes after NOW."""
    at = {f"{name}_at": NOW + timedelta(minutes=minutes) for name, minutes in moments.items()}
    return Incident(number=1, status=status, created_at=NOW, **{"detected_at": NOW, **at})


def test_the_way_shows_what_is_done_where_it_is_and_what_lies_ahead() -> None:
    way = steps.steps(
        incident(Status.MITIGATED, acknowledged=4, mitigated=72), {"mitigated": steps.LastMove("Ana", NOW)}
    )

    assert [(step.state, step.note) for step in way] == [
        ("done", ""),
        ("done", "+4 m"),
        ("now", "+1 h 8 m · Ana"),
        ("ahead", ""),
        ("ahead", ""),
    ]


def test_a_step_that_was_passed_over_is_told_from_one_that_was_made() -> None:
    way = steps.steps(incident(Status.RESOLVED, resolved=10), {})

    assert [step.state for step in way] == ["done", "skipped", "skipped", "now", "ahead"]


@pytest.mark.parametrize("status", [Status.DISMISSED, Status.MERGED])
def test_what_was_dismissed_or_merged_ends_there(status: Status) -> None:
    way = steps.steps(incident(status, acknowledged=3), {status: steps.LastMove("Ana", NOW)})

    assert [step.label for step in way] == ["Triggered", "Acknowledged", status.label]
    assert (way[-1].state, way[-1].at, way[-1].note) == ("now", NOW, "Ana")


@pytest.mark.parametrize(
    ("status", "without", "with_one"),
    [
        (Status.TRIGGERED, "acknowledge", "acknowledge"),
        (Status.ACKNOWLEDGED, "mitigated", "mitigated"),
        (Status.MITIGATED, "resolved", "resolved"),
        (Status.RESOLVED, "write", "closed"),
        (Status.CLOSED, "write", "open"),
        (Status.DISMISSED, None, "open"),
    ],
)
def test_the_next_step_follows_from_status_and_postmortem(
    status: Status, without: str | None, with_one: str | None
) -> None:
    assert steps.next_step(incident(status), has_postmortem=False) == without
    assert steps.next_step(incident(status), has_postmortem=True) == with_one


@pytest.mark.parametrize("status", Status)
def test_every_move_that_is_allowed_is_offered_once(status: Status) -> None:
    here = incident(status)
    offered = steps.next_step(here, has_postmortem=False)

    others = {move.to for move in steps.other_moves(here, offered)}

    primary = {"acknowledge": "acknowledged"}.get(str(offered), str(offered))
    asking = {to for to in ("dismissed", "merged") if steps.may_become(here, Status(to))}
    assert others | asking | ({primary} & set(MOVES[status])) == set(MOVES[status])
    assert primary not in others
