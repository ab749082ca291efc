"""The door for webhooks, and the pages of alerts, integrations and deliveries."""

from django.urls import path

from alerts import views

urlpatterns = [
    path("webhooks/alertmanager/", views.alertmanager, name="alertmanager-webhook"),
    path("webhooks/alertmanager", views.alertmanager, name="alertmanager-webhook-bare"),
]
