"""Whatever administrators and managers change is in the audit log, and so is every change of a credential."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from alerts import integrations
from home import bootstrap
from incidents import fields
from notifications import methods
from people import audit, directory, passwords, tokens
from people.models import AuditEvent, Team, Token, User
from tests import make
from tests.make import NOW, SYSTEM


def last() -> AuditEvent:
    return AuditEvent.objects.latest("seq")


def acts() -> list[str]:
    return list(AuditEvent.objects.order_by("seq").values_list("action", flat=True))


def test_what_somebody_may_do_is_told_apart_from_what_they_are_called(
    admin: User, alice: User, payments: Team, search: Team
) -> None:
    seen = len(acts())

    directory.change_user(
        alice,
        {"name": "Alicia", "is_admin": True},
        by=make.person(admin),
        now=NOW,
        memberships={payments: "manager", search: "viewer"},
    )

    changed, moved = AuditEvent.objects.filter(seq__gt=seen).order_by("seq")
    assert (changed.action, changed.before, changed.after) == (
        "person.changed",
        {"name": "Alice"},
        {"name": "Alicia"},
    )
    assert moved.action == "person.role_changed"
    assert moved.before == {"is_admin": False, "teams": {"Payments": "responder"}}
    assert moved.after == {"is_admin": True, "teams": {"Payments": "manager", "Search": "viewer"}}
    assert moved.actor_user == admin


def test_who_may_no_longer_come_in_is_told(admin: User, alice: User) -> None:
    directory.change_user(alice, {"is_active": False}, by=make.person(admin), now=NOW)
    directory.change_user(alice, {"is_active": True}, by=make.person(admin), now=NOW)

    assert acts()[-2:] == ["person.deactivated", "person.reactivated"]


def test_what_changes_nothing_is_not_told(admin: User, alice: User, payments: Team) -> None:
    seen = acts()

    directory.change_user(alice, {"name": "Alice"}, by=make.person(admin), now=NOW)
    directory.change(payments, {"name": "Payments"}, by=make.person(admin), now=NOW)

    assert acts() == seen


def test_a_password_is_told_to_have_changed_and_nothing_of_it(alice: User) -> None:
    passwords.change(alice, "a canary of a password", by=make.person(alice), now=NOW)

    assert (last().action, last().actor_user, last().object_id) == ("password.changed", alice, str(alice.pk))
    assert "canary" not in str(vars(last()))


def test_tokens_are_told_without_their_secret(admin: User, alice: User) -> None:
    token, secret = tokens.issue(
        alice, "Deploys", ["read"], by=make.person(alice), now=NOW, expires_at=NOW + timedelta(days=1)
    )
    issued = last()
    tokens.revoke(token, by=make.person(admin), now=NOW)
    tokens.revoke(token, by=make.person(admin), now=NOW)

    assert (issued.action, issued.object_name, issued.after["owner"], issued.after["scopes"]) == (
        "token.issued",
        "Deploys",
        "Alice",
        ["read"],
    )
    assert secret not in str(vars(issued))
    assert acts().count("token.revoked") == 1
    assert (last().actor_user, last().before["owner"]) == (admin, "Alice")


def test_integrations_are_told_without_their_tokens(admin: User) -> None:
    integration, first = integrations.create("Production", by=make.person(admin), now=NOW)
    integrations.change(integration, {"name": "Live"}, by=make.person(admin), now=NOW)
    second = integrations.rotate(integration, by=make.person(admin), now=NOW)

    added, changed, rotated = AuditEvent.objects.filter(object_kind="integration").order_by("seq")
    assert added.after["name"] == "Production"
    assert (changed.before, changed.after) == ({"name": "Production"}, {"name": "Live"})
    assert (rotated.before, rotated.after) == ({"token_hint": first[:8]}, {"token_hint": second[:8]})
    assert not any(secret in str(vars(event)) for event in (added, changed, rotated) for secret in (first, second))


def test_contact_methods_are_told_with_no_more_of_the_address_than_may_be_shown(alice: User) -> None:
    address = "https://hooks.slack.com/services/T0/B0/canary"
    method, _ = methods.add(alice, "slack", address, now=NOW)
    added = last()
    methods.switch(method, on=False, now=NOW)
    methods.switch(method, on=False, now=NOW)
    methods.remove(method, now=NOW)

    assert acts()[-3:] == ["contact_method.added", "contact_method.changed", "contact_method.removed"]
    assert added.actor_user == alice
    assert not any("canary" in str(vars(event)) for event in AuditEvent.objects.all())


def test_who_sees_an_incident_and_what_its_figures_say_is_told(bob: User, payments: Team) -> None:
    incident = make.incident(payments, by=bob)
    seen = len(acts())

    moment = NOW - timedelta(minutes=5)
    fields.change(incident, {"title": "Other words"}, by=make.person(bob), now=NOW)
    changes = {"is_private": True, "detected_at": moment}
    fields.change(incident, changes, by=make.person(bob), now=NOW, reason="The log says so")

    privacy, moments = AuditEvent.objects.filter(seq__gt=seen).order_by("seq")
    assert (privacy.action, privacy.object_id, privacy.after) == (
        "incident.privacy_changed",
        str(incident.number),
        {"is_private": True},
    )
    assert (moments.action, moments.after) == ("incident.moments_corrected", {"detected_at": moment.isoformat()})


# Every route whose writing is for managers or administrators: what is sent, and what the log says then.
WRITES: list[tuple[str, str, dict[str, Any], str]] = [
    ("post", "/api/v1/users/", {"email": "new@example.com", "name": "New"}, "person.added"),
    ("patch", "/api/v1/users/{alice}/", {"name": "Alicia"}, "person.changed"),
    ("post", "/api/v1/teams/", {"name": "Ranking"}, "team.added"),
    ("patch", "/api/v1/teams/payments/", {"name": "Money"}, "team.changed"),
    ("post", "/api/v1/disciplines/", {"name": "Legal"}, "discipline.added"),
    ("patch", "/api/v1/disciplines/sre/", {"name": "Reliability"}, "discipline.changed"),
    ("post", "/api/v1/roles/", {"name": "Runner"}, "role.added"),
    ("patch", "/api/v1/roles/scribe/", {"name": "Writer"}, "role.changed"),
    ("post", "/api/v1/tokens/", {"name": "Deploys", "scopes": ["read"]}, "token.issued"),
    ("post", "/api/v1/integrations/", {"name": "Staging"}, "integration.added"),
    ("patch", "/api/v1/integrations/production/", {"name": "Live"}, "integration.changed"),
    ("post", "/api/v1/integrations/production/rotate/", {}, "integration.token_rotated"),
    ("post", "/api/v1/services/", {"name": "Cart"}, "service.added"),
    ("patch", "/api/v1/services/checkout/", {"tier": 1}, "service.changed"),
    ("post", "/api/v1/models/", {"name": "Ranker"}, "model.added"),
    ("patch", "/api/v1/models/fraud/", {"name": "Fraud 2"}, "model.changed"),
    ("post", "/api/v1/slos/", {"name": "Fast", "service": "checkout", "target": "0.99"}, "slo.added"),
    ("patch", "/api/v1/slos/checkout-availability/", {"target": "0.99"}, "slo.changed"),
]


@pytest.fixture
def administered(api: Any, admin: User, alice: User, payments: Team) -> APIClient:
    make.integration()
    make.slo(of=make.service("checkout", payments))
    make.model("fraud", payments)
    client: APIClient = api(admin)
    return client


@pytest.mark.parametrize(("method", "path", "sent", "action"), WRITES)
def test_a_program_that_administers_is_recorded(
    administered: APIClient, alice: User, method: str, path: str, sent: dict[str, Any], action: str
) -> None:
    answer = getattr(administered, method)(path.format(alice=alice.pk), sent, REMOTE_ADDR="198.51.100.7")

    assert answer.status_code in (200, 201), answer.content
    event = last()
    assert (event.action, event.actor_type, event.address) == (action, "bot", "198.51.100.7")
    assert audit.verify() is None


def test_a_page_that_administers_is_recorded_as_the_person(client: Client, admin: User) -> None:
    client.force_login(admin)

    client.post("/settings/teams/new/", {"name": "Ranking"})

    assert (last().action, last().actor_type, last().actor_user) == ("team.added", "user", admin)


def test_what_an_installation_begins_with_is_recorded_too(db: None) -> None:
    bootstrap.bootstrap(now=NOW)

    assert {"person.added", "team.added", "integration.added", "token.issued"} <= set(acts())
    assert set(AuditEvent.objects.values_list("actor_type", flat=True)) == {SYSTEM.type.value}
    assert Token.objects.count() == 1
