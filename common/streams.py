"""How many event streams this process holds open, for who counts."""

from collections.abc import Iterator
from contextlib import contextmanager

_open = 0


def open_streams() -> int:
    """Pages and programs that listen to this process now."""
    return _open


@contextmanager
def counted() -> Iterator[None]:
    """One more, while the block runs; on the event loop only."""
    global _open
    _open += 1
    try:
        yield
    finally:
        _open -= 1
