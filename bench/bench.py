#!/usr/bin/env python3
"""Server CPU per request, the kit against the floor, in alternating rounds of one run (README.md).

  bench.py [--database sqlite|postgres|both] [--paths live,refuse,me,list,product,…] [--rounds 7]
  bench.py --instructions [--write-baseline]
"""

import argparse
import contextlib
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import instructions
import rig

ROOT = Path(__file__).resolve().parent.parent
WARM_UP_SHARE = 10  # one request in so many, before every measurement
QUIET_LOOKS_MAX = 50  # a server with timers is never quite still


@dataclass(frozen=True)
class Case:
    """One row of the budget table."""

    name: str
    request: str  # its text; {token} is the access token, {admin} an administrator's, {etag} the list's
    # tag, and the jar adds the last headers
    status: int
    budget: float | None  # times the floor
    floor: str | None  # what it is held against: "floor", "argon2", or nothing
    jar: bool = False
    slow: bool = False  # one at a time, and few: a password hash each
    floor_request: str | None = None  # what the floor is asked instead, where it does not know the path


def authenticated(path, token="{token}", more=""):
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n{more}\r\n"


def read(path, name):
    """An administrator's read, against the floor's: a token checked and one row of one SELECT."""
    request, floor = authenticated(path, "{admin}"), authenticated("/api/v1/me")
    return Case(name, request, 200, 2.0, "floor", floor_request=floor)


LIST_PATH = "/api/v1/admin/permissions"
LOGIN = json.dumps({"email": rig.EMAIL, "password": rig.PASSWORD})
PATHS = {
    "live": Case("/health/live", "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n", 200, 2.0, "floor"),
    "refuse": Case("/me, 401", "GET /api/v1/me HTTP/1.1\r\nHost: localhost\r\n\r\n", 401, 2.0, "floor"),
    "me": Case("/me", authenticated("/api/v1/me"), 200, 2.0, "floor"),
    "list": Case("list, cached", authenticated(LIST_PATH, "{admin}"), 200, 2.0, "floor"),
    "list304": Case(
        "list, 304", authenticated(LIST_PATH, "{admin}", "If-None-Match: {etag}\r\n"), 304, 2.0, "floor"
    ),
    "product": read("/api/v1/products/1", "product by id"),
    "products": read("/api/v1/products", "product list"),
    "flags": read("/api/v1/feature-flags", "all flags"),
    "sessions": Case("/me/sessions", authenticated("/api/v1/me/sessions"), 200, None, None),
    "refresh": Case(
        "refresh",
        "POST /api/v1/auth/refresh HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n",
        200,
        None,
        None,
        jar=True,
    ),
    "login": Case(
        "login",
        "POST /api/v1/auth/local/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(LOGIN)}\r\n\r\n{LOGIN}",
        200,
        1.05,
        "argon2",
        slow=True,
    ),
}


FURNISHED = {"product", "products", "flags"}  # need rows that an administrator makes


@dataclass
class Sample:
    cpu_us: float
    postgres_us: float | None = None
    rps: float | None = None
    p50_us: float | None = None
    p99_us: float | None = None
    answer_bytes: int | None = None


@dataclass
class Row:
    database: str
    path: str
    budget: float | None
    floor: list[Sample]
    kit: list[Sample]

    def ratios(self):
        return [kit.cpu_us / floor.cpu_us for kit, floor in zip(self.kit, self.floor)]


