"""Every page in a real browser can be read and pressed by anyone, on a desk and on a phone, light and dark."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.e2e.crawl import Crawl
from tests.e2e.house import House
from tests.e2e.inspection import Inspector

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def faults(
    house: House, browser: Browser, crawl_of_furnished_house: Crawl
) -> Iterator[dict[str, dict[str, list[str]]]]:
    """What is wrong with the pages, by kind: with the longest of each route in every state, and with the shortest."""
    inspector = Inspector(browser, house.url, house.readers)
    longest: set[str] = set()
    for page in crawl_of_furnished_house.representatives():
        inspector.inspect(page.path, page.reader, in_every_state=page.route not in longest)
        longest.add(page.route)
    yield inspector.faults
    inspector.close()


def test_axe_finds_nothing_in_light_and_dark_on_a_desk_and_on_a_phone(faults: dict[str, dict[str, list[str]]]) -> None:
    nothing_in(faults["axe"])


def test_what_is_hovered_or_focused_can_be_read(faults: dict[str, dict[str, list[str]]]) -> None:
    nothing_in(faults["states"])


def test_no_script_leaves_an_inline_style_script_or_handler(faults: dict[str, dict[str, list[str]]]) -> None:
    nothing_in(faults["inline"])


def test_no_page_breaks_the_policy(faults: dict[str, dict[str, list[str]]]) -> None:
    nothing_in(faults["policy"])


def test_no_page_says_an_error_to_the_console_or_lacks_a_file(faults: dict[str, dict[str, list[str]]]) -> None:
    nothing_in(faults["console"])


def test_no_page_is_wider_than_a_phone(faults: dict[str, dict[str, list[str]]]) -> None:
    nothing_in(faults["wide"])


def test_everything_is_large_enough_for_a_finger(faults: dict[str, dict[str, list[str]]]) -> None:
    nothing_in(faults["small"])


def nothing_in(faults: dict[str, list[str]]) -> None:
    if faults:
        pytest.fail(
            "\n".join(f"{where}\n    " + "\n    ".join(what[:12]) for where, what in faults.items()), pytrace=False
        )
