#!/usr/bin/env python3
"""An OpenFeature SDK evaluates our flags over OFREP.

    run.py BINARY PACKAGES      PACKAGES: a folder whose node_modules has the SDK and its OFREP provider
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "bench"))
import rig  # noqa: E402  (the servers of the benchmark)

FLAGS = "/api/v1/admin/feature-flags"
MADE = [
    (FLAGS, {"key": "beta"}),
    (f"{FLAGS}/1/rules", {"type": "role", "match_value": "admin", "enabled": True}),
    (f"{FLAGS}/1/rules", {"type": "org", "match_value": "acme", "enabled": True}),
    (FLAGS, {"key": "share"}),
    (f"{FLAGS}/2/rules", {"type": "percent", "percentage": 82, "enabled": True}),  # 2:2 is in bucket 81
]


def main(binary, packages):
    with tempfile.TemporaryDirectory(prefix="kit-ofrep-") as name:
        folder = Path(name)
        extra = {"APP_ENV": "development", "BOOTSTRAP_ADMIN_EMAIL": rig.EMAIL}
        with rig.Kit(Path(binary).resolve(), folder, f"sqlite://{folder}/ofrep.db", extra=extra) as kit:
            token = kit.register()
            kit.register("bob@example.com")
            for path, body in MADE:
                status, _, text = kit.ask("POST", path, body, {"Authorization": f"Bearer {token}"})
                if status != 201:
                    raise kit.failure(f"{path} answered {status}: {text}")
            environment = {
                **os.environ,
                "KIT_URL": f"http://127.0.0.1:{kit.port}",
                "KIT_ADMIN_TOKEN": token,
                "KIT_PACKAGES": str(Path(packages).resolve()),
            }
            return subprocess.run(["node", HERE / "check.mjs"], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
