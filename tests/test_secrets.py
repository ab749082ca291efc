"""Secrets stay where they belong: in no log, on no page, in no answer, figure, error or task, and not in clear at rest.

Each kind of secret that there is gets a value of its own. Then everything happens in which they are used, rightly and
wrongly, with logs at their most talkative; and whatever came out, and all that was kept, is searched for each of them.
"""

from __future__ import annotations

import base64
import json
import logging
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import pytest
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from django.db import connection
from django.test import Client
from django.urls import resolve
from django.utils import timezone

from alerts import integrations
from common import logs, work
from config.settings import Environment
from incidents import answer_links, responding
from notifications import methods
from notifications.models import Delivery
from people.models import Team, User
from tests import due, evidence, make, markup, providers, routes
from tests.conftest import json_client

pytestmark = pytest.mark.django_db

PASSWORD = "canary-Password-of-Alice-7193"
WRONG = "canary-Guess-at-a-Password-8841"
TOTP = "JBSWY3DPEHPK3PXPCANARYTOTP234567"
OF_SETTINGS = re.compile("token|secret|password|key|url")  # the names of those that hold one
KEPT_IN_CLEAR = {  # table, column: what the database must be able to give back as it is, for as long as it counts
    ("notifications_message", "actions"),  # the links of a message, until it is sent; worth nothing after a day
    ("people_session", "session_key"),
}


class Planted:
    """The secrets, and everything that came out while they were used."""

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}
        self.came_out: dict[str, str] = {}  # by where

    def found(self) -> list[str]:
        """Where which of them came out."""
        return [
            f"{name} in {where}"
            for where, text in self.came_out.items()
            for name, secret in self.secrets.items()
            if any(form in text for form in forms_of(secret))
        ]


@pytest.fixture
def planted(settings: Any, payments: Team, alice: User, admin: User, bob: User) -> Planted:
    of = Planted()
    given = {}
    for name, field in Environment.model_fields.items():
        if OF_SETTINGS.search(name) and field.annotation is str and name not in ("public_url", "redis_url"):
            of.secrets[f"setting {name}"] = given[name] = f"canary-{name}-{len(name)}-5520"
    given["encryption_keys"] = of.secrets["setting encryption_keys"] = base64.urlsafe_b64encode(
        b"canary!!" * 4
    ).decode()
    of.secrets["setting smtp_url"] = "canary-mail-2290"
    given["smtp_url"] = "smtp://burnline:canary-mail-2290@127.0.0.1:1"
    given["private_networks"] = "127.0.0.0/8"
    settings.ENV = settings.ENV.model_copy(update=given)
    settings.SECRET_KEY = given["secret_key"]

    alice.set_password(PASSWORD)
    alice.save()
    of.secrets |= {"password": PASSWORD, "guess at a password": WRONG}
    of.secrets["API token"] = make.token(alice, ["read", "write"])[1]
    source, of.secrets["integration token"] = make.integration("Canary")
    of.secrets["integration token before"] = of.secrets["integration token"]
    of.secrets["integration token"] = integrations.rotate(source, by=make.SYSTEM, now=timezone.now())
    Authenticator.objects.create(user=bob, type=Authenticator.Type.TOTP, data={"secret": get_adapter().encrypt(TOTP)})
    of.secrets["second factor"] = TOTP
    return of


@pytest.fixture
def provider() -> Iterator[providers.HttpProvider]:
    with providers.http() as provider:
        yield provider


