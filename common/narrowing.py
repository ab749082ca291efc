"""How a list with facets is narrowed: what its address says, and the links that lead to one thing more or one less."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.db.models import Case, IntegerField, Lookup, Q, QuerySet, Value, When
from django.forms import Form
from django.http import QueryDict
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from common.errors import Invalid
from common.text import shortened

LONGEST = 80  # characters of a value in a menu


@dataclass(frozen=True, eq=False)
class Asked:
    """The filters of an address, each checked; and the addresses that have one more or one less. Those are equal that
    say the same."""

    given: Mapping[str, Sequence[str]]  # name of the filter -> its values, as they stand in the address
    values: Mapping[str, Any]  # the same as the filters understand them
    filters: Mapping[str, Any]

    def narrowed(self, rows: QuerySet[Any], *, but: Iterable[str] = ()) -> QuerySet[Any]:
        """By every filter but those."""
        for name, one in self.filters.items():
            if name in self.given and name not in but:
                rows = one.filter(rows, self.values[name])
        return rows

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Asked) and self.query == other.query

    def __hash__(self) -> int:
        return hash(self.query)

    @cached_property
    def query(self) -> str:
        """What the address says behind its question mark, in one order: the same list has the same words."""
        return self._address(self.given)

    def without(self, name: str, value: str | None = None) -> str:
        """The address without a value, or without all that is said under the name."""
        rest = [each for each in self.given.get(name, ()) if value is not None and each != value]
        return self._address({**self.given, name: rest})

    def _address(self, given: Mapping[str, Sequence[str]]) -> str:
        return urlencode([(name, value) for name, values in given.items() for value in values])


def checked(form: Form, refusal: str) -> Mapping[str, Any]:
    """What a form of filters has read. Raises Invalid for what no filter knows: `refusal` tells of its %(faults)s."""
    if form.is_valid():
        return form.cleaned_data
    faults = [(name, str(text)) for name, texts in form.errors.items() for text in texts]
    raise Invalid(refusal % {"faults": " ".join(text for _, text in faults)}, errors=faults)


def given(names: Iterable[str], values: Mapping[str, Any], address: QueryDict) -> dict[str, Sequence[str]]:
    """What the address says under these names, whose values a form has read; nothing of what is not said."""
    said: dict[str, Sequence[str]] = {}
    for name in names:
        if values[name] not in (None, "", []):
            texts = values[name] if isinstance(values[name], list) else address.getlist(name)[-1:]
            said[name] = [*dict.fromkeys(texts)]
    return said


@dataclass(frozen=True, slots=True)
class Count:
    """Of one value. `name` is what people read, where that is not the value itself."""

    value: str
    name: str
    count: int


def flag(condition: Q | Lookup[Any]) -> Case:
    """1 or 0. It enters no index: where these rows stand has been said by other means."""
    return Case(When(condition, then=Value(1)), default=Value(0), output_field=IntegerField())


@dataclass(frozen=True, slots=True)
class Tab:
    """`count` is None where it is not counted, and without `candidates`. `url` keeps what the list is narrowed by."""

    label: str
    count: int | str | None
    url: str
    is_on: bool
    candidates: int = 0


@dataclass(frozen=True, slots=True)
class Chip:
    """One thing that the list is narrowed by; `url` is the list without it. `is_ours`: the value is a word of ours,
    not a name that somebody gave."""

    title: str
    value: str
    url: str
    is_ours: bool


@dataclass(frozen=True, slots=True)
class Facet:
    """`options` are the items of a list, each a link that chooses a value or, where it is chosen, takes it back."""

    title: str
    options: SafeString
    is_ours: bool
    is_on: bool


@dataclass(frozen=True, slots=True)
class Option:
    """A value of a facet; `address` chooses it or, where it `is_on`, takes it back."""

    address: str
    is_on: bool
    name: str
    count: str


# A menu has a hundred of them: joined here, they cost a tenth of what a template's loop does.
_OPTION = '<li><a href="?{}"{}{}><span dir="auto">{}</span><span class="text-secondary">{}</span></a></li>'
_IS_ON = mark_safe(' aria-current="true"')


def options(those: Iterable[Option]) -> SafeString:
    """The items of a list."""
    return format_html_join("", _OPTION, map(_parts, those))


def _parts(option: Option) -> tuple[str, ...]:
    name = shortened(option.name, LONGEST)
    return (
        option.address,
        _IS_ON if option.is_on else "",
        format_html(' title="{}"', option.name[:400]) if name != option.name else "",
        name,
        option.count,
    )
