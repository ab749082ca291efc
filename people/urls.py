"""Pages of people."""

from django.urls import path

from people import views

urlpatterns = [
    path("sign-in/", views.sign_in, name="sign-in"),
    path("sign-out/", views.sign_out, name="sign-out"),
    path("account/", views.account, name="account"),
    path("settings/tokens/", views.token_list, name="token-list"),
    path("settings/tokens/<int:token_id>/revoke/", views.token_revoke, name="token-revoke"),
    path("settings/people/", views.people_list, name="people-list"),
    path("settings/people/new/", views.person_new, name="person-new"),
    path("settings/people/<int:user_id>/", views.person_edit, name="person-edit"),
    path("settings/teams/", views.team_list, name="team-list"),
    path("settings/teams/new/", views.team_new, name="team-new"),
    path("settings/vocabulary/", views.vocabulary, name="vocabulary"),
]
