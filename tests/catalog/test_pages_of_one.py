"""The page of a service or a model: what is promised of it, what befell it, and what it hangs together with."""

from catalog import inventory
from people.models import Team, User
from tests import make
from tests.browsing import page, signed_in


def test_a_service_shows_slos_incidents_models_and_both_sides_of_its_dependencies(payments: Team, victor: User) -> None:
    store = make.service("feature-store", payments)
    scorer = make.service("fraud-scorer", payments, depends_on=[store])
    make.service("checkout", payments, depends_on=[scorer])
    make.model("scorer-model", payments, service=scorer)
    make.slo("accuracy", of=scorer)
    make.incident(payments, "Approvals fell", service=scorer)

    shown = page(victor, "/services/fraud-scorer/")

    for words in ("Feature store", "Checkout", "Scorer model", "Approvals fell", "/slos/accuracy/", "tier 3"):
        assert words in shown
    assert "/services/fraud-scorer/edit/" not in shown


def test_a_model_shows_who_serves_it_and_its_incidents(payments: Team, bob: User) -> None:
    scorer = make.service("fraud-scorer", payments)
    model = make.model("scorer-model", payments, service=scorer)
    make.incident(payments, "Drift of amount_30d", model=model)

    shown = page(bob, "/models/scorer-model/")

    assert "Drift of amount_30d" in shown
    assert "/services/fraud-scorer/" in shown
    assert "/models/scorer-model/edit/" in shown
    assert f"/slos/new/?service={scorer.pk}" in shown


def test_an_incident_that_one_may_not_see_is_not_on_the_page(payments: Team, bob: User, charlie: User) -> None:
    service = make.service("fraud-scorer", payments)
    make.incident(payments, "A key leaked", service=service, by=bob, is_private=True)

    assert "A key leaked" in page(bob, "/services/fraud-scorer/")
    assert "A key leaked" not in page(charlie, "/services/fraud-scorer/")
    assert "No incident has touched it" in page(charlie, "/services/fraud-scorer/")


def test_a_service_alone_says_what_is_missing(payments: Team, bob: User) -> None:
    inventory.add_service("A" * 140, by=make.SYSTEM, now=make.NOW, slug="long")

    shown = page(bob, "/services/long/")

    assert "no team owns it" in shown
    assert "Nothing is promised of it yet" in shown
    assert signed_in(bob).get("/services/none/").status_code == 404
