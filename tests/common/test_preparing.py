"""Before anything is served, the database is as the code knows it and the static files are in place."""

from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from pytest_django.fixtures import Settings

from common import preparing
from common.preflight import Refusal


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, settings: Settings) -> Path:
    settings.ENV = settings.ENV.model_copy(update={"data_dir": tmp_path})
    settings.STATIC_ROOT = tmp_path / "static"
    return tmp_path


@pytest.mark.django_db
def test_a_database_that_is_as_it_should_be_is_left_alone(data_folder: Path) -> None:
    preparing.prepare()

    assert (data_folder / "static" / "vendor").is_dir()


@pytest.mark.django_db
def test_a_database_that_a_newer_version_migrated_is_refused() -> None:
    MigrationRecorder(connection).record_applied("incidents", "9999_from_tomorrow")

    with pytest.raises(Refusal, match=r"newer than this code \(it has incidents.9999_from_tomorrow\)"):
        preparing.prepare()


@pytest.mark.django_db
def test_static_files_are_collected_only_when_they_changed(data_folder: Path) -> None:
    preparing.prepare()
    collected = Path(settings.STATIC_ROOT) / "vendor" / "htmx" / "htmx.min.js"
    collected.unlink()

    preparing.prepare()
    assert not collected.exists(), "nothing had changed"

    (data_folder / "static.stamp").write_text("of another version")
    preparing.prepare()
    assert collected.exists()
