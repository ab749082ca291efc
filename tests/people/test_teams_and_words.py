"""Teams and their members, and the words for disciplines and roles: renamed, ordered, retired, never lost."""

from __future__ import annotations

from typing import Any

from django.test import Client

from incidents import responding
from people.actors import person
from people.models import AuditEvent, Discipline, Role, Team, User
from tests import make
from tests.make import NOW


def test_everybody_sees_who_is_in_a_team_and_admins_change_it(
    client: Client, alice: User, bob: User, admin: User, charlie: User, payments: Team
) -> None:
    client.force_login(bob)
    assert "Alice" in client.get("/settings/teams/payments/").content.decode()
    assert client.post("/settings/teams/payments/members/", {"user": alice.pk, "role": ""}).status_code == 403

    client.force_login(admin)
    client.post("/settings/teams/payments/members/", {"user": charlie.pk, "role": "viewer"})
    out = client.post("/settings/teams/payments/members/", {"user": alice.pk, "role": ""}, follow=True)

    assert set(payments.memberships.values_list("user__name", "role")) == {("Bob", "manager"), ("Charlie", "viewer")}
    assert charlie.memberships.count() == 2
    assert 'name="role" value="responder"' in out.content.decode()  # the way back
    assert AuditEvent.objects.latest("seq").action == "person.role_changed"
    client.post("/settings/teams/payments/members/", {"user": alice.pk, "role": "responder"})
    assert alice.memberships.get().role == "responder"


def test_a_team_is_renamed_once_at_a_time(client: Client, admin: User, payments: Team) -> None:
    client.force_login(admin)

    assert client.post("/settings/teams/payments/", {"name": "Money", "version": 1}).status_code == 302
    assert client.post("/settings/teams/payments/", {"name": "Cash", "version": 1}).status_code == 412

    payments.refresh_from_db()
    assert (payments.name, payments.slug) == ("Money", "payments")


def test_a_retired_word_is_offered_no_longer_and_kept_by_who_has_it(
    client: Client, api: Any, admin: User, alice: User
) -> None:
    client.force_login(admin)

    done = client.post("/settings/vocabulary/discipline/data_science/", {"act": "retire"}, follow=True)

    assert 'name="act" value="offer"' in done.content.decode()
    alice.refresh_from_db()
    assert str(alice.discipline) == "Data science"
    refused = api(admin).patch(f"/api/v1/users/{alice.pk}/", {"discipline": "data_science"})
    assert refused.status_code == 422
    client.post("/settings/vocabulary/discipline/data_science/", {"act": "offer"})
    assert Discipline.objects.offered().filter(slug="data_science").exists()


def test_who_has_a_retired_discipline_keeps_it_when_something_else_is_changed(
    client: Client, admin: User, alice: User
) -> None:
    Discipline.objects.filter(slug="data_science").update(is_retired=True)
    client.force_login(admin)
    about = {"name": "Alicia", "email": alice.email, "discipline": alice.discipline_id}

    assert client.post(f"/settings/people/{alice.pk}/", about).status_code == 302

    alice.refresh_from_db()
    assert (alice.name, alice.discipline) == ("Alicia", make.discipline("data_science"))


def test_words_are_moved_and_renamed(client: Client, admin: User) -> None:
    client.force_login(admin)
    first, second = Role.objects.all()[:2]

    client.post(f"/settings/vocabulary/role/{second.slug}/", {"act": "earlier"})
    client.post(f"/settings/vocabulary/role/{second.slug}/", {"act": "earlier"})  # it is the first
    client.post(f"/settings/vocabulary/role/{first.slug}/", {"name": "Lead", "version": first.version})

    assert [role.slug for role in Role.objects.all()[:2]] == [second.slug, first.slug]
    first.refresh_from_db()
    assert first.name == "Lead"
    assert client.post("/settings/vocabulary/role/scribe/", {"name": "x", "version": 9}).status_code == 412
    assert client.post("/settings/vocabulary/colour/scribe/", {"act": "retire"}).status_code == 404


def test_programs_see_versions_of_words_and_are_told_when_they_moved(api: Any, admin: User) -> None:
    client = api(admin)
    seen = client.get("/api/v1/disciplines/sre/")

    changed = client.patch("/api/v1/disciplines/sre/", {"is_retired": True}, headers={"If-Match": seen["ETag"]})
    late = client.patch("/api/v1/disciplines/sre/", {"name": "x"}, headers={"If-Match": seen["ETag"]})

    assert seen["ETag"] == '"1"'
    assert (changed.status_code, changed.json()["version"], changed.json()["is_retired"]) == (200, 2, True)
    assert late.status_code == 412


def test_people_are_found_by_name_or_e_mail(client: Client, alice: User, bob: User) -> None:
    client.force_login(bob)

    found = client.get("/settings/people/?q=ALICE example").content.decode()

    assert "alice@example.com" in found
    assert "bob@example.com" not in found
    assert "Nobody is like this" in client.get("/settings/people/?q=zorro").content.decode()


def test_words_tell_how_often_they_are_used(client: Client, admin: User, alice: User) -> None:
    client.force_login(alice)
    commander = make.role("commander")
    for incident in (make.incident(), make.incident()):
        responding.assign_role(incident, commander, alice, by=person(admin), now=NOW)

    shown = client.get("/settings/vocabulary/").content.decode()

    assert "in 2 incidents" in shown
    assert shown.count("in 2 incidents") == 1
    assert shown.count("1 person") >= 1
