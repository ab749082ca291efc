"""Due work carried out on the spot, as the engine and its workers would, for tests that wait for nobody."""

from __future__ import annotations

from datetime import datetime
from unittest import mock

from django.db import connection
from django.db.models.functions import Now
from django.utils.module_loading import import_string

from common import work

_ROOM = 1000


def run_all_due(*kinds: type[work.DueWork], until: datetime | None = None) -> int:
    """Take and carry out all that is due, and what becomes due by that; of every kind where none is named. Gives how
    many rows were begun. What is due `until` then counts as due: the database's clock is real, a test's is not."""
    models = kinds or tuple(work.kinds())
    done = 0
    while True:
        if until is not None:
            for model in models:
                model.objects.filter(state="waiting", due_at__gt=Now(), due_at__lte=until).update(due_at=Now())
        taken = [claimed for model in models for claimed in work.take(model, _ROOM, {})]
        if not taken:
            return done
        for claimed in taken:
            _carry_out(claimed)
            done += 1


def forget_leases(*kinds: type[work.DueWork]) -> None:
    """As if the leases of all that is in hand had run out: whoever held them is dead."""
    for model in kinds or tuple(work.kinds()):
        model.objects.filter(state="waiting").update(lease_until=None)


def _carry_out(claimed: work.Claimed) -> None:
    task = import_string(claimed.model.TASK)
    if not connection.in_atomic_block:
        task(claimed.pk, claimed.claim)
        return
    with mock.patch.object(work, "close_old_connections", create=True):  # the test's own transaction would go with it
        task(claimed.pk, claimed.claim)
