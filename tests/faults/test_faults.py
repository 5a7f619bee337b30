# SPDX-License-Identifier: Apache-2.0
"""Every step of create, start, exec, rm and load fails once with each error that it can see: the answer says what failed, nothing
is left behind, and the same operation works afterwards. KILN_LONG=1 tries all steps at each of their calls; KILN_SEED repeats a choice;
KILN_ONLY=text tries the steps that have it in their names.
"""
import os
import re

import faults
import harness
from harness import Failed, eq
from trial import LONG, Bench, Lost, Operation, Refused, call

ONLY = os.environ.get("KILN_ONLY", "")
with open(harness.ROOT + "/runtime/launch.c", encoding="utf-8") as source:
    STAGES = re.findall(r'\[STAGE_\w+\] = "([a-z ]+)",', source.read())


class Container(Operation):
    def make(self, cmd=("sleep", "1000"), **more):
        body = {"Image": "busybox", "Cmd": list(cmd), "HostConfig": {"NetworkMode": "none"}, **more}
        return call(self.k, "POST", "/containers/create", body)["Id"]

    def ids(self):
        return {c["Id"] for c in self.k.containers()}

    def remove(self, cid):
        try:
            call(self.k, "DELETE", f"/containers/{cid}?force=1")
        except Refused as e:
            # A kilnd that was begun anew goes on with a removal by itself.
            if self.site.call not in faults.ABORTS or not ("already in progress" in str(e) or "No such container" in str(e)):
                raise Failed(f"rm -f afterwards: {e}") from e
            harness.eventually("it is removed", lambda: cid not in self.ids())
        if cid in self.ids():
            raise Failed("rm -f was acknowledged, and it is still there")

    def check_stage(self, message, error):
        if not any(stage in message for stage in STAGES):
            raise Failed(f"no stage is named in {message!r}")
        if os.strerror(error).lower() not in message.lower():
            raise Failed(f"{os.strerror(error)!r} is not in {message!r}")


class Create(Container):
    def before(self):
        self.known, self.made = self.ids(), None

    def act(self):
        self.made = self.make()

    def check(self, end, message):
        new = self.ids() - self.known
        if end == "done":
            eq(new, {self.made}, "what exists")
        elif end == "refused":
            eq(new, set(), "what exists after it was refused")
        for cid in new:
            self.remove(cid)
        if end != "done":
            self.before()
            self.act()
            self.remove(self.made)


class Start(Container):
    seconds = 30

    def before(self):
        self.cid = self.make()

    def act(self):
        call(self.k, "POST", f"/containers/{self.cid}/start")

    def check(self, end, message):
        state = self.k.state(self.cid)
        if end == "done" and not (state["Running"] and harness.is_alive(state["Pid"])):
            raise Failed(f"the start was acknowledged, and it does not run: {state}")
        if end == "refused" and state["Running"]:
            raise Failed(f"refused ({message}), and it runs")
        if end == "refused":
            try:
                self.act()
            except Refused as e:
                raise Failed(f"refused ({message}); once more without a fault: {e}") from e
            eq(self.k.state(self.cid)["Running"], True, "running at last")
        self.remove(self.cid)


EXEC_OUTPUT = (b"\1\0\0\0\0\0\0\6ok-ok\n", 3)


class Exec(Container):
    seconds = 35

    def before(self):
        if not getattr(self, "cid", None) or self.cid not in self.ids():
            self.cid = self.make()
            call(self.k, "POST", f"/containers/{self.cid}/start")
        self.output = None

    def act(self):
        xid = call(self.k, "POST", f"/containers/{self.cid}/exec", {"Cmd": ["sh", "-c", "echo ok-ok; exit 3"], "AttachStdout": True})["Id"]
        try:
            s, head, rest = self.k.hijack(f"/exec/{xid}/start", b"{}")
            s.settimeout(20)
            data = harness.read_all(s, rest, 20)
            s.close()
        except OSError as e:
            raise Lost(repr(e)) from e
        if not head:
            raise Lost("no answer")
        if " 101 " not in head.split("\r\n", maxsplit=1)[0] and " 200 " not in head.split("\r\n", maxsplit=1)[0]:
            raise Refused(data.decode(errors="replace"))
        code = harness.eventually("the exec ended", lambda: self.ended(xid))["ExitCode"]
        if code in (125, 126, 127) and b"ok-ok" not in data:
            raise Refused(data.decode(errors="replace"))
        self.output = (data, code)

    def ended(self, xid):
        seen = call(self.k, "GET", f"/exec/{xid}/json")
        return seen if not seen["Running"] and seen["ExitCode"] is not None else None

    def check(self, end, message):
        eq(self.k.state(self.cid)["Running"], True, "the container runs on")
        # A monitor that cannot go on leaves the program to the launcher: the code is exact, the output is lost.
        is_lossy = self.site and self.site.role == "monitor"
        if end == "done" and not (is_lossy and self.output == (b"", 3)):
            eq(self.output, EXEC_OUTPUT)
        if end == "done":
            self.sweep()
            return
        self.act()
        eq(self.output, EXEC_OUTPUT, "once more, without a fault")
        self.sweep()

    def sweep(self):
        """The files of an exec that could not be unlinked go with their container."""
        if os.listdir(self.k.exec_root + "/x") and self.site and self.site.call == "unlinkat":
            self.remove(self.cid)
            self.before()
            self.is_renewed = True


class Remove(Container):
    """Of a container that runs."""

    def before(self):
        self.cid = self.make()
        call(self.k, "POST", f"/containers/{self.cid}/start")

    def act(self):
        call(self.k, "DELETE", f"/containers/{self.cid}?force=1")

    def check(self, end, message):
        if end == "done":
            eq(self.cid in self.ids(), False, "it is still there")
        elif end == "refused" and self.cid not in self.ids():
            raise Failed(f"refused ({message}), and it is gone")
        elif self.cid in self.ids():
            self.remove(self.cid)


class Load(Operation):
    seconds = 25
    archive = None

    def before(self):
        if Load.archive is None:
            layer = harness.tar_bytes([("bin", None), ("bin/a", b"#!/bin/sh\n"), ("etc", None), ("etc/b", os.urandom(100000))])
            Load.archive = harness.docker_archive([(["faults:1"], harness.image_config([layer]), [layer])])

    def tags(self):
        return {t for i in call(self.k, "GET", "/images/json") for t in i["RepoTags"] or []}

    def act(self):
        answer = call(self.k, "POST", "/images/load", Load.archive)
        if b"errorDetail" in answer:
            raise Refused(answer.decode())
        if b"Loaded image" not in answer:
            raise Lost(answer.decode())

    def check(self, end, message):
        is_there = "faults:1" in self.tags()
        if end == "done" and not is_there:
            raise Failed("the load was acknowledged, and no image is there")
        if end == "refused" and is_there:
            raise Failed(f"refused ({message}), and the image is there")
        if not is_there:
            self.act()
        call(self.k, "DELETE", "/images/faults:1")
        eq("faults:1" in self.tags(), False, "removed")

    def check_stage(self, message, error):
        pass


def test_create(own):
    Bench(own, Create).run(ONLY)


def test_start(own):
    Bench(own, Start).run(ONLY)


def test_exec(own):
    Bench(own, Exec).run(ONLY)


def test_rm(own):
    Bench(own, Remove).run(ONLY)


def test_load(own):
    Bench(own, Load).run(ONLY)


for test in (test_create, test_start, test_exec, test_rm, test_load):
    test.timeout_s = 3600 if LONG else 150
