"""What the list is narrowed by, and what was merged into an incident, found without looking through all there are."""

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
                condition=models.Q(("status__in", ("triggered", "acknowledged", "mitigated"))),
                fields=["service"],
                name="incident_open_of_service",
            ),
        ),
        migrations.AddIndex(
            model_name="incident",
            index=models.Index(
                condition=models.Q(("status__in", ("triggered", "acknowledged", "mitigated"))),
                fields=["model"],
                name="incident_open_of_model",
            ),
        ),
        migrations.AddIndex(
            model_name="incident",
            index=models.Index(
                condition=models.Q(("status__in", ("triggered", "acknowledged", "mitigated"))),
                fields=["team"],
                name="incident_open_of_team",
            ),
        ),
        migrations.AddIndex(
            model_name="incident",
            index=models.Index(fields=["model", "created_at", "id"], name="incident_of_model"),
        ),
        migrations.AddIndex(
            model_name="incident",
            index=models.Index(fields=["team", "created_at", "id"], name="incident_of_team"),
        ),
        migrations.AddIndex(
            model_name="incident",
            index=models.Index(
                condition=models.Q(("merged_into__isnull", False)), fields=["merged_into"], name="incident_merged"
            ),
        ),
    ]
