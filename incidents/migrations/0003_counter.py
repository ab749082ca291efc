"""The row that incident numbers come from."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def write(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("incidents", "Counter").objects.get_or_create(name="incident")


class Migration(migrations.Migration):
    dependencies = [("incidents", "0002_timeline_is_append_only")]
    operations = [migrations.RunPython(write, migrations.RunPython.noop)]
