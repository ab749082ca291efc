"""The incidents of a service in the order of their opening, without looking through those of all others."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("incidents", "0008_labels_index")]
    operations = [
        migrations.AddIndex(
            model_name="incident",
            index=models.Index(fields=["service", "created_at", "id"], name="incident_of_service"),
        )
    ]
