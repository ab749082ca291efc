"""The REST API's own root, its OpenAPI document, and a page to read that by."""

from __future__ import annotations

from functools import cache
from typing import Any

import orjson
from django.contrib.auth.views import redirect_to_login
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import get_resolver
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

_LINKS = {"type": "object", "additionalProperties": {"type": "string", "format": "uri"}}


class Root(APIView):
    """Where everything is."""

    @extend_schema(operation_id="root", responses={200: _LINKS})
    def get(self, request: Request) -> Response:
        names = {name: name.removeprefix("api-").removesuffix("-list").replace("-", "_") + "s" for name in _lists()}
        names |= {"api-schema": "schema", "api-docs": "docs"}
        links = {word: reverse(name, request=request) for name, word in sorted(names.items())}
        return Response(links)


@extend_schema(exclude=True)
class Schema(APIView):
    """The OpenAPI document."""

    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(_document(), content_type="application/json", headers={"Cache-Control": "max-age=300"})


@extend_schema(exclude=True)
class Docs(APIView):
    """The document as a page; who is not signed in is sent to do so."""

    def get(self, request: Request) -> HttpResponse:
        return render(request, "common/api_docs.html")

    def handle_exception(self, exc: Exception) -> HttpResponseBase:  # type: ignore[override]
        if isinstance(exc, NotAuthenticated) and self.request.method in ("GET", "HEAD"):
            return redirect_to_login(self.request.get_full_path())
        return super().handle_exception(exc)


@cache
def _document() -> bytes:
    """Made once for each process, as it takes a second."""
    document: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return orjson.dumps(document, default=str)


def _lists() -> list[str]:
    """The names of all lists of the API that stand by themselves."""
    resolver = get_resolver()
    named = [key for key in resolver.reverse_dict if isinstance(key, str)]
    return [key for key in named if key.startswith("api-") and key.endswith("-list")]
