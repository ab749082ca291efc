"""Rebuilds static/vendor/ from pinned npm packages. Only a maintainer runs it; installing needs no npm and no network.

    python deploy/vendor.py            # download, check, write the files and static/vendor/README.md

To move to another version: change the pin below, run, look at the pages in both schemes, commit the result.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

VENDOR: Final = Path(__file__).resolve().parent.parent / "static" / "vendor"


@dataclass(frozen=True)
class Package:
    name: str
    version: str
    sha256: str  # of the archive as published
    licence: str
    files: dict[str, str]  # path in the archive -> path under static/vendor


TABLER = Package(
    "@tabler/core",
    "1.6.1",
    "d02d679e51f6c179b21f035e154c13cdcb2ae8b18579e56ea606408ba7fc7a87",
    "MIT",
    {"dist/css/tabler.min.css": "tabler/tabler.min.css"},
)
HTMX = Package(
    "htmx.org",
    "2.0.11",
    "165a2655073e9e6e55e307a7c74e8ebcdb76afb7701f9c16cfd106a13add408e",
    "0BSD",
    {"dist/htmx.min.js": "htmx/htmx.min.js", "LICENSE": "htmx/LICENSE"},
)
IDIOMORPH = Package(
    "idiomorph",
    "0.8.0",
    "c2b48584153f0167b5c98cb815576338ccd82a97378e53fbf29d139dfd67207e",
    "0BSD",
    {"dist/idiomorph-ext.min.js": "idiomorph/idiomorph-ext.min.js", "LICENSE": "idiomorph/LICENSE"},
)
ICONS = Package(
    "@tabler/icons",
    "3.51.0",
    "b30108713d3fa60aee862c2a133225da8e0f309be0708fe2925763ff810c766c",
    "MIT",
    {"LICENSE": "tabler-icons/LICENSE"},
)
# Compiled into tabler.min.css, and published without its licence there.
BOOTSTRAP = Package(
    "bootstrap",
    "5.3.8",
    "8b02d4a7482e0f0a2b1da58f1c9c86830e96cc2f77f094f89e4681b19886bc38",
    "MIT",
    {"LICENSE": "tabler/LICENSE.bootstrap"},
)
PACKAGES: Final = [TABLER, BOOTSTRAP, ICONS, HTMX, IDIOMORPH]

SPRITE: Final = "tabler-icons/icons.svg"
ICONS_WE_USE: Final = Path(__file__).with_name("icons.txt")  # one name a line
FILLED_NAMES: Final = ["star"]  # in the sprite as <name>-filled

TABLER_LICENCE_HEAD: Final = """\
The MIT License (MIT)

Copyright (c) 2018-2026 The Tabler Authors
Copyright (c) 2018-2026 codecalm.net Paweł Kuna
"""

README_HEAD: Final = """\
# What others wrote

Copied from npm packages by `python deploy/vendor.py`, pinned and unchanged but for one thing: comments naming source
maps are taken out, because the maps are not here and Django's hashed static files refuse a name that leads nowhere.
Nothing is loaded from anywhere else, and installing needs neither npm nor network. `tests/test_static.py` compares
every file with this table.

- **Tabler**: the style sheet (Bootstrap 5 is inside). Its script is left out: menus are `<details>`, dialogs
  `<dialog>`, and messages plain HTML, so that all of them work before, and without, any script. Do not copy markup
  from its documentation that carries `style="..."`: the content security policy drops it.
- **Tabler icons**: one sprite of the icons we use, written by `{% icon "bell" %}`. To add one, put its name in
  `deploy/icons.txt` and run the command above.
- **htmx 2**, not 4: the 2.0 line is promised long support. `allowEval` is off, so no `hx-on`, `js:` or trigger filters.
- **idiomorph** with its htmx extension: `hx-swap="morph"` or `morph:innerHTML` (`hx-ext="morph"` is on the body). Its
  third form, `morph:{...}`, compiles a string and is blocked by the policy.

"""


def rebuild() -> None:
    """Write every vendored file, the icon sprite, and the table of what is here."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [row for package in PACKAGES for row in _vendor(package, Path(folder))]
    _write("tabler/LICENSE", _tabler_licence())
    rows.append((TABLER, "tabler/LICENSE"))
    (VENDOR / "README.md").write_text(README_HEAD + _table(rows))


def _vendor(package: Package, folder: Path) -> list[tuple[Package, str]]:
    archive = _download(package, folder)
    with tarfile.open(archive) as members:
        for source, target in package.files.items():
            _write(target, _without_source_map(_read(members, source)))
        written = list(package.files.values())
        if package is ICONS:
            _write(SPRITE, _sprite(members))
            written.append(SPRITE)
    return [(package, target) for target in written]


def _download(package: Package, folder: Path) -> Path:
    spec = f"{package.name}@{package.version}"
    packed = subprocess.run(["npm", "pack", "--silent", spec], cwd=folder, check=True, capture_output=True, text=True)
    archive = folder / packed.stdout.strip().splitlines()[-1]
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != package.sha256:
        raise SystemExit(f"{spec} is not what was pinned: {found}")
    return archive


def _read(members: tarfile.TarFile, path: str) -> bytes:
    member = members.extractfile(f"package/{path}")
    assert member is not None, path
    return member.read()


def _without_source_map(content: bytes) -> bytes:
    return re.sub(rb"\n?(/\*# sourceMappingURL=[^*]*\*/|//# sourceMappingURL=\S*)", b"", content)


def _sprite(members: tarfile.TarFile) -> bytes:
    symbols = [_symbol(members, f"icons/outline/{name}.svg", name) for name in sorted(ICONS_WE_USE.read_text().split())]
    symbols += [_symbol(members, f"icons/filled/{name}.svg", f"{name}-filled") for name in FILLED_NAMES]
    return ('<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n").encode()


def _symbol(members: tarfile.TarFile, path: str, name: str) -> str:
    drawing = _read(members, path).decode()
    shapes = re.sub(r"<svg.*?>|</svg>|<!--.*?-->", "", drawing, flags=re.DOTALL)
    shapes = re.sub(r'<path stroke="none" d="M0 0h24v24H0z" fill="none"\s*/>', "", shapes)
    shapes = re.sub(r"\s+", " ", shapes).replace(" />", "/>").replace("> <", "><").strip()
    paint = ' fill="currentColor" stroke="none"' if name.endswith("-filled") else ""
    return f'<symbol id="{name}" viewBox="0 0 24 24"{paint}>{shapes}</symbol>'


def _tabler_licence() -> bytes:
    """Tabler's package names its licence without the text; the text is the same as that of Tabler icons."""
    permission = (VENDOR / "tabler-icons" / "LICENSE").read_text()
    return (TABLER_LICENCE_HEAD + "\n" + permission[permission.index("Permission is") :]).encode()


def _write(target: str, content: bytes) -> None:
    path = VENDOR / target
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _table(rows: list[tuple[Package, str]]) -> str:
    lines = ["| file | package | version | licence | sha256 of the file |", "|---|---|---|---|---|"]
    for package, target in rows:
        digest = hashlib.sha256((VENDOR / target).read_bytes()).hexdigest()
        lines.append(f"| `{target}` | {package.name} | {package.version} | {package.licence} | `{digest}` |")
    lines += ["", "The archives they came from:", "", "| package | sha256 of the archive |", "|---|---|"]
    lines += [f"| {package.name} {package.version} | `{package.sha256}` |" for package in PACKAGES]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    rebuild()
