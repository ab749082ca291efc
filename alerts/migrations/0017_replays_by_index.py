"""What was taken in again is found by an index."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("alerts", "0016_less_to_write_for_each_alert"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(fields=["replay_of"], name="delivery_replays"),
        ),
    ]
