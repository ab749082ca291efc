"""The Markdown document is complete by itself, and what came from outside shows in it as text."""

from __future__ import annotations

from datetime import timedelta

import pytest

from common import markdown as rendering
from incidents import impact, lifecycle, responding
from incidents.models import Incident, SloLink
from people.models import Team, User
from postmortems import drafting, editing, export, items, markdown_text, queries
from postmortems.models import Postmortem
from slos import ledger
from slos.models import Slo
from tests import make
from tests.make import NOW, person

LATER = NOW + timedelta(hours=2)
HOSTILE = "<script>alert(1)</script> [x](javascript:alert(1)) | `y` **z**"


def exported(postmortem: Postmortem) -> str:
    document = queries.document(Postmortem.objects.get(pk=postmortem.pk), LATER)
    return export.markdown(document, now=LATER)


def slo_of(team: Team, slug: str) -> Slo:
    return Slo.objects.create(
        slug=slug, name=f"SLO {slug}", service=make.service(slug, team), target_text="0.99", window_days=28
    )


def test_it_names_the_moments_people_budgets_gaps_sections_and_items(
    postmortem: Postmortem, incident: Incident, alice: User, bob: User
) -> None:
    lifecycle.acknowledge(incident, by=person(bob), now=NOW + timedelta(minutes=3))
    responding.join(incident, alice, now=NOW + timedelta(minutes=4))
    responding.assign_role(incident, make.role("data_scientist"), alice, by=person(bob), now=NOW + timedelta(minutes=5))
    section = postmortem.sections.get(key="trigger")
    editing.edit_section(section, "A *deploy*.", version=1, by=person(alice), now=LATER)
    items.create(
        postmortem, "Alert on drift", by=person(bob), now=LATER, owner=alice, tracker="https://tracker.example/1"
    )

    text = exported(postmortem)

    assert text.startswith(f"# INC-{incident.number}: Checkout fails for one card in three\n")
    assert "| Acknowledged | 2026-03-02 09:03:00 UTC |" in text
    assert "| To acknowledge | 3 min |" in text
    assert "| Impact started | unknown |" in text
    assert "| Alice | Data science | Data scientist | – | 2026-03-02 09:04:00 UTC | – |" in text
    assert "No SLO is linked, so what it took of an error budget is unknown." in text
    assert "- When the impact started is not known. (needed before it is published)" in text
    assert "## Trigger\n\nA *deploy*.\n" in text
    assert "## Lessons\n\n*Not written yet.*\n" in text
    assert "| [Alert on drift](https://tracker.example/1) | Prevent | P2 | Alice | Payments |" in text
    assert "Written by Burnline at 2026-03-02 11:00:00 UTC, from version" in text
    assert "<table>" in rendering.render(text)
    assert (
        f'filename="INC-{incident.number}-postmortem.md"'
        in export.as_markdown(queries.document(postmortem, NOW), now=NOW)["Content-Disposition"]
    )


def test_what_an_alert_says_shows_as_text_everywhere(payments: Team, bob: User) -> None:
    source, _ = make.integration(team=payments)
    incident = make.fired(
        source, make.alert(HOSTILE, annotations={"summary": HOSTILE}, labels={"service": "<script>"}), now=NOW
    )
    postmortem, _ = drafting.draft(incident, by=person(bob), now=LATER)

    text = exported(postmortem)
    htmls = [rendering.render(text), *postmortem.sections.values_list("html", flat=True)]

    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in postmortem.sections.get(key="detection").html
    assert "[x](javascript:alert(1))" in postmortem.sections.get(key="detection").html
    for html in htmls:
        assert "<script" not in html
        assert 'href="javascript' not in html


def test_html_that_people_write_is_text_in_the_export_and_code_stays_code(postmortem: Postmortem, alice: User) -> None:
    section = postmortem.sections.get(key="trigger")
    written = "<img src=x onerror=alert(1)> <https://example.com> a < b\n\n```html\n<b>\n```\n<i>"
    editing.edit_section(section, written, version=1, by=person(alice), now=LATER)

    text = exported(postmortem)

    assert "&lt;img src=x onerror=alert(1)> <https://example.com> a < b" in text
    assert "```html\n<b>\n```\n&lt;i>" in text


@pytest.mark.parametrize(
    "written",
    [
        "- ```\n<script>\n```\n",
        " ```\n```\n<script>\n",
        "```\n ```\n<script>",
        "~~~ a`b\n~~~\n<script>",
        "``` a`b\n<script>",
        "`a\n\n<script>`",
        "x\u2028```\n<script>",
        "````\n```\n````\n<script>",
        "- a\n  ```\n<script>",
    ],
)
def test_a_fence_that_may_be_read_in_two_ways_hides_no_html(written: str) -> None:
    assert "<script>" not in markdown_text.without_html(written)


def test_a_fence_that_is_left_open_ends_with_its_section() -> None:
    assert markdown_text.without_html("a\n```\n<b>") == "a\n```\n<b>\n```"


def test_an_slo_without_data_is_unknown_and_one_with_data_has_its_share(
    postmortem: Postmortem, incident: Incident, payments: Team, bob: User
) -> None:
    silent, counted = slo_of(payments, "silent"), slo_of(payments, "counted")
    for slo in (silent, counted):
        impact.link(
            incident, slo, origin=SloLink.Origin.PERSON, by=person(bob), now=LATER, impact_from=NOW, impact_to=LATER
        )
    quiet = {"start": NOW - timedelta(hours=10), "seconds": 36000, "good": 8000, "valid": 8000}
    ledger.store(counted, [quiet, {"start": NOW, "seconds": 7200, "good": 1995, "valid": 2000}], now=LATER)

    text = exported(postmortem)

    rows = {line.split(" | ")[0]: line for line in text.splitlines() if line.startswith("| SLO ")}
    assert "| 99 % | unknown | unknown of unknown |" in rows["| SLO silent"]
    assert "there is no data to tell" in rows["| SLO silent"]
    assert "| 99 % | 5 % | 5 of 100 |" in rows["| SLO counted"]
    impact_section = postmortem.sections.get(key="impact").markdown
    assert "| 99 % | unknown | unknown of unknown |" in impact_section
    assert "| 99 % | 5 % | 5 of 100 |" in impact_section
