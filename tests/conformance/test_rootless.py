# SPDX-License-Identifier: Apache-2.0
"""kiln-runtime for one who is not root. The user is made for the test, in files that only its processes see as /etc/passwd and the like."""
import json
import os
import shutil
import subprocess

import harness
from harness import Skip, eq, eventually, has
from ociruntime import Runtime

UID, SUB = 4321, 300000
WITH_NAME = """
for f in passwd group subuid subgid; do [ ! -e /etc/$f ] || mount --bind "$DIR/$f" /etc/$f; done
"""
AS_USER = """
[ -z "$JOIN" ] || echo 0 > "$JOIN/cgroup.procs"
exec env -i PATH="$PATH" USER=kilntest HOME="$DIR" XDG_RUNTIME_DIR="$DIR/xdg" setpriv --reuid 4321 --regid 4321 --clear-groups "$@"
"""


class User(Runtime):
    """kiln-runtime as a user, who has a name and 65536 more IDs from SUB on when that is wanted."""

    def __init__(self, join="", has_name=False):
        super().__init__("kiln")
        for name, line in (("passwd", f"kilntest:x:{UID}:{UID}::{self.dir}:/bin/sh\n"), ("group", f"kilntest:x:{UID}:\n"),
                           ("subuid", f"kilntest:{SUB}:65536\n"), ("subgid", f"kilntest:{SUB}:65536\n")):
            with open(f"{self.dir}/{name}", "w") as f:
                f.write("root:x:0:0::/root:/bin/sh\n" * name.endswith("d") + line)
        os.mkdir(self.dir + "/xdg", 0o700)
        shutil.copy(self.program[-1], self.dir + "/kiln-runtime")
        self.root = self.dir + "/xdg/kiln-runtime"
        script = f"DIR='{self.dir}' JOIN='{join}'" + (WITH_NAME if has_name else "") + AS_USER
        self.program = ["unshare", "-m", "--propagation", "private"] * has_name + ["sh", "-euc", script, "sh", self.dir + "/kiln-runtime"]
        self.give(self.dir)

    def give(self, top):
        for at, dirs, files in os.walk(top):
            for name in [".", *dirs, *files]:
                os.chown(os.path.join(at, name), UID, UID, follow_symlinks=False)
        os.chmod(self.dir, 0o711)

    def users_bundle(self, *args, ids=None):
        b = self.bundle()
        os.unlink(b.dir + "/config.json") if os.path.exists(b.dir + "/config.json") else None
        self.give(b.dir)
        os.chmod(b.dir, 0o711)
        self.call("spec", "--rootless", "--bundle", b.dir)
        with open(b.dir + "/config.json") as f:
            b.config = json.load(f)
        b.config["process"].update(terminal=False, env=["PATH=/bin"])
        b.config["root"]["readonly"] = False
        if ids:
            b.config["linux"].update(uidMappings=ids, gidMappings=ids)
        return b.write(*args)


def as_user(fn, join="", has_name=False):
    rt = User(join, has_name)
    try:
        fn(rt)
    finally:
        rt.close()


LOOK = r"""
id -u; id -g; cat /proc/self/uid_map
busybox hostname
echo x > /dev/null && echo null
touch /tmp/made && stat -c %u /tmp/made
busybox chown 1 /tmp/made 2>/dev/null || echo kept
echo x 2>/dev/null > /sys/kernel/profiling || echo sysfs is closed
grep -c . /proc/self/setgroups; ls /dev/pts >/dev/null && echo pts
"""


def test_without_privileges_one_id_is_the_callers():
    def check(rt):
        b = rt.users_bundle("sh", "-c", LOOK)
        eq(rt.call("run", "--bundle", b.dir, b.id).out.split(),
           ["0", "0", "0", str(UID), "1", "kiln", "null", "0", "kept", "sysfs", "is", "closed", "1", "pts"])
        eq((os.stat(b.rootfs + "/tmp/made").st_uid, rt.ids()), (UID, []))
        b.write("sleep", "1000")
        pid = rt.create(b)
        # before its program, too, it belongs to who has made it
        eq(rt.call("exec", b.id, "id", "-u").out, "0\n")
        rt.call("start", b.id)
        eq((os.stat(f"/proc/{pid}").st_uid, rt.status(b.id)), (UID, "running"))
        eq(rt.call("exec", b.id, "sh", "-c", "grep CapEff /proc/self/status; echo $0; exit 7", "x", code=7).out, "CapEff:\t0000000020000420\nx\n")
        eq(json.loads(rt.call("ps", "--format", "json", b.id).out), [pid])
        has(rt.call("list").out, b.id)
        if not os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
            for line in (("pause", b.id), ("events", "--stats", b.id), ("update", "--memory", "64m", b.id), ("exec", "--cgroup", "x", b.id, "true")):
                has(rt.fails(*line), "no control group")
        rt.call("kill", "--all", b.id, "KILL")
        rt.wait_stopped(b)
        rt.call("delete", b.id)
        eq(rt.ids(), [])
    as_user(check)


