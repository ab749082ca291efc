"""Every page on a desk and on a phone, light and dark, for who wants to see what there is: `make screenshots`.

With BURNLINE_SCREENSHOTS set to a folder, each route's fullest page is photographed into it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.e2e import crawl
from tests.e2e.crawl import Crawl, Visit
from tests.e2e.house import House
from tests.e2e.inspection import ASKED_WITHIN, DESK, PHONE, SCHEMES

PHOTOGRAPHS = os.environ.get("BURNLINE_SCREENSHOTS")
DEVICES: dict[int, dict[str, Any]] = {1280: DESK, 360: PHONE}
HIGHEST = 1300
OF_THE_SAME_FORM = {
    "action-item-new",
    "model-new",
    "saved-view-new",
    "service-new",
    "slo-new",
    "team-new",
    "person-new",
}

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not PHOTOGRAPHS, reason="make screenshots says where the pictures go"),
]


def test_every_page_is_photographed(furnished: House, crawl_of_furnished_house: Crawl, browser: Browser) -> None:
    folder = Path(PHOTOGRAPHS or "")
    pages = fullest(crawl_of_furnished_house)

    for width in DEVICES:
        for name, page in opened(furnished, pages, browser, width):
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                photograph(page, folder / f"{name}-{width}-{scheme}.png")
    (folder / "README.md").write_text(index(pages))

    shown = {page.route for page in crawl_of_furnished_house.pages} & crawl.page_routes()
    assert shown - OF_THE_SAME_FORM <= pages.keys()


def fullest(found: Crawl) -> dict[str, Visit]:
    """By its route, the longest page; without forms that another page shows filled in."""
    chosen: dict[str, Visit] = {}
    for page in found.representatives():
        if page.route in OF_THE_SAME_FORM:
            continue
        chosen.setdefault(page.route or "not-found", page)
    return chosen


def opened(house: House, pages: dict[str, Visit], browser: Browser, width: int) -> Iterator[tuple[str, Page]]:
    contexts: dict[str, BrowserContext] = {}
    for name, visit in pages.items():
        if visit.reader not in contexts:
            context = browser.new_context(**DEVICES[width], locale="en-GB", timezone_id="Europe/Berlin")
            cookies = house.readers[visit.reader].items()
            context.add_cookies([{"name": each, "value": value, "url": house.url} for each, value in cookies])
            contexts[visit.reader] = context
        page = contexts[visit.reader].new_page()
        page.goto(house.url + visit.path, wait_until="load", timeout=90_000)
        page.evaluate(ASKED_WITHIN)
        page.evaluate("inspection.arriveAtOnce()")
        yield name, page
        page.close()
    for context in contexts.values():
        context.close()


def photograph(page: Page, path: Path) -> None:
    """What a phone shows at once, for there a bar lies at the foot; on a desk, of a higher screen, what is further down
    too."""
    width, seen, all_of_it = page.evaluate("[innerWidth, innerHeight, document.documentElement.scrollHeight]")
    if width == DESK["viewport"]["width"]:
        page.set_viewport_size({"width": width, "height": max(seen, min(all_of_it, HIGHEST))})
    page.screenshot(path=path, animations="disabled", timeout=60_000)


def index(pages: dict[str, Visit]) -> str:
    """Which picture shows what."""
    views = [(width, scheme) for width in DEVICES for scheme in SCHEMES]
    lines = [
        "# Every page",
        "",
        "Made by `make screenshots`, of a house where much has happened, long names among it. Each page on a desk",
        f"and on a phone, light and dark; on a desk {HIGHEST} pixels at most. 1-list to 6-written, and",
        "incident-, are of the main path that the product's README tells.",
        "",
        "| page | " + " | ".join(f"{width}, {scheme}" for width, scheme in views) + " |",
        "|---" * (len(views) + 1) + "|",
    ]
    for name in sorted(pages):
        pictures = [f"[{width}]({name}-{width}-{scheme}.png)" for width, scheme in views]
        lines.append(f"| {name} | " + " | ".join(pictures) + " |")
    return "\n".join(lines) + "\n"
