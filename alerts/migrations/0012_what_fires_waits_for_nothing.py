"""What fires waits for no grace: some that a later delivery had brought back were still marked so."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def unmark(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """By the few that are marked: they have an index."""
    marked = apps.get_model("alerts", "Alert").objects.filter(provisional_since__isnull=False)
    marked.filter(status="firing").update(provisional_since=None)


class Migration(migrations.Migration):
    dependencies = [("alerts", "0011_quicker_compression")]
    operations = [migrations.RunPython(unmark, migrations.RunPython.noop)]
