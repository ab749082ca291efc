"""The page that shows every part, so that nobody draws one a second time."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings

from home.styleguide import EXAMPLES
from people.models import User
from tests.browsing import page, signed_in

TEMPLATES = Path(settings.BASE_DIR) / "templates"
PARTIALS = {path.name for path in (TEMPLATES / "_partials").glob("*.html")}


def included_in(*paths: Path) -> set[str]:
    """The partials that these templates bring, and what those bring."""
    found = {name for path in paths for name in re.findall(r"_partials/([\w]+\.html)", path.read_text())}
    deeper = {
        name
        for part in found
        for name in re.findall(r"_partials/([\w]+\.html)", (TEMPLATES / "_partials" / part).read_text())
    }
    return found | deeper


def test_every_partial_is_shown_or_is_a_part_of_the_frame() -> None:
    examples = [TEMPLATES / "styleguide" / f"{name}.html" for names in EXAMPLES.values() for name in names]

    assert PARTIALS - included_in(*examples, TEMPLATES / "base.html") == set()


def test_every_example_has_its_place() -> None:
    named = [name for names in EXAMPLES.values() for name in names]

    assert sorted(named) == sorted(path.stem for path in (TEMPLATES / "styleguide").glob("*.html"))


@pytest.mark.parametrize("scheme", ["", "light", "dark"])
def test_it_is_drawn_in_both_schemes_with_the_source_of_each_part(admin: User, scheme: str) -> None:
    text = page(admin, f"/styleguide/?scheme={scheme}")

    shown = text[text.index('class="styleguide"') :]
    assert (f'data-bs-theme="{scheme}"' in shown) is bool(scheme)
    assert "{% include &quot;_partials/severity.html&quot; with severity=level label=label only %}" in shown
    assert '<span class="sev sev2">SEV2</span>' in shown


def test_the_head_of_a_page_is_shown_without_a_second_heading_of_the_first_level(admin: User) -> None:
    text = page(admin, "/styleguide/")

    assert text.count("<h1") == 1
    assert '<p class="title">' in text


def test_what_it_offers_to_undo_is_undone_by_the_button(admin: User) -> None:
    client = signed_in(admin)

    told = client.post("/styleguide/", {"do": "move"}, follow=True).content.decode()
    after = client.post("/styleguide/", {"do": "move back"}, follow=True).content.decode()

    assert 'value="move back"' in told
    assert 'value="move back"' not in after