class Bench:
    """One engine's servers and everything a measurement of them needs."""

    def __init__(self, options, engine, folder, stack):
        self.options, self.engine = options, engine
        self.server_core, self.other_core = (0, os.cpu_count() - 1) if options.pin else (None, None)
        self.folder = folder / engine
        self.folder.mkdir()
        self.postgres = stack.enter_context(rig.Postgres(folder)) if engine == "postgres" else None
        file = self.folder / "bench.db"
        url = self.postgres.url if self.postgres else f"sqlite://{file}"
        redis = stack.enter_context(rig.Redis(self.folder)) if options.redis else None
        kit = rig.Kit(options.binary, self.folder, url, options.workers, self.server_core, redis=redis)
        self.kit = stack.enter_context(kit)
        self.token = self.kit.register()
        self.admin = self.kit.register(rig.ADMIN_EMAIL)
        if FURNISHED & set(options.paths):
            self.kit.furnish(self.admin)
        self.etag, list_file = self.keep_list()
        database = ["--postgres", url] if self.postgres else ["--sqlite", file]
        database += ["--redis", redis.port] if redis else []
        database += ["--list", list_file]

        def floor():
            binary = options.build / "bench_floor"
            server = rig.Floor(binary, self.folder, self.kit.secret, database, self.server_core)
            return stack.enter_context(server)

        self.floor = floor()
        self.subject = floor() if options.self_check else self.kit

    def facts(self):
        return {"ready_ms": round(self.kit.ready_s * 1000, 1), "idle_kib": self.kit.idle_kib}

    def keep_list(self):
        """The list as the floor is to answer with it: its tag, then its data."""
        answer = rig.ask_whole(self.kit.port, LIST_PATH, {"Authorization": f"Bearer {self.admin}"})
        if answer.status != 200:
            raise rig.BenchError(f"the list answered {answer.status}: {answer.body}")
        start, end = answer.body.index('"data":') + len('"data":'), answer.body.rindex(',"meta":')
        file = self.folder / "list"
        file.write_text(answer.etag + "\n" + answer.body[start:end])
        return answer.etag, file

    def same_user(self):
        """Whether the floor writes the very entity the kit writes: else the comparison is not one."""
        header = {"Authorization": f"Bearer {self.token}"}
        ports = self.kit.port, self.floor.port
        ours, floors = (rig.ask(port, "GET", "/api/v1/me", headers=header)[2] for port in ports)
        return json.loads(ours).get("data") == json.loads(floors).get("data")

    def jar(self, connections):
        """One session for each connection, as 32 browsers would have."""
        jar = self.folder / "jar"
        sessions = [self.kit.log_in() for _ in range(connections)]
        line = "refresh_token={refresh_token}; csrf_token={csrf_token}\n"
        jar.write_text("".join(line.format(**session) for session in sessions))
        return jar

    def request_file(self, name, text):
        file = self.folder / name
        for placeholder, value in (("{token}", self.token), ("{admin}", self.admin), ("{etag}", self.etag)):
            text = text.replace(placeholder, value)
        file.write_bytes(text.encode())
        return file

    def measure(self, path):
        options = self.options
        connections, requests = (1, options.logins) if path.slow else (options.connections, options.requests)
        file = self.request_file("request", path.request)
        floor_file = self.request_file("floor_request", path.floor_request or path.request)
        jar = self.jar(connections) if path.jar else None
        row = Row(self.engine, path.name, path.budget, [], [])

        def run(server, count):
            tool, core = options.build / "bench_load", self.other_core
            text = floor_file if isinstance(server, rig.Floor) else file
            return rig.load(tool, server.port, text, connections, count, path.status, core, jar)

        def measure_floor():
            if path.floor == "argon2":
                row.floor.append(argon2(options.build, requests, self.server_core))
            elif path.floor == "floor":
                row.floor.append(self.sample(run, self.floor, requests))

        def measure_kit():
            row.kit.append(self.sample(run, self.subject, requests))

        for turn in range(options.rounds):  # who comes first changes, lest that be what is measured
            for side in (measure_floor, measure_kit) if turn % 2 == 0 else (measure_kit, measure_floor):
                side()
        return row

    def sample(self, run, server, requests):
        run(server, max(requests // WARM_UP_SHARE, 1))
        before, before_postgres = self.clocks(server)
        result = run(server, requests)
        after, after_postgres = self.clocks(server)
        return Sample(
            cpu_us=(after - before) / requests / 1000,
            postgres_us=(after_postgres - before_postgres) / requests / 1000 if self.postgres else None,
            rps=result["rps"],
            p50_us=result["p50_us"],
            p99_us=result["p99_us"],
            answer_bytes=result["answer_bytes"],
        )

    def clocks(self, server):
        """Once all is quiet: the load's connections are closed by then, and a sleeper's time is exact."""
        seen = None
        for _ in range(QUIET_LOOKS_MAX):
            before, seen = seen, (server.cpu_ns(), self.postgres.cpu_ns() if self.postgres else 0)
            if seen == before:
                break
            time.sleep(0.02)
        return seen


def argon2(build, count, core):
    argv = [build / "bench_argon2", str(count)]
    done = subprocess.run(argv, check=True, capture_output=True, preexec_fn=rig.pinned(core))
    return Sample(cpu_us=json.loads(done.stdout)["cpu_us"])


def median(samples, field):
    values = [getattr(sample, field) for sample in samples if getattr(sample, field) is not None]
    return statistics.median(values) if values else None


def show(value, form):
    return "–" if value is None else format(value, form)


def print_header():
    print(f"{'':23} {'server CPU per request':>44} {'':4} {'PostgreSQL µs':>13} {'kit, from outside':>17}")
    print(f"{'database':9} {'path':13} {'floor µs':>9} {'kit µs':>9} {'ratio':>6} {'range':>10}", end="")
    print(f" {'budget':>6} {'':4} {'floor':>6} {'kit':>6} {'req/s':>8} {'p99 µs':>8} {'bytes floor/kit':>16}")


def print_row(row):
    ratios = row.ratios()
    ratio = statistics.median(ratios) if ratios else None
    span = f"{min(ratios):.2f}–{max(ratios):.2f}" if ratios else "–"
    verdict = "" if ratio is None or row.budget is None else ("ok" if ratio <= row.budget else "OVER")
    sizes = "/".join(show(median(side, "answer_bytes"), ".0f") for side in (row.floor, row.kit))
    print(
        f"{row.database:9} {row.path:13} "
        f"{show(median(row.floor, 'cpu_us'), '9.2f'):>9} {median(row.kit, 'cpu_us'):9.2f} "
        f"{show(ratio, '6.2f'):>6} {span:>10} {show(row.budget, '6.2f'):>6} {verdict:4} "
        f"{show(median(row.floor, 'postgres_us'), '6.1f'):>6} "
        f"{show(median(row.kit, 'postgres_us'), '6.1f'):>6} "
        f"{median(row.kit, 'rps'):8.0f} {median(row.kit, 'p99_us'):8.0f} {sizes:>16}",
        flush=True,
    )


def compare(options, engines):
    settings = {name: value for name, value in vars(options).items() if not isinstance(value, Path)}
    report = {"machine": machine(), "options": settings, "facts": {}, "rows": []}
    print_header()
    for engine in engines:
        with tempfile.TemporaryDirectory(prefix="kit-bench-") as name, contextlib.ExitStack() as stack:
            os.chmod(name, 0o755)  # PostgreSQL's user passes through
            bench = Bench(options, engine, Path(name), stack)
            report["facts"][engine] = bench.facts()
            if "me" in options.paths and not bench.same_user():
                print(f"note: on {engine} the two answers of /api/v1/me differ in their data")
            for path in options.paths:
                row = bench.measure(PATHS[path])
                print_row(row)
                report["rows"].append({**asdict(row), "ratios": row.ratios()})
    for engine, facts in report["facts"].items():
        memory = facts["idle_kib"] / 1024
        print(f"{engine}: from start on an empty database to ready {facts['ready_ms']} ms, {memory:.1f} MiB")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0


def machine():
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return {"cpu": (models or ["unknown"])[0], "cores": os.cpu_count(), "kernel": platform.release()}


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--database", choices=["sqlite", "postgres", "both"], default="both")
    add("--paths", default=",".join(PATHS), help="of " + ",".join(PATHS))
    add("--rounds", type=int, default=7)
    add("--requests", type=int, default=20_000, help="in each round")
    add("--logins", type=int, default=5, help="in each round, one at a time")
    add("--connections", type=int, default=32)
    add("--workers", type=int, help="HTTP_WORKERS of the server; its own default otherwise")
    add("--pin", action="store_true", help="servers on the first core, the load on the last")
    add("--redis", action="store_true", help="count requests in Redis, as several nodes would")
    add("--self-check", action="store_true", help="the floor against itself")
    add("--instructions", action="store_true", help="count instructions per request under callgrind instead")
    add("--write-baseline", action="store_true", help="with --instructions: keep the counts")
    add("--json", type=Path, default=ROOT / "bench/results/latest.json")
    add("--build", type=Path, default=ROOT / "build/release", help="the folder of the binaries")
    add("--binary", type=Path, help="the server; everything-backend of that folder otherwise")
    options = parser.parse_args()
    options.paths = options.paths.split(",")
    if unknown := set(options.paths) - set(PATHS):
        parser.error(f"unknown paths: {', '.join(sorted(unknown))}")
    options.build = options.build.resolve()
    if options.self_check:
        options.paths = [path for path in options.paths if PATHS[path].floor == "floor"]
    options.binary = (options.binary or options.build / "everything-backend").resolve()
    tools = [options.build / name for name in ("bench_floor", "bench_load", "bench_argon2")]
    for binary in (options.binary, *tools):
        if not binary.exists():
            parser.error(f"{binary} is missing: './dev build' makes it")
    return options


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parse()
    engines = ["sqlite", "postgres"] if options.database == "both" else [options.database]
    try:
        if options.instructions:
            return instructions.count(options, engines, PATHS)
        return compare(options, engines)
    except rig.BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
