"""How many alerts each next step of narrowing the list would leave, and how many each state has: one statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.db.models.lookups import Exact, In
from django.utils.formats import number_format

from alerts import outcomes
from alerts.models import Alert
from common.filters import LabelText
from common.narrowing import Count, flag

BOUND = 1000  # what is resolved is told exactly up to here
MOST = 30  # values of a facet, the most frequent
FACETS = ("severity", "service", "name", "integration", "becomes")
Status = Alert.Status

_FLAGS = [f"in_{name}" for name in FACETS]
_CTE = ", ".join(["state", *FACETS, "is_found", *_FLAGS])
_ALL = " AND ".join(f"{flag} = 1" for flag in ("is_found", *_FLAGS))
_STATE = Case(
    When(status=Status.RESOLVED, then=Value(Status.RESOLVED.value)),
    When(stale_since=None, then=Value(Status.FIRING.value)),
    default=Value(Status.STALE.value),
)


@dataclass(frozen=True, slots=True)
class Number:
    """So many or, where there may be more, at least so many."""

    least: int
    is_more: bool = False

    def __str__(self) -> str:
        return number_format(self.least, force_grouping=True) + ("+" if self.is_more else "")


@dataclass(frozen=True, slots=True)
class Counts:
    """Exact for what fires; where `is_bounded`, there is more that is resolved than was counted."""

    by_state: Mapping[str, int] = field(default_factory=dict)
    by_facet: Mapping[str, Sequence[Count]] = field(default_factory=lambda: dict.fromkeys(FACETS, ()))
    is_bounded: bool = False

    def of(self, states: Sequence[str]) -> Number:
        """How many are of these states."""
        return self.number(sum(self.by_state.get(state, 0) for state in states), states)

    def number(self, counted: int, states: Sequence[str]) -> Number:
        """What was counted among these states, where it may not be all."""
        if Status.RESOLVED not in states:
            return Number(counted)
        return Number(min(counted, BOUND), is_more=counted > BOUND or self.is_bounded)


def count(
    firing: QuerySet[Alert],
    resolved: QuerySet[Alert],
    searched: Q,
    chosen: Mapping[str, Any],
    states: Sequence[str],
) -> Counts:
    """Count these by state as they are narrowed, and those of `states` by each facet as if nothing of it were `chosen`.
    `resolved` holds one more than are looked through, where there are more."""
    sql, parameters = _compiled(firing, searched, chosen)
    more_sql, more = _compiled(resolved, searched, chosen)
    ctes = f"WITH firing({_CTE}) AS MATERIALIZED ({sql}), resolved({_CTE}) AS MATERIALIZED ({more_sql}), "
    ctes += f"base AS (SELECT * FROM firing WHERE state IN ({', '.join(['%s'] * len(states))})"
    if Status.RESOLVED in states:
        ctes += " UNION ALL SELECT * FROM resolved"
    with connection.cursor() as cursor:
        cursor.execute(f"{ctes}) {_counts()}", [*parameters, *more, *states])
        rows: list[tuple[str, str, str, int]] = cursor.fetchall()
    by_state: dict[str, int] = {}
    by_facet: dict[str, list[Count]] = {name: [] for name in FACETS}
    looked_through = 0
    for part, value, name, number in rows:
        if part == "state":
            by_state[value] = number
        elif part == "resolved":
            looked_through = number
        else:
            by_facet[part].append(Count(value, name, number))
    return Counts(by_state, by_facet, looked_through == resolved.query.high_mark)


def narrowed(alerts: QuerySet[Alert], chosen: Mapping[str, Any]) -> QuerySet[Alert]:
    """Those that are in what is chosen of each facet."""
    values = _values()
    return alerts.filter(*(Exact(flag(In(values[name], chosen[name])), 1) for name in FACETS if chosen.get(name)))


def _compiled(alerts: QuerySet[Alert], searched: Q, chosen: Mapping[str, Any]) -> tuple[str, tuple[Any, ...]]:
    """The SELECT of what stands in _CTE: of each alert its facets, and whether it is in what is chosen of each."""
    values = _values()
    columns = {
        "a_state": _STATE,
        **{f"a_{name}": value for name, value in values.items()},
        "is_found": flag(searched) if searched else Value(1),
        **{
            f"in_{name}": flag(In(value, chosen[name])) if chosen.get(name) else Value(1)
            for name, value in values.items()
        },
    }
    compiler = alerts.annotate(**columns).values_list(*columns).query.get_compiler(connection=connection)
    sql, parameters = compiler.as_sql()
    return sql, tuple(parameters)


def _values() -> dict[str, Any]:
    """The value of each facet, of a row."""
    return {
        "severity": LabelText("labels", "severity"),
        "service": LabelText("labels", "service"),
        "name": F("name"),
        "integration": F("integration__slug"),
        "becomes": outcomes.outcome(),
    }


def _counts() -> str:
    """The SELECT behind the CTEs: (of what, value, its name, how many)."""
    both = f"SELECT state FROM firing WHERE {_ALL} UNION ALL SELECT state FROM resolved WHERE {_ALL}"
    parts = [
        f"SELECT 'state', state, '', count(*) FROM ({both}) AS both_kinds GROUP BY state",
        "SELECT 'resolved', '', '', count(*) FROM resolved",
    ]
    for name in FACETS:
        others = " AND ".join(f"in_{other} = 1" for other in FACETS if other != name)
        counted = (
            f"SELECT {name} AS value, count(*) AS n FROM base WHERE is_found = 1 AND {others} "
            f"AND {name} <> '' GROUP BY {name} ORDER BY n DESC, value LIMIT {MOST}"
        )
        if name == "integration":
            parts.append(
                f"SELECT '{name}', c.value, there.name, c.n FROM ({counted}) AS c "
                "JOIN alerts_integration AS there ON there.slug = c.value"
            )
        else:
            parts.append(f"SELECT '{name}', c.value, '', c.n FROM ({counted}) AS c")
    return " UNION ALL ".join(parts)
