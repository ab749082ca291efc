"""People and teams: who may change them, and what is refused."""

from __future__ import annotations

import pytest

from common.errors import Forbidden
from people import directory
from people.actors import person
from people.models import Discipline, Team, User
from tests import make
from tests.make import NOW


def test_only_an_administrator_adds_people(bob: User) -> None:
    with pytest.raises(Forbidden):
        directory.add_user("new@example.com", "New", by=person(bob), now=NOW)

    assert not User.objects.filter(email="new@example.com").exists()


def test_an_email_belongs_to_one_person_whatever_its_case(admin: User, alice: User) -> None:
    with pytest.raises(directory.EmailTaken):
        directory.add_user("ALICE@example.com", "Other", by=person(admin), now=NOW)


def test_the_last_administrator_cannot_be_removed(admin: User) -> None:
    with pytest.raises(directory.LastAdmin):
        directory.change_user(admin, {"is_admin": False}, by=person(admin), now=NOW)

    other = make.user("Other", is_admin=True)
    assert directory.change_user(admin, {"is_active": False}, by=person(other), now=NOW)
    with pytest.raises(directory.LastAdmin):
        directory.change_user(other, {"is_active": False}, by=person(other), now=NOW)


def test_memberships_are_replaced_as_a_whole(admin: User, alice: User, search: Team) -> None:
    assert directory.change_user(alice, {}, by=person(admin), now=NOW, memberships={search: "manager"})

    assert list(alice.memberships.values_list("team__slug", "role")) == [("search", "manager")]
    assert not directory.change_user(alice, {}, by=person(admin), now=NOW, memberships={search: "manager"})


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("_round", [1, 2])
def test_after_a_flush_the_vocabulary_is_there_again(_round: int) -> None:
    incident = make.incident()

    assert incident.number == 1
    assert Discipline.objects.filter(slug="data_science").exists()


def test_the_browser_says_the_zone_of_who_has_none_yet(alice: User) -> None:
    assert alice.time_zone == ""

    directory.learn_time_zone(alice, "Mars/Olympus")
    directory.learn_time_zone(alice, "Europe/Berlin")
    alice.refresh_from_db()
    directory.learn_time_zone(alice, "Asia/Tokyo")

    alice.refresh_from_db()
    assert alice.time_zone == "Europe/Berlin"