def test_no_secret_comes_out_or_is_kept_in_clear(
    planted: Planted,
    provider: providers.HttpProvider,
    payments: Team,
    admin: User,
    alice: User,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(logging.getLogger(), "propagate", True)

    contact(planted, provider, alice)
    sign_in(planted)
    use_tokens(planted)
    links(planted, payments, alice, admin)
    read_everything(planted, admin)
    planted.came_out["the log"] = "\n".join(written(record) for record in caplog.records)
    planted.came_out |= kept()

    assert len(planted.secrets) >= 18
    assert len(planted.came_out) > 60
    assert planted.found() == []
    with evidence.of("secrets") as row:
        row |= {"secrets": len(planted.secrets), "searched": len(planted.came_out), "found": 0}


def contact(planted: Planted, provider: providers.HttpProvider, alice: User) -> None:
    """Messages by channels whose address and secret are worth something: one arrives, one is refused."""
    provider.behave(providers.status(500), providers.status(404), providers.fine)
    planted.secrets["channel address"] = "canary-hook-6627"
    _, made = methods.add(alice, "webhook", provider.url("/canary-hook-6627"), now=timezone.now())
    planted.secrets["webhook signing secret"] = made
    planted.secrets["channel token"] = "tk_canarychanneltoken6628"
    methods.add(alice, "ntfy", provider.url("/topic"), secret="tk_canarychanneltoken6628", now=timezone.now())
    planted.secrets["Slack address"] = "canaryslack6629canaryslk"
    slack = "https://hooks.slack.com/services/T00000000/B00000000/canaryslack6629canaryslk"
    methods.add(alice, "slack", slack, now=timezone.now())


def sign_in(planted: Planted) -> None:
    """Wrongly, rightly, and with what does not belong into a field."""
    client = Client()
    for password in (WRONG, PASSWORD):
        answer = client.post("/sign-in/", {"username": "alice@example.com", "password": password})
        planted.came_out[f"sign-in with {password}"] = all_of(answer)
    session = client.cookies.get("burnline")
    assert session is not None
    planted.secrets["session key"] = session.value
    for path in ("/account/", "/account/sessions/", "/nowhere/", "/settings/deliveries/"):
        planted.came_out[f"alice at {path}"] = all_of(client.get(path), but_cookies=True)


def use_tokens(planted: Planted) -> None:
    api, hook = planted.secrets["API token"], planted.secrets["integration token"]
    for secret in (api, hook, planted.secrets["integration token before"], "canary-wrong-token-1177"):
        program = json_client(secret)
        for method, path in (("get", "/api/v1/incidents/"), ("get", "/api/v1/nowhere/"), ("put", "/api/v1/incidents/")):
            planted.came_out[f"{method} {path} by {secret[:6]}"] = all_of(getattr(program, method)(path))
        for body in (make.alertmanager_body(), b"not json", b"\xff"):
            answer = Client().post(
                "/webhooks/alertmanager/",
                body,
                content_type="application/json",
                headers={"Authorization": f"Bearer {secret}"},
            )
            planted.came_out[f"webhook by {secret[:6]} of {len(body)}"] = all_of(answer)
    planted.secrets["a token that is none"] = "canary-wrong-token-1177"
    planted.came_out["metrics"] = all_of(
        Client().get("/metrics", headers={"Authorization": f"Bearer {planted.secrets['setting metrics_token']}"})
    )


def links(planted: Planted, payments: Team, alice: User, admin: User) -> None:
    """The link by which alice says that she comes, sent by all of her methods, and opened."""
    now = timezone.now()
    asked = responding.ask(make.incident(payments, now=now), alice, by=make.person(admin), now=now)
    link = answer_links.token(asked, answer_links.Answer.COMES, "canary", now)
    planted.secrets["answer link"] = link
    message = alice.messages.latest("created_at")
    planted.secrets["answer link in a message"] = urlsplit(message.actions[0][1]).path.split("/")[2]
    planted.came_out["tasks"] = json.dumps(
        [[claimed.model.TASK, claimed.pk, str(claimed.claim)] for claimed in taken()], default=str
    )
    due.run_all_due(Delivery)
    for _ in range(2):
        assert Client().get(f"/answer/{link}/").status_code in (200, 404, 410)
    Client().post(f"/answer/{link}x/")


def read_everything(planted: Planted, admin: User) -> None:
    """Every page that an administrator comes to, and every list of the API."""
    browser = Client()
    browser.force_login(admin)
    planted.secrets["session key of an administrator"] = browser.cookies["burnline"].value
    waiting, seen = ["/"], Counter[str]()
    while waiting:
        path = waiting.pop()
        if path in planted.came_out or path.startswith("/static/"):
            continue
        route = resolve(urlsplit(path).path).view_name
        seen[route] += 1
        if seen[route] > 2:
            continue
        answer = browser.get(path)
        planted.came_out[path] = all_of(answer, but_cookies=True)
        read = markup.read(planted.came_out[path])
        leads = [urljoin(path, link) for link in [*read.links, answer.headers.get("Location", "")] if link]
        waiting += [link.split("#")[0] for link in leads if link.startswith("/") and not link.startswith("//")]
    program = json_client(make.token(admin, ["read", "write", "admin"])[1])
    for listed in routes.every():
        if listed.is_rest and listed.name not in ("api-events", "live") and not listed.kinds:
            planted.came_out[listed.path] = all_of(program.get(listed.path))


def taken() -> list[Any]:
    """What would be handed to workers."""
    claims = [claimed for kind in work.kinds() for claimed in work.take(kind, 100, {})]
    due.forget_leases()
    return claims


def kept() -> dict[str, str]:
    """Every column of every table."""
    found: dict[str, str] = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            columns = [column.name for column in connection.introspection.get_table_description(cursor, table)]
            for column in columns:
                if (table, column) not in KEPT_IN_CLEAR:
                    cursor.execute(f'SELECT "{column}" FROM "{table}"')
                    found[f"{table}.{column}"] = "\n".join(_text(value) for (value,) in cursor.fetchall())
    return found


def all_of(answer: Any, *, but_cookies: bool = False) -> str:
    """Status, headers and body; a session's own cookie is for who gets it."""
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    headers = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
    cookies = "" if but_cookies else "\n".join(m.key for m in answer.cookies.values())
    return f"{answer.status_code}\n{headers}\n{cookies}\n{body.decode(errors='replace')}"


def written(record: logging.LogRecord) -> str:
    """The line as it stands in the log of an installation."""
    return logs.json_lines().format(record)


def forms_of(secret: str) -> set[str]:
    """As it is, and as it travels."""
    return {secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode().rstrip("=")[:-1]}


def _text(value: Any) -> str:
    if isinstance(value, memoryview | bytes):
        return bytes(value).decode(errors="replace")
    return str(value)
