"""REST of services and models."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.test import Client

from people.models import Team, User
from tests import make
from tests.conftest import Api


def test_a_manager_writes_down_a_service_of_their_team(api: Api, bob: User) -> None:
    make.service("ledger")

    answer = api(bob).post(
        "/api/v1/services/", {"name": "Checkout", "team": "payments", "tier": 1, "depends_on": ["ledger"]}
    )

    assert answer.status_code == 201
    service = answer.json()
    assert (service["slug"], service["team"], service["tier"]) == ("checkout", "payments", 1)
    assert service["depends_on"] == ["ledger"]
    assert service["version"] == 1


def test_not_of_another_team_and_no_responder_at_all(api: Api, alice: User, bob: User, search: Team) -> None:
    assert api(bob).post("/api/v1/services/", {"name": "Index", "team": "search"}).status_code == 403
    assert api(alice).post("/api/v1/services/", {"name": "Index", "team": "payments"}).status_code == 403

    make.service("index", search)
    assert api(bob).patch("/api/v1/services/index/", {"team": "payments"}).status_code == 403

    api(bob).post("/api/v1/services/", {"name": "Checkout", "team": "payments"})
    assert api(bob).patch("/api/v1/services/checkout/", {"team": "search"}).status_code == 403


def test_a_change_says_what_it_began_from(api: Api, bob: User, payments: Team) -> None:
    make.service("checkout", payments)
    client = api(bob)

    assert client.patch("/api/v1/services/checkout/", {"tier": 2}, headers={"If-Match": '"1"'}).status_code == 200
    late = client.patch("/api/v1/services/checkout/", {"tier": 4}, headers={"If-Match": '"1"'})

    assert late.status_code == 412
    assert late.json()["current"]["tier"] == 2


def test_what_changes_nothing_leaves_the_version(api: Api, bob: User, payments: Team) -> None:
    make.service("checkout", payments)

    answer = api(bob).patch("/api/v1/services/checkout/", {"tier": 3, "depends_on": []})

    assert answer.json()["version"] == 1


def test_a_service_does_not_depend_on_itself(api: Api, bob: User, payments: Team) -> None:
    make.service("checkout", payments)

    answer = api(bob).patch("/api/v1/services/checkout/", {"tier": 1, "depends_on": ["checkout"]})

    assert answer.status_code == 422
    assert api(bob).get("/api/v1/services/checkout/").json()["tier"] == 3


def test_what_cannot_be_used_is_told_by_field(api: Api, bob: User) -> None:
    answer = api(bob).post("/api/v1/services/", {"name": "x", "slug": "No Slug", "team": "nowhere", "tier": 9})

    assert answer.status_code == 422
    assert {each["field"] for each in answer.json()["errors"]} == {"slug", "team", "tier"}


def test_new_is_the_address_of_a_page(api: Api, bob: User) -> None:
    for sent in ({"name": "New", "team": "payments"}, {"name": "x", "slug": "new", "team": "payments"}):
        assert api(bob).post("/api/v1/services/", sent).json()["errors"][0]["field"] == "slug"


def test_models_belong_to_services(api: Api, bob: User, payments: Team) -> None:
    make.service("checkout", payments)
    client = api(bob)

    made = client.post("/api/v1/models/", {"name": "Fraud score", "service": "checkout"})

    assert made.status_code == 201
    assert made.json()["service"] == "checkout"
    assert made.json()["team"] is None
    changed = client.patch("/api/v1/models/fraud-score/", {"service": None, "team": "payments"})
    assert (changed.json()["service"], changed.json()["team"]) == (None, "payments")
    assert client.get("/api/v1/models/?team=payments,search&q=FRAUD").json()["results"][0]["slug"] == "fraud-score"


def test_a_list_of_services_costs_the_same_however_many(
    api: Api, victor: User, payments: Team, django_assert_max_num_queries: Any
) -> None:
    base = make.service("base", payments)
    for number in range(10):
        make.service(f"service-{number}", payments, depends_on=[base])
    client = api(victor)

    with django_assert_max_num_queries(5):
        assert len(client.get("/api/v1/services/").json()["results"]) == 11


def test_everything_says_on_which_page_a_member_finds_it(
    api: Api, client: Client, victor: User, payments: Team
) -> None:
    make.service("checkout", payments)
    make.model("fraud", payments)
    client.force_login(victor)

    for kind in ("services", "models", "teams", "users"):
        shown = api(victor).get(f"/api/v1/{kind}/").json()["results"][0]
        assert shown["url"].startswith(f"{settings.ENV.public_url}/")
        assert client.get(urlsplit(shown["url"]).path).status_code == 200
