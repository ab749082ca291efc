"""Whether there was a drill, without looking through all incidents that were none."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("incidents", "0009_service_index")]
    operations = [
        migrations.AddIndex(
            model_name="incident",
            index=models.Index(fields=["correlation_key"], condition=Q(is_drill=True), name="incident_drill"),
        )
    ]
