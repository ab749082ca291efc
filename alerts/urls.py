"""The door for webhooks, and the pages of alerts, integrations and deliveries."""

from django.urls import path

from alerts import exports, pages, route_pages, views

urlpatterns = [
    path("webhooks/alertmanager/", views.alertmanager, name="alertmanager-webhook"),
    path("webhooks/alertmanager", views.alertmanager, name="alertmanager-webhook-bare"),
    path("webhooks/grafana/", views.alertmanager, name="grafana-webhook"),
    path("webhooks/grafana", views.alertmanager, name="grafana-webhook-bare"),
    path("alerts/", pages.alert_list, name="alert-list"),
    path("alerts/export.<str:form>", exports.alert_export, name="alert-export"),
    path("settings/integrations/", pages.integration_list, name="integration-list"),
    path("settings/integrations/new/", pages.integration_new, name="integration-new"),
    path("settings/integrations/<slug:slug>/", pages.integration_detail, name="integration-detail"),
    path("settings/integrations/<slug:slug>/rotate/", pages.integration_rotate, name="integration-rotate"),
    path("settings/integrations/<slug:slug>/end-old-token/", pages.integration_end_old, name="integration-end-old"),
    path("settings/integrations/<slug:slug>/switch/", pages.integration_switch, name="integration-switch"),
    path("settings/integrations/<slug:slug>/test/", pages.integration_test, name="integration-test"),
    path("settings/integrations/<slug:slug>/test/end/", pages.integration_test_end, name="integration-test-end"),
    path("settings/integrations/<slug:slug>/routes/", route_pages.route_list, name="route-list"),
    path("settings/integrations/<slug:slug>/routes/new/", route_pages.route_new, name="route-new"),
    path("settings/integrations/<slug:slug>/routes/try/", route_pages.route_try, name="route-try"),
    path("settings/integrations/<slug:slug>/routes/<int:place>/", route_pages.route_edit, name="route-edit"),
    path("settings/integrations/<slug:slug>/routes/<int:place>/move/", route_pages.route_move, name="route-move"),
    path("settings/integrations/<slug:slug>/routes/<int:place>/delete/", route_pages.route_delete, name="route-delete"),
    path("settings/integrations/<slug:slug>/routes/restore/", route_pages.route_restore, name="route-restore"),
    path("settings/heartbeats/<int:pk>/remove/", pages.heartbeat_remove, name="heartbeat-remove"),
    path("settings/deliveries/", pages.delivery_list, name="delivery-list"),
    path("settings/deliveries/<uuid:pk>/", pages.delivery_detail, name="delivery-detail"),
    path("settings/deliveries/<uuid:pk>/replay/", pages.delivery_replay, name="delivery-replay"),
]
