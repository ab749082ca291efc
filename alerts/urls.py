"""The door for webhooks, and the pages of alerts, integrations and deliveries."""

from django.urls import path

from alerts import exports, pages, views

urlpatterns = [
    path("webhooks/alertmanager/", views.alertmanager, name="alertmanager-webhook"),
    path("webhooks/alertmanager", views.alertmanager, name="alertmanager-webhook-bare"),
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
    path("settings/deliveries/", pages.delivery_list, name="delivery-list"),
    path("settings/deliveries/<uuid:pk>/", pages.delivery_detail, name="delivery-detail"),
]
