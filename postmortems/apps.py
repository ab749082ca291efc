from django.apps import AppConfig


class PostmortemsConfig(AppConfig):
    """Documents drafted from the record, their sections, gaps and action items."""

    name = "postmortems"
    default_auto_field = "django.db.models.BigAutoField"
