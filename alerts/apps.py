from django.apps import AppConfig


class AlertsConfig(AppConfig):
    """Integrations, the door for webhooks, alert state."""

    name = "alerts"
    default_auto_field = "django.db.models.BigAutoField"
