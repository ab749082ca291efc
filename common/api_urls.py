"""The REST API's own root, schema and documentation."""

from django.urls import path

from common import api

urlpatterns = [
    path("", api.Root.as_view(), name="api-root"),
    path("schema/", api.Schema.as_view(), name="api-schema"),
    path("docs/", api.Docs.as_view(), name="api-docs"),
]
