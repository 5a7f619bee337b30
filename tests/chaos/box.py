# SPDX-License-Identifier: Apache-2.0
"""One container and what is known of it. What was acknowledged must be so; what was sent and not acknowledged may be so.

The program inside (tests/payload.c) keeps accounts of its own, which are read from the container's upper directory: how often
it was started, how many lines it has written, what signals and execs it has seen.
"""
import os
import time

import harness
from world import SLACK_S, Failed, Lost, read

CRASH_CODE = 33
NOBODY_READS_CODE = 99     # of a program that cannot write any more
SETTLE_S = 30 * (3 if harness.IS_SANITIZED else 1)
POLICIES = {"always": "always", "unless": "unless-stopped", "failure": "on-failure"}


class Ledger:
    def __init__(self, text):
        lines = [line.split(" ", 1) for line in text.splitlines()]
        runs = [l[1].split() for l in lines if l[0] == "run"]
        self.runs = len(runs)
        self.begun = int(runs[-1][1]) if runs else 0       # the last of them, as /proc/PID/stat has it
        self.usr1 = sum(1 for l in lines if l[0] == "usr1")
        self.ends = {int(l[1]) for l in lines if l[0] == "end"}
        self.execs = {}
        for l in lines:
            if l[0] == "exec":
                self.execs[l[1]] = self.execs.get(l[1], 0) + 1


def begun_of(pid):
    fields = read(f"/proc/{pid}/stat").decode(errors="replace").rsplit(")", 1)
    return int(fields[1].split()[19]) if len(fields) == 2 else -1


