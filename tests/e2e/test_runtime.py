# SPDX-License-Identifier: Apache-2.0
"""`kiln-runtime run`: the second front of launch(), with bundles as other runtimes take them."""
import os
import signal
import subprocess
import tempfile

import bundles
import harness
from harness import Failed, cgroup_dirs, eq, eventually, has

RUNTIME = os.path.join(harness.BUILD, "kiln-runtime")


class Bundle(bundles.Bundle):
    def __init__(self, k):
        super().__init__(k.dir, k.cgroup_parent)
        self.root = os.path.join(k.dir, "runtime-root")

    def popen(self, **kw):
        self.write()
        return subprocess.Popen([RUNTIME, "--root", self.root, "--log", "/dev/null", "run", "--bundle", self.dir, self.id], text=True,
                                stdin=kw.pop("stdin", subprocess.DEVNULL), stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)

    def run(self, *args, code=0):
        """Runs args in it; nothing may be left. Returns what it printed, errors behind the output."""
        if args:
            self.config["process"]["args"] = list(args)
        p = self.popen()
        out, err = p.communicate(timeout=60)
        eq(p.returncode, code, out + err)
        eq(cgroup_dirs(self.cgroup), [], "control groups that are left")
        eq(os.listdir(self.root) if os.path.isdir(self.root) else [], [], "state that is left")
        return out + err


def test_runtime_run_passes_output_and_exit_code_on(k):
    b = Bundle(k)
    eq(b.run("sh", "-c", "echo $0 $HOME; cat /proc/sys/kernel/hostname; exit 7", code=7), "sh /root\nbundle\n")


def test_runtime_run_reads_its_input(k):
    b = Bundle(k)
    b.config["process"]["args"] = ["cat"]
    p = b.popen(stdin=subprocess.PIPE)
    eq(p.communicate("through\n", timeout=60), ("through\n", ""))


def test_runtime_run_passes_signals_on(k):
    b = Bundle(k)
    b.config["process"]["args"] = ["sh", "-c", "trap 'echo got it; exit 3' TERM; echo up; while :; do sleep 0.1; done"]
    p = b.popen()
    eq(p.stdout.readline(), "up\n")
    p.send_signal(signal.SIGTERM)
    eq(p.communicate(timeout=60)[0], "got it\n")
    eq(p.returncode, 3)


def test_runtime_run_tells_what_cannot_be_executed(k):
    b = Bundle(k)
    has(b.run("nosuch", code=1), 'exec: "nosuch": executable file not found in $PATH')
    has(b.run("/nosuch", code=1), 'exec: "/nosuch": stat /nosuch: no such file or directory')
    has(b.run("/etc/passwd", code=1), 'exec: "/etc/passwd": permission denied')
    has(b.run("/etc", code=1), 'exec: "/etc": is a directory')


def test_runtime_run_refuses_by_name(k):
    for name, value in (("intelRdt", {"closID": "x"}), ("netDevices", {"nosuch": {}})):
        b = Bundle(k)
        b.config["linux"][name] = value
        has(b.run(code=1), name)
    for command in ("checkpoint", "restore", "nonsense"):
        p = subprocess.run([RUNTIME, command], capture_output=True, text=True, timeout=60)
        eq(p.returncode, 1)
        has(p.stderr, command)


def test_runtime_a_value_that_the_kernel_refuses_is_named(k):
    b = Bundle(k)
    b.config["linux"]["resources"]["cpu"] = {"cpus": "7777"}
    has(b.run(code=1), "cpuset.cpus to '7777'")


def test_runtime_devices_are_denied(k):
    """The nodes can be made, but only the usual ones can be opened: v1's controller, or v2's program."""
    b = Bundle(k)
    for caps in b.config["process"]["capabilities"].values():
        caps += ["CAP_MKNOD"]
    out = b.run("sh", "-c", "mknod /tmp/mem c 1 1 && head -c1 /tmp/mem; mknod /tmp/null c 1 3 && echo > /tmp/null && echo fine")
    has(out, "Operation not permitted")
    has(out, "fine\n")


def test_runtime_links_of_the_image_stay_inside(k):
    """CVE-2026-41579, CVE-2023-28642: /dev and /proc may be links in an image."""
    b = Bundle(k)
    victim = tempfile.mkdtemp(dir=k.dir)
    os.symlink(victim, os.path.join(b.dir, "rootfs/dev"))
    b.run("sh", "-c", "echo > /dev/null")
    eq(os.listdir(victim), [])
    b = Bundle(k)
    os.symlink("/tmp/fake", os.path.join(b.dir, "rootfs/proc"))
    has(b.run(code=1), "it must be an ordinary directory")


def test_runtime_mounts_that_do_not_fit_are_told(k):
    b = Bundle(k)
    b.config["mounts"].append({"destination": "/etc/passwd", "type": "bind", "source": "/tmp", "options": ["bind"]})
    has(b.run(code=1), "Are you trying to mount a directory onto a file")
    b = Bundle(k)
    b.config["mounts"].append({"destination": "/x", "type": "tmpfs", "source": "tmpfs", "options": ["size=plenty"]})
    has(b.run(code=1), "Bad value for 'size'")


