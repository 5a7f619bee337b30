# SPDX-License-Identifier: Apache-2.0
"""Bundles for tests of OCI runtimes: a directory with a root of busybox, and a configuration that all runtimes take."""
import json
import os
import shutil
import tempfile

import harness

CAPS = ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_SETGID", "CAP_NET_BIND_SERVICE"]
PLAIN = ["nosuid", "noexec", "nodev"]
APPLETS = ("sh", "cat", "id", "sleep", "touch", "grep", "mknod", "head", "kill", "true", "false", "ls", "pwd", "stty", "tty", "env",
           "mkdir", "rm", "ps", "readlink", "stat", "printf", "test", "wc")


class Bundle:
    """dir, id and cgroup are its places; change config before it is used."""

    def __init__(self, where, cgroup_parent):
        self.dir = tempfile.mkdtemp(prefix="bundle-", dir=where)
        self.id = os.path.basename(self.dir)
        self.cgroup = f"{cgroup_parent}/{self.id}"
        self.rootfs = root = os.path.join(self.dir, "rootfs")
        for d in ("bin", "etc", "tmp"):
            os.makedirs(os.path.join(root, d))
        shutil.copy(harness.BUSYBOX, os.path.join(root, "bin/busybox"))
        for applet in APPLETS:
            os.symlink("busybox", os.path.join(root, "bin", applet))
        with open(os.path.join(root, "etc/passwd"), "w") as f:
            f.write("root:x:0:0:root:/root:/bin/sh\n")
        self.config = {
            "ociVersion": "1.0.0",
            "root": {"path": "rootfs"},
            "process": {"args": ["true"], "cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0},
                        "capabilities": {s: list(CAPS) for s in ("bounding", "effective", "permitted")}},
            "hostname": "bundle",
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc", "options": list(PLAIN)},
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

    def write(self, *args):
        if args:
            self.config["process"]["args"] = list(args)
        with open(os.path.join(self.dir, "config.json"), "w") as f:
            json.dump(self.config, f)
        return self
