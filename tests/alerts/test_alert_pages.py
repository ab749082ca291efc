"""The list of alerts: what fires, where it went, and nothing of what one may not see."""

from datetime import timedelta

import pytest

from alerts.models import Integration
from people.models import Team, User
from tests import make
from tests.browsing import grows, page, signed_in
from tests.make import NOW


@pytest.fixture
def source(payments: Team) -> Integration:
    return make.integration("Production", team=payments)[0]


def test_what_fires_is_shown_with_its_labels_incident_and_integration(source: Integration, victor: User) -> None:
    incident = make.fired(source, make.alert("HighErrorRate", labels={"region": "eu-west-1"}))

    shown = page(victor, "/alerts/")

    assert "HighErrorRate" in shown
    assert "eu-west-1" in shown
    assert f"INC-{incident.number}" in shown
    assert "Production" in shown
    assert 'href="http://prometheus.example.com/graph?g0.expr=up"' in shown


def test_markup_in_labels_and_annotations_is_text_and_only_web_addresses_become_links(
    source: Integration, victor: User
) -> None:
    evil = make.alert(
        "<script>alert(1)</script>",
        labels={"<b>x</b>": "<img src=x onerror=alert(2)>"},
        annotations={"summary": "<script>alert(3)</script>"},
    )
    make.fired(source, {**evil, "generatorURL": "javascript:alert(4)"})

    shown = page(victor, "/alerts/")

    assert "<script>alert" not in shown
    assert "<img src=x" not in shown
    assert "&lt;script&gt;alert(3)" in shown
    assert "javascript:alert" not in shown


def test_resolved_ones_are_on_a_tab_of_their_own(source: Integration, victor: User) -> None:
    make.fired(source, make.alert("Ended"))
    make.fired(source, make.alert("Ended", status="resolved", ends_at=NOW + timedelta(minutes=5)))

    assert "Nothing is firing" in page(victor, "/alerts/")
    assert "Ended" in page(victor, "/alerts/?status=resolved")
    assert "Ended" in page(victor, "/alerts/?status=all")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=errorrate", True),
        ("q=latency", False),
        ("q=region%3Deu-west-1", True),
        ("q=region%3Dus-east-1", False),
        ("integration=production", True),
        ("integration=staging", False),
        ("integration=nothing", False),
        ("status=firing&status=stale", True),
        ("status=resolved", False),
    ],
)
def test_the_list_is_narrowed_by_name_label_and_integration(
    query: str, found: bool, source: Integration, victor: User
) -> None:
    make.integration("Staging")
    make.fired(source, make.alert("HighErrorRate", labels={"region": "eu-west-1"}))

    assert ('<b dir="auto" translate="no">HighErrorRate</b>' in page(victor, f"/alerts/?{query}")) is found


def test_alerts_of_a_private_incident_are_seen_by_those_who_see_it(
    source: Integration, payments: Team, bob: User, charlie: User
) -> None:
    incident = make.fired(source, make.alert("LeakDetected"))
    type(incident).objects.filter(pk=incident.pk).update(is_private=True)

    assert "LeakDetected" in page(bob, "/alerts/")
    assert "LeakDetected" not in page(charlie, "/alerts/")
    counts = [signed_in(user).get("/alerts/").context["page"].counts.by_state for user in (bob, charlie)]
    assert counts == [{"firing": 1}, {}]


def test_silence_is_told_from_breakage(victor: User, admin: User) -> None:
    assert "Nothing has been delivered yet" in page(victor, "/alerts/")
    assert "Connect Alertmanager" in page(admin, "/alerts/")
    assert "Connect Alertmanager" not in page(victor, "/alerts/")


def test_more_than_a_page_is_walked_by_cursor_with_the_filter_kept(source: Integration, victor: User) -> None:
    alerts = [make.alert(f"Noise{n:02}", starts_at=NOW - timedelta(minutes=n)) for n in range(30)]
    make.fired(source, *alerts)
    client = signed_in(victor)

    first = client.get("/alerts/?q=Noise")
    second = client.get("/alerts/", {"q": "Noise", "cursor": first.context["page"].next})

    assert [alert.name for alert in first.context["page"].rows][::24] == ["Noise00", "Noise24"]
    assert [alert.name for alert in second.context["page"].rows] == [f"Noise{n}" for n in range(25, 30)]
    assert "q=Noise&amp;cursor=" in first.content.decode()
    assert client.get("/alerts/?cursor=nonsense").status_code == 422


def test_the_list_costs_the_same_however_many_there_are(source: Integration, bob: User) -> None:
    def add() -> None:
        name = make.unique("Alert")
        make.fired(source, make.alert(name), group=name)

    assert grows(bob, ["/alerts/"], add) == []
