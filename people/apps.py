from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in
from django.utils.module_loading import import_string


class PeopleConfig(AppConfig):
    """Users, teams, disciplines, roles, tokens, and who may do what."""

    name = "people"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        on_sign_in = import_string("people.stepup.on_sign_in")  # it reads models, which are not there before
        user_logged_in.connect(on_sign_in, dispatch_uid="people.stepup")
