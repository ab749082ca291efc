"""What every answer carries, whoever gives it: a page, the API, an error, a file, another method, a stream."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client

from common.headers import SECURITY_HEADERS
from people.access import Act, matrix
from people.models import User
from tests import routes

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).parent.parent
METHODS = ("GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "TRACE")


@pytest.fixture
def browser(admin: User) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(admin)
    return client


def test_every_kind_of_answer_carries_the_security_headers(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [(method, route.path) for route in routes.every() for method in METHODS]
    answers = {f"{method} {path}": browser.generic(method, path) for method, path in asked}
    answers["nowhere"] = browser.get("/nowhere/")
    answers["a file that is not there"] = browser.get("/static/nothing.css")
    answers["a wrong host"] = browser.get("/", headers={"Host": "evil.example"})
    monkeypatch.setattr("people.access.judge", lambda *args: 1 / 0)
    answers["an error"] = browser.get("/settings/people/")

    bare = {
        what: missing
        for what, answer in answers.items()
        if (missing := [name for name, value in SECURITY_HEADERS.items() if not answer.headers.get(name)])
    }
    assert bare == {}
    assert {answer.status_code for answer in answers.values()} >= {200, 302, 404, 405, 400, 500}


def test_no_other_site_may_read_an_answer(browser: Client) -> None:
    open_ones = [
        route.path
        for route in routes.every()
        for method in ("GET", "OPTIONS")
        if any(
            name.lower().startswith("access-control-")
            for name in browser.generic(method, route.path, headers={"Origin": "https://evil.example"}).headers
        )
    ]

    assert open_ones == []


def test_nothing_that_is_read_signed_in_is_kept_by_a_browser(browser: Client) -> None:
    kept = {}
    for route in routes.every():
        if route.is_rest or matrix()[route.name].get("GET") in (None, Act.PUBLIC):
            continue
        answer = browser.get(route.path)
        if "no-store" not in answer.headers.get("Cache-Control", ""):
            kept[route.path] = answer.headers.get("Cache-Control")

    assert kept == {}


def test_cookies_are_for_this_host_and_no_script() -> None:
    said = by_https(
        "from django.conf import settings as s; print(s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_NAME,"
        " s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE,"
        " s.SESSION_COOKIE_HTTPONLY, s.CSRF_COOKIE_HTTPONLY, s.SESSION_COOKIE_SAMESITE)"
    )

    assert said == "__Host-burnline __Host-burnline-csrf True True True True Lax"


def test_an_installation_by_https_says_so_for_a_year() -> None:
    said = by_https(
        "from django.conf import settings as s; print(s.SECURE_HSTS_SECONDS, s.SECURE_HSTS_INCLUDE_SUBDOMAINS)"
    )

    assert said == "31536000 True"


def test_passwords_are_kept_by_argon2() -> None:
    said = by_https("from django.contrib.auth.hashers import make_password; print(make_password('x' * 20)[:9])")

    assert said == "argon2$ar"


def by_https(code: str) -> str:
    """What an installation that is reached by https says."""
    env = {
        **os.environ,
        "BURNLINE_PUBLIC_URL": "https://burnline.example.com",
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    command = [sys.executable, "-c", f"import django; django.setup(); {code}"]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True).stdout.strip()
