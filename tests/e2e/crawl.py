"""Every page that a reader comes to, found by following links from the front door; each route a few times."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx
from django.urls import Resolver404, resolve

from common.headers import SECURITY_HEADERS
from people.access import matrix
from tests import markup, routes
from tests.markup import Markup

ALIKE = 3  # addresses that differ only in what is named in them
OF_ROUTE = 12
NO_PAGES = {"livez", "readyz", "metrics", "password-link", "single-sign-on", "single-sign-on-back"}  # none is shown


@dataclass(frozen=True, eq=False)
class Visit:
    """One address, and what was answered there."""

    path: str
    reader: str  # of those that the house lets in
    route: str  # by its name; "" for an address that leads nowhere
    linked_from: str
    status: int
    headers: Mapping[str, str]
    size: int
    markup: Markup | None  # None for what is no page of HTML


@dataclass
class Crawl:
    """What one reader found."""

    visits: list[Visit] = field(default_factory=list)

    def __add__(self, other: Crawl) -> Crawl:
        return Crawl(self.visits + other.visits)

    @property
    def pages(self) -> list[Visit]:
        return [visit for visit in self.visits if visit.markup and visit.markup.is_page]

    def representatives(self) -> list[Visit]:
        """The longest and the shortest page of each route."""
        chosen: dict[str, Visit] = {}
        for route in sorted({visit.route for visit in self.pages}):
            of_route = sorted((page for page in self.pages if page.route == route), key=lambda page: page.size)
            for page in (of_route[-1], of_route[0]):
                chosen.setdefault(page.path, page)
        return list(chosen.values())


def page_routes() -> set[str]:
    """The name of each route that shows a page to who asks with GET."""
    return {route.name for route in routes.every() if not route.is_rest and _is_shown(route.name)}


def _is_shown(route: str) -> bool:
    return "GET" in matrix().get(route, {}) and route not in NO_PAGES


def crawl(base: str, reader: str, cookies: Mapping[str, str], begin: Iterable[str]) -> Crawl:
    """Follow every link, from these addresses on, as somebody whose browser holds these cookies."""
    found = Crawl()
    waiting = deque((path, "") for path in begin)
    seen: set[str] = set()
    alike: Counter[tuple[str, ...]] = Counter()
    with httpx.Client(base_url=base, cookies=dict(cookies), timeout=20) as client:
        while waiting:
            path, linked_from = waiting.popleft()
            kind = _kind(path)
            is_enough = alike[kind] >= ALIKE or alike[kind[:1]] >= OF_ROUTE
            if path in seen or (linked_from and kind[0] and is_enough):
                continue
            seen.add(path)
            alike.update({kind, kind[:1]})
            visit = _visited(client, path, linked_from, kind[0], reader)
            found.visits.append(visit)
            targets = visit.markup.links if visit.markup else []
            if "location" in visit.headers:
                targets = [visit.headers["location"]]
            waiting.extend((leads, path) for target in targets if (leads := _local(base, path, target)))
    return found


def headers_missing(visit: Visit) -> list[str]:
    return [name for name in SECURITY_HEADERS if not visit.headers.get(name)]


def _visited(client: httpx.Client, path: str, linked_from: str, route: str, reader: str) -> Visit:
    answer = client.get(path)
    is_shown = "attachment" not in answer.headers.get("content-disposition", "")
    is_html = is_shown and answer.headers.get("content-type", "").startswith("text/html")
    return Visit(
        path=path,
        reader=reader,
        route=route,
        linked_from=linked_from,
        status=answer.status_code,
        headers=answer.headers,
        size=len(answer.content),
        markup=markup.read(answer.text) if is_html else None,
    )


def _local(base: str, at: str, target: str) -> str:
    """Where a link leads within the house; "" where it leads out of it, or to a place on the page."""
    whole = urlsplit(urljoin(base + at, target))
    if f"{whole.scheme}://{whole.netloc}" != base or target.startswith("#"):
        return ""
    return whole._replace(scheme="", netloc="", fragment="").geturl()


def _kind(path: str) -> tuple[str, ...]:
    """Addresses of one kind have one route, and one set of words in their query."""
    parts = urlsplit(path)
    try:
        route = resolve(parts.path).view_name
    except Resolver404:
        route = ""
    return (route, *sorted({name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}))
