"""Every metric, in one list."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

EVENTS_HANDLED = Counter(
    "holdfast_events_handled_total",
    "Events a service has handled, by how it went.",
    ("service", "type", "outcome"),
    registry=REGISTRY,
)
EVENT_SECONDS = Histogram(
    "holdfast_event_handling_seconds",
    "How long a service took for one event.",
    ("service", "type"),
    registry=REGISTRY,
)
QUERIES = Counter(
    "holdfast_queries_total",
    "Questions answered, by outcome.",
    ("subject", "outcome"),
    registry=REGISTRY,
)
DEAD_LETTERS = Counter(
    "holdfast_dead_letters_total",
    "Messages that could not be handled and were set aside.",
    ("service", "type"),
    registry=REGISTRY,
)
EVENTS_SET_ASIDE = Counter(
    "holdfast_outbox_set_aside_total",
    "Events that can never be sent and were set aside in the outbox.",
    ("type",),
    registry=REGISTRY,
)
BUS_CONNECTED = Gauge(
    "holdfast_bus_connected", "1 while the NATS connection stands.", registry=REGISTRY
)
RUNS_ENDED = Counter(
    "holdfast_runs_ended_total",
    "Runs this executor has ended.",
    ("operation", "status"),
    registry=REGISTRY,
)
RUN_SECONDS = Histogram(
    "holdfast_run_seconds",
    "How long a run took at the executor.",
    ("operation",),
    buckets=(1, 5, 15, 60, 300, 900, 3600, 14400, 86400),
    registry=REGISTRY,
)
LAST_SUCCESS = Gauge(
    "holdfast_last_success_timestamp_seconds",
    "When an app's last successful backup ended (Unix time).",
    ("app",),
    registry=REGISTRY,
)

LAST_PROOF = Gauge(
    "holdfast_last_proof_timestamp_seconds",
    "When an app was last proved restorable by a drill (Unix time).",
    ("app",),
    registry=REGISTRY,
)


def metrics_text() -> bytes:
    """Everything in Prometheus' text format."""
    return generate_latest(REGISTRY)
