"""Indexes for what the engine looks for: incidents that are quiet, and those that owe a postmortem."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("incidents", "0004_entry_transaction")]

    operations = [
        migrations.AddIndex(
            model_name="incident",
            index=models.Index(
                condition=models.Q(
                    ("is_drill", False), ("severity__in", ("sev1", "sev2")), ("status__in", ("resolved", "closed"))
                ),
                fields=["resolved_at"],
                name="incident_owing",
            ),
        ),
        migrations.AddIndex(
            model_name="entry",
            index=models.Index(
                condition=models.Q(("kind", "all_clear")), fields=["incident", "-seq"], name="entry_all_clear"
            ),
        ),
    ]
