"""Pages of postmortems: reading, editing without losing a word, and keeping what is private."""

from datetime import timedelta

import pytest

from incidents.models import Incident
from people.models import Team, User
from postmortems import drafting, editing
from postmortems.models import Postmortem, Revision
from tests import make
from tests.browsing import grows, page, signed_in
from tests.make import NOW, person

EVIL = "<script>alert('x')</script>"


def write(postmortem: Postmortem, key: str, text: str, by: User) -> None:
    section = postmortem.sections.get(key=key)
    editing.edit_section(section, text, version=section.version, by=person(by), now=NOW + timedelta(hours=2))


def test_a_responder_begins_it_once_and_a_viewer_never(incident: Incident, alice: User, victor: User) -> None:
    path = f"/incidents/{incident.number}/postmortem/"

    assert signed_in(victor).post(path).status_code == 403
    first = signed_in(alice).post(path)
    second = signed_in(alice).post(path, follow=True)

    assert first.headers["Location"] == f"/postmortems/{incident.number}/"
    assert second.status_code == 200
    assert Postmortem.objects.count() == 1


def test_everybody_reads_it_with_moments_people_budgets_and_what_is_missing(
    postmortem: Postmortem, bob: User, victor: User
) -> None:
    write(postmortem, "trigger", "The canary went **from 5% to 25%**.", bob)

    shown = page(victor, "/postmortems/1/")

    assert "Impact started" in shown
    assert "To mitigate" in shown
    assert "No SLO is linked" in shown
    assert "SRE" in shown  # bob's discipline
    assert "<strong>from 5% to 25%</strong>" in shown
    assert 'href="#contributing_factors"' in shown
    assert shown.index("needed before it is published") < shown.index("that would help")
    assert "/sections/" not in shown
    assert "/action-items/new/" not in shown


def test_who_may_write_is_shown_where(postmortem: Postmortem, alice: User) -> None:
    shown = page(alice, "/postmortems/1/")

    assert "/postmortems/1/sections/trigger/" in shown
    assert "/action-items/new/?postmortem=1" in shown
    assert "/postmortems/1/export.md" in shown


def test_the_list_names_severity_owner_and_gaps(postmortem: Postmortem, victor: User) -> None:
    shown = page(victor, "/postmortems/")

    assert "INC-1" in shown
    assert "Checkout fails for one card in three" in shown
    assert "SEV3" in shown
    assert "Bob" in shown
    assert "no date is set" in shown


def test_an_empty_list_says_where_one_begins(victor: User) -> None:
    assert "No postmortem yet" in page(victor, "/postmortems/")


def test_the_list_is_narrowed_by_title_and_status(postmortem: Postmortem, victor: User) -> None:
    assert "Checkout fails" in page(victor, "/postmortems/?q=checkout&status=draft")
    assert "No postmortem is like this" in page(victor, "/postmortems/?q=search")
    assert "No postmortem is like this" in page(victor, "/postmortems/?status=published")


@pytest.mark.parametrize("path", ["", "sections/trigger/", "revisions/", "export.md"])
def test_a_private_incidents_postmortem_is_not_there_for_others(
    path: str, payments: Team, bob: User, charlie: User
) -> None:
    secret = make.incident(payments, "A customer's data leaked", by=bob, is_private=True)
    drafting.draft(secret, by=person(bob), now=NOW)

    assert signed_in(bob).get(f"/postmortems/{secret.number}/{path}").status_code == 200
    assert signed_in(charlie).get(f"/postmortems/{secret.number}/{path}").status_code == 404
    assert signed_in(charlie).post(f"/incidents/{secret.number}/postmortem/").status_code == 404
    assert "data leaked" not in page(charlie, "/postmortems/")


