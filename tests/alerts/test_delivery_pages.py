"""Pages of deliveries: what was sent, what was read of it, and what was refused and why."""

import json
from datetime import timedelta

import pytest

from alerts import ingest, payload
from alerts.models import Delivery, Integration
from people.models import User
from tests import make
from tests.browsing import grows, page, signed_in
from tests.make import NOW


@pytest.fixture
def source(db: None) -> Integration:
    return make.integration("Production")[0]


def refused(source: Integration, body: bytes) -> Delivery:
    with pytest.raises(payload.BadPayload):
        ingest.receive(source, body, now=NOW + timedelta(minutes=1))
    return Delivery.objects.get(outcome="refused")


def half_read(source: Integration) -> Delivery:
    """A good alert beside one from the year 9999."""
    members = json.loads(make.alertmanager_body(make.alert("Good")))
    members["alerts"].append({**make.alert("FromTheFuture"), "startsAt": "9999-12-31T23:59:59Z"})
    receipt = ingest.receive(source, json.dumps(members).encode(), now=NOW)
    return Delivery.objects.get(pk=receipt.delivery)


def address(delivery: Delivery) -> str:
    return f"/settings/deliveries/{delivery.pk}/"


def test_what_was_refused_is_kept_and_shown_to_an_admin_with_the_reason(source: Integration, admin: User) -> None:
    delivery = refused(source, b'not json \x00 \xff <script>alert("x")</script>')

    shown = page(admin, address(delivery))

    assert "Refused" in shown
    assert "This is not JSON" in shown
    assert "not json \N{REPLACEMENT CHARACTER} \N{REPLACEMENT CHARACTER} &lt;script&gt;" in shown
    assert "<script>alert" not in shown


def test_nobody_else_sees_what_was_delivered(source: Integration, bob: User, alice: User, victor: User) -> None:
    delivery = refused(source, b"not json")

    assert [signed_in(user).get(address(delivery)).status_code for user in (bob, alice, victor)] == [403, 403, 403]


def test_a_quarantined_alert_is_shown_beside_the_good_one(source: Integration, admin: User) -> None:
    shown = page(admin, address(half_read(source)))

    assert "What was read" in shown
    assert '<b dir="auto" translate="no">Good</b>' in shown
    assert "Quarantined: 1" in shown
    assert "outside the years" in shown
    assert "FromTheFuture" in shown


def test_the_list_marks_what_is_faulty_and_can_show_it_alone(source: Integration, admin: User) -> None:
    make.fired(source, make.alert("AllFine"))
    refused(source, b"{}")
    half_read(source)

    everything = signed_in(admin).get("/settings/deliveries/")
    faulty = signed_in(admin).get("/settings/deliveries/?faulty=on")

    assert len(everything.context["page"].rows) == 3
    assert [delivery.outcome for delivery in faulty.context["page"].rows] == ["refused", "taken"]
    assert "quarantined" in faulty.content.decode()


def test_a_large_body_is_cut_on_the_page(source: Integration, admin: User) -> None:
    delivery = refused(source, b"x" * 70_000)

    shown = page(admin, address(delivery))

    assert "x" * 65_536 in shown
    assert "x" * 65_537 not in shown
    assert "all of it is kept" in shown


def test_a_large_delivery_that_was_taken_is_shown_cut_too(source: Integration, admin: User) -> None:
    alerts = [make.alert(f"Alert{n}", annotations={"summary": "long " * 100}) for n in range(200)]
    receipt = ingest.receive(source, make.alertmanager_body(*alerts), now=NOW)

    shown = page(admin, f"/settings/deliveries/{receipt.delivery}/")

    assert "And 150 more." in shown
    assert len(shown) < 400_000


def test_what_was_not_read_says_so(source: Integration, admin: User) -> None:
    too_large = ingest.refuse(source, None, size=40 << 20, status=413, reason="Larger than 32 MiB.", now=NOW)

    shown = page(admin, address(Delivery.objects.get(pk=too_large)))

    assert "not read to its end" in shown
    assert "Larger than 32 MiB." in shown


def test_an_empty_body_is_an_empty_body(source: Integration, admin: User) -> None:
    assert "The body was empty." in page(admin, address(refused(source, b"")))


def test_an_empty_list_says_what_comes_here(source: Integration, admin: User) -> None:
    assert "Nothing has been delivered yet" in page(admin, "/settings/deliveries/")
    assert "Nothing was refused" in page(admin, "/settings/deliveries/?faulty=on")


def test_what_is_not_there_is_404(admin: User) -> None:
    nothing = "/settings/deliveries/00000000-0000-0000-0000-000000000000/"

    assert signed_in(admin).get(nothing).status_code == 404


def test_the_list_costs_the_same_however_many_there_are(source: Integration, admin: User) -> None:
    def add() -> None:
        make.fired(source, make.alert(make.unique("Alert")), group=make.unique("group"))

    assert grows(admin, ["/settings/deliveries/"], add) == []


def test_how_much_was_cut_off_is_told_of_each_delivery(source: Integration, admin: User) -> None:
    receipts = [
        ingest.receive(
            source, make.alertmanager_body(make.alert(), truncatedAlerts=cut), now=NOW + timedelta(minutes=n)
        )
        for n, cut in enumerate((7, 1, 0))
    ]

    shown = [page(admin, f"/settings/deliveries/{receipt.delivery}/") for receipt in receipts]

    assert "Alertmanager cut 7 alerts off this delivery." in shown[0]
    assert "Alertmanager cut 1 alert off this delivery." in shown[1]
    assert "Alertmanager cut" not in shown[2]


def test_what_alertmanager_does_with_what_was_refused_is_told_as_it_is(source: Integration, admin: User) -> None:
    delivery = refused(source, b"not json")
    told = page(admin, address(delivery))
    Delivery.objects.filter(pk=delivery.pk).update(status=202)

    told_of_kept = page(admin, address(delivery))

    assert "sends its group again at the next group interval" in told
    assert "gives up" not in told
    assert "answered as kept" in told_of_kept
