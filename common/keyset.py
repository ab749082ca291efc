"""Pages of a list that cost the same at its end as at its start: a cursor holds the place, no row is skipped.

The order must be total and free of nulls; the primary key is put last where it is not in it.
"""

from __future__ import annotations

import base64
import binascii
from collections import namedtuple
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from threading import Lock
from typing import Any, Generic, TypeVar
from uuid import UUID

import orjson
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import connection
from django.db.models import CharField, DateTimeField, Field, IntegerField, Model, Q, QuerySet
from django.db.models.sql.compiler import SQLCompiler
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param
from rest_framework.views import APIView

from common.errors import Invalid

Row = TypeVar("Row", bound=Model)

SIZE = 25
LARGEST = 100


class BadCursor(Invalid):
    """A cursor that we did not give out, or of another order."""

    code = "bad_cursor"


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """The rows, and the cursors of the pages beside it; None where there is none."""

    rows: list[Row]
    next: str | None
    previous: str | None


def page(queryset: QuerySet[Row], ordering: Sequence[str], cursor: str | None, size: int = SIZE) -> Page[Row]:
    """The page at a cursor, the first one without. `ordering` names columns or annotations, "-" for descending.

    One query, of size + 1 rows. Raises BadCursor.
    """
    order = _total(queryset, ordering)
    direction, values = _place(cursor, queryset, order) if cursor else ("", [])
    rows = list(_from(queryset, order, direction, values)[: size + 1])
    if direction == "p" and not rows:  # what lay before has gone
        return page(queryset, ordering, None, size)
    return _cut(rows, direction, order, size)


_building = Lock()  # compiling writes into what clones of a queryset share


class Pages:
    """The pages of a list of columns, whose statements are built once: that takes longer than to run them. `columns`
    are those of its `values_list`."""

    def __init__(self, queryset: QuerySet[Any, Any], columns: Sequence[str], ordering: Sequence[str]) -> None:
        self._queryset = queryset
        self._order = _total(queryset, ordering)
        self._row = namedtuple("Row", columns)  # type: ignore[misc]
        self._built: dict[str, _Built] = {}

    def page(self, cursor: str | None, replace: Callable[[Any], Any]) -> Page[Any]:
        """As `page`, with what `replace` makes of each parameter of the statement."""
        direction, values = _place(cursor, self._queryset, self._order) if cursor else ("", [])
        if direction not in self._built:
            with _building:
                self._built[direction] = _built(self._queryset, self._order, direction)
        built = self._built[direction]
        values = _prepared(self._queryset, self._order, values)
        parameters = [
            replace(parameter) if place is None else values[place]
            for parameter, place in zip(built.parameters, built.places, strict=True)
        ]
        with connection.cursor() as database:
            database.execute(built.sql, parameters)
            found = built.compiler.results_iter(results=[database.fetchall()])
        rows: list[Any] = [self._row(*row) for row in found]
        if direction == "p" and not rows:
            return self.page(None, replace)
        return _cut(rows, direction, self._order, SIZE)


@dataclass(frozen=True, slots=True)
class _Built:
    """`places` says of each parameter which value of the cursor it is, None where it is none."""

    compiler: SQLCompiler
    sql: str
    parameters: Sequence[Any]
    places: Sequence[int | None]


def _built(queryset: QuerySet[Any, Any], order: Sequence[str], direction: str) -> _Built:
    """Built twice, with values of two kinds: the parameters that differ are the cursor's."""
    one, other = (
        [_example(queryset, name.lstrip("-"), n, start) for n, name in enumerate(order)] for start in (1, 101)
    )
    compiler, sql, parameters = _compiled(queryset, order, direction, one)
    _, _, others = _compiled(queryset, order, direction, other)
    values = _prepared(queryset, order, one)
    differ = [mine != its for mine, its in zip(parameters, others, strict=True)]
    places = [values.index(each) if differs else None for each, differs in zip(parameters, differ, strict=True)]
    return _Built(compiler, sql, parameters, places)


def _compiled(
    queryset: QuerySet[Any, Any], order: Sequence[str], direction: str, values: Sequence[Any]
) -> tuple[SQLCompiler, str, Sequence[Any]]:
    compiler = _from(queryset, order, direction, values)[: SIZE + 1].query.get_compiler(connection=connection)
    sql, parameters = compiler.as_sql()
    return compiler, sql, parameters


def _example(queryset: QuerySet[Any, Any], column: str, place: int, start: int) -> Any:
    """Some value of a column, another one for each place, that the smallest type has room for."""
    field, number = _field(queryset, column), start + place
    if isinstance(field, DateTimeField):
        return datetime(2000, 1, 1, tzinfo=UTC) + timedelta(seconds=number)
    if isinstance(field, IntegerField):
        return number
    assert isinstance(field, CharField), f"{column}: neither a moment nor a number nor words"
    return f"{number}"


def _prepared(queryset: QuerySet[Any, Any], order: Sequence[str], values: Sequence[Any]) -> list[Any]:
    """These values as they travel to the database; none without a cursor."""
    fields = [_field(queryset, name.lstrip("-")) for name in order]
    return [field.get_db_prep_value(value, connection) for field, value in zip(fields, values, strict=False)]


def _from(
    queryset: QuerySet[Row, Any], order: Sequence[str], direction: str, values: Sequence[Any]
) -> QuerySet[Row, Any]:
    """What follows upon these values, or "p", backwards, what precedes them; all of it without a direction."""
    way = [_turned(name) for name in order] if direction == "p" else order
    return queryset.order_by(*way).filter(_beyond(way, values)) if direction else queryset.order_by(*way)


