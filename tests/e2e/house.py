"""One running Burnline that all may walk through, with an administrator signed in; first empty, then furnished."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from tests.e2e.installation import ROOT, Server


class House:
    def __init__(self, server: Server) -> None:
        self._server = server
        self.url = f"http://127.0.0.1:{server.port}"
        self.is_furnished = False
        self.readers: dict[str, dict[str, str]] = {}  # by who they are, the cookies of their browser
        self.unlinked: list[str] = []  # addresses that no page links to

    def open(self) -> None:
        self._server.start()
        self._learn(self._told("past.tell(is_empty=True)"))

    def furnish(self) -> None:
        """Let weeks of incidents have happened in it."""
        self._learn(self._told("past.tell(is_empty=False)"))
        self.is_furnished = True

    def plant(self) -> None:
        """Let somebody have written into it who means harm."""
        self._learn(self._told("planted.tell()"))

    def close(self) -> None:
        self._server.stop()

    def _learn(self, told: dict[str, Any]) -> None:
        self.readers = told["readers"]
        self.unlinked = [path for paths in told["paths"].values() for path in paths]

    def _told(self, by: str) -> dict[str, Any]:
        """What tests/e2e/past.py or planted.py says, run in its environment."""
        said = f"from tests.e2e import past, planted; {by}"
        ran = subprocess.run(
            [sys.executable, "manage.py", "shell", "-v", "0", "-c", said],
            cwd=ROOT,
            env=self._server.environment,
            capture_output=True,
            text=True,
        )
        assert ran.returncode == 0, ran.stderr
        told: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
        return told
