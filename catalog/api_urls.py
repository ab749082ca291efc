"""REST of catalog, below /api/v1/."""

from django.urls import path

from catalog import api

urlpatterns = [
    path("services/", api.Services.as_view(), name="api-service-list"),
    path("services/<slug:slug>/", api.OneService.as_view(), name="api-service-detail"),
    path("models/", api.Models.as_view(), name="api-model-list"),
    path("models/<slug:slug>/", api.OneModel.as_view(), name="api-model-detail"),
]
