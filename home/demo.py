"""Prepares what `make demo` shows: the history, an Alertmanager of its own, and the words that lead to all of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from django.conf import settings

from alerts import integrations
from alerts.models import Integration
from common.serving import Beside
from demo import programs
from home.history import cast, seeding
from people import passwords, tokens
from people.actors import SYSTEM
from people.models import User

_INTEGRATION = "Demo Alertmanager"


def prepare(*, now: datetime) -> Beside:
    """Make what is missing, and say what runs beside Burnline. A second time nothing is made anew."""
    env = settings.ENV
    places = programs.Places(env.data_dir, env.port, env.public_url)
    programs.binaries()
    password = _kept(env.data_dir / "demo-password", passwords.made_up)
    seeding.seed(password, now=now)
    beside = programs.beside(
        places,
        alertmanager_yml=_alertmanager_yml(env.data_dir, now),
        token_file=_token_file(env.data_dir, now),
    )
    return Beside(beside, _greeting(places, password))


def _greeting(places: programs.Places, password: str) -> list[str]:
    others = [cast.address(key) for key in ("ravi", "noor", "liam")]
    where = "" if places.port == 8800 else f" --port {places.port + 1}"
    return [
        f"Sign in as            {cast.ADMIN}",
        f"with the password     {password}",
        f"                      (it is everybody's here; others are {', '.join(others)})",
        "",
        f"Break fraud-scorer at {places.scorer}/",
        f"or by a command:      .venv/bin/python -m demo{where} degrade accuracy   (and: heal)",
        "An incident opens within a minute.",
        "",
        f"Prometheus            {places.prometheus}/alerts",
        f"Alertmanager          {places.alertmanager}/",
        f"The data is kept in {places.folder}. Ctrl-C stops everything.",
    ]


def _alertmanager_yml(folder: Path, now: datetime) -> Path:
    """The receiver as everybody pastes it, only faster. Its token is known to this file alone."""

    def made() -> str:
        known = Integration.objects.filter(name=_INTEGRATION).first()
        if known is None:
            known, token = integrations.create(_INTEGRATION, by=SYSTEM, now=now)
        else:
            token = integrations.rotate(known, by=SYSTEM, now=now)
        return (
            integrations.receiver_yaml(known, token)
            .replace("group_wait: 10s", "group_wait: 1s")
            .replace("group_interval: 1m", "group_interval: 2s")
        )

    path = folder / "alertmanager.yml"
    if path.exists() and integrations.webhook_url() not in path.read_text():
        path.unlink()  # it posts to where we were before
    _kept(path, made)
    return path


def _token_file(folder: Path, now: datetime) -> Path:
    """The token by which fraud-scorer pushes its samples."""
    path = folder / "demo-token"

    def made() -> str:
        owner = User.objects.get(email=cast.address("noor"))
        return tokens.issue(owner, "fraud-scorer's samples", ["read", "write"], by=SYSTEM, now=now)[1]

    _kept(path, made)
    return path


def _kept(path: Path, make: Callable[[], str]) -> str:
    """The text of a file that only its owner reads, made at first need."""
    if not path.exists():
        unfinished = path.with_suffix(".new")
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(make())
        unfinished.rename(path)
    return path.read_text()
