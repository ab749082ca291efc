"""The front door, and what concerns every room."""

from django.urls import path

from home import styleguide, views

urlpatterns = [
    path("", views.front_door, name="home"),
    path("first-steps/", views.first_steps_page, name="first-steps"),
    path("first-steps/hide/", views.first_steps_hide, name="first-steps-hide"),
    path("first-steps/drill/", views.first_steps_drill, name="first-steps-drill"),
    path("first-steps/test-alert/", views.first_steps_test_alert, name="first-steps-test-alert"),
    path("styleguide/", styleguide.show, name="styleguide"),
    path("settings/work/", views.quarantine_list, name="quarantine-list"),
    path("settings/work/retry/", views.quarantine_retry, name="quarantine-retry"),
]
