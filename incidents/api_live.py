"""Where pages and programs hear of what is new: two streams, and a version for those whom no stream reaches.

The streams themselves are held by the router (`config/live.py`), on the event loop. It asks these views first, so that
who may listen is decided as everywhere, and they call what it has put into the request's environment.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import Http404, HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from common import etags, rest, sse
from common.errors import DomainError
from incidents import stream
from incidents.models import Entry, Incident
from people.authentication import actor_of
from people.standing import Pass

ADMIT = "burnline.admit"  # in the environment: the Admit of who holds the stream, where somebody does
COME_AGAIN = 2000  # milliseconds

_EVENT = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "event": {"type": "string", "enum": ["ready", "entry", "bye", "gone"]},
        "data": {"type": "string", "description": "JSON."},
        "retry": {"type": "integer", "description": "Milliseconds to wait before coming again."},
    },
}

Admit = Callable[[Pass, stream.Cursor | None], None]


class NoStream(DomainError):
    """The process that answers holds no streams, or pages are to ask instead."""

    code = "no_stream"
    status = 404
    title = "No stream here"


@extend_schema(exclude=True)
class Live(rest.Resource[Entry]):
    """For pages: which incidents have changed."""

    queryset = Entry.objects.none()

    def get(self, request: Request) -> HttpResponse:
        if not _admitted(request):
            raise NoStream("There is no stream here: ask for the version instead.")
        return _stream()


class Events(rest.Resource[Entry]):
    """For programs: every new entry that they may see, once."""

    queryset = Entry.objects.none()
    serializer_class = None

    @extend_schema(
        description="Server-sent events. `entry` brings `{incident, entry}`, the entry as in a timeline, with its "
        "place in the stream as the id. `ready` comes first. The stream begins now, or behind the place that "
        "Last-Event-ID names, with no entry lost or told twice. `gone` says that the token or session has ended, `bye` "
        "to come again.",
        parameters=[
            OpenApiParameter("Last-Event-ID", str, OpenApiParameter.HEADER, description="The last id received."),
            OpenApiParameter("last_event_id", str, description="The same, for who cannot send the header."),
        ],
        responses={(200, sse.MEDIA_TYPE): _EVENT},
    )
    def get(self, request: Request) -> HttpResponse:
        """Where nobody holds the stream, what there is already: it ends, and readers come again by themselves."""
        if _admitted(request):
            return _stream()
        begin = stream.resumed(_asked(request), stream.head())
        page = stream.after(begin, in_full=True)
        reader = actor_of(request).user
        assert reader is not None, "programs come with the token of somebody"
        events = [sse.event("entry", news.told, id=str(news.cursor)) for news in page.news if news.is_for(reader.pk)]
        return _stream(sse.retry(COME_AGAIN) + b"".join(events) + stream.ready(page.upto))


@extend_schema(exclude=True)
class Version(rest.Resource[Incident]):
    """Another one whenever something has changed that the reader may see: of one incident, or of all."""

    queryset = Incident.objects.none()

    def get(self, request: Request) -> Response:
        actor, number = actor_of(request), request.query_params.get("incident")
        if number is None:
            version = stream.version(actor)
        else:
            version = str(self._last_seq(request, number))
        answer = etags.answer(request, {"version": version}, version)
        answer.headers["Cache-Control"] = "private, no-cache"
        return answer

    def _last_seq(self, request: Request, number: str) -> int:
        visible = Incident.objects.for_actor(actor_of(request))
        is_number = number.isascii() and number.isdigit() and len(number) < 10
        seq: int | None = (
            visible.filter(number=number).values_list("last_seq", flat=True).first() if is_number else None
        )
        if seq is None:
            raise Http404("There is no such incident that you can see.")
        return seq


def _admitted(request: Request) -> bool:
    """Hand the reader to who holds the stream; False where nobody does. Raises BadCursor."""
    admit: Admit | None = request.META.get(ADMIT)
    if admit is None:
        return False
    actor, match = actor_of(request), request.resolver_match
    assert actor.user is not None, "nobody is let in without an account"
    assert match is not None, "a view is reached by a route"
    shown = {"token_id": actor.token.pk} if actor.token else {"session_key": request.session.session_key or ""}
    admit(Pass(match.view_name, actor.user.pk, **shown), _asked(request))
    return True


def _asked(request: Request) -> stream.Cursor | None:
    said = request.headers.get("Last-Event-ID") or request.query_params.get("last_event_id")
    return stream.parse(said) if said else None


def _stream(events: bytes = b"") -> HttpResponse:
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return HttpResponse(events, content_type=sse.MEDIA_TYPE, headers=headers)
