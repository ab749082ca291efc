"""What a page's HTML holds, as it left the server: where it leads, and what the policy would drop."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

_NOT_CODE = {"application/json", "application/ld+json", "text/plain"}


@dataclass
class Form:
    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)  # by name, with what stands in them


@dataclass
class Markup:
    """Read by `read`."""

    lang: str = ""
    title: str = ""
    headings: int = 0  # of the first level
    is_page: bool = False  # a whole document, not a part of one
    links: list[str] = field(default_factory=list)
    forms: list[Form] = field(default_factory=list)
    forbidden: list[str] = field(default_factory=list)  # what the content security policy would drop


def read(html: str) -> Markup:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.found


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found = Markup()
        self._in_title = False
        self._in_symbol = 0
        self._forms: dict[str, Form] = {}  # by their id
        self._fields: list[tuple[str, str, str, int]] = []

    def close(self) -> None:
        """A field may stand before or after the form that it names."""
        super().close()
        for name, value, named, before in self._fields:
            form = self._forms.get(named) if named else self.found.forms[before - 1] if before else None
            if form is not None:
                form.fields.setdefault(name, value)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        found = self.found
        match tag:
            case "html":
                found.is_page, found.lang = True, given.get("lang", "")
            case "title" if not self._in_symbol:
                self._in_title = True
            case "svg":
                self._in_symbol += 1
            case "h1":
                found.headings += 1
            case "a" if "href" in given:
                found.links.append(given["href"])
            case "style":
                found.forbidden.append("<style>")
            case "script" if "src" not in given and given.get("type") not in _NOT_CODE:
                found.forbidden.append("an inline <script>")
            case "form":
                form = Form(given.get("action", ""), given.get("method", "get").upper())
                found.forms.append(form)
                self._forms[given.get("id", "")] = form
            case "input" | "select" | "textarea" | "button" if given.get("name"):
                self._fields.append((given["name"], given.get("value", ""), given.get("form", ""), len(found.forms)))
            case _:
                pass
        for name, value in given.items():
            if name == "style" or name.startswith(("on", "hx-on")):
                found.forbidden.append(f"<{tag} {name}={value[:60]!r}>")
            if name in ("href", "src", "action", "formaction") and value.strip().lower().startswith("javascript:"):
                found.forbidden.append(f"<{tag} {name}={value[:60]!r}>")

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        elif tag == "svg":
            self._in_symbol -= 1

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.found.title += data
