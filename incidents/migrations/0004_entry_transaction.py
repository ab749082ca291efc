"""PostgreSQL says of each entry in which transaction it was written: `stream` reads in that order.

SQLite has one writer, so that ids are in the order of commits there. Entries from before have 0: no stream gives them.
"""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def add(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    if editor.connection.vendor == "postgresql":
        # A constant default first: no row is written anew, and the triggers have nothing to refuse.
        editor.execute("ALTER TABLE incidents_entry ADD COLUMN xid bigint NOT NULL DEFAULT 0")
        editor.execute("ALTER TABLE incidents_entry ALTER COLUMN xid SET DEFAULT pg_current_xact_id()::text::bigint")
        editor.execute("CREATE INDEX incidents_entry_in_order ON incidents_entry (xid, id) WHERE xid > 0")


def remove(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    if editor.connection.vendor == "postgresql":
        editor.execute("ALTER TABLE incidents_entry DROP COLUMN xid")


class Migration(migrations.Migration):
    dependencies = [("incidents", "0003_counter")]
    operations = [migrations.RunPython(add, remove)]
