"""The REST API's own root, schema and documentation."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
