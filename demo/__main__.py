"""`python -m demo degrade accuracy`, `canary`, `heal`, `state`; and `serve`, which `make demo` starts."""

from __future__ import annotations

import argparse
import os
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from demo import pushing
from demo.page import Server
from demo.scorer import SYMPTOMS, Scorer

PORT = 8801


def main(words: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m demo", description="Change the health of the demo's fraud-scorer.")
    default = int(os.environ.get("BURNLINE_PORT") or PORT - 1) + 1
    parser.add_argument("--port", type=int, default=default, help=f"of fraud-scorer: one above Burnline's ({default})")
    actions = parser.add_subparsers(dest="action", required=True)
    degrade = actions.add_parser("degrade", help="make it worse")
    degrade.add_argument("symptom", choices=SYMPTOMS)
    actions.add_parser("canary", help="start a canary that is worse")
    actions.add_parser("heal", help="bring it back to health")
    actions.add_parser("state", help="say how it is")
    serve = actions.add_parser("serve", help="run it; make demo does")
    serve.add_argument("--port", type=int, default=default)
    serve.add_argument("--burnline", required=True)
    serve.add_argument("--prometheus", required=True)
    serve.add_argument("--token-file", type=Path, required=True)
    said = parser.parse_args(words)
    if said.action == "serve":
        _serve(said)
    else:
        print(_ask(said))


def _serve(said: argparse.Namespace) -> None:
    scorer = Scorer()
    token = said.token_file.read_text().strip()
    threading.Thread(target=scorer.run, daemon=True).start()
    threading.Thread(target=pushing.push_for_ever, args=(scorer, said.burnline, token), daemon=True).start()
    Server(said.port, scorer, burnline=said.burnline, prometheus=said.prometheus).serve_forever()


def _ask(said: argparse.Namespace) -> str:
    """What the service is like after that."""
    url = f"http://127.0.0.1:{said.port}"
    asked = {"action": said.action, "symptom": getattr(said, "symptom", "")}
    try:
        if said.action != "state":
            urllib.request.urlopen(f"{url}/", urllib.parse.urlencode(asked).encode(), timeout=5).close()
        with urllib.request.urlopen(f"{url}/state", timeout=5) as answer:
            return str(answer.read().decode())
    except (urllib.error.URLError, OSError) as exc:
        sys.exit(f"demo: fraud-scorer does not answer on port {said.port} ({exc}). Does `make demo` run?")


if __name__ == "__main__":
    main(sys.argv[1:])
