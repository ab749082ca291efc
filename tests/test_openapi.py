"""The OpenAPI document, and every operation of it held to what it says, with whatever schemathesis comes up with.

Every third of the cases that it builds from the document is asked, and a few at random; `BURNLINE_FUZZ=500 pytest
tests/test_openapi.py` asks all of them, and 500 at random for each operation.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count, pairwise
from typing import Any

import pytest
import schemathesis
from django.core import signals
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, settings
from schemathesis import GenerationMode
from schemathesis.checks import CheckFunction, not_a_server_error
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi import checks

from alerts import integrations
from alerts.models import Delivery
from incidents import responding
from people.models import Team, User
from postmortems import drafting
from tests import make
from tests.make import NOW

EXAMPLES = int(os.environ.get("BURNLINE_FUZZ", "0"))
SHARE = 1 if EXAMPLES else 3
HELD: list[CheckFunction] = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]

_turns = count()

document = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
schema = schemathesis.openapi.from_dict(document)
schema.app = get_wsgi_application()
schema.config.phases.coverage.unexpected_methods = set()  # test_access_matrix.py tries those


def test_the_document_is_generated_without_a_warning(tmp_path: Any) -> None:
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "schema.yaml"))


def test_every_operation_says_what_it_refuses() -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert {"401", "403", "503"} <= set(operation["responses"]), f"{method} {path}"
            assert ("404" in operation["responses"]) == ("{" in path), f"{method} {path}"


@pytest.fixture(autouse=True)
def _the_connection_stays_that_of_the_test() -> Iterator[None]:
    """As Django's own test client has it."""
    both = (signals.request_started, signals.request_finished)
    for signal in both:
        signal.disconnect(close_old_connections)
    yield
    for signal in both:
        signal.connect(close_old_connections)


@pytest.fixture
def known(payments: Team, alice: User, victor: User) -> dict[str, Any]:
    """What there is, by the word before its place in a path."""
    service = make.service("checkout", payments)
    slo = make.slo("availability", service)
    source, _ = make.integration()
    incident = make.fired(source, make.alert(labels={"slo_id": slo.slug}))
    responder = responding.join(incident, alice, now=NOW)
    postmortem, _ = drafting.draft(incident, by=make.person(alice), now=NOW)
    return {
        "incidents": incident.number,
        "responders": responder.pk,
        "postmortems": incident.number,
        "sections": postmortem.sections.all()[0].key,
        "services": service.slug,
        "models": make.model("fraud", payments).slug,
        "slos": slo.slug,
        "integrations": source.slug,
        "deliveries": str(Delivery.objects.get().pk),
        "users": victor.pk,
        "teams": payments.slug,
        "disciplines": "sre",
        "roles": "scribe",
        "tokens": make.token(victor, ["read"])[0].pk,
    }


@pytest.fixture
def secret(admin: User) -> str:
    integrations.forget()
    return make.token(admin, ["read", "write", "admin"])[1]


@schema.parametrize()
@settings(
    max_examples=EXAMPLES or 4, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)
def test_every_operation_answers_as_it_says(case: schemathesis.Case[Any], known: dict[str, Any], secret: str) -> None:
    if next(_turns) % SHARE:
        return
    of_path = case.meta.components.get(ParameterLocation.PATH) if case.meta else None
    if of_path is None or of_path.mode is GenerationMode.POSITIVE:
        words = case.path.split("/")
        for before, word in pairwise(words):
            if word.startswith("{") and before in known:
                case.path_parameters[word.strip("{}")] = known[before]

    case.call_and_validate(headers={"Authorization": f"Bearer {secret}"}, checks=HELD)
