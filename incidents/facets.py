"""How many incidents each next step of narrowing the list would leave, and how many each tab has: one statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet, Value

from common.narrowing import Count, flag
from incidents.models import Incident

BOUND = 250  # what is over is counted up to here: each is read from another place of the disk
LABELS = 20  # the most frequent

# Name of the facet -> the column of its values.
COLUMNS = {
    "status": "status",
    "severity": "severity",
    "kind": "kind",
    "service": "service__slug",
    "model": "model__slug",
    "team": "team__slug",
}
NAMED = {"service": "catalog_service", "model": "catalog_model", "team": "people_team"}  # where their names stand

_ALL = " AND ".join(f"in_{name} = 1" for name in COLUMNS)
_CTE = ", ".join(
    [*(f"{name}_id" if name in NAMED else name for name in COLUMNS), "labels", "mine", "candidate"]
    + [f"in_{name}" for name in COLUMNS]
)


@dataclass(frozen=True, slots=True)
class Counts:
    """`open` and `mine` are of the tabs, without their candidates, which are counted beside them. `shown` is of the
    list, candidates too, and so are those by facet; where it `is_bounded`, so are they."""

    open: int
    open_candidates: int
    mine: int
    mine_candidates: int
    shown: int
    is_bounded: bool
    by_facet: Mapping[str, tuple[Count, ...]]
    beside: Mapping[str, Sequence[tuple[str, str, int]]]  # what was asked for along with them


@dataclass(frozen=True, slots=True)
class Statement:
    """What counts, ready to be run. `is_bounded`: facets are counted among the first BOUND."""

    sql: str
    parameters: Sequence[Any]
    is_bounded: bool
    beside: Sequence[str]


def statement(
    opens: QuerySet[Incident],
    mine: Q,
    chosen: Mapping[str, Any],
    *,
    only_mine: bool,
    instead: QuerySet[Incident] | None,
    beside: Mapping[str, QuerySet[Any, Any]],
) -> Statement:
    """Count `opens`, which are open and narrowed by all that is no facet: exactly, and by each facet as if nothing of
    it were `chosen`. Where the list shows others `instead`, narrowed by everything and in its order, the facets are
    counted among the first BOUND of those. `beside` are rows that come along, of two texts and a number."""
    sql, parameters = _compiled(opens, mine, chosen)
    ctes = f"WITH opens({_CTE}) AS MATERIALIZED ({sql})"
    if instead is not None:
        sql, more = _compiled(instead, mine, {})
        ctes += f", base({_CTE}) AS MATERIALIZED ({sql} LIMIT {BOUND + 1})"
        parameters = (*parameters, *more)
    else:
        ctes += f", base AS (SELECT * FROM opens{' WHERE mine = 1' if only_mine else ''})"
    counting = _counts()
    for name, rows in beside.items():
        sql, more = rows.query.get_compiler(connection=connection).as_sql()
        counting += f" UNION ALL SELECT '{name}', {name}.* FROM ({sql}) AS {name}"
        parameters = (*parameters, *more)
    return Statement(f"{ctes} {counting}", parameters, instead is not None, tuple(beside))


def count(counting: Statement, parameters: Sequence[Any]) -> Counts:
    """Run it, with its parameters or others of the same kind."""
    with connection.cursor() as cursor:
        cursor.execute(counting.sql, parameters)
        rows: list[tuple[str, str, str, int]] = cursor.fetchall()
    totals = dict.fromkeys(("open", "open_candidates", "mine", "mine_candidates", "shown"), 0)
    by_facet: dict[str, list[Count]] = {name: [] for name in (*COLUMNS, "label")}
    beside: dict[str, list[tuple[str, str, int]]] = {name: [] for name in counting.beside}
    for part, value, name, number in rows:
        if part in totals:
            totals[part] = number
        elif part in beside:
            beside[part].append((value, name, number))
        else:
            by_facet[part].append(Count(value, name, number))
    is_bounded = counting.is_bounded and totals["shown"] > BOUND
    return Counts(
        **totals,
        is_bounded=is_bounded,
        by_facet={name: tuple(counted) for name, counted in by_facet.items()},
        beside=beside,
    )


def _compiled(incidents: QuerySet[Incident], mine: Q, chosen: Mapping[str, Any]) -> tuple[str, tuple[Any, ...]]:
    """The SELECT of what stands in _CTE: of each incident its facets, and whether it is in what is chosen of each."""
    inside = {
        f"in_{name}": flag(Q(**{f"{column}__in": chosen[name]})) if chosen.get(name) else Value(1)
        for name, column in COLUMNS.items()
    }
    found = incidents.annotate(is_mine=flag(mine), candidate=flag(Q(is_candidate=True)), **inside).values_list(
        *(f"{name}_id" if name in NAMED else name for name in COLUMNS), "labels", "is_mine", "candidate", *inside
    )
    sql, parameters = found.query.get_compiler(connection=connection).as_sql()
    return sql, parameters


def _counts() -> str:
    """The SELECT behind the CTEs: (of what, value, its name, how many)."""
    unpacked = "jsonb_each_text" if connection.vendor == "postgresql" else "json_each"
    labels = (
        "SELECT 'label', label.key || ':' || label.value AS word, '', count(*) AS n "
        f"FROM base, {unpacked}(base.labels) AS label WHERE {_ALL} AND label.value IS NOT NULL "
        f"GROUP BY label.key, label.value ORDER BY n DESC, word LIMIT {LABELS}"
    )
    parts = [
        f"SELECT 'open', '', '', count(*) FROM opens WHERE {_ALL} AND candidate = 0",
        f"SELECT 'open_candidates', '', '', count(*) FROM opens WHERE {_ALL} AND candidate = 1",
        f"SELECT 'mine', '', '', count(*) FROM opens WHERE {_ALL} AND mine = 1 AND candidate = 0",
        f"SELECT 'mine_candidates', '', '', count(*) FROM opens WHERE {_ALL} AND mine = 1 AND candidate = 1",
        f"SELECT 'shown', '', '', count(*) FROM base WHERE {_ALL}",
        f"SELECT * FROM ({labels}) AS labels",
    ]
    for name in COLUMNS:
        others = " AND ".join(f"in_{other} = 1" for other in COLUMNS if other != name)
        if name in NAMED:
            parts.append(
                f"SELECT '{name}', there.slug, there.name, c.n FROM "
                f"(SELECT {name}_id AS id, count(*) AS n FROM base WHERE {others} GROUP BY {name}_id) AS c "
                f"JOIN {NAMED[name]} AS there ON there.id = c.id"
            )
        else:
            parts.append(f"SELECT '{name}', {name}, '', count(*) FROM base WHERE {others} GROUP BY {name}")
    return " UNION ALL ".join(parts)
