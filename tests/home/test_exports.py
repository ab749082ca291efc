"""Every list leaves as a file: narrowed as its page, for who may see it, told in the audit log."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from catalog.models import Service
from incidents import lifecycle
from incidents.models import Incident
from people.models import AuditEvent, Team, User
from postmortems import drafting, items
from tests import make
from tests.browsing import page, signed_in
from tests.make import NOW, SYSTEM

LISTS = {
    "/incidents/": "incidents",
    "/postmortems/": "postmortems",
    "/action-items/": "action-items",
    "/alerts/": "alerts",
    "/slos/": "slos",
    "/services/": "services",
    "/settings/people/": "people",
}


def exported(user: User, address: str) -> list[dict[str, Any]]:
    """What the JSON export holds, which says the same as the CSV."""
    client = signed_in(user)
    answer = client.get(address)
    assert answer.status_code == 200, answer.status_code
    rows = json.loads(answer.getvalue())
    text = client.get(address.replace("export.json", "export.csv")).getvalue().decode("utf-8-sig")
    lines = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len(lines) == len(rows)
    assert not rows or list(lines[0]) == list(rows[0])
    return list(rows)


@pytest.fixture
def everything(payments: Team, bob: User) -> Incident:
    """One of each, whose names begin as formulas do."""
    service: Service = make.service("checkout", payments)
    Service.objects.update(name="=checkout")
    make.slo("checkout-availability", service)
    source, _ = make.integration()
    make.fired(source, make.alert("=cmd|'/c calc'!A1"))
    incident = make.incident(payments, "+Card payments fail", service=service, severity="sev1")
    lifecycle.move(incident, Incident.Status.RESOLVED, by=SYSTEM, now=NOW)
    postmortem, _ = drafting.draft(incident, by=make.person(bob), now=NOW)
    items.create(postmortem, "@Check the limits", by=make.person(bob), now=NOW)
    return incident


@pytest.mark.parametrize(("address", "name"), LISTS.items())
def test_every_list_leaves_as_csv_and_json(everything: Incident, admin: User, address: str, name: str) -> None:
    client = signed_in(admin)
    shown = page(admin, address)

    for form, content_type in (("csv", "text/csv; charset=utf-8"), ("json", "application/json")):
        assert f'href="{address}export.{form}' in shown
        answer = client.get(
            f"{address}export.{form}?tab=all" if "item" in name or "inc" in name else f"{address}export.{form}"
        )

        assert answer.status_code == 200
        assert answer["Content-Type"] == content_type
        assert answer["Content-Disposition"].startswith(f'attachment; filename="{name}-20')
        assert answer["Cache-Control"] == "no-store"
        assert len(answer.getvalue().splitlines()) >= (2 if form == "csv" else 1)
    events = AuditEvent.objects.filter(action="list.exported", object_id=name)
    assert [event.after["form"] for event in events.order_by("seq")] == ["csv", "json"]


def test_a_file_holds_what_the_page_with_the_same_address_shows(everything: Incident, alice: User) -> None:
    assert [row["title"] for row in exported(alice, "/incidents/export.json?tab=resolved&severity=sev1")] == [
        "+Card payments fail"
    ]
    assert exported(alice, "/incidents/export.json?tab=open&severity=sev1") == []
    assert len(exported(alice, "/alerts/export.json?status=all")) == 1
    assert exported(alice, "/alerts/export.json?status=resolved") == []
    assert [row["title"] for row in exported(alice, "/action-items/export.json?tab=open")] == ["@Check the limits"]
    assert exported(alice, "/action-items/export.json?tab=mine") == []
    assert signed_in(alice).get("/incidents/export.json?severity=sev9").status_code == 422


def test_no_cell_of_any_file_is_a_formula(everything: Incident, admin: User) -> None:
    client = signed_in(admin)
    for address in LISTS:
        text = client.get(f"{address}export.csv?tab=all").getvalue().decode("utf-8-sig")
        cells = [cell for line in csv.reader(io.StringIO(text, newline="")) for cell in line]
        assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))] == [], address


def test_a_private_incident_is_in_no_file_of_who_may_not_see_it(everything: Incident, charlie: User, bob: User) -> None:
    make.incident(bob.teams.get(), "Canary", by=bob, is_private=True)

    assert "Canary" not in str(exported(charlie, "/incidents/export.json"))
    assert "Canary" in str(exported(bob, "/incidents/export.json"))


def test_people_are_for_administrators_and_other_forms_for_nobody(alice: User, admin: User) -> None:
    assert signed_in(alice).get("/settings/people/export.csv").status_code == 403
    assert "settings/people/export" not in page(alice, "/settings/people/")
    assert signed_in(admin).get("/settings/people/export.xlsx").status_code == 404


def test_who_signed_in_long_ago_confirms_first(alice: User) -> None:
    client = signed_in(alice)
    session = client.session
    session["_confirmed_at"] = 0.0
    session.save()

    answer = client.get("/incidents/export.csv?tab=all")

    assert answer.status_code == 302
    assert answer["Location"].startswith("/account/confirm/?next=%2Fincidents%2Fexport.csv")
    assert not AuditEvent.objects.filter(action="list.exported").exists()
