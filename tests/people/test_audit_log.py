"""The audit log can be trusted: one chain, a database that refuses to change it, and every tamper found."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, connection, connections, transaction

from common import append_only, origin
from people import audit
from people.models import AuditEvent, AuditHead, Team, User
from tests import make
from tests.make import NOW, SYSTEM

Action = audit.Action
TABLE = "people_auditevent"


@transaction.atomic
def told(by: Any = SYSTEM, action: Action = Action.SETTINGS_CHANGED, about: Any = None, **fields: Any) -> AuditEvent:
    return audit.record(action, about, by=by, now=NOW, **fields)


def verified() -> str:
    out = StringIO()
    call_command("verify_audit", stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_an_event_says_who_did_what_and_what_changed(bob: User, payments: Team) -> None:
    event = told(
        make.person(bob), Action.TEAM_CHANGED, payments, before={"name": "Payments"}, after={"name": "Pay\0ments"}
    )

    event.refresh_from_db()
    assert (event.actor_type, event.actor_user, event.actor_name) == ("user", bob, "Bob")
    assert (event.object_kind, event.object_id, event.object_name) == ("team", "payments", "Payments")
    assert (event.before, event.after) == ({"name": "Payments"}, {"name": "Pay\N{REPLACEMENT CHARACTER}ments"})
    assert (event.at, event.address) == (NOW, "")
    assert audit.verify() is None


@pytest.mark.django_db
def test_a_token_is_named_and_so_is_who_it_acts_for(bob: User) -> None:
    token, _ = make.token(bob)

    event = told(make.bot(token))

    assert (event.actor_type, event.actor_user, event.actor_token, event.actor_name) == (
        "bot",
        bob,
        token,
        "Bob's bot",
    )


@pytest.mark.django_db
def test_secrets_are_never_told(bob: User) -> None:
    event = told(after={"name": "x", "token_hash": "canary-1", "password": "canary-2", "settings": {"url": "canary-3"}})

    assert event.after == {"name": "x", "token_hash": "•••", "password": "•••", "settings": "•••"}


@pytest.mark.django_db
def test_events_are_numbered_and_linked_and_end_in_the_head() -> None:
    before = AuditHead.objects.get().last_seq

    first, second = told(), told()

    assert (first.seq, second.seq) == (before + 1, before + 2)
    assert second.previous_hash == first.hash
    assert AuditHead.objects.get().last_hash == second.hash
    assert f"{second.seq} audit events hold" in verified()


@pytest.mark.django_db
def test_what_is_undone_leaves_no_event() -> None:
    seen = AuditHead.objects.get().last_seq

    @transaction.atomic
    def change() -> None:
        audit.record(Action.SETTINGS_CHANGED, by=SYSTEM, now=NOW)
        Team.objects.create(slug="twice", name="x")
        Team.objects.create(slug="twice", name="x")

    with pytest.raises(IntegrityError):
        change()

    assert AuditHead.objects.get().last_seq == seen
    assert audit.verify() is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("sql", [f"UPDATE {TABLE} SET actor_name = actor_name", f"DELETE FROM {TABLE}"])
def test_the_database_refuses_to_change_an_event(sql: str) -> None:
    told()

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)

    assert audit.verify() is None


@pytest.mark.django_db(transaction=True)
def test_a_thousand_tampers_are_found_and_named(bob: User) -> None:
    for n in range(12):
        told(make.person(bob), about=audit.Thing("thing", str(n), f"Thing {n}"), before={"n": n}, after={"n": n + 1})
    last = AuditHead.objects.get().last_seq
    by_chance = random.Random(1)
    text = ["action", "actor_type", "actor_name", "object_kind", "object_id", "object_name"]
    text += ["address", "user_agent", "request_id", "hash", "previous_hash"]
    with connection.schema_editor() as editor:
        append_only.unprotect(editor, TABLE)

    found = 0
    for _ in range(1000):
        seq = by_chance.randint(1, last)
        columns = {name: f"'{by_chance.randrange(10**9)}'" for name in text}
        columns |= {"before": "'{\"n\": 99}'", "after": "'{\"n\": 98}'", "at": "'2026-03-02 09:00:01.000001'"}
        name = by_chance.choice([*columns, "gone", "actor_user_id"])
        sql = {
            "gone": f"DELETE FROM {TABLE} WHERE seq = {seq}",
            "actor_user_id": f"UPDATE {TABLE} SET actor_user_id = CASE WHEN actor_user_id IS NULL THEN {bob.pk} END "
            f"WHERE seq = {seq}",
        }.get(name, f"UPDATE {TABLE} SET {name} = {columns.get(name)} WHERE seq = {seq}")
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)
            broken = audit.verify()
            assert broken is not None, sql
            assert broken.seq == seq, sql
            found += 1
            transaction.set_rollback(True)

    with connection.schema_editor() as editor:
        append_only.protect(editor, TABLE)
    assert found == 1000
    assert audit.verify() is None


@pytest.mark.django_db(transaction=True)
def test_the_command_names_the_first_broken_link() -> None:
    for _ in range(3):
        told()
    seq = AuditHead.objects.get().last_seq - 1
    with connection.schema_editor() as editor:
        append_only.unprotect(editor, TABLE)
        editor.execute(f"UPDATE {TABLE} SET actor_name = 'Mallory' WHERE seq >= {seq}")
        append_only.protect(editor, TABLE)

    with pytest.raises(CommandError, match=rf"Audit event {seq}: it is not what was written"):
        verified()


@pytest.mark.django_db
def test_a_chain_made_anew_is_not_the_one_whose_hash_was_noted() -> None:
    event = told()

    assert "hold" in verified()
    call_command("verify_audit", "--noted", str(event.seq), event.hash, stdout=StringIO())
    with pytest.raises(CommandError, match="whose hash was noted"):
        call_command("verify_audit", "--noted", str(event.seq), "0" * 64, stdout=StringIO())


@pytest.mark.django_db(transaction=True)
def test_many_who_write_at_once_leave_no_gap(bob: User) -> None:
    before = AuditHead.objects.get().last_seq

    def write(n: int) -> None:
        try:
            told(make.person(bob), after={"n": n})
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))

    assert AuditHead.objects.get().last_seq == before + 40
    assert audit.verify() is None


def test_from_where_is_known_while_a_request_is_answered_and_forgotten_after(client: Any, victor: User) -> None:
    client.force_login(victor)

    answer = client.get(
        "/settings/people/new/", headers={"User-Agent": "Mozilla/5.0 (a phone)"}, REMOTE_ADDR="192.0.2.7"
    )

    assert answer.status_code == 403
    event = AuditEvent.objects.latest("seq")
    assert (event.action, event.actor_user, event.object_id) == ("access.refused", victor, "GET person-new")
    assert (event.address, event.user_agent) == ("192.0.2.7", "Mozilla/5.0 (a phone)")
    assert event.request_id == answer["X-Request-ID"]
    assert origin.current() == origin.NOWHERE


def test_a_refused_program_is_recorded_with_its_token(api: Any, bob: User) -> None:
    client = api(bob)

    assert client.post("/api/v1/teams/", {"name": "x"}).status_code == 403

    event = AuditEvent.objects.latest("seq")
    assert (event.actor_type, event.actor_user, event.object_id) == ("bot", bob, "POST api-team-list")


@pytest.mark.django_db
def test_who_asks_again_and_again_fills_no_log(victor: User) -> None:
    asked = [audit.refused("GET person-new", by=make.person(victor), now=NOW) for _ in range(100)]

    recorded = [event for event in asked if event]
    assert len(recorded) == 31
    assert recorded[-1].after == {"further_refusals": "not recorded for an hour"}
    assert audit.refused("GET person-new", by=make.person(victor), now=NOW + timedelta(hours=1)) is not None
