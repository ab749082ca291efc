"""Server-sent events as they go over the wire."""

MEDIA_TYPE = "text/event-stream"
PING = b":\n\n"  # a comment: nobody is told, and both ends see that the other is there


def event(name: str, data: bytes, *, id: str = "") -> bytes:  # noqa: A002
    """One event; `data` is a single line. With an id, the reader says it when they come again."""
    said = f"id: {id}\nevent: {name}\n" if id else f"event: {name}\n"
    return b"%bdata: %b\n\n" % (said.encode(), data)


def retry(milliseconds: int) -> bytes:
    """How long the reader waits before they come again."""
    return b"retry: %d\n\n" % milliseconds
