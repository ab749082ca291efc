"""Every route of the product, as the URLconf has it: what tests walk that must miss none."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver, reverse
from rest_framework.views import APIView

NOWHERE = {"int": 999_999, "slug": "nowhere", "uuid": uuid.UUID(int=1), "str": "nowhere", "path": "nowhere"}


@dataclass(frozen=True)
class Route:
    name: str
    template: str  # api/v1/incidents/<int:number>/
    kinds: tuple[tuple[str, str], ...]  # the name of each place in its path, and what may stand there
    methods: frozenset[str] | None  # what a REST view implements; None for a page

    @property
    def is_rest(self) -> bool:
        return self.methods is not None

    @property
    def path(self) -> str:
        """Of what there is not, where the path names something."""
        return self.to(dict(self.kwargs))

    @property
    def kwargs(self) -> tuple[tuple[str, Any], ...]:
        return tuple((name, NOWHERE[kind]) for name, kind in self.kinds)

    def to(self, kwargs: Mapping[str, Any]) -> str:
        return reverse(self.name, kwargs=dict(kwargs))


def every() -> list[Route]:
    return list(_routes(get_resolver().url_patterns, "", {}))


def _routes(patterns: list[URLPattern | URLResolver], begun: str, before: dict[str, Any]) -> Iterator[Route]:
    for pattern in patterns:
        template = begun + str(pattern.pattern)
        converters = {**before, **pattern.pattern.converters}
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern.url_patterns, template, converters)
            continue
        assert pattern.name, f"{pattern.pattern} has no name, so it cannot be in the matrix"
        kinds = tuple((name, _kind(converter)) for name, converter in converters.items())
        view = getattr(pattern.callback, "cls", None)
        methods = None
        if view is not None and issubclass(view, APIView):
            methods = frozenset(method.upper() for method in view.http_method_names if hasattr(view, method))
        yield Route(pattern.name, template, kinds, methods)


def _kind(converter: Any) -> str:
    return type(converter).__name__.removesuffix("Converter").lower().replace("string", "str")
