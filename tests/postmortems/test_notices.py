"""Who is told that an action item is theirs."""

from __future__ import annotations

import pytest

from notifications.models import Message
from people.models import Team, User
from postmortems import drafting, items
from postmortems.models import Postmortem
from tests import make
from tests.make import NOW, person


def subjects(user: User) -> list[str]:
    return list(Message.objects.filter(user=user).order_by("created_at").values_list("subject", flat=True))


def test_the_owner_is_told_by_whom_and_of_what(postmortem: Postmortem, alice: User, bob: User) -> None:
    item = items.create(postmortem, "Alert on drift", by=person(bob), now=NOW, owner=alice, priority="p1")

    [message] = Message.objects.filter(user=alice)
    assert message.kind == Message.Kind.ACTION_ITEM
    assert message.topic == f"action-item:{item.pk}"
    assert message.subject == f"[P1] Bob gave you an action item of {postmortem.incident}: Alert on drift"
    assert message.url.endswith(item.get_absolute_url())


def test_who_takes_an_item_themselves_is_not_told(postmortem: Postmortem, alice: User) -> None:
    items.create(postmortem, "Alert on drift", by=person(alice), now=NOW, owner=alice)

    assert subjects(alice) == []


def test_only_a_new_owner_is_told(postmortem: Postmortem, alice: User, bob: User, charlie: User) -> None:
    item = items.create(postmortem, "Alert on drift", by=person(bob), now=NOW, owner=alice)
    items.change(item, {"priority": "p0"}, by=person(bob), now=NOW)
    items.change(item, {"owner": charlie}, by=person(bob), now=NOW)
    items.change(item, {"owner": None}, by=person(bob), now=NOW)
    items.change(item, {"owner": alice}, by=person(bob), now=NOW)

    assert (len(subjects(alice)), len(subjects(charlie))) == (2, 1)


@pytest.mark.django_db
def test_who_may_not_see_it_is_not_told(payments: Team, bob: User, charlie: User) -> None:
    private = make.incident(payments, by=bob, is_private=True)
    postmortem, _ = drafting.draft(private, by=person(bob), now=NOW)
    items.create(postmortem, "Tell the customer", by=person(bob), now=NOW, owner=charlie)

    assert subjects(charlie) == []
