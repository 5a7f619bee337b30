# SPDX-License-Identifier: Apache-2.0
"""User namespaces: who is who inside and outside, and what root inside is not."""
import contextlib
import json
import os
import resource
import subprocess

from contract import each
from harness import eq, eventually, has
from test_config import only_kiln, started
from test_console import ConsoleSocket, read_until

FIRST, COUNT = 200000, 65536
IDS = [{"containerID": 0, "hostID": FIRST, "size": COUNT}]


def users_bundle(rt, *args, ids=IDS):
    """Its root file system is the container's, and can be got to."""
    b = rt.bundle(*args)
    b.config["linux"]["namespaces"].append({"type": "user"})
    b.config["linux"].update(uidMappings=ids, gidMappings=ids)
    path = b.dir
    while path != "/tmp":
        os.chmod(path, os.stat(path).st_mode | 0o711)
        path = os.path.dirname(path)
    for at, dirs, files in os.walk(b.rootfs):
        for name in [".", *dirs, *files]:
            os.chown(os.path.join(at, name), FIRST, FIRST, follow_symlinks=False)
    return b.write(*args)


LOOK = r"""
id -u; id -g
cat /proc/self/uid_map /proc/self/gid_map
stat -c %F /dev/null
echo x > /dev/null && echo null
busybox hostname
stat -c %u /tmp /proc/1
touch /tmp/made && stat -c %u:%g /tmp/made
ls /dev/pts /proc/sys/kernel >/dev/null && echo listed
"""


@each
def test_a_user_namespace(rt):
    b = users_bundle(rt, "sh", "-c", LOOK + "busybox chown 5:6 /tmp/made; exec sleep 1000")
    out, null = b.dir + "/out", os.stat("/dev/null")
    # a pipe: crun 1.8 gives a standard input away to the container's user also when it is the host's /dev/null
    with open(out, "w") as f:
        rt.call("create", "--bundle", b.dir, "--pid-file", b.dir + "/pid", b.id, stdin=subprocess.PIPE, stdout=f)
    rt.call("start", b.id)
    eventually("it has made a file", lambda: os.path.exists(b.rootfs + "/tmp/made") and os.stat(b.rootfs + "/tmp/made").st_uid == FIRST + 5)
    with open(out) as f:
        lines = [line.split() for line in f]
    eq(lines, [["0"], ["0"], ["0", str(FIRST), str(COUNT)], ["0", str(FIRST), str(COUNT)], ["character", "special", "file"], ["null"], ["bundle"], ["0"], ["0"], ["0:0"], ["listed"]])
    made = os.stat(b.rootfs + "/tmp/made")
    eq((made.st_uid, made.st_gid), (FIRST + 5, FIRST + 6))
    with open(b.dir + "/pid") as f:
        pid = int(f.read())
    eq((os.stat(f"/proc/{pid}").st_uid, os.readlink(f"/proc/{pid}/ns/user") == os.readlink("/proc/self/ns/user")), (FIRST, False))
    eq(json.loads(rt.call("state", b.id).out)["status"], "running")
    # an exec is in there, too
    same = rt.call("exec", b.id, "sh", "-c", "readlink /proc/self/ns/user; id -u; cat /proc/self/uid_map; touch /tmp/by-exec; grep CapEff /proc/self/status",
                   stdin=subprocess.PIPE).out.split()
    eq(same[:5], [os.readlink(f"/proc/{pid}/ns/user"), "0", "0", str(FIRST), str(COUNT)])
    with open(f"/proc/{pid}/status") as f:
        eq(same[6], next(line for line in f if line.startswith("CapEff")).split()[1])
    eq(os.stat(b.rootfs + "/tmp/by-exec").st_uid, FIRST)
    eq((os.stat("/dev/null").st_uid, os.stat("/dev/null").st_gid, os.stat("/dev/null").st_mode), (null.st_uid, null.st_gid, null.st_mode))
    rt.call("delete", "--force", b.id)
    eq(rt.ids(), [])


