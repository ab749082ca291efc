import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("alerts", "0008_routes_staleness_heartbeats"),
        ("incidents", "0012_what_routes_say"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(fields=["incident", "status"], name="alert_of_incident"),
        ),
        migrations.RemoveIndex(
            model_name="alert",
            name="alert_firing",
        ),
        migrations.AlterField(
            model_name="alert",
            name="incident",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="alerts",
                to="incidents.incident",
            ),
        ),
    ]
