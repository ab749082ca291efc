"""What the search of the alert list understands: a part of a name, a whole fingerprint, or matchers in Alertmanager's
syntax.

An expression runs over no row: it is matched here, by RE2, against the values that its label has among the alerts in
question, and the database looks for those that fit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet, TextField, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact, In
from django.utils.translation import gettext as _

from alerts import matchers
from alerts.matchers import Matcher
from alerts.models import Alert
from common.errors import DomainError
from common.filters import HasLabel, LabelText

VALUES = 5000  # of labels that expressions compare, all together

_COMPARES = re.compile(r"=|!~")


class TooManyValues(DomainError):
    """There are too many values to match each of them."""

    code = "too_many_values"
    status = 422


@dataclass(frozen=True, slots=True)
class Search:
    """What was searched for: matchers or, without any, the text."""

    text: str
    matchers: tuple[Matcher, ...]


def parse(text: str) -> Search:
    """Raises BadMatcher where it compares a label, but not in the syntax of matchers."""
    return Search(text, matchers.parse(text) if _COMPARES.search(text) else ())


def condition(search: Search, among: Sequence[QuerySet[Alert]]) -> Q:
    """What of these alerts is searched for; one statement where expressions are matched. Raises TooManyValues."""
    if not search.matchers:
        return Q(name__icontains=search.text) | Q(fingerprint=search.text)
    expressions = [matcher for matcher in search.matchers if matcher.pattern is not None]
    values = _values(sorted({matcher.name for matcher in expressions}), among) if expressions else {}
    found = Q()
    for name, known in values.items():
        of_it = [matcher for matcher in expressions if matcher.name == name]
        fitting = sorted(value for value in known if all(matcher.matches({name: value}) for matcher in of_it))
        found &= Q(In(_text(name), fitting)) if fitting else Q(pk__in=())
    for matcher in search.matchers:
        if matcher.pattern is None:
            found &= _is_or_not(matcher)
    return found


def _is_or_not(matcher: Matcher) -> Q:
    text = _text(matcher.name)
    is_it = Q(HasLabel("labels", matcher.name, matcher.value)) if matcher.value else Q(Exact(text, ""))
    return is_it if matcher.operator == "=" else ~is_it


def _values(names: Sequence[str], among: Sequence[QuerySet[Alert]]) -> dict[str, set[str]]:
    """The values that each of these labels has."""
    first, *rest = (
        alerts.order_by().values_list(Value(name, output_field=TextField()), _text(name)).distinct()
        for alerts in among
        for name in names
    )
    rows: list[tuple[str, str]] = [*first.union(*rest)[: VALUES + 1]]
    if len(rows) > VALUES:
        words = _("More than %(n)s values of %(labels)s would have to be matched. Compare by = instead.")
        raise TooManyValues(words % {"labels": ", ".join(names), "n": VALUES})
    return {name: {value for of, value in rows if of == name} for name in names}


def _text(name: str) -> Any:
    """The value of a label; one that is not there counts as empty."""
    return Coalesce(LabelText("labels", name), Value(""), output_field=TextField())
