"""Fills an installation with the demo's history, once, and all of it or nothing."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import transaction

from alerts import routing
from common.errors import DomainError
from home.history import cast, samples, stories, telling, writing
from incidents.models import Incident
from people.models import User


class NotEmpty(DomainError):
    """There is real data, which made-up data is not to mix with."""

    code = "not_empty"


def is_told() -> bool:
    return User.objects.filter(email=cast.ADMIN).exists()


@transaction.atomic
def seed(password: str, *, now: datetime) -> bool:
    """Make people, services, SLOs, thirty incidents and their postmortems; everybody signs in by this password. False
    where that was done before. Raises NotEmpty where there are other incidents."""
    if is_told():
        return False
    if Incident.objects.exists():
        raise NotEmpty("There are incidents here already: the demo's history belongs into a data folder of its own.")
    now = now.astimezone(UTC).replace(second=0, microsecond=0)
    company = cast.assemble(password, now=now)
    routing.forget()
    told = stories.told(now)
    samples.store(company, told, now=now)
    happened = [(story, telling.tell(story, company)) for story in told]
    for story, incident in happened:
        if story.postmortem:
            writing.write(story, incident, company, now=now)
    routing.forget()
    return True
