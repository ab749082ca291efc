"""Bodies that come from now on are compressed in less time."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def compress(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """A PostgreSQL that was built without it goes on as before."""
    if editor.connection.vendor != "postgresql":
        return
    with editor.connection.cursor() as cursor:
        cursor.execute("SELECT 'lz4' = ANY(enumvals) FROM pg_settings WHERE name = 'default_toast_compression'")
        if cursor.fetchone() == (True,):
            cursor.execute("ALTER TABLE alerts_rawbody ALTER COLUMN body SET COMPRESSION lz4")


class Migration(migrations.Migration):
    dependencies = [("alerts", "0010_no_look_at_an_alerts_incident")]
    operations = [migrations.RunPython(compress, migrations.RunPython.noop)]
