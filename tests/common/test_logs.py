"""The log: one document a line, with what it is about, and without what is secret."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import structlog
from django.conf import settings
from django.test import Client

from common import logs
from incidents.models import Incident
from people.models import User
from tests import make
from tests.conftest import Api

Lines = Callable[[], list[dict[str, Any]]]

TOKEN = "blt_canary0canary1canary2canary3canary4canary5"
HOOK = "https://hooks.slack.example/services/T000/B000/canary6canary7"


@pytest.fixture
def written() -> Iterator[Lines]:
    """What has been written so far, as machines read it."""
    with _captured(logs.json_lines()) as output:
        yield lambda: list(map(json.loads, output.getvalue().splitlines()))


@pytest.fixture
def terminal() -> Iterator[io.StringIO]:
    """What has been written so far, as people read it."""
    with _captured(logs.text_lines()) as output:
        yield output


@contextmanager
def _captured(formatter: logging.Formatter) -> Iterator[io.StringIO]:
    output = io.StringIO()
    handler = logging.StreamHandler(output)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield output
    root.removeHandler(handler)
    root.setLevel(level)


def about_requests(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in lines if line["log.logger"] == "burnline.requests"]


# A line


def test_a_line_carries_the_names_of_the_elastic_common_schema(written: Lines) -> None:
    logging.getLogger("incidents.timeline").warning("INC-%d is %s", 42, "open")

    (line,) = written()
    assert list(line)[:3] == ["@timestamp", "log.level", "message"]
    assert line["message"] == "INC-42 is open"
    assert line["log.level"] == "warning"
    assert line["log.logger"] == "incidents.timeline"
    assert line["service.name"] == "burnline"
    assert line["ecs.version"] == logs.ECS
    assert line["process.pid"] > 0
    assert line["@timestamp"].endswith("Z")


def test_structlog_and_the_standard_library_write_alike(written: Lines) -> None:
    structlog.get_logger("ours").info("the same")
    logging.getLogger("ours").info("the same")

    first, second = ({name: value for name, value in line.items() if name != "@timestamp"} for line in written())
    assert first == second


def test_an_error_brings_its_type_its_words_and_its_trace(written: Lines) -> None:
    try:
        raise ValueError("no such thing")
    except ValueError:
        logging.getLogger("ours").exception("It failed.")

    (line,) = written()
    assert line["error.type"] == "ValueError"
    assert line["error.message"] == "no such thing"
    assert "Traceback" in line["error.stack_trace"]


def test_lines_written_meanwhile_say_what_they_are_about(written: Lines) -> None:
    with logs.about(incident=42, work="notifications.delivery"):
        logging.getLogger("httpx").warning("slow")
    logging.getLogger("ours").warning("later")

    inside, outside = written()
    assert (inside["labels.incident"], inside["labels.work"]) == (42, "notifications.delivery")
    assert "labels.incident" not in outside


@pytest.mark.parametrize("name", ["django.server", "uvicorn.error", "celery.worker", "py.warnings"])
def test_whoever_writes_one_format_is_spoken(name: str) -> None:
    logger: logging.Logger | None = logging.getLogger(name)
    while logger and logger.propagate:
        logger = logger.parent
    assert logger is None or logger.name in ("root", "django.server")  # what only the development server writes


# What comes from outside


NASTY = 'a\n{"log.level":"error","message":"forged"}\r\x1b[2J\x00\u2028\x85'


def test_what_comes_from_outside_cannot_forge_a_line(written: Lines) -> None:
    logging.getLogger("ours").warning("from outside: %s", NASTY)

    (line,) = written()
    assert line["log.level"] == "warning"
    assert "forged" in line["message"]


def test_what_comes_from_outside_cannot_forge_a_line_on_a_terminal(terminal: io.StringIO) -> None:
    try:
        raise ValueError(NASTY + "\n12:00:00 ERROR forged: it is all lost")
    except ValueError:
        with logs.about(incident=NASTY):
            logging.getLogger("ours").exception("from outside: %s", NASTY)

    text = terminal.getvalue()
    head, *rest = text.splitlines()
    assert "ERROR   ours: from outside: a\\n{" in head
    assert rest
    assert all(line.startswith("    ") for line in rest)
    assert not set(text) & set("\x1b\x00\r\u2028\x85")


def test_half_a_character_spoils_no_line() -> None:
    record = logging.LogRecord("ours", logging.INFO, __file__, 1, "half \ud800", (), None)

    assert json.loads(logs.json_lines().format(record))["message"] == "half \N{REPLACEMENT CHARACTER}"
    assert "half ?" in logs.text_lines().format(record)


def test_a_number_of_any_size_spoils_no_line(client: Client, alice: User, written: Lines) -> None:
    client.force_login(alice)
    client.get(f"/incidents/{10**30}/")

    (line,) = [line for line in written() if line.get("url.path") == f"/incidents/{10**30}/"]
    assert line["labels.incident"] == str(10**30)


# Secrets


SECRETS = [
    f"Authorization: Bearer {TOKEN}",
    "Basic Y2FuYXJ5OmNhbmFyeQ==",
    f"the token {TOKEN} is unknown",
    "bli_canary0canary1canary2",
    "signed with whsec_Y2FuYXJ5Y2FuYXJ5",
    f"Client error '404 Not Found' for url '{HOOK}'",
    "smtp://alerts:canary@mail.example.com:587 refused",
    "redis://:canary@127.0.0.1:6379/0",
    "postgresql://burnline:canary@db.internal/burnline",
    "GET /answer/canary-canary/ 200",
    "GET /incidents/?token=canary&q=1",
    "https://ntfy.example/canary-topic",
    "https://outlook.example?sig=canary",
]


@pytest.mark.parametrize("text", SECRETS)
def test_a_secret_is_in_no_line(written: Lines, text: str) -> None:
    try:
        raise ValueError(text)
    except ValueError:
        with logs.about(destination=text):
            logging.getLogger("ours").exception("It said: %s", text, extra={"url.path": text})

    lines = json.dumps(written())
    assert "canary" not in lines.lower().replace(__name__, "")
    assert "Y2Fu" not in lines


def test_what_is_no_secret_stays() -> None:
    for text in (
        "INC-42 fired again",
        "https://burnline.example.com/",
        "GET /incidents/42/ 200",
        "mail: 550 no such user",
    ):
        assert logs.without_secrets(text) == text


@pytest.mark.django_db
def test_canaries_sent_to_every_door_are_in_no_line(client: Client, alice: User, api: Api, written: Lines) -> None:
    password = "canary password of alice"
    client.post("/sign-in/", {"username": alice.email, "password": password})
    client.post(f"/sign-in/?next=/%3Ftoken%3D{TOKEN}", {"username": alice.email, "password": password})
    client.get(f"/incidents/?q={TOKEN}", headers={"Cookie": f"burnline={TOKEN}"})
    client.get(f"/answer/{TOKEN}/")
    client.get(f"/answer/canary:signed:link/?next={HOOK}")
    client.get("/api/v1/incidents/", headers={"Authorization": f"Bearer {TOKEN}"})
    client.post("/webhooks/alertmanager/", b"{", "application/json", headers={"Authorization": f"Bearer {TOKEN}"})
    api(alice).post("/api/v1/incidents/", {"title": f"it says {HOOK}", "summary": TOKEN})

    lines = written()
    assert len(about_requests(lines)) == 8
    assert "canary" not in json.dumps(lines)


# Requests


@pytest.mark.django_db
def test_every_request_has_a_line_that_says_who_asked_for_what(client: Client, alice: User, written: Lines) -> None:
    client.force_login(alice)

    response = client.get("/incidents/?q=secret", REMOTE_ADDR="10.1.2.3")

    (line,) = about_requests(written())
    assert line["message"] == "GET /incidents/ 200"
    assert line["http.request.id"] == response["X-Request-ID"]
    assert line["http.request.method"] == "GET"
    assert line["url.path"] == "/incidents/"
    assert line["http.response.status_code"] == 200
    assert line["client.ip"] == "10.1.2.3"
    assert line["user.id"] == str(alice.pk)
    assert 0 < line["event.duration"] < 60_000_000_000
    assert "secret" not in json.dumps(written())


@pytest.mark.django_db
def test_a_refusal_is_no_error_with_a_trace(client: Client, alice: User, written: Lines) -> None:
    client.force_login(alice)

    client.get("/settings/work/")

    (line,) = written()
    assert line["message"] == "GET /settings/work/ 403"
    assert "error.stack_trace" not in line


@pytest.mark.django_db
def test_a_request_by_token_names_the_owner(api: Api, alice: User, written: Lines) -> None:
    api(alice).get("/api/v1/incidents/")

    (line,) = about_requests(written())
    assert line["user.id"] == str(alice.pk)


@pytest.mark.django_db
def test_lines_within_a_request_carry_its_id_and_its_incident(
    client: Client, alice: User, incident: Incident, written: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("incidents.page.page_of", _breaks)
    client.force_login(alice)
    client.raise_request_exception = False

    response = client.get(f"/incidents/{incident.number}/", headers={"X-Request-ID": "from-the-proxy.1"})

    lines = written()
    assert response["X-Request-ID"] == "from-the-proxy.1"
    assert {line["http.request.id"] for line in lines} == {"from-the-proxy.1"}
    assert {line["labels.incident"] for line in lines} == {incident.number}
    logging.getLogger("ours").warning("after it")
    assert not {"http.request.id", "labels.incident"} & set(written()[-1])


def _breaks(*_: object, **__: object) -> None:
    raise RuntimeError("broken on purpose")


@pytest.mark.django_db
@pytest.mark.parametrize("given", ["", "a" * 65, "a b", 'a"}\n{', "a/b", "é"])
def test_a_request_id_that_is_not_sane_is_replaced(client: Client, given: str) -> None:
    made = client.get("/sign-in/", headers={"X-Request-ID": given})["X-Request-ID"]

    assert made != given
    assert len(made) == 16


@pytest.mark.django_db
def test_probes_static_files_and_what_open_pages_poll_are_not_in_the_log(client: Client, written: Lines) -> None:
    client.get("/livez")
    client.get("/live/version/")
    client.get(f"{settings.STATIC_URL}css/none.css")

    assert about_requests(written()) == []


@pytest.fixture
def incident(alice: User, payments: Any) -> Incident:
    return make.incident(payments, by=alice)
