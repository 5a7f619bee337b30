# SPDX-License-Identifier: Apache-2.0
"""kiln-runtime's command line: every step of create, start, exec and delete fails once. What fails says why and leaves nothing behind, or
what `delete --force` takes away, and the same works afterwards. KILN_LONG, KILN_SEED and KILN_ONLY as in test_faults.py.
"""
import contextlib
import errno
import os
import random
import sys
import time

import faults
from harness import Failed, cgroup_dirs, eq, eventually, mounts
from ociruntime import Runtime, reap_strays
from trial import LONG, SEED

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "conformance"))
import test_users  # noqa: E402

ONLY = os.environ.get("KILN_ONLY", "")
# What takes away: where this fails, something stays, and the next delete finds it.
REMOVALS = {"unlinkat", "unlink", "rmdir", "kill", "pidfd_send_signal", "poll", "openat", "openat64", "fdopendir", "open", "open64", "fstatat64"}
# Who cannot say why: the message itself is not written, or there is no errno in it.
MUTE = ("write in fd_write_all", "stage_hook_child", "stage_is_executable", "stage_find_program", "write in enter:")


class Front:
    """An operation of the command line. before() prepares it, act() is tried, check() looks at what it has done."""
    seconds = 4
    site = None             # that fails

    def __init__(self, rt):
        self.rt = rt
        self.b = rt.bundle("sleep", "1000")
        true = {"path": "/bin/true"}
        self.b.config["hooks"] = {"createRuntime": [true], "createContainer": [true], "poststart": [true], "poststop": [true]}
        self.b.write()

    def before(self):
        pass

    def act(self, **kw):
        """The finished process."""
        raise NotImplementedError   # pragma: no cover

    def check(self, is_done):
        pass

    def status(self):
        return self.rt.status(self.b.id) if self.b.id in self.rt.ids() else "absent"

    def clear(self):
        p = self.rt.popen("delete", "--force", self.b.id)
        while p.poll() is None:
            reap_strays(p.pid)
            time.sleep(0.001)
        out, err = p.communicate()
        eq((p.returncode, self.rt.ids()), (0, []), out + err)

    def make(self):
        self.pid = self.rt.create(self.b)


class FrontCreate(Front):
    def act(self, **kw):
        return self.rt.call("create", "--bundle", self.b.dir, self.b.id, code=None, **kw)

    def check(self, is_done):
        # what waits may fail in that, behind the create
        if is_done and "stage_wait" not in str(self.site):
            eq(self.status(), "created")


class FrontJoined(FrontCreate):
    """Into a user namespace and others, by one process more."""
    def __init__(self, rt):
        super().__init__(rt)
        self.b = test_users.joining(rt, self.paths, "mount", "uts", "cgroup", ids=[])
        self.b.write("sleep", "1000")


class FrontStart(Front):
    def before(self):
        self.make()

    def act(self, **kw):
        return self.rt.call("start", self.b.id, code=None, **kw)

    def check(self, is_done):
        if is_done:
            eq(self.status(), "running")
        elif self.status() == "created":
            self.rt.call("start", self.b.id)
            eq(self.status(), "running")


class FrontExec(Front):
    def before(self):
        if self.status() != "running":
            self.make()
            self.rt.call("start", self.b.id)

    def act(self, **kw):
        p = self.rt.call("exec", self.b.id, "sh", "-c", "exit 3", code=None, **kw)
        p.returncode = 0 if p.returncode == 3 else p.returncode
        return p

    def check(self, is_done):
        eq(self.status(), "running")
        self.rt.call("exec", self.b.id, "true")
        eventually("the exec is gone", lambda: len(self.rt.call("ps", "--format", "json", self.b.id).out.split(",")) == 1)


class FrontDelete(Front):
    def before(self):
        self.make()
        self.rt.call("kill", self.b.id, "KILL")
        self.rt.wait_stopped(self.b)

    def act(self, **kw):
        return self.rt.call("delete", self.b.id, code=None, **kw)

    def check(self, is_done):
        if is_done:
            eq(self.status(), "absent")


