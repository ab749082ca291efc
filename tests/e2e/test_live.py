"""Pages that change by themselves, in a real browser: what others do appears, and what the reader does stays."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Request, Route, expect

from tests.e2e.installation import Installation, Server, found, wait_for

THOUGHT = "Hold the canary at 25%"
WITHIN = 4500  # milliseconds, and less than until a page asks by itself; how fast it is, a benchmark says
METRICS_TOKEN = "known-to-prometheus"

# What a tab that is put behind another sees; headless browsers show all of them.
HIDING = """
  let isHidden = false;
  Object.defineProperty(document, "hidden", { get: () => isHidden });
  Object.defineProperty(document, "visibilityState", { get: () => (isHidden ? "hidden" : "visible") });
  window.hide = (value) => { isHidden = value; document.dispatchEvent(new Event("visibilitychange")); };
"""

pytestmark = pytest.mark.e2e

Tabs = Callable[..., Page]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("burnline"))
    try:
        started.start(BURNLINE_METRICS_TOKEN=METRICS_TOKEN)
        yield started
    finally:
        started.stop()


@pytest.fixture
def tab(browser: Browser, burnline: Installation) -> Iterator[Tabs]:
    """`tab()` belongs to a browser in which somebody is signed in; nothing in it may throw or break the policy."""
    faults: list[str] = []
    opened: list[BrowserContext] = []

    def new(beside: Page | None = None, **settings: Any) -> Page:
        context = (
            beside.context
            if beside
            else browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **settings})
        )
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if "Content Security Policy" in said.text else None)
        if beside is None:
            opened.append(context)
            page.add_init_script(HIDING)
            sign_in(page, burnline)
        return page

    yield new
    for context in opened:
        context.close()
    assert faults == []


def test_the_list_waits_for_the_first_alert_and_shows_its_incident(tab: Tabs, burnline: Installation) -> None:
    page = tab()
    page.goto(f"{burnline.url}/incidents/")
    expect(light(page)).to_have_text("Live")
    expect(page.get_by_text("Waiting for the first alert")).to_be_visible()

    fire(burnline, "HighErrorRate", "Checkout fails for one card in three")

    expect(page.get_by_role("link", name="Checkout fails for one card in three")).to_be_visible(timeout=WITHIN)
    expect(page.get_by_text("Waiting for the first alert")).to_have_count(0)
    expect(page.locator("#live-voice")).to_have_text("1 new incident")


def test_a_note_of_one_appears_at_another_within_two_seconds_while_their_half_typed_text_stays(
    tab: Tabs, burnline: Installation
) -> None:
    url = declare(burnline, "Two are at it")
    alice, bob = tab(), tab()
    for page in (alice, bob):
        page.goto(url)
        expect(light(page)).to_have_text("Live")
    alice.get_by_text("Decision", exact=True).click()
    composer = alice.get_by_label("New entry")
    composer.press_sequentially(THOUGHT)
    composer.evaluate("field => field.setSelectionRange(5, 8)")

    bob.get_by_label("New entry").fill("I roll it back")
    bob.get_by_role("button", name="Add", exact=True).click()

    expect(timeline(alice).get_by_text("I roll it back")).to_be_visible(timeout=WITHIN)
    assert composer.input_value() == THOUGHT
    assert composer.evaluate(
        "field => [document.activeElement === field, field.selectionStart, field.selectionEnd]"
    ) == [True, 5, 8]
    expect(alice.get_by_label("Decision")).to_be_checked()
    expect(alice.locator("#live-voice")).to_have_text("1 new entry")
    composer.press_sequentially("!")
    assert composer.input_value() == "Hold ! canary at 25%"


def test_a_warning_to_all_comes_and_goes_without_loading_the_page_again(tab: Tabs, burnline: Installation) -> None:
    url = declare(burnline, "The engine stops meanwhile")
    page = tab()
    page.goto(url)
    expect(light(page)).to_have_text("Live")

    def warned(route: Route) -> None:
        html = route.fetch().text().replace('<div id="pulse">', '<div id="pulse"><p>The engine stopped</p>')
        route.fulfill(body=html, content_type="text/html")

    page.route(url, warned)
    note(burnline, url, "While it is stopped")
    expect(page.get_by_text("The engine stopped")).to_be_visible(timeout=WITHIN)

    page.unroute(url)
    note(burnline, url, "Once it is back")
    expect(timeline(page).get_by_text("Once it is back")).to_be_visible(timeout=2 * WITHIN)
    expect(page.get_by_text("The engine stopped")).to_have_count(0)


def test_what_is_unfolded_chosen_and_selected_stays(tab: Tabs, burnline: Installation) -> None:
    url = declare(burnline, "Much is open")
    note(burnline, url, "A first observation, to be quoted")
    page = tab()
    page.goto(url)
    people = page.get_by_role("region", name="People")
    people.get_by_role("link", name="Ask somebody").click()
    people.get_by_label("Role").select_option(label="Scribe")
    # What a form was begun upon goes with it.
    people.get_by_label("Role").evaluate("field => field.form.prepend(Object.assign(new Image(), { id: 'begun' }))")
    select(page.locator(".entry .prose p").first)

    [me] = ask(burnline, "GET", "users/")["results"]
    act(burnline, url, "responders/", {"user": me["id"]})
    note(burnline, url, "Something else")

    expect(people.locator(".person-row")).to_have_count(2, timeout=WITHIN)
    expect(timeline(page).get_by_text("Something else")).to_be_visible(timeout=WITHIN)
    expect(people.get_by_role("button", name="Ask them to come")).to_be_visible()
    assert people.get_by_label("Role").evaluate("field => field.selectedOptions[0].textContent") == "Scribe"
    expect(people.locator("#begun")).to_have_count(1)
    assert page.evaluate("getSelection().toString()") == "A first observation, to be quoted"


def test_who_reads_further_down_is_not_moved_by_what_arrives_above(tab: Tabs, burnline: Installation) -> None:
    url = declare(burnline, "A long night")
    for number in range(40):
        note(burnline, url, f"Step {number} of many")
    page = tab()
    page.goto(url)
    expect(light(page)).to_have_text("Live")
    read = timeline(page).get_by_text("Step 20 of many")
    read.evaluate("element => scrollTo(0, scrollY + element.getBoundingClientRect().top - 400)")
    before = top(read)

    for number in range(3):
        note(burnline, url, f"News {number}\n\nin more than one line")
    expect(timeline(page).get_by_text("News 2")).to_have_count(1, timeout=WITHIN)

    assert abs(top(read) - before) <= 1
    page.get_by_role("heading", name="Timeline").evaluate("element => element.scrollIntoView()")
    expect(timeline(page).get_by_text("News 0")).to_be_visible()


def test_a_button_in_focus_says_what_it_does_and_takes_no_click_meant_for_the_one_before(
    tab: Tabs, burnline: Installation
) -> None:
    url = declare(burnline, "Two take it at once")
    page = tab()
    page.goto(url)
    expect(light(page)).to_have_text("Live")
    page.locator(".on-a-desk").get_by_role("button", name="Acknowledge").focus()
    on_change = "new MutationObserver(() => document.querySelector('.on-a-desk button').click())"
    page.evaluate(
        f"{on_change}.observe(document.querySelector('#incident-head'), {{ childList: true, subtree: true }})"
    )

    act(burnline, url, "status/", {"status": "acknowledged"})

    expect(page.locator(".on-a-desk").get_by_role("button", name="Mitigated")).to_be_visible(timeout=WITHIN)
    page.wait_for_timeout(400)
    assert asked(burnline, url)["status"] == "acknowledged"
    page.wait_for_timeout(700)
    page.locator(".on-a-desk").get_by_role("button", name="Mitigated").click()
    expect(page.locator(".on-a-desk").get_by_role("link", name="Resolve")).to_be_visible()


def test_no_row_of_the_list_moves_under_a_pointer(tab: Tabs, burnline: Installation) -> None:
    declare(burnline, "The first of them")
    page = tab()
    page.goto(f"{burnline.url}/incidents/")
    expect(light(page)).to_have_text("Live")
    rows = page.locator("#incidents tbody tr")
    rows.first.hover()
    before = rows.all_inner_texts()

    declare(burnline, "More urgent than all others", severity="sev1")

    bar = page.get_by_role("button", name="1 change, show")
    expect(bar).to_be_visible(timeout=WITHIN)
    assert len(rows.all_inner_texts()) == len(before)
    bar.click()
    expect(rows.first).to_contain_text("More urgent than all others")
    expect(bar).to_be_hidden()

    rows.first.hover()
    declare(burnline, "As urgent, and later", severity="sev1")
    expect(bar).to_be_visible(timeout=WITHIN)
    page.mouse.move(5, 5)
    expect(page.get_by_role("link", name="As urgent, and later")).to_be_visible()


def test_no_row_moves_under_a_finger_until_it_has_been_away_for_a_while(tab: Tabs, burnline: Installation) -> None:
    declare(burnline, "Read on a phone")
    page = tab(viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True)
    page.goto(f"{burnline.url}/incidents/")
    expect(light(page)).to_have_text("Live")
    for name in ("touchstart", "touchend"):  # not a tap, which opens the incident
        page.locator("#incidents tbody tr .status").first.dispatch_event(name)

    declare(burnline, "Opened under a finger", severity="sev1")

    expect(page.get_by_role("button", name="1 change, show")).to_be_visible(timeout=WITHIN)
    expect(page.get_by_role("link", name="Opened under a finger")).to_have_count(0)
    expect(page.get_by_role("link", name="Opened under a finger")).to_be_visible()


def test_a_screen_reader_is_told_what_turns_and_not_what_it_finds(tab: Tabs, burnline: Installation) -> None:
    url = declare(burnline, "Heard, not seen")
    page = tab()
    page.goto(url)
    expect(light(page)).to_have_text("Live")
    page.wait_for_timeout(300)
    voice = page.locator("#live-voice")
    assert (voice.get_attribute("role"), voice.text_content()) == ("status", "")
    assert page.locator(".live-dot:not([aria-hidden=true])").count() == 0
    assert page.locator("[role=status] [role=status], [aria-live]").count() == 0

    note(burnline, url, "One")
    expect(voice).to_have_text("1 new entry", timeout=WITHIN)
    page.route("**/live/**", lambda route: route.abort())
    page.evaluate("hide(true); hide(false)")

    expect(voice).to_have_text(re.compile("^Not live since .*, retrying$"))
    page.unroute("**/live/**")
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(voice).to_have_text("Live")


def test_ten_tabs_of_one_browser_are_all_usable_and_hold_one_stream(tab: Tabs, burnline: Installation) -> None:
    url = declare(burnline, "Ten look at it")
    first = tab()
    with streams_of(first.context) as open_streams:
        tabs = [first, *(tab(beside=first) for _ in range(9))]
        for page in tabs:
            page.goto(url)
        for page in tabs:
            expect(light(page)).to_have_text("Live")

        assert len(open_streams) == 1
        wait_for(lambda: streams_on_server(burnline) == 1, 15)  # those of pages that were left have to end
        note(burnline, url, "All of them hear it")
        for page in tabs:
            expect(timeline(page).get_by_text("All of them hear it")).to_be_visible()
        tabs[9].reload()
        expect(light(tabs[9])).to_have_text("Live")
        assert len(open_streams) == 1


def test_a_hidden_tab_hands_the_stream_on_and_the_last_one_closes_it(tab: Tabs, burnline: Installation) -> None:
    url = declare(burnline, "Looked at in turns")
    first = tab()
    with streams_of(first.context) as open_streams:
        first.goto(url)
        expect(light(first)).to_have_text("Live")
        second = tab(beside=first)
        second.add_init_script(HIDING)
        second.goto(url)
        expect(light(second)).to_have_text("Live")

        first.evaluate("hide(true)")
        wait_for(lambda: settled(first) and [owner(stream) for stream in open_streams] == [second], 15)
        note(burnline, url, "While one is hidden")
        expect(timeline(second).get_by_text("While one is hidden")).to_be_visible(timeout=WITHIN)
        second.evaluate("hide(true)")
        wait_for(lambda: settled(first) and not open_streams, 15)
        wait_for(lambda: streams_on_server(burnline) == 0, 15)
        assert timeline(first).get_by_text("While one is hidden").count() == 0

        first.evaluate("hide(false)")
        expect(timeline(first).get_by_text("While one is hidden")).to_be_visible(timeout=WITHIN)
        expect(light(first)).to_have_text("Live")


def test_without_locks_each_visible_tab_hears_by_itself(tab: Tabs, burnline: Installation) -> None:
    """As over plain http to another machine."""
    url = declare(burnline, "Over plain http")
    first = tab()
    second = tab(beside=first)
    for page in (first, second):
        page.add_init_script("Object.defineProperty(Navigator.prototype, 'locks', { get: () => undefined });")
        page.goto(url)
        expect(light(page)).to_have_text("Live")

    note(burnline, url, "Heard twice")

    for page in (first, second):
        expect(timeline(page).get_by_text("Heard twice")).to_be_visible(timeout=WITHIN)


def test_a_session_that_ended_is_told_and_one_that_begins_makes_the_page_live_again(
    tab: Tabs, burnline: Installation
) -> None:
    url = declare(burnline, "Signed out meanwhile")
    page = tab()
    page.goto(url)
    expect(light(page)).to_have_text("Live")
    page.get_by_label("New entry").fill(THOUGHT)
    other = tab(beside=page)
    other.goto(f"{burnline.url}/account/")
    other.locator(".topbar summary[aria-label^='Account of']").click()
    other.get_by_role("button", name="Sign out").first.click()
    expect(other.get_by_role("heading", name="Sign in")).to_be_visible()

    expect(light(page)).to_contain_text("Signed out", timeout=30_000)
    expect(light(page).get_by_role("link", name="Sign in")).to_have_attribute(
        "href", re.compile(r"/sign-in/\?next=%2Fincidents")
    )
    assert page.get_by_label("New entry").input_value() == THOUGHT

    sign_in(other, burnline)
    expect(light(page)).to_have_text("Live")
    note(burnline, url, "After signing in again")
    expect(timeline(page).get_by_text("After signing in again")).to_be_visible(timeout=WITHIN)
    page.get_by_role("button", name="Add", exact=True).click()
    expect(timeline(page).get_by_text(THOUGHT)).to_be_visible()


def test_where_a_proxy_cuts_the_stream_the_page_asks(tab: Tabs, burnline: Installation) -> None:
    url = declare(burnline, "Behind a proxy")
    page = tab()
    page.route("**/live/", lambda route: route.fulfill(status=200, content_type="text/event-stream", body=":\n\n"))
    page.goto(url)
    note(burnline, url, "Not by the stream")

    expect(timeline(page).get_by_text("Not by the stream")).to_be_visible(timeout=15_000)
    expect(light(page)).to_have_text("Live every 20 s")
    page.unroute("**/live/")
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(light(page)).to_have_text("Live")


def test_a_server_that_goes_away_is_told_and_what_was_missed_is_caught_up(
    tab: Tabs, burnline: Installation, server: Server
) -> None:
    url = declare(burnline, "The server is restarted")
    page = tab(timezone_id="Asia/Tokyo")
    page.goto(url)
    expect(light(page)).to_have_text("Live")
    page.get_by_label("New entry").fill(THOUGHT)

    server.stop()
    expect(light(page)).to_have_text(re.compile(r"^Not live since \d\d:\d\d, retrying$"), timeout=10_000)
    expect(page.locator("#live-voice")).to_have_text(re.compile("Not live since"))
    page.route("**/live/**", lambda route: route.abort())
    server.start()
    note(burnline, url, "While nobody listened")
    page.unroute("**/live/**")

    expect(timeline(page).get_by_text("While nobody listened")).to_be_visible(timeout=35_000)
    expect(light(page)).to_have_text("Live")
    assert page.get_by_label("New entry").input_value() == THOUGHT


def test_where_streams_are_off_pages_ask_every_five_seconds(tab: Tabs, burnline: Installation, server: Server) -> None:
    server.stop()
    server.start(BURNLINE_LIVE="poll")
    url = declare(burnline, "Asked for")
    page = tab()
    page.goto(url)
    expect(light(page)).to_have_text("Live every 5 s")
    answers: list[int] = []
    page.on("response", lambda answer: answers.append(answer.status) if "/live/version/" in answer.url else None)
    with streams_of(page.context) as open_streams:
        wait_for(lambda: settled(page) and 304 in answers, 12)

        note(burnline, url, "Heard by asking")

        expect(timeline(page).get_by_text("Heard by asking")).to_be_visible(timeout=15_000)
        assert not open_streams


# How it is driven


def sign_in(page: Page, burnline: Installation) -> None:
    page.goto(f"{burnline.url}/sign-in/")
    page.get_by_label("E-mail").fill(burnline.email)
    page.get_by_label("Password").fill(burnline.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Sign in")).to_have_count(0)


def light(page: Page) -> Locator:
    """What the top bar says of the page's hearing."""
    return page.locator(".topbar [data-live-words]")


