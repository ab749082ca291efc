"""The frame in a real browser: theme, keys, dialogs, toasts, the menu of a phone; with a script and without."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.e2e.installation import Installation

pytestmark = pytest.mark.e2e

DESK, PHONE = {"width": 1280, "height": 800}, {"width": 360, "height": 740}


def signed_in(browser: Browser, burnline: Installation, width: str = "desk", **options: object) -> BrowserContext:
    context = browser.new_context(viewport=PHONE if width == "phone" else DESK, **options)  # type: ignore[arg-type]
    context.set_default_timeout(20_000)
    page = context.new_page()
    page.goto(f"{burnline.url}/sign-in/")
    page.get_by_label("E-mail").fill(burnline.email)
    page.locator("input[type=password]").fill(burnline.password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(lambda url: "/sign-in/" not in url)
    page.close()
    return context


@pytest.fixture(scope="module")
def desk(browser: Browser, burnline: Installation) -> Iterator[Page]:
    context = signed_in(browser, burnline)
    yield context.new_page()
    context.close()


def test_a_theme_is_shown_at_once_and_is_there_before_the_next_page_is_painted(
    desk: Page, burnline: Installation
) -> None:
    desk.goto(f"{burnline.url}/styleguide/")

    desk.locator(".menu.me > summary").click()
    with desk.expect_response("**/preferences/theme/"):
        desk.get_by_role("button", name="Dark").click()

    assert desk.locator("html").get_attribute("data-bs-theme") == "dark"
    assert 'data-bs-theme="dark"' in desk.request.get(f"{burnline.url}/styleguide/").text().split(">")[1]
    expect(desk.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")


def test_keys_go_search_and_move_but_not_inside_fields(desk: Page, burnline: Installation) -> None:
    desk.goto(f"{burnline.url}/styleguide/")

    desk.keyboard.press("j")
    desk.keyboard.press("j")
    expect(desk.locator("[data-list] > :nth-child(2) a")).to_be_focused()
    desk.keyboard.press("x")
    expect(desk.locator("[data-list] > :nth-child(2) input")).to_be_checked()
    desk.keyboard.press("/")
    field = desk.get_by_role("searchbox", name="Search incidents")
    expect(field).to_be_focused()
    desk.keyboard.type("g s ?")
    expect(field).to_have_value("g s ?")
    desk.keyboard.press("Escape")
    expect(field).not_to_be_focused()
    desk.keyboard.press("g")
    desk.keyboard.press("s")
    desk.wait_for_url("**/slos/")


def test_the_keys_are_listed_and_what_is_declared_on_the_page_is_among_them(desk: Page, burnline: Installation) -> None:
    desk.goto(f"{burnline.url}/styleguide/")

    desk.keyboard.press("?")

    dialog = desk.get_by_role("dialog", name="Keyboard")
    expect(dialog).to_contain_text("Show how keys are declared")
    desk.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_what_cannot_be_undone_is_asked_for_with_its_consequence(desk: Page, burnline: Installation) -> None:
    desk.goto(f"{burnline.url}/styleguide/")
    sent: list[str] = []
    desk.on("request", lambda request: sent.append(request.method) if request.method == "POST" else None)

    desk.get_by_role("button", name="Revoke…").click()
    question = desk.get_by_role("dialog", name="The token stops working at once")
    question.get_by_role("button", name="Cancel").click()
    assert sent == []
    desk.get_by_role("button", name="Revoke…").click()
    with desk.expect_navigation():
        question.get_by_role("button", name="Revoke it").click()

    assert sent == ["POST"]


def test_a_toast_waits_for_who_uses_no_pointer_and_z_undoes(desk: Page, burnline: Installation) -> None:
    desk.goto(f"{burnline.url}/styleguide/")
    desk.evaluate("() => document.querySelector('#example-undo button').click()")
    toast = desk.locator(".message.passing")

    expect(toast).to_contain_text("It is moved.")
    expect(desk.locator("#live-voice")).to_have_text("It is moved.")
    desk.wait_for_timeout(1200)
    expect(toast).to_be_visible()
    with desk.expect_request(lambda request: "move+back" in (request.post_data or "")):
        desk.keyboard.press("z")


def test_a_moment_is_written_in_utc_by_a_key(desk: Page, burnline: Installation) -> None:
    desk.goto(f"{burnline.url}/styleguide/")
    moment = desk.locator("#example-times time").first

    desk.keyboard.press("t")
    expect(moment).to_contain_text("UTC")
    desk.keyboard.press("t")
    expect(moment).not_to_contain_text("UTC")


def test_on_a_phone_the_menu_opens_without_a_script_and_nothing_is_wider_than_the_screen(
    browser: Browser, burnline: Installation
) -> None:
    context = signed_in(browser, burnline, "phone", java_script_enabled=False, has_touch=True)
    page = context.new_page()
    page.goto(f"{burnline.url}/styleguide/")

    page.get_by_role("button", name="Menu").click()
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()
    page.get_by_role("link", name="SLOs").first.click()
    page.wait_for_url("**/slos/")
    context.close()

    scripted = signed_in(browser, burnline, "phone", has_touch=True)
    page = scripted.new_page()
    page.goto(f"{burnline.url}/styleguide/")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    scripted.close()
