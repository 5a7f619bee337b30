# SPDX-License-Identifier: Apache-2.0
"""An operation, tried once for each of its steps with that step failing, and what must be true afterwards."""
import contextlib
import errno
import http.client
import json
import os
import random
import sqlite3
import sys
import time

import faults
import harness
from harness import Failed

LONG = bool(os.environ.get("KILN_LONG"))
SEED = int(os.environ.get("KILN_SEED", str(int(time.time()))))


class Refused(Exception):
    """The daemon said no, with a reason."""


class Lost(Exception):
    """No whole answer came."""


def call(k, method, path, body=None, want=(200, 201, 204)):
    """The answer's JSON; Refused with its message, which must be there; Lost."""
    try:
        status, _, data = k.api(method, path, body, timeout=40)
    except (OSError, http.client.HTTPException) as e:
        raise Lost(repr(e)) from e
    if status in want:
        return json.loads(data) if data.startswith((b"{", b"[")) and method != "POST" or status == 201 else data
    try:
        message = json.loads(data)["message"]
    except (ValueError, KeyError) as e:
        raise Failed(f"{method} {path}: {status} without a message: {data!r}") from e
    if len(message) < 10:
        raise Failed(f"{method} {path}: {status}, which says nothing: {message!r}")
    raise Refused(message)


def namespaces_of(pids):
    found = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            found |= {os.readlink(f"/proc/{pid}/ns/{kind}") for kind in ("mnt", "pid", "net", "ipc", "uts", "cgroup", "user")}
    return sorted(found)


# Who cannot tell why: the request was not read, the answer cannot be written, or it ends as one that is out of memory.
MUTE = ("recvmsg in fd_recv_msg", "write in fd_write_all", "readdir64 in check_single_threaded", "mmap64 in streams_new")


def check_reason(site, message, error):
    if site.call in faults.ABORTS or os.strerror(error).lower() in message.lower():
        return
    if not any(text in str(site) for text in MUTE):
        raise Failed(f"{os.strerror(error)!r} is not in {message!r}")


def mixed(trials):
    """Those that end a process cost a start: they are one in seven, until the others are through."""
    costly = [t for t in trials if t[0].call in faults.ABORTS]
    found = []
    for t in (t for t in trials if t[0].call not in faults.ABORTS):
        found.append(t)
        if len(found) % 7 == 6 and costly:
            found.append(costly.pop())
    return found + costly


class Operation:
    """What is tried. A subclass has act(), which may raise Refused or Lost, and check(), for each of the three ends."""
    seconds = 15           # in CI
    is_renewed = False     # check() has left other things behind than before() found
    site = None            # that fails; None in the first, good, runs

    def __init__(self, k):
        self.k = k

    def before(self):
        """Not armed."""

    def act(self):
        raise NotImplementedError   # pragma: no cover

    def check(self, end, message):
        """Not armed. `end` is done, refused or lost. Raises Failed. Leaves as much behind as before() had found."""


