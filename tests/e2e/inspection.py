"""What a real browser finds wrong with a page: on a desk and on a phone, light and dark, at rest and in every state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, BrowserContext, CDPSession, ConsoleMessage, Page, Request, Response

HERE = Path(__file__).parent
AXE = (HERE / "vendor" / "axe-core" / "axe.min.js").read_text()
ASKED_WITHIN = (HERE / "inspection.js").read_text()
DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 740},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 1,
}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

# What people point at and step to, and the rows and cards around it, which may change under a pointer too.
INTERACTIVE = "a[href], button, summary, input, select, textarea, label, [tabindex]"
AROUND = "tr, td, li, article, section, fieldset, [class*=card], [class*=row], [class*=item], [class*=entry]"

# Heard from the first byte on.
LISTENING = """
  window.policyBroken = [];
  addEventListener("securitypolicyviolation", (event) =>
    policyBroken.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sample}`));
"""


class Inspector:
    """Looks at the pages of one house with one browser; what is wrong is kept by kind and page."""

    def __init__(self, browser: Browser, url: str, readers: Mapping[str, Mapping[str, str]]) -> None:
        self._browser = browser
        self._url = url
        self._readers = readers
        self._contexts: dict[tuple[str, str], BrowserContext] = {}
        self.faults: dict[str, dict[str, list[str]]] = {}

    def inspect(self, path: str, reader: str, *, in_every_state: bool) -> None:
        with self._opened(path, "desk", DESK, reader) as page:
            self._note("inline", path, page.evaluate("inspection.forbidden()"))
            self._note("policy", path, page.evaluate("policyBroken"))
            page.evaluate("inspection.arriveAtOnce()")
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                self._note("axe", f"{path} 1280 {scheme}", violations(page))
            if in_every_state:
                page.evaluate("inspection.unfold()")
                self._in_states(page, path)
        with self._opened(path, "phone", PHONE, reader) as page:
            self._note("wide", path, page.evaluate("inspection.wide()"))
            self._note("small", path, page.evaluate("inspection.small()"))
            page.evaluate("inspection.arriveAtOnce()")
            self._note("axe", f"{path} 360 light", violations(page))
            page.emulate_media(color_scheme="dark")
            page.evaluate("inspection.unfold()")
            self._note("wide", f"{path} unfolded", page.evaluate("inspection.wide()"))
            self._note("axe", f"{path} 360 dark, unfolded", violations(page))

    def _in_states(self, page: Page, path: str) -> None:
        """Contrast with a pointer over the rows, over everything, and with the focus everywhere."""
        states = [("a row hovered", AROUND, ["hover"]), ("hovered", f"{AROUND}, {INTERACTIVE}", ["hover"])]
        states.append(("focused", INTERACTIVE, ["focus", "focus-visible"]))
        for name, selector, classes in states:
            with forced(page, selector, classes):
                for scheme in SCHEMES:
                    page.emulate_media(color_scheme=scheme)
                    self._note("states", f"{path} {name} {scheme}", violations(page, ["color-contrast"]))

    @contextmanager
    def _opened(self, path: str, name: str, device: dict[str, Any], reader: str) -> Iterator[Page]:
        page = self._context(name, device, reader).new_page()
        heard: list[str] = []

        def said(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                heard.append(message.text)

        def answered(answer: Response) -> None:
            if answer.status >= 400 and answer.request.resource_type != "document":
                heard.append(f"{answer.status} {answer.url}")

        def failed(request: Request) -> None:
            if not request.url.endswith("/live/"):
                heard.append(f"{request.failure} {request.url}")

        page.on("console", said)
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on("response", answered)
        page.on("requestfailed", failed)
        try:
            page.goto(self._url + path, wait_until="load", timeout=90_000)
            page.evaluate(ASKED_WITHIN)
            page.evaluate(AXE)
            yield page
            page.remove_listener("requestfailed", failed)
        finally:
            page.close()
        self._note("console", f"{path} {name}", [words for words in heard if "status of 40" not in words])

    def _context(self, name: str, device: dict[str, Any], reader: str) -> BrowserContext:
        key = (name, reader)
        if key not in self._contexts:
            context = self._browser.new_context(**device, locale="en-GB", timezone_id="Europe/Berlin")
            context.add_init_script(LISTENING)
            cookies = self._readers[reader].items()
            context.add_cookies([{"name": each, "value": value, "url": self._url} for each, value in cookies])
            self._contexts[key] = context
        return self._contexts[key]

    def _note(self, kind: str, where: str, what: Iterable[str]) -> None:
        of_kind = self.faults.setdefault(kind, {})
        if found := sorted(set(what)):
            of_kind[where] = found

    def close(self) -> None:
        for context in self._contexts.values():
            context.close()


def violations(page: Page, rules: list[str] | None = None) -> list[str]:
    """What axe says is wrong, each with the element that it is about."""
    options: dict[str, Any] = {"resultTypes": ["violations"], "elementRef": False}
    if rules:
        options["runOnly"] = {"type": "rule", "values": rules}
    found = page.evaluate("(options) => axe.run(document, options).then(({ violations }) => violations)", options)
    return [
        f"{violation['id']}: {node['html'][:160]} {' '.join((node['failureSummary'] or '').split())[:200]}"
        for violation in found
        for node in violation["nodes"]
    ]


@contextmanager
def forced(page: Page, selector: str, classes: list[str]) -> Iterator[None]:
    """Every element that the selector finds is as if under the pointer, or in focus."""
    session: CDPSession = page.context.new_cdp_session(page)
    session.send("DOM.enable")
    session.send("CSS.enable")
    root = session.send("DOM.getDocument", {"depth": 0})["root"]["nodeId"]
    for node in session.send("DOM.querySelectorAll", {"nodeId": root, "selector": selector})["nodeIds"]:
        session.send("CSS.forcePseudoState", {"nodeId": node, "forcedPseudoClasses": classes})
    try:
        yield
    finally:
        session.detach()