@only_kiln
def test_root_of_a_user_namespace_has_no_power_over_the_host(rt):
    """What is the host's by owner, by device or by a limit stays so."""
    b = users_bundle(rt, "sh", "-c", "cat /host/secret; touch /host/new; mknod /tmp/null c 1 3; busybox chown 0 /host/open; busybox mount -t tmpfs x /tmp; "
                     "busybox mount -o remount,rw /ro; echo 1 > /proc/sys/kernel/printk; kill -0 1 && echo alive")
    host, marker = b.dir + "/host", b.dir + "/host/secret"
    os.mkdir(host)
    for name, mode in (("secret", 0o600), ("open", 0o666)):
        with open(f"{host}/{name}", "w") as f:
            f.write("of the host")
        os.chmod(f"{host}/{name}", mode)
    for target, options in (("/host", ["bind"]), ("/ro", ["bind", "ro"])):
        b.config["mounts"].append({"destination": target, "type": "bind", "source": host, "options": options})
    for s in b.config["process"]["capabilities"].values():
        s += ["CAP_DAC_OVERRIDE", "CAP_MKNOD", "CAP_FOWNER"]
    b.write()
    p = rt.call("run", "--bundle", b.dir, b.id)
    eq((p.out, p.err.count("ermission denied") + p.err.count("not permitted") + p.err.count("ead-only")), ("alive\n", 7), p.err)
    eq((sorted(os.listdir(host)), os.stat(host + "/open").st_uid, os.stat(marker).st_uid), (["open", "secret"], 0, 0))
    # a terminal is the one that /dev/pts of the container has; what is to be shared is so, among its own
    b.config["process"]["terminal"] = True
    b.config["linux"]["rootfsPropagation"] = "shared"
    b.write("sh", "-c", "tty; test -c /dev/console && echo there; grep -c ' / [a-z,]* shared:' /proc/self/mountinfo")
    console = ConsoleSocket(b.dir + "/console")
    rt.create(b, "--console-socket", console.path)
    master, _name = console.receive()
    rt.call("start", b.id)
    eq(read_until(master, "1").split(), ["/dev/pts/0", "there", "1"])
    os.close(master)
    console.close()
    rt.call("delete", "--force", b.id)
    eq(rt.ids(), [])


@only_kiln
def test_limits_score_users_and_hooks_of_a_user_namespace(rt):
    """What takes the host's power is done before: a higher hard limit, a lower score; hooks of the runtime are the host's."""
    b = users_bundle(rt, "sh", "-c", "id -u; id -g; id -G; cat /proc/self/oom_score_adj; grep 'open files' /proc/self/limits; grep CapEff /proc/self/status")
    script = b.dir + "/hook"
    with open(script, "w") as f:
        f.write(f"#!/bin/sh\nreadlink /proc/self/ns/user >> {b.dir}/hooked\n")
    os.chmod(script, 0o755)
    b.config["hooks"] = {"createRuntime": [{"path": script}], "poststart": [{"path": script}], "poststop": [{"path": script}]}
    limit = 2 * resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    b.config["process"].update(oomScoreAdj=-5, user={"uid": 7, "gid": 8, "additionalGids": [9]}, rlimits=[{"type": "RLIMIT_NOFILE", "soft": 99, "hard": limit}])
    b.write()
    out = rt.call("run", "--bundle", b.dir, b.id).out
    eq(out.split()[:4], ["7", "8", "8", "9"])
    # as much as without it: we may be without CAP_SYS_RESOURCE ourselves
    plain = rt.bundle()
    plain.config["process"] = b.config["process"]
    plain.write()
    eq(out, rt.call("run", "--bundle", plain.dir, plain.id).out)
    with open(b.dir + "/hooked") as f:
        eq(f.read().split(), 3 * [os.readlink("/proc/self/ns/user")])
    eq(rt.ids(), [])


LINKS = {"network": "net", "mount": "mnt"}


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return f.read().split()


@contextlib.contextmanager
def holder(*types):
    """A process in new namespaces. Yields {type: its path}."""
    with subprocess.Popen(["unshare", "--kill-child", "--fork", *("--" + {"network": "net"}.get(t, t) for t in types), "sleep", "1000"], stdin=subprocess.DEVNULL) as p:
        try:
            pid = eventually("it is in there", lambda: children(p.pid))[0]
            for name in ("uid_map", "gid_map") if "user" in types else ():
                with open(f"/proc/{pid}/{name}", "w") as f:
                    f.write(f"0 {FIRST} {COUNT}\n")
            yield {t: f"/proc/{pid}/ns/{LINKS.get(t, t)}" for t in types}
        finally:
            p.kill()


