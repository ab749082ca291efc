"""What browsers are given: nothing from elsewhere, nothing the content security policy would drop, readable colours."""

import hashlib
import re
import shutil
from pathlib import Path

import pytest
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage

ROOT = Path(__file__).resolve().parent.parent
STATIC = ROOT / "static"
VENDOR = STATIC / "vendor"
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
OURS = [path for kind in ("css", "js", "img") for path in sorted((STATIC / kind).rglob("*.*"))]
SURFACES = {"light": ["#ffffff", "#fafafa", "#f3f3f3"], "dark": ["#262626", "#171717", "#363636"]}  # and a hovered row


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize(
    "forbidden",
    [
        r"\sstyle\s*=",
        r"<style\b",
        r"<script(?![^>]*\ssrc=)[^>]*>",
        r"\son[a-z]+\s*=",
        r"\bhx-on\b",
        r"[\"']js:",
        r"javascript:",
        r"hx-trigger=[\"'][^\"']*\[",
        r"hx-swap=[\"']morph:\{",
        r"<(?:script|link|img|use|iframe|source)\b[^>]*(?:src|href)=[\"'](?:https?:)?//",
        r"\|\s*safe\b",
    ],
)
def test_no_template_holds_what_the_policy_drops_or_what_escapes_escaping(forbidden: str) -> None:
    found = [name_of(path) for path in TEMPLATES if re.search(forbidden, path.read_text(), re.IGNORECASE)]

    assert found == []


@pytest.mark.parametrize(
    "forbidden",
    [
        r"@import",
        r"url\(\s*[\"']?(?:https?:)?//",
        r"\beval\(",
        r"\bnew Function\b",
        r"\binnerHTML\s*=",
        r"insertAdjacentHTML",
        r"setAttribute\([\"']style",
        r"cssText",
        r"(?:import|fetch)\s*\(?\s*[\"'](?:https?:)?//",
        r"<style\b|<script\b|\sstyle\s*=",
    ],
)
def test_none_of_our_static_files_loads_from_elsewhere_or_writes_markup_from_text(forbidden: str) -> None:
    found = [name_of(path) for path in OURS if re.search(forbidden, path.read_text())]

    assert found == []


@pytest.mark.parametrize("folder", [VENDOR, ROOT / "tests" / "e2e" / "vendor"], ids=["pages", "tests"])
def test_every_vendored_file_is_the_one_that_was_pinned(folder: Path) -> None:
    table = dict(
        re.findall(r"^\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|$", (folder / "README.md").read_text(), re.MULTILINE)
    )
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "README.md"]

    assert {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files} == table


def test_every_icon_that_a_page_names_is_in_the_sprite() -> None:
    sprite = set(re.findall(r'<symbol id="([^"]+)"', (VENDOR / "tabler-icons" / "icons.svg").read_text()))
    named = {
        icon
        for path in TEMPLATES
        for icon in re.findall(r"{% icon [\"']([^\"']+)|\bicon=[\"']([^\"']+)", path.read_text())
        for icon in icon
        if icon
    }

    assert named - sprite == set()


def test_every_file_that_a_style_sheet_names_is_there(tmp_path: Path) -> None:
    shutil.copytree(STATIC, tmp_path, dirs_exist_ok=True)
    storage = ManifestStaticFilesStorage(location=tmp_path, base_url="/static/")
    paths = {
        str(path.relative_to(tmp_path)): (storage, str(path.relative_to(tmp_path))) for path in tmp_path.rglob("*.*")
    }

    hashed = list(storage.post_process(paths))

    assert [outcome for outcome in hashed if isinstance(outcome[2], Exception)] == []
    assert "css/variables.css" in storage.hashed_files


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_ink_reads_on_its_tint_and_on_every_surface(scheme: str) -> None:
    variables = colours(scheme)
    tones = [name.removesuffix("-ink") for name in variables if name.endswith("-ink")]

    low = {
        (tone, ground): round(contrast(variables[f"{tone}-ink"], ground), 2)
        for tone in tones
        for ground in [variables[f"{tone}-tint"], *SURFACES[scheme]]
        if contrast(variables[f"{tone}-ink"], ground) < 4.5
    }

    assert len(tones) == 8
    assert low == {}


def test_white_reads_on_every_severity() -> None:
    variables = colours("light")

    assert {level: contrast("#ffffff", variables[f"sev{level}"]) >= 4.5 for level in range(1, 6)} == dict.fromkeys(
        range(1, 6), True
    )


def colours(scheme: str) -> dict[str, str]:
    """The colours of variables.css as that scheme sees them."""
    text = (STATIC / "css" / "variables.css").read_text()
    pairs = re.findall(r"--([\w-]+): (?:light-dark\((#\w{6}), (#\w{6})\)|(#\w{6}));", text)
    return {name: both or (light if scheme == "light" else dark) for name, light, dark, both in pairs}


def contrast(one: str, other: str) -> float:
    """WCAG 2's ratio of two colours."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
