"""Whoever follows the links, from the front door on, meets no dead end, and nothing that the policy would drop."""

from __future__ import annotations

import pytest

from tests.e2e import crawl
from tests.e2e.crawl import Crawl, Visit

pytestmark = pytest.mark.e2e

REFUSED = {"/nowhere/": 404, "/answer/nonsense/": 404}  # pages too, which must look right


@pytest.fixture(params=["furnished", "empty"])
def found(request: pytest.FixtureRequest) -> Crawl:
    """What the crawl met, in a house where much has happened, and in a new one."""
    crawled: Crawl = request.getfixturevalue(f"crawl_of_{request.param}_house")
    return crawled


def test_every_page_is_found(crawl_of_furnished_house: Crawl) -> None:
    """One that no other links to needs an address in tests/e2e/past.py."""
    assert crawl.page_routes() - {visit.route for visit in crawl_of_furnished_house.visits} == set()


def test_no_link_is_dead(found: Crawl) -> None:
    dead = [visit for visit in found.visits if visit.status >= 400 and REFUSED.get(visit.path) != visit.status]

    nothing_in({visit: [str(visit.status)] for visit in dead})


def test_no_page_holds_an_inline_style_script_or_handler(found: Crawl) -> None:
    nothing_in({page: page.markup.forbidden for page in found.pages if page.markup})


def test_every_answer_carries_the_policy(found: Crawl) -> None:
    nothing_in({visit: crawl.headers_missing(visit) for visit in found.visits})


def test_every_page_says_its_language_its_title_and_one_heading(found: Crawl) -> None:
    wrong: dict[Visit, list[str]] = {}
    for page in found.pages:
        assert page.markup
        wrong[page] = [
            *([] if page.markup.lang else ["no language"]),
            *([] if page.markup.title.strip(" ·") else ["no title"]),
            *([] if page.markup.headings == 1 else [f"{page.markup.headings} headings of the first level"]),
        ]

    nothing_in(wrong)


def nothing_in(faults: dict[Visit, list[str]]) -> None:
    """Else for each page what is wrong with it, and where it was linked from."""
    told = [
        f"{visit.path} (from {visit.linked_from or 'the start'}): {'; '.join(what)}"
        for visit, what in faults.items()
        if what
    ]
    if told:
        pytest.fail("\n".join(told), pytrace=False)
