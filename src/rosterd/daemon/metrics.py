"""What Prometheus may ask: every name begins with rosterd_, and no label holds a person."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import prometheus_client
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from rosterd import __version__
from rosterd.daemon.board import Board
from rosterd.daemon.overview import Overview
from rosterd.daemon.schedule import Entry
from rosterd.daemon.turns import Turned

_library: Any = prometheus_client
_library.disable_created_metrics()  # a second series beside each counter, which nobody asks for

KINDS = ("people", "groups", "seats", "registrations")
OUTCOMES = ("created", "updated", "unchanged", "refused", "set_aside", "excluded", "unsent", "gone")
SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
RUN_SECONDS = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3_600)


class Metrics:
    """Counters of this process, and gauges read when asked for. Also an orbix.client.Observer."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        own: dict[str, Any] = {"registry": self.registry}
        self.records = Counter("rosterd_records", "Records of runs.", ("customer", "kind", "outcome"), **own)
        self.runs = Counter("rosterd_runs", "Runs by exit code.", ("customer", "exit_code"), **own)
        self.run_seconds = Histogram("rosterd_run_seconds", "How long runs take.", buckets=RUN_SECONDS, **own)
        self.skipped = Counter(
            "rosterd_runs_skipped", "Due while the last run went on.", ("customer",), **own
        )
        self.requests = Counter(
            "rosterd_requests", "Requests; status 0: no answer.", ("path", "status"), **own
        )
        self.latency = Histogram(
            "rosterd_request_seconds", "Until an answer.", ("path",), buckets=SECONDS, **own
        )
        self.retries = Counter("rosterd_retries", "Requests that were tried again.", **own)
        self.lanes = Gauge("rosterd_requests_waiting", "Requests that wait for their turn.", **own)
        self.notices = Counter("rosterd_notices", "Notifications.", ("way", "result"), **own)
        Gauge("rosterd_build_info", "The version.", ("version",), **own).labels(__version__).set(1)

    # told by others

    def ended(self, turned: Turned) -> None:
        """A turn's end."""
        customer = turned.entry.customer
        self.runs.labels(customer, str(turned.exit_code)).inc()
        self.run_seconds.observe(turned.seconds)
        for kind in KINDS:
            for outcome in OUTCOMES:
                count = turned.document.get(kind, {}).get(outcome, 0)
                if count:
                    self.records.labels(customer, kind, outcome).inc(count)

    def notice(self, way: str, result: str) -> None:
        self.notices.labels(way, result).inc()

    def skip(self, entry: Entry) -> None:
        self.skipped.labels(entry.customer).inc()

    def request(self, path: str, status: int, seconds: float) -> None:
        self.requests.labels(path, str(status)).inc()
        self.latency.labels(path).observe(seconds)

    def retry(self) -> None:
        self.retries.inc()

    def waiting(self, more: int) -> None:
        self.lanes.inc(more)

    # asked

    def watch(
        self, board: Board, overview: Overview, owed: Callable[[], dict[str, float]], ledger: Path
    ) -> None:
        """Adds the gauges that are read from the state of things."""
        self.registry.register(_State(board, overview, owed, ledger))

    def text(self) -> bytes:
        """Everything, in Prometheus's text format."""
        return generate_latest(self.registry)


class _State(Collector):
    def __init__(
        self, board: Board, overview: Overview, owed: Callable[[], dict[str, float]], ledger: Path
    ) -> None:
        self._board, self._overview, self._owed, self._ledger = board, overview, owed, ledger

    def collect(self) -> Iterable[Metric]:
        going, now = self._board.going(), self._board.clock()
        late = [at for at in self._owed().values() if at <= now]
        yield _one("rosterd_runs_going", "Runs that go on.", len(going))
        yield _one("rosterd_runs_waiting", "Customers that are due and wait.", max(0, len(late) - len(going)))
        yield _one(
            "rosterd_settings_ok",
            "0: newer settings, or those of a customer, were not taken.",
            not (self._board.settings_problem or self._board.left_out),
        )
        yield from self._standing()
        size = GaugeMetricFamily("rosterd_ledger_bytes", "Size of the ledger's files.", labels=["file"])
        for name, path in (("main", self._ledger), ("journal", Path(f"{self._ledger}-wal"))):
            size.add_metric([name], path.stat().st_size if path.exists() else 0)
        yield size

    def _standing(self) -> Iterator[Metric]:
        families = {
            key: GaugeMetricFamily(f"rosterd_{name}", text, labels=["customer"])
            for key, name, text in (
                ("held", "holds", "Held plans that wait for an approval."),
                ("refused", "refused_records", "Records that stand refused."),
                ("set_aside", "set_aside_records", "Records that stand set aside."),
                ("people", "people", "People that Orbix has."),
                ("left", "leavers", "People to be removed by hand."),
                (
                    "exit_code",
                    "status_code",
                    "Where the customer stands, as an exit code of `rosterd status`.",
                ),
            )
        }
        success = GaugeMetricFamily(
            "rosterd_last_success_timestamp_seconds", "When a run last ended 0 or 3.", labels=["customer"]
        )
        sign_in = GaugeMetricFamily(
            "rosterd_sign_in_expiry_timestamp_seconds",
            "When a sign-in at Autodesk ends unless it is used; 0: somebody must sign in.",
            labels=["customer"],
        )
        paused = GaugeMetricFamily(
            "rosterd_paused", "1: somebody has paused the customer.", labels=["customer"]
        )
        for customer, status in self._overview.statuses().items():
            known = status["sign_in"]
            if known and (known["needed"] or known["ends"]):
                ends = datetime.fromisoformat(known["ends"]).timestamp() if known["ends"] else 0
                sign_in.add_metric([customer], ends)
            if status["last_success"]:
                success.add_metric([customer], datetime.fromisoformat(status["last_success"]).timestamp())
            paused.add_metric([customer], status["state"] == "paused")
            for key, family in families.items():
                value = status[key]
                if key == "held":
                    value = sum(not plan["approved"] for plan in value)
                family.add_metric([customer], value)
        yield success
        yield paused
        yield sign_in
        yield from families.values()


def _one(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=float(value))
