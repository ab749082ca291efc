"""What operators ask."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.test import Client


def test_the_metrics_are_closed_until_they_have_a_token(client: Client) -> None:
    assert settings.ENV.metrics_token == ""

    for sent in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer a"}):
        assert client.get("/metrics", headers=sent).status_code == 401


def test_the_metrics_are_for_who_knows_their_token(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "ENV", settings.ENV.model_copy(update={"metrics_token": "known"}))

    assert client.get("/metrics", headers={"Authorization": "Bearer other"}).status_code == 401
    assert client.get("/metrics", headers={"Authorization": "Bearer known"}).status_code == 200
