from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """Outbox, channels, delivery: how a message leaves, and the proof that it did."""

    name = "notifications"
    default_auto_field = "django.db.models.BigAutoField"
