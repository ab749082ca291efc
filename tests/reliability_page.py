"""Writes what the proofs measured into docs/reliability.md, at the end of `make prove`.

python -m tests.reliability_page
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "reliability.md"
EVIDENCE = ROOT / "evidence"
BEGIN, END = (
    "<!-- What follows is written by `make prove`. -->\n",
    "<!-- What came before was written by `make prove`. -->",
)

# Of each proof: what is promised, and what was done to it.
TITLES: Mapping[str, tuple[str, str]] = {
    "web-kills": (
        "An alert whose sender heard 2xx is never lost",
        "web processes were killed at random moments while alerts arrived",
    ),
    "database-stops": (
        "An alert whose sender heard 2xx is never lost",
        "the database was stopped and started while alerts arrived",
    ),
    "real-alertmanager": (
        "Every alert ends as its source left it",
        "a real Alertmanager played every scenario of the rig: retries, restarts, partitions, silences, flapping",
    ),
    "any-order": (
        "Every alert ends as its source left it",
        "deliveries came in any order, twice, and at once",
    ),
    "all-at-once": (
        "Every alert ends as its source left it",
        "deliveries came twice, in any order and eight at a time",
    ),
    "fsync": (
        "What is answered is on the disk",
        "the calls of a web process were counted while it answered",
    ),
    "alert-life": (
        "An alert has one open instance, in one incident",
        "alerts lived through lives made by dice, and were compared with a model",
    ),
    "locks": (
        "Deliveries and people at once never block each other for good",
        "they wrote to the same incidents from many sides",
    ),
    "hasty": (
        "An alert whose sender did not wait for the answer is kept once",
        "senders hung up early and sent again",
    ),
    "storm": (
        "A storm is kept within a minute, in one incident for each group; pages open, and few messages tell of it",
        "very many alerts came at once",
    ),
    "hostile": (
        "No request harms the door for webhooks: each is answered, none with 5xx",
        "hostile bodies and headers were sent from a corpus and by dice",
    ),
    "kills": (
        "Every message arrives, and copies carry its key",
        "engines and workers were killed at random moments",
    ),
    "redis": ("Redis holds nothing that matters: no message is lost or late", "Redis or its workers were disturbed"),
    "cut-connections": (
        "Every message arrives, and copies carry its key",
        "the database's connections were cut while engines worked",
    ),
    "hanging-lane": ("Who hangs delays nobody else", "a provider did not answer"),
    "bad-providers": (
        "Every message arrives, and who is well hears at once",
        "providers hung, broke, asked for patience, talked rubbish or hung up",
    ),
    "overdue": (
        "What became due while no engine ran is done within ten seconds of its return",
        "no engine ran for a while",
    ),
    "streams-restarts": (
        "Who listens hears every entry, once",
        "web processes were killed and stopped, while many wrote",
    ),
    "streams-many": ("Many streams cost few connections, and all hear what is new", "hundreds listened at once"),
    "guesses": (
        "Twenty guesses an hour at a secret are looked at",
        "passwords were guessed, from everywhere or by one",
    ),
    "secrets": ("No secret comes out, or is kept in clear", "all that is kept, answered and logged was searched"),
    "swaps-in-paths": ("Nobody reads or changes what is private to another team", "ids of others were put into paths"),
    "swaps-in-queries": (
        "Nobody reads or changes what is private to another team",
        "ids of others were put into filters, searches and orders",
    ),
    "swaps-in-bodies": (
        "Nobody reads or changes what is private to another team",
        "ids of others were put into bodies",
    ),
}

# What of a row is told in a column of its own, or not at all.
_APART = ("id", "db", "seed", "commit", "started", "seconds", "lost")
_DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
_IN_PARTS = ("alert-life",)  # what each part counted is added up
_OF_EACH = ("steps_of_a_run",)  # what is the same in all of them
_LOSSES = ("lost", "missed", "leaks", "found", "unanswered")  # each names what must be 0


class Untitled(Exception):
    """There is evidence of which nobody has said what it shows."""


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """A line for each row, in the order of TITLES. Raises Untitled."""
    rows = list(rows)
    if unknown := sorted({row["id"] for row in rows} - set(TITLES)):
        raise Untitled(f"Say in TITLES of tests/reliability_page.py what this evidence shows: {', '.join(unknown)}.")
    order = list(TITLES)
    lines = [
        "| Promise | What was done | Database | Counts | Lost | Seconds | Commit |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in sorted(_whole(rows), key=lambda its: order.index(its["id"])):
        promise, done = TITLES[row["id"]]
        cells = [
            promise,
            "; ".join([done, *_conditions(row)]),
            _DATABASES[row["db"]],
            ", ".join(_counts(row)),
            _lost(row),
            f"{row['seconds']:.0f}",
            row["commit"],
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _whole(rows: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Each row; of a proof that comes in parts, one for each database, which counts them."""
    parts: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["id"] in _IN_PARTS:
            parts.setdefault((row["id"], row["db"]), []).append(row)
        else:
            yield dict(row)
    for (name, database), those in parts.items():
        commits = ", ".join(dict.fromkeys(row["commit"] for row in sorted(those, key=lambda its: its["started"])))
        whole = {"id": name, "db": database, "parts": len(those), "commit": commits}
        for row in those:
            for key, value in row.items():
                if key not in ("id", "db", "seed", "commit", "started"):
                    whole[key] = value if key in _OF_EACH else whole.get(key, 0) + value
        yield whole


def rows() -> list[dict[str, Any]]:
    return [row for path in sorted(EVIDENCE.glob("*.json")) for row in json.loads(path.read_text())]


def page(before: str) -> str:
    """The page with the table as the evidence gives it."""
    head, _, rest = before.partition(BEGIN)
    _, end, tail = rest.partition(END)
    assert end, f"{PAGE.name} has lost the marks between which the table stands"
    return f"{head}{BEGIN}\n{table(rows())}\n{END}{tail}"


def _conditions(row: Mapping[str, Any]) -> Iterator[str]:
    """Under which of several it was: texts, and what was so or not."""
    for name, value in _of_its_own(row):
        if isinstance(value, bool):
            yield f"{'with' if value else 'without'} {_words(name)}"
        elif isinstance(value, str):
            yield f"{_words(name)}: {_words(value)}"


def _counts(row: Mapping[str, Any]) -> Iterator[str]:
    for name, value in _of_its_own(row):
        if isinstance(value, Mapping):
            yield from (f"{_words(name)} {inner}: {_figure(its)}" for inner, its in value.items())
        elif not isinstance(value, bool | str):
            yield f"{_words(name)} {_figure(value)}"


def _of_its_own(row: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in row.items() if name not in _APART)


def _lost(row: Mapping[str, Any]) -> str:
    losses = [row[name] for name in _LOSSES if name in row]
    if "deliveries" in row and "arrived" in row:
        losses.append(row["deliveries"] - row["arrived"])
    return _figure(max(losses)) if losses else ""


def _figure(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int | float) else _words(str(value))


def _words(name: str) -> str:
    return name.replace("_", " ").replace("|", "/")


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
