"""People write sections; who loses a race is told, and loses no word."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection

from common.errors import Invalid, VersionMoved
from common.markdown import MAX_BYTES
from people.models import User
from postmortems import editing
from postmortems.models import Postmortem, Revision, Section
from tests.make import NOW, person

LATER = NOW + timedelta(hours=2)


def section(postmortem: Postmortem, key: str = "trigger") -> Section:
    return postmortem.sections.get(key=key)


def test_a_text_is_kept_rendered_and_remembered(postmortem: Postmortem, alice: User) -> None:
    edited = editing.edit_section(section(postmortem), "A **deploy**.", version=1, by=person(alice), now=LATER)

    assert (edited.state, edited.version, edited.html) == ("edited", 2, "<p>A <strong>deploy</strong>.</p>")
    revision = edited.revisions.get(version=2)
    assert (revision.markdown, revision.actor_name, revision.is_conflict) == ("A **deploy**.", "Alice", False)
    postmortem.refresh_from_db()
    assert postmortem.version == 2


def test_what_the_record_wrote_first_is_a_revision_too(postmortem: Postmortem, alice: User) -> None:
    drawn = section(postmortem, "summary").markdown

    editing.edit_section(section(postmortem, "summary"), "Mine.", version=1, by=person(alice), now=LATER)

    assert [r.markdown for r in section(postmortem, "summary").revisions.order_by("version")] == [drawn, "Mine."]


def test_an_emptied_section_is_empty_and_stays_so(postmortem: Postmortem, alice: User) -> None:
    edited = editing.edit_section(section(postmortem, "summary"), "  \n", version=1, by=person(alice), now=LATER)

    assert edited.state == Section.State.EMPTY


def test_who_comes_second_is_told_what_stands_and_their_text_is_kept(
    postmortem: Postmortem, alice: User, bob: User
) -> None:
    editing.edit_section(section(postmortem), "Alice's words.", version=1, by=person(alice), now=LATER)

    with pytest.raises(VersionMoved) as refused:
        editing.edit_section(section(postmortem), "Bob's words.", version=1, by=person(bob), now=LATER)

    assert refused.value.status == 412
    assert refused.value.extra["current"] == {"version": 2, "markdown": "Alice's words.", "state": "edited"}
    assert refused.value.extra["yours"]["markdown"] == "Bob's words."
    assert section(postmortem).markdown == "Alice's words."
    kept = Revision.objects.get(pk=refused.value.extra["yours"]["revision"])
    assert (kept.is_conflict, kept.version, kept.markdown, kept.actor_user) == (True, 1, "Bob's words.", bob)


def test_losing_with_the_same_words_again_keeps_them_once(postmortem: Postmortem, alice: User, bob: User) -> None:
    editing.edit_section(section(postmortem), "Alice's words.", version=1, by=person(alice), now=LATER)

    for _ in range(3):
        with pytest.raises(VersionMoved):
            editing.edit_section(section(postmortem), "Bob's words.", version=1, by=person(bob), now=LATER)

    assert Revision.objects.filter(is_conflict=True).count() == 1


@pytest.mark.parametrize("version", [-1, 0, 7, 10**12])
def test_a_version_that_never_was_is_a_lost_race_as_well(postmortem: Postmortem, bob: User, version: int) -> None:
    with pytest.raises(VersionMoved):
        editing.edit_section(section(postmortem), "Bob's words.", version=version, by=person(bob), now=LATER)

    assert Revision.objects.get(is_conflict=True).version == 1


@pytest.mark.django_db(transaction=True)
def test_of_ten_who_save_at_once_one_wins_and_nine_texts_are_kept(postmortem: Postmortem, alice: User) -> None:
    pk = section(postmortem).pk

    def save(number: int) -> bool:
        try:
            mine = Section.objects.get(pk=pk)
            editing.edit_section(mine, f"Text {number}", version=1, by=person(alice), now=LATER)
        except VersionMoved:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(max_workers=10) as pool:
        won = list(pool.map(save, range(10)))

    assert won.count(True) == 1
    texts = Revision.objects.filter(section_id=pk).values_list("markdown", flat=True)
    assert sorted(texts) == sorted(f"Text {number}" for number in range(10))


def test_more_than_64_kb_is_refused(postmortem: Postmortem, alice: User) -> None:
    editing.edit_section(section(postmortem), "x" * MAX_BYTES, version=1, by=person(alice), now=LATER)

    with pytest.raises(Invalid) as refused:
        editing.edit_section(section(postmortem), "é" * MAX_BYTES, version=2, by=person(alice), now=LATER)

    assert refused.value.errors == [("markdown", "This is longer than 64 KB.")]


def test_html_in_a_text_shows_as_text(postmortem: Postmortem, alice: User) -> None:
    edited = editing.edit_section(
        section(postmortem),
        "<script>alert(1)</script> [x](javascript:alert(1))",
        version=1,
        by=person(alice),
        now=LATER,
    )

    assert "&lt;script&gt;" in edited.html
    assert "<script" not in edited.html
    assert "javascript:" not in edited.html
