"""What was merged into an incident, found also where a planner takes an index of all for one that tells nothing."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0001_initial"),
        ("incidents", "0010_drills_index"),
        ("people", "0011_passwords_that_were_given"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="incident",
            index=models.Index(
                condition=models.Q(("merged_into__isnull", False)), fields=["merged_into"], name="incident_merged"
            ),
        ),
    ]
