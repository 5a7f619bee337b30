# SPDX-License-Identifier: Apache-2.0
"""`make bench`: Kiln beside the bare kernel and the peers that are installed, in one run.

Every round does each subject once, so that what the machine does besides hits all alike; the first rounds warm up and
do not count. SUITE="start stems …" picks parts (docs/performance.md has what each measures), ROUNDS=n and CONTAINERS=n set
sizes, BENCH_LONG=1 takes the time that 1000 containers need, PEERS=none leaves the peers out. Raw samples and plots go to build/bench/; BENCH_WRITE=1 puts them into docs/bench/, too, and rewrites the parts of
docs/bench.md whose suites ran. Root, no network (but for Debian's packages of SUITE=load, once).
"""
import contextlib
import json
import os
import re
import signal
import sys

import plot
from common import OUT, ROOT, machine, summary
from engines import Bench
from suite_api import suite_api, suite_memory
from suite_health import suite_health
from suite_load import suite_load
from suite_log import suite_log
from suite_ping import suite_ping
from suite_run import suite_run
from suite_runtime import suite_runtime
from suite_scale import suite_scale
from suite_start import suite_exec, suite_start
from suite_stems import suite_stems

# A suite gives {subject: [samples]}, or {"tables": [{"title", "unit", "samples", "plot"}], "notes": [lines]}
SUITES = {"start": (suite_start, "ms"), "stems": (suite_stems, None), "exec": (suite_exec, "ms"), "run": (suite_run, None),
          "runtime": (suite_runtime, None), "api": (suite_api, "ms"), "ping": (suite_ping, None), "scale": (suite_scale, None), "memory": (suite_memory, "KiB PSS"),
          "health": (suite_health, None), "log": (suite_log, None), "load": (suite_load, None)}
PAGE = os.path.join(ROOT, "docs/bench.md")
HEAD = """# Figures

Written by `make bench BENCH_WRITE=1`, part by part; all subjects of a table took turns in one run. Only ratios within one table mean
anything. Samples are in [bench/](bench/).
"""


def table(t):
    out = [f"| {t['title'] + ', ' if t['title'] else ''}{t['unit']} | n | min | median | p99 | max |", "|---|---|---|---|---|---|"]
    for subject, samples in t["samples"].items():
        s = summary(samples)
        out.append(f"| {subject} | {s['n']} | " + " | ".join(plot.number(s[k]) for k in ("min", "p50", "p99", "max")) + " |")
    return "\n".join(out) + "\n"


def run_suite(b, name):
    fn, unit = SUITES[name]
    got = fn(b)
    return got if "tables" in got else {"tables": [{"title": "", "unit": unit, "samples": got, "plot": True}], "notes": []}


def save(folder, name, host, part):
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/{name}.json", "w") as f:
        json.dump({"machine": host, **part}, f, indent=1)
        f.write("\n")
    for t in part["tables"]:
        if t.get("plot"):
            with open(f"{folder}/{name}.svg", "w") as f:
                f.write(plot.bars(t["title"] or name, t["unit"], {k: summary(v) for k, v in t["samples"].items()}))


def section(name, host, part, with_plot):
    facts = ", ".join(f"{k} {v}" for k, v in {**host, **host["versions"]}.items() if k != "versions")
    notes = "".join(f"- {n}\n" for n in part["notes"])
    picture = f"![{name}](bench/{name}.svg)\n\n" if with_plot else ""
    return f"## {name}\n\n{facts}\n\n" + (notes + "\n" if notes else "") + picture + "\n".join(map(table, part["tables"]))


def write_page(parts):
    """The sections of suites that ran take the place of theirs; the others stay."""
    with open(PAGE) as f:
        old = {s.split("\n", 1)[0]: "## " + s for s in re.split(r"^## ", f.read(), flags=re.M)[1:]}
    old = {**old, **parts}
    order = sorted(old, key=lambda n: list(SUITES).index(n) if n in SUITES else len(SUITES))
    with open(PAGE, "w") as f:
        f.write("\n".join([HEAD, *(old[n].rstrip() + "\n" for n in order)]))


def main():
    wanted = (os.environ.get("SUITE") or " ".join(SUITES)).replace(",", " ").split()
    for name in wanted:
        if name not in SUITES:
            raise SystemExit(f"SUITE: '{name}' is none of {', '.join(SUITES)}")
    if os.geteuid() != 0:
        raise SystemExit("make bench: needs root")
    signal.alarm(int(os.environ.get("BENCH_SECONDS") or 3600))
    signal.signal(signal.SIGALRM, lambda *_: sys.exit("bench: out of time"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: ended"))
    is_kept, pages = bool(os.environ.get("BENCH_WRITE")), {}
    with contextlib.ExitStack() as stack:
        b = Bench(stack)
        for name in wanted:
            host = machine()
            part = run_suite(b, name)
            pages[name] = section(name, host, part, is_kept)
            print(pages[name], flush=True)
            save(OUT, name, host, part)
            if is_kept:
                save(ROOT + "/docs/bench", name, host, part)
    if is_kept:
        write_page(pages)


if __name__ == "__main__":
    main()
