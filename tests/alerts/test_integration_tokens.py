"""A new token beside the old one, integrations that are switched off, and a test alert that goes the way of all."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from alerts import integrations, testing
from alerts.models import Alert, Delivery, Integration
from common.errors import Forbidden, Invalid
from incidents.models import Incident
from people.models import AuditEvent, User
from tests import make
from tests.make import NOW, SYSTEM

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> None:
    integrations.forget()


def posted(client: Client, token: str) -> int:
    integrations.forget()
    return client.post(
        "/webhooks/alertmanager/",
        make.alertmanager_body(),
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}"},
    ).status_code


def test_two_tokens_count_until_the_old_one_is_over(client: Client, db: None) -> None:
    integration, first = make.integration()
    second = integrations.rotate(integration, by=SYSTEM, now=timezone.now(), keep_old_for=DAY)

    assert (posted(client, first), posted(client, second)) == (200, 200)

    Integration.objects.update(old_token_until=timezone.now() - timedelta(seconds=1))

    assert (posted(client, first), posted(client, second)) == (401, 200)


def test_a_third_token_ends_the_first(client: Client, db: None) -> None:
    integration, first = make.integration()
    second = integrations.rotate(integration, by=SYSTEM, now=timezone.now(), keep_old_for=DAY)
    third = integrations.rotate(integration, by=SYSTEM, now=timezone.now(), keep_old_for=DAY)

    assert [posted(client, token) for token in (first, second, third)] == [401, 200, 200]


def test_without_a_grace_the_old_token_stops(client: Client, db: None) -> None:
    integration, first = make.integration()
    integrations.rotate(integration, by=SYSTEM, now=timezone.now(), keep_old_for=DAY)
    last = integrations.rotate(integration, by=SYSTEM, now=timezone.now())

    assert [posted(client, token) for token in (first, last)] == [401, 200]
    integration.refresh_from_db()
    assert integration.old_token_hash is None


def test_the_old_token_can_be_ended_before_its_time(client: Client, admin: User) -> None:
    integration, first = make.integration()
    integrations.rotate(integration, by=SYSTEM, now=timezone.now(), keep_old_for=DAY)

    assert integrations.end_old_token(integration, by=make.person(admin), now=timezone.now())
    assert not integrations.end_old_token(integration, by=make.person(admin), now=timezone.now())

    assert posted(client, first) == 401
    assert AuditEvent.objects.latest("seq").action == "integration.old_token_ended"


def test_an_old_token_goes_on_for_a_week_at_most(db: None) -> None:
    integration, _ = make.integration()

    with pytest.raises(Invalid):
        integrations.rotate(integration, by=SYSTEM, now=NOW, keep_old_for=timedelta(days=8))


def test_the_page_makes_a_token_beside_the_old_one_and_shows_it_once(client: Client, admin: User) -> None:
    _, first = make.integration()
    client.force_login(admin)

    shown = client.post("/settings/integrations/production/rotate/", {"keep_old_for": "86400"})

    assert shown["Cache-Control"] == "no-store"
    integration = Integration.objects.get()
    assert integration.old_token_hint == first[:8]
    after = client.get("/settings/integrations/production/").content.decode()
    assert "still counts" in after
    assert f"{integration.token_hint}</span>" in after


def test_programs_say_for_how_long_the_old_one_goes_on(api: Any, client: Client, admin: User) -> None:
    _, first = make.integration()

    answer = api(admin).post("/api/v1/integrations/production/rotate/", {"keep_old_for": 3600})

    assert answer.json()["old_token_hint"] == first[:8]
    assert posted(client, first) == posted(client, answer.json()["token"]) == 200
    assert api(admin).post("/api/v1/integrations/production/rotate/", {"keep_old_for": 10**6}).status_code == 422


def test_what_is_switched_off_refuses_and_forgets_nothing(client: Client, admin: User) -> None:
    _, token = make.integration()
    assert posted(client, token) == 200
    client.force_login(admin)

    done = client.post("/settings/integrations/production/switch/", {"on": "no"}, follow=True).content.decode()

    assert posted(client, token) == 401
    assert Delivery.objects.count() == 1
    assert 'name="on" value="yes"' in done  # the way back
    assert AuditEvent.objects.latest("seq").action == "integration.deactivated"
    client.post("/settings/integrations/production/switch/", {"on": "yes"})
    assert posted(client, token) == 200


def test_a_test_alert_becomes_an_incident_that_is_a_drill(admin: User) -> None:
    integration, _ = make.integration()

    tested = testing.send(integration, by=make.person(admin), now=NOW)

    incident = Incident.objects.get()
    assert tested.incident == incident
    assert (incident.is_drill, incident.severity, incident.status) == (True, "sev5", "triggered")
    delivery = Delivery.objects.get(pk=tested.delivery)
    assert (delivery.outcome, delivery.status, delivery.integration) == ("taken", 200, integration)
    assert delivery.raw is not None
    assert AuditEvent.objects.filter(action="integration.tested", actor_user=admin).exists()


def test_each_test_is_an_incident_of_its_own_and_can_be_ended(admin: User) -> None:
    integration, _ = make.integration()
    by = make.person(admin)
    for minute in range(2):
        testing.send(integration, by=by, now=NOW + timedelta(minutes=minute))
    assert Incident.objects.count() == 2

    assert testing.end(integration, by=by, now=NOW + timedelta(minutes=3)) == 2

    assert set(Alert.objects.values_list("status", flat=True)) == {"resolved"}
    assert testing.end(integration, by=by, now=NOW + timedelta(minutes=4)) == 0


def test_what_is_off_cannot_be_tested_and_others_may_not(api: Any, admin: User, bob: User) -> None:
    integration, _ = make.integration()
    with pytest.raises(Forbidden):
        testing.send(integration, by=make.person(bob), now=NOW)
    assert api(bob).post("/api/v1/integrations/production/test/").status_code == 403
    integrations.change(integration, {"is_active": False}, by=SYSTEM, now=NOW)

    refused = api(admin).post("/api/v1/integrations/production/test/")

    assert (refused.status_code, refused.json()["code"]) == (409, "integration_off")
    assert not Incident.objects.exists()


def test_the_page_leads_from_a_test_to_its_incident(client: Client, admin: User) -> None:
    make.integration()
    client.force_login(admin)

    page = client.post("/settings/integrations/production/test/", follow=True).content.decode()

    incident = Incident.objects.get()
    assert f'<a href="{incident.get_absolute_url()}">INC-{incident.number}</a>' in page
    client.post("/settings/integrations/production/test/end/")
    assert not Alert.objects.filter(status="firing").exists()


def test_an_integration_is_renamed_once_at_a_time(client: Client, admin: User) -> None:
    make.integration()
    client.force_login(admin)

    assert client.post("/settings/integrations/production/", {"name": "Live", "version": 1}).status_code == 302
    late = client.post("/settings/integrations/production/", {"name": "Other", "version": 1})

    assert late.status_code == 412
    assert Integration.objects.get().name == "Live"
