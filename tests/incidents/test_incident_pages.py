"""The page of an incident: who sees what, and what each of its forms does without a script."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from incidents import impact, lifecycle, responding, timeline
from incidents.models import Entry, Incident, SloLink
from people.models import Team, User
from postmortems import drafting, items
from tests import make
from tests.make import NOW, SYSTEM, person

Browser = Callable[[User], Client]


@pytest.fixture
def browser(db: None) -> Browser:
    """`browser(alice)` is one in which alice is signed in."""

    def signed_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return signed_in


@pytest.fixture
def incident(payments: Team, alice: User, bob: User) -> Incident:
    return make.incident(payments)


def shown(client: Client, incident: Incident, query: str = "") -> str:
    response = client.get(f"/incidents/{incident.number}/{query}")
    assert response.status_code == 200
    return response.content.decode()


def post(client: Client, incident: Incident, what: str, **fields: Any) -> int:
    return client.post(f"/incidents/{incident.number}/{what}/", fields).status_code


def test_a_viewer_reads_everything_and_finds_no_form(browser: Browser, incident: Incident, victor: User) -> None:
    page = shown(browser(victor), incident)

    main = page[page.index("<main") : page.index("</main>")]
    assert incident.title in main
    assert "<form" not in main
    assert "<textarea" not in main
    assert "Declare" not in page


@pytest.mark.parametrize(
    "what",
    ["acknowledge", "status", "severity", "note", "role", "responders", "join", "slos", "postmortem", "edit"],
)
def test_a_viewer_changes_nothing(browser: Browser, incident: Incident, victor: User, what: str) -> None:
    seq = incident.last_seq

    assert post(browser(victor), incident, what, status="resolved", text="x", severity="sev1", title="x") == 403

    incident.refresh_from_db()
    assert (incident.status, incident.last_seq) == (Incident.Status.TRIGGERED, seq)


def test_a_responder_of_another_team_helps(browser: Browser, incident: Incident, charlie: User) -> None:
    client = browser(charlie)

    assert post(client, incident, "acknowledge") == 302
    assert post(client, incident, "note", text="I know this one") == 302

    page = shown(client, incident)
    assert "I know this one" in page
    assert "Charlie" in page


def test_a_private_incident_is_not_there_for_others(
    browser: Browser, payments: Team, alice: User, bob: User, charlie: User, victor: User
) -> None:
    secret = make.incident(payments, "Credentials leaked", by=alice, is_private=True)

    assert shown(browser(alice), secret)
    assert shown(browser(bob), secret)  # who manages the team
    for outsider in (charlie, victor):
        client = browser(outsider)
        assert client.get(f"/incidents/{secret.number}/").status_code == 404
        listed = client.get("/incidents/")
        assert "Credentials" not in listed.content.decode()
        counts = listed.context["page"].counts
        assert (counts.open, counts.mine) == (0, 0)
    counts = browser(bob).get("/incidents/").context["page"].counts
    assert (counts.open, counts.mine) == (1, 1)
    assert post(browser(charlie), secret, "acknowledge") == 404
    assert post(browser(charlie), secret, "join") == 404


def test_who_was_sent_from_a_private_incident_sees_it_no_longer(
    browser: Browser, payments: Team, alice: User, charlie: User
) -> None:
    secret = make.incident(payments, "Credentials leaked", by=alice, is_private=True)
    asked = responding.ask(secret, charlie, by=make.person(alice), now=make.NOW)
    assert shown(browser(charlie), secret)

    responding.leave(asked, by=make.person(alice), now=make.NOW)

    assert browser(charlie).get(f"/incidents/{secret.number}/").status_code == 404


def test_the_second_person_is_told_it_is_taken(browser: Browser, incident: Incident, alice: User, bob: User) -> None:
    browser(alice).post(f"/incidents/{incident.number}/acknowledge/")

    response = browser(bob).post(f"/incidents/{incident.number}/acknowledge/", follow=True)

    assert response.redirect_chain == [(f"/incidents/{incident.number}/", 302)]
    page = response.content.decode()
    assert "already taken by Alice" in page
    assert "is yours" not in page


@pytest.mark.parametrize(
    ("tried_on", "leads_back"), [("http://testserver/incidents/", True), ("https://evil.example/", False)]
)
def test_a_refusal_leads_back_to_the_page_it_was_tried_on_and_to_no_other_site(
    browser: Browser, incident: Incident, alice: User, tried_on: str, leads_back: bool
) -> None:
    response = browser(alice).post(
        f"/incidents/{incident.number}/status/", {"status": "closed"}, headers={"Referer": tried_on}
    )

    assert response.status_code == 409
    assert (f'href="{tried_on}"' in response.content.decode()) is leads_back


def test_who_resolves_is_told_what_still_fires(browser: Browser, payments: Team, alice: User) -> None:
    incident = make.fired(make.integration(team=payments)[0], make.alert("PaymentsFail"))

    response = browser(alice).post(f"/incidents/{incident.number}/status/", {"status": "resolved"}, follow=True)

    page = response.content.decode()
    assert "is resolved." in page
    assert "1 alert of it still fires." in page


def test_one_primary_button_leads_from_alert_to_postmortem(browser: Browser, incident: Incident, alice: User) -> None:
    client = browser(alice)
    seen = []
    for what, fields in [
        ("acknowledge", {}),
        ("status", {"status": "mitigated"}),
        ("resolve", {"note": "Rolled back"}),
        ("postmortem", {}),
        ("status", {"status": "closed"}),
    ]:
        page = shown(client, incident)
        head = page[page.index('id="incident-head"') : page.index('class="stepper"')]
        [button] = re.findall(r'btn btn-primary".*?</(?:button|a)>', head, re.DOTALL)
        seen.append(re.sub(r"<kbd[^>]*>.*?</kbd>|<[^>]*>", "", button[button.index("</svg>") :]).strip())
        assert client.post(f"/incidents/{incident.number}/{what}/", fields).status_code == 302

    assert seen == ["Acknowledge", "Mitigated", "Resolve", "Write the postmortem", "Close"]
    assert "Postmortem of INC-" in shown(client, incident)


def test_who_resolves_says_when_the_impact_ended_and_reads_what_follows(
    browser: Browser, payments: Team, alice: User
) -> None:
    now = timezone.now().replace(microsecond=0)
    burning = make.fired(
        make.integration(team=payments)[0], make.alert("PaymentsFail", starts_at=now - timedelta(hours=2)), now=now
    )
    incident = make.incident(payments, now=now - timedelta(hours=2), severity="sev1")
    client = browser(alice)

    asked = client.get(f"/incidents/{burning.number}/resolve/").content.decode()
    assert "1 alert of it still fires." in asked
    assert "It is SEV1: a postmortem is due." in client.get(f"/incidents/{incident.number}/resolve/").content.decode()

    ended = now - timedelta(minutes=30)
    early, future = now - timedelta(hours=3), now + timedelta(hours=1)
    for wrong in (early, future):
        assert post(client, incident, "resolve", impact_ended_at=f"{wrong:%Y-%m-%dT%H:%M:%S}") == 422
    assert post(client, incident, "resolve", impact_ended_at=f"{ended:%Y-%m-%dT%H:%M:%S}", note="Rolled back") == 302

    incident.refresh_from_db()
    assert (incident.status, incident.mitigated_at) == (Incident.Status.RESOLVED, ended)
    page = shown(client, incident)
    assert "the impact ended" in page
    assert "Rolled back" in page


def test_the_mitigation_was_the_end_of_the_impact(browser: Browser, incident: Incident, alice: User) -> None:
    lifecycle.move(incident, Incident.Status.MITIGATED, by=person(alice), now=NOW + timedelta(minutes=5))

    form = browser(alice).get(f"/incidents/{incident.number}/resolve/").content.decode()
    assert "The impact ended with the mitigation" in form
    assert post(browser(alice), incident, "resolve", impact_ended_at="2026-03-02T09:01:00") == 302

    incident.refresh_from_db()
    assert incident.mitigated_at == NOW + timedelta(minutes=5)


def test_a_move_that_the_status_does_not_allow_is_refused_in_words(
    browser: Browser, incident: Incident, alice: User
) -> None:
    response = browser(alice).post(f"/incidents/{incident.number}/status/", {"status": "closed"})

    assert response.status_code == 409
    assert "cannot become closed" in response.content.decode()


@pytest.mark.parametrize(("status", "word"), [("dismissed", "says why"), ("merged", "Which incident"), ("on fire", "")])
def test_a_move_without_what_it_needs_is_asked_for_again(
    browser: Browser, incident: Incident, bob: User, status: str, word: str
) -> None:
    response = browser(bob).post(f"/incidents/{incident.number}/status/", {"status": status, "note": "kept"})

    assert response.status_code == 422
    page = response.content.decode()
    assert word in page
    assert '<details class="menu more" open>' in " ".join(page.split())
    incident.refresh_from_db()
    assert incident.status == Incident.Status.TRIGGERED


def test_a_dismissed_incident_says_why(browser: Browser, incident: Incident, alice: User) -> None:
    client = browser(alice)

    assert post(client, incident, "status", status="dismissed", reason="The probe was wrong") == 302

    page = shown(client, incident)
    assert page.count("The probe was wrong") >= 2
    assert "Reopen" in page


def test_only_a_manager_merges_and_only_into_what_they_see(
    browser: Browser, incident: Incident, payments: Team, search: Team, alice: User, bob: User, charlie: User
) -> None:
    other = make.incident(payments, "The same, seen from elsewhere")
    hidden = make.incident(search, "Not bob's", by=charlie, is_private=True)

    assert post(browser(alice), incident, "status", status="merged", merged_into=other.number) == 403
    assert post(browser(bob), incident, "status", status="merged", merged_into=hidden.number) == 422
    assert post(browser(bob), incident, "status", status="merged", merged_into=other.number) == 302

    assert "Merged into <a" in " ".join(shown(browser(bob), incident).split())
    assert "Merge it into" not in shown(browser(alice), other)


def test_what_was_pressed_by_mistake_is_undone(browser: Browser, incident: Incident, alice: User) -> None:
    client = browser(alice)
    address = f"/incidents/{incident.number}/"
    for what, fields, back in [
        ("acknowledge", {}, {"status": "triggered"}),
        ("severity", {"severity": "sev1"}, {"severity": "sev3"}),
    ]:
        page = client.post(f"{address}{what}/", fields, follow=True).content.decode()
        forms = re.findall(r'<form method="post" action="([^"]+)">(?:(?!</form>).)*data-key="z"', page, re.DOTALL)
        assert client.post(forms[-1], back, follow=True).status_code == 200

    incident.refresh_from_db()
    assert (incident.status, incident.severity) == ("triggered", "sev3")
    lifecycle.move(incident, Incident.Status.MITIGATED, by=person(alice), now=NOW)
    resolved = client.post(f"{address}resolve/", {"note": "It was a feature."}, follow=True).content.decode()
    assert re.search(r'name="status" value="acknowledged">\s*<button[^>]*data-key="z"[^>]*>Reopen ', resolved)


def test_severity_is_set_and_told(browser: Browser, incident: Incident, alice: User) -> None:
    client = browser(alice)

    assert post(client, incident, "severity", severity="sev1") == 302
    assert post(client, incident, "severity", severity="sev9") == 422

    assert "set the severity to SEV1" in shown(client, incident)


def test_a_note_is_markdown_and_never_markup(browser: Browser, incident: Incident, alice: User) -> None:
    client = browser(alice)

    post(client, incident, "note", kind="hypothesis", text="**stale** features <script>alert(1)</script>")

    page = shown(client, incident)
    assert "<strong>stale</strong>" in page
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert incident.entries.latest("seq").kind == Entry.Kind.HYPOTHESIS


def test_an_entry_without_a_kind_is_a_note(browser: Browser, incident: Incident, alice: User) -> None:
    assert post(browser(alice), incident, "note", text="just so") == 302

    assert incident.entries.latest("seq").kind == Entry.Kind.NOTE


def test_a_refused_entry_keeps_what_was_typed(browser: Browser, incident: Incident, alice: User) -> None:
    client = browser(alice)

    wrong_kind = client.post(f"/incidents/{incident.number}/note/", {"kind": "opened", "text": "typed with care"})
    empty = client.post(f"/incidents/{incident.number}/note/", {"kind": "note", "text": "  "})

    assert (wrong_kind.status_code, empty.status_code) == (422, 422)
    assert "typed with care" in wrong_kind.content.decode()
    assert "Write something." in empty.content.decode()


def test_title_alert_and_link_are_text_whatever_they_hold(browser: Browser, incident: Incident, alice: User) -> None:
    integration, _ = make.integration("Produ<b>ction")
    evil = "<script>alert(1)</script>"
    burning = make.fired(
        integration,
        {
            **make.alert(
                evil, labels={"pod": evil}, annotations={"summary": evil, "runbook_url": "javascript:alert(2)"}
            ),
            "generatorURL": "javascript:alert(3)",
        },
    )
    Incident.objects.update(links=[{"title": evil, "url": "javascript:alert(4)"}])
    client = browser(alice)
    post(
        client, burning, "edit", title=f"{evil} again", severity="sev2", kind="other", summary=evil, labels=f"a={evil}"
    )

    assert "alert(4)" not in shown(client, incident)
    for page in (shown(client, burning), client.get("/incidents/").content.decode()):
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)" in page
        assert 'href="javascript:' not in page


def test_people_come_with_their_discipline_and_take_roles(
    browser: Browser, incident: Incident, alice: User, bob: User
) -> None:
    client = browser(bob)

    assert post(client, incident, "responders", user=alice.pk, discipline=make.discipline("ml_engineering").pk) == 302
    assert post(browser(alice), incident, "join") == 302
    assert post(client, incident, "role", role="commander", user=alice.pk) == 302

    page = shown(client, incident)
    assert "no commander" not in page
    assert "ML engineering" in page
    held = incident.role_assignments.get()
    assert post(client, incident, f"role/{held.pk}/end") == 302
    assert "no commander" in shown(client, incident)


def test_who_cannot_respond_is_not_asked(browser: Browser, incident: Incident, alice: User, victor: User) -> None:
    page = shown(browser(alice), incident, "?ask=any")
    assert "Alice · Data science</option>" in page
    assert "Victor" not in page
    assert "<select" not in shown(browser(alice), incident)
    assert post(browser(alice), incident, "responders", user=victor.pk) == 422
    assert post(browser(alice), incident, "role", role="scribe", user=victor.pk) == 422
    assert not incident.responders.exists()


def test_a_role_or_responder_of_another_incident_is_not_there(
    browser: Browser, incident: Incident, payments: Team, alice: User
) -> None:
    other = make.incident(payments, by=alice)
    held = responding.assign_role(other, make.role("scribe"), alice, by=person(alice), now=NOW)

    assert post(browser(alice), incident, f"role/{held.pk}/end") == 404
    assert post(browser(alice), incident, f"responders/{other.responders.get().pk}/leave") == 404


def test_an_slo_without_samples_is_unknown_and_not_nought(browser: Browser, incident: Incident, alice: User) -> None:
    slo = make.slo("checkout-availability")

    assert post(browser(alice), incident, "slos", slo=slo.slug) == 302
    assert post(browser(alice), incident, "slos", slo="no-such") == 422

    page = shown(browser(alice), incident)
    budget = page[page.index('id="budget"') : page.index('id="about"')]
    assert "unknown" in budget
    assert "0%" not in budget


def test_what_an_incident_burned_stands_on_its_page_and_in_the_list(
    browser: Browser, payments: Team, alice: User
) -> None:
    now = timezone.now().replace(minute=0, second=0, microsecond=0)
    slo = make.slo("checkout-availability", target="0.9")
    make.samples(slo, *[(now - timedelta(hours=n), 3600, 60, 100) for n in range(10, 0, -1)], now=now)
    incident = make.incident(payments, now=now - timedelta(hours=5))
    impact.link(incident, slo, origin=SloLink.Origin.PERSON, by=person(alice), now=now)
    lifecycle.move(incident, Incident.Status.RESOLVED, by=person(alice), now=now)

    page = shown(browser(alice), incident)

    assert "200 bad of 100 allowed" in page
    assert "200%" in page
    assert "a postmortem with a P0 action is due" in " ".join(page.split())
    assert "200%" in browser(alice).get("/incidents/?tab=resolved").content.decode()


def test_editing_tells_only_of_what_differs(browser: Browser, incident: Incident, payments: Team, alice: User) -> None:
    client = browser(alice)
    form = client.get(f"/incidents/{incident.number}/edit/").content.decode()
    assert "is_private" not in form
    same = {"title": incident.title, "severity": "sev3", "kind": "other", "team": payments.pk, "version": 1}

    assert post(client, incident, "edit", **same) == 302
    assert incident.entries.count() == 1
    assert (
        post(client, incident, "edit", **{**same, "title": "Checkout fails", "links": "https://a.example The board"})
        == 302
    )

    incident.refresh_from_db()
    assert incident.links == [{"title": "The board", "url": "https://a.example"}]
    assert [entry.kind for entry in incident.entries.all()[1:]] == ["field_changed", "link_added"]


@pytest.mark.parametrize(
    "wrong", [{"title": " "}, {"links": "javascript:alert(1) x"}, {"labels": "no equals sign"}, {"severity": "sev0"}]
)
def test_an_edit_that_will_not_do_keeps_what_was_typed(
    browser: Browser, incident: Incident, alice: User, wrong: dict[str, str]
) -> None:
    said = {"title": "Typed with care", "severity": "sev3", "kind": "other", "summary": "And this too", **wrong}

    response = browser(alice).post(f"/incidents/{incident.number}/edit/", said)

    assert response.status_code == 422
    assert "And this too" in response.content.decode()
    assert incident.entries.count() == 1


def test_an_edit_of_what_somebody_changed_meanwhile_is_shown_again(
    browser: Browser, incident: Incident, alice: User, bob: User
) -> None:
    said = {"title": "Mine", "severity": "sev3", "kind": "other", "version": incident.version}
    post(browser(bob), incident, "severity", severity="sev1")

    response = browser(alice).post(f"/incidents/{incident.number}/edit/", said)

    assert response.status_code == 412
    assert 'value="Mine"' in response.content.decode()


def test_only_managers_make_an_incident_private(browser: Browser, incident: Incident, alice: User, bob: User) -> None:
    said = {"title": incident.title, "severity": "sev3", "kind": "other", "is_private": "on"}
    said |= {"team": str(incident.team_id)}

    post(browser(alice), incident, "edit", **said)
    incident.refresh_from_db()
    assert not incident.is_private

    post(browser(bob), incident, "edit", **said)
    incident.refresh_from_db()
    assert incident.is_private


def test_a_manager_corrects_a_moment_in_their_own_zone(
    browser: Browser, incident: Incident, alice: User, bob: User
) -> None:
    User.objects.filter(pk=bob.pk).update(time_zone="Asia/Tokyo")
    client = browser(bob)
    said = {"started_at": "2026-03-02T17:30:00", "detected_at": "2026-03-02T18:00:00", "reason": "The graph shows it"}

    assert browser(alice).get(f"/incidents/{incident.number}/moments/").status_code == 403
    assert 'value="2026-03-02T18:00:00"' in client.get(f"/incidents/{incident.number}/moments/").content.decode()
    assert post(client, incident, "moments", **{**said, "reason": ""}) == 422
    assert post(client, incident, "moments", **{**said, "started_at": "2036-03-02T17:30:00"}) == 422
    assert post(client, incident, "moments", **said) == 302

    incident.refresh_from_db()
    assert incident.started_at == NOW - timedelta(minutes=30)
    assert [entry.kind for entry in incident.entries.all()] == ["opened", "moment_corrected"]
    assert "corrected the start of the impact" in shown(client, incident)


def test_declaring_takes_the_team_of_the_service(browser: Browser, payments: Team, alice: User) -> None:
    checkout = make.service("checkout", payments)

    response = browser(alice).post(
        "/incidents/new/",
        {
            "title": "Nobody can pay",
            "severity": "sev1",
            "kind": "availability",
            "service": checkout.pk,
            "summary": "All",
        },
    )

    incident = Incident.objects.get()
    assert response["Location"] == f"/incidents/{incident.number}/"
    assert (incident.title, incident.severity, incident.team) == ("Nobody can pay", "sev1", payments)
    assert incident.responders.get().user == alice


def test_a_declaration_without_a_title_keeps_the_rest(browser: Browser, alice: User) -> None:
    response = browser(alice).post("/incidents/new/", {"severity": "sev1", "kind": "data", "summary": "Rows are gone"})

    assert response.status_code == 422
    assert "Rows are gone" in response.content.decode()
    assert not Incident.objects.exists()


def test_a_hundred_entries_a_page_and_a_link_to_the_older_ones(
    browser: Browser, incident: Incident, alice: User
) -> None:
    _fill(incident, alice, 110)

    page = shown(browser(alice), incident)

    assert "entry number 109" in page
    assert "entry number 5 " not in page
    assert f"?before={incident.last_seq - 99}" in page
    older = shown(browser(alice), incident, f"?before={incident.last_seq - 99}")
    assert "entry number 5 " in older
    assert "?before=" not in shown(browser(alice), incident, "?before=2")


def test_a_link_leads_to_an_entry_however_long_ago_it_was(browser: Browser, incident: Incident, alice: User) -> None:
    _fill(incident, alice, 150)

    page = shown(browser(alice), incident, "?entry=10")

    assert 'id="entry-10"' in page
    assert 'id="entry-9"' in page
    assert "To the latest ones" in page
    assert 'id="entry-150"' in shown(browser(alice), incident, "?entry=150")


@pytest.mark.parametrize(
    ("show", "there", "not_there"),
    [
        ("all", ["A thought", "Decided", "acknowledged", "alerts fired"], []),
        ("key", ["Decided", "acknowledged"], ["A thought", "alerts fired"]),
        ("people", ["A thought", "Decided", "joined"], ["alerts fired"]),
        ("alerts", ["alerts fired"], ["A thought", "Decided", "acknowledged"]),
        ("nonsense", ["A thought", "alerts fired"], []),
    ],
)
def test_the_address_says_what_the_timeline_shows(
    browser: Browser, alice: User, show: str, there: list[str], not_there: list[str]
) -> None:
    incident = make.fired(make.integration()[0], make.alert("A"), make.alert("B", labels={"n": "2"}))
    lifecycle.acknowledge(incident, by=person(alice), now=NOW)
    for kind, text in ((Entry.Kind.NOTE, "A thought"), (Entry.Kind.DECISION, "Decided")):
        timeline.write(incident, kind, text, by=person(alice), now=NOW)

    page = shown(browser(alice), incident, f"?show={show}")

    entries = page[page.index('id="entries"') : page.index("</section>", page.index('id="entries"'))]
    assert [word for word in there if word not in entries] == []
    assert [word for word in not_there if word in entries] == []


def test_what_was_corrected_says_what_it_said_before(browser: Browser, incident: Incident, alice: User) -> None:
    client = browser(alice)
    post(client, incident, "note", text="The cash is full")
    seq = incident.entries.latest("seq").seq
    assert "The cash is full</textarea>" in shown(client, incident, f"?amend={seq}")

    assert post(client, incident, "note", text="The cache is full", amends=seq) == 302

    page = shown(client, incident)
    entry = page[page.index(f'id="entry-{seq}"') :]
    assert entry.index("The cache is full") < entry.index("The cash is full")
    assert page.count("The cache is full") == 1
    assert "corrected an entry" in page


def test_a_star_is_set_once_and_taken_back(browser: Browser, incident: Incident, alice: User, victor: User) -> None:
    client = browser(alice)
    post(client, incident, "note", text="Remember this")
    seq = incident.entries.latest("seq").seq

    assert post(client, incident, "mark", seq=seq, marked="yes") == 302
    assert post(client, incident, "mark", seq=seq, marked="yes") == 302
    assert [entry.data for entry in incident.entries.filter(kind="marked")] == [{"marked": True}]
    assert "Remember this" in shown(client, incident, "?show=key")
    assert 'aria-pressed="true"' in shown(client, incident)
    assert post(client, incident, "mark", seq=seq + 1, marked="yes") == 422  # a star has none
    assert post(browser(victor), incident, "mark", seq=seq) == 403

    assert post(client, incident, "mark", seq=seq) == 302
    assert "Remember this" not in shown(client, incident, "?show=key")
    incident.refresh_from_db()
    assert timeline.verify(incident) is None


def test_each_reader_is_offered_what_they_may_do_with_an_entry(
    browser: Browser, incident: Incident, alice: User, bob: User, victor: User
) -> None:
    timeline_entry(incident, alice, "Mine to correct")
    address = f"?amend={incident.entries.latest('seq').seq}#note"

    pages = {user.name: shown(browser(user), incident) for user in (alice, bob, victor, alice)}

    assert [name for name, page in pages.items() if address in page] == ["Alice"]
    assert [name for name, page in pages.items() if "Star for the postmortem" in page] == ["Alice", "Bob"]
    assert all("Mine to correct" in page for page in pages.values())


def test_an_entry_says_when_in_the_zone_of_each_reader(
    browser: Browser, incident: Incident, alice: User, bob: User
) -> None:
    timeline_entry(incident, alice, "At nine in London")
    User.objects.filter(pk=bob.pk).update(time_zone="Asia/Tokyo")

    clocks = [
        re.findall(r'class="clock"[^>]*><time[^>]*>([^<]+)', shown(browser(user), incident)) for user in (alice, bob)
    ]

    assert [each[0] for each in clocks] == ["09:00", "18:00"]


def test_runs_of_alert_changes_are_folded(browser: Browser, alice: User) -> None:
    source, _ = make.integration()
    incident = make.fired(source, make.alert("A"))
    for number in range(4):
        make.fired(source, make.alert("A"), make.alert("B", labels={"n": str(number)}))

    page = shown(browser(alice), incident)

    assert "Alerts changed 5 times: 5 fired, 0 resolved" in page
    assert page.count('class="fold"') == 1


def test_the_last_time_is_told_with_what_was_left_to_do(
    browser: Browser, payments: Team, alice: User, charlie: User
) -> None:
    checkout = make.service("checkout", payments)
    old = make.incident(payments, "Checkout was slow", by=alice, service=checkout)
    secret = make.incident(payments, "Keys leaked", by=alice, service=checkout, is_private=True)
    make.incident(payments, "Elsewhere", by=alice, service=make.service("search-api"))
    document, _ = drafting.draft(old, by=person(alice), now=NOW)
    items.create(document, "Cap the retries", by=person(alice), now=NOW)
    incident = make.incident(payments, "Checkout is slow again", service=checkout)

    seen = {}
    for user in (alice, charlie):
        page = shown(browser(user), incident)
        seen[user.name] = page[page.index('id="before"') : page.index('id="about"')]

    assert "Cap the retries" in seen["Charlie"]
    assert "same service" in seen["Charlie"]
    assert "Elsewhere" not in seen["Alice"]
    assert secret.title in seen["Alice"]
    assert secret.title not in seen["Charlie"]


@pytest.mark.parametrize("before", ["", "x", "-1", "9" * 40, "²"])
def test_an_odd_address_still_shows_the_page(browser: Browser, incident: Incident, alice: User, before: str) -> None:
    assert shown(browser(alice), incident, f"?before={before}")


def test_the_page_costs_the_same_however_long_the_timeline(browser: Browser, incident: Incident, alice: User) -> None:
    client = browser(alice)
    responding.join(incident, alice, now=NOW)
    _fill(incident, alice, 20)
    shown(client, incident)
    with CaptureQueriesContext(connection) as few:
        shown(client, incident)

    _fill(incident, alice, 180)
    for number in range(5):
        make.user(f"Helper {number}", {incident.team: "responder"} if incident.team else {}, discipline="data_science")
    for user in User.objects.filter(name__startswith="Helper"):
        responding.join(incident, user, now=NOW)
        timeline_entry(incident, user, "I am here")
    with CaptureQueriesContext(connection) as many:
        shown(client, incident)

    assert len(many) == len(few) <= 20


def test_a_backdated_entry_stands_where_it_happened(browser: Browser, incident: Incident, alice: User) -> None:
    later = NOW + timedelta(hours=2)
    timeline.write(incident, Entry.Kind.NOTE, "first said", by=person(alice), now=later)
    timeline.write(incident, Entry.Kind.NOTE, "seen earlier", by=person(alice), now=later, at=NOW + timedelta(hours=1))

    page = shown(browser(alice), incident)

    assert page.index("first said") < page.index("seen earlier") < page.index("declared it")
    assert page.count("written <time") == 1


def test_a_bot_and_an_alert_are_told_from_people(browser: Browser, alice: User) -> None:
    integration, _ = make.integration()
    incident = make.fired(integration, make.alert("A", labels={"n": "1"}), make.alert("B", labels={"n": "2"}))
    token, _ = make.token(alice)
    timeline.write(incident, Entry.Kind.NOTE, "from a program", by=make.bot(token), now=NOW)

    page = " ".join(shown(browser(alice), incident).split())

    assert "<b>2 alerts fired</b>" in page
    assert "Opened by an alert" in page
    assert '<span class="badge bg-gray-lt">program</span>' in page


def _fill(incident: Incident, user: User, count: int) -> None:
    for number in range(count):
        timeline_entry(incident, user, f"entry number {number} ")


def timeline_entry(incident: Incident, user: User, text: str) -> None:
    timeline.write(incident, Entry.Kind.NOTE, text, by=person(user), now=NOW)


def test_what_the_system_did_is_told_too(browser: Browser, incident: Incident, alice: User) -> None:
    lifecycle.move(incident, Incident.Status.RESOLVED, by=SYSTEM, now=NOW)

    assert "<b>Burnline</b>" in shown(browser(alice), incident)
