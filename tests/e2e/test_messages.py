"""From a contact method to an answer at night: a real browser, the real engine, and a provider on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests import providers
from tests.e2e.installation import Installation, Server, wait_for

EMAIL, PASSWORD = "alice@example.com", "correct horse battery staple"
DESK, PHONE = ViewportSize(width=1280, height=800), ViewportSize(width=360, height=740)

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def provider() -> Iterator[providers.HttpProvider]:
    with providers.http() as provider:
        yield provider


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("burnline"))
    try:
        started.start(BURNLINE_PRIVATE_NETWORKS="127.0.0.0/8")
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="module")
def rest(burnline: Installation) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {burnline.api_token}"}
    with httpx.Client(base_url=f"{burnline.url}/api/v1", headers=headers) as client:
        yield client


def test_a_method_is_added_and_its_test_shows_within_seconds(
    browser: Browser, burnline: Installation, provider: providers.HttpProvider
) -> None:
    admin = signed_in(browser, burnline, burnline.email, burnline.password)
    admin.goto(f"{burnline.url}/settings/people/new/")
    for name, value in (("name", "Alice"), ("email", EMAIL)):
        admin.locator(f"[name={name}]").fill(value)
    admin.locator("[name=is_admin]").check()
    admin.get_by_role("button", name="Invite").click()

    page = browser.new_context(viewport=DESK).new_page()
    page.goto(admin.locator("code.secret").inner_text())
    page.locator("[name=new_password]").fill(PASSWORD)
    page.locator("[name=new_password]").press("Enter")
    expect(page.locator("[name=new_password]")).to_have_count(0)
    page.goto(f"{burnline.url}/account/")
    page.get_by_role("main").get_by_role("link", name="Contact methods").last.click()
    expect(page.get_by_text("Nothing can reach you")).to_be_visible()

    page.get_by_role("link", name="Slack or Mattermost").click()
    page.get_by_label("Webhook URL").fill(provider.url("/services/T1/B1/secret"))
    page.get_by_label("Label").fill("On my phone")
    page.get_by_role("button", name="Add it").click()
    page.get_by_role("button", name="Send a test").click()

    expect(page.get_by_text("The test was taken")).to_be_visible(timeout=20_000)
    assert "this is a test" in provider.requests[-1].json["text"]
    assert "secret" not in page.content()


def test_who_is_asked_answers_by_the_link_on_a_phone_without_script_or_sign_in(
    browser: Browser, rest: httpx.Client, provider: providers.HttpProvider
) -> None:
    provider.requests.clear()
    incident = rest.post("/incidents/", json={"title": "Checkout fails for one card in three", "severity": "sev1"})
    number = incident.json()["number"]
    user = next(user for user in rest.get("/users/").json()["results"] if user["name"] == "Alice")
    rest.post(f"/incidents/{number}/responders/", json={"user": user["id"]})
    wait_for(lambda: bool(provider.requests), 20)
    buttons = provider.requests[0].json["blocks"][-1]["elements"]
    link = next(button["url"] for button in buttons if button["text"]["text"] == "I'm in")
    assert urlsplit(link).path.startswith("/answer/")

    context = browser.new_context(viewport=PHONE, java_script_enabled=False)
    page = context.new_page()
    page.goto(link)
    expect(page.get_by_role("heading", name="Checkout fails for one card in three")).to_be_visible()
    assert state(rest, number) == "asked"
    page.get_by_role("button", name="Acknowledge").click()

    expect(page.get_by_text("You are in since")).to_be_visible()
    assert state(rest, number) == "joined"
    assert context.cookies() == []
    kinds = [entry["kind"] for entry in rest.get(f"/incidents/{number}/timeline/").json()["results"]]
    assert kinds.count("notified") == 1


def test_the_page_of_a_message_shows_by_itself_that_it_arrived(
    browser: Browser, burnline: Installation, rest: httpx.Client, provider: providers.HttpProvider
) -> None:
    provider.behave(providers.status(500), providers.status(500), providers.fine)
    incident = rest.post("/incidents/", json={"title": "Payouts are late", "severity": "sev2"}).json()
    user = next(user for user in rest.get("/users/").json()["results"] if user["name"] == "Alice")
    rest.post(f"/incidents/{incident['number']}/responders/", json={"user": user["id"]})

    page = signed_in(browser, burnline, burnline.email, burnline.password)
    page.goto(f"{burnline.url}/settings/messages/")
    page.get_by_role("link", name="Payouts are late").click()
    expect(page.get_by_role("main").get_by_text("On its way")).to_be_visible()

    expect(page.get_by_text("Delivered", exact=True)).to_be_visible(timeout=40_000)
    expect(page.locator("[hx-trigger='every 2s']")).to_have_count(0)
    expect(page.get_by_role("link", name="Messages").first).to_be_visible()


def signed_in(browser: Browser, burnline: Installation, email: str, password: str) -> Page:
    page = browser.new_context(viewport=DESK).new_page()
    page.goto(f"{burnline.url}/sign-in/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Sign in")).to_have_count(0)
    return page


def state(rest: httpx.Client, number: int) -> str:
    [responder] = rest.get(f"/incidents/{number}/responders/").json()["results"]
    return str(responder["state"])
