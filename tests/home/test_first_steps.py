"""The first visit: what is to be done, told by the data; and how one is rid of it."""

from django.utils import timezone

from alerts import ingest
from incidents import responding
from incidents.models import Entry, Incident
from people.models import Team, User
from tests import make
from tests.browsing import page, signed_in

NOW = timezone.now()


def test_an_empty_installation_begins_with_the_first_steps(admin: User) -> None:
    assert signed_in(admin).get("/")["Location"] == "/first-steps/"

    shown = page(admin, "/first-steps/")

    assert "0 of 5 done" in shown
    assert "Waiting for the first alert" in shown


def test_every_step_is_done_by_the_data_and_nothing_else(admin: User, payments: Team) -> None:
    integration, _ = make.integration()
    assert "0 of 5 done" in page(admin, "/first-steps/")

    ingest.receive(integration, make.alertmanager_body(make.alert(starts_at=NOW)), now=NOW)
    shown = page(admin, "/first-steps/")
    assert "1 of 5 done" in shown
    assert "Waiting for the first alert" not in shown
    assert "First steps: 1 of 5" in page(admin, "/incidents/")

    make.user("Alice", {payments: "responder"})
    service = make.service("checkout", payments)
    assert "3 of 5 done" in page(admin, "/first-steps/")
    make.slo(of=service)
    make.incident(payments, by=admin, is_drill=True)

    assert "5 of 5 done" in page(admin, "/first-steps/")
    assert "All set" in page(admin, "/first-steps/")
    assert "First steps:" not in page(admin, "/incidents/")
    assert signed_in(admin).get("/")["Location"] == "/incidents/"


def test_they_can_be_hidden_and_brought_back_by_each_for_themselves(admin: User, bob: User) -> None:
    client = signed_in(admin)

    assert client.post("/first-steps/hide/")["Location"] == "/incidents/"

    assert client.get("/")["Location"] == "/incidents/"
    assert "First steps:" not in page(admin, "/incidents/")
    assert "First steps:" in page(bob, "/incidents/")
    assert "Show on the list again" in page(admin, "/first-steps/")

    client.post("/first-steps/hide/", {"hidden": "0"})

    assert "First steps: 1 of 5" in page(admin, "/incidents/")  # bob is company


def test_a_member_is_shown_what_a_member_can_do(alice: User, victor: User) -> None:
    shown = page(alice, "/first-steps/")

    assert "Say how you want to be told" in shown
    assert "Connect Alertmanager" not in shown
    assert "1 of 3 done" in shown  # her discipline is known
    assert "Try it in a drill" not in page(victor, "/first-steps/")
    assert signed_in(victor).post("/first-steps/drill/").status_code == 403


def test_a_drill_is_one_press_away_and_says_what_to_try(alice: User) -> None:
    answer = signed_in(alice).post("/first-steps/drill/")

    drill = Incident.objects.get()
    assert answer["Location"] == drill.get_absolute_url()
    assert drill.is_drill
    assert "1. Acknowledge it" in drill.summary
    responding.speak(drill, Entry.Kind.NOTE, "I look at it", by=make.person(alice), now=timezone.now())
    assert "2 of 3 done" in page(alice, "/first-steps/")


def test_a_test_alert_opens_an_incident_and_does_not_count_as_connected(admin: User) -> None:
    integration, _ = make.integration()
    client = signed_in(admin)

    client.post("/first-steps/test-alert/", {"integration": integration.slug})

    incident = Incident.objects.get()
    assert "a test of the integration production" in incident.title.lower()
    shown = client.get("/first-steps/").content.decode()
    assert f"INC-{incident.number}" in shown
    assert "0 of 5 done" in shown
    assert "Waiting for the first alert" in shown
    assert client.post("/first-steps/test-alert/", {"integration": "none"}).status_code == 404


def test_a_test_alert_is_for_administrators(bob: User) -> None:
    integration, _ = make.integration()

    assert signed_in(bob).post("/first-steps/test-alert/", {"integration": integration.slug}).status_code == 403
    assert not Incident.objects.exists()
