"""Every page can be used by keyboard alone: Tab comes to all that can be pressed and is seen there, menus and dialogs
open and close, and an incident is taken from its declaration to its postmortem."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.e2e.crawl import Crawl
from tests.e2e.house import House
from tests.e2e.inspection import ASKED_WITHIN, DESK
from tests.e2e.installation import Installation
from tests.e2e.test_whole_path import declare

pytestmark = pytest.mark.e2e

KEYBOARD = (Path(__file__).parent / "keyboard.js").read_text()
MOST = 120  # stops on one page, where there is a shorter one of the same kind
WITH_BARS = {"incident-list", "incident-detail", "postmortem-detail"}  # that stay while the page moves: also backwards
Faults = dict[str, dict[str, list[str]]]


@pytest.fixture(scope="module")
def walked(furnished: House, crawl_of_furnished_house: Crawl, browser: Browser) -> Faults:
    """What Tab did not come to, where it was not to be seen, where something lay above it, and where it never came out
    again, by page: of each route the longest that is not too long, else the shortest."""
    faults: Faults = {"missed": {}, "unseen": {}, "covered": {}, "trapped": {}}
    contexts = {reader: _context(browser, furnished, reader) for reader in furnished.readers}
    for context in contexts.values():  # what the engine tells meanwhile would move a page under way
        context.route(
            re.compile(r"/js/live\.[^/]*js$"), lambda route: route.fulfill(content_type="text/javascript", body="")
        )
    pages = crawl_of_furnished_house.representatives()
    last = {visit.route: visit for visit in pages}
    done: set[str] = set()
    for visit in pages:
        if visit.route in done:
            continue
        page = contexts[visit.reader].new_page()
        page.goto(furnished.url + visit.path, wait_until="load", timeout=90_000)
        page.evaluate(ASKED_WITHIN)
        page.evaluate("inspection.arriveAtOnce(); document.activeElement.blur()")
        page.evaluate(KEYBOARD)
        most = page.evaluate("keyboard.most")
        if most <= MOST or visit is last[visit.route]:
            done.add(visit.route)
            if not _walk(page, "Tab", most):
                faults["trapped"][visit.path] = [page.evaluate("document.activeElement.outerHTML")]
            if visit.route in WITH_BARS:
                _walk(page, "Shift+Tab", most)
            for kind in ("missed", "unseen", "covered"):
                faults[kind][visit.path] = page.evaluate(f"keyboard.{kind}()")
        page.close()
    for context in contexts.values():
        context.close()
    return faults


def test_tab_leaves_every_page_again(walked: Faults) -> None:
    assert len(walked["missed"]) > 50
    nothing_in(walked["trapped"])


def test_tab_comes_to_everything_that_can_be_pressed(walked: Faults) -> None:
    nothing_in(walked["missed"])


def test_what_has_the_focus_is_seen_to_have_it(walked: Faults) -> None:
    nothing_in(walked["unseen"])


def test_nothing_lies_above_what_has_the_focus(walked: Faults) -> None:
    nothing_in(walked["covered"])


@pytest.fixture
def desk(furnished: House, browser: Browser) -> Iterator[Page]:
    context = _context(browser, furnished, "admin")
    yield context.new_page()
    context.close()


def test_the_first_stop_leads_past_the_frame(furnished: House, desk: Page) -> None:
    desk.goto(f"{furnished.url}/incidents/")
    desk.keyboard.press("Tab")
    assert desk.evaluate("document.activeElement.matches('.skip-link')")

    desk.keyboard.press("Enter")
    desk.keyboard.press("Tab")

    assert desk.evaluate("document.activeElement.closest('main') !== null")


def test_menus_open_and_close_and_give_the_focus_back(furnished: House, desk: Page) -> None:
    desk.goto(f"{furnished.url}/incidents/1/")
    menus = desk.locator("details.menu > summary:visible")
    assert menus.count() > 1

    for menu in menus.all():
        menu.focus()
        desk.keyboard.press("Enter")
        assert menu.evaluate("summary => summary.parentElement.open")
        desk.keyboard.press("Tab")
        assert menu.evaluate("summary => summary.parentElement.contains(document.activeElement)")
        desk.keyboard.press("Escape")
        assert not menu.evaluate("summary => summary.parentElement.open")
        assert menu.evaluate("summary => summary === document.activeElement")


def test_the_list_of_keys_opens_and_closes_and_gives_the_focus_back(furnished: House, desk: Page) -> None:
    desk.goto(f"{furnished.url}/incidents/")
    desk.keyboard.press("j")
    opens_and_gives_back(desk, "?", "dialog#keys")


def test_a_question_gives_the_focus_back_to_what_was_pressed(furnished: House, desk: Page) -> None:
    desk.goto(f"{furnished.url}/settings/tokens/")
    to(desk, "button[data-confirm], form[data-confirm] button")
    opens_and_gives_back(desk, "Space", "dialog#confirm")


def opens_and_gives_back(desk: Page, key: str, dialog: str) -> None:
    before = desk.evaluate("document.activeElement.outerHTML")
    desk.keyboard.press(key)
    expect(desk.locator(dialog)).to_be_visible()

    desk.keyboard.press("Escape")

    expect(desk.locator(dialog)).to_be_hidden()
    assert desk.evaluate("document.activeElement.outerHTML") == before


@pytest.fixture
def page(burnline: Installation, browser: Browser) -> Iterator[Page]:
    """Somebody who has just signed in, without a mouse."""
    context = browser.new_context(**DESK)
    page = context.new_page()
    page.goto(f"{burnline.url}/sign-in/")
    if page.evaluate("document.activeElement.type") != "email":
        to(page, "input[type=email]")
    page.keyboard.type(burnline.email)
    to(page, "input[type=password]")
    page.keyboard.type(burnline.password)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/(incidents|first-steps)/"))
    yield page
    context.close()


def test_an_incident_from_the_list_to_its_postmortem_by_the_products_keys(burnline: Installation, page: Page) -> None:
    for title in ("Checkout answers 502", "Queue grows", "Labels are late"):
        declare(burnline, title)
    keys = page.keyboard
    keys.press("g")
    keys.press("i")
    expect(page.locator("[data-list] tr")).to_have_count(3)
    for key in "jjk":
        keys.press(key)
    title = page.evaluate("document.activeElement.closest('tr').querySelector('.what a').textContent").strip()
    keys.press("x")
    expect(page.locator("[data-pick]:checked")).to_have_count(1)
    keys.press("x")
    keys.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text(title)

    keys.press("a")
    expect(page.get_by_role("button", name="Mitigated").first).to_be_visible()
    keys.press("n")
    keys.type("The load balancer has lost a zone.")
    keys.press("Control+Enter")
    expect(page.locator(".timeline").first).to_contain_text("has lost a zone")
    keys.press("Escape")
    keys.press("m")
    expect(page.get_by_role("link", name=re.compile("^Resolve")).first).to_be_visible()
    keys.press("r")
    expect(page).to_have_url(re.compile("/resolve/"))
    to(page, "main button[type=submit]")
    keys.press("Enter")
    to(page, "button", words="postmortem")
    keys.press("Enter")
    expect(page).to_have_url(re.compile(r"/postmortems/\d+/"))

    to(page, "main a[href*='/sections/trigger/']")
    keys.press("Enter")
    to(page, "textarea[name=markdown]")
    keys.press("Control+a")
    keys.type("A health check that ")
    keys.press("Control+b")
    keys.type("asks")
    for key in ("ArrowRight", "ArrowRight"):
        keys.press(key)
    keys.type(" each zone.")
    expect(page.locator("#preview strong", has_text="asks")).to_be_visible()
    keys.press("Shift+Tab")
    keys.press("Shift+Tab")
    keys.press("Shift+Tab")
    assert page.evaluate("document.activeElement.dataset.format") == "list"
    keys.press("Enter")
    expect(page.locator("#preview li strong", has_text="asks")).to_be_visible()
    to(page, "main button[type=submit]", words="Save")
    keys.press("Enter")
    expect(page.locator("main strong", has_text="asks").first).to_be_visible()


def test_an_incident_is_declared_and_another_taken_with_tab_and_space(burnline: Installation, page: Page) -> None:
    title = "A partition is full"
    number = declare(burnline, title)
    keys = page.keyboard
    keys.press("c")
    to(page, "input[name=title]")
    keys.type("Disk is full")
    keys.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Disk is full")

    to(page, ".rail a[href='/incidents/']")
    keys.press("Enter")
    to(page, f"#incident-{number} button[data-key=a]")
    keys.press("Space")

    expect(page.get_by_role("heading", level=1)).to_contain_text(title)
    expect(page.get_by_role("button", name="Mitigated").first).to_be_visible()


def test_somebody_is_invited_with_tab_and_enter(page: Page) -> None:
    keys = page.keyboard
    to(page, ".rail a[href^='/settings/']")
    keys.press("Enter")
    to(page, "a[href='/settings/people/new/']")
    keys.press("Enter")
    to(page, "input[name=name]")
    keys.type("Kim Keys")
    to(page, "input[name=email]")
    keys.type("kim@example.com")
    keys.press("Enter")
    expect(page.get_by_text("Kim Keys").first).to_be_visible()


def to(page: Page, selector: str, *, words: str = "", most: int = 150) -> None:
    """Press Tab until the focus is on something of this kind, that has these words in it."""
    page.wait_for_selector(selector, state="attached")
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate(
            "([selector, words]) => document.activeElement.matches(selector)"
            " && document.activeElement.textContent.toLowerCase().includes(words.toLowerCase())",
            [selector, words],
        ):
            return
    pytest.fail(f"{most} times Tab do not lead to {selector} {words} on {page.url}")


def _walk(page: Page, key: str, most: int) -> bool:
    """Whether the focus has been everywhere and has left the page again."""
    for _ in range(2 * most):  # it may begin in the middle
        page.keyboard.press(key)
        if page.evaluate("keyboard.here()"):
            return True
    return False


def _context(browser: Browser, house: House, reader: str) -> BrowserContext:
    context = browser.new_context(**DESK, locale="en-GB", timezone_id="Europe/Berlin")
    cookies = house.readers[reader].items()
    context.add_cookies([{"name": each, "value": value, "url": house.url} for each, value in cookies])
    return context


def nothing_in(faults: dict[str, list[str]]) -> None:
    told = [f"{where}\n    " + "\n    ".join(what[:12]) for where, what in faults.items() if what]
    if told:
        pytest.fail("\n".join(told), pytrace=False)