def test_what_people_write_and_what_alerts_say_is_text(payments: Team, bob: User, victor: User) -> None:
    source, _ = make.integration("Production", team=payments)
    incident = make.fired(source, make.alert(annotations={"summary": EVIL}, labels={"x": EVIL}))
    postmortem, _ = drafting.draft(incident, by=person(bob), now=NOW)
    write(postmortem, "trigger", f"It was {EVIL} and [this](javascript:alert(1))", bob)

    number = incident.number
    for path in ("", "revisions/"):
        shown = page(victor, f"/postmortems/{number}/{path}")
        assert "<script>alert" not in shown
        assert 'href="javascript:' not in shown
    editor = page(bob, f"/postmortems/{number}/sections/trigger/")
    assert "&lt;script&gt;alert(" in editor
    assert "<script>alert" not in editor


def test_the_editor_asks_the_question_and_saves(postmortem: Postmortem, alice: User) -> None:
    client = signed_in(alice)

    editor = client.get("/postmortems/1/sections/trigger/")
    saved = client.post(
        "/postmortems/1/sections/trigger/", {"markdown": "  The canary.\r\n", "version": editor.context["version"]}
    )

    section = postmortem.sections.get(key="trigger")
    assert "Which event set it off?" in editor.content.decode()
    assert saved.headers["Location"] == "/postmortems/1/#trigger"
    assert (section.state, section.markdown) == ("edited", "  The canary.\n")


def test_of_two_who_write_nothing_is_lost(postmortem: Postmortem, alice: User, bob: User) -> None:
    path = "/postmortems/1/sections/trigger/"
    section = postmortem.sections.get(key="trigger")
    begun_upon = section.version
    signed_in(alice).post(path, {"markdown": "Alice says the canary.", "version": begun_upon})

    late = signed_in(bob).post(path, {"markdown": "Bob says the cache.", "version": begun_upon})
    shown = late.content.decode()

    assert late.status_code == 412
    assert "Alice says the canary." in shown
    assert "Bob says the cache." in shown
    assert f'name="version" value="{begun_upon + 1}"' in shown
    assert Revision.objects.filter(section=section, is_conflict=True, markdown="Bob says the cache.").exists()

    both = {"markdown": "The canary, through the cache.", "version": late.context["version"]}
    assert signed_in(bob).post(path, both).status_code == 302
    section.refresh_from_db()
    assert section.markdown == "The canary, through the cache."
    assert "lost a race" in page(alice, "/postmortems/1/revisions/?section=trigger")


def test_a_form_without_its_version_never_overwrites(postmortem: Postmortem, alice: User, bob: User) -> None:
    write(postmortem, "trigger", "Bob's words.", bob)

    response = signed_in(alice).post("/postmortems/1/sections/trigger/", {"markdown": "Mine."})

    assert response.status_code == 412
    assert postmortem.sections.get(key="trigger").markdown == "Bob's words."


def test_a_text_that_is_too_long_is_told_and_stays(postmortem: Postmortem, alice: User) -> None:
    words = "word " * 14_000

    response = signed_in(alice).post("/postmortems/1/sections/trigger/", {"markdown": words, "version": 1})

    assert response.status_code == 422
    assert words in response.content.decode()
    assert "longer than 64 KB" in response.content.decode()


def test_a_preview_shows_and_saves_nothing(postmortem: Postmortem, alice: User) -> None:
    form = {"markdown": f"It was **this** {EVIL}", "version": 1, "preview": "yes"}

    response = signed_in(alice).post("/postmortems/1/sections/trigger/", form)

    assert response.status_code == 200
    assert "<strong>this</strong>" in response.content.decode()
    assert "<script>alert" not in response.content.decode()
    assert postmortem.sections.get(key="trigger").markdown == ""


def test_a_viewer_does_not_edit_and_an_unknown_section_is_404(
    postmortem: Postmortem, alice: User, victor: User
) -> None:
    path = "/postmortems/1/sections/trigger/"

    assert signed_in(victor).get(path).status_code == 403
    assert signed_in(victor).post(path, {"markdown": "x", "version": 1}).status_code == 403
    assert signed_in(alice).get("/postmortems/1/sections/gossip/").status_code == 404


