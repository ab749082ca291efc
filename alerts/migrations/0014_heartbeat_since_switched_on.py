"""Heartbeats are waited for from when their integration was switched on again."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("alerts", "0013_heartbeat_longer_gap")]
    operations = [
        migrations.AddField("integration", "active_since", models.DateTimeField(editable=False, null=True)),
    ]
