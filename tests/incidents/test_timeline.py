"""The timeline can be trusted: one writer, no gaps, a chain that holds, and a database that refuses to change it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, connections, transaction

from common import append_only
from common.errors import Invalid
from incidents import timeline
from incidents.models import Entry, Incident
from tests import make
from tests.make import NOW

Kind = Entry.Kind


def note(incident: Incident, by: Any, text: str = "Looking", **fields: Any) -> Entry:
    return timeline.write(incident, Kind.NOTE, text, by=make.person(by), now=NOW, **fields)[0]


def tamper(sql: str) -> None:
    """Change the table behind everybody's back, as somebody with the database's own password could."""
    with connection.schema_editor() as editor:
        append_only.unprotect(editor, "incidents_entry")
        editor.execute(sql)
        append_only.protect(editor, "incidents_entry")


@pytest.mark.django_db
def test_entries_are_numbered_and_linked(payments: Any, alice: Any) -> None:
    incident = make.incident(payments)

    first, second = note(incident, alice, "One"), note(incident, alice, "Two")

    assert (first.seq, second.seq) == (2, 3)
    assert second.previous_hash == first.hash
    assert incident.entries.get(seq=1).previous_hash == timeline.genesis(incident.number)
    incident.refresh_from_db()
    assert (incident.last_seq, incident.last_hash) == (3, second.hash)
    assert timeline.verify(incident) is None


@pytest.mark.django_db
def test_an_entry_does_not_move_the_version(payments: Any, alice: Any) -> None:
    incident = make.incident(payments)

    note(incident, alice)

    incident.refresh_from_db()
    assert incident.version == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE incidents_entry SET text = 'something else'",
        "UPDATE incidents_entry SET at = at",
        "DELETE FROM incidents_entry WHERE seq = 2",
    ],
)
def test_the_database_refuses_to_change_an_entry(alice: Any, payments: Any, sql: str) -> None:
    incident = make.incident(payments)
    note(incident, alice)

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)

    assert incident.entries.count() == 2
    assert timeline.verify(incident) is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("sql", "seq", "reason"),
    [
        ("UPDATE incidents_entry SET text = 'All is well' WHERE seq = 3", 3, "content"),
        ("UPDATE incidents_entry SET data = '{}' WHERE seq = 1", 1, "content"),
        ("UPDATE incidents_entry SET actor_name = 'Mallory' WHERE seq = 3", 3, "author"),
        ("UPDATE incidents_entry SET kind = 'decision' WHERE seq = 3", 3, "kind"),
        ("UPDATE incidents_entry SET amends = 2 WHERE seq = 3", 3, "author"),
        ("DELETE FROM incidents_entry WHERE seq = 2", 2, "missing"),
        ("DELETE FROM incidents_entry WHERE seq = 4", 4, "there are 3"),
        ("UPDATE incidents_entry SET previous_hash = hash WHERE seq = 2", 2, "follow"),
    ],
)
def test_the_first_broken_link_is_named(alice: Any, payments: Any, sql: str, seq: int, reason: str) -> None:
    incident = make.incident(payments)
    for text in ("One", "Two", "Three"):
        note(incident, alice, text)
    tamper(sql)

    with pytest.raises(CommandError) as refused:
        call_command("verify_timeline", stdout=StringIO())

    assert f"INC-{incident.number}, entry {seq}:" in str(refused.value)
    assert reason in str(refused.value)


@pytest.mark.django_db
def test_a_timeline_that_holds_is_said_to_hold(alice: Any, payments: Any) -> None:
    note(make.incident(payments), alice)
    out = StringIO()

    call_command("verify_timeline", stdout=out)

    assert "1 timeline hold" in out.getvalue()


@pytest.mark.django_db(transaction=True)
def test_many_who_write_at_once_leave_no_gap(alice: Any, payments: Any) -> None:
    incident = make.incident(payments)

    def write(n: int) -> None:
        try:
            note(Incident.objects.get(pk=incident.pk), alice, f"Note {n}")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))

    incident.refresh_from_db()
    assert list(incident.entries.order_by("seq").values_list("seq", flat=True)) == list(range(1, 42))
    assert timeline.verify(incident) is None


@pytest.mark.django_db
def test_the_same_key_is_written_once(alice: Any, payments: Any) -> None:
    incident = make.incident(payments)

    first, is_new = timeline.write(incident, Kind.NOTE, "Once", by=make.person(alice), now=NOW, key="bot-1")
    again, is_new_again = timeline.write(incident, Kind.NOTE, "Twice", by=make.person(alice), now=NOW, key="bot-1")

    assert (is_new, is_new_again) == (True, False)
    assert again == first
    assert again.text == "Once"


@pytest.mark.django_db
def test_a_correction_is_another_entry(alice: Any, payments: Any) -> None:
    incident = make.incident(payments)
    wrong = note(incident, alice, "It is the database")

    right = note(incident, alice, "It is the cache", amends=wrong.seq)

    assert right.amends == wrong.seq
    assert incident.entries.get(seq=wrong.seq).text == "It is the database"
    with pytest.raises(Invalid):
        note(incident, alice, "Nothing to correct", amends=99)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "fields", [{"text": "  "}, {"kind": Kind.OPENED, "text": "x"}, {"text": "x", "at": NOW + timedelta(hours=1)}]
)
def test_what_makes_no_sense_is_not_written(alice: Any, payments: Any, fields: dict[str, Any]) -> None:
    incident = make.incident(payments)

    with pytest.raises(Invalid):
        timeline.write(incident, **{"kind": Kind.NOTE, "by": make.person(alice), "now": NOW, **fields})

    assert incident.entries.count() == 1


@pytest.mark.django_db
def test_what_was_written_can_hold_anything_but_is_shown_harmless(alice: Any, payments: Any) -> None:
    incident = make.incident(payments)

    entry = note(incident, alice, "<script>alert(1)</script> a\0b \ud800 **bold**")

    assert "<script" not in entry.html
    assert "<strong>bold</strong>" in entry.html
    assert "\0" not in entry.text
    assert timeline.verify(incident) is None