def timeline(page: Page) -> Locator:
    return page.get_by_role("region", name="Timeline")


def top(element: Locator) -> float:
    return float(element.evaluate("element => element.getBoundingClientRect().top"))


def select(element: Locator) -> None:
    element.evaluate("element => getSelection().selectAllChildren(element)")


def settled(page: Page) -> bool:
    """Let the browser's events reach us."""
    page.wait_for_timeout(50)
    return True


@contextmanager
def streams_of(context: BrowserContext) -> Iterator[list[Request]]:
    """The streams that a browser has open."""
    streams: list[Request] = []

    def opened(request: Request) -> None:
        if request.url.endswith("/live/"):
            streams.append(request)

    def closed(request: Request) -> None:
        if request in streams:
            streams.remove(request)

    context.on("request", opened)
    context.on("requestfinished", closed)
    context.on("requestfailed", closed)
    yield streams


def owner(request: Request) -> Page:
    return request.frame.page


def ask(burnline: Installation, method: str, path: str, sent: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {burnline.api_token}"}
    answer = httpx.request(method, f"{burnline.url}/api/v1/{path}", json=sent, headers=headers)
    assert answer.is_success, answer.text
    return answer.json()


def declare(burnline: Installation, title: str, **fields: str) -> str:
    """An incident's address."""
    return f"{burnline.url}/incidents/{ask(burnline, 'POST', 'incidents/', {'title': title, **fields})['number']}/"


def note(burnline: Installation, url: str, text: str) -> None:
    act(burnline, url, "timeline/", {"kind": "note", "text": text})


def act(burnline: Installation, url: str, what: str, sent: Any) -> None:
    ask(burnline, "POST", f"incidents/{number(url)}/{what}", sent)


def asked(burnline: Installation, url: str) -> Any:
    return ask(burnline, "GET", f"incidents/{number(url)}/")


def number(url: str) -> str:
    return found(r"/incidents/(\d+)/", url)


def fire(burnline: Installation, name: str, summary: str) -> None:
    alert = {
        "status": "firing",
        "labels": {"alertname": name, "severity": "critical"},
        "annotations": {"summary": summary},
        "startsAt": "2026-03-02T09:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "",
        "fingerprint": "0123456789abcdef",
    }
    group: dict[str, Any] = {"version": "4", "groupKey": f'{{}}:{{alertname="{name}"}}', "receiver": "burnline"}
    group |= {"groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "", "truncatedAlerts": 0}
    token = found(r"credentials: (\S+)", burnline.receiver)
    sent = {**group, "status": "firing", "alerts": [alert]}
    address = f"{burnline.url}/webhooks/alertmanager/"
    httpx.post(address, json=sent, headers={"Authorization": f"Bearer {token}"}).raise_for_status()


def streams_on_server(burnline: Installation) -> int:
    told = httpx.get(f"{burnline.url}/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"}).text
    return sum(
        int(float(count)) for count in re.findall(r'^burnline_streams_open\{kind="page"\} (\S+)$', told, re.MULTILINE)
    )
