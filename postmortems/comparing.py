"""What differs between two texts, line by line and within a line word by word. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

_WORDS = re.compile(r"\s+|\w+|[^\w\s]")
_LONGEST = 2000  # characters of a line that is still compared by words
_AROUND = 2  # lines that stand beside a change


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a line; `differs` where the other text has something else there."""

    text: str
    differs: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """`kind`: same, gone, new, or skipped, which stands for `count` lines that are the same."""

    kind: str
    pieces: list[Piece]
    count: int = 0


def lines(before: str, after: str) -> list[Line]:
    """What one reads to see how `after` came from `before`: the changes, and a little around each."""
    return list(_condensed(list(_compared(before.splitlines(), after.splitlines()))))


def _compared(before: Sequence[str], after: Sequence[str]) -> Iterator[Line]:
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            yield from (Line("same", [Piece(line)]) for line in before[i1:i2])
            continue
        gone, new = before[i1:i2], after[j1:j2]
        if len(gone) == len(new):
            for old, fresh in zip(gone, new, strict=True):
                yield from _words(old, fresh)
            continue
        yield from (Line("gone", [Piece(line)]) for line in gone)
        yield from (Line("new", [Piece(line)]) for line in new)


def _words(old: str, fresh: str) -> Iterator[Line]:
    if max(len(old), len(fresh)) > _LONGEST:
        yield from (Line("gone", [Piece(old)]), Line("new", [Piece(fresh)]))
        return
    before, after = _WORDS.findall(old), _WORDS.findall(fresh)
    gone, new = [], []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if i2 > i1:
            gone.append(Piece("".join(before[i1:i2]), tag != "equal"))
        if j2 > j1:
            new.append(Piece("".join(after[j1:j2]), tag != "equal"))
    yield from (Line("gone", gone), Line("new", new))


def _condensed(compared: Sequence[Line]) -> Iterator[Line]:
    changed = [place for place, line in enumerate(compared) if line.kind != "same"]
    near = {place + step for place in changed for step in range(-_AROUND, _AROUND + 1)}
    skipped = 0
    for place, line in enumerate(compared):
        if place not in near:
            skipped += 1
            continue
        if skipped:
            yield Line("skipped", [], skipped)
            skipped = 0
        yield line
    if skipped:
        yield Line("skipped", [], skipped)
