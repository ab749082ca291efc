"""Errands: due work that only these tests have, in the database of the tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from tests.faults.errands.models import Errand
from tests.faults.machines import Plant, plant


@pytest.fixture
def errands(transactional_db: None, settings: Any) -> type[Errand]:
    """The kind of work, with an empty table of its own. What is written is committed, so that processes see it."""
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "tests.faults.errands"]
    with connection.schema_editor() as editor:
        if Errand._meta.db_table not in connection.introspection.table_names():
            editor.create_model(Errand)
    Errand.objects.all().delete()
    return Errand


@pytest.fixture
def machines() -> Iterator[Plant]:
    """Processes on the database of this test; nothing of them is left afterwards."""
    with plant() as its:
        yield its
