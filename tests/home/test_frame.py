"""What stands around every page: the counts of the rail, what is said of what was done, and how it is taken back."""

from __future__ import annotations

import re

import pytest
from django.contrib import messages
from django.contrib.messages.storage.base import Message
from django.db import connection
from django.test.utils import CaptureQueriesContext

from common import undo
from home import frame
from incidents import lifecycle
from incidents.models import Incident
from people.actors import person
from people.models import Team, User
from postmortems import drafting, items
from tests import make
from tests.browsing import page
from tests.make import NOW


def rail_of(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text[text.index('id="rail-nav"') : text.index("</nav>")]))


def test_the_rail_counts_open_incidents_and_one_s_own_action_items(alice: User, bob: User, payments: Team) -> None:
    incident, over = make.incident(payments), make.incident(payments)
    lifecycle.acknowledge(over, by=person(alice), now=NOW)
    lifecycle.move(over, to=Incident.Status.RESOLVED, by=person(alice), now=NOW)
    postmortem, _ = drafting.draft(over, by=person(alice), now=NOW)
    for owner in (alice, alice, bob):
        items.create(postmortem, "Test it", by=person(alice), now=NOW, owner=owner)

    rail = rail_of(page(alice, "/slos/"))

    assert incident.is_open
    assert "Incidents 1 open" in rail
    assert "Action items 2 yours" in rail


def test_what_one_may_not_see_is_not_counted(alice: User, charlie: User, admin: User, payments: Team) -> None:
    make.incident(payments, by=alice, is_private=True)

    assert frame.counts(charlie)["open_incidents"] == 0
    assert frame.counts(admin)["open_incidents"] == 1


@pytest.mark.django_db
def test_all_counts_take_one_statement(alice: User) -> None:
    frame.counts(alice)

    with CaptureQueriesContext(connection) as statements:
        frame.counts(alice)

    assert len(statements) == 1


def test_a_message_may_carry_the_way_back(rf, alice: User) -> None:  # type: ignore[no-untyped-def]
    plain = Message(messages.SUCCESS, "Done")
    carrying = Message(messages.SUCCESS, "Moved", extra_tags='{"url": "/x/", "act": "Undo", "fields": {"to": "later"}}')

    assert undo.of(plain) is None
    assert undo.of(carrying) == undo.Undo("/x/", "Undo", {"to": "later"})