def _cut(rows: list[Any], direction: str, order: Sequence[str], size: int) -> Page[Any]:
    """The page of what was read, which is one row more where there is more."""
    more = len(rows) > size
    rows = rows[:size][::-1] if direction == "p" else rows[:size]
    has_next, has_previous = more or direction == "p", more if direction == "p" else bool(direction)
    return Page(
        rows,
        _cursor("n", order, rows[-1]) if rows and has_next else None,
        _cursor("p", order, rows[0]) if rows and has_previous else None,
    )


class ApiPagination(BasePagination):
    """`{"results", "next", "previous"}` for every list of the API, in the order that its queryset has."""

    def __init__(self) -> None:
        self._page: Page[Any] | None = None
        self._address = ""

    def paginate_queryset(
        self, queryset: QuerySet[Any] | Sequence[Any], request: Request, view: APIView | None = None
    ) -> list[Any]:
        assert isinstance(queryset, QuerySet)
        self._address = request.build_absolute_uri()
        self._page = page(queryset, _own(queryset), request.query_params.get("cursor"), _size(request))
        return self._page.rows

    def get_paginated_response(self, data: Any) -> Response:
        assert self._page is not None, "a page is answered after it was read"
        links = {"next": self._link(self._page.next), "previous": self._link(self._page.previous)}
        return Response({"results": data, **links})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": "string", "format": "uri", "nullable": True}
        return {
            "type": "object",
            "required": ["results", "next", "previous"],
            "properties": {"results": schema, "next": link, "previous": link},
        }

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        return [
            {
                "name": "cursor",
                "in": "query",
                "description": "The place in the list, as `next` or `previous` of another page give it.",
                "schema": {"type": "string"},
            },
            {
                "name": "page_size",
                "in": "query",
                "description": f"How many at once: {SIZE} where it is not said, never more than {LARGEST}.",
                "schema": {"type": "integer", "minimum": 1, "default": SIZE},
            },
        ]

    def _link(self, cursor: str | None) -> str | None:
        if cursor is None:
            return None
        return replace_query_param(remove_query_param(self._address, "cursor"), "cursor", cursor)


def _size(request: Request) -> int:
    text = request.query_params.get("page_size", str(SIZE))
    if not (text.isascii() and text.isdigit() and int(text[:9])):
        raise Invalid("page_size is a number from 1 on.", errors=[("page_size", "A number from 1 on.")])
    return min(int(text[:9]), LARGEST)


def _own(queryset: QuerySet[Any]) -> Sequence[str]:
    """The order that a queryset has by itself."""
    return [*map(str, queryset.query.order_by or queryset.model._meta.ordering or ())]


def _total(queryset: QuerySet[Any], ordering: Sequence[str]) -> list[str]:
    key = queryset.model._meta.pk.name
    order = [key if name == "pk" else "-" + key if name == "-pk" else name for name in ordering]
    if key not in (name.lstrip("-") for name in order):
        order.append("-" + key if order and order[-1].startswith("-") else key)
    return order


def _turned(name: str) -> str:
    return name[1:] if name.startswith("-") else "-" + name


def _beyond(order: Sequence[str], values: Sequence[Any]) -> Q:
    """What comes after `values`: the bound on the first column stands alone, so that an index can be entered by it."""
    beyond = Q(pk__in=())
    for name, value in reversed(list(zip(order, values, strict=True))):
        column = name.lstrip("-")
        compare = "lt" if name.startswith("-") else "gt"
        beyond = Q(**{f"{column}__{compare}": value}) | (Q(**{column: value}) & beyond)
    first, bound = order[0], values[0]
    return Q(**{f"{first.lstrip('-')}__{'lte' if first.startswith('-') else 'gte'}": bound}) & beyond


def _cursor(direction: str, order: Sequence[str], row: Model) -> str:
    values = [getattr(row, name.lstrip("-")) for name in order]
    assert None not in values, "a list is not ordered by what may be null"
    content = orjson.dumps([direction, ",".join(order), *values], default=str)
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _place(cursor: str, queryset: QuerySet[Any], order: Sequence[str]) -> tuple[str, list[Any]]:
    try:
        content = orjson.loads(base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)))
        match content:
            case ["n" | "p" as direction, str(described), *values] if described == ",".join(order):
                pairs = zip(order, values, strict=True)
                return direction, [_typed(queryset, name.lstrip("-"), value) for name, value in pairs]
    except (ValueError, binascii.Error, ValidationError, TypeError, OverflowError) as exc:
        raise BadCursor("This cursor is not one of ours.", errors=[("cursor", "Not a cursor.")]) from exc
    raise BadCursor("This cursor belongs to another order.", errors=[("cursor", "Not a cursor of this list.")])


def _typed(queryset: QuerySet[Any], column: str, value: Any) -> Any:
    """A value of a cursor as its column has it. Raises ValueError, OverflowError or ValidationError."""
    typed = _field(queryset, column).to_python(value)
    match typed:
        case bool() | UUID():
            return typed
        case int() if abs(typed) < 2**63:
            return typed
        case str() if "\x00" not in typed:
            return typed
        case datetime() if typed.tzinfo is not None:
            return typed.astimezone(UTC)
        case date() if not isinstance(typed, datetime):
            return typed
    raise ValueError("not a value of this column")


def _field(queryset: QuerySet[Any], column: str) -> Field[Any, Any]:
    annotation = queryset.query.annotations.get(column)
    if annotation is not None:
        field: Field[Any, Any] = annotation.output_field
        return field
    try:
        found = queryset.model._meta.get_field(column)
    except FieldDoesNotExist as exc:
        raise AssertionError(f"{column} is no column of the list") from exc
    assert isinstance(found, Field)
    return found
