"""What is typed at night is not lost, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.installation import Installation

THOUGHT = "Hold the canary at 25%, do not promote"

pytestmark = pytest.mark.e2e


@pytest.fixture
def page(browser: Browser, burnline: Installation) -> Iterator[Page]:
    """Signed in, on the page of an incident."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{burnline.url}/incidents/new/")
    sign_in(page, burnline)
    page.get_by_label("Title").fill("Checkout is slow")
    page.get_by_role("button", name="Declare", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Checkout is slow")
    yield page
    context.close()


def test_a_note_outlives_the_session_that_ended_while_it_was_typed(page: Page, burnline: Installation) -> None:
    incident = page.url
    page.get_by_label("New entry").fill(THOUGHT)
    page.get_by_text("Decision", exact=True).click()
    page.context.clear_cookies(name="burnline")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("nothing was changed")).to_be_visible()

    sign_in(page, burnline)

    expect(page).to_have_url(incident)
    expect(page.get_by_label("New entry")).to_have_value(THOUGHT)
    expect(page.get_by_label("Decision")).to_be_checked()
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("region", name="Timeline").get_by_text(THOUGHT)).to_have_count(1)
    expect(page.get_by_label("New entry")).to_have_value("")


def test_a_note_outlives_a_look_at_another_page_but_not_signing_out(page: Page, burnline: Installation) -> None:
    incident = page.url
    page.get_by_label("New entry").fill(THOUGHT)
    page.get_by_role("link", name="Alerts").first.click()
    page.goto(incident)
    expect(page.get_by_label("New entry")).to_have_value(THOUGHT)

    page.locator(".topbar summary[aria-label^='Account of']").click()
    page.get_by_role("button", name="Sign out").first.click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto(incident)
    sign_in(page, burnline)

    expect(page.get_by_label("New entry")).to_have_value("")


def sign_in(page: Page, burnline: Installation) -> None:
    page.get_by_label("E-mail").fill(burnline.email)
    page.get_by_label("Password").fill(burnline.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Sign in")).to_have_count(0)
