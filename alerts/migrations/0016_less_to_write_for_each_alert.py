"""That one instance of an alert is open at most is kept by triggers on SQLite, in place of a second index as large as
the first; PostgreSQL keeps its index. The index of the newest grows at its end."""

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import ProjectState

import common.constraints


class _OnSqlite:
    def database_forwards(
        self, label: str, editor: BaseDatabaseSchemaEditor, before: ProjectState, after: ProjectState
    ) -> None:
        if editor.connection.vendor == "sqlite":
            super().database_forwards(label, editor, before, after)  # type: ignore[misc]

    def database_backwards(
        self, label: str, editor: BaseDatabaseSchemaEditor, before: ProjectState, after: ProjectState
    ) -> None:
        if editor.connection.vendor == "sqlite":
            super().database_backwards(label, editor, before, after)  # type: ignore[misc]


class _Remove(_OnSqlite, migrations.RemoveConstraint):
    pass


class _Add(_OnSqlite, migrations.AddConstraint):
    pass


class Migration(migrations.Migration):
    dependencies = [
        ("alerts", "0015_provisional_grace_of_an_integration"),
    ]

    operations = [
        migrations.RemoveIndex(model_name="alert", name="alert_newest"),
        migrations.AddIndex(model_name="alert", index=models.Index(fields=["starts_at", "id"], name="alert_newest")),
        _Remove(model_name="alert", name="one_open_instance_per_fingerprint"),
        _Add(
            model_name="alert",
            constraint=common.constraints.UniqueWhere(
                column="status",
                fields=("integration", "fingerprint", "labels_hash"),
                name="one_open_instance_per_fingerprint",
                value="firing",
            ),
        ),
    ]
