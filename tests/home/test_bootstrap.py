"""The first command of an installation: what it makes, what it says, and that saying it again gives nothing away."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from alerts import integrations
from people.models import Token, User
from tests.conftest import json_client

ROOT = Path(__file__).parent.parent.parent


def bootstrap(*options: str) -> dict[str, Any]:
    answer = io.StringIO()
    call_command("bootstrap", "--json", *options, stdout=answer)
    made: dict[str, Any] = json.loads(answer.getvalue())
    return made


@pytest.mark.django_db
def test_it_makes_what_one_begins_with_and_tells_the_secrets_once() -> None:
    first, second = bootstrap(), bootstrap()

    assert set(first) == {"url", "admin", "webhook", "api_token", "receiver_yaml"}
    assert User.objects.get(email=first["admin"]["email"]).check_password(first["admin"]["password"])
    assert first["webhook"]["token"] in first["receiver_yaml"]
    assert Token.objects.get().scopes == ["read", "write"]
    assert (second["admin"]["password"], second["webhook"]["token"], second["api_token"]) == (None, None, None)
    assert first["webhook"]["token"] not in second["receiver_yaml"]


@pytest.mark.django_db
def test_rotating_ends_the_tokens_before_and_leaves_the_password() -> None:
    first = bootstrap()
    rotated = bootstrap("--rotate")

    assert rotated["admin"]["password"] is None
    assert json_client(first["api_token"]).get("/api/v1/incidents/").status_code == 401
    assert json_client(rotated["api_token"]).get("/api/v1/incidents/").status_code == 200
    assert integrations.by_authorization(f"Bearer {first['webhook']['token']}") is None
    assert integrations.by_authorization(f"Bearer {rotated['webhook']['token']}") is not None


def test_it_needs_nothing_to_be_there_before_it(tmp_path: Path) -> None:
    given = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}

    answer = subprocess.run(
        [sys.executable, "manage.py", "bootstrap", "--json"],
        cwd=ROOT,
        env={**given, "BURNLINE_DATA_DIR": str(tmp_path / "data")},
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["api_token"]
