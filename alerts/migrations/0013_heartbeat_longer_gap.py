"""A heartbeat slows down once a second gap confirms it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("alerts", "0012_what_fires_waits_for_nothing")]
    operations = [
        migrations.AddField("heartbeat", "longer_gap", models.FloatField(null=True)),
    ]
