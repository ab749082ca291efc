"""What a real Alertmanager sent, posted in order: no 5xx, and at the end every alert is as its source left it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from alerts import grace
from incidents.models import Incident
from tests import captures, make


@pytest.mark.django_db
@pytest.mark.parametrize("scenario", captures.EXPECTED)
def test_a_capture_ends_in_the_state_that_its_source_left(client: Client, scenario: str) -> None:
    integration, token = make.integration()

    for body in captures.bodies(scenario):
        answer = client.post(
            "/webhooks/alertmanager/",
            body,
            content_type="application/json",
            headers={"authorization": f"Bearer {token}"},
        )
        assert answer.status_code == 200, answer.content
    grace.end(now=timezone.now() + timedelta(seconds=settings.ENV.provisional_grace))

    captures.assert_ended_right(integration, scenario)


@pytest.mark.django_db
@pytest.mark.parametrize("scenario", ["flap_within_interval", "flapping", "ha_stale_firing", "two_routes", "repeat"])
def test_one_trouble_is_one_incident(client: Client, scenario: str) -> None:
    _, token = make.integration()

    for body in captures.bodies(scenario):
        client.post(
            "/webhooks/alertmanager/",
            body,
            content_type="application/json",
            headers={"authorization": f"Bearer {token}"},
        )

    assert Incident.objects.count() == 1
