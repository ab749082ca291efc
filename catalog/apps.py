from django.apps import AppConfig


class CatalogConfig(AppConfig):
    """What we run: services and models."""

    name = "catalog"
    default_auto_field = "django.db.models.BigAutoField"