def test_runtime_runs_from_a_copy(k):
    """CVE-2019-5736: nothing in a container can open the runtime's file to write."""
    b = Bundle(k)
    b.config["process"]["args"] = ["sh", "-c", "trap 'exit 0' TERM; echo up; while :; do sleep 0.1; done"]
    p = b.popen()
    eq(p.stdout.readline(), "up\n")

    def exe():
        link = os.readlink(f"/proc/{p.pid}/exe")
        return link if "memfd" in link or not link.startswith(RUNTIME) else None
    eventually("it runs from a copy", exe)
    try:
        with open(f"/proc/{p.pid}/exe", "r+b"):
            raise Failed("its file can be written to")
    except OSError:
        pass
    p.send_signal(signal.SIGTERM)
    p.communicate(timeout=60)
    eq(p.returncode, 0)


def test_runtime_joins_namespaces_by_path(k):
    """The network, IPC, UTS and pid namespace of somebody else; a fresh one for each that has no path."""
    holder = subprocess.Popen(["unshare", "-fpniu", "--kill-child", "sh", "-c", "hostname held; echo $$; exec sleep 100"],
                              stdout=subprocess.PIPE, text=True)
    try:
        eq(holder.stdout.readline(), "1\n")
        pid = harness.children_of(holder.pid)[0]
        for kinds in (("network", "ipc", "uts", "pid"), ("pid",), ("ipc",)):
            b = Bundle(k)
            del b.config["hostname"]
            files = {"network": "net"}
            b.config["linux"]["namespaces"] = [
                {"type": t, "path": f"/proc/{pid}/ns/{files.get(t, t)}"} if t in kinds else {"type": t}
                for t in ("pid", "network", "ipc", "uts", "mount", "cgroup")]
            out = b.run("sh", "-c", "for n in net ipc uts pid; do ls -l /proc/self/ns/$n | grep -o '[a-z]*:.*'; done; echo pid $$; cat /proc/1/comm")
            for kind in ("network", "ipc", "uts", "pid"):
                same = os.readlink(f"/proc/{pid}/ns/{files.get(kind, kind)}")
                eq(same in out, kind in kinds, f"{kind} with {kinds}: {out}")
            if "pid" in kinds:   # it is not the first there, and its /proc shows who is
                has(out, "\nsleep\n")
                eq("\npid 1\n" in out, False, out)
    finally:
        holder.kill()
        holder.wait()


def test_runtime_shares_what_has_no_namespace(k):
    b = Bundle(k)
    del b.config["hostname"]
    b.config["linux"]["namespaces"] = [{"type": "mount"}]
    b.config["mounts"] = [m for m in b.config["mounts"] if m["destination"] != "/sys"]
    out = b.run("sh", "-c", "for n in net ipc uts pid cgroup; do ls -l /proc/self/ns/$n | grep -o '[a-z]*:.*'; done; cat /proc/self/cgroup; "
                            "ls /sys/fs/cgroup /sys/fs/cgroup/memory; touch /sys/fs/cgroup/x; true")
    for n in ("net", "ipc", "uts", "pid", "cgroup"):
        has(out, os.readlink(f"/proc/self/ns/{n}"))
    has(out, b.cgroup)
    has(out, "Read-only file system")
    if "memory.limit_in_bytes" in out:   # v1: no more than its own group is there to be seen
        eq("kiln" in out.split("memory.limit_in_bytes")[0].split("/sys/fs/cgroup/memory:")[1], False, out)


def test_runtime_what_is_no_namespace_is_not_joined(k):
    b = Bundle(k)
    for path, words in (("/etc/passwd", "'/etc/passwd' is no namespace"), (f"/proc/{os.getpid()}/ns/mnt", "is a namespace of type mount"),
                        ("/nosuch", "no such file or directory"), ("fd:0", "names no descriptor"), ("fd:7", "names no descriptor")):
        b.config["linux"]["namespaces"] = [{"type": "mount"}, {"type": "uts"}, {"type": "ipc", "path": path}]
        has(b.run(code=1), words)
    # what belongs to who shares it stays as it is
    b.config["linux"]["namespaces"] = [{"type": "mount"}, {"type": "uts"}, {"type": "ipc", "path": f"/proc/{os.getpid()}/ns/ipc"}]
    b.config["linux"]["sysctl"] = {"kernel.msgmax": "65536"}
    has(b.run(code=1), "shares")
    b.config["linux"]["sysctl"] = {}
    b.config["linux"]["namespaces"] = [{"type": "mount"}, {"type": "uts", "path": f"/proc/{os.getpid()}/ns/uts"}]
    has(b.run(code=1), "hostname: needs a uts namespace")


def test_runtime_pid_namespace_that_has_ended(k):
    """It is kept by a bind of its file, but takes no more processes."""
    name = os.path.join(k.dir, "pidns")
    open(name, "w").close()
    b = Bundle(k)
    b.config["linux"]["namespaces"] = [{"type": "mount"}, {"type": "uts"}, {"type": "pid", "path": name}]
    b.write()
    script = f"unshare --pid={name} -f true && exec {RUNTIME} run --bundle {b.dir} {b.id}"
    p = subprocess.run(["unshare", "-m", "--propagation", "private", "sh", "-c", script], capture_output=True, text=True, timeout=60)
    eq(p.returncode, 1, p.stdout + p.stderr)
    has(p.stderr, "pid namespace")
    has(p.stderr, "has ended")
    eq(cgroup_dirs(b.cgroup), [])
