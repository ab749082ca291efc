from django.apps import AppConfig


class CommonConfig(AppConfig):
    """What every room may use: errors, headers, the engine's heartbeat, Markdown, lists."""

    name = "common"
    default_auto_field = "django.db.models.BigAutoField"
