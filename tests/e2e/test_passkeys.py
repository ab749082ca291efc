"""Passkeys in a real browser, with an authenticator that the browser itself plays."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.installation import Installation

pytestmark = pytest.mark.e2e


@pytest.fixture
def page(browser: Browser, burnline: Installation) -> Iterator[Page]:
    """A browser at http://localhost, where passkeys work, with a phone's authenticator."""
    context = browser.new_context(base_url=burnline.url.replace("127.0.0.1", "localhost"))
    page = context.new_page()
    devtools = context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    yield page
    context.close()


def test_a_passkey_is_added_then_signs_in_alone_and_as_the_second_factor(page: Page, burnline: Installation) -> None:
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)

    page.goto("/account/second-factor/passkey/")
    by_password(page, burnline)
    page.get_by_label("Name").fill("My phone 📱")
    page.get_by_role("button", name="Make the passkey").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    kept = download.value.path().read_text().split("\n")
    assert len([line for line in kept if line.count("-") == 4]) == 10
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_text("My phone 📱")).to_be_visible()

    sign_out(page)
    page.goto("/sign-in/?next=/account/sessions/")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("table")).to_be_visible()

    sign_out(page)
    page.goto("/sign-in/?next=/account/sessions/")
    by_password(page, burnline)
    expect(page.get_by_role("heading", name="Second factor")).to_be_visible()
    page.get_by_role("button", name="Use your passkey").click()
    expect(page.get_by_role("table")).to_be_visible()

    page.goto("/account/confirm/?next=/account/second-factor/")
    page.get_by_role("button", name="Use your passkey").click()
    page.get_by_role("link", name="Remove My phone 📱").click()
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_text("My phone 📱")).to_have_count(0)

    assert not faults


def test_where_passkeys_cannot_work_the_page_says_so(browser: Browser, burnline: Installation) -> None:
    page = browser.new_page(base_url=burnline.url)
    page.goto("/account/second-factor/passkey/")
    by_password(page, burnline)

    expect(page.get_by_text("Passkeys do not work here")).to_be_visible()
    expect(page.get_by_role("button", name="Make the passkey")).to_be_hidden()
    page.close()


def by_password(page: Page, burnline: Installation) -> None:
    page.get_by_label("E-mail").fill(burnline.email)
    page.get_by_label("Password").fill(burnline.password)
    page.get_by_role("button", name="Sign in").click()


def sign_out(page: Page) -> None:
    page.context.clear_cookies()