def test_revisions_can_be_narrowed_to_a_section(postmortem: Postmortem, bob: User, victor: User) -> None:
    write(postmortem, "trigger", "The canary.", bob)
    write(postmortem, "lessons", "Watch the slices.", bob)

    shown = page(victor, "/postmortems/1/revisions/?section=trigger")

    assert "The canary." in shown
    assert "Watch the slices." not in shown


def test_it_is_downloaded_as_markdown(postmortem: Postmortem, victor: User) -> None:
    response = signed_in(victor).get("/postmortems/1/export.md")

    assert response.headers["Content-Type"] == "text/markdown; charset=utf-8"
    assert "attachment" in response.headers["Content-Disposition"]
    assert response.content.decode().startswith("# INC-1")


def test_the_pages_cost_the_same_however_much_there_is(postmortem: Postmortem, payments: Team, bob: User) -> None:
    def add() -> None:
        other = make.incident(payments, by=bob)
        drafting.draft(other, by=person(bob), now=NOW)
        write(postmortem, "trigger", make.unique("text"), bob)

    page(bob, "/postmortems/1/")  # what the record says anew is drawn at the first reading
    paths = ["/postmortems/", "/postmortems/1/", "/postmortems/1/revisions/", "/postmortems/1/sections/trigger/"]
    assert grows(bob, paths, add) == []


def test_a_text_is_previewed_as_safe_html_and_kept_nowhere(postmortem: Postmortem, alice: User, victor: User) -> None:
    answer = signed_in(alice).post("/postmortems/1/preview/", {"markdown": f"**bold** {EVIL}"})

    assert answer.status_code == 200
    assert "<strong>bold</strong>" in answer.content.decode()
    assert "<script>" not in answer.content.decode()
    assert not Revision.objects.filter(markdown__contains="bold").exists()
    assert signed_in(victor).post("/postmortems/1/preview/", {"markdown": "x"}).status_code == 403


@pytest.mark.django_db(transaction=True)  # a section is saved in a transaction of its own
def test_what_saves_itself_says_the_version_it_made_and_never_overwrites(postmortem: Postmortem, alice: User) -> None:
    client = signed_in(alice)
    path = "/postmortems/1/sections/trigger/"
    version = postmortem.sections.get(key="trigger").version

    first = client.post(path, {"markdown": "A deploy.", "version": version, "autosave": "yes"})
    late = client.post(path, {"markdown": "Something else.", "version": version, "autosave": "yes"})

    assert (first.status_code, first.json()["version"]) == (200, version + 1)
    assert late.status_code == 412
    assert late.json()["errors"]
    assert postmortem.sections.get(key="trigger").markdown == "A deploy."


@pytest.mark.django_db(transaction=True)  # a section is saved in a transaction of its own
def test_a_revision_shows_what_it_changed(postmortem: Postmortem, alice: User, victor: User) -> None:
    write(postmortem, "trigger", "A deploy at noon.\n\nNothing else.", alice)
    write(postmortem, "trigger", "A canary at noon.\n\nNothing else.", alice)

    shown = page(victor, "/postmortems/1/revisions/?section=trigger")

    assert "<mark>deploy</mark>" in shown
    assert "<mark>canary</mark>" in shown
    assert shown.index("<mark>deploy</mark>") < shown.index("<mark>canary</mark>")


def test_it_is_kept_as_html_and_json_too(postmortem: Postmortem, victor: User) -> None:
    html, data = (signed_in(victor).get(f"/postmortems/1/export.{kind}") for kind in ("html", "json"))

    assert html["Content-Disposition"] == 'attachment; filename="INC-1-postmortem.html"'
    assert "<h1>INC-1: Checkout fails for one card in three</h1>" in html.content.decode()
    assert "style=" not in html.content.decode()
    assert data.json()["number"] == 1
    assert len(data.json()["sections"]) == postmortem.sections.count()


def test_it_is_read_without_what_is_around_it(postmortem: Postmortem, alice: User) -> None:
    shown = page(alice, "/postmortems/1/?read")

    assert 'id="missing"' not in shown
    assert "/sections/trigger/" not in shown
    assert 'aria-label="Contents"' in shown
