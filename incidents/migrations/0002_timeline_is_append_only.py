"""The database itself refuses to change or remove an entry of a timeline."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from common import append_only


def protect(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    append_only.protect(editor, "incidents_entry")


def unprotect(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    append_only.unprotect(editor, "incidents_entry")


class Migration(migrations.Migration):
    dependencies = [("incidents", "0001_initial")]
    operations = [migrations.RunPython(protect, unprotect)]
