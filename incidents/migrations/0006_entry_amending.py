"""An index for what corrects or stars other entries: each page of a timeline looks for it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("incidents", "0005_quiet_and_owing")]

    operations = [
        migrations.AddIndex(
            model_name="entry",
            index=models.Index(
                condition=models.Q(("amends__isnull", False)), fields=["incident", "amends"], name="entry_amending"
            ),
        ),
    ]
