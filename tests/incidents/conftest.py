"""What is tested beside these, in other databases of the same PostgreSQL, holds up no stream of theirs."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import pytest

from incidents import facets, stream
from tests import streams


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, look in (
        (stream, stream.head),
        (stream, stream.after),
        (stream, stream.version),
        (facets, facets.count),
    ):
        monkeypatch.setattr(module, look.__name__, _once_undisturbed(look))


def _once_undisturbed(look: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(look)
    def wait_and_look(*args: Any, **kwargs: Any) -> Any:
        streams.undisturbed()
        return look(*args, **kwargs)

    return wait_and_look
