"""What the frame of every page counts."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.db import connection
from django.db.models import Func, IntegerField, QuerySet, Subquery
from django.http import HttpRequest

from incidents.models import Incident
from people.actors import Actor, person
from people.models import User
from postmortems.models import ActionItem

_TO_DO = (ActionItem.Status.OPEN, ActionItem.Status.IN_PROGRESS, ActionItem.Status.INEFFECTIVE)
_READER = -(2**40)  # stands for whoever reads, in a statement that is compiled once


def on_pages(request: HttpRequest) -> dict[str, Any]:
    """For every template `frame`, a function: who does not ask pays nothing."""
    actor: Actor | None = getattr(request, "actor", None)

    @cache
    def frame() -> dict[str, int] | None:
        return counts(actor.user) if actor and actor.user else None

    return {"frame": frame}


def counts(reader: User) -> dict[str, int]:
    """The open incidents that count and somebody may see, and the action items that wait for them. One statement."""
    sql, parameters = _statement(is_admin=reader.is_admin)
    with connection.cursor() as cursor:
        cursor.execute(sql, [reader.pk if parameter == _READER else parameter for parameter in parameters])
        open_incidents, my_action_items = cursor.fetchone()
    return {"open_incidents": open_incidents, "my_action_items": my_action_items}


@cache
def _statement(*, is_admin: bool) -> tuple[str, tuple[Any, ...]]:
    """Building it takes ten times as long as running it, and is the same for all readers of a kind."""
    reader = person(User(pk=_READER, is_admin=is_admin))
    to_do = ActionItem.objects.for_actor(reader).filter(owner=_READER, status__in=_TO_DO)
    counted = Incident.objects.for_actor(reader).open().confirmed()
    both = User.objects.order_by().values_list(_count_of(counted), _count_of(to_do))
    return both[:1].query.sql_with_params()


def _count_of(rows: QuerySet[Any]) -> Subquery:
    """COUNT(*) as a value: unlike `annotate(Count)`, it groups by nothing."""
    counted: QuerySet[Any] = rows.order_by().values(n=Func("pk", function="COUNT", output_field=IntegerField()))
    return Subquery(counted)
