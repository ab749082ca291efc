"""The pretend model service `fraud-scorer`: its traffic, how well it does, and what of it is degraded."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SYMPTOMS = ("accuracy", "latency", "availability", "drift")
STABLE, CANARY = "v13", "v14"
CANARY_SHARE = 0.2
FEATURES = ("amount_30d", "bin_risk", "card_age", "device_entropy", "merchant_age")
DRIFTING = ("amount_30d", "device_entropy")

_TICK = 0.25  # seconds
_A_TICK = 15  # requests
_SLOW = 0.3  # seconds, above which an answer counts as slow
_BUCKETS = (0.05, 0.1, 0.15, 0.2, _SLOW, 0.5, 0.8, 1.2, 2.0)


@dataclass(frozen=True, slots=True)
class Tally:
    """Good and valid events since the last look."""

    good: int
    valid: int


class Scorer:
    """Degrading and healing take effect with the next requests; metrics tell of them as a real service's would."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.degraded: set[str] = set()
        self.canary_share = 0.0
        self._lock = threading.Lock()
        self._chance = random.Random()
        self._counts: dict[str, list[int]] = {}
        registry = self.registry
        self._requests = Counter(
            "fraud_scorer_requests", "Requests by outcome.", ["version", "outcome"], registry=registry
        )
        self._seconds = Histogram(
            "fraud_scorer_request_seconds", "Time to an answer.", ["version"], buckets=_BUCKETS, registry=registry
        )
        self._labelled = Counter(
            "fraud_scorer_labelled", "Scores whose truth is known.", ["version", "verdict"], registry=registry
        )
        self._psi = Gauge(
            "fraud_scorer_feature_psi", "How far a feature is from its training data.", ["feature"], registry=registry
        )
        self._share = Gauge("fraud_scorer_canary_share", "The canary's share of the traffic.", registry=registry)
        self._info = Gauge(
            "fraud_scorer_model_info", "Versions that are loaded.", ["version", "stage"], registry=registry
        )
        self._info.labels(STABLE, "stable").set(1)
        for outcome in ("ok", "error"):
            self._requests.labels(STABLE, outcome)
        for verdict in ("right", "wrong"):
            self._labelled.labels(STABLE, verdict)

    def degrade(self, symptom: str) -> None:
        """Raises KeyError for what it does not suffer from."""
        if symptom not in SYMPTOMS:
            raise KeyError(symptom)
        with self._lock:
            self.degraded.add(symptom)

    def start_canary(self) -> None:
        """A fifth of the traffic goes to a version that is worse, as canaries are for."""
        with self._lock:
            self.canary_share = CANARY_SHARE

    def heal(self) -> None:
        with self._lock:
            self.degraded.clear()
            self.canary_share = 0.0

    def taken(self) -> dict[str, Tally]:
        """What was counted of each symptom since this was asked for last."""
        with self._lock:
            counts, self._counts = self._counts, {}
        return {symptom: Tally(good, valid) for symptom, (good, valid) in counts.items()}

    def run(self) -> None:
        """Serve pretended requests for ever."""
        while True:
            self.tick()
            time.sleep(_TICK)

    def tick(self) -> None:
        with self._lock:
            self._share.set(self.canary_share)
            self._info.labels(CANARY, "canary").set(1 if self.canary_share else 0)
            for _ in range(_A_TICK):
                self._answer(CANARY if self._chance.random() < self.canary_share else STABLE)
            for feature in FEATURES:
                self._look_at(feature)

    def _answer(self, version: str) -> None:
        fails = self._chance.random() < (0.3 if "availability" in self.degraded else 0.00005)
        self._requests.labels(version, "error" if fails else "ok").inc()
        self._count("availability", not fails)
        if fails:
            return
        seconds = self._chance.lognormvariate(-2.3, 0.35) * (5 if "latency" in self.degraded else 1)
        self._seconds.labels(version).observe(seconds)
        self._count("latency", seconds <= _SLOW)
        errs = 0.25 if "accuracy" in self.degraded else 0.18 if version == CANARY else 0.008
        is_wrong = self._chance.random() < errs
        self._labelled.labels(version, "wrong" if is_wrong else "right").inc()
        self._count("accuracy", not is_wrong)

    def _look_at(self, feature: str) -> None:
        drifts = "drift" in self.degraded and feature in DRIFTING
        psi = abs(self._chance.gauss(0.31 if drifts else 0.05, 0.01))
        self._psi.labels(feature).set(psi)
        self._count("drift", psi <= 0.2)

    def _count(self, symptom: str, is_good: bool) -> None:
        counts = self._counts.setdefault(symptom, [0, 0])
        counts[0] += is_good
        counts[1] += 1
