# SPDX-License-Identifier: Apache-2.0
"""-v, --mount and --volumes-from: what each word of them does."""
import contextlib
import os
import subprocess
import tempfile

import harness
from harness import eq, eventually, has
from test_options import sh


def create(k, want=201, cmd=("true",), **host):
    return k.api_json("POST", "/containers/create", {"Image": k.busybox(), "Cmd": list(cmd), "HostConfig": {"NetworkMode": "none", **host}}, want=want)


def refused(k, *options, why, code=125):
    p = k.run("--rm", *options, "--", "true", check=False)
    eq(p.returncode, code, f"{options}: {p.stdout}{p.stderr}")
    has(p.stderr, why)


def mount(*args):
    subprocess.run(["mount", *args], check=True)


@contextlib.contextmanager
def tree(k):
    """A directory of our own with a file system mounted on its "sub", in no peer group."""
    d = tempfile.mkdtemp(dir=k.dir)
    os.mkdir(d + "/sub")
    mount("--bind", d, d)
    mount("--make-private", d)
    mount("-t", "tmpfs", "t", d + "/sub")
    try:
        yield d
    finally:
        subprocess.run(["umount", "-R", d], check=True)


WRITE = "for f in /m/x /m/sub/x; do touch $f 2>/dev/null && echo $f; done; true"


def test_bind_stays_read_only_where_the_host_made_it(k):
    """Docker adds nothing to a bind: a mount that the host has read-only is no way to write."""
    with tree(k) as d:
        mount("-o", "remount,bind,ro", d)
        eq(sh(k, "-v", f"{d}:/m", cmd=WRITE), "/m/sub/x\n")
        eq(sh(k, "-v", f"{d}:/m:rw", cmd=WRITE), "/m/sub/x\n")
        eq(sh(k, "--mount", f"type=bind,src={d},dst=/m", cmd=WRITE), "/m/sub/x\n")
        mount("-o", "remount,bind,noexec,nosuid", d)
        has(sh(k, "-v", f"{d}:/m", cmd="grep ' /m ' /proc/mounts"), "nosuid,noexec")


def test_bind_recursion(k):
    with tree(k) as d:
        at = f"type=bind,src={d},dst=/m"
        for options, can_write in ((("-v", f"{d}:/m"), "/m/x\n/m/sub/x\n"), (("-v", f"{d}:/m:ro"), ""),
                                   (("--mount", at + ",readonly"), ""), (("--mount", at + ",readonly,bind-recursive=enabled"), ""),
                                   (("--mount", at + ",readonly,bind-recursive=writable"), "/m/sub/x\n"),
                                   (("--mount", at + ",readonly,bind-recursive=readonly,bind-propagation=rprivate"), ""),
                                   (("--mount", at + ",bind-recursive=disabled"), "/m/x\n/m/sub/x\n"),
                                   (("--mount", at + ",bind-nonrecursive"), "/m/x\n/m/sub/x\n")):
            eq(sh(k, *options, cmd=WRITE), can_write, str(options))
            shown = sh(k, *options, cmd="grep -c ' /m/sub ' /proc/mounts || true")
            eq(shown, "0\n" if "disabled" in options[1] or "nonrecursive" in options[1] else "1\n", str(options))
        for bad, why in (({"ReadOnlyNonRecursive": True}, "!ReadOnly && BindOptions.ReadOnlyNonRecursive"),
                         ({"ReadOnlyForceRecursive": True}, "!ReadOnly && BindOptions.ReadOnlyForceRecursive")):
            has(create(k, want=400, Mounts=[{"Type": "bind", "Source": d, "Target": "/m", "BindOptions": bad}])["message"], why)
        both = {"ReadOnlyNonRecursive": True, "ReadOnlyForceRecursive": True}
        has(create(k, want=400, Mounts=[{"Type": "bind", "Source": d, "Target": "/m", "ReadOnly": True, "BindOptions": both}])["message"], "ReadOnlyNonRecursive && ")


