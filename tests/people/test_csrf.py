"""No form of another site is taken: every page that changes something asks for its CSRF token."""

from __future__ import annotations

import re

import pytest
from django.conf import settings
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from people.access import Act, matrix
from people.models import User

# they know their sender by a token
NO_COOKIE = {"alertmanager-webhook", "alertmanager-webhook-bare", "grafana-webhook", "grafana-webhook-bare", "answer"}


_SUCH = {"int": "1", "uuid": "00000000-0000-0000-0000-000000000001"}  # of each kind of thing in an address


def _paths(patterns: list[URLPattern | URLResolver], before: str = "/") -> dict[str, str]:
    """The name of each route, and an address that leads there."""
    found: dict[str, str] = {}
    for pattern in patterns:
        path = before + re.sub(r"<(\w+):\w+>", lambda kind: _SUCH.get(kind[1], "a"), str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            found |= _paths(pattern.url_patterns, path)
        else:
            found[str(pattern.name)] = path
    return found


PATHS = _paths(get_resolver().url_patterns)
FORMS = [name for name, acts in matrix().items() if "POST" in acts and not name.startswith("api-")]


@pytest.mark.parametrize("name", sorted(set(FORMS) - NO_COOKIE))
def test_a_form_without_its_token_is_refused(admin: User, name: str) -> None:
    client = Client(enforce_csrf_checks=True)
    if matrix()[name]["POST"] is not Act.PUBLIC:
        client.force_login(admin)

    answer = client.post(PATHS[name])

    assert answer.status_code == 403
    assert "This form is no longer valid" in answer.content.decode()


def test_a_form_of_another_site_is_refused_with_its_token_too(admin: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin)
    client.get("/account/")
    token = client.cookies[settings.CSRF_COOKIE_NAME].value

    def change(origin: str) -> int:
        data = {"csrfmiddlewaretoken": token, "name": "Somebody", "time_zone": "UTC"}
        return client.post("/account/", data, headers={"Origin": origin}).status_code

    assert change("https://evil.example") == 403
    assert change("http://testserver") == 302
