"""Text that means harm, planted wherever one can write, stays text on every page that a browser shows."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Dialog

from tests.e2e import crawl
from tests.e2e.conftest import crawled
from tests.e2e.crawl import Crawl
from tests.e2e.house import House
from tests.e2e.inspection import ASKED_WITHIN, DESK, LISTENING
from tests.e2e.installation import Server
from tests.e2e.planted import MARK

pytestmark = pytest.mark.e2e

# To these there is no way by a link alone, and they show nothing that anybody but their reader wrote.
OUT_OF_THE_WAY = {"sign-in-code", "password-set", "second-factor-remove", "route-try"}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    opened = House(Server(tmp_path_factory.mktemp("planted")))
    try:
        opened.open()
        opened.plant()
        yield opened
    finally:
        opened.close()


@pytest.fixture(scope="module")
def found(planted: House) -> Crawl:
    return crawled(planted, "admin") + crawl.crawl(planted.url, "nobody", {}, planted.unlinked)


def test_nothing_that_is_written_anywhere_runs_or_becomes_a_part_of_a_page(
    planted: House, found: Crawl, browser: Browser
) -> None:
    wrong: list[str] = []

    def asked(dialog: Dialog) -> None:
        wrong.append(f"{dialog.page and dialog.page.url}: a dialog: {dialog.message}")
        dialog.dismiss()

    for reader, cookies in planted.readers.items():
        context = browser.new_context(**DESK)
        context.add_init_script(LISTENING)
        context.add_cookies([{"name": name, "value": value, "url": planted.url} for name, value in cookies.items()])
        page = context.new_page()
        page.on("dialog", asked)
        for path in sorted({visit.path for visit in found.pages if visit.reader == reader}):
            page.goto(planted.url + path, wait_until="load")
            page.evaluate(ASKED_WITHIN)
            page.evaluate("inspection.unfold()")
            for asking in ("policyBroken", "inspection.forbidden()", f"inspection.escaped({MARK!r})"):
                wrong += [f"{path}: {each}" for each in page.evaluate(asking)]
        context.close()

    assert not wrong, "\n".join(wrong[:60])


def test_every_page_was_looked_at_and_shows_it_as_text(planted: House, found: Crawl) -> None:
    assert crawl.page_routes() - {visit.route for visit in found.visits} - OUT_OF_THE_WAY == set()

    with httpx.Client(base_url=planted.url, cookies=planted.readers["admin"], timeout=20) as client:
        assert f"&lt;i {MARK}&gt;" in client.get("/incidents/").text


def test_nothing_of_it_is_a_part_of_a_page_that_is_saved(planted: House, found: Crawl) -> None:
    saved = [visit for visit in found.visits if "export" in visit.path and visit.reader == "admin"]
    assert saved

    with httpx.Client(base_url=planted.url, cookies=planted.readers["admin"], timeout=20) as client:
        html = [answer.text for visit in saved if "html" in (answer := client.get(visit.path)).headers["content-type"]]
    assert html
    assert not [text for text in html if any(tag in text for tag in (f"<i {MARK}", f"<script {MARK}", f"<img {MARK}"))]
