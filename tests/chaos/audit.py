# SPDX-License-Identifier: Apache-2.0
"""While nobody asks for anything: what the API tells, the processes, control groups, files, sockets, rows and layers, beside the
model of what was acknowledged."""
import contextlib
import json
import os
import sqlite3
import time

import harness
from world import Failed, read

QUIET_S = 15 * (3 if harness.IS_SANITIZED else 1)


def names_in(path):
    try:
        return sorted(os.listdir(path))
    except FileNotFoundError:
        return []


def in_groups_of(parent):
    """pid -> its container's ID, "" for what is elsewhere below our parent."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for line in read(f"/proc/{pid}/cgroup").decode(errors="replace").splitlines():
            path = line.split(":", 2)[2]
            if path.startswith(parent + "/"):
                found[int(pid)] = path[len(parent) + 1:].split("/")[0]
    return found


def groups(parent):
    return sorted({name for d in harness.cgroup_dirs(parent) for name in os.listdir(d) if len(name) == 64})


def difference(is_there, want):
    """Only what differs."""
    if isinstance(want, dict):
        return "; ".join(f"{i[:12]} is {is_there.get(i)}, want {want.get(i)}" for i in sorted({*is_there, *want}) if is_there.get(i) != want.get(i))
    if isinstance(want, list):
        return f"too many {sorted(set(is_there) - set(want))}, missing {sorted(set(want) - set(is_there))}"
    return f"{is_there}, want {want}"


class Audit:
    def __init__(self, world, boxes, pictures):
        self.w, self.k, self.boxes, self.pictures = world, world.k, boxes, pictures

    def facts(self):
        """What there is, and what there must be: equal when all is well."""
        k = self.k
        for b in self.boxes:
            b.refresh()
        live = {b.id: b for b in self.boxes if b.phase in ("created", "running", "exited")}
        running = sorted(i for i, b in live.items() if b.phase == "running")
        kinds = [kind for _, kind in self.w.processes()]
        procs = in_groups_of(k.cgroup_parent)
        degraded = {c["id"] for c in self.w.query("/kiln/v1/health").json()["containers"] if c["degraded"]}
        lost = {i for i in running if live[i].lost_monitor()}
        listed = {c["Id"]: c["State"] for c in self.w.query("/containers/json?all=1").json()}
        with contextlib.closing(sqlite3.connect(f"file:{k.data_root}/kiln.db?mode=ro", uri=True, timeout=5)) as db:
            rows = sorted(r[0] for r in db.execute("SELECT id FROM containers"))
            images = [json.loads(r[0]) for r in db.execute("SELECT record FROM images")]
            image_ids = sorted(r[0] for r in db.execute("SELECT id FROM images"))
        blobs, layers = self.of_images(images, image_ids)
        return {
            "containers and states": (listed, {i: b.phase for i, b in live.items()}),
            "rows": (rows, sorted(live)),
            "directories": (names_in(k.data_root + "/containers"), sorted(live)),
            "tmp": (names_in(k.data_root + "/tmp"), []),
            "degraded without a killed monitor": (sorted(degraded - lost), []),
            "monitors' sockets": (names_in(k.exec_root + "/c"), [i + ".sock" for i in running if i not in degraded]),
            "execs' files": (names_in(k.exec_root + "/x"), []),
            "filters half written": ([n for n in names_in(k.data_root + "/seccomp") if n.endswith(".tmp")], []),
            "network namespaces": (names_in(k.exec_root + "/netns"), running if os.path.isdir(k.exec_root + "/netns") else []),
            "control groups": (groups(k.cgroup_parent), running),
            "processes in groups": (sorted(set(procs.values())), running),
            "programs": ({i: self.runs(i) for i in running}, dict.fromkeys(running, True)),
            "launchers": (kinds.count("launcher"), 1),
            "monitors": (kinds.count("monitor"), len([i for i in running if i not in degraded])),
            "unpack processes": (kinds.count("unpack"), 0),
            "mounts on the host": ([m for m in harness.mounts() if m.startswith(k.dir)], []),
            "blobs": (names_in(k.data_root + "/blobs/sha256"), blobs),
            "layers": (k.stored("layers"), layers),
        }

    def runs(self, ident):
        """Is the process that the API names there, and in the container's control group?"""
        pid = self.w.query(f"/containers/{ident}/json").json()["State"]["Pid"]
        return pid != 0 and harness.is_alive(pid) and ident.encode() in read(f"/proc/{pid}/cgroup")

    def of_images(self, images, ids):
        blobs, layers = {i[7:] for i in ids}, set()
        for record in images:
            if record.get("manifest_digest"):
                blobs.add(record["manifest_digest"][7:])
            for y in record["layers"]:
                blobs.add(y["blob_digest"][7:])
                layers.add(y["dir"])
        return sorted(blobs), sorted(layers)

    def differences(self):
        return [f"{what}: {difference(*pair)}" for what, pair in self.facts().items() if pair[0] != pair[1]]

    def stories(self, found):
        """Of the containers that are in question."""
        return [line for b in self.boxes if b.id and any(b.id[:12] in f for f in found)
                for line in (f"{b.name} {b.id[:12]} is {b.phase}:", *("  " + h for h in b.history[-12:]))]

    def run(self):
        self.until_serving()
        deadline = time.monotonic() + QUIET_S
        while found := self.differences():
            if time.monotonic() > deadline:
                raise Failed("after all have come to rest:\n    " + "\n    ".join(found + self.stories(found)))
            time.sleep(0.05)
        for b in self.boxes:
            if b.phase in ("created", "running", "exited"):
                self.check_box(b)
        self.pictures.check()
        self.check_database()

    def until_serving(self):
        def is_up():
            return self.w.query("/kiln/v1/health").json()["launcher"]["ok"]
        harness.eventually("kilnd has a launcher", is_up, timeout=QUIET_S)

    def check_box(self, b):
        seen = b.inspect()
        if seen["Name"] != "/" + b.name or seen["Config"]["Labels"].get("chaos") != b.name or seen["Config"]["Image"] != "chaos:base":
            b.fail(f"inspect tells {seen['Name']}, {seen['Config']}")
        if b.policy == "no" and seen["RestartCount"] != 0:
            b.fail(f"restarted {seen['RestartCount']} times without a policy")
        if b.phase == "running":
            n = sum(1 for i in in_groups_of(self.k.cgroup_parent).values() if i == b.id)
            if n != 1 and (b.kind != "health" or n == 0):   # a check may be running
                b.fail(f"{n} processes are in its group")
        if b.phase != "created":
            b.check_log()
            b.check_ledger()
        if b.kind == "health" and b.phase == "running":
            self.check_health(b)

    @staticmethod
    def check_health(b):
        def is_told():
            want = "healthy" if b.is_healthy() else "unhealthy"
            return b.is_doubtful() or b.inspect()["State"]["Health"]["Status"] == want
        b.until("its health is told as it is", is_told)

    def check_database(self):
        with contextlib.closing(sqlite3.connect(f"file:{self.k.data_root}/kiln.db?mode=ro", uri=True, timeout=5)) as db:
            said = db.execute("PRAGMA integrity_check").fetchone()[0]
        if said != "ok":
            raise Failed(f"kiln.db: {said}")
