"""What benchmarks share: how they are shortened, and how they tell what was promised."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import Any, Self

SHORT = "BURNLINE_BENCH_SHORT"
IS_SHORT = bool(os.environ.get(SHORT))  # `--short`: to see that it works, not to measure


@dataclass(frozen=True, slots=True)
class Promise:
    """A figure beside its bound. A benchmark prints those that it has as its figure "promises"."""

    what: str
    measured: float
    bound: str
    is_kept: bool

    @classmethod
    def at_least(cls, what: str, measured: float, bound: float) -> Self:
        return cls(what, measured, f">= {bound:g}", measured >= bound)

    @classmethod
    def at_most(cls, what: str, measured: float, bound: float) -> Self:
        return cls(what, measured, f"<= {bound:g}", measured <= bound)

    def told(self) -> dict[str, Any]:
        return asdict(self)
