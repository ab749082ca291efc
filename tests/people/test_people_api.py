"""REST of people, teams, disciplines and roles."""

from __future__ import annotations

from typing import Any

from people.models import Team, User
from tests import make
from tests.conftest import Api


def test_an_admin_adds_somebody_with_their_teams(api: Api, admin: User, payments: Team) -> None:
    answer = api(admin).post(
        "/api/v1/users/",
        {
            "email": "Dana@Example.com",
            "name": "Dana",
            "discipline": "data_science",
            "memberships": [{"team": "payments", "role": "manager"}],
        },
    )

    assert answer.status_code == 201
    assert answer.headers["ETag"] == '"1"'
    dana = answer.json()
    assert dana["email"] == "dana@example.com"
    assert dana["discipline"] == "data_science"
    assert dana["memberships"] == [{"team": "payments", "role": "manager"}]
    assert dana["time_zone"] is None
    assert not User.objects.get(pk=dana["id"]).has_usable_password()


def test_a_password_given_by_a_program_is_as_strong_as_everybodys(api: Api, admin: User) -> None:
    def add(password: str) -> int:
        said = {"email": "dana@example.com", "name": "Dana", "password": password}
        return api(admin).post("/api/v1/users/", said).status_code

    assert [add("short"), add("Password2026!"), add("dana@example.com")] == [422, 422, 422]
    assert add("four quiet words here") == 201


def test_nobody_else_does(api: Api, bob: User) -> None:
    answer = api(bob).post("/api/v1/users/", {"email": "x@example.com", "name": "X"})

    assert answer.status_code == 403
    assert answer.json()["code"] == "forbidden"


def test_faults_are_told_by_field(api: Api, admin: User, alice: User) -> None:
    taken = api(admin).post("/api/v1/users/", {"email": alice.email.upper(), "name": "Other"})
    wrong = api(admin).post(
        "/api/v1/users/",
        {"email": "x", "name": "", "colour": 1, "memberships": [{"team": "nowhere", "role": "king"}]},
    )

    assert taken.status_code == 422
    assert taken.json()["errors"] == [{"field": "email", "message": "Taken."}]
    assert wrong.headers["Content-Type"] == "application/problem+json"
    assert [each["field"] for each in wrong.json()["errors"]] == ["colour"]


def test_the_last_admin_stays(api: Api, admin: User) -> None:
    answer = api(admin).patch(f"/api/v1/users/{admin.pk}/", {"is_active": False, "name": "Gone"})

    assert answer.status_code == 409
    assert answer.json()["code"] == "last_admin"
    admin.refresh_from_db()
    assert (admin.is_active, admin.name) == (True, "Admin")


def test_who_is_deactivated_is_known_no_more(api: Api, admin: User, alice: User) -> None:
    hers = api(alice)
    assert hers.get("/api/v1/users/").status_code == 200

    assert api(admin).patch(f"/api/v1/users/{alice.pk}/", {"is_active": False}).status_code == 200

    assert hers.get("/api/v1/users/").status_code == 401


def test_who_changes_what_has_moved_is_told_what_stands(api: Api, admin: User, alice: User) -> None:
    client = api(admin)
    client.patch(f"/api/v1/users/{alice.pk}/", {"name": "Alice B"})

    late = client.patch(f"/api/v1/users/{alice.pk}/", {"name": "Alice C"}, headers={"If-Match": '"1"'})
    in_time = client.patch(f"/api/v1/users/{alice.pk}/", {"name": "Alice D"}, headers={"If-Match": '"2"'})

    assert late.status_code == 412
    assert late.json()["current"]["name"] == "Alice B"
    assert in_time.status_code == 200
    assert in_time.headers["ETag"] == '"3"'


def test_who_has_the_version_gets_no_body(api: Api, victor: User) -> None:
    client = api(victor)
    address = f"/api/v1/users/{victor.pk}/"

    answer = client.get(address, headers={"If-None-Match": client.get(address).headers["ETag"]})

    assert answer.status_code == 304
    assert answer.content == b""


def test_lists_are_narrowed(api: Api, alice: User, charlie: User) -> None:
    def names(query: str) -> list[str]:
        return [each["name"] for each in api(alice).get(f"/api/v1/users/?{query}").json()["results"]]

    assert names("team=search") == ["Charlie"]
    assert names("discipline=data_science") == ["Alice"]
    assert names("q=LI") == ["Alice", "Charlie"]


def test_a_list_of_people_costs_the_same_however_many(
    api: Api, admin: User, payments: Team, django_assert_max_num_queries: Any
) -> None:
    for number in range(20):
        make.user(f"Person {number}", {payments: "responder"}, discipline="sre")
    client = api(admin)

    with django_assert_max_num_queries(6):
        assert len(client.get("/api/v1/users/").json()["results"]) == 21


def test_teams_disciplines_and_roles_are_data(api: Api, admin: User) -> None:
    client = api(admin)

    team = client.post("/api/v1/teams/", {"name": "Site reliability"})
    discipline = client.post("/api/v1/disciplines/", {"name": "Legal", "slug": "legal"})
    role = client.post("/api/v1/roles/", {"name": "Translator", "is_exclusive": True})

    assert [team.status_code, discipline.status_code, role.status_code] == [201, 201, 201]
    assert team.json()["slug"] == "site-reliability"
    assert client.get("/api/v1/disciplines/").json()["results"][-1]["slug"] == "legal"
    assert client.get("/api/v1/roles/translator/").json()["is_exclusive"] is True
    renamed = client.patch("/api/v1/disciplines/legal/", {"name": "Law", "position": 0})
    assert {"slug": "legal", "name": "Law", "position": 0, "version": 2}.items() <= renamed.json().items()
    assert client.post("/api/v1/teams/", {"name": "Site reliability"}).json()["code"] == "slug_taken"


def test_the_vocabulary_at_the_start_is_the_contracts(api: Api, victor: User) -> None:
    def slugs(what: str) -> list[str]:
        return [each["slug"] for each in api(victor).get(f"/api/v1/{what}/").json()["results"]]

    assert slugs("disciplines") == [
        *("sre", "software", "data_science", "ml_engineering", "data_engineering", "product", "support", "security"),
        *("privacy", "management"),
    ]
    assert slugs("roles") == [
        *("commander", "operations_lead", "communications_lead", "scribe", "data_scientist", "ml_engineer"),
        *("data_engineer", "model_owner", "subject_expert", "security_responder", "privacy_officer"),
        *("executive_sponsor", "customer_liaison"),
    ]
