"""What the tests of postmortems start from."""

from __future__ import annotations

from datetime import timedelta

import pytest

from incidents.models import Incident
from people.models import Team, User
from postmortems import drafting
from postmortems.models import Postmortem
from tests import make
from tests.make import NOW, person


@pytest.fixture
def incident(payments: Team, bob: User) -> Incident:
    """Declared by bob, of payments."""
    return make.incident(payments, by=bob)


@pytest.fixture
def postmortem(incident: Incident, bob: User) -> Postmortem:
    """Begun by bob, who owns it."""
    begun, _ = drafting.draft(incident, by=person(bob), now=NOW + timedelta(hours=1))
    return begun
