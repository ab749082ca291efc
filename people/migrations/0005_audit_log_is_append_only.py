"""The head of the chain, and a database that itself refuses to change or remove what was appended."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from common import append_only


def write(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("people", "AuditHead").objects.get_or_create(id=1)


def protect(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    append_only.protect(editor, "people_auditevent")


def unprotect(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    append_only.unprotect(editor, "people_auditevent")


class Migration(migrations.Migration):
    dependencies = [("people", "0004_audit_log")]
    operations = [
        migrations.RunPython(write, migrations.RunPython.noop),
        migrations.RunPython(protect, unprotect),
    ]
