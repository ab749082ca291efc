"""The door for Alertmanager: every answer of its table, and never one too early."""

from __future__ import annotations

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError, connection, connections, transaction
from django.http import HttpResponse
from django.test import Client

from alerts import deliveries, ingest, integrations
from alerts.ingest import Receipt
from alerts.models import Alert, Delivery, Integration, RawBody
from incidents import lifecycle, timeline
from incidents.models import Entry, Incident
from tests import make
from tests.due import run_all_due
from tests.make import NOW

PATH = "/webhooks/alertmanager/"


@pytest.fixture
def token(db: None) -> str:
    return make.integration()[1]


def post(body: bytes, token: str = "", path: str = PATH, **headers: str) -> Any:
    headers = {"authorization": f"Bearer {token}", **headers} if token else headers
    return Client(raise_request_exception=False).post(path, body, content_type="application/json", headers=headers)


def problem(answer: HttpResponse) -> dict[str, Any]:
    assert answer["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = json.loads(answer.content)
    assert {"type", "title", "status", "detail", "code"} <= set(document)
    assert document["status"] == answer.status_code
    return document


@pytest.mark.parametrize("path", ["/webhooks/alertmanager/", "/webhooks/alertmanager"])
def test_what_is_committed_is_answered_200_with_its_counts(token: str, path: str) -> None:
    answer = post(make.alertmanager_body(), token, path)

    assert answer.status_code == 200
    said = answer.json()
    assert said["delivery"] == str(Delivery.objects.get().id)
    assert said["alerts"] == dict.fromkeys(("changed", "unchanged", "resolved", "quarantined"), 0) | {
        "received": 1,
        "opened": 1,
    }
    assert said["incidents"] == [Incident.objects.get().number]


def test_basic_with_the_token_as_password_works_too(token: str) -> None:
    pair = base64.b64encode(f"anyone:{token}".encode()).decode()

    assert post(make.alertmanager_body(), authorization=f"Basic {pair}").status_code == 200


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic !!", "Basic d3Jvbmc=", "Digest x", "Bearer \xff\xfe"],
)
def test_without_the_token_it_is_401_and_nothing_is_kept(token: str, header: str | None) -> None:
    answer = post(make.alertmanager_body(), **({} if header is None else {"authorization": header}))

    assert answer.status_code == 401
    problem(answer)
    assert not RawBody.objects.exists()


def test_a_rotated_token_stops_working(token: str) -> None:
    new = integrations.rotate(Integration.objects.get(), by=make.SYSTEM, now=NOW)
    integrations.forget()

    assert post(make.alertmanager_body(), token).status_code == 401
    assert post(make.alertmanager_body(), new).status_code == 200


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete", "head"])
def test_anything_but_post_is_405_and_no_redirect(token: str, method: str) -> None:
    for path in ("/webhooks/alertmanager/", "/webhooks/alertmanager"):
        answer = getattr(Client(), method)(path)

        assert answer.status_code == 405
        assert answer["Allow"] == "POST"


@pytest.mark.parametrize(
    "body", [b"", b"hello", b"[]", b'{"version": "3", "alerts": []}', b'{"version": "4", "alerts": 5}', b"[" * 50_000]
)
def test_what_is_no_notification_is_400_and_kept_as_refused(token: str, body: bytes) -> None:
    answer = post(body, token)

    assert answer.status_code == 400
    problem(answer)
    kept = Delivery.objects.get()
    assert (kept.outcome, kept.status) == ("refused", 400)
    assert kept.raw
    assert bytes(kept.raw.body) == body


def test_a_body_over_the_limit_is_413_and_counted(token: str, settings: Any) -> None:
    settings.WEBHOOK_MAX_BYTES = 1000

    answer = post(b"x" * 1001, token)

    assert answer.status_code == 413
    problem(answer)
    kept = Delivery.objects.get()
    assert (kept.outcome, kept.status, kept.raw) == ("refused", 413, None)


def test_more_than_django_reads_of_a_form_is_taken(token: str) -> None:
    big = make.alert(labels={f"label{n}": "x" * 1000 for n in range(5000)})

    answer = post(make.alertmanager_body(big), token)

    assert len(json.dumps(big)) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    assert answer.status_code == 200
    assert answer.json()["alerts"]["opened"] == 1


def test_five_hundred_are_taken_in_the_request_and_more_of_them_soon_after(token: str) -> None:
    alerts = [make.alert(f"Alert{n}") for n in range(501)]

    at_once = post(make.alertmanager_body(*alerts[:500], group="one"), token)
    soon = post(make.alertmanager_body(*alerts, group="two"), token)

    assert (at_once.status_code, at_once.json()["alerts"]["opened"]) == (200, 500)
    waiting = Delivery.objects.get(outcome="waiting")
    assert soon.status_code == waiting.status == 202
    assert soon.json() == {"delivery": str(waiting.pk), "alerts": {"received": 501}}
    assert Alert.objects.count() == 500
    run_all_due()
    assert Alert.objects.count() == 501


