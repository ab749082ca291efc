"""What operators ask: is it ready, if not why, and who may read the figures."""

from __future__ import annotations

import time
from datetime import timedelta
from socket import create_server
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from common import backlog, engine, health


@pytest.fixture
def setting(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`setting(metrics_token="known")`, for this test."""

    def change(**changes: object) -> None:
        monkeypatch.setattr(settings, "ENV", settings.ENV.model_copy(update=changes))

    return change


def ready(client: Client) -> tuple[int, Any]:
    response = client.get("/readyz")
    return response.status_code, response.json()


# The figures' door


@pytest.mark.django_db
def test_the_metrics_are_closed_until_they_have_a_token_or_a_network(client: Client) -> None:
    assert settings.ENV.metrics_token == settings.ENV.metrics_networks == ""

    for sent in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer a"}):
        assert client.get("/metrics", headers=sent).status_code == 401


@pytest.mark.django_db
def test_the_metrics_are_for_who_knows_their_token(client: Client, setting: Any) -> None:
    setting(metrics_token="known")

    assert client.get("/metrics", headers={"Authorization": "Bearer other"}).status_code == 401
    assert client.get("/metrics", headers={"Authorization": "Bearer known"}).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("networks", "address", "status"),
    [
        ("10.0.0.0/8, 192.168.7.0/24", "192.168.7.1", 200),
        ("10.0.0.0/8", "::ffff:10.1.2.3", 200),
        ("fd00::/8", "fd00::1", 200),
        ("10.0.0.0/8", "11.0.0.1", 401),
        ("10.0.0.0/8", "no address", 401),
    ],
)
def test_the_metrics_are_for_an_allowed_network(
    client: Client, setting: Any, networks: str, address: str, status: int
) -> None:
    setting(metrics_networks=networks)

    assert client.get("/metrics", REMOTE_ADDR=address).status_code == status


@pytest.mark.django_db
def test_behind_a_proxy_the_network_is_that_of_who_came_to_it(client: Client, setting: Any) -> None:
    setting(metrics_networks="10.0.0.0/8", proxies=1)

    def come(forwarded: str) -> int:
        return client.get("/metrics", REMOTE_ADDR="10.0.0.1", headers={"X-Forwarded-For": forwarded}).status_code

    assert come("8.8.8.8") == 401
    assert come("10.0.0.9, 8.8.8.8") == 401  # what he says of himself
    assert come("10.0.0.9") == 200


def test_probes_come_to_an_address_that_is_no_host_of_ours(client: Client) -> None:
    assert client.get("/livez", headers={"Host": "10.42.0.17:8000"}).status_code == 200
    assert client.get("/sign-in/", headers={"Host": "10.42.0.17:8000"}).status_code == 400


# Ready


@pytest.mark.django_db
def test_an_installation_whose_engine_never_ran_is_not_ready_and_says_so(client: Client) -> None:
    status, answer = ready(client)

    assert status == 503
    assert answer["reasons"] == ["the engine has never ticked: is manage.py engine running?"]


@pytest.mark.django_db
def test_an_installation_whose_engine_stopped_is_not_ready_and_says_since_when(client: Client) -> None:
    engine.beat(now=timezone.now() - timedelta(seconds=40))

    status, answer = ready(client)

    assert status == 503
    assert answer["reasons"][0].startswith("the engine has not ticked for 40 seconds")


@pytest.mark.django_db
def test_an_installation_whose_engine_ticks_is_ready(client: Client) -> None:
    engine.beat(now=timezone.now())

    assert ready(client) == (200, {"ready": True, "reasons": [], "warnings": []})


@pytest.mark.django_db
def test_without_a_database_it_is_not_ready_and_tells_nobody_its_address(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> None:
        raise OperationalError("connection to server at db.internal failed")

    monkeypatch.setattr(engine, "prove_writable", fails)

    status, answer = ready(client)

    assert status == 503
    assert answer["reasons"] == ["the database takes no writes (OperationalError); the log says more"]


@pytest.mark.django_db
def test_work_that_was_given_up_or_waits_long_is_a_warning_and_no_reason(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    engine.beat(now=now)
    late = backlog.Backlog("notifications.delivery", 12, now - timedelta(seconds=90), 0)
    stuck = backlog.Backlog("alerts.fanout", 3, now - timedelta(seconds=50), 2)
    monkeypatch.setattr(backlog, "of_all_kinds", lambda now: [late, stuck])

    status, answer = ready(client)

    assert status == 200
    assert answer["warnings"] == [
        "notifications.delivery: 12 due, the oldest for 90 seconds",
        "alerts.fanout: 2 given up; an admin can look at them and try again",
    ]


@pytest.mark.django_db
def test_a_redis_that_hangs_is_a_warning_within_a_moment(client: Client, setting: Any) -> None:
    engine.beat(now=timezone.now())
    with create_server(("127.0.0.1", 0)) as never_answers:
        setting(redis_url=f"redis://:canary@127.0.0.1:{never_answers.getsockname()[1]}/0")
        list(health._redis_warnings())  # redis is imported now
        began = time.monotonic()

        status, answer = ready(client)

        assert time.monotonic() - began < 1
    assert status == 200
    (warning,) = answer["warnings"]
    assert warning.startswith("Redis does not answer")
    assert "canary" not in warning


@pytest.mark.django_db
def test_the_probe_of_the_process_asks_nothing_of_the_database(client: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert client.get("/livez").status_code == 200
