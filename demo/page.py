"""What the pretend service shows: /metrics to Prometheus, and to people a page of buttons that change its health."""

from __future__ import annotations

import html
import json
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from demo.scorer import CANARY, STABLE, SYMPTOMS, Scorer

_WHAT_HAPPENS = {
    "accuracy": "One score in four turns out wrong.",
    "latency": "Answers take five times as long.",
    "availability": "Three requests in ten fail.",
    "drift": "Two features leave their training data.",
}
_POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
_LARGEST = 1000  # bytes of a form
_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 40rem; margin: 2rem auto; padding: 0 1rem; color: light-dark(#1f2937, #e5e7eb);
  background: light-dark(#fafafa, #171717); }
h1 { margin: 0; font-size: 1.4rem; }
a { color: light-dark(#0a5cb0, #86bdff); }
.state { padding: .75rem 1rem; margin: 1rem 0; background: light-dark(#e5f6e9, #17381f); border-radius: 6px; }
.state.bad { background: light-dark(#fdecec, #4a2322); }
ul { padding: 0; list-style: none; }
li { display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: center; justify-content: space-between;
  padding: .6rem 0; border-top: 1px solid light-dark(#e5e7eb, #3f3f46); }
button { min-height: 44px; padding: 0 1rem; font: inherit; font-weight: 600; color: inherit; cursor: pointer;
  background: light-dark(#fff, #262626); border: 1px solid light-dark(#9ca3af, #71717a); border-radius: 6px; }
button:hover { border-color: currentColor; }
.heal { color: #fff; background: #1b7034; border-color: #1b7034; }
""".lstrip()


class Server(ThreadingHTTPServer):
    """`burnline` and `prometheus` are addresses to link to."""

    daemon_threads = True

    def __init__(self, port: int, scorer: Scorer, *, burnline: str, prometheus: str) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.scorer, self.burnline, self.prometheus = scorer, burnline, prometheus


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        match urlsplit(self.path).path:
            case "/metrics":
                self._send(generate_latest(self.server.scorer.registry), CONTENT_TYPE_LATEST)
            case "/style.css":
                self._send(_STYLE.encode(), "text/css; charset=utf-8")
            case "/state":
                self._send(json.dumps(_state(self.server.scorer)).encode(), "application/json")
            case "/":
                self._send(_page(self.server).encode(), "text/html; charset=utf-8")
            case _:
                self.send_error(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        """`action=degrade&symptom=accuracy`, `action=canary` or `action=heal`; from this very page, or from no page."""
        if self.headers.get("Origin") not in (None, f"http://{self.headers.get('Host')}"):
            self.send_error(HTTPStatus.FORBIDDEN, "Another page may not press these buttons.")
            return
        length = int(self.headers.get("Content-Length") or 0)
        if length > _LARGEST:
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        said = {
            name: values[0] for name, values in parse_qs(self.rfile.read(length).decode("ascii", "replace")).items()
        }
        scorer = self.server.scorer
        match said.get("action"), said.get("symptom"):
            case "degrade", str(symptom) if symptom in SYMPTOMS:
                scorer.degrade(symptom)
            case "canary", _:
                scorer.start_canary()
            case "heal", _:
                scorer.heal()
            case _:
                self.send_error(HTTPStatus.BAD_REQUEST, f"Degrade one of {', '.join(SYMPTOMS)}, or canary, or heal.")
                return
        self.send_response(HTTPStatus.SEE_OTHER)
        self.send_header("Location", "/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the standard library
        """Nothing: Prometheus asks every second."""

    def _send(self, body: bytes, kind: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)


def _state(scorer: Scorer) -> dict[str, object]:
    return {"degraded": sorted(scorer.degraded), "canary_share": scorer.canary_share}


def _page(server: Server) -> str:
    scorer = server.scorer
    suffers = [f"degraded {symptom}" for symptom in SYMPTOMS if symptom in scorer.degraded]
    if scorer.canary_share:
        suffers.append(f"a canary of {CANARY} with {scorer.canary_share:.0%} of the traffic")
    words = f"It suffers from {', '.join(suffers)}." if suffers else f"It is healthy, and serves {STABLE}."
    rows = "".join(
        _row(f"Degrade {symptom}", what, action="degrade", symptom=symptom) for symptom, what in _WHAT_HAPPENS.items()
    )
    rows += _row("Start canary", f"{CANARY} takes a fifth of the traffic, and errs more.", action="canary")
    rows += _row("Heal", "Back to how it was; alerts resolve within a minute.", action="heal")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>fraud-scorer, a pretend model service</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/style.css">
</head>
<body>
<main>
<h1>fraud-scorer</h1>
<p>A pretend model service. Break it here, and see within a minute what becomes of it in
<a href="{html.escape(server.burnline)}/incidents/">Burnline</a>.</p>
<p class="state{" bad" if suffers else ""}" role="status">{words}</p>
<ul>{rows}</ul>
<p><a href="/metrics">Its metrics</a> · <a href="{html.escape(server.prometheus)}/alerts">Prometheus’ alerts</a></p>
</main>
</body>
</html>
"""


def _row(label: str, what: str, **said: str) -> str:
    hidden = "".join(f'<input type="hidden" name="{name}" value="{value}">' for name, value in said.items())
    kind = ' class="heal"' if said["action"] == "heal" else ""
    return f'<li><span>{what}</span><form method="post" action="/">{hidden}<button{kind}>{label}</button></form></li>'
