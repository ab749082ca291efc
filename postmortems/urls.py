"""Pages of postmortems."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
