"""Instructions per request, counted by callgrind: a busy machine changes nothing, creeping cost shows."""

import contextlib
import json
import os
import shutil
import tempfile
from pathlib import Path

import rig

BASELINE = Path(__file__).with_name("baseline.json")
TOLERANCE = 0.03
FEW, MANY = 200, 1200  # what both runs do (start, first requests, stop) falls out of their difference
COUNTED = ("live", "refuse", "me")


def total(folder, run):
    """Instructions from the server's start to its end."""
    out = folder / "callgrind.out"
    wrapper = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"]
    run(wrapper)
    lines = out.read_text().splitlines() if out.exists() else []
    out.unlink(missing_ok=True)
    totals = [line.split()[1] for line in lines if line.startswith("totals:")]
    if not totals:
        raise rig.BenchError("callgrind counted nothing: did the server end by exec or by a signal?")
    return int(totals[0])


def per_request(options, folder, url, path, token):
    file = folder / "request"
    file.write_bytes(path.request.replace("{token}", token).encode())

    def serve(requests):
        def run(wrapper):
            # Set here, because the server would start itself again for it, out of callgrind's sight.
            caches = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=127"}
            with rig.Kit(options.binary, folder, url, workers=1, wrapper=wrapper, extra=caches) as kit:
                rig.load(options.build / "bench_load", kit.port, file, 1, requests, path.status)

        return run

    return (total(folder, serve(MANY)) - total(folder, serve(FEW))) / (MANY - FEW)


def count_engine(options, engine, paths):
    with tempfile.TemporaryDirectory(prefix="kit-bench-") as name, contextlib.ExitStack() as stack:
        os.chmod(name, 0o755)
        folder = Path(name) / engine
        folder.mkdir()
        postgres = stack.enter_context(rig.Postgres(Path(name))) if engine == "postgres" else None
        url = postgres.url if postgres else f"sqlite://{folder / 'bench.db'}"
        with rig.Kit(options.binary, folder, url, workers=1) as kit:  # hashing under callgrind takes long
            token = kit.register()
        for path in (path for path in COUNTED if path in options.paths):
            yield f"{engine} {paths[path].name}", round(per_request(options, folder, url, paths[path], token))


def count(options, engines, paths):
    """Prints the table; the exit status is 1 if a path costs more than its baseline allows."""
    if not shutil.which("valgrind"):
        raise rig.BenchError("valgrind is missing: install the package valgrind")
    baseline = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    counts, worse = {}, []
    print(f"{'path':24} {'instructions':>12} {'baseline':>9} {'change':>7}")
    for engine in engines:
        for name, instructions in count_engine(options, engine, paths):
            counts[name] = instructions
            before = baseline.get(name)
            change = f"{instructions / before - 1:+.1%}" if before else "–"
            print(f"{name:24} {instructions:12} {before or '–':>9} {change:>7}", flush=True)
            if before and instructions > before * (1 + TOLERANCE):
                worse.append(name)
    if options.write_baseline:
        BASELINE.write_text(json.dumps({**baseline, **counts}, indent=1, sort_keys=True) + "\n")
    elif worse:
        print(f"more than {TOLERANCE:.0%} above the baseline: {', '.join(worse)}")
        return 1
    return 0
