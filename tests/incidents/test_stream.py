"""New entries come in the order of their commits, each once, to those who may hear of them."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from incidents import lifecycle, responding, stream, timeline
from incidents.models import Entry, Incident
from people.models import Membership, Team, User
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db(transaction=True)

on_postgresql = pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has one writer at a time")


def note(incident: Incident, text: str = "Looking") -> Entry:
    return timeline.write(Incident.objects.get(pk=incident.pk), Entry.Kind.NOTE, text, by=make.SYSTEM, now=NOW)[0]


def read(cursor: stream.Cursor) -> tuple[list[tuple[int, int]], stream.Cursor]:
    """(incident, seq) of everything behind a place, page by page, and where that ends."""
    found: list[tuple[int, int]] = []
    while (page := stream.after(cursor, in_full=False)).news:
        found += [(news.incident, news.seq) for news in page.news]
        cursor = page.upto
    return found, cursor


def elsewhere(work: Callable[[], Any]) -> threading.Thread:
    """The work, under way in a thread with a connection of its own."""

    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_what_is_new_comes_once_and_in_order(payments: Team) -> None:
    incident, other = make.incident(payments), make.incident(payments)
    begin = stream.head()
    written = [(each.number, note(each).seq) for each in (incident, other, incident)]

    found, end = read(begin)

    assert found == written
    assert end == stream.head()
    assert read(end) == ([], end)


def test_pages_are_bounded_and_nothing_falls_between_them(payments: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "PAGE", 3)
    incident = make.incident(payments)
    begin = stream.head()
    written = [note(incident).seq for _ in range(7)]

    page = stream.after(begin, in_full=False)

    assert [news.seq for news in page.news] == written[:3]
    assert page.is_full
    assert [seq for _, seq in read(begin)[0]] == written


def test_many_entries_of_one_transaction_come_over_several_pages(
    payments: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "PAGE", 2)
    incident = make.incident(payments)
    begin = stream.head()
    with transaction.atomic():
        written = [note(incident).seq for _ in range(5)]

    assert [seq for _, seq in read(begin)[0]] == written


@on_postgresql
def test_an_entry_that_is_committed_late_is_not_missed(payments: Team) -> None:
    slow, quick = make.incident(payments), make.incident(payments)
    begin = stream.head()
    written, may_commit = threading.Event(), threading.Event()

    def write_slowly() -> None:
        with transaction.atomic():
            note(slow)
            written.set()
            may_commit.wait(10)

    thread = elsewhere(write_slowly)
    written.wait(10)
    note(quick)
    meanwhile, cursor = read(begin)
    may_commit.set()
    thread.join()
    afterwards, _ = read(cursor)

    assert sorted(meanwhile + afterwards) == [(slow.number, 2), (quick.number, 2)]


@pytest.mark.slow
def test_transactions_that_end_in_any_order_lose_and_repeat_nothing(payments: Team) -> None:
    incidents = [make.incident(payments) for _ in range(8)]
    begin = stream.head()
    written: list[tuple[int, int]] = []

    def write(incident: Incident, rand: random.Random) -> None:
        for _ in range(12):
            with transaction.atomic():
                seqs = [note(incident).seq for _ in range(rand.randint(1, 3))]
                time.sleep(rand.choice((0, 0.01, 0.05)) if connection.vendor == "postgresql" else 0)
                if rand.random() < 0.2:
                    transaction.set_rollback(True)
                    continue
            written.extend((incident.number, seq) for seq in seqs)

    writers = [
        elsewhere(lambda incident=incident, seed=seed: write(incident, random.Random(seed)))  # type: ignore[misc]
        for seed, incident in enumerate(incidents)
    ]
    found, cursor = [], begin
    while any(writer.is_alive() for writer in writers):
        some, cursor = read(cursor)
        found += some
    found += read(cursor)[0]

    assert sorted(found) == sorted(written)
    for incident in incidents:
        seqs = [seq for number, seq in found if number == incident.number]
        assert seqs == sorted(seqs)


def test_programs_are_told_what_the_timeline_says(payments: Team, alice: User, api: Any) -> None:
    incident = make.incident(payments)
    begin = stream.head()
    responding.speak(incident, Entry.Kind.NOTE, "Rolled **back**", by=make.person(alice), now=NOW, key="mine")

    told = [json.loads(news.told) for news in stream.after(begin, in_full=True).news]

    listed = api(alice).get(f"/api/v1/incidents/{incident.number}/timeline/").json()["results"]
    assert told == [{"incident": incident.number, "entry": entry} for entry in listed if entry["seq"] > 1]
    assert told[-1]["entry"]["html"] == "<p>Rolled <strong>back</strong></p>"


def test_news_of_a_private_incident_are_for_those_who_may_see_it(
    payments: Team, search: Team, alice: User, bob: User, charlie: User, victor: User, admin: User
) -> None:
    """By the same rule as `for_actor`, whatever the case."""
    mia = make.user("Mia", {search: "manager"})
    left = make.user("Liam", {search: "responder"})
    people = [alice, bob, charlie, victor, admin, mia, left]
    open_one = make.incident(payments)
    begin = stream.head()
    private = make.incident(payments, is_private=True)
    of_nobody = make.incident(is_private=True)
    responding.ask(private, charlie, by=make.person(bob), now=NOW)
    responding.leave(responding.join(private, left, now=NOW), by=make.person(left), now=NOW)
    note(open_one)

    news = stream.after(begin, in_full=False).news

    for person in people:
        visible = set(Incident.objects.for_actor(make.person(person)).values_list("number", flat=True))
        heard = {each.incident for each in news if each.is_for(person.pk)}
        assert heard == visible, person.name
    assert {person.name for person in people if all(each.is_for(person.pk) for each in news)} == {"Admin"}
    assert {each.incident for each in news} == {open_one.number, private.number, of_nobody.number}


def test_a_manager_who_is_one_no_more_hears_no_more(payments: Team, bob: User) -> None:
    private = make.incident(payments, is_private=True)
    begin = stream.head()
    note(private)
    assert [news.is_for(bob.pk) for news in stream.after(begin, in_full=False).news] == [True]

    Membership.objects.filter(user=bob).update(role="responder")

    assert [news.is_for(bob.pk) for news in stream.after(begin, in_full=False).news] == [False]


def test_a_look_costs_one_statement_and_news_at_most_five(
    payments: Team, alice: User, django_assert_max_num_queries: Any, django_assert_num_queries: Any
) -> None:
    incident, private = make.incident(payments), make.incident(payments, is_private=True)
    begin = stream.head()
    for _ in range(10):
        note(incident)
        note(private)

    with django_assert_max_num_queries(5):
        page = stream.after(begin, in_full=True)
    with django_assert_num_queries(1):
        stream.after(page.upto, in_full=True)

    assert len(page.news) == 20


def test_without_a_place_or_with_one_that_is_not_ours_the_stream_begins_now(payments: Team) -> None:
    make.incident(payments)
    now_at = stream.head()
    before = stream.Cursor(now_at.xid, now_at.id - 1)

    assert stream.resumed(None, now_at) == now_at
    assert stream.resumed(before, now_at) == before
    assert stream.resumed(stream.Cursor(2**62, 5), now_at) in (now_at, stream.Cursor(0, 5))  # SQLite knows ids alone
    assert stream.resumed(stream.Cursor(2**62, 2**62), now_at) == now_at


@pytest.mark.parametrize("text", ["", "7", "a-b", "1-2-3", "-1-2", " 1-2", "1-" + "9" * 19, "١-٢", "1-2\n"])
def test_a_place_that_nobody_was_given_is_refused(text: str) -> None:
    with pytest.raises(stream.BadCursor):
        stream.parse(text)


def test_a_place_survives_the_journey(payments: Team) -> None:
    make.incident(payments)

    assert stream.parse(str(stream.head())) == stream.head()


def test_a_stream_begins_where_nothing_ever_happened() -> None:
    assert stream.head() == stream.START
    assert read(stream.START) == ([], stream.START)


def test_the_version_moves_with_what_the_reader_may_see_and_with_nothing_else(
    payments: Team, bob: User, charlie: User
) -> None:
    manager, stranger = make.person(bob), make.person(charlie)
    incident, private = make.incident(payments), make.incident(payments, is_private=True)
    seen = [stream.version(manager), stream.version(stranger)]

    note(private)
    after_private = [stream.version(manager), stream.version(stranger)]
    note(incident)
    after_open = [stream.version(manager), stream.version(stranger)]

    assert after_private[0] != seen[0]
    assert after_private[1] == seen[1]
    assert after_open[0] != after_private[0]
    assert after_open[1] != after_private[1]


@on_postgresql
def test_the_version_moves_for_what_is_committed_late(payments: Team, alice: User) -> None:
    slow, quick = make.incident(payments), make.incident(payments)
    written, may_commit = threading.Event(), threading.Event()

    def write_slowly() -> None:
        with transaction.atomic():
            note(slow)
            written.set()
            may_commit.wait(10)

    thread = elsewhere(write_slowly)
    written.wait(10)
    note(quick)
    meanwhile = stream.version(make.person(alice))
    may_commit.set()
    thread.join()

    assert stream.version(make.person(alice)) != meanwhile


def test_somebody_taken_off_an_incident_hears_no_more(payments: Team, bob: User, charlie: User) -> None:
    private = make.incident(payments, is_private=True)
    responder = responding.ask(private, charlie, by=make.person(bob), now=NOW)
    responding.leave(responder, by=make.person(bob), now=NOW)
    begin = stream.head()

    lifecycle.acknowledge(private, by=make.person(bob), now=NOW)

    assert {news.is_for(charlie.pk) for news in stream.after(begin, in_full=False).news} == {False}
