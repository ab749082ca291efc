"""Pages and programs hear what is new while they listen, and those alone who may."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, cast

import pytest
from asgiref.typing import ASGI3Application, ASGISendEvent, HTTPScope
from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from common import statements
from common.headers import SECURITY_HEADERS
from common.streams import open_streams
from config import asgi, listeners, wsgi
from config.live import Streams
from config.watcher import Pace
from incidents import responding, stream, timeline
from incidents.models import Entry, Incident
from people import tokens
from people.models import Session, Team, Token, User
from tests import make
from tests.make import NOW
from tests.serving import served
from tests.streams import Ended, listening, of_page, of_program

pytestmark = pytest.mark.django_db(transaction=True)

QUICK = Pace(look=0.1, check=0.2, ping=0.5, patience=0.5, blind=1, linger=0)
PAGES, PROGRAMS = "/live/", "/api/v1/events/"
ROOT = Path(__file__).parent.parent.parent
_ON_POSTGRESQL = connection.vendor == "postgresql"


@contextmanager
def live(pace: Pace = QUICK, **limits: int) -> Iterator[int]:
    """The port of a process that holds streams."""
    streams = Streams(wsgi.application, pace=pace, **limits)

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await streams(scope, receive, send)
            return
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await streams.stop()
        await send({"type": "lifespan.shutdown.complete"})

    with served(cast(ASGI3Application, application), lifespan=True) as port:
        yield port


def note(incident: Incident, text: str = "Looking") -> Entry:
    return timeline.write(Incident.objects.get(pk=incident.pk), Entry.Kind.NOTE, text, by=make.SYSTEM, now=NOW)[0]


def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def test_a_page_hears_which_incident_has_changed(payments: Team, alice: User) -> None:
    incident = make.incident(payments)

    with live() as port, listening(port, PAGES, of_page(alice)) as page:
        ready = page.next()
        entry = note(incident)
        changed = page.next()

    assert (page.status, page.headers["content-type"]) == (200, "text/event-stream")
    assert ready.name == "ready"
    assert ready.data == {"cursor": ready.id}
    assert (changed.name, changed.data) == ("changed", {"incident": incident.number, "seq": entry.seq})
    assert stream.parse(changed.id) > stream.parse(ready.id)


def test_what_happens_between_two_looks_is_told_once(payments: Team, alice: User) -> None:
    one, two = make.incident(payments), make.incident(payments)

    with live() as port, listening(port, PAGES, of_page(alice)) as page:
        page.next()
        with transaction.atomic():
            for incident in (two, one, one, two, one, two):
                note(incident)
        events = page.all(0.6)

    assert [event.data for event in events] == [{"incident": one.number, "seq": 4}, {"incident": two.number, "seq": 4}]
    assert stream.parse(events[0].id) < stream.parse(events[1].id)


def test_a_program_hears_every_entry_as_the_timeline_tells_it(payments: Team, alice: User, api: Any) -> None:
    incident = make.incident(payments)

    with live() as port, listening(port, PROGRAMS, of_program(alice)) as program:
        program.next()
        for text in ("One", "Two", "Three"):
            note(incident, text)
        events = [program.next() for _ in range(3)]

    listed = api(alice).get(f"/api/v1/incidents/{incident.number}/timeline/").json()["results"][1:]
    assert [event.data for event in events] == [{"incident": incident.number, "entry": entry} for entry in listed]
    assert {event.name for event in events} == {"entry"}


def test_who_comes_again_hears_what_they_missed_once(payments: Team, alice: User) -> None:
    incident, said = make.incident(payments), of_program(alice)

    with live() as port:
        with listening(port, PROGRAMS, said) as program:
            program.next()
            note(incident)
            last = program.next()
        missed = [note(incident).seq for _ in range(3)]
        for again in ({"Last-Event-ID": last.id}, {}):
            path = PROGRAMS if again else f"{PROGRAMS}?last_event_id={last.id}"
            with listening(port, path, {**said, **again}) as program:
                assert program.next().id == last.id
                heard = [program.next().data["entry"]["seq"] for _ in missed]
                later = note(incident).seq
                assert [*heard, program.next().data["entry"]["seq"]] == [*missed, later]
            missed.append(later)


def test_who_was_told_elsewhere_already_is_not_told_again(payments: Team, alice: User) -> None:
    incident, said = make.incident(payments), of_program(alice)

    with (
        live() as port,
        live(Pace(look=2, shortest=2, linger=30)) as slower,
        listening(slower, PROGRAMS, said) as other,
    ):
        other.next()
        time.sleep(0.3)  # its first look is over
        with listening(port, PROGRAMS, said) as program:
            program.next()
            told = note(incident)
            last = program.next()
        with listening(slower, PROGRAMS, {**said, "Last-Event-ID": last.id}) as program:
            assert program.next().id == last.id
            later = note(incident)
            assert program.next().data["entry"]["seq"] == later.seq
        assert [other.next().data["entry"]["seq"] for _ in range(2)] == [told.seq, later.seq]


def test_a_page_that_comes_again_hears_what_it_missed(payments: Team, alice: User) -> None:
    one, two, said = make.incident(payments), make.incident(payments), of_page(alice)
    begin = stream.head()
    for _ in range(3):
        note(one)
        note(two)

    with live() as port, listening(port, PAGES, {**said, "Last-Event-ID": str(begin)}) as page:
        events = page.all(1)

    assert [event.data for event in events[1:]] == [{"incident": each.number, "seq": 4} for each in (one, two)]


def test_a_private_incident_is_heard_by_those_who_may_see_it(
    payments: Team, alice: User, bob: User, charlie: User, admin: User
) -> None:
    private, public = make.incident(payments, is_private=True), make.incident(payments)
    responding.ask(private, charlie, by=make.person(bob), now=NOW)
    people = {person.name: person for person in (alice, bob, charlie, admin)}

    with live() as port, ExitStack() as stack:
        both = {
            name: [
                stack.enter_context(listening(port, PAGES, of_page(person))),
                stack.enter_context(listening(port, PROGRAMS, of_program(person))),
            ]
            for name, person in people.items()
        }
        for streams in both.values():
            for each in streams:
                each.next()
        note(private, "Nobody else is to know")
        note(public)
        heard = {
            name: [[event.data["incident"] for event in each.all(0.6)] for each in streams]
            for name, streams in both.items()
        }

    assert heard.pop("Alice") == [[public.number]] * 2
    assert set(heard) == {"Bob", "Charlie", "Admin"}
    assert all(each == [[private.number, public.number]] * 2 for each in heard.values())


def test_who_comes_again_hears_nothing_that_they_may_not(payments: Team, alice: User, bob: User) -> None:
    private = make.incident(payments, is_private=True)
    begin = stream.head()
    note(private)
    with live() as port:
        for path, person, said in ((PAGES, alice, of_page), (PROGRAMS, alice, of_program), (PROGRAMS, bob, of_program)):
            with listening(port, path, {**said(person), "Last-Event-ID": str(begin)}) as again:
                names = [event.name for event in again.all(0.5)]
            assert names == (["ready", "entry"] if person is bob else ["ready"])


# Who may


@pytest.mark.parametrize("path", [PAGES, PROGRAMS])
@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer blt_wrong"}, {"Cookie": "burnline=wrong"}, {"Authorization": "Basic eDp5"}],
    ids=["nothing", "a wrong token", "a wrong session", "a password"],
)
def test_who_is_not_known_is_refused(path: str, headers: dict[str, str]) -> None:
    with live() as port, listening(port, path, headers) as answer:
        assert answer.status == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert {name: answer.headers[name.lower()] for name in SECURITY_HEADERS} == SECURITY_HEADERS


def test_a_host_that_is_not_ours_is_refused(alice: User) -> None:
    with live() as port, listening(port, PROGRAMS, {**of_program(alice), "Host": "elsewhere.example.com"}) as answer:
        assert answer.status == 400


def test_streams_are_neither_kept_nor_held_back_by_who_stands_between(alice: User) -> None:
    with live() as port, listening(port, PAGES, of_page(alice)) as page:
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["x-accel-buffering"] == "no"
        assert {name: page.headers[name.lower()] for name in SECURITY_HEADERS} == SECURITY_HEADERS


def _revoke(user: User) -> None:
    tokens.revoke(Token.objects.get(owner=user), by=make.SYSTEM, now=timezone.now())


def _end_the_session(user: User) -> None:
    Session.objects.all().delete()


def _deactivate(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def _change_password(user: User) -> None:
    user.set_password("another staple altogether")
    user.save()


@pytest.mark.parametrize(
    ("path", "said", "end"),
    [
        (PROGRAMS, of_program, _revoke),
        (PROGRAMS, of_program, _deactivate),
        (PAGES, of_page, _end_the_session),
        (PAGES, of_page, _deactivate),
        (PAGES, of_page, _change_password),
    ],
    ids=["a token revoked", "its owner gone", "a session ended", "a person gone", "a password changed"],
)
def test_a_right_that_ends_ends_the_stream(
    path: str, said: Callable[[User], dict[str, str]], end: Callable[[User], None], alice: User, bob: User
) -> None:
    with (
        live() as port,
        listening(port, path, said(alice)) as stream_of_alice,
        listening(port, path, of_program(bob)) as stays,
    ):
        stream_of_alice.next()
        stays.next()
        end(alice)
        gone = stream_of_alice.next(2)
        with pytest.raises(Ended):
            stream_of_alice.next(1)
        others = stays.all(0.5)

    assert (gone.name, gone.data) == ("gone", {})
    assert others == []


def test_the_present_is_asked_within_thirty_seconds() -> None:
    pace = Pace()

    assert pace.check + pace.blind + 2 * pace.look < 30


# How many


def test_a_token_opens_so_many_streams_and_no_more(alice: User, bob: User) -> None:
    said = of_program(alice)

    with live(limit_each=3) as port, ExitStack() as stack:
        for _ in range(3):
            assert stack.enter_context(listening(port, PROGRAMS, said)).status == 200
        with listening(port, PROGRAMS, said) as refused, listening(port, PROGRAMS, of_program(bob)) as other:
            assert (refused.status, refused.headers["retry-after"]) == (429, "10")
            assert other.status == 200


def test_a_process_holds_so_many_streams_and_no_more(alice: User) -> None:
    with live(limit=2) as port:
        with ExitStack() as stack:
            for _ in range(2):
                assert stack.enter_context(listening(port, PAGES, of_page(alice))).status == 200
            assert open_streams() == 2
            with listening(port, PAGES, of_page(alice)) as refused:
                assert (refused.status, refused.headers["retry-after"]) == (503, "10")
        until(lambda: open_streams() == 0)
        with listening(port, PAGES, of_page(alice)) as again:
            assert again.status == 200


def test_head_tells_of_a_stream_and_holds_none(alice: User) -> None:
    with live() as port:
        for path, said in ((PAGES, of_page(alice)), (PROGRAMS, of_program(alice)), (PAGES, {})):
            asked = HTTPConnection("127.0.0.1", port, timeout=5)
            asked.request("HEAD", path, headers=said)
            answer = asked.getresponse()
            assert (answer.status, answer.read()) == (200 if said else 401, b"")
            asked.close()
        assert open_streams() == 0


@pytest.mark.skipif(not settings.ENV.redis_url, reason="there is no Redis to ring through")
def test_who_listens_hears_at_once_where_there_is_a_redis(payments: Team, alice: User) -> None:
    incident = make.incident(payments)

    with live(Pace(look=8, linger=0)) as port, listening(port, PAGES, of_page(alice)) as page:
        page.next()
        time.sleep(1)  # until the bell is hung
        note(incident)
        assert page.next(3).data == {"incident": incident.number, "seq": 2}


def test_silence_is_broken_by_pings(alice: User) -> None:
    with live() as port, listening(port, PAGES, of_page(alice)) as page:
        page.all(1.3)

    assert page.pings == 2


# When something is away or slow


def test_nobody_is_told_that_they_listen_while_the_database_is_away(
    payments: Team, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = of_page(alice)
    after = stream.after

    def away(*args: Any, **kwargs: Any) -> Any:
        raise OperationalError("the server closed the connection unexpectedly")

    with live() as port:
        with listening(port, PAGES, said) as page:
            page.next()
            monkeypatch.setattr(stream, "after", away)
            bye = page.next(5)
            retry = page.retry
            with pytest.raises(Ended):
                page.next(1)
        monkeypatch.setattr(stream, "after", after)
        with listening(port, PAGES, said) as again:
            again.next()
            incident = make.incident(payments)
            assert again.next().data == {"incident": incident.number, "seq": 1}

    assert (bye.name, retry) == ("bye", 1000)


def test_a_moment_without_the_database_is_made_up_for(
    payments: Team, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    after, fails = stream.after, iter([True, True, True])

    def shaky(*args: Any, **kwargs: Any) -> Any:
        if next(fails, False):
            raise OperationalError("terminating connection due to administrator command")
        return after(*args, **kwargs)

    with live() as port, listening(port, PROGRAMS, of_program(alice)) as program:
        program.next()
        monkeypatch.setattr(stream, "after", shaky)
        incident = make.incident(payments)
        assert program.next().data["incident"] == incident.number
        assert next(fails, False) is False


class Slow:
    """A program that takes what it is sent only when it is let."""

    def __init__(self, headers: dict[str, str]) -> None:
        self.took: list[bytes] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self.scope = cast(
            HTTPScope,
            {
                "type": "http",
                "method": "GET",
                "path": PROGRAMS,
                "raw_path": PROGRAMS.encode(),
                "query_string": b"",
                "root_path": "",
                "scheme": "http",
                "http_version": "1.1",
                "server": ("127.0.0.1", 80),
                "client": ("127.0.0.1", 5000),
                "headers": [(b"host", b"127.0.0.1")]
                + [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            },
        )

    async def send(self, event: ASGISendEvent) -> None:
        await self.reads.wait()
        if event["type"] == "http.response.body":
            self.took.append(event["body"])

    async def receive(self) -> Any:
        await asyncio.Event().wait()

    @property
    def seqs(self) -> list[int]:
        lines = b"".join(self.took).decode().split("\n")
        return [
            int(line.split('"seq":')[1].split(",")[0]) for line in lines if line.startswith("data: ") and "seq" in line
        ]


def test_who_does_not_read_is_dropped(payments: Team, alice: User) -> None:
    said, incident = of_program(alice), make.incident(payments)

    async def day() -> tuple[int, int]:
        streams, slow = Streams(wsgi.application, pace=QUICK), Slow(said)
        held = asyncio.ensure_future(streams(slow.scope, slow.receive, slow.send))
        while not slow.took:
            await asyncio.sleep(0.02)
        while_open = open_streams()
        slow.reads.clear()
        await asyncio.to_thread(_elsewhere, lambda: note(incident))
        await asyncio.wait_for(held, QUICK.look + QUICK.patience + 1)
        await streams.stop()
        return while_open, open_streams()

    assert asyncio.run(day()) == (1, 0)


def test_who_falls_behind_reads_on_at_their_own_pace(
    payments: Team, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listeners, "ROOM", 5)
    monkeypatch.setattr(listeners, "CHUNK", 1)
    monkeypatch.setattr(stream, "PAGE_IN_FULL", 3)
    said, incident = of_program(alice), make.incident(payments)

    async def day() -> list[int]:
        streams, slow = Streams(wsgi.application, pace=Pace(look=0.05, patience=20)), Slow(said)
        held = asyncio.ensure_future(streams(slow.scope, slow.receive, slow.send))
        while not slow.took:
            await asyncio.sleep(0.02)
        slow.reads.clear()
        for _ in range(20):
            await asyncio.to_thread(_elsewhere, lambda: note(incident))
        await asyncio.sleep(0.3)
        slow.reads.set()
        for _ in range(20):
            await asyncio.to_thread(_elsewhere, lambda: note(incident))
        end = time.monotonic() + 10
        while len(slow.seqs) < 40 and time.monotonic() < end:
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.3)
        streams.close()
        await asyncio.wait_for(held, 2)
        await streams.stop()
        return slow.seqs

    assert asyncio.run(day()) == list(range(2, 42))


def test_the_last_to_leave_takes_the_connection_along(alice: User) -> None:
    threads, connections = threading.active_count(), _connections()

    with live() as port:
        with listening(port, PAGES, of_page(alice)) as page:
            page.next()
            # Another one, which let it in, goes a moment later.
            until(lambda: len(_connections() - connections) == (1 if _ON_POSTGRESQL else 0))
        until(lambda: open_streams() == 0)
        until(lambda: not _connections() - connections)

    until(lambda: threading.active_count() <= threads)


def _connections() -> set[int]:
    """Who serves them, on PostgreSQL."""
    if not _ON_POSTGRESQL:
        return set()
    sql = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
    return {pid for (pid,) in statements.run(sql, [])}


def _elsewhere(work: Callable[[], Any]) -> None:
    try:
        work()
    finally:
        connection.close()


# The router


def test_the_router_leaves_to_django_who_does_not_read() -> None:
    assert set(asgi.NATIVE_ROUTES) == {PAGES, PROGRAMS}
    assert asgi.READING == ("GET", "HEAD")


def test_pages_can_be_told_to_ask_instead() -> None:
    code = "from config import asgi; print(*asgi.NATIVE_ROUTES)"
    env = {**os.environ, "BURNLINE_LIVE": "poll"}

    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, check=True, text=True)

    assert said.stdout.split() == [PROGRAMS]
