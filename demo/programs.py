"""What runs beside Burnline in the demo: the pretend service, a real Prometheus and a real Alertmanager."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from common.preflight import Refusal
from common.supervisor import Program

RULES = Path(__file__).with_name("rules.yml")
BINARIES = {  # the package of Debian and Ubuntu -> names of its program
    "prometheus": ("prometheus",),
    "prometheus-alertmanager": ("prometheus-alertmanager", "alertmanager"),
}


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything of a demo is: its folder, and four ports in a row, of which Burnline has the first."""

    folder: Path
    port: int
    burnline: str

    @property
    def scorer(self) -> str:
        return f"http://127.0.0.1:{self.port + 1}"

    @property
    def prometheus(self) -> str:
        return f"http://127.0.0.1:{self.port + 2}"

    @property
    def alertmanager(self) -> str:
        return f"http://127.0.0.1:{self.port + 3}"


def beside(places: Places, *, alertmanager_yml: Path, token_file: Path) -> list[Program]:
    """The three of them, with Prometheus' configuration written. Raises Refusal where a program is missing."""
    found = binaries()
    folder = places.folder / "prometheus"
    folder.mkdir(exist_ok=True)
    (folder / "prometheus.yml").write_text(_prometheus_yml(places))
    return [
        Program(
            "fraud-scorer",
            [
                *(sys.executable, "-m", "demo", "serve", "--port", str(places.port + 1)),
                *("--burnline", places.burnline, "--prometheus", places.prometheus, "--token-file", str(token_file)),
            ],
        ),
        Program(
            "prometheus",
            [
                found["prometheus"],
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                "--storage.tsdb.retention.time=2d",
                f"--web.listen-address=127.0.0.1:{places.port + 2}",
                "--log.level=error",
            ],
        ),
        Program(
            "alertmanager",
            [
                found["prometheus-alertmanager"],
                f"--config.file={alertmanager_yml}",
                f"--storage.path={places.folder / 'alertmanager'}",
                f"--web.listen-address=127.0.0.1:{places.port + 3}",
                "--cluster.listen-address=",
                "--log.level=error",
            ],
        ),
    ]


def binaries() -> dict[str, str]:
    """Where the programs are, by their package. Raises Refusal with the packages that are missing."""
    found = {package: next(filter(None, map(shutil.which, names)), None) for package, names in BINARIES.items()}
    missing = [package for package, path in found.items() if path is None]
    if missing:
        raise Refusal(
            f"the demo runs a real Prometheus and Alertmanager, and {' and '.join(missing)} cannot be found here. "
            f"Debian and Ubuntu: apt install {' '.join(missing)}"
        )
    return {package: path for package, path in found.items() if path is not None}


def _prometheus_yml(places: Places) -> str:
    """JSON, which is YAML too. Everything each second, so that a newcomer need not wait."""
    return json.dumps(
        {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(RULES)],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{places.port + 3}"]}]}]},
            "scrape_configs": [
                {"job_name": "fraud-scorer", "static_configs": [{"targets": [f"127.0.0.1:{places.port + 1}"]}]}
            ],
        },
        indent=2,
    )