def test_what_takes_privileges_is_refused_in_clear_words():
    def check(rt):
        def refused(words, *more, **linux):
            b = rt.users_bundle("true")
            b.config["linux"].update(linux)
            b.config.update(*more)
            b.write()
            has(rt.fails("create", "--bundle", b.dir, b.id), words)
            eq(rt.ids(), [])
        namespaces = [{"type": t} for t in ("mount", "pid", "uts")]
        refused("linux.namespaces: without root's powers a container needs a user namespace", namespaces=namespaces, uidMappings=[], gidMappings=[])
        refused("process.user.additionalGids: ", {"process": {"args": ["true"], "cwd": "/", "user": {"uid": 0, "gid": 0, "additionalGids": [1]}}})
        refused("bind /sys instead", {"mounts": [{"destination": "/sys", "type": "sysfs", "source": "sysfs"}]})
        refused("option 'gid=5'", {"mounts": [{"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["gid=5"]}]})
        # the runtime waits in the same user namespace, and is the user outside to who traces it
        trace = {"process": {"args": ["true"], "cwd": "/", "user": {"uid": 0, "gid": 0}, "capabilities": {"bounding": ["CAP_SYS_PTRACE"]}}}
        refused("process.capabilities: without root's powers CAP_SYS_PTRACE takes a pid namespace", trace, namespaces=[{"type": t} for t in ("mount", "user", "uts")])
        refused("and no bind of the host's procfs", {**trace, "mounts": [{"destination": "/tmp", "type": "bind", "source": "/proc", "options": ["rbind"]}]})
        refused("and no bind of the host's procfs", {**trace, "mounts": [{"destination": "/tmp", "type": "bind", "source": "/", "options": ["rbind"]}]})
        # nothing is delegated where the test runs: root's group, or one of the first version
        refused("linux.resources: memory.", resources={"memory": {"limit": 64 << 20}})
        b = rt.users_bundle("sleep", "1000")
        b.config["linux"]["namespaces"] = [{"type": t} for t in ("mount", "user", "uts")]
        b.config["mounts"] = []
        rt.create(b.write())
        has(rt.fails("exec", "--cap", "CAP_SYS_PTRACE", b.id, "true"), "process.capabilities: without root's powers CAP_SYS_PTRACE")
        # with neither a group nor a pid namespace there is still the first process
        has(rt.fails("kill", "--all", b.id, "KILL"), "no control group")
        rt.call("kill", b.id, "KILL")
        rt.wait_stopped(b)
        rt.call("delete", b.id)
        b = rt.users_bundle("true", ids=[{"containerID": 0, "hostID": 0, "size": 1}])
        has(rt.fails("create", "--bundle", b.dir, b.id), "uidMappings")
        b = rt.users_bundle("true")
        has(rt.fails("create", "--bundle", b.dir, b.id, globals=("--rootless", "maybe")), "--rootless: 'maybe' is none of")
        rt.program[-1:] = ["env", "-u", "XDG_RUNTIME_DIR", rt.dir + "/kiln-runtime"]
        lines = subprocess.run([*rt.program, "list"], capture_output=True, text=True, check=False)
        has(lines.stderr, "neither --root nor $XDG_RUNTIME_DIR")
        rt.program[-4:] = [rt.dir + "/kiln-runtime"]
        eq(subprocess.run([*rt.program, "list", "--quiet"], capture_output=True, text=True, check=True).stdout, "")
    as_user(check)


def test_more_ids_by_newuidmap():
    if not shutil.which("newuidmap"):
        raise Skip("not installed: newuidmap")

    def one(inside, outside, size):
        return {"containerID": inside, "hostID": outside, "size": size}

    def check(rt):
        b = rt.users_bundle("sh", "-c", "id; cat /proc/self/gid_map; touch /tmp/x; busybox chown 5:6 /tmp/x; exec sleep 1000", ids=[one(0, UID, 1), one(1, SUB, 100)])
        b.config["process"]["capabilities"]["effective"].append("CAP_CHOWN")
        for kind in ("bounding", "permitted"):
            b.config["process"]["capabilities"][kind].append("CAP_CHOWN")
        b.config["process"]["user"]["additionalGids"] = [9]
        b.write()
        with open(b.dir + "/out", "w+") as f:
            rt.create(b, stdout=f)
            rt.call("start", b.id)
            eventually("it has given a file away", lambda: os.path.exists(b.rootfs + "/tmp/x") and os.stat(b.rootfs + "/tmp/x").st_uid == SUB + 4)
            f.seek(0)
            eq(f.read().split(), ["uid=0(root)", "gid=0", "groups=0,9", "0", str(UID), "1", "1", str(SUB), "100"])
        eq(rt.call("exec", "--user", "7:8", "--additional-gids", "10", b.id, "id").out.split(), ["uid=7", "gid=8", "groups=8,9,10"])
        rt.call("delete", "--force", b.id)
        # its root may be one of the others: the caller's own files are not its
        b = rt.users_bundle("sh", "-c", "id -u; stat -c %u /tmp; touch /tmp/y 2>/dev/null || echo closed", ids=[one(0, SUB, 10), one(1000, UID, 1)])
        b.config["process"]["capabilities"] = {}
        b.write()
        eq(rt.call("run", "--bundle", b.dir, b.id).out.split(), ["0", "1000", "closed"])
        for ids, words in (([one(0, 0, 10)], "newuidmap has refused them (exit status 1: "), ([one(0, SUB, 65537)], "/etc/subuid says which"),
                           ([one(0, UID, 1), one(1, UID + 1, 1)], "newuidmap has refused")):
            b = rt.users_bundle("true", ids=ids)
            has(rt.fails("create", "--bundle", b.dir, b.id), words)
        rt.program[-1:] = ["env", "PATH=/nowhere:bin", rt.dir + "/kiln-runtime"]
        has(rt.fails("create", "--bundle", b.dir, b.id), "newuidmap, which is not in $PATH (package uidmap)")
        rt.program[-3:] = [rt.dir + "/kiln-runtime"]
        eq(rt.ids(), [])
    as_user(check, has_name=True)


def test_groups_that_are_delegated():
    top = f"/sys/fs/cgroup/kiln-delegated-{os.getpid()}"
    if not os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        raise Skip("nothing is delegated on cgroup v1")
    os.makedirs(top + "/ours/leaf")
    with open("/sys/fs/cgroup/cgroup.subtree_control", "w") as f:
        f.write("+memory +pids")
    with open(top + "/cgroup.subtree_control", "w") as f:
        f.write("+memory +pids")
    for d in (top + "/ours", top + "/ours/leaf"):
        for name in ("", "/cgroup.procs", "/cgroup.threads", "/cgroup.subtree_control"):
            os.chown(d + name, UID, UID)

    def check(rt):
        b = rt.users_bundle("sleep", "1000")
        b.config["linux"]["resources"] = {"memory": {"limit": 64 << 20}, "pids": {"limit": 20}, "devices": [{"allow": False, "access": "rwm"}]}
        b.write()
        rt.create(b)
        rt.call("start", b.id)
        group = f"{top}/ours/kiln/{b.id}"
        for name, value in (("memory.max", str(64 << 20)), ("pids.max", "20")):
            with open(f"{group}/{name}") as f:
                eq(f.read().strip(), value)
        eq(rt.call("exec", b.id, "cat", "/proc/self/cgroup").out, "0::/\n")
        rt.call("update", "--pids-limit", "30", b.id)
        rt.call("pause", b.id)
        eq(rt.status(b.id), "paused")
        rt.call("delete", "--force", b.id)
        eq(os.path.exists(group), False)
        # what is not delegated is said; without a cgroup namespace its own group is what it sees
        b.config["linux"]["resources"] = {"cpu": {"shares": 2}}
        b.write()
        has(rt.fails("create", "--bundle", b.dir, b.id), "controller 'cpu' is not delegated")
        b.config["linux"]["resources"] = {"pids": {"limit": 25}}
        b.config["linux"]["namespaces"] = [n for n in b.config["linux"]["namespaces"] if n["type"] != "cgroup"]
        b.write("cat", "/sys/fs/cgroup/pids.max")
        eq(rt.call("run", "--bundle", b.dir, b.id).out, "25\n")
        eq(os.listdir(top + "/ours").count("kiln"), 1)
        os.rmdir(top + "/ours/kiln")

    def below(rt):
        # beside its own group there is nothing for it; in a group with processes no controllers are given on
        b = rt.users_bundle("true")
        b.config["linux"]["resources"] = {"pids": {"limit": 25}}
        b.write()
        has(rt.fails("run", "--bundle", b.dir, b.id), "controller 'pids' is not delegated to this user there, or processes are in a group above")
        b.config["linux"]["resources"] = {}
        b.write()
        rt.create(b)
        eq(os.path.isdir(f"{top}/ours/leaf/kiln/{b.id}"), True)
        rt.call("pause", b.id)
        rt.call("delete", "--force", b.id)
        os.rmdir(top + "/ours/leaf/kiln")
        # and somewhere else none at all: what is seen of groups is the caller's, and read-only
        b.config["linux"]["namespaces"] = [n for n in b.config["linux"]["namespaces"] if n["type"] != "cgroup"]
        b.config["linux"]["cgroupsPath"] = "/elsewhere"
        b.write("sh", "-c", "ls /sys/fs/cgroup/cgroup.procs; (echo 0 > /sys/fs/cgroup/cgroup.procs) 2>/dev/null || echo closed")
        eq(rt.call("run", "--bundle", b.dir, b.id).out.split(), ["/sys/fs/cgroup/cgroup.procs", "closed"])
        b.config["linux"]["resources"] = {"pids": {"limit": 25}}
        b.write()
        has(rt.fails("run", "--bundle", b.dir, b.id), "may not make '/elsewhere'")
    try:
        as_user(check, top + "/ours/leaf")
        for name in ("", "/cgroup.procs"):
            os.chown(top + "/ours" + name, 0, 0)
        as_user(below, top + "/ours/leaf")
    finally:
        for d in (top + "/ours/leaf", top + "/ours", top):
            os.rmdir(d)