def test_bind_propagation(k):
    with tree(k) as d:
        for mode in ("shared", "rshared"):
            refused(k, "-v", f"{d}:/m:{mode}", why=f"path {d} is mounted on {d} but it is not a shared mount")
        for mode in ("slave", "rslave"):
            refused(k, "-v", f"{d}/sub:/m:{mode}", why=f"path {d}/sub is mounted on {d}/sub but it is not a shared or slave mount")
        mount("--make-rshared", d)
        os.mkdir(d + "/later")
        ids = {m: k.run("-d", "-v", f"{d}:/m:{m}", "--privileged", "--", "sleep", "1000").stdout.strip() for m in ("rprivate", "rslave", "rshared")}
        eq({m: k.inspect(i)["Mounts"][0]["Propagation"] for m, i in ids.items()}, {m: m for m in ids})
        # what the host mounts later
        mount("-t", "tmpfs", "l", d + "/later")
        seen = {m: k.docker("exec", i, "grep", "-c", " /m/later ", "/proc/mounts", check=False).stdout.strip() for m, i in ids.items()}
        eq(seen, {"rprivate": "0", "rslave": "1", "rshared": "1"})
        # what the container mounts
        for m, i in ids.items():
            k.docker("exec", i, "sh", "-c", f"mkdir /m/of-{m} && mount -t tmpfs c /m/of-{m}")
        eq(sorted(l.split()[4].rsplit("/", 1)[1] for l in open("/proc/self/mountinfo") if f" {d}/of-" in l), ["of-rshared"])
        for i in ids.values():
            k.docker("rm", "-f", i)


def test_bind_source_is_made_or_must_be_there(k):
    with tempfile.TemporaryDirectory(dir=k.dir) as d:
        has(create(k, want=400, Mounts=[{"Type": "bind", "Source": d + "/a", "Target": "/m"}])["message"], "bind source path does not exist")
        cid = create(k, Mounts=[{"Type": "bind", "Source": d + "/b/c", "Target": "/m", "BindOptions": {"CreateMountpoint": True}}])["Id"]
        k.docker("start", "-a", cid)
        eq((os.listdir(d), os.path.isdir(d + "/b/c")), (["b"], True))
        eq(k.kiln("run", "--rm", "--network", "none", "--mount", f"type=bind,src={d}/k,dst=/m,bind-create-src", "busybox", "echo", "in").stdout, "in\n")


def test_bind_modes_are_dockers(k):
    d = k.dir
    for mode in ("ro", "rw", "z", "Z", "ro,z", "rprivate,ro", "cached", "delegated,rw", "consistent"):
        cid = k.docker("create", "--network", "none", "-v", f"{d}:/m:{mode}", k.busybox()).stdout.strip()
        m = k.inspect(cid)["Mounts"][0]
        eq((m["Mode"], m["RW"]), (mode, "ro" not in mode.split(",")))
    for mode in ("", "ro,rw", "ro,ro", "z,Z", "private,slave", "cached,delegated", "noexec", "x", "ro,"):
        p = k.api_json("POST", "/containers/create", {"Image": k.busybox(), "HostConfig": {"NetworkMode": "none", "Binds": [f"{d}:/m:{mode}"]}}, want=400)
        has(p["message"], f"invalid mode: {mode}")
    has(create(k, want=400, Binds=[f"{d}:/m:nocopy"])["message"], "field VolumeOptions must not be specified")


