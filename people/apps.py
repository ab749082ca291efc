from django.apps import AppConfig


class PeopleConfig(AppConfig):
    """Users, teams, disciplines, roles, tokens, and who may do what."""

    name = "people"
    default_auto_field = "django.db.models.BigAutoField"
