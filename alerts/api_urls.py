"""REST of alerts, below /api/v1/."""

from django.urls import path

from alerts import api

urlpatterns = [
    path("alerts/", api.Alerts.as_view(), name="api-alert-list"),
    path("incidents/<int:number>/alerts/", api.IncidentAlerts.as_view(), name="api-incident-alerts"),
    path("integrations/", api.Integrations.as_view(), name="api-integration-list"),
    path("integrations/<slug:slug>/", api.OneIntegration.as_view(), name="api-integration-detail"),
    path("integrations/<slug:slug>/rotate/", api.RotateIntegration.as_view(), name="api-integration-rotate"),
    path("integrations/<slug:slug>/test/", api.TestIntegration.as_view(), name="api-integration-test"),
    path("integrations/<slug:slug>/routes/", api.Routes.as_view(), name="api-integration-routes"),
    path("integrations/<slug:slug>/routes/try/", api.TryRoutes.as_view(), name="api-integration-routes-try"),
    path("heartbeats/", api.Heartbeats.as_view(), name="api-heartbeat-list"),
    path("deliveries/", api.Deliveries.as_view(), name="api-delivery-list"),
    path("deliveries/<uuid:pk>/", api.OneDelivery.as_view(), name="api-delivery-detail"),
    path("deliveries/<uuid:pk>/replay/", api.ReplayDelivery.as_view(), name="api-delivery-replay"),
]
