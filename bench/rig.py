"""What a measurement stands on: a PostgreSQL of its own, the servers, their CPU time, the load."""

import http.client
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

EMAIL = "bench@example.com"
ADMIN_EMAIL = "admin@example.com"  # of BOOTSTRAP_ADMIN_EMAIL
PASSWORD = "Correct-Horse-Battery-9"
READY_SECONDS = 60
STOP_SECONDS = 30


class BenchError(Exception):
    """A measurement that cannot be made; the text says what to mend."""


def cpu_ns(pid):
    """Run time of all threads of a process, to the nanosecond (for threads that are not running just now)."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            raise BenchError(f"a thread of process {pid} ended under measurement: its time is lost") from None
    return total


def pinned(core):
    """What a child does first to stay on one core; nothing for None."""
    return None if core is None else lambda: os.sched_setaffinity(0, {core})


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A child that is stopped when its `with` ends; its own session keeps Ctrl-C from it until then."""

    def __init__(self, argv, env, log, core=None, stop_signal=signal.SIGTERM, stdout=None, **popen):
        self.argv, self.log, self.stop_signal = argv, Path(log), stop_signal
        with self.log.open("ab") as sink:
            self.child = subprocess.Popen(
                [str(word) for word in argv],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=stdout or sink,
                stderr=sink,
                start_new_session=True,
                preexec_fn=pinned(core),
                **popen,
            )
        self.pid = self.child.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def cpu_ns(self):
        return cpu_ns(self.pid)

    def resident_kib(self):
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")))

    def failure(self, what):
        tail = self.log.read_text(errors="replace")[-2000:]
        return BenchError(f"{Path(self.argv[0]).name}: {what}\n{tail}")

    def stop(self):
        if self.child.poll() is None:
            self.child.send_signal(self.stop_signal)
            try:
                self.child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()

    def wait_until(self, ready):
        """Seconds until `ready()` is true, asked every millisecond."""
        start = time.monotonic()
        try:
            while not ready():
                if self.child.poll() is not None:
                    raise self.failure(f"ended with status {self.child.returncode} instead of starting")
                if time.monotonic() - start > READY_SECONDS:
                    raise self.failure(f"was not ready after {READY_SECONDS} s")
                time.sleep(0.001)
        except BaseException:  # no `with` guards it yet
            self.stop()
            raise
        return time.monotonic() - start


