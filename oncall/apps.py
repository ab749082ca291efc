from django.apps import AppConfig


class OncallConfig(AppConfig):
    """Schedules and escalation policies: who is it, now or at any moment."""

    name = "oncall"
    default_auto_field = "django.db.models.BigAutoField"
