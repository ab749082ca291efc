"""Statuses move by the table, once, and say so on the timeline."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from django.db import connections

from common.errors import Invalid
from incidents import lifecycle
from incidents.models import Incident
from tests import make
from tests.make import NOW

Status = Incident.Status

TABLE = {
    "triggered": {"acknowledged", "mitigated", "resolved", "dismissed", "merged"},
    "acknowledged": {"triggered", "mitigated", "resolved", "dismissed", "merged"},
    "mitigated": {"acknowledged", "resolved", "dismissed", "merged"},
    "resolved": {"acknowledged", "closed", "dismissed", "merged"},
    "closed": {"resolved"},
    "dismissed": {"triggered"},
    "merged": {"triggered"},
}
ROAD = {
    "triggered": (),
    "acknowledged": ("acknowledged",),
    "mitigated": ("mitigated",),
    "resolved": ("resolved",),
    "closed": ("resolved", "closed"),
    "dismissed": ("dismissed",),
    "merged": ("merged",),
}


def later(minutes: int) -> Any:
    return NOW + timedelta(minutes=minutes)


def move(incident: Incident, to: str, by: Any, minute: int = 1, **fields: Any) -> bool:
    if to == "merged" and "merged_into" not in fields:
        fields["merged_into"] = make.incident(incident.team, "The one it goes into")
    if to == "dismissed":
        fields.setdefault("reason", "A false alarm")
    return lifecycle.move(incident, Status(to), by=make.person(by), now=later(minute), **fields)


@pytest.mark.django_db
@pytest.mark.parametrize(("before", "to"), [(a, b) for a, b in product(TABLE, TABLE) if a != b])
def test_every_move_is_as_the_table_says(payments: Any, bob: Any, before: str, to: str) -> None:
    incident = make.incident(payments)
    for step in ROAD[before]:
        move(incident, step, bob)
    entries = incident.entries.count()

    if to in TABLE[before]:
        assert move(incident, to, bob, minute=2)
        last = incident.entries.filter(kind="status_changed").latest("seq")
        assert (last.data["from"], last.data["to"]) == (before, to)
        incident.refresh_from_db()
        assert incident.status == to
    else:
        with pytest.raises(lifecycle.NotAllowed) as refused:
            move(incident, to, bob, minute=2)
        assert set(refused.value.extra["allowed"]) == TABLE[before]
        assert incident.entries.count() == entries


@pytest.mark.django_db
def test_skipped_moments_stay_unknown(payments: Any, bob: Any) -> None:
    incident = make.incident(payments)

    move(incident, "resolved", bob)

    assert incident.resolved_at == later(1)
    assert incident.acknowledged_at is None
    assert incident.mitigated_at is None


@pytest.mark.django_db
def test_going_back_clears_what_came_after(payments: Any, bob: Any) -> None:
    incident = make.incident(payments)
    for minute, status in enumerate(("acknowledged", "mitigated", "resolved"), 1):
        move(incident, status, bob, minute)

    move(incident, "acknowledged", bob, 9)

    assert (incident.acknowledged_at, incident.mitigated_at, incident.resolved_at) == (later(9), None, None)


@pytest.mark.django_db
def test_the_status_it_has_already_is_no_move_and_no_entry(payments: Any, bob: Any) -> None:
    incident = make.incident(payments)
    move(incident, "resolved", bob)
    entries = incident.entries.count()

    assert not move(incident, "resolved", bob, minute=2)

    assert incident.entries.count() == entries
    assert incident.resolved_at == later(1)


@pytest.mark.django_db(transaction=True)
def test_thirty_resolves_at_once_make_one_entry(payments: Any, bob: Any) -> None:
    incident = make.incident(payments)

    def resolve(_: int) -> bool:
        try:
            return move(Incident.objects.get(pk=incident.pk), "resolved", bob)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(30) as pool:
        moved = list(pool.map(resolve, range(30)))

    assert sum(moved) == 1
    assert incident.entries.filter(kind="status_changed").count() == 1
    incident.refresh_from_db()
    assert incident.version == 2


@pytest.mark.django_db
def test_the_second_person_is_told_who_took_it(payments: Any, alice: Any, bob: Any) -> None:
    incident = make.incident(payments)
    lifecycle.acknowledge(incident, by=make.person(alice), now=NOW)

    with pytest.raises(lifecycle.AlreadyHandled, match="already taken by Alice"):
        lifecycle.acknowledge(incident, by=make.person(bob), now=NOW)


@pytest.mark.django_db
def test_who_acknowledges_is_in_it_with_their_discipline(payments: Any, alice: Any) -> None:
    incident = make.incident(payments)

    lifecycle.acknowledge(incident, by=make.person(alice), now=NOW)

    responder = incident.responders.get()
    assert (responder.user, responder.state) == (alice, "joined")
    assert responder.discipline
    assert responder.discipline.slug == "data_science"


@pytest.mark.django_db
@pytest.mark.parametrize(("to", "fields"), [("dismissed", {"reason": " "}), ("merged", {"merged_into": None})])
def test_a_dismissal_says_why_and_a_merge_where_to(payments: Any, bob: Any, to: str, fields: dict[str, Any]) -> None:
    incident = make.incident(payments)

    with pytest.raises(Invalid):
        move(incident, to, bob, **fields)

    assert incident.entries.count() == 1


@pytest.mark.django_db
def test_nothing_is_merged_into_itself_or_into_something_merged(payments: Any, bob: Any) -> None:
    incident, other = make.incident(payments), make.incident(payments, "Another")
    move(other, "merged", bob)

    for target in (incident, other):
        with pytest.raises(Invalid):
            move(incident, "merged", bob, merged_into=target)


@pytest.mark.django_db
def test_the_target_of_a_merge_says_what_came_into_it(payments: Any, bob: Any) -> None:
    incident, target = make.incident(payments), make.incident(payments, "The whole")

    move(incident, "merged", bob, merged_into=target)
    told = target.entries.get(kind="merged_in")
    move(incident, "triggered", bob, minute=5)

    assert told.data["incident"] == incident.number
    incident.refresh_from_db()
    assert incident.merged_into is None


@pytest.mark.django_db
@pytest.mark.parametrize("is_private", [True, False])
def test_the_title_of_a_private_incident_stays_where_it_is(payments: Any, bob: Any, is_private: bool) -> None:
    incident = make.incident(payments, "Credentials leaked", is_private=True)
    target = make.incident(payments, "The whole", is_private=is_private)

    move(incident, "merged", bob, merged_into=target)

    assert target.entries.get(kind="merged_in").data == {"incident": incident.number, "title": ""}


@pytest.mark.django_db(transaction=True)
def test_numbers_have_no_gaps_when_many_declare_at_once(payments: Any) -> None:
    def declare(n: int) -> int:
        try:
            return make.incident(payments, f"Incident {n}").number
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(declare, range(24)))

    assert sorted(numbers) == list(range(1, 25))
