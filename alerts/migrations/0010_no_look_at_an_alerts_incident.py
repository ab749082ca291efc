"""That an alert's incident exists is not looked up for every alert."""

import django.db.models.deletion
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def lock(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Both tables, in the order in which deliveries do: else the two would wait for each other."""
    if editor.connection.vendor == "postgresql":
        for table in ("incidents_incident", "alerts_alert"):
            editor.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")


class Migration(migrations.Migration):
    dependencies = [
        ("alerts", "0009_one_index_of_an_incidents_alerts"),
        ("incidents", "0013_told_of_incidents"),
    ]

    operations = [
        migrations.RunPython(lock, lock),
        migrations.AlterField(
            model_name="alert",
            name="incident",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="alerts",
                to="incidents.incident",
            ),
        ),
    ]
