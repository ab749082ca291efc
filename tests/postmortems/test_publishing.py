"""From a draft to what everybody reads: who may do what, and what has to be there."""

from __future__ import annotations

from datetime import timedelta

import pytest

from common.errors import Forbidden
from incidents import lifecycle, responding, timeline
from incidents.models import Incident
from people.models import User
from postmortems import assigning, editing, items, publishing, queries
from postmortems.models import Postmortem
from tests import make
from tests.browsing import page, signed_in
from tests.conftest import Api
from tests.make import NOW, person

LATER = NOW + timedelta(days=1)
Status = Postmortem.Status


def complete(postmortem: Postmortem, by: User) -> None:
    """Closes every gap that stands in the way."""
    incident = postmortem.incident
    Incident.objects.filter(pk=incident.pk).update(started_at=NOW - timedelta(minutes=5))
    incident.refresh_from_db()
    responding.assign_role(incident, make.role("commander"), by, by=person(by), now=NOW)
    lifecycle.move(incident, Incident.Status.RESOLVED, by=person(by), now=NOW + timedelta(hours=1))
    items.create(postmortem, "Cap the retries", by=person(by), now=LATER, owner=by)
    for gap in queries.document(postmortem, LATER).gaps:
        if gap.code == "section_empty":
            section = postmortem.sections.get(key=gap.section)
            editing.edit_section(section, "- Written.", version=section.version, by=person(by), now=LATER)


@pytest.mark.django_db(transaction=True)  # a section is saved in a transaction of its own
def test_it_goes_from_draft_to_published_and_the_timeline_tells(postmortem: Postmortem, bob: User) -> None:
    complete(postmortem, bob)

    for status in (Status.IN_REVIEW, Status.APPROVED, Status.PUBLISHED):
        assert publishing.move(postmortem, status, by=person(bob), now=LATER)
        assert not publishing.move(postmortem, status, by=person(bob), now=LATER)

    assert (postmortem.status, postmortem.published_at) == ("published", LATER)
    incident = Incident.objects.get(pk=postmortem.incident_id)
    assert incident.entries.latest("seq").kind == "postmortem_published"
    assert timeline.verify(incident) is None
    assert publishing.move(postmortem, Status.IN_REVIEW, by=person(bob), now=LATER)
    assert postmortem.published_at is None


def test_gaps_stand_in_the_way_of_publishing(postmortem: Postmortem, bob: User) -> None:
    for status in (Status.IN_REVIEW, Status.APPROVED):
        publishing.move(postmortem, status, by=person(bob), now=LATER)

    with pytest.raises(publishing.GapsRemain) as refused:
        publishing.move(postmortem, Status.PUBLISHED, by=person(bob), now=LATER)

    assert {"code", "section", "message"} == set(refused.value.extra["gaps"][0])
    postmortem.refresh_from_db()
    assert postmortem.status == Status.APPROVED
    answer = signed_in(bob).post("/postmortems/1/status/", {"status": "published"}, follow=True)
    assert "missing before it can be published" in answer.content.decode()


def test_a_reviewer_approves_and_a_manager_publishes(
    postmortem: Postmortem, alice: User, bob: User, charlie: User
) -> None:
    publishing.move(postmortem, Status.IN_REVIEW, by=person(alice), now=LATER)
    for nobody in (alice, charlie):
        with pytest.raises(Forbidden):
            publishing.move(postmortem, Status.APPROVED, by=person(nobody), now=LATER)

    assigning.assign(postmortem, {"reviewers": [charlie]}, by=person(alice), now=LATER)
    assert 'value="approved"' in page(charlie, "/postmortems/1/")
    assert 'value="approved"' not in page(alice, "/postmortems/1/")
    publishing.move(postmortem, Status.APPROVED, by=person(charlie), now=LATER)

    for nobody in (alice, charlie):
        with pytest.raises(Forbidden):
            publishing.move(postmortem, Status.PUBLISHED, by=person(nobody), now=LATER)


def test_programs_move_it_and_are_told_what_is_allowed_and_what_is_missing(
    postmortem: Postmortem, api: Api, bob: User, victor: User
) -> None:
    client = api(bob)
    address = "/api/v1/postmortems/1/status/"

    skipped = client.post(address, {"status": "published"})
    moved = [client.post(address, {"status": status}) for status in ("in_review", "in_review", "approved")]
    refused = client.post(address, {"status": "published"})

    assert (skipped.status_code, skipped.json()["allowed"]) == (409, ["in_review"])
    assert [each.json()["status"] for each in moved] == ["in_review", "in_review", "approved"]
    assert (refused.status_code, refused.json()["code"]) == (409, "gaps_remain")
    assert "no_action_items" in [gap["code"] for gap in refused.json()["gaps"]]
    assert client.post(address, {"status": "burned"}).status_code == 422
    assert api(victor).post(address, {"status": "draft"}).status_code == 403


def test_owner_date_and_reviewers_are_set_on_a_page(postmortem: Postmortem, alice: User, charlie: User) -> None:
    client = signed_in(alice)
    said = {"owner": alice.pk, "due_at": "2026-03-09T12:00", "reviewers": [charlie.pk]}

    stale = client.post("/postmortems/1/people/", {**said, "version": postmortem.version + 7})
    done = client.post("/postmortems/1/people/", {**said, "version": postmortem.version})

    assert (stale.status_code, done.status_code) == (412, 302)
    postmortem.refresh_from_db()
    assert postmortem.owner == alice
    assert list(postmortem.reviewers.all()) == [charlie]
    shown = page(alice, "/postmortems/1/")
    assert "Reviewed by" in shown
    assert "9 Mar 2026" in shown
