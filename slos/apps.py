from django.apps import AppConfig


class SlosConfig(AppConfig):
    """Objectives, the ledger of good and valid events, budgets."""

    name = "slos"
    default_auto_field = "django.db.models.BigAutoField"
