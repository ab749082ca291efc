"""The front door, and what concerns every room."""

from django.urls import path
from django.views.generic import RedirectView

from home import styleguide, views

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="incident-list"), name="home"),
    path("styleguide/", styleguide.show, name="styleguide"),
    path("settings/work/", views.quarantine_list, name="quarantine-list"),
    path("settings/work/retry/", views.quarantine_retry, name="quarantine-retry"),
]
