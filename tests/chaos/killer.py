# SPDX-License-Identifier: Apache-2.0
"""SIGKILL for kilnd, launcher, monitors, stems and unpack processes: one at a time, several at once, and while they start."""
import time

from world import Failed

# What dies together, and how often; "startup": the next kilnd is killed while it starts, "new": a launcher is, that was just started.
TARGETS = (
    (26, ("kilnd",)), (14, ("kilnd", "startup")), (20, ("monitor",)), (12, ("launcher",)), (5, ("launcher", "new")),
    (6, ("kilnd", "launcher")), (6, ("kilnd", "monitor")), (3, ("monitor", "kilnd")), (3, ("launcher", "monitor")),
    (4, ("monitor", "launcher", "kilnd")), (2, ("launcher", "kilnd", "startup")), (6, ("unpack",)), (5, ("stem",)), (2, ("stem", "kilnd")),
)


class Killer:
    def __init__(self, world, rng):
        self.w, self.rng = world, rng
        self.n = 0
        self.counts = {}

    def one(self, what):
        """Return: True when there was one to kill."""
        if what == "kilnd":
            return self.kilnd()
        victims = [(pid, kind) for pid, kind in self.w.processes() if kind == what]
        if not victims:
            return False
        pid, _ = self.rng.choice(sorted(victims))
        # A stem may just have become somebody's monitor.
        self.w.kill_pid("monitor" if what == "stem" else what, pid, self.w.owner_of(pid) if what in ("monitor", "stem") else set())
        self.note(what)
        return True

    def note(self, what):
        self.n += 1
        self.counts[what] = self.counts.get(what, 0) + 1

    def kilnd(self):
        proc = self.w.k.proc
        if proc.poll() is not None:
            raise Failed(f"kilnd ended by itself with {proc.returncode}:\n{self.w.k.log_tail(3000)}")
        self.w.kill_pid("kilnd", proc.pid, set())
        proc.wait()
        self.note("kilnd")
        return True

    def revive(self):
        if self.w.k.proc.poll() is None:
            return
        time.sleep(self.rng.choice((0, 0, self.rng.uniform(0, 0.15), self.rng.uniform(0, 0.4))))
        self.w.k.start(wait=False)

    def act(self):
        """One of TARGETS. Return: how many were killed"""
        before = self.n
        kinds = self.rng.choices([t for _, t in TARGETS], [n for n, _ in TARGETS])[0]
        for kind in kinds:
            if kind == "startup":
                self.revive()
                time.sleep(self.rng.uniform(0, 0.08))
                self.one("kilnd")
            elif kind == "new":
                self.new_launcher()
            elif not self.one(kind) and kind == "unpack":
                self.one("monitor")
        self.revive()
        return self.n - before

    def new_launcher(self):
        """The one that kilnd starts in its place, at any stage of its beginning."""
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline and not self.w.is_over.is_set():
            if any(kind == "launcher" for _, kind in self.w.processes()):
                time.sleep(self.rng.uniform(0, 0.03))
                self.one("launcher")
                return
            time.sleep(0.001)

    def spree(self, n):
        """At least @n kills, at random instants."""
        until = self.n + n
        while self.n < until and not self.w.is_over.is_set():
            self.let_work(self.rng.choice((0, self.rng.randrange(1, 20), self.rng.randrange(20, 60))))
            self.act()

    def let_work(self, n_answers):
        """Until clients have been told something, or are stuck: only what was acknowledged can be lost."""
        until, deadline = self.w.n_answers + n_answers, time.monotonic() + 2
        while self.w.n_answers < until and time.monotonic() < deadline and not self.w.is_over.is_set():
            time.sleep(0.005)
        time.sleep(self.rng.uniform(0, 0.1))
