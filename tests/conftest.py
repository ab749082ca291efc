"""Who and what every test may ask for. *alice* is on call for payments, *bob* manages it, *charlie* works elsewhere."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from math import inf

import hypothesis
import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection, connections
from django.test import TransactionTestCase
from rest_framework.test import APIClient

from alerts import integrations, routing
from common import append_only, pulse
from home.templatetags import deliveries
from incidents import impact
from people.models import Team, User
from tests import make

APPEND_ONLY = ("incidents_entry", "people_auditevent")

Api = Callable[..., APIClient]


# How long an example takes is for the benches to say: here, other tests take their share of the machine.
hypothesis.settings.register_profile("beside others", deadline=None)
hypothesis.settings.load_profile("beside others")


def pytest_configure() -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # Argon2 is slow by design
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """SQLite in a file, as in real life: in memory, two threads would not see each other's locks."""
    if connection.vendor == "sqlite":
        name = tmp_path_factory.mktemp("database") / "burnline.sqlite3"
        connections["default"].settings_dict["TEST"]["NAME"] = str(name)


@pytest.fixture(autouse=True, scope="session")
def _a_flush_spares_nothing_and_brings_back_the_start() -> Iterator[None]:
    """Tests with real transactions empty the database, append-only tables too; what migrations wrote comes back."""
    flush = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]

    def empty(case: TransactionTestCase) -> None:
        with connection.schema_editor() as editor:
            for table in APPEND_ONLY:
                append_only.unprotect(editor, table)
        flush(case)
        with connection.schema_editor() as editor:
            for table in APPEND_ONLY:
                append_only.protect(editor, table)
            for migration in (
                "people.migrations.0002_vocabulary",
                "people.migrations.0005_audit_log_is_append_only",
                "incidents.migrations.0003_counter",
            ):
                importlib.import_module(migration).write(apps, editor)

    patch = pytest.MonkeyPatch()
    patch.setattr(TransactionTestCase, "_fixture_teardown", empty)
    yield
    patch.undo()


@pytest.fixture(autouse=True)
def _the_engine_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a test does not say otherwise (`pulse.forget()`), so that no page asks for it or warns of it."""
    monkeypatch.setattr(pulse, "_seen", (pulse.Pulse(datetime.max.replace(tzinfo=UTC), has_quarantined=False), inf))


@pytest.fixture(autouse=True)
def _nothing_is_known_from_another_test() -> None:
    """What a process goes by for some seconds."""
    integrations.forget()
    routing.forget()
    impact.forget()
    deliveries.forget()


@pytest.fixture
def payments(db: None) -> Team:
    return make.team("payments")


@pytest.fixture
def search(db: None) -> Team:
    return make.team("search")


@pytest.fixture
def admin(db: None) -> User:
    return make.user("Admin", is_admin=True)


@pytest.fixture
def alice(payments: Team) -> User:
    """A data scientist of payments, on call."""
    return make.user("Alice", {payments: "responder"}, discipline="data_science")


@pytest.fixture
def bob(payments: Team) -> User:
    """Manager of payments."""
    return make.user("Bob", {payments: "manager"}, discipline="sre")


@pytest.fixture
def charlie(search: Team) -> User:
    """A responder of another team."""
    return make.user("Charlie", {search: "responder"}, discipline="software")


@pytest.fixture
def victor(payments: Team) -> User:
    """A viewer: he may read, and nothing else."""
    return make.user("Victor", {payments: "viewer"}, discipline="support")


@pytest.fixture
def api(db: None) -> Api:
    """`api(alice)` asks the REST API with a token of hers; `api()` with none. It speaks JSON."""

    def client_of(owner: User | None = None, *scopes: str) -> APIClient:
        if owner is None:
            return json_client()
        rights = scopes or (("read", "write", "admin") if owner.is_admin else ("read", "write"))
        return json_client(make.token(owner, rights)[1])

    return client_of


def json_client(secret: str = "") -> APIClient:
    """A program that speaks JSON, with this token."""
    client = APIClient()
    client.default_format = "json"
    if secret:
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client
