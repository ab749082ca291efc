"""Saying what is promised: who may, and what cannot be promised."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from common.errors import Forbidden, Invalid, VersionMoved
from people.models import Team, User
from slos import definitions
from slos.budget import Calendar, Window
from slos.models import Slo
from tests import make
from tests.make import NOW, person


def create(by: User, team: Team, **fields: Any) -> Slo:
    said: dict[str, Any] = {"name": "Checkout answers", "target": "0.999", **fields}
    return definitions.create(
        make.service(make.unique("checkout"), team), said.pop("name"), **said, by=person(by), now=NOW
    )


def test_a_manager_of_the_team_promises_and_nobody_else(
    payments: Team, alice: User, bob: User, charlie: User, victor: User
) -> None:
    assert create(bob, payments).slug == "checkout-answers"

    for other in (alice, charlie, victor):
        with pytest.raises(Forbidden):
            create(other, payments, name="Another")


def test_a_manager_of_another_team_changes_nothing_here(payments: Team, search: Team, bob: User) -> None:
    dana = make.user("Dana", {search: "manager"})
    slo = create(bob, payments)

    with pytest.raises(Forbidden):
        definitions.change(slo, {"target": "0.5"}, by=person(dana), now=NOW)
    with pytest.raises(Forbidden):
        definitions.change(slo, {"service": make.service("search", search)}, by=person(bob), now=NOW)


@pytest.mark.parametrize(
    ("said", "kept"), [("0.9990", "0.999"), ("1", "1"), ("0", "0"), ("0.99999999", "0.99999999"), ("1e-3", "0.001")]
)
def test_a_target_is_kept_exactly(payments: Team, bob: User, said: str, kept: str) -> None:
    slo = create(bob, payments, target=said)

    slo.refresh_from_db()
    assert slo.target_text == kept
    assert slo.target == Fraction(said)


@pytest.mark.parametrize(
    "said", ["", "99.9", "-0.1", "1.0001", "NaN", "Infinity", "three nines", "0.12345678901234567", "1e-400", "9" * 99]
)
def test_what_is_no_target_is_refused(payments: Team, bob: User, said: str) -> None:
    with pytest.raises(Invalid) as refused:
        create(bob, payments, target=said)

    assert [field for field, _ in refused.value.errors] == ["target"]


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"days": 0},
        {"days": 3661},
        {"days": 30.5},
        {"days": True},
        {"days": 30, "calendar": "month"},
        {"calendar": "fortnight"},
        {"calendar": "month", "time_zone": "Mars/Olympus"},
        {"calendar": "month", "time_zone": "../../etc/passwd"},
    ],
)
def test_what_is_no_window_is_refused(payments: Team, bob: User, said: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        create(bob, payments, window=said)

    assert [field for field, _ in refused.value.errors] == ["window"]


def test_all_faults_are_told_at_once(payments: Team, bob: User) -> None:
    with pytest.raises(Invalid) as refused:
        create(bob, payments, name=" ", target="2", kind="speed", method="timeslices", labels={"a": 1})

    assert {field for field, _ in refused.value.errors} == {"name", "target", "kind", "method", "labels"}


def test_a_window_is_rolling_or_a_calendar_period(payments: Team, bob: User) -> None:
    rolling = create(bob, payments, name="One", window={"days": 28})
    monthly = create(bob, payments, name="Two", window=Window(calendar=Calendar.MONTH, time_zone="Europe/Paris"))

    assert (rolling.window_days, rolling.window_calendar) == (28, "")
    assert (monthly.window_days, monthly.window_calendar, monthly.window_time_zone) == (None, "month", "Europe/Paris")


def test_two_slos_do_not_share_a_slug(payments: Team, bob: User) -> None:
    create(bob, payments, slug="checkout")

    with pytest.raises(definitions.SlugTaken):
        create(bob, payments, slug="checkout")


def test_a_change_moves_the_version_and_the_same_again_does_not(payments: Team, bob: User) -> None:
    slo = create(bob, payments)

    assert definitions.change(slo, {"target": "0.99", "name": "Answers"}, by=person(bob), now=NOW, version=1)
    assert not definitions.change(slo, {"target": "0.990"}, by=person(bob), now=NOW)
    with pytest.raises(VersionMoved):
        definitions.change(slo, {"target": "0.9"}, by=person(bob), now=NOW, version=1)

    slo.refresh_from_db()
    assert (slo.target_text, slo.name, slo.version) == ("0.99", "Answers", 2)
