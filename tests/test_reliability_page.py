"""docs/reliability.md tells what the proofs measured, and says of each what it shows."""

import re
from typing import Any

import pytest

from tests import reliability_page
from tests.reliability_page import PAGE, ROOT, TITLES

ROW: dict[str, Any] = {
    "id": "storm",
    "db": "sqlite",
    "seed": 7,
    "shape": "each alone",
    "redis": False,
    "alerts": 10_000,
    "lost": 3,
    "statuses": {"200": 10_000},
    "commit": "abc1234",
    "started": "2026-11-22T23:42:36+00:00",
    "seconds": 18.2,
}


def test_the_table_is_what_the_evidence_gives() -> None:
    said = PAGE.read_text()

    assert reliability_page.page(said) == said, "write it anew: python -m tests.reliability_page"


def test_evidence_that_nobody_has_explained_is_named() -> None:
    with pytest.raises(reliability_page.Untitled, match="what this evidence shows: surprise"):
        reliability_page.table([{**ROW, "id": "surprise"}])


def test_a_row_tells_its_conditions_its_counts_and_what_was_lost() -> None:
    [*_, line] = reliability_page.table([ROW]).splitlines()

    done, database, counts, lost, seconds, commit = [cell.strip() for cell in line.strip("| ").split("|")][1:]
    assert done.endswith("; shape: each alone; without redis")
    assert database == "SQLite"
    assert counts == "alerts 10,000, statuses 200: 10,000"
    assert (lost, seconds, commit) == ("3", "18", "abc1234")


def test_the_parts_of_a_proof_are_one_row() -> None:
    parts: list[dict[str, Any]] = [
        {"id": "alert-life", "db": db, "seed": seed, "steps_of_a_run": 50, "runs": runs, "seconds": 100.4}
        | {"commit": commit, "started": f"2026-11-2{seed}T00:00:00+00:00"}
        for db, seed, runs, commit in (
            ("sqlite", 2, 1_010, "bbb2222"),
            ("sqlite", 1, 1_000, "aaa1111"),
            ("sqlite", 3, 1_001, "bbb2222"),
            ("postgresql", 1, 1_003, "aaa1111"),
        )
    ]

    [*_, sqlite, postgresql] = reliability_page.table(parts).splitlines()

    assert "| SQLite | parts 3, steps of a run 50, runs 3,011 |  | 301 | aaa1111, bbb2222 |" in sqlite
    assert "| PostgreSQL | parts 1, steps of a run 50, runs 1,003 |  | 100 | aaa1111 |" in postgresql


def test_every_proof_that_is_written_down_is_explained() -> None:
    """Also those of which there is no evidence yet."""
    texts = [path.read_text() for path in (ROOT / "tests").rglob("test_*.py")]
    written = {name for text in texts for name in re.findall(r'evidence\.of\(\s*f?"([\w-]+)"', text)}

    assert len(written) > 10
    assert written <= set(TITLES)
