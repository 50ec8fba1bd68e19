"""What is counted of requests, in the form that Prometheus reads."""

import functools
from typing import Any

__all__ = ["Metrics"]

_SECONDS = 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60


class Metrics:
    """Counts by kind of request and by what came of it; nothing by owner."""

    def __init__(self) -> None:
        import prometheus_client as prometheus

        self._registry = prometheus.CollectorRegistry()
        of: dict[str, Any] = {"registry": self._registry}
        self._requests = prometheus.Counter(
            "mopse_requests_total",
            "Requests that ended, by kind and by ok or the class of the refusal.",
            ["kind", "outcome"],
            **of,
        )
        self._seconds = prometheus.Histogram(
            "mopse_request_duration_seconds",
            "From the head of a request to the end of its answer.",
            ["kind"],
            buckets=_SECONDS,
            **of,
        )
        self._received = prometheus.Counter(
            "mopse_received_bytes_total", "Bytes of bodies that came.", ["kind"], **of
        )
        self._sent = prometheus.Counter(
            "mopse_sent_bytes_total", "Bytes of bodies that were sent.", ["kind"], **of
        )
        self.running: Any = prometheus.Gauge(
            "mopse_requests_in_progress", "Requests that have not ended.", **of
        )
        self.held: Any = prometheus.Gauge(
            "mopse_held_bytes", "Bytes of messages and answers that are on their way.", **of
        )
        prometheus.ProcessCollector(registry=self._registry)
        self._format = prometheus.generate_latest
        self.content_type = prometheus.CONTENT_TYPE_LATEST
        self._of = functools.cache(self._children)

    def _children(self, kind: str, outcome: str) -> tuple[Any, ...]:
        of_kind = (family.labels(kind) for family in (self._seconds, self._received, self._sent))
        return self._requests.labels(kind, outcome), *of_kind

    def ended(self, kind: str, outcome: str, seconds: float, received: int, sent: int) -> None:
        """Count a request."""
        requests, duration, bytes_in, bytes_out = self._of(kind, outcome)
        requests.inc()
        duration.observe(seconds)
        bytes_in.inc(received)
        bytes_out.inc(sent)

    def text(self) -> bytes:
        """Return all of it as Prometheus reads it."""
        return self._format(self._registry)
