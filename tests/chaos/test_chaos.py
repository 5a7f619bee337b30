# SPDX-License-Identifier: Apache-2.0
"""kill -9 of kilnd, launcher, monitors and unpack processes at random instants, under load, with an exact model of what was
acknowledged. KILN_SEED repeats the choices (not the machine's timing), KILN_KILLS says how many; KILN_LONG=1 has more.
"""
import contextlib
import os
import random
import shutil
import sys
import threading
import time
import traceback

import harness
from audit import Audit, groups, names_in
from box import Box
from killer import Killer
from pictures import Pictures, base_archive
from streams import Waiter, follow, run_exec, talk
from world import Failed, Lost, Stopped, World

LONG = bool(os.environ.get("KILN_LONG"))
SEED = int(os.environ.get("KILN_SEED", str(int(time.time() * 1000) % 1000000)))
KILLS = int(os.environ.get("KILN_KILLS", "1000" if LONG else "100"))
PER_ROUND = 25
KINDS = (("plain", "rotated"), ("stdin", "plain"), ("always", "health"), ("unless", "auto"), ("failure", "plain"))


class Client:
    """Works on containers that nobody else touches."""

    def __init__(self, world, n, kinds):
        self.w, self.rng, self.n = world, random.Random(f"{SEED}/{n}"), n
        self.kinds, self.n_made, self.n_execs = kinds, 0, 0
        self.boxes = [self.new(kind) for kind in kinds]
        self.old = []

    def new(self, kind):
        self.n_made += 1
        return Box(self.w, self.rng, f"c{self.n}-{self.n_made}-{kind}", kind)

    def word(self):
        self.n_execs += 1
        return f"x{self.n}-{self.n_execs}"

    def flip_health(self, box):
        """An exec that changes what the health check sees. Nobody waits for its end: the audit looks at what it has done."""
        what = "unlink" if box.is_healthy() else "touch"
        with contextlib.suppress(Lost):
            a = self.w.call("POST", f"/containers/{box.id}/exec", {"Cmd": ["/payload", what, "/healthy"]})
            if a.status == 201:
                self.w.call("POST", f"/exec/{a.json()['Id']}/start", {"Detach": True})

    def waited(self, box):
        """A wait that began before the end gets the code, or goes with kilnd."""
        since, code = time.monotonic(), box.term_code()
        w = Waiter(box, "not-running" if box.kind != "auto" else "removed")
        time.sleep(0.02)
        is_certain = box.is_up and not box.is_doubtful()
        box.stop()
        got = w.result()
        if got is not None and is_certain and got not in box.codes(code) and not (box.policy != "no" and box.kilnd_died(since)):
            box.fail(f"wait told {got}, want {code}")

    def running(self, box):
        # (weight, what)
        choices = [(4, lambda: run_exec(box, self.word(), False)), (2, lambda: run_exec(box, self.word(), True)),
                   (3, box.usr1_sent), (4, box.stop), (2, box.kill), (2, box.restart), (1, box.remove), (2, box.check_log),
                   (2, lambda: follow(box)), (1, lambda: self.waited(box)), (1, box.check_ledger)]
        if box.kind == "stdin":
            choices.append((6, lambda: talk(box, self.word())))
        if box.kind == "health":
            choices.append((4, lambda: self.flip_health(box)))
        if box.n_crashes < 4 or box.policy == "no":
            choices.append((2, box.crash))
        if box.kind == "auto":
            choices = [c for c in choices if c[1] != box.restart]
        return choices

    def act(self, box):
        if box.phase in ("none", "gone"):
            if box.phase == "gone":
                self.boxes[self.boxes.index(box)] = self.new(box.kind)
                return
            box.create()
            return
        box.refresh()
        if box.phase == "created" or box.phase == "exited":
            if box.phase == "exited" and self.rng.random() < 0.25:
                box.remove()
                return
            box.start(waits=self.rng.random() < 0.8)
            if not box.is_up and box.phase == "running":
                self.rng.choice((box.stop, box.kill, box.remove) + (() if box.kind == "auto" else (box.restart,)))()
            return
        if box.phase == "running":
            choices = self.running(box)
            self.rng.choices([c for _, c in choices], [n for n, _ in choices])[0]()

    def work(self):
        self.guard(lambda: self.act(self.rng.choice(self.boxes)))

    def guard(self, act):
        try:
            while True:
                self.w.step()
                act()
        except Stopped:
            pass
        except Exception as e:   # whatever it is, it is what this test is for
            self.w.problem(str(e) if isinstance(e, Failed) else traceback.format_exc())


class ImageClient(Client):
    def __init__(self, world):
        self.w, self.boxes = world, []
        self.pictures = Pictures(world, random.Random(f"{SEED}/images"))

    def work(self):
        self.guard(self.pictures.act)


def story(world, killer):
    by_kind = ", ".join(f"{n} {what}" for what, n in sorted(killer.counts.items()))
    return f"KILN_SEED={SEED}: {killer.n} kills ({by_kind}), {world.n_calls} requests, {world.n_lost} lost"


def finish(world, clients, k):
    """All is removed, and nothing is left."""
    for b in [b for c in clients for b in c.boxes]:
        if b.phase in ("created", "running", "exited"):
            b.remove()
    for i in world.query("/images/json?all=1").json():
        a = world.call("DELETE", f"/images/{i['Id']}?force=1")
        if a.status != 200:
            raise Failed(f"rmi: {a}")

    def left():
        return [*names_in(k.data_root + "/containers"), *names_in(k.data_root + "/tmp"), *k.stored("layers"),
                *names_in(k.data_root + "/blobs/sha256"), *names_in(k.exec_root + "/c"), *names_in(k.exec_root + "/x"),
                *groups(k.cgroup_parent), *[kind for _, kind in world.processes() if kind not in ("launcher", "stem")]]
    harness.eventually("nothing is left", lambda: not left(), timeout=15)


def test_chaos(own):
    k = own.start()
    k.load(base_archive())
    world = World(k, SEED)
    images = ImageClient(world)
    clients = [Client(world, n, kinds) for n, kinds in enumerate(KINDS)] + [images]
    threads = [threading.Thread(target=c.work, daemon=True) for c in clients]
    killer = Killer(world, random.Random(f"{SEED}/killer"))
    for t in threads:
        t.start()
    try:
        while killer.n < KILLS and not world.is_over.is_set():
            world.gate.set()
            killer.spree(min(PER_ROUND, KILLS - killer.n))
            world.pause(len(threads))
            if not world.is_over.is_set():
                Audit(world, [b for c in clients for b in c.boxes], images.pictures).run()
        if not world.is_over.is_set():
            finish(world, clients, k)
    finally:
        world.is_over.set()
        world.gate.set()
        for t in threads:
            t.join(90)
        print(f"    {story(world, killer)}", file=sys.stderr, flush=True)
        if os.environ.get("KILN_KEEP"):
            shutil.copy(k.log_path, os.environ["KILN_KEEP"])
    check_story(world, killer, k)


def check_story(world, killer, k):
    if world.problems:
        raise Failed(f"{story(world, killer)}\n    " + "\n    ".join(world.problems))
    for what in ("kilnd", "launcher", "monitor"):
        if killer.counts.get(what, 0) < KILLS // 20:
            raise Failed(f"too few of one kind: {story(world, killer)}")
    with open(k.log_path, errors="replace") as f:
        for line in f:
            if "BUG" in line or "killed by signal" in line and "killed by signal 9" not in line:
                raise Failed(f"kilnd's log: {line}")


test_chaos.timeout_s = 24 * 3600 if LONG or "KILN_KILLS" in os.environ else 240