class Bench:
    """A daemon with faults, for one operation."""

    def __init__(self, k, make):
        self.k = k
        self.faults = faults.Faults(k.dir + "/faults")
        k.env = dict(self.faults.env)
        self.make = make
        self.problems = []
        self.n_tried = self.n_fired = self.n_refused = self.n_aborts = 0
        self.up()

    def up(self):
        self.k.start()
        self.k.busybox()
        self.operation = self.make(self.k)
        for _ in range(3):
            self.once()
        self.settle_baseline()

    def settle_baseline(self):
        self.launcher = self.k.launcher_pid()
        self.baseline = self.left()
        time.sleep(0.3)
        self.baseline = self.left()

    def once(self):
        self.operation.before()
        self.operation.act()
        self.operation.check("done", "")

    # ---- what is left behind
    def left(self):
        k = self.k
        found = {
            "kilnd's descriptors": len(os.listdir(f"/proc/{k.proc.pid}/fd")),
            "kilnd's children": sorted(p for p in harness.children_of(k.proc.pid) if p != self.launcher),
            "the launcher's descriptors": len(os.listdir(f"/proc/{self.launcher}/fd")) - len(harness.stems_of(self.launcher)),
            "kilnd's threads": len(os.listdir(f"/proc/{k.proc.pid}/task")),
            "processes": sorted(p for p in harness.descendants_of(self.launcher)),
            "namespaces": namespaces_of([self.launcher, *harness.descendants_of(self.launcher)]),
            "mounts": [m for m in harness.mounts() if m.startswith(k.dir)],
            "the launcher's mounts": harness.mounts(self.launcher),
            "cgroups": sorted(os.path.join(d, sub) for d in harness.cgroup_dirs(k.cgroup_parent) for sub in os.listdir(d)
                              if os.path.isdir(os.path.join(d, sub))),
        }
        for folder in ("", "containers", "tmp", "layers", "blobs", "blobs/sha256"):
            found[f"data/{folder}"] = sorted(os.listdir(f"{k.data_root}/{folder}"))
        found["filters half written"] = [n for n in os.listdir(k.data_root + "/seccomp") if n.endswith(".tmp")]
        found["layers' rows"], found["containers' rows"] = self.rows()
        for folder in ("", "c", "x", "l", "netns"):
            path = f"{k.exec_root}/{folder}"
            found[f"run/{folder}"] = sorted(os.listdir(path)) if os.path.isdir(path) else []
        return found

    def rows(self):
        with contextlib.closing(sqlite3.connect(f"file:{self.k.data_root}/kiln.db?mode=ro", uri=True, timeout=5)) as db:
            return [[row[0] for row in db.execute(f"SELECT {column} FROM {table}")]
                    for column, table in (("dir", "layers"), ("id", "containers"))]

    def more(self):
        now, found = self.left(), {}
        for what, was in self.baseline.items():
            if isinstance(was, int):
                if now[what] > was:
                    found[what] = now[what] - was
            elif set(now[what]) - set(was):
                found[what] = sorted(set(now[what]) - set(was))
        return found

    def check_left(self):
        deadline = time.monotonic() + 6
        while True:
            more = self.more()
            if not more:
                return
            if time.monotonic() > deadline:
                raise Failed(f"left behind: {more}")
            time.sleep(0.01)

    # ---- one trial
    def revive(self, site):
        """Running out of memory ends a process of ours: that is allowed to kilnd and to the launcher."""
        k = self.k
        try:
            k.api("GET", "/_ping", timeout=10)
        except OSError:
            k.proc.wait(10)
        if k.proc.poll() is not None:
            if site.call not in faults.ABORTS:
                raise Failed(f"kilnd ended with {k.proc.returncode}: {k.log_tail(600)}")
            self.n_aborts += 1
            k.start()
        if site.call in faults.ABORTS and site.role == "launcher":
            time.sleep(0.3)
        if harness.is_alive(self.launcher):
            return False
        if site.call not in faults.ABORTS:
            raise Failed("the launcher ended")
        self.n_aborts += 1
        self.launcher = harness.eventually("another launcher", k.launcher_pid)
        return True

    def attempt(self, site, error, nth):
        op, message = self.operation, ""
        op.site = site
        op.before()
        self.faults.arm(site.key, error, nth)
        try:
            op.act()
            end = "done"
        except Refused as e:
            end, message = "refused", str(e)
        except Lost as e:
            end, message = "lost", str(e)
        finally:
            fired = self.faults.off()
        self.n_tried += 1
        self.n_fired += fired > 0
        self.n_refused += end == "refused"
        is_new = self.revive(site)
        if end == "refused" and fired and site.role == "init":
            op.check_stage(message, error)
        if end == "refused" and fired:
            check_reason(site, message, error)
        op.check(end, message)
        if is_new:
            self.k.run("--rm", "--", "true")
        if is_new or op.is_renewed:
            self.settle_baseline()
            op.is_renewed = False
        self.check_left()

    def trial(self, site, error, nth):
        try:
            self.attempt(site, error, nth)
        except Exception as e:  # whatever it is, it is a problem of this step, and the next one is tried
            self.faults.off()
            said = [l[31:] for l in self.k.log_tail(4000).splitlines() if " debug: " not in l and " info: " not in l]
            text = (str(e) or repr(e)) + "".join(f"\n      log: {l}" for l in said[-4:])
            self.problems.append(f"{site} (hit {nth} of {site.hits}), {errno.errorcode[error]}:\n      {text}")
            print(f"    {self.problems[-1]}", file=sys.stderr, flush=True)
            self.fresh()

    def fresh(self):
        """After a problem: nothing of it may be seen by the next trial."""
        old = self.k
        launcher = old.launcher_pid()
        old.kill9()
        old.proc = None
        for p in [*(harness.descendants_of(launcher) if launcher else []), launcher]:
            if p:
                try:
                    os.kill(p, 9)
                except OSError:
                    pass
        time.sleep(0.1)
        for folder in (old.data_root, old.exec_root):
            import shutil
            shutil.rmtree(folder, ignore_errors=True)
        for d in harness.cgroup_dirs(old.cgroup_parent):
            for sub, _dirs, _files in os.walk(d, topdown=False):
                try:
                    os.rmdir(sub)
                except OSError:
                    pass
        old.loaded.clear()
        self.up()

    # ---- all of them
    def steps(self):
        self.operation.before()
        self.faults.count()
        self.operation.act()
        time.sleep(0.05)
        self.faults.off()
        self.operation.check("done", "")
        found = self.faults.sites()
        if len(found) < 50:
            raise Failed(f"only {len(found)} steps were seen: are these binaries made with FAULTS=1?")
        trials = []
        for s in found:
            hits = {1} if not LONG else {1, (s.hits + 1) // 2, s.hits}
            if s.object == "libsqlite3" and s.call not in faults.ABORTS:
                hits = set(range(1, min(s.hits, 20) + 1, 1 if LONG else 3))   # one site for all that it writes
            for e in faults.errors_for(s.call):
                trials += [(s, e, n) for n in hits]
        return trials

    def run(self, only=""):
        trials = self.steps()
        rng = random.Random(SEED)
        rng.shuffle(trials)
        trials = mixed(trials)
        if only:
            trials = [t for t in trials if only in str(t[0])]
        deadline = time.monotonic() + (100000 if LONG or only else self.operation.seconds)
        n = 0
        for t in trials:
            if time.monotonic() > deadline or len(self.problems) >= (5 if not (LONG or only) else 1000):
                break
            self.trial(*t)
            n += 1
        print(f"    {type(self.operation).__name__}: {n} of {len(trials)} steps (KILN_SEED={SEED}), {self.n_fired} reached,"
              f" {self.n_refused} refused, {self.n_aborts} out of memory, {len(self.problems)} problems", file=sys.stderr, flush=True)
        if self.n_fired < n // 2:
            raise Failed(f"only {self.n_fired} of {n} faults were reached")
        if self.problems:
            raise Failed(f"{len(self.problems)} problems:\n    " + "\n    ".join(self.problems))
