"""The OpenAPI document, and every operation of it held to what it says, with whatever schemathesis comes up with.

It has four phases: examples of the document, coverage of what each constraint has for edges, fuzzing, and walks from
one operation to the next by what the last one answered. Every third of the cases of the first three is asked, and a
few walks are walked; `BURNLINE_FUZZ=500 pytest tests/test_openapi.py` asks all of them, and 500 at random for each
operation, and walks 500 times.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from itertools import count, pairwise
from typing import Any

import pytest
import schemathesis
from django.core import signals
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, settings
from schemathesis import GenerationMode
from schemathesis.checks import CheckFunction, not_a_server_error
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.result import Ok
from schemathesis.core.transport import Response
from schemathesis.generation.stateful.state_machine import StepInput, StepOutput
from schemathesis.specs.openapi import checks

from alerts.models import Delivery
from incidents import responding
from people.access import matrix
from people.models import Team, User
from postmortems import drafting, items
from tests import make, routes
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

NOT_DOCUMENTED = {"api-schema", "api-docs", "live", "live-version"}  # the document itself, and streams

_turns = count()

document = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
schema = schemathesis.openapi.from_dict(document)
schema.app = get_wsgi_application()
schema.config.phases.coverage.unexpected_methods = set()  # test_access_matrix.py tries those
schema.config.phases.examples.fill_missing = True


def test_the_document_is_generated_without_a_warning(tmp_path: Any) -> None:
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "schema.yaml"))


def test_every_operation_says_what_it_refuses() -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert {"401", "403", "503"} <= set(operation["responses"]), f"{method} {path}"
            assert ("404" in operation["responses"]) == ("{" in path), f"{method} {path}"


def test_no_operation_and_no_phase_is_left_out() -> None:
    phases = schema.config.phases
    documented = {(operation.method.upper(), _unnamed(operation.path)) for operation in _operations()}
    allowed = {
        (method, _unnamed(f"/{route.template}"))
        for route in routes.every()
        if route.is_rest and route.name not in NOT_DOCUMENTED
        for method in matrix()[route.name]
    }

    assert documented == allowed
    assert all(phase.enabled for phase in (phases.examples, phases.coverage, phases.fuzzing, phases.stateful))


def _operations() -> list[Any]:
    """Those that schemathesis asks."""
    return [each.ok() for each in schema.get_all_operations() if isinstance(each, Ok)]


def _unnamed(path: str) -> str:
    return re.sub(r"[<{][^>}]*[>}]", "{}", path)


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
    item = items.create(postmortem, "Alert earlier", by=make.person(alice), now=NOW)
    return {
        "incidents": incident.number,
        "timeline": incident.entries.all()[0].seq,
        "responders": responder.pk,
        "action-items": item.pk,
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


def test_every_walk_from_one_operation_to_the_next_is_answered_as_it_says(known: dict[str, Any], secret: str) -> None:
    """A step takes what the one before it answered: the number of an incident, the key of a section."""
    followed = Counter[str]()

    class Walk(schema.as_state_machine()):  # type: ignore[misc]
        def setup(self) -> None:
            self.before = transaction.savepoint()

        def teardown(self) -> None:
            transaction.savepoint_rollback(self.before)

        def get_call_kwargs(self, case: schemathesis.Case[Any]) -> dict[str, Any]:
            return {"headers": {"Authorization": f"Bearer {secret}"}}

        def validate_response(self, response: Response, case: schemathesis.Case[Any], **said: Any) -> None:
            case.validate_response(response, checks=HELD)

        def step(self, taken: StepInput) -> StepOutput:
            output: StepOutput = super().step(taken)
            if taken.transition is not None and output.response.status_code < 300:
                followed[taken.case.operation.label] += 1
            return output

    Walk.run(
        settings=settings(
            max_examples=EXAMPLES or 15,
            stateful_step_count=20 if EXAMPLES else 10,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
            database=None,
        )
    )

    assert len(followed) >= (10 if EXAMPLES else 1), followed