def joining(rt, paths, *fresh, ids=IDS):
    """A bundle with these namespaces; /dev/mqueue shows the one of IPC."""
    b = users_bundle(rt, ids=ids)
    b.config["linux"]["namespaces"] = [{"type": t} for t in fresh] + [{"type": t, "path": p} for t, p in paths.items()]
    b.config["mounts"].append({"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]})
    if "uts" not in fresh:
        del b.config["hostname"]
    return b.write("sh", "-c", "for n in " + " ".join(sorted({os.path.basename(p) for p in paths.values()})) + "; do readlink /proc/self/ns/$n; done > /tmp/ns; "
                   "cat /proc/self/uid_map; id -u; ls /sys/class/net; test -d /dev/mqueue && touch /tmp/made; exec sleep 1000")


def check_joined(rt, b, paths):
    """It is where it is to be, and so is an exec; its files have the right owner."""
    with open(b.dir + "/out", "w") as f:
        rt.call("create", "--bundle", b.dir, "--pid-file", b.dir + "/pid", b.id, stdin=subprocess.PIPE, stdout=f)
    rt.call("start", b.id)
    eventually("it has made a file", lambda: os.path.exists(b.rootfs + "/tmp/made"))
    with open(b.dir + "/out") as f, open(b.rootfs + "/tmp/ns") as g, open(b.dir + "/pid") as h:
        said, names, pid = f.read().split(), g.read().split(), int(h.read())
    eq(said[:4], ["0", str(FIRST), str(COUNT), "0"])
    eq(names, [os.readlink(p) for p in sorted(paths.values(), key=os.path.basename)])
    eq(os.stat(b.rootfs + "/tmp/made").st_uid, FIRST)
    same = rt.call("exec", b.id, "sh", "-c", "for n in user net ipc uts pid; do readlink /proc/self/ns/$n; done; id -u; touch /tmp/by-exec", stdin=subprocess.PIPE).out.split()
    eq(same, [os.readlink(f"/proc/{pid}/ns/{n}") for n in ("user", "net", "ipc", "uts", "pid")] + ["0"])
    eq(os.stat(b.rootfs + "/tmp/by-exec").st_uid, FIRST)
    rt.call("delete", "--force", b.id)
    return said[4:]


@each
def test_a_user_namespace_joined_by_path(rt):
    """With others that it owns, and alone. runc 1.1 wants the mappings repeated; no others may be."""
    with holder("user", "network", "ipc", "uts") as paths:
        eq(check_joined(rt, joining(rt, paths, "pid", "mount", "cgroup"), paths), ["lo"])
        if not rt.is_kiln:
            return
        user = {"user": paths["user"]}
        eq(check_joined(rt, joining(rt, user, "pid", "mount", "network", "ipc", "uts", ids=[]), user), ["lo"])
        b = joining(rt, user, "mount", ids=[{**IDS[0], "hostID": FIRST + 1}])
        has(rt.fails("create", "--bundle", b.dir, b.id), "linux.uidMappings, linux.gidMappings: user namespace")
        b = joining(rt, user, "mount", ids=[])
        b.config["process"]["user"]["uid"] = COUNT
        b.write()
        has(rt.fails("create", "--bundle", b.dir, b.id), "process.user.uid: 65536 has no mapping")
    b = joining(rt, {"user": "/proc/self/ns/user"}, "mount", ids=[])
    has(rt.fails("create", "--bundle", b.dir, b.id), "it is the caller's own")
    eq(rt.ids(), [])


@only_kiln
def test_groups_of_the_caller_stay_outside_whatever_the_first_process_does(rt):
    """It goes into a user namespace of its own, where nobody may change supplementary groups: an exec fails, and has not those of the caller."""
    b = users_bundle(rt, "sh", "-c", "exec busybox unshare -r busybox sleep 1000")
    for kind in ("bounding", "permitted", "effective"):
        b.config["process"]["capabilities"][kind].append("CAP_SETFCAP")
    pid = started(rt, b.write())
    eventually("it is there", lambda: open(f"/proc/{pid}/setgroups").read() == "deny\n" and open(f"/proc/{pid}/comm").read() == "busybox\n")
    os.setgroups([4, 27])
    try:
        has(rt.fails("exec", b.id, "true"), "become root of the user namespace")
    finally:
        os.setgroups([])


@only_kiln
def test_namespaces_joined_beside_a_user_namespace(rt):
    """Their owner is the host, and what shows them is there all the same: sysfs, mqueue, procfs, for which crun binds the host's and runc fails."""
    with holder("network", "ipc", "uts", "pid", "cgroup", "time") as paths:
        eq(check_joined(rt, joining(rt, paths, "user", "mount"), paths), ["lo"])
        others = {t: paths[t] for t in ("network", "ipc")}
        with holder("user", "uts") as more:
            mixed = {**others, **more}
            eq(check_joined(rt, joining(rt, mixed, "pid", "mount", "cgroup", ids=[]), mixed), ["lo"])
    # those of the host that are not named at all
    eq(check_joined(rt, joining(rt, {}, "user", "pid", "mount"), {}), sorted(os.listdir("/sys/class/net")))
    # gone meanwhile: it is said, and nothing is left
    b = joining(rt, {"ipc": paths["ipc"]}, "user", "mount")
    has(rt.fails("create", "--bundle", b.dir, b.id), "join ipc namespace")
    eq(rt.ids(), [])


@each
def test_a_mount_namespace_joined_by_path(rt):
    """The container's root replaces what is in there, for all who live in it; never that of the host."""
    with holder("mount") as paths:
        b = rt.bundle("sh", "-c", "cat /proc/self/mountinfo >/tmp/mounts; touch /tmp/made; exec sleep 1000")
        where = next(n for n in b.config["linux"]["namespaces"] if n["type"] == "mount")
        where["path"] = paths["mount"]
        b.write()
        pid, root = started(rt, b), os.path.dirname(os.path.dirname(paths["mount"])) + "/root"
        eventually("it has made a file", lambda: os.path.exists(root + "/tmp/made"))
        eq((os.readlink(f"/proc/{pid}/ns/mnt"), os.path.samefile(root, b.rootfs)), (os.readlink(paths["mount"]), True))
        with open(root + "/tmp/mounts") as f:
            eq(sorted(line.split()[4] for line in f if line.split()[4] in ("/", "/proc", "/dev", "/sys", "/proc/sys")), ["/", "/dev", "/proc", "/proc/sys", "/sys"])
        eq(rt.call("exec", b.id, "readlink", "/proc/self/ns/mnt").out.strip(), os.readlink(paths["mount"]))
        rt.call("delete", "--force", b.id)
    if rt.is_kiln:
        for path, more, words in (("/proc/self/ns/mnt", [], "is that of the host"), ("/proc/1/ns/mnt", [], "join mount namespace: "),
                                  (paths["mount"], [{"type": "user"}], "beside a user namespace is not supported")):
            where["path"] = path
            b.config["linux"]["namespaces"] += more
            b.write()
            has(rt.fails("create", "--bundle", b.dir, b.id), words)
    eq(rt.ids(), [])


@only_kiln
def test_mappings_that_mean_nothing_are_refused_before_anything_is_made(rt):
    def one(inside, outside, size):
        return {"containerID": inside, "hostID": outside, "size": size}
    for key, value, words in (("uidMappings", [one(0, 1, 0)], "linux: uidMappings[0]"),
                              ("gidMappings", [one(0, 1, 5), one(4, 100, 5)], "linux: gidMappings[1]: it overlaps gidMappings[0]"),
                              ("uidMappings", [one(0, 1, 5), one(10, 5, 5)], "linux: uidMappings[1]: it overlaps uidMappings[0]"),
                              ("uidMappings", [one(n, n, 1) for n in range(341)], "linux: uidMappings: more than 340"),
                              ("uidMappings", [one(0, 4294967295, 2)], "linux: uidMappings[0]"),
                              ("uidMappings", [one(1, 1, 5)], "linux: uidMappings: containerID 0"),
                              ("gidMappings", [], "linux: gidMappings"),
                              ("uidMappings", [one(0, 1, -1)], "uidMappings[0].size"),
                              ("namespaces", [{"type": "mount"}], "linux.uidMappings: they need a user namespace"),
                              ("namespaces", [{"type": "mount"}, {"type": "user", "path": "/proc/self/ns/ipc"}], "'/proc/self/ns/ipc' is a namespace of type ipc")):
        b = users_bundle(rt, "true")
        b.config["linux"][key] = value
        del b.config["hostname"]
        b.write()
        has(rt.fails("create", "--bundle", b.dir, b.id), words)
        eq(rt.ids(), [])
    b = users_bundle(rt, "true")
    for user, words in (({"uid": COUNT, "gid": 0}, "process.user.uid: 65536 has no mapping"), ({"uid": 0, "gid": COUNT}, "process.user.gid"),
                        ({"uid": 0, "gid": 0, "additionalGids": [COUNT]}, "process.user.additionalGids")):
        b.config["process"]["user"] = user
        b.write()
        has(rt.fails("create", "--bundle", b.dir, b.id), words)
    # a device is the host's own of that name, or none
    null = os.stat("/dev/null").st_rdev
    b = users_bundle(rt, "true")
    for path, kind in (("/dev/tty0x", "c"), ("/dev/console", "c"), ("/dev/console", "b")):
        b.config["linux"]["devices"] = [{"path": path, "type": kind, "major": os.major(null), "minor": os.minor(null)}]
        b.write()
        why = rt.fails("create", "--bundle", b.dir, b.id)
        has(why, f"mount '{path}': ")
        has(why, "another device" if os.path.exists(path) else "no such file")
    eq(rt.ids(), [])
