"""The main job, as the README tells it, with a real Alertmanager and a real browser.

An alert becomes an incident, is handled by an engineer and a data scientist, and ends as a postmortem on one's disk.

With BURNLINE_SCREENSHOTS set to a folder, the steps are photographed into it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from playwright.sync_api import Browser, Page, expect

from tests.clusters import free_port
from tests.e2e.installation import Installation, answers, found, wait_for

ROOT = Path(__file__).parent.parent.parent
PHOTOGRAPHS = os.environ.get("BURNLINE_SCREENSHOTS")
SUMMARY = "fraud-scorer approves 11% fewer good payments"
HOSTILE = "<script>document.title='broken'</script>"
BEGAN = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=40)
DATA_SCIENTIST = ("Ravi Menon", "ravi@example.com")

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def alertmanager(burnline: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The real one, with the receiver pasted as it was printed."""
    binary = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if binary is None:
        pytest.fail("There is no Alertmanager here: apt-get install prometheus-alertmanager")
    folder = tmp_path_factory.mktemp("alertmanager")
    (folder / "alertmanager.yml").write_text(burnline.receiver)
    port = free_port()
    process = subprocess.Popen(
        [
            binary,
            f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ],
        stdout=subprocess.DEVNULL,
        stderr=(folder / "log").open("wb"),
    )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(lambda: answers(f"{url}/-/ready"), 20, lambda: (folder / "log").read_text())
        yield url
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """One person's browser; nothing it meets may break the policy or throw."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB", timezone_id="Europe/Berlin")
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield page
    context.close()
    assert faults == []


def test_an_alert_becomes_an_incident_is_handled_and_ends_as_a_postmortem(
    burnline: Installation, alertmanager: str, page: Page, tmp_path: Path
) -> None:
    assert yaml.safe_load(burnline.receiver)["route"]["receiver"] == "burnline"
    sign_in(page, burnline)
    expect(page.get_by_text("Waiting for the first alert")).to_be_visible()
    add_a_data_scientist(page, burnline)
    write_down_what_runs(burnline)

    fire(alertmanager)
    page.goto(f"{burnline.url}/incidents/")
    wait_for(lambda: reloaded(page).get_by_role("link", name=re.compile("fraud-scorer approves")).count() > 0, 40)
    photograph(page, "1-list")

    page.get_by_role("link", name=re.compile("fraud-scorer approves")).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(SUMMARY)
    expect(page.get_by_text("ModelAccuracyBurn").first).to_be_visible()
    assert HOSTILE in (page.locator("main").text_content() or "")
    assert page.title() != "broken"
    page.get_by_role("button", name="Acknowledge").first.click()
    expect(page.get_by_role("button", name="Mitigated").first).to_be_visible()
    page.get_by_role("button", name="Take it").click()
    expect(page.get_by_text("no commander")).to_have_count(0)
    photograph(page, "2-acknowledged")

    page.get_by_role("link", name="Ask Data scientist").click()
    asking = page.locator("form#ask")
    expect(asking.get_by_label("Role")).to_have_value("data_scientist")
    asking.locator("select[name=user]").select_option(label=f"{DATA_SCIENTIST[0]} · Data science")
    asking.get_by_role("button", name="Ask them to come").click()
    people = page.get_by_role("region", name="People")
    expect(people.get_by_text(DATA_SCIENTIST[0]).first).to_be_visible()
    expect(people.get_by_text(re.compile("Data scientist", re.IGNORECASE)).first).to_be_visible()
    photograph(page, "3-role")
    budget = page.get_by_role("region", name=re.compile("Error budget", re.IGNORECASE))
    expect(budget.get_by_text("27.5%").first).to_be_visible()

    write_a_note(page, "Rolled the canary of v14 back; approvals recover.")
    page.get_by_role("button", name="Mitigated").first.click()
    page.get_by_role("link", name=re.compile("^Resolve")).first.click()
    page.get_by_role("button", name="Resolve").click()
    expect(page.get_by_role("button", name=re.compile("postmortem", re.IGNORECASE)).first).to_be_visible()
    photograph(page, "4-resolved")
    photograph_in_every_light(page, "incident")

    page.get_by_role("button", name=re.compile("postmortem", re.IGNORECASE)).first.click()
    expect(page).to_have_url(re.compile(r"/postmortems/\d+/"))
    expect(page.get_by_text(DATA_SCIENTIST[0]).first).to_be_visible()
    photograph(page, "5-postmortem")

    number = found(r"/postmortems/(\d+)/", page.url)
    page.goto(f"{burnline.url}/postmortems/{number}/sections/lessons/")
    page.locator("textarea[name=markdown]").fill("Promote a canary only with labels for **every** segment.")
    page.get_by_role("button", name=re.compile("Save")).first.click()
    expect(page.locator("strong", has_text="every").first).to_be_visible()
    photograph(page, "6-written")

    page.goto(f"{burnline.url}/incidents/{number}/")
    write_a_note(page, HOSTILE)
    page.goto(f"{burnline.url}/postmortems/{number}/")
    page.get_by_text("More", exact=True).first.click()
    with page.expect_download() as downloading:
        page.locator(f"a[href='/postmortems/{number}/export.md']").first.click()
    target = tmp_path / downloading.value.suggested_filename
    downloading.value.save_as(target)
    document = target.read_text()
    assert target.name == f"INC-{number}-postmortem.md"
    assert "Promote a canary only with labels for **every** segment." in document
    assert DATA_SCIENTIST[0] in document
    assert "ModelAccuracyBurn" in document
    assert "27.5" in document
    assert HOSTILE not in document


def test_without_javascript_the_same_buttons_work(burnline: Installation, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 360, "height": 740})
    page = context.new_page()
    sign_in(page, burnline)
    declare(burnline, "Checkout returns 502 in eu-west")

    page.goto(f"{burnline.url}/incidents/")
    page.get_by_role("link", name=re.compile("Checkout returns 502")).first.click()
    page.get_by_role("button", name="Acknowledge").last.click()
    write_a_note(page, "Looking at the load balancer")
    expect(page.get_by_text("Looking at the load balancer").first).to_be_visible()
    page.get_by_role("button", name="Mitigated").last.click()
    page.get_by_role("link", name=re.compile("^Resolve")).last.click()
    page.get_by_role("button", name="Resolve").click()

    expect(page.get_by_text(re.compile("resolved", re.IGNORECASE)).first).to_be_visible()
    context.close()


def test_nothing_overflows_on_a_phone(burnline: Installation, browser: Browser) -> None:
    declare(burnline, "A title without a place to break " + "x" * 120)
    context = browser.new_context(viewport={"width": 360, "height": 740})
    page = context.new_page()
    sign_in(page, burnline)
    paths = ["/incidents/", "/incidents/1/", "/incidents/new/", "/postmortems/", "/postmortems/1/", "/action-items/"]
    paths += ["/slos/", "/services/", "/alerts/", "/settings/people/", "/settings/tokens/", "/settings/integrations/"]
    paths += ["/settings/deliveries/", "/settings/vocabulary/", "/account/"]
    wide = []
    for path in paths:
        answer = page.goto(f"{burnline.url}{path}")
        assert answer
        assert answer.status == 200, path
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            wide.append(path)
    context.close()

    assert wide == []


def sign_in(page: Page, burnline: Installation) -> None:
    page.goto(f"{burnline.url}/")
    page.get_by_label(re.compile("E-?mail", re.IGNORECASE)).fill(burnline.email)
    page.get_by_label("Password").fill(burnline.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile(r"/(incidents|first-steps)/"))


def add_a_data_scientist(page: Page, burnline: Installation) -> None:
    """By hand, under Settings, as the README says."""
    name, email = DATA_SCIENTIST
    page.goto(f"{burnline.url}/settings/people/new/")
    page.locator("input[name=name]").fill(name)
    page.locator("input[name=email]").fill(email)
    page.locator("select[name=discipline]").select_option(label="Data science")
    page.get_by_label("Platform").select_option(label="Responder")
    page.get_by_role("button", name="Invite").click()
    page.goto(f"{burnline.url}/settings/people/")
    expect(page.get_by_text(name).first).to_be_visible()


def write_down_what_runs(burnline: Installation) -> None:
    """The service, its model and its objective over REST; in the last 40 minutes 3 of 8 answers are wrong."""
    ask(burnline, "services/", {"slug": "fraud-api", "name": "Fraud API", "team": "platform", "tier": 1})
    ask(
        burnline,
        "models/",
        {"slug": "fraud-scorer", "name": "fraud-scorer", "service": "fraud-api", "team": "platform"},
    )
    slo = {"slug": "fraud-accuracy", "name": "Accuracy of fraud-scorer", "kind": "accuracy", "target": "0.95"}
    ask(burnline, "slos/", {**slo, "service": "fraud-api", "model": "fraud-scorer", "window": {"days": 28}})
    before = [sample(BEGAN - timedelta(hours=n), 3600, good=990, valid=1000) for n in range(1, 169)]
    since = [sample(BEGAN + timedelta(minutes=5 * n), 300, good=500, valid=800) for n in range(8)]
    ask(burnline, "slos/fraud-accuracy/samples/", before + since, status=200)


def sample(start: datetime, seconds: int, *, good: int, valid: int) -> dict[str, Any]:
    return {"start": start.isoformat(), "seconds": seconds, "good": good, "valid": valid}


def fire(alertmanager: str) -> None:
    """An alert that began when the samples turned bad."""
    now = BEGAN.isoformat()
    labels = {"alertname": "ModelAccuracyBurn", "severity": "critical", "model": "fraud-scorer", "service": "fraud-api"}
    labels |= {"kind": "quality", "slo_id": "fraud-accuracy"}
    annotations = {"summary": SUMMARY, "description": f"Accuracy 85.4% over one hour, objective 95% {HOSTILE}"}
    alerts = [
        {"labels": labels, "annotations": annotations, "startsAt": now, "generatorURL": "http://prometheus.example/"}
    ]
    httpx.post(f"{alertmanager}/api/v2/alerts", json=alerts).raise_for_status()


def declare(burnline: Installation, title: str) -> int:
    return int(ask(burnline, "incidents/", {"title": title})["number"])


def ask(burnline: Installation, path: str, sent: Any, status: int = 201) -> Any:
    headers = {"Authorization": f"Bearer {burnline.api_token}"}
    answer = httpx.post(f"{burnline.url}/api/v1/{path}", json=sent, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.json()


def write_a_note(page: Page, text: str) -> None:
    form = page.locator("form#note")
    form.locator("textarea").fill(text)
    form.get_by_role("button", name="Add").click()
    expect(page.get_by_text(text).first).to_be_visible()


def photograph(page: Page, name: str) -> None:
    if PHOTOGRAPHS:
        page.screenshot(path=str(Path(PHOTOGRAPHS) / f"{name}.png"), animations="disabled")


def photograph_in_every_light(page: Page, name: str) -> None:
    """The page on a desk and on a phone, light and dark."""
    desk = page.viewport_size
    assert desk
    for width, height in ((1280, 900), (360, 780)):
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme="light")
        photograph(page, f"{name}-{width}-light")
        page.emulate_media(color_scheme="dark")
        photograph(page, f"{name}-{width}-dark")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(desk)


def reloaded(page: Page) -> Page:
    page.reload()
    return page
