from django.apps import AppConfig


class HomeConfig(AppConfig):
    """The front hall: bootstrap and the first page; it sees every room."""

    name = "home"
    default_auto_field = "django.db.models.BigAutoField"