def test_tmpfs_options_of_mount(k):
    out = sh(k, "--mount", "type=tmpfs,dst=/t,readonly", cmd="touch /t/x; grep ' /t ' /proc/mounts; true")
    has(out, "tmpfs /t tmpfs ro,nosuid,nodev,noexec")
    cid = create(k, cmd=["grep", " /t ", "/proc/mounts"], Mounts=[{"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 1 << 20, "Mode": 0o1770, "Options": [["exec"], ["uid", "5"]]}}])["Id"]
    out = k.docker("start", "-a", cid).stdout
    for part in ("nosuid,nodev", "size=1024k", "mode=1770", "uid=5"):
        has(out, part)
    eq("noexec" in out, False)
    for bad in ([["nonsense"]], [["size", "1", "2"]], ["exec"], [[]], "exec", [["exec,suid"]], [["size", "1m,upperdir=/x"]]):
        status, _, body = k.api("POST", "/containers/create", {"Image": k.busybox(), "HostConfig": {"NetworkMode": "none", "Mounts": [
            {"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"Options": bad}}]}})
        eq((status, b"ptions" in body or b"option" in body), (400, True), f"{bad}: {body}")


# ---- volumes-from ----------------------------------------------------------------------------------------

def places(k, ref):
    return {m["Destination"]: (m["Type"], m["Source"], m["RW"]) for m in k.inspect(ref)["Mounts"]}


def test_option_volumes_from(k):
    with tempfile.TemporaryDirectory(dir=k.dir) as d:
        for n in "abc":
            os.mkdir(f"{d}/{n}")
        k.docker("create", "--name", "from", "--network", "none", "-v", f"{d}/a:/a", "-v", f"{d}/b:/b:ro,rprivate", "--mount", f"type=bind,src={d}/c,dst=/c",
                 "--mount", "type=tmpfs,dst=/t,tmpfs-size=1m", "--tmpfs", "/not", k.busybox())
        all_of_it = {"/a": ("bind", f"{d}/a", True), "/b": ("bind", f"{d}/b", False), "/c": ("bind", f"{d}/c", True), "/t": ("tmpfs", "", True)}
        for cli in harness.CLIS:
            out = k.docker("run", "--rm", "--network", "none", "--volumes-from", "from", "busybox", "sh", "-c",
                           "for p in /a /b /c /t; do touch $p/x 2>/dev/null && echo $p; done; grep -c ' /t tmpfs.*size=1024k' /proc/mounts; ls -d /not", cli=cli, check=False)
            eq(out.stdout, "/a\n/c\n/t\n1\n")
        eq(os.listdir(d + "/a"), ["x"])
        cid = k.docker("create", "--network", "none", "--volumes-from", "from:ro", "busybox").stdout.strip()
        eq(places(k, cid), {p: (t, s, False) for p, (t, s, _) in all_of_it.items()})
        i = k.inspect(cid)["HostConfig"]
        eq((i["VolumesFrom"], i["Binds"], i.get("Mounts")), (["from:ro"], None, None))
        # read-only stays so; own mounts count before; the later container before the earlier; from one to the next
        k.docker("create", "--name", "two", "--network", "none", "--volumes-from", "from:rw,z", "-v", f"{d}/c:/a:ro", "--tmpfs", "/c", "busybox")
        eq(places(k, "two"), {"/a": ("bind", f"{d}/c", False), "/b": ("bind", f"{d}/b", False), "/t": ("tmpfs", "", True)})
        k.docker("create", "--name", "other", "--network", "none", "-v", f"{d}/a:/b", "busybox")
        k.docker("create", "--name", "three", "--network", "none", "--volumes-from", "two", "--volumes-from", "other", "busybox", "ls", "/b")
        eq(places(k, "three"), {"/a": ("bind", f"{d}/c", False), "/b": ("bind", f"{d}/a", True), "/t": ("tmpfs", "", True)})
        # what was found out at create holds, whoever is gone since
        k.docker("rm", "from", "two", "other")
        eq(k.docker("start", "-a", "three").stdout, "x\n")
    for spec, why in (("nosuch", "No such container: nosuch"), ("three:x", "invalid mode for volumes-from: x"), ("three:rslave", "invalid mode for volumes-from"),
                      ("three:nocopy", "invalid mode for volumes-from: nocopy"), ("", "volumesfrom specification cannot be an empty string"), (":ro", "cannot be an empty")):
        has(create(k, want=400, VolumesFrom=[spec])["message"], why)
    refused(k, "--volumes-from", "nosuch", why="No such container: nosuch")


def test_volumes_from_is_kept(own):
    k = own.start()
    with tempfile.TemporaryDirectory(dir=k.dir) as d:
        k.docker("create", "--name", "from", "--network", "none", "-v", f"{d}:/a", "--mount", "type=tmpfs,dst=/t", k.busybox())
        k.docker("create", "--name", "to", "--network", "none", "--volumes-from", "from:ro", "busybox", "sh", "-c", "grep -c -e ' /a .* ro,' -e ' /t tmpfs ro,' /proc/mounts; true")
        before = places(k, "to")
        k.docker("rm", "from")
        k.restart()
        eq(places(k, "to"), before)
        eventually("it starts", lambda: k.docker("start", "-a", "to", check=False).returncode == 0)


def test_mount_points_need_no_room_in_the_container(k):
    """An image without them finds /proc, /etc/hosts and so on in a layer below its own; what an image has there itself stays."""
    script = "ls -d /proc/1 /dev/null /sys/kernel; cat /etc/hostname; echo more >/etc/mine; echo x >/etc/hosts"
    cid = k.run("-d", "--hostname", "here", "--", "sh", "-c", script).stdout.strip()
    eventually("it has ended", lambda: k.state(cid)["Status"] == "exited")
    eq(k.docker("logs", cid).stdout, "/dev/null\n/proc/1\n/sys/kernel\nhere\n")
    upper = f"{k.data_root}/containers/{cid}/upper"
    eq({os.path.relpath(os.path.join(d, n), upper) for d, subs, files in os.walk(upper) for n in subs + files}, {"etc", "etc/mine"})
    points = k.data_root + "/layers/mount-points/etc"
    eq({n: os.path.getsize(f"{points}/{n}") for n in os.listdir(points)}, {"hosts": 0, "hostname": 0, "resolv.conf": 0})
