"""REST of people, below /api/v1/."""

from django.urls import path

from people import api

urlpatterns = [
    path("users/", api.Users.as_view(), name="api-user-list"),
    path("users/<int:pk>/", api.OneUser.as_view(), name="api-user-detail"),
    path("teams/", api.Teams.as_view(), name="api-team-list"),
    path("teams/<slug:slug>/", api.OneTeam.as_view(), name="api-team-detail"),
    path("disciplines/", api.Disciplines.as_view(), name="api-discipline-list"),
    path("disciplines/<slug:slug>/", api.OneDiscipline.as_view(), name="api-discipline-detail"),
    path("roles/", api.Roles.as_view(), name="api-role-list"),
    path("roles/<slug:slug>/", api.OneRole.as_view(), name="api-role-detail"),
    path("tokens/", api.Tokens.as_view(), name="api-token-list"),
    path("tokens/<int:pk>/revoke/", api.RevokeToken.as_view(), name="api-token-revoke"),
    path("audit/", api.Audit.as_view(), name="api-audit-list"),
]