class Postgres(Process):
    """A cluster that lives as long as this object, on a free loopback port, run by an unprivileged user."""

    def __init__(self, folder, core=None):
        tools = self.tools()
        data = folder / "cluster"
        data.mkdir(mode=0o700)
        who = {}
        if os.geteuid() == 0:  # the server refuses to run as root
            entry = pwd.getpwnam("postgres")
            os.chown(data, entry.pw_uid, entry.pw_gid)
            who = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        initdb = [tools / "initdb", "-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8", "--no-sync"]
        made = subprocess.run(initdb, env=env, cwd="/", capture_output=True, text=True, **who)
        if made.returncode != 0:
            raise BenchError(f"initdb failed: {made.stderr}")
        self.port = free_port()
        server = [tools / "postgres", "-D", data, "-k", data, "-h", "127.0.0.1", "-p", self.port]
        server += ["-c", "autovacuum=off"]  # its workers come and go with their time
        super().__init__(server, env, folder / "postgres.log", core, signal.SIGINT, cwd="/", **who)
        probe = [tools / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        self.wait_until(lambda: subprocess.run(probe).returncode == 0)

    @staticmethod
    def tools():
        packaged = Path("/usr/lib/postgresql").glob("*/bin/initdb")
        found = sorted(packaged, key=lambda path: float(path.parts[4]))
        path = found[-1] if found else shutil.which("initdb")
        if not path:
            raise BenchError("no PostgreSQL server here: install postgresql-15, or use --database sqlite")
        return Path(path).parent

    @property
    def url(self):
        return f"postgres://bench@127.0.0.1:{self.port}/postgres?sslmode=disable"

    def cpu_ns(self):
        """The backends' and helpers' time; a connection made for the measurement must outlive it."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return sum(cpu_ns(child) for child in children)


class Redis(Process):
    """A server without persistence on a free loopback port."""

    def __init__(self, folder, core=None):
        binary = shutil.which("redis-server")
        if not binary:
            raise BenchError("no Redis server here: install redis-server, or leave --redis out")
        self.port = free_port()
        server = [binary, "--port", self.port, "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        super().__init__(server, {"PATH": os.environ["PATH"]}, folder / "redis.log", core)
        self.wait_until(self.answers)

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16) == b"+PONG\r\n"
        except OSError:
            return False


class Kit(Process):
    """The server under test, with one account registered."""

    def __init__(self, binary, folder, database_url, workers=None, core=None, wrapper=(), redis=None, extra=None):
        self.port = free_port()
        self.secret = Kit.secret_of(folder)
        settings = {
            "PATH": os.environ["PATH"],
            "HTTP_PORT": str(self.port),
            "DATA_DIR": str(folder),
            "DATABASE_URL": database_url,
            "JWT_ACCESS_SECRET": self.secret,
            "JWT_ACCESS_TTL": "1h",
            "BOOTSTRAP_ADMIN_EMAIL": ADMIN_EMAIL,
            "OTEL_METRICS_ENABLED": "false",
            "OTEL_TRACING_ENABLED": "false",
            "OTEL_LOGS_ENABLED": "false",
            **{limit: "100000000" for limit in Kit.limits()},
            **({"HTTP_WORKERS": str(workers)} if workers else {}),
            **({"REDIS_ADDR": f"127.0.0.1:{redis.port}"} if redis else {}),
            **(extra or {}),
        }
        super().__init__([*wrapper, binary, "api"], settings, folder / "server.log", core, cwd=folder)
        self.ready_s = self.wait_until(self.is_ready)
        self.idle_kib = self.settled_kib()

    def settled_kib(self):
        """Once what only the start needed has been given back, just after the server is ready."""
        last = self.resident_kib()
        for _ in range(20):
            time.sleep(0.1)
            now = self.resident_kib()
            if now == last:
                break
            last = now
        return last

    @staticmethod
    def limits():
        scopes = ["API_RATE_LIMIT", "AUTH_RATE_LIMIT", "AUTH_PASSWORD_FORGOT_RATE_LIMIT", "RATE_LIMIT_LOGIN",
                  "RATE_LIMIT_REFRESH", "RATE_LIMIT_ADMIN_WRITE", "RATE_LIMIT_ADMIN_SYNC"]  # fmt: skip
        return [f"{scope}_PER_MIN" for scope in scopes]

    @staticmethod
    def secret_of(folder):
        """Kept in the folder, so that a restarted server honours the tokens it gave out."""
        file = folder / "access_secret"
        if not file.exists():
            file.touch(0o600)
            file.write_text(secrets.token_hex(32))
        return file.read_text()

    def is_ready(self):
        try:
            return self.ask("GET", "/health/ready")[0] == 200
        except OSError:
            return False

    def ask(self, method, path, body=None, headers=None):
        return ask(self.port, method, path, body, headers)

    def register(self, email=EMAIL):
        status, cookies, text = self.ask(
            "POST",
            "/api/v1/auth/local/register",
            {"email": email, "name": "Bench", "password": PASSWORD},
            {"Idempotency-Key": secrets.token_hex(16)},
        )
        if status != 201:
            raise self.failure(f"registering answered {status}: {text}")
        return cookies["access_token"]

    def furnish(self, admin):
        """An administrator's token makes two pages of products and ten flags with a rule each."""
        flags = "/api/v1/admin/feature-flags"
        rows = [("/api/v1/products", {"name": f"Lamp {n}", "price": n, "description": "bright"}) for n in range(1, 41)]
        rows += [(flags, {"key": f"flag-{n}", "description": "for the bench"}) for n in range(1, 11)]
        rows += [(f"{flags}/{n}/rules", {"type": "percent", "percentage": 10 * n}) for n in range(1, 11)]
        for path, body in rows:
            status, _, text = self.ask("POST", path, body, {"Authorization": f"Bearer {admin}"})
            if status != 201:
                raise self.failure(f"{path} answered {status}: {text}")

    def log_in(self):
        account = {"email": EMAIL, "password": PASSWORD}
        status, cookies, text = self.ask("POST", "/api/v1/auth/local/login", account)
        if status != 200:
            raise self.failure(f"logging in answered {status}: {text}")
        return cookies


class Floor(Process):
    def __init__(self, binary, folder, secret, database, core=None):
        env = {"PATH": os.environ["PATH"], "JWT_ACCESS_SECRET": secret}
        super().__init__([binary, *database], env, folder / "floor.log", core, stdout=subprocess.PIPE)
        line = self.child.stdout.readline()
        if not line:
            self.child.wait()
            raise self.failure("did not start")
        self.port = int(line)


def ask(port, method, path, body=None, headers=None):
    """One request on its own connection: status, cookies, body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        headers = {"Content-Type": "application/json", **(headers or {})}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        pairs = (cookie.split(";")[0].split("=", 1) for cookie in answer.headers.get_all("Set-Cookie") or [])
        return answer.status, dict(pairs), answer.read().decode()
    finally:
        connection.close()


@dataclass(frozen=True)
class Answer:
    status: int
    etag: str
    body: str


def ask_whole(port, path, headers):
    """A GET with the answer's entity tag."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path, None, headers)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers.get("ETag", ""), answer.read().decode())
    finally:
        connection.close()


def load(binary, port, request, connections, requests, status, core=None, jar=None):
    """bench_load's verdict on `requests` requests with the text in the file `request`."""
    argv = [binary, "--port", port, "--request", request, "--connections", connections]
    argv += ["--requests", requests, "--status", status, *(["--jar", jar] if jar else [])]
    argv = [str(word) for word in argv]
    done = subprocess.run(argv, capture_output=True, text=True, preexec_fn=pinned(core))
    if done.returncode != 0:
        raise BenchError(done.stderr.strip())
    result = json.loads(done.stdout)
    if result["errors"]:
        raise BenchError(f"{result['errors']} wrong answers: {done.stderr.strip()}")
    return result
