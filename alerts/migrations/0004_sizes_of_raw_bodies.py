"""How large the bodies are that were kept before that was written down."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

BATCH = 500


def fill(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    with editor.connection.cursor() as cursor:
        while True:
            cursor.execute(
                "UPDATE alerts_rawbody SET size = length(body) WHERE sha256 IN "
                f"(SELECT sha256 FROM alerts_rawbody WHERE size = 0 AND length(body) > 0 LIMIT {BATCH})"
            )
            if cursor.rowcount < BATCH:
                return


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("alerts", "0003_deliveries_that_wait")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
