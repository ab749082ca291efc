"""How many event streams this process holds open, for who counts."""

from collections.abc import Iterator
from contextlib import contextmanager

from common.metrics import STREAMS

_open = 0


def open_streams() -> int:
    """Pages and programs that listen to this process now."""
    return _open


@contextmanager
def counted(kind: str) -> Iterator[None]:
    """One more of a kind ("page", "api") while the block runs; on the event loop only."""
    global _open
    _open += 1
    STREAMS.labels(kind).inc()
    try:
        yield
    finally:
        _open -= 1
        STREAMS.labels(kind).dec()
