from django.apps import AppConfig


class IncidentsConfig(AppConfig):
    """Lifecycle, timeline, responders, impact."""

    name = "incidents"
    default_auto_field = "django.db.models.BigAutoField"