def test_a_database_that_cannot_is_503_with_retry_after(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(ingest, "_write_alerts", fail)

    answer = post(make.alertmanager_body(), token)

    assert answer.status_code == 503
    assert int(answer["Retry-After"]) > 0
    problem(answer)
    assert not Incident.objects.exists()
    assert not Delivery.objects.exists()


def test_a_token_lookup_that_fails_is_503_too(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(header: str) -> None:
        raise OperationalError("server closed the connection")

    monkeypatch.setattr(integrations, "by_authorization", fail)

    assert post(make.alertmanager_body(), token).status_code == 503


@pytest.mark.parametrize("fault", ["too_large", "too_slow"])
def test_what_the_bridge_did_not_read_is_counted_against_the_integration(token: str, fault: str) -> None:
    client = Client(headers={"authorization": f"Bearer {token}"})
    client.defaults["burnline.body_fault"] = fault

    answer = client.post(PATH, b"", content_type="application/json")

    assert answer.status_code == {"too_large": 413, "too_slow": 408}[fault]
    assert Delivery.objects.get().status == answer.status_code


def test_a_foreign_host_and_a_cookie_change_nothing(token: str) -> None:
    client = Client(enforce_csrf_checks=True)

    answer = client.post(
        PATH,
        make.alertmanager_body(),
        content_type="application/json",
        headers={"authorization": f"Bearer {token}", "host": "web.internal:8000", "cookie": "burnline=x"},
    )

    assert answer.status_code == 200
    assert not answer.cookies


def test_every_answer_carries_the_security_headers(token: str) -> None:
    for answer in (post(make.alertmanager_body(), token), post(b"", token), post(b""), Client().get(PATH)):
        assert "default-src 'none'" in answer["Content-Security-Policy"]
        assert answer["X-Content-Type-Options"] == "nosniff"


@pytest.mark.django_db(transaction=True)
def test_the_answer_comes_after_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the answer is made, no transaction is open and another connection sees the delivery."""
    _, token = make.integration()
    seen: list[tuple[bool, int]] = []

    def look(receipt: Receipt) -> bytes:
        with ThreadPoolExecutor(1) as other:
            seen.append((connection.in_atomic_block, other.submit(count).result()))
        return b"{}"

    def count() -> int:
        try:
            return Delivery.objects.count()
        finally:
            connections.close_all()

    monkeypatch.setattr(Receipt, "document", look)

    assert post(make.alertmanager_body(), token).status_code == 200
    assert seen == [(False, 1)]


@pytest.mark.django_db(transaction=True)
def test_many_at_once_about_the_same_alerts_make_one_incident_and_one_instance_each() -> None:
    """Forty deliveries of the same five alerts through four groups: what several nodes, routes and retries do."""
    _, token = make.integration()
    alerts = [make.alert(f"Alert{n}") for n in range(5)]

    def send(n: int) -> int:
        try:
            return int(post(make.alertmanager_body(*alerts, group=f"group-{n % 4}"), token).status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(send, range(40)))

    assert set(statuses) <= {200, 503}
    assert statuses.count(200) >= 36
    assert Incident.objects.count() == 1
    assert Alert.objects.filter(status="firing").count() == 5
    incident = Incident.objects.get()
    assert incident.entries.filter(kind="alerts_fired").count() == 1
    assert timeline.verify(incident) is None


@pytest.mark.django_db(transaction=True)
def test_a_delivery_waits_for_who_writes_to_its_incident(bob: Any) -> None:
    """Else both would give their entries the same place, and the delivery would have to come again."""
    _, token = make.integration()
    post(make.alertmanager_body(make.alert("A")), token)
    incident = Incident.objects.get()

    def send() -> int:
        try:
            return int(post(make.alertmanager_body(make.alert("B")), token).status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            timeline.write(incident, Entry.Kind.NOTE, "Looking", by=make.person(bob), now=NOW)
            delivery = pool.submit(send)
            time.sleep(0.3)
            assert not delivery.done()
        assert delivery.result(10) == 200

    assert timeline.verify(Incident.objects.get()) is None
    kinds = incident.entries.order_by("seq").values_list("kind", flat=True)
    assert list(kinds) == ["opened", "alerts_fired", "note", "alerts_fired"]


@pytest.mark.django_db(transaction=True)
def test_deliveries_and_people_at_once_never_deadlock(bob: Any) -> None:
    _, token = make.integration()
    post(make.alertmanager_body(make.alert("A"), make.alert("B")), token)
    incident = Incident.objects.get()

    def act(n: int) -> int:
        try:
            if n % 3 == 0:
                alerts = (make.alert("A"), make.alert("B"), make.alert(f"New{n}", starts_at=NOW + timedelta(minutes=n)))
                return int(post(make.alertmanager_body(*alerts, group=f"group-{n % 2}"), token).status_code)
            fresh = Incident.objects.get(pk=incident.pk)
            to = Incident.Status.ACKNOWLEDGED if n % 3 == 1 else Incident.Status.MITIGATED
            try:
                lifecycle.move(fresh, to, by=make.person(bob), now=NOW)
            except lifecycle.NotAllowed:
                return 409
            return 200
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(act, range(60)))

    assert set(results) <= {200, 409, 503}
    assert results[::3].count(200) >= 18
    for each in Incident.objects.all():
        assert timeline.verify(each) is None


@pytest.mark.django_db(transaction=True)
def test_nothing_of_a_delivery_is_kept_when_its_transaction_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    _, token = make.integration()

    def fail(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("disk full")

    monkeypatch.setattr(deliveries, "record", fail)

    assert post(make.alertmanager_body(), token).status_code == 503
    assert not Incident.objects.exists()
    assert not Alert.objects.exists()
    with transaction.atomic():
        assert lifecycle.next_number() == 1


def test_the_connection_that_sent_a_large_body_is_given_up(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Itself, not the proxy that `connection` is: of that, an attribute would be deleted in the end.
    monkeypatch.setattr(connections["default"], "close_at", None)
    post(make.alertmanager_body(), token)
    assert connection.close_at is None

    post(make.alertmanager_body(make.alert(annotations={"text": "x" * 1024 * 1024})), token)

    assert connection.close_at == 0
