"""How long what fires again with its old start is waited for, where an integration differs."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("alerts", "0014_heartbeat_since_switched_on"),
    ]

    operations = [
        migrations.AddField(
            model_name="integration",
            name="provisional_grace",
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
    ]
