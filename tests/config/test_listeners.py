"""What waits for one listener is told in order, once, and to no one else."""

from __future__ import annotations

import pytest

from config import listeners
from config.listeners import Listener
from incidents.stream import Cursor, News, Page
from people.standing import Pass

ALICE, BOB = 1, 2


def news(number: int, *, incident: int = 7, seq: int = 0, readers: frozenset[int] | None = None) -> News:
    return News(Cursor(number, number), incident, seq or number, readers, b'{"n":%d}' % number)


def page(*entries: News) -> Page:
    return Page(list(entries), entries[-1].cursor, is_full=False)


def listener(*, in_full: bool = True) -> Listener:
    return Listener(Pass("api-events" if in_full else "live", ALICE, "key"), Cursor(0, 0), in_full=in_full)


def ids(wire: bytes) -> list[str]:
    return [line.removeprefix("id: ") for line in wire.decode().split("\n") if line.startswith("id: ")]


def test_what_was_read_when_catching_up_is_not_told_again() -> None:
    ahead = listener()

    for heard in (page(news(1), news(2), news(3)), page(news(2), news(3), news(4)), page(news(1), news(4), news(5))):
        ahead.hear(listeners.entries(heard), heard.upto)

    assert ids(ahead.taken()) == ["1-1", "2-2", "3-3", "4-4", "5-5"]


def test_an_incident_that_changes_again_is_told_once_and_last() -> None:
    slow = listener(in_full=False)

    for heard in (
        page(news(1, incident=7), news(2, incident=8)),
        page(news(3, incident=7, seq=4), news(4, incident=7, seq=3)),
    ):
        slow.hear(listeners.changes(heard), heard.upto)

    assert slow.taken() == (
        b'id: 2-2\nevent: changed\ndata: {"incident":8,"seq":2}\n\n'
        b'id: 4-4\nevent: changed\ndata: {"incident":7,"seq":4}\n\n'
    )


def test_what_is_for_others_is_not_told_but_passed() -> None:
    alone = listener()
    heard = page(
        news(1), news(2, readers=frozenset({BOB})), news(3, readers=frozenset({ALICE})), news(4, readers=frozenset())
    )

    alone.hear(listeners.entries(heard), heard.upto)

    assert ids(alone.taken()) == ["1-1", "3-3"]
    assert alone.sent == Cursor(4, 4)


def test_what_is_sent_at_once_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listeners, "CHUNK", 80)
    slow = listener()
    heard = page(*[news(number) for number in range(1, 6)])
    slow.hear(listeners.entries(heard), heard.upto)

    first = slow.taken()

    assert len(first) <= 80
    assert slow.sent == Cursor(2, 2)
    assert ids(first) + ids(slow.taken()) + ids(slow.taken()) == [f"{number}-{number}" for number in range(1, 6)]
    assert not slow.has_waiting


@pytest.mark.parametrize("room", ["ROOM", "ROOM_BYTES"])
def test_who_falls_behind_begins_again_after_what_they_were_sent(room: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listeners, room, 2)
    slow = listener()
    slow.hear(listeners.entries(page(news(1))), Cursor(1, 1))
    slow.taken()
    heard = page(news(2), news(3), news(4))

    slow.hear(listeners.entries(heard), heard.upto)
    assert slow.has_no_room
    slow.fall_behind()

    assert (slow.is_behind, slow.has_waiting, slow.has_no_room) == (True, False, False)
    assert slow.heard == slow.sent == Cursor(1, 1)
    slow.hear(listeners.entries(heard), heard.upto)
    assert ids(slow.taken()) == ["2-2", "3-3", "4-4"]


def test_the_last_words_are_the_first_that_were_said() -> None:
    one = listener()

    one.end(listeners.GONE)
    one.end(listeners.BYE)

    assert one.ending == listeners.GONE
