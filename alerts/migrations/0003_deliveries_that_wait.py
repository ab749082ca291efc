"""Deliveries whose alerts are taken in later; how much is kept of what was sent, and since when something is not."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("alerts", "0002_alert_merged_from")]

    operations = [
        migrations.AlterField(
            model_name="delivery",
            name="outcome",
            field=models.CharField(
                choices=[("waiting", "Waiting"), ("taken", "Taken"), ("refused", "Refused")], max_length=10
            ),
        ),
        migrations.AddField(
            model_name="delivery",
            name="raw_removed_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name="delivery",
            name="integration",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="deliveries",
                to="alerts.integration",
            ),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("raw__isnull", False)), fields=["received_at", "id"], name="delivery_with_text"
            ),
        ),
        migrations.AddField(
            model_name="rawbody",
            name="size",
            field=models.PositiveIntegerField(db_default=0),
        ),
        migrations.AddIndex(
            model_name="rawbody",
            index=models.Index(fields=["size"], name="raw_body_size"),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(
                condition=models.Q(("provisional_since__isnull", False)),
                fields=["provisional_since"],
                name="alert_provisional",
            ),
        ),
        migrations.CreateModel(
            name="FanOut",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("done", "Done"),
                            ("quarantined", "Quarantined"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="waiting",
                        max_length=12,
                    ),
                ),
                ("due_at", models.DateTimeField()),
                ("lane", models.CharField(blank=True, max_length=200)),
                ("claim", models.CharField(blank=True, max_length=32)),
                ("lease_until", models.DateTimeField(null=True)),
                ("begun_at", models.DateTimeField(null=True)),
                ("hand_overs", models.PositiveSmallIntegerField(default=0)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("fault", models.TextField(blank=True)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "delivery",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="fan_out", to="alerts.delivery"
                    ),
                ),
            ],
            options={
                "verbose_name": "delivery of many alerts",
                "verbose_name_plural": "deliveries of many alerts",
                "abstract": False,
                "indexes": [
                    models.Index(condition=models.Q(("state", "waiting")), fields=["due_at"], name="fanout_due"),
                    models.Index(
                        condition=models.Q(("state", "quarantined")), fields=["finished_at"], name="fanout_stuck"
                    ),
                ],
            },
        ),
    ]
