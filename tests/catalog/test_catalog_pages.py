"""Pages of services and models: everybody reads them, managers of the team change them."""

import pytest

from catalog.models import Model, Service
from people.models import Team, User
from tests import make
from tests.browsing import grows, page, signed_in


def test_everybody_reads_what_is_run_and_by_whom(payments: Team, victor: User) -> None:
    scorer = make.service("fraud-scorer", payments, tier=1, depends_on=[make.service("feature-store")])
    make.model("fraud-v14", payments, service=scorer)

    shown = page(victor, "/services/")

    assert "Fraud scorer" in shown
    assert "Fraud v14" in shown
    assert "Feature store" in shown
    assert "/services/new/" not in shown
    assert "/services/fraud-scorer/edit/" not in shown


def test_an_empty_catalogue_says_what_to_do_next(payments: Team, victor: User, bob: User) -> None:
    assert "Add the first service" in page(bob, "/services/")
    assert "Add the first service" not in page(victor, "/services/")


def test_a_manager_adds_a_service_and_a_model_and_changes_them(payments: Team, bob: User) -> None:
    client = signed_in(bob)

    added = client.post("/services/new/", {"name": "Fraud scorer", "team": payments.pk, "tier": "1"}, follow=True)
    service = Service.objects.get(slug="fraud-scorer")
    client.post("/models/new/", {"name": "Fraud v14", "service": service.pk, "team": payments.pk})
    changed = {"name": "Fraud scoring", "team": payments.pk, "tier": "2", "version": service.version}
    client.post("/services/fraud-scorer/edit/", changed)

    assert "Fraud scorer is written down." in added.content.decode()
    assert Model.objects.get(slug="fraud-v14").service == service
    service.refresh_from_db()
    assert (service.name, service.tier) == ("Fraud scoring", 2)


def test_what_is_wrong_is_told_beside_the_field_and_what_was_typed_stays(payments: Team, bob: User) -> None:
    make.service("checkout", payments)

    typed = {"name": "Checkout again", "slug": "checkout", "team": payments.pk, "tier": "2"}
    response = signed_in(bob).post("/services/new/", typed)

    assert response.status_code == 422
    assert "Taken." in response.content.decode()
    assert 'value="Checkout again"' in response.content.decode()


def test_of_two_who_change_a_service_the_second_is_told_and_loses_nothing(payments: Team, bob: User) -> None:
    service = make.service("checkout", payments)
    client = signed_in(bob)
    first = {"name": "Checkout EU", "team": payments.pk, "tier": "1", "version": 1}
    client.post("/services/checkout/edit/", first)

    second = client.post("/services/checkout/edit/", {**first, "name": "Checkout of Europe"})

    assert second.status_code == 412
    assert 'value="Checkout of Europe"' in second.content.decode()
    assert 'name="version" value="2"' in second.content.decode()
    service.refresh_from_db()
    assert service.name == "Checkout EU"


@pytest.mark.parametrize("path", ["/services/new/", "/models/new/", "/services/checkout/edit/", "/models/ranker/edit/"])
def test_only_managers_open_the_forms(path: str, payments: Team, search: Team, alice: User, charlie: User) -> None:
    make.service("checkout", payments)
    make.model("ranker", payments)

    assert signed_in(alice).get(path).status_code == 403
    assert signed_in(charlie).get(path).status_code == 403


def test_a_manager_of_another_team_neither_sees_the_button_nor_may(payments: Team, search: Team, bob: User) -> None:
    make.service("ranker", search)
    client = signed_in(bob)

    assert "/services/ranker/edit/" not in client.get("/services/").content.decode()
    assert client.get("/services/ranker/edit/").status_code == 403


def test_what_is_not_there_is_404(admin: User) -> None:
    assert signed_in(admin).get("/services/nothing/edit/").status_code == 404
    assert signed_in(admin).get("/models/nothing/edit/").status_code == 404


def test_the_list_costs_the_same_however_many_there_are(payments: Team, bob: User) -> None:
    def add() -> None:
        base = make.service(make.unique("base"), payments)
        service = make.service(make.unique("service"), payments, depends_on=[base])
        make.model(make.unique("model"), payments, service=service)

    assert grows(bob, ["/services/"], add) == []
