"""The API's root, its document and the page that shows it."""

from __future__ import annotations

import re

from django.contrib.staticfiles import finders
from django.test import Client

from people.models import User
from tests.conftest import Api


def test_the_root_leads_everywhere(api: Api, admin: User) -> None:
    client = api(admin)

    links = client.get("/api/v1/").json()

    assert links["incidents"] == "http://testserver/api/v1/incidents/"
    assert {"alerts", "services", "models", "slos", "users", "teams", "tokens", "schema", "docs"} <= set(links)
    for address in links.values():
        assert client.get(address).status_code == 200


def test_the_document_is_read_by_those_who_may(api: Api, victor: User, client: Client) -> None:
    assert client.get("/api/v1/schema/").status_code == 401

    document = api(victor).get("/api/v1/schema/")

    assert document.headers["Content-Type"] == "application/json"
    assert document.json()["openapi"].startswith("3.")
    assert "/api/v1/incidents/{number}/" in document.json()["paths"]


def test_the_page_needs_nothing_from_elsewhere_and_nothing_inline(client: Client, victor: User) -> None:
    assert client.get("/api/v1/docs/").headers["Location"] == "/sign-in/?next=/api/v1/docs/"
    client.force_login(victor)

    answer = client.get("/api/v1/docs/")

    page = answer.content.decode()
    assert answer.status_code == 200
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=", page)
    sources = re.findall(r'(?:src|href)="/static/([^"]+)"', page)
    assert len(sources) == 4
    assert all(finders.find(source) for source in sources)
