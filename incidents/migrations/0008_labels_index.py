"""Incidents that have a label, however many there are: on PostgreSQL. SQLite reads them one by one."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def add(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    if editor.connection.vendor == "postgresql":
        editor.execute("CREATE INDEX incident_labels ON incidents_incident USING gin (labels jsonb_path_ops)")


def remove(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    if editor.connection.vendor == "postgresql":
        editor.execute("DROP INDEX incident_labels")


class Migration(migrations.Migration):
    dependencies = [("incidents", "0007_saved_view")]
    operations = [migrations.RunPython(add, remove)]
