#!/usr/bin/env python3
"""Schemathesis against the served document, on SQLite and on PostgreSQL: every check, no mercy.

  run.py BINARY [--tool SCHEMATHESIS] [--examples 200] [--engines sqlite,postgres] [ARGUMENT OF SCHEMATHESIS...]
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "bench"))
import rig  # noqa: E402  (the servers of the benchmark)

# What a request of the check may take away would leave the rest of it with 403 only.
PERMISSIONS = ["users", "roles", "permissions", "feature_flags"]
PROTECTED = [f"{name}:{verb}" for name in PERMISSIONS for verb in ("read", "write")]
PROTECTED += ["products:read", "products:write", "products:delete", "audit:read"]


def check(options, engine, folder, stack):
    postgres = stack.enter_context(rig.Postgres(folder)) if engine == "postgres" else None
    url = postgres.url if postgres else f"sqlite://{folder}/check.db"
    extra = {
        "APP_ENV": "development",
        "BOOTSTRAP_ADMIN_EMAIL": rig.ADMIN_EMAIL,
        "RBAC_PROTECTED_ROLES": "admin,user",
        "RBAC_PROTECTED_PERMISSIONS": ",".join(PROTECTED),
    }
    kit = stack.enter_context(rig.Kit(options.binary, folder, url, extra=extra))
    environment = {
        **os.environ,
        "KIT_ADMIN_TOKEN": kit.register(rig.ADMIN_EMAIL),
        "KIT_USER_TOKEN": kit.register("user@example.com"),
        "KIT_ACCESS_SECRET": kit.secret,
        "SCHEMATHESIS_HOOKS": "hooks",
        "PYTHONPATH": str(HERE),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "hypothesis"),
    }
    command = [options.tool, "--config-file", HERE / "schemathesis.toml", "run"]
    command += [f"http://127.0.0.1:{kit.port}/openapi.json", "--checks", "all"]
    command += ["--max-examples", options.examples, "--seed", "1", "--report", "junit"]
    command += ["--report-junit-path", options.reports / f"{engine}.xml", *options.more]
    print(f"==> Schemathesis on {engine}, {options.examples} examples an operation", flush=True)
    done = subprocess.run([str(word) for word in command], env=environment, cwd=folder, check=False)
    if kit.child.poll() is not None:
        raise kit.failure("ended under the check")
    if "runtime error" in kit.log.read_text(errors="replace"):
        raise kit.failure("a sanitizer has something to say")
    return done.returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=Path)
    parser.add_argument("--tool", default="schemathesis")
    parser.add_argument("--examples", type=int, default=200)
    parser.add_argument("--engines", default="sqlite,postgres")
    parser.add_argument("--reports", type=Path, default=Path("build/check"))
    options, options.more = parser.parse_known_args()
    options.binary, options.reports = options.binary.resolve(), options.reports.resolve()
    failed = []
    for engine in options.engines.split(","):
        with tempfile.TemporaryDirectory(prefix="kit-schemathesis-") as name, contextlib.ExitStack() as stack:
            os.chmod(name, 0o755)  # PostgreSQL's user passes through
            if not check(options, engine, Path(name), stack):
                failed.append(engine)
    print(json.dumps({"failed": failed}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
