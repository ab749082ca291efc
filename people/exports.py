"""The list of people as a file, for administrators."""

from __future__ import annotations

from django.http import HttpResponseBase

from common import tables
from common.tables import Column
from people import exporting, queries
from people.actors import SignedInRequest

_COLUMNS = [
    Column("id", lambda user: user.pk),
    Column("name", lambda user: user.name),
    Column("email", lambda user: user.email),
    Column("discipline", lambda user: user.discipline and user.discipline.slug),
    Column("teams", lambda user: {each.team.slug: each.role for each in user.memberships.all()}),
    Column("is_admin", lambda user: user.is_admin),
    Column("is_active", lambda user: user.is_active),
    Column("last_login", lambda user: user.last_login),
    Column("created_at", lambda user: user.created_at),
]


def people_export(request: SignedInRequest, form: str) -> HttpResponseBase:
    return exporting.answer(request, "people", form, lambda: tables.read(queries.people(), _COLUMNS))
