"""What docs/security.md says is shown by a test is shown by a test that there is."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENT = (ROOT / "docs" / "security.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", DOCUMENT)))


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_every_proof_that_is_named_exists(path: str, name: str) -> None:
    text = (ROOT / path).read_text()

    assert not name or re.search(rf"^def {name}\(", text, re.MULTILINE), f"{path} has no {name}"


def test_every_line_says_what_shows_it_or_why_nothing_does() -> None:
    rows = [
        line for line in DOCUMENT.splitlines() if line.startswith("| ") and not line.startswith(("| Line", "| Control"))
    ]
    said = re.compile(r"`tests/|operator's|not applicable|not yet")

    assert [row for row in rows if not said.search(row.rstrip(" |").rsplit(" | ", 1)[-1])] == []
    assert len(rows) > 70
