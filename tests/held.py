"""The way into `ingest.receive_all`, held shut until a test opens it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from alerts import ingest
from alerts.ingest import Parcel, Receipt

PATIENCE = 20


class Held:
    """Who comes while it is shut waits there. `batches` are the names of the alerts that were let in together."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened = threading.Event()
        self.has_arrived = threading.Event()
        self.batches: list[list[str]] = []
        self.through: Callable[..., list[Receipt]] = ingest.receive_all
        monkeypatch.setattr(ingest, "receive_all", self._enter)

    @property
    def sizes(self) -> list[int]:
        return [len(batch) for batch in self.batches]

    def _enter(self, parcels: Sequence[Parcel], **fields: Any) -> list[Receipt]:
        self.has_arrived.set()
        assert self.opened.wait(PATIENCE)
        self.batches.append([parcel.sent.notification.alerts[0].name for parcel in parcels])
        return self.through(parcels, **fields)