class Box:
    """phase: none, created, running, exited, gone. The methods are the requests that a client makes."""

    def __init__(self, world, rng, name, kind):
        self.w, self.rng, self.name, self.kind = world, rng, name, kind
        self.phase, self.id = "none", None
        self.run = 0                    # runs that are known to have begun
        self.begun = {}                 # run -> it began after this time
        self.ended_at = 0.0
        self.finals = {}                # run -> lines that it wrote, when it was ended by SIGKILL
        self.seen = {}                  # run -> lines that a client has had
        self.usr1 = [0, 0]              # acknowledged, and those that may have come as well
        self.execs = {}                 # id -> (least, most) times that it ran
        self.n_crashes = 0
        self.is_up = False              # its program has told so, in this run
        self.history = []               # the last requests, for who must find out what went wrong

    # ---- small things
    @property
    def policy(self):
        return POLICIES.get(self.kind, "no")

    def fail(self, text):
        raise Failed(f"{self.name} ({self.phase}, run {self.run}, {(self.id or '')[:12]}): {text}\n      "
                     + "\n      ".join(self.history[-12:]) + f"\n      killed: {self.w.kills_of(self.id, self.since() - 5)}")

    def note(self, begun, text):
        self.history.append(f"{begun:.3f} to {time.monotonic():.3f} {text}")

    def ledger(self):
        return Ledger(self.w.upper(self.id, "ledger"))

    def counted(self):
        """(run, lines) that the program has counted."""
        fields = self.w.upper(self.id, "count").split()
        return (int(fields[0]), int(fields[1])) if len(fields) == 2 else (0, 0)

    def is_healthy(self):
        """What its check looks at."""
        return os.path.exists(f"{self.w.k.data_root}/containers/{self.id}/upper/healthy")

    def ask(self, method, path, body=None):
        """One request, which is noted. Lost, when it has no answer."""
        begun = time.monotonic()
        try:
            a = self.w.call(method, path, body)
            self.note(begun, f"{method} {path.replace(self.id or '-', 'ID')}: {a}")
            return a
        except Lost as e:
            self.note(begun, f"{method} {path.replace(self.id or '-', 'ID')}: lost, {e}")
            raise

    def post(self, what):
        return self.ask("POST", f"/containers/{self.id}/{what}")

    def inspect(self):
        """None when it is gone."""
        a = self.w.query(f"/containers/{self.id}/json")
        if a.status not in (200, 404):
            self.fail(f"inspect: {a}")
        return a.json() if a.status == 200 else None

    def until(self, what, fn):
        deadline = time.monotonic() + SETTLE_S
        while True:
            value = fn()
            if value:
                return value
            if time.monotonic() > deadline:
                self.fail(f"timed out: {what}; {(self.inspect() or {}).get('State')}; its ledger has {self.ledger().runs} runs")
            self.w.step_over()

    def since(self, run=None):
        """A time before which the run had not begun."""
        known = [t for r, t in self.begun.items() if r <= (self.run if run is None else run)]
        return max(known, default=0.0) - SLACK_S

    def lost_monitor(self, run=None):
        return self.w.was_hit("monitor", self.since(run), self.id)

    def lost_launcher(self, run=None):
        return self.w.was_hit("launcher", self.since(run))

    def is_doubtful(self):
        """Monitor and launcher are dead: nobody reads what it writes, and nobody is its parent."""
        return self.lost_monitor() and self.lost_launcher()

    def was_disturbed(self, since):
        return any(self.w.was_hit(what, since - SLACK_S) for what in ("monitor", "launcher"))

    def kilnd_died(self, since):
        return self.w.was_hit("kilnd", since - SLACK_S)

    # ---- create
    def body(self):
        host = {"NetworkMode": "none", "RestartPolicy": {"Name": self.policy}, "AutoRemove": self.kind == "auto"}
        if self.kind == "rotated":
            host["LogConfig"] = {"Type": "json-file", "Config": {"max-size": "8k", "max-file": "3"}}
        body = {"Image": "chaos:base", "Cmd": ["/payload", "main"], "HostConfig": host, "Labels": {"chaos": self.name},
                "OpenStdin": self.kind == "stdin"}
        if self.kind == "health":
            body["Healthcheck"] = {"Test": ["CMD", "/payload", "health"], "Interval": 400000000, "Retries": 1}
        return body

    def find(self):
        """Its ID, by its name, as the list has it."""
        for c in self.w.query("/containers/json?all=1").json():
            if "/" + self.name in c["Names"]:
                return c["Id"]
        return None

    def create(self):
        try:
            a = self.ask("POST", f"/containers/create?name={self.name}", self.body())
        except Lost:
            self.id = self.find()
            self.phase = "created" if self.id else "none"
            return
        if a.status != 201:
            self.fail(f"create: {a}")
        self.id, self.phase = a.json()["Id"], "created"

    # ---- start
    def begins(self, since):
        self.phase, self.is_up = "running", False
        self.begun[self.run + 1] = since

    def comes_up(self, most=1):
        """After an acknowledged start: one run more, and the program says so. Else it has ended, for which there must be a reason."""
        def is_there():
            state, l = self.state(), self.ledger()
            if l.runs > self.run + most and not self.is_doubtful():
                self.fail(f"{l.runs - self.run} runs for one start")
            if l.runs > self.run and l.begun == begun_of(state.get("Pid", 0)):
                return l.runs
            return self.is_doubtful() and not state["Running"] and -1
        n = self.until("its program runs", is_there)
        if n < 0:
            self.look()
            return
        for run in range(self.run + 1, n):
            self.begun.setdefault(run, self.begun[self.run + 1])
        self.begun.setdefault(n, self.begun[self.run + 1])
        self.run, self.is_up = n, True
        if self.policy != "no":   # its program may be faster than what kilnd is told
            self.until("it runs", lambda: self.state()["Status"] == "running" or self.is_doubtful())

    def state(self):
        seen = self.inspect()
        return seen["State"] if seen else {"Status": "gone", "Running": False}

    def start(self, waits=True):
        since = time.monotonic()
        self.begins(since)
        attempts = 0
        while True:
            attempts += 1
            try:
                a = self.post("start")
            except Lost:
                self.may_be("created", "exited", "running")
                continue
            if a.status == 304 and (attempts > 1 or self.policy != "no" and self.kilnd_died(self.ended_at)):
                break
            if a.status == 204:
                break
            if a.status >= 500 and self.was_disturbed(since):
                continue   # its monitor or the launcher died on the way: it says so, and can be tried again
            if a.status in (404, 409) and self.kind == "auto" and (attempts > 1 or self.is_doubtful()):
                self.is_removed()   # it could not be started, and goes as one that has ended
                return
            self.fail(f"start: {a}")
        if waits:
            self.comes_up(most=1 if attempts == 1 else attempts if self.was_disturbed(since) else 1)

    def may_be(self, *states):
        """After an unanswered request: one of these, and nothing else."""
        seen = self.inspect()
        status = seen["State"]["Status"] if seen else "gone"
        if status not in states and status not in ("restarting", "removing"):
            self.fail(f"it is {status}, of {states}")
        return status

    # ---- the end of a run
    def codes(self, *exact):
        return {*exact, 255, NOBODY_READS_CODE} if self.is_doubtful() else set(exact)

    def term_code(self):
        return 10 + self.run % 100

    def ends(self, codes, since):
        """It was told to have ended: state, code, and the whole log."""
        self.phase, self.ended_at = "exited", time.monotonic()
        if self.kind == "auto":
            self.is_removed()
            return
        n = self.ledger().runs
        if not self.run <= n <= self.run + (0 if self.is_up else 1) and not self.is_doubtful() and self.policy == "no":
            self.fail(f"it has run {n} times")
        self.run = max(n, self.run)
        run, lines = self.counted()
        self.finals[self.run] = lines if run == self.run else 0
        seen = self.inspect()
        if seen is None:
            self.fail("it is gone")
        if seen["State"]["Running"] and self.comes_back(since):
            return
        if seen["State"]["Status"] != "exited" or seen["State"]["ExitCode"] not in codes:
            self.fail(f"it ended as {seen['State']}, of codes {sorted(codes)}")
        self.check_log()

    def comes_back(self, since):
        """The policies' own: always means also those that were stopped by hand, once there is another kilnd."""
        if self.policy == "no" or not (self.policy == "always" and self.kilnd_died(since) or self.is_doubtful()):
            return False
        self.begins(since)
        self.comes_up(most=99)
        return True

    def refresh(self):
        """Whatever may have happened by itself since the last answer."""
        if self.policy == "always" and self.phase == "exited" and self.w.was_hit("kilnd", self.ended_at):
            self.begins(self.ended_at)
            self.comes_up(most=99)
        elif self.policy == "always" and self.phase == "exited" and self.kilnd_died(self.ended_at):
            self.look()    # killed just before or just after it was told
        elif self.phase == "running" and self.is_doubtful():
            self.look()

    def look(self):
        """Takes over what is, where nothing certain is known."""
        def stable():
            seen = self.inspect()
            if seen is None:
                return "gone"
            status = seen["State"]["Status"]
            if status == "running" and self.ledger().begun != begun_of(seen["State"]["Pid"]):
                return None
            return None if status in ("restarting", "removing") else status
        status = self.until("it has settled", stable)
        if status not in ("running", "exited", "created") and not (status == "gone" and self.kind == "auto"):
            self.fail(f"it is {status}")
        self.phase = "exited" if status == "created" else status
        if self.phase == "gone":
            return
        self.run = max(self.run, self.ledger().runs)
        self.begun.setdefault(self.run, self.since() + SLACK_S)
        self.ended_at, self.is_up = time.monotonic(), self.phase == "running"

    def stop(self):
        since = time.monotonic()
        codes = {self.term_code()} if self.is_up else {10 + r % 100 for r in (self.run, self.run + 1)} | {137}
        attempts = 0
        while True:
            attempts += 1
            try:
                a = self.post("stop?t=2" if not self.is_up else "stop?t=20")
            except Lost:
                self.may_be("running", "exited", *(["gone"] if self.kind == "auto" else []))
                continue
            if a.status == 204 or a.status == 304 and (attempts > 1 or self.is_doubtful()):
                break
            if a.status == 404 and self.kind == "auto" and (attempts > 1 or self.is_doubtful()):
                break
            self.fail(f"stop: {a}")
        if self.policy != "no":   # started by the next kilnd in between
            codes |= {10 + r % 100 for r in range(self.run, self.ledger().runs + 1)}
        self.ends(self.codes(*codes), since)

    def kill(self):
        since, attempts = time.monotonic(), 0
        while True:
            attempts += 1
            try:
                a = self.post("kill?signal=KILL")
            except Lost:
                status = self.may_be("running", "exited", *(["gone"] if self.kind == "auto" else []))
                if self.policy != "no" and status != "running":
                    # Killed, and the policy does not know by whom
                    self.look()
                    if self.phase != "running":
                        return
                continue
            if a.status == 204 or a.status == 409 and (attempts > 1 or self.is_doubtful()):
                break
            if a.status == 404 and self.kind == "auto" and (attempts > 1 or self.is_doubtful()):
                break
            self.fail(f"kill: {a}")
        if self.policy != "no" and attempts > 1 and a.status == 409:
            self.look()
            return
        self.ends(self.codes(137), since)

    def crash(self):
        """It ends by itself: without a policy it stays so, with one it comes back."""
        since = time.monotonic()
        try:
            a = self.post("kill?signal=USR2")
            if a.status != 204 and not (a.status == 409 and self.is_doubtful()):
                self.fail(f"kill -s USR2: {a}")
        except Lost:
            if not self.crashed_at_all():
                return
        self.n_crashes += 1
        if self.policy != "no":
            self.begins(since)
            self.comes_up(most=99 if self.was_disturbed(since) else 1)
            return
        if self.kind != "auto":
            self.until("it has ended", lambda: not self.inspect()["State"]["Running"])
        self.ends(self.codes(CRASH_CODE), since)

    def crashed_at_all(self):
        """The signal was not acknowledged: was it sent? The program tells, if it was."""
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            if self.run in self.ledger().ends:
                return True
            self.w.step_over()
        if self.is_doubtful():
            self.look()
        return False

    def restart(self):
        since, attempts = time.monotonic(), 0
        while True:
            attempts += 1
            try:
                # One that has only begun minds no signal yet
                a = self.post("restart?t=20" if self.is_up and attempts == 1 else "restart?t=2")
            except Lost:
                self.may_be("running", "exited", "created")
                continue
            if a.status == 204:
                break
            if a.status >= 500 and self.was_disturbed(since):
                continue
            self.fail(f"restart: {a}")
        was_up = self.is_up
        self.begins(since)
        self.comes_up(most=1 if attempts == 1 and was_up else 1 + attempts)

    # ---- remove
    def is_removed(self):
        self.until("it is removed", lambda: self.inspect() is None)
        self.phase = "gone"

    def remove(self):
        attempts = 0
        while True:
            attempts += 1
            try:
                a = self.ask("DELETE", f"/containers/{self.id}?force=1")
            except Lost:
                self.may_be("running", "exited", "created", "gone")
                continue
            if a.status == 204:
                break
            if a.status == 404 and (attempts > 1 or self.kind == "auto" and self.is_doubtful()):
                break
            if a.status == 409 and "already in progress" in a.message() and (attempts > 1 or self.kind == "auto"):
                self.w.step_over()
                continue
            self.fail(f"rm -f: {a}")
        if self.inspect() is not None:
            self.fail("removed, and still there")
        if harness.os.path.exists(f"{self.w.k.data_root}/containers/{self.id}"):
            self.fail("removed, and its directory is still there")
        self.phase = "gone"

    # ---- what it says
    def entries(self):
        """[(run, number, word)] of its log."""
        while True:
            a = self.w.query(f"/containers/{self.id}/logs?stdout=1&stderr=1")
            if a.status != 200:
                self.fail(f"logs: {a}")
            try:
                text = b"".join(data for _, data in harness.frames(a.body))
            except Failed:
                continue   # cut off by the end of kilnd
            break
        found = []
        for line in text.decode(errors="replace").splitlines():
            fields = line.split(" ", 2)
            if len(fields) != 3 or fields[0][:1] != "R" or not fields[0][1:].isdigit() or not fields[1].isdigit():
                self.fail(f"a line of its log is {line!r}")
            found.append((int(fields[0][1:]), int(fields[1]), fields[2]))
        return found

    def check_log(self):
        """Each line once and in order; to the last one, where nobody who keeps the log was killed."""
        got, last, previous = {}, {}, 0
        for run, number, word in self.entries():
            first = self.kind == "rotated" and not got
            if run < previous or not first and number != got.get(run, 0):
                self.fail(f"its log goes from run {previous} line {got.get(previous, 0) - 1} to run {run} line {number}")
            previous, got[run], last[run] = run, number + 1, word
        ends = self.ledger().ends
        for run in range(1, self.run + (self.phase != "running")):
            is_hit = self.lost_monitor(run)
            if self.kind == "rotated" and run < min(got, default=self.run + 1):
                continue
            if got.get(run, 0) < self.seen.get(run, 0) and self.kind != "rotated":
                self.fail(f"run {run}: {self.seen[run]} lines were read before, now {got.get(run, 0)}")
            if is_hit:
                continue
            if run in ends and last.get(run) not in ("bye", "crash"):
                self.fail(f"run {run}: its log ends with {last.get(run)!r} after {got.get(run, 0)} lines; it said good-bye")
            if run in self.finals and run not in ends and not 0 <= got.get(run, 0) - self.finals[run] <= 1:
                self.fail(f"run {run}: {got.get(run, 0)} lines in its log, of {self.finals[run]}")
        self.seen = got

    # ---- signals and execs
    def usr1_sent(self):
        self.usr1[1] += 1
        try:
            a = self.post("kill?signal=USR1")
        except Lost:
            return
        if a.status == 409 and self.is_doubtful():
            return
        if a.status != 204:
            self.fail(f"kill -s USR1: {a}")
        if self.is_doubtful():
            return   # it may be ending by itself
        self.usr1[0] += 1
        try:
            self.until("the signal has come", lambda: self.ledger().usr1 >= self.usr1[0] or self.is_doubtful())
        except Failed as e:
            self.fail(f"{e}: {self.ledger().usr1} of {self.usr1}")

    def check_ledger(self):
        l = self.ledger()
        doubt = self.is_doubtful()
        if not self.usr1[0] - (1 if doubt else 0) <= l.usr1 <= self.usr1[1]:
            self.fail(f"{l.usr1} signals came, of {self.usr1}")
        for x, n in l.execs.items():
            if x not in self.execs:
                self.fail(f"exec {x} ran, which nobody has asked for")
            if n > 1:
                self.fail(f"exec {x} ran {n} times")
        for x, least in self.execs.items():
            if l.execs.get(x, 0) < least:
                self.fail(f"exec {x} was acknowledged, and has not run")
