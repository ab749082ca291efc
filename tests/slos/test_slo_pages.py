"""Pages of SLOs: how budgets stand, what burned them, and who may promise what."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from incidents import fields, impact, lifecycle
from incidents.models import Incident, SloLink
from people.models import Team, User
from slos import definitions, ledger
from slos.models import Slo
from tests import make
from tests.browsing import grows, page, signed_in
from tests.make import SYSTEM

NOW = timezone.now().replace(second=0, microsecond=0)


def promised(slug: str, team: Team, target: str = "0.99", **fields: Any) -> Slo:
    service = make.service(make.unique(f"{slug}-service"), team)
    return definitions.create(
        service, slug.replace("-", " ").title(), target=target, by=SYSTEM, now=NOW, slug=slug, **fields
    )


def counted(slo: Slo, good: int, *, start: datetime = NOW - timedelta(hours=2), hours: int = 2) -> None:
    """A sample an hour of 1,000 events each."""
    hour = timedelta(hours=1)
    rows = [{"start": start + n * hour, "seconds": 3600, "good": good, "valid": 1000} for n in range(hours)]
    ledger.store(slo, rows, now=NOW)


def test_the_list_shows_what_is_most_urgent_first_and_unknown_is_never_zero(payments: Team, victor: User) -> None:
    counted(promised("healthy", payments), 998)
    promised("silent", payments)
    counted(promised("spent", payments), 950)

    shown = page(victor, "/slos/")

    assert shown.index("Spent") < shown.index("Healthy") < shown.index("Silent")
    assert "80%" in shown  # 2 of 10 allowed bad events in 1,000
    assert "unknown: no sample covers the window" in shown
    assert "/slos/new/" not in shown


def test_an_empty_list_says_what_an_slo_is_for(payments: Team, bob: User) -> None:
    assert "Nothing is promised yet" in page(bob, "/slos/")


def test_the_list_can_be_narrowed_to_a_service(payments: Team, bob: User) -> None:
    one = promised("first", payments)
    promised("second", payments)

    shown = page(bob, f"/slos/?service={one.service.slug}")

    assert "/slos/first/" in shown
    assert "/slos/second/" not in shown


def test_the_page_of_one_shows_budget_burn_incidents_and_how_to_push(payments: Team, alice: User, bob: User) -> None:
    slo = promised("accuracy", payments, labels={"owner": "ml"})
    counted(slo, 990)
    incident = make.incident(payments, "Approvals fell", by=bob, now=NOW - timedelta(hours=1))
    impact.link(incident, slo, origin=SloLink.Origin.PERSON, by=make.person(bob), now=NOW)

    shown = page(alice, "/slos/accuracy/")

    assert "Approvals fell" in shown
    assert "1×" in shown
    assert "/api/v1/slos/accuracy/samples/" in shown
    assert "curl" in shown
    assert "provisional" in shown
    assert "/slos/accuracy/edit/" not in shown


def test_a_candidate_is_named_apart_until_it_is_confirmed(payments: Team, bob: User, charlie: User) -> None:
    slo = promised("accuracy", payments)
    counted(slo, 990)
    start = NOW - timedelta(hours=1)
    candidate = make.incident(payments, "Perhaps it fell", by=bob, now=start, is_candidate=True)
    dismissed = make.incident(payments, "It did not", by=bob, now=start, is_candidate=True)
    secret = make.incident(payments, "Perhaps it leaked", by=bob, now=start, is_candidate=True, is_private=True)
    for incident in (candidate, dismissed, secret):
        impact.link(incident, slo, origin=SloLink.Origin.LABEL, by=SYSTEM, now=NOW)
    lifecycle.move(dismissed, Incident.Status.DISMISSED, by=make.person(bob), now=NOW, reason="Nothing fell")

    before = page(charlie, "/slos/accuracy/")
    fields.change(candidate, {"is_candidate": False}, by=make.person(bob), now=NOW)
    after = page(charlie, "/slos/accuracy/")

    apart = before.partition("Candidates, which count once somebody confirms them:")[2].partition("</p>")[0]
    assert str(candidate) in apart
    assert str(dismissed) not in before
    assert str(secret) not in before
    assert "Perhaps it fell" not in before
    assert "No incident is linked" not in before
    assert "Perhaps it fell" in after
    assert "Candidates, which count" not in after


def test_a_private_incident_that_burned_it_is_shown_only_to_those_who_may_see_it(
    payments: Team, bob: User, charlie: User
) -> None:
    slo = promised("accuracy", payments)
    counted(slo, 990)
    secret = make.incident(payments, "A customer's data leaked", by=bob, now=NOW - timedelta(hours=1), is_private=True)
    impact.link(secret, slo, origin=SloLink.Origin.PERSON, by=make.person(bob), now=NOW)

    assert "data leaked" in page(bob, "/slos/accuracy/")
    assert "data leaked" not in page(charlie, "/slos/accuracy/")


def test_without_samples_everything_is_a_dash_with_a_reason(payments: Team, victor: User) -> None:
    promised("silent", payments)

    shown = page(victor, "/slos/silent/")

    assert "No data" in shown
    assert "No sample yet" in shown
    assert "no data in the last hour" in shown
    assert "<progress" not in shown


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("99.9%", "0.999"), ("99.9", "0.999"), ("0.95", "0.95"), ("1", "1"), ("100%", "1"), ("99.95 %", "0.9995")],
)
def test_a_manager_promises_in_percent_or_as_a_share(typed: str, kept: str, payments: Team, bob: User) -> None:
    service = make.service("checkout", payments)

    response = signed_in(bob).post(
        "/slos/new/",
        {
            "service": service.pk,
            "name": "Payments succeed",
            "kind": "availability",
            "target": typed,
            "window": "calendar:month",
            "time_zone": "Europe/Paris",
            "labels": "owner=ml\npage = yes\n",
        },
        follow=True,
    )

    slo = Slo.objects.get(slug="payments-succeed")
    assert response.redirect_chain[-1][0] == "/slos/payments-succeed/"
    assert slo.target_text == kept
    assert (slo.window_calendar, slo.window_time_zone) == ("month", "Europe/Paris")
    assert slo.labels == {"owner": "ml", "page": "yes"}


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("target", "many nines"),
        ("target", "101%"),
        ("target", "-1"),
        ("target", "1e999999"),
        ("target", "NaN"),
        ("labels", "owner"),
        ("window", "days:0"),
        ("time_zone", "Mars/Olympus"),
        ("slug", "with space"),
        ("slug", "new"),  # its page would be the form's
    ],
)
def test_what_cannot_be_counted_is_told_and_stays_typed(field: str, typed: str, payments: Team, bob: User) -> None:
    service = make.service("checkout", payments)
    fine = {
        "service": service.pk,
        "name": "Payments succeed",
        "kind": "availability",
        "target": "99%",
        "window": "days:30",
        "time_zone": "UTC",
        "labels": "",
    }

    response = signed_in(bob).post("/slos/new/", {**fine, field: typed})

    assert response.status_code == 422
    assert 'value="Payments succeed"' in response.content.decode()
    assert not Slo.objects.exists()


def test_a_manager_changes_a_promise_and_an_overtaken_one_is_told(payments: Team, bob: User) -> None:
    slo = promised("accuracy", payments, "0.95")
    client = signed_in(bob)
    typed = {
        "service": slo.service.pk,
        "name": "Accuracy",
        "kind": "accuracy",
        "target": "96%",
        "version": 1,
        "window": "days:28",
        "time_zone": "UTC",
        "labels": "",
    }

    first = client.post("/slos/accuracy/edit/", typed)
    second = client.post("/slos/accuracy/edit/", {**typed, "target": "97%"})

    slo.refresh_from_db()
    assert (first.status_code, second.status_code) == (302, 412)
    assert (slo.target_text, slo.window_days) == ("0.96", 28)
    assert 'value="97%"' in second.content.decode()
    assert 'value="95%"' not in second.content.decode()


def test_only_a_manager_of_the_team_may_promise(payments: Team, search: Team, alice: User, bob: User) -> None:
    promised("ranking", search)

    assert signed_in(alice).get("/slos/new/").status_code == 403
    assert signed_in(bob).get("/slos/ranking/edit/").status_code == 403
    assert signed_in(bob).get("/slos/nothing/").status_code == 404


def test_the_pages_cost_the_same_however_much_there_is(payments: Team, bob: User) -> None:
    burned = promised("burned", payments)
    counted(burned, 990)

    def add() -> None:
        counted(promised(make.unique("slo"), payments), 990)
        incident = make.incident(payments, by=bob, now=NOW - timedelta(hours=1))
        impact.link(incident, burned, origin=SloLink.Origin.PERSON, by=make.person(bob), now=NOW)

    assert grows(bob, ["/slos/", "/slos/burned/"], add) == []