class FrontBench:
    def __init__(self, make):
        self.rt = Runtime("kiln")
        self.faults = faults.Faults(self.rt.dir + "/faults")
        self.env = {**os.environ, **self.faults.env}
        self.op = make(self.rt)
        self.mounts = mounts()
        self.n_fired = self.n_refused = 0
        self.problems = []

    def steps(self):
        """Each step, after the operation has gone well a few times."""
        for _ in range(2):
            self.op.before()
            eq(self.op.act(env=self.env).returncode, 0)
            self.op.clear()
        self.op.before()
        self.faults.count()
        eq(self.op.act(env=self.env).returncode, 0)
        self.faults.off()
        self.op.check(True)
        self.op.clear()
        found = self.faults.sites()
        if len(found) < 30:
            raise Failed(f"only {len(found)} steps were seen: are these binaries made with FAULTS=1?")
        # libcgroup goes on without what it had no memory to note down
        found = [s for s in found if not (s.object == "libcgroup" and s.call in faults.ABORTS)]
        return [(s, e) for s in found for e in (faults.errors_for(s.call) if LONG else faults.errors_for(s.call)[:1])]

    def groups(self):
        return [os.path.join(d, g) for d in cgroup_dirs(self.rt.parent) for g in os.listdir(d) if os.path.isdir(os.path.join(d, g))]

    def attempt(self, site, error):
        self.op.site = site
        self.op.before()
        self.faults.arm(site.key, error)
        p = self.op.act(env=self.env)
        fired = self.faults.off()
        self.n_fired += fired > 0
        self.n_refused += p.returncode != 0
        # of one who cannot see its own threads nothing is known
        is_abort = site.call in faults.ABORTS or "check_single_threaded" in str(site)
        if p.returncode < 0 and not is_abort:
            raise Failed(f"it was ended by signal {-p.returncode}: {p.err}")
        if p.returncode != 0 and not fired:
            raise Failed(f"it failed without a fault: {p.err}")
        if p.returncode > 0 and not is_abort and os.strerror(error).lower() not in p.err.lower() and not any(m in str(site) for m in MUTE):
            raise Failed(f"{os.strerror(error)!r} is not in {p.err!r}")
        if isinstance(self.op, FrontCreate) and p.returncode > 0 and not is_abort and site.call not in REMOVALS:
            eq((self.rt.ids(), self.groups()), ([], []), "a create that failed left behind")
        self.op.check(p.returncode == 0)
        self.op.clear()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        eq((self.groups(), [m for m in mounts() if m not in self.mounts and m.startswith(self.rt.dir)]), ([], []), "left behind")

    def run(self):
        trials = self.steps()
        random.Random(SEED).shuffle(trials)
        if ONLY:
            trials = [t for t in trials if ONLY in str(t[0])]
        deadline = time.monotonic() + (100000 if LONG or ONLY else self.op.seconds)
        n = 0
        for site, error in trials:
            if time.monotonic() > deadline or len(self.problems) >= 5:
                break
            n += 1
            try:
                self.attempt(site, error)
            except Exception as e:  # a problem of this step; the next one is tried
                self.faults.off()
                self.problems.append(f"{site}, {errno.errorcode[error]}: {e}")
                print(f"    {self.problems[-1]}", file=sys.stderr, flush=True)
                self.op.clear()
        print(f"    {type(self.op).__name__}: {n} of {len(trials)} steps (KILN_SEED={SEED}), {self.n_fired} reached, {self.n_refused} refused,"
              f" {len(self.problems)} problems", file=sys.stderr, flush=True)
        self.rt.close()
        if self.n_fired < n // 2:
            raise Failed(f"only {self.n_fired} of {n} faults were reached")
        if self.problems:
            raise Failed(f"{len(self.problems)} problems:\n    " + "\n    ".join(self.problems))


def test_front_create():
    FrontBench(FrontCreate).run()


def test_front_joined():
    with test_users.holder("user", "network") as paths, test_users.holder("ipc", "pid") as more:
        FrontJoined.paths = {**paths, **more}
        FrontBench(FrontJoined).run()


def test_front_start():
    FrontBench(FrontStart).run()


def test_front_exec():
    FrontBench(FrontExec).run()


def test_front_delete():
    FrontBench(FrontDelete).run()


for test in (test_front_create, test_front_joined, test_front_start, test_front_exec, test_front_delete):
    test.timeout_s = 3600 if LONG else 100
