"""When each delivery was tried last. Of those from before, it is known when they were tried first."""

from typing import ClassVar

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def as_if_tried_once(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    deliveries = apps.get_model("notifications", "Delivery").objects.using(schema_editor.connection.alias)
    deliveries.filter(tries__gt=0).update(last_tried_at=models.F("first_tried_at"))


class Migration(migrations.Migration):
    dependencies: ClassVar = [("notifications", "0002_words")]

    operations: ClassVar = [
        migrations.AddField("delivery", "last_tried_at", models.DateTimeField(null=True)),
        migrations.RunPython(as_if_tried_once, migrations.RunPython.noop),
    ]
