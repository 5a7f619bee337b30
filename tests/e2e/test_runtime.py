# SPDX-License-Identifier: Apache-2.0
"""`kiln-runtime run`: the second front of launch(), with bundles as other runtimes take them."""
import json
import os
import shutil
import signal
import subprocess
import tempfile

import harness
from harness import Failed, cgroup_dirs, eq, eventually, has

RUNTIME = os.path.join(harness.BUILD, "kiln-runtime")
CAPS = ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_SETGID", "CAP_NET_BIND_SERVICE"]
PLAIN = ["nosuid", "noexec", "nodev"]


class Bundle:
    def __init__(self, k):
        self.k = k
        self.dir = tempfile.mkdtemp(prefix="bundle-", dir=k.dir)
        self.id = os.path.basename(self.dir)
        self.cgroup = f"{k.cgroup_parent}/{self.id}"
        root = os.path.join(self.dir, "rootfs")
        for d in ("bin", "etc", "tmp"):
            os.makedirs(os.path.join(root, d))
        shutil.copy(harness.BUSYBOX, os.path.join(root, "bin/busybox"))
        for applet in ("sh", "cat", "id", "sleep", "touch", "grep", "mknod", "head", "kill", "true", "ls", "pwd"):
            os.symlink("busybox", os.path.join(root, "bin", applet))
        with open(os.path.join(root, "etc/passwd"), "w") as f:
            f.write("root:x:0:0:root:/root:/bin/sh\n")
        self.config = {
            "ociVersion": "1.2.0",
            "root": {"path": "rootfs"},
            "process": {"args": ["true"], "cwd": "/", "env": ["PATH=/bin"],
                        "capabilities": {s: CAPS for s in ("bounding", "effective", "permitted")}},
            "hostname": "bundle",
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc", "options": PLAIN},
                {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=64k"]},
                {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
                 "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
                {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": PLAIN + ["ro"]},
                {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": PLAIN + ["ro"]}],
            "linux": {"cgroupsPath": self.cgroup,
                      "resources": {"devices": [{"allow": False, "access": "rwm"}]},
                      "namespaces": [{"type": t} for t in ("pid", "network", "ipc", "uts", "mount", "cgroup")],
                      "maskedPaths": ["/proc/kcore", "/sys/firmware"], "readonlyPaths": ["/proc/sys"]},
        }

    def write(self):
        with open(os.path.join(self.dir, "config.json"), "w") as f:
            json.dump(self.config, f)

    def popen(self, **kw):
        self.write()
        return subprocess.Popen([RUNTIME, "run", "--bundle", self.dir, self.id], text=True,
                                stdin=kw.pop("stdin", subprocess.DEVNULL), stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)

    def run(self, *args, code=0):
        """Runs args in it; nothing may be left. Returns what it printed, errors behind the output."""
        if args:
            self.config["process"]["args"] = list(args)
        p = self.popen()
        out, err = p.communicate(timeout=60)
        eq(p.returncode, code, out + err)
        eq(cgroup_dirs(self.cgroup), [], "control groups that are left")
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
    has(b.run("nosuch", code=127), 'exec: "nosuch": executable file not found in $PATH')
    has(b.run("/nosuch", code=127), 'exec: "/nosuch": stat /nosuch: no such file or directory')
    has(b.run("/etc/passwd", code=126), 'exec: "/etc/passwd": permission denied')
    has(b.run("/etc", code=126), 'exec: "/etc": is a directory')


def test_runtime_run_refuses_by_name(k):
    b = Bundle(k)
    b.config["process"]["terminal"] = True
    has(b.run(code=125), "process.terminal")
    b = Bundle(k)
    b.config["hooks"] = {"prestart": [{"path": "/bin/true"}]}
    has(b.run(code=125), "hooks")
    b = Bundle(k)
    b.config["linux"]["resources"]["blockIO"] = {"weight": 10}
    has(b.run(code=125), "blockIO")
    for command in ("create", "exec", "nonsense"):
        p = subprocess.run([RUNTIME, command], capture_output=True, text=True, timeout=60)
        eq(p.returncode, 125)
        has(p.stderr, command)


def test_runtime_a_value_that_the_kernel_refuses_is_named(k):
    b = Bundle(k)
    b.config["linux"]["resources"]["cpu"] = {"cpus": "7777"}
    has(b.run(code=125), "cpuset.cpus to '7777'")


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
    has(b.run(code=125), "it must be an ordinary directory")


def test_runtime_mounts_that_do_not_fit_are_told(k):
    b = Bundle(k)
    b.config["mounts"].append({"destination": "/etc/passwd", "type": "bind", "source": "/tmp", "options": ["bind"]})
    has(b.run(code=127), "Are you trying to mount a directory onto a file")
    b = Bundle(k)
    b.config["mounts"].append({"destination": "/x", "type": "tmpfs", "source": "tmpfs", "options": ["size=plenty"]})
    has(b.run(code=125), "Bad value for 'size'")


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
