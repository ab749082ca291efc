"""REST of slos, below /api/v1/."""

from django.urls import path

from slos import api

urlpatterns = [
    path("slos/", api.Slos.as_view(), name="api-slo-list"),
    path("slos/<slug:slug>/", api.OneSlo.as_view(), name="api-slo-detail"),
    path("slos/<slug:slug>/budget/", api.SloBudget.as_view(), name="api-slo-budget"),
    path("slos/<slug:slug>/samples/", api.SloSamples.as_view(), name="api-slo-samples"),
]
