"""The drawing of the house, kept true: imports point one way, and nothing goes around it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# What each room may import, beside itself and `common`; what those may, it may too.
BELOW = {
    "common": set[str](),
    "people": set[str](),
    "catalog": {"people"},
    "oncall": {"people"},
    "notifications": {"people"},
    "slos": {"catalog"},
    "incidents": {"slos", "oncall", "notifications"},
    "alerts": {"incidents"},
    "postmortems": {"incidents"},
    "home": {"alerts", "postmortems", "demo"},
    "demo": set(),
}
PRETENDED = {"demo"}  # what stands beside Burnline where it is shown: no room of its database
ROOMS = set(BELOW)
UPWARD_NAME = re.compile(rf"^({'|'.join(ROOMS)})\.\w+(\.\w+)*$")


def allowed(room: str) -> set[str]:
    """Every room that this one may import, by one step or by several."""
    direct = BELOW[room]
    return {room, "common"} | direct | {far for near in direct for far in allowed(near)}


def files(room: str) -> list[Path]:
    return sorted(path for path in (ROOT / room).rglob("*.py") if "migrations" not in path.parts)


def imported(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((name.name.split(".")[0], node.lineno) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield (node.module or "").split(".")[0], node.lineno


def breaches(room: str, source: str) -> list[str]:
    """What a file of this room does that the drawing does not allow."""
    tree = ast.parse(source)
    may = allowed(room)
    found = [f"line {line}: imports {name}" for name, line in imported(tree) if name in ROOMS - may]
    found += [f"line {line}: imports config" for name, line in imported(tree) if name == "config"]
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            inner = [(name, line) for name, line in imported(node) if name in ROOMS]
            found += [f"line {line}: imports {name} inside a function" for name, line in inner]
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            match = UPWARD_NAME.match(node.value)
            if match and match[1] in ROOMS - may:
                found.append(f"line {node.lineno}: names {node.value}")
        if isinstance(node, ast.ImportFrom) and node.module in ("django.dispatch", "django.db.models.signals"):
            found.append(f"line {node.lineno}: uses a signal")
    return found


@pytest.mark.parametrize("room", BELOW)
def test_a_room_imports_only_what_lies_below_it(room: str) -> None:
    found = [
        f"{path.relative_to(ROOT)} {breach}" for path in files(room) for breach in breaches(room, path.read_text())
    ]

    assert files(room)
    assert found == []


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("common", "from people.models import User"),
        ("people", "import incidents.models"),
        ("slos", "from incidents import timeline"),
        ("incidents", "def f():\n    from alerts import ingest"),
        ("incidents", "def f():\n    from people import access"),
        ("incidents", "key = ForeignKey('alerts.Integration')"),
        ("alerts", "from postmortems import drafting"),
        ("postmortems", "from django.db.models.signals import post_save"),
        ("people", "from config import settings"),
        ("demo", "from incidents import lifecycle"),
    ],
)
def test_a_way_around_the_drawing_is_seen(room: str, source: str) -> None:
    assert breaches(room, source)


def test_every_room_of_the_drawing_is_there() -> None:
    for room in ROOMS - PRETENDED:
        assert (ROOT / room / "apps.py").is_file()


@pytest.mark.parametrize("name", ["utils.py", "helpers.py", "services.py", "managers.py", "signals.py"])
def test_no_module_is_named_for_a_drawer(name: str) -> None:
    assert [path for room in ROOMS for path in (ROOT / room).rglob(name)] == []
