#!/usr/bin/env python3
"""What telemetry costs: server CPU per request with all of it, with a tenth of the traces, and with none.

  telemetry.py [--rounds 9] [--requests 20000] [--build build/release]

Three servers take turns in one run. `off`: no metrics, traces or export, and only errors logged. `on`: metrics, JSON
lines, all traces, and everything exported by HTTP to a collector that takes it and forgets it.
"""

import argparse
import contextlib
import http.server
import os
import statistics
import sys
import tempfile
import threading
from pathlib import Path

import bench
import rig

ROOT = Path(__file__).resolve().parent.parent
BUDGETS = {"10 %": 1.10, "100 %": 1.25}
PATHS = ("live", "me")


class Collector(http.server.BaseHTTPRequestHandler):
    """Takes every export."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):  # noqa: N802 (the base class names it)
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def settings(mode, endpoint):
    if mode == "off":
        return {"OTEL_LOG_LEVEL": "error"}
    return {
        "OTEL_METRICS_ENABLED": "true",
        "OTEL_TRACING_ENABLED": "true",
        "OTEL_LOGS_ENABLED": "true",
        "OTEL_LOG_LEVEL": "info",
        "OTEL_TRACE_SAMPLING_RATIO": "1" if mode == "100 %" else "0.1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    }


def start(options, mode, folder, endpoint, stack):
    place = folder / mode.replace(" %", "")
    place.mkdir()
    kit = rig.Kit(
        options.build / "everything-backend",
        place,
        f"sqlite://{place / 'bench.db'}",
        extra=settings(mode, endpoint),
    )
    return stack.enter_context(kit)


def sample(options, kit, path, token, folder):
    case = bench.PATHS[path]
    file = folder / "request"
    file.write_bytes(case.request.replace("{token}", token).encode())
    tool = options.build / "bench_load"
    rig.load(tool, kit.port, file, 32, options.requests // 10, case.status)
    before = kit.cpu_ns()
    rig.load(tool, kit.port, file, 32, options.requests, case.status)
    return (kit.cpu_ns() - before) / options.requests / 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--build", type=Path, default=ROOT / "build/release")
    options = parser.parse_args()
    options.build = options.build.resolve()
    collector = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    endpoint = f"127.0.0.1:{collector.server_port}"
    over = False
    with tempfile.TemporaryDirectory(prefix="kit-telemetry-") as name, contextlib.ExitStack() as stack:
        os.chmod(name, 0o755)
        folder = Path(name)
        modes = ("off", *BUDGETS)
        kits = {mode: start(options, mode, folder, endpoint, stack) for mode in modes}
        tokens = {mode: kit.register() for mode, kit in kits.items()}
        print(f"{'path':14} {'traces':>7} {'µs':>8} {'ratio':>6} {'range':>11} {'budget':>6}")
        for path in PATHS:
            seen = {mode: [] for mode in modes}
            for turn in range(options.rounds):  # who comes first changes
                for mode in modes[turn % 3 :] + modes[: turn % 3]:
                    seen[mode].append(sample(options, kits[mode], path, tokens[mode], folder))
            for mode in modes:
                ratios = [on / off for on, off in zip(seen[mode], seen["off"])]
                ratio, budget = statistics.median(ratios), BUDGETS.get(mode)
                over = over or (budget is not None and ratio > budget)
                print(
                    f"{bench.PATHS[path].name:14} {mode:>7} {statistics.median(seen[mode]):8.2f} {ratio:6.2f} "
                    f"{min(ratios):5.2f}–{max(ratios):.2f} {bench.show(budget, '6.2f'):>6}",
                    flush=True,
                )
    collector.shutdown()
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
