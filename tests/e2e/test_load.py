# SPDX-License-Identifier: Apache-2.0
"""What a load costs, counted: system calls for each file, syncs for each image, processes for each layer."""
import re
import subprocess
from collections import Counter

from harness import Failed, Skip, docker_archive, eq, image_config, tar_bytes

N_LAYERS, N_DIRS, N_FILES = 3, 10, 400


def traced_load(k, archive, calls):
    """Loads while strace looks on: (pid, name of the call, line), and the pids that unpack."""
    out = k.dir + "/strace"
    tracer = subprocess.Popen(["strace", "-f", "-o", out, "-e", "trace=" + calls, "-p", str(k.proc.pid)],
                              stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if "attached" not in tracer.stderr.readline():
        tracer.kill()
        raise Skip("strace cannot attach here")
    k.load(archive)
    tracer.terminate()
    tracer.wait(20)
    with open(out, errors="replace") as f:
        found = [(m[1], m[2], line) for line in f if (m := re.match(r"(\d+) +(\w+)\(", line))]
    return found, {pid for pid, name, line in found if name == "execve" and '"unpack"' in line}


def plain_layer(n):
    """Files of root's, as nearly all are"""
    entries = []
    for d in range(N_DIRS):
        entries.append((f"l{n}d{d}", None))
        entries += [(f"l{n}d{d}/f{i}", b"x" * (i + 1)) for i in range(N_FILES // N_DIRS)]
    return tar_bytes(entries)


def test_budget_load(own):
    """For a file: made, written, looked at, dated, closed, and nothing else. For an image: one sync of the file system."""
    layers = [plain_layer(n) for n in range(N_LAYERS)]
    k = own.start()
    k.busybox()
    found, unpackers = traced_load(k, docker_archive([(["budget:1"], image_config(layers), layers)]),
                        "%desc,%file,fchown,fchmod,sync,syncfs,fsync,fdatasync,execve")
    n = Counter(name for _, name, _ in found)
    in_role = Counter(name for pid, name, _ in found if pid in unpackers)
    files, dirs = N_LAYERS * N_FILES, N_LAYERS * (N_DIRS + 1)
    for name in ("fchown", "fchownat", "fchmodat", "chown", "chmod", "fsetxattr", "setxattr"):
        eq(in_role[name], 0, f"{name} for files that are root's and have plain modes")
    # The root of each layer has no entry, and is given its mode.
    for_files = {"fchmod": N_LAYERS, "pwrite64": files + 40, "utimensat": files + dirs, "mkdirat": dirs, "openat2": 2 * dirs,
                 "openat": files + dirs + 150, "newfstatat": files + dirs + 100, "close": files + 3 * dirs + 200}
    for_image = {"syncfs": 1, "sync": 0, "sync_file_range": 0, "fsync": 4, "fdatasync": 4, "execve": N_LAYERS + 1}
    over = {name: (found[name], budget[name]) for found, budget in ((in_role, for_files), (n, for_image))
            for name in budget if found[name] > budget[name]}
    if over:
        raise Failed(f"over budget: {over}; unpacking: {dict(in_role)}; all: {dict(n)}")
