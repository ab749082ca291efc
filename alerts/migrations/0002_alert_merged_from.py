"""Where an alert goes back to when its incident is no longer merged into another."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("alerts", "0001_initial"),
        ("incidents", "0003_counter"),
    ]

    operations = [
        migrations.AddField(
            model_name="alert",
            name="merged_from",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="alerts_elsewhere",
                to="incidents.incident",
            ),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(
                condition=models.Q(("merged_from__isnull", False)), fields=["merged_from"], name="alert_merged"
            ),
        ),
    ]
