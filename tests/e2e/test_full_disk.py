# SPDX-License-Identifier: Apache-2.0
"""The data root on a disk of its own that is full: what was acknowledged is kept, what cannot be done says what to do, and what makes
room works, also while somebody takes each free block."""
import contextlib
import json
import os
import re
import subprocess
import time

import harness
from harness import Failed, eq, eventually, has

LOOP = "i=0; while :; do echo line $i; i=$((i+1)); sleep 0.02; done"
ADVICE = r"no space left on device; '.*' has \d+ kB left: remove containers \(rm\) or images \(rmi\)"


@contextlib.contextmanager
def small_disk(k, kind):
    """ext4 gives room to files when it is asked to, tmpfs page by page; neither lets root have a reserve."""
    os.makedirs(k.data_root)
    image = k.dir + "/disk"
    if kind == "ext4":
        with open(image, "wb") as f:
            f.truncate(96 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-b", "4096", image], check=True)
    source = ["-o", "loop", image] if kind == "ext4" else ["-t", "tmpfs", "-o", "size=96m", "tmpfs"]
    mounted = subprocess.run(["mount", *source, k.data_root], capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        raise harness.Skip(f"cannot mount {kind}: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        # the launcher has it, too, until it is ended
        subprocess.run(["umount", "-l", k.data_root], check=True)


def fill(k):
    """To the last byte."""
    with open(k.data_root + "/filler", "ab") as f:
        for size in (1 << 20, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    os.write(f.fileno(), b"x" * size)
        with contextlib.suppress(OSError):
            os.fsync(f.fileno())


def n_free(k):
    v = os.statvfs(k.data_root)
    return v.f_bavail * v.f_frsize


def left(k):
    return {folder: k.stored(folder) for folder in ("containers", "tmp", "layers", "blobs/sha256")}


def make(k, name, command, **host):
    body = {"Image": "busybox", "Cmd": ["sh", "-c", command], "HostConfig": {"NetworkMode": "none", **host}}
    return k.api_json("POST", f"/containers/create?name={name}", body, want=201)["Id"]


def refused(p, *parts):
    if p.returncode == 0:
        raise Failed(f"it was done on a full disk: {p.stdout}")
    text = p.stdout + p.stderr
    if not re.search(ADVICE, text):
        raise Failed(f"not what to do, in {text!r}")
    for part in parts:
        has(text, part)


def numbers(k, name):
    return [int(line.split()[1]) for line in k.docker("logs", name).stdout.splitlines()]


def begin(k):
    k.start()
    k.busybox()
    for name in ("runs", "stops", "dies", "waits"):
        make(k, name, "trap 'exit 7' TERM; " + LOOP)
    k.docker("start", "runs", "stops", "dies")
    for name in ("runs", "stops", "dies"):
        eventually("it says something", lambda name=name: len(numbers(k, name)) > 2)
    with open(k.dir + "/image.tar", "wb") as f:
        layer = harness.tar_bytes([("data", os.urandom(1 << 20))])
        f.write(harness.docker_archive([(["more:1"], harness.image_config([layer]), [layer])]))


def check_full(k):
    """Nothing is lost, and nothing is left behind by what was refused."""
    fill(k)
    before = left(k)
    refused(k.docker("load", "-i", k.dir + "/image.tar", check=False))
    refused(k.docker("create", "--name", "new", "--network", "none", "busybox", "true", check=False), "make the directory of container")
    refused(k.docker("run", "--rm", "--network", "none", "busybox", "true", check=False))
    p = k.docker("start", "waits", check=False)
    if p.returncode != 0:
        refused(p, "failed to start container 'waits'")
    eq(k.docker("exec", "runs", "echo", "in").stdout, "in\n")
    eq(left(k), before, "on the disk")
    seen = numbers(k, "runs")
    eq(seen, sorted(set(seen)), "its log")
    k.docker("stop", "stops")
    eq(k.state("stops")["ExitCode"], 7)
    k.docker("kill", "dies")
    eq(k.state("dies")["ExitCode"], 137)


def check_next_kilnd(k):
    """It starts on a full disk, after kill -9 and after SIGTERM, and has all that was acknowledged."""
    for end in (k.kill9, k.terminate):
        fill(k)
        end()
        fill(k)
        k.start()
        eq({c["Names"][0]: c["State"] for c in k.containers() if c["Names"][0] != "/waits"},
           {"/runs": "running", "/stops": "exited", "/dies": "exited"})
        eq((k.state("stops")["ExitCode"], k.state("dies")["ExitCode"]), (7, 137))


def check_over(k):
    """There is room again: all goes on."""
    os.unlink(k.data_root + "/filler")
    at = max(numbers(k, "runs"))
    eventually("its log goes on", lambda: max(numbers(k, "runs")) > at)
    has(k.docker("load", "-i", k.dir + "/image.tar").stdout, "more:1")
    eq(k.run("--rm", "--", "echo", "again").stdout, "again\n")
    k.docker("rmi", "more:1")
    for c in k.containers():
        k.docker("rm", "-f", c["Id"])
    now = left(k)
    eq((now["containers"], now["tmp"], len(now["layers"])), ([], [], 1), "on the disk")


def full_disk(k, kind):
    with small_disk(k, kind):
        begin(k)
        check_full(k)
        check_next_kilnd(k)
        check_over(k)


def test_full_disk_ext4(own):
    full_disk(own, "ext4")


def test_full_disk_tmpfs(own):
    full_disk(own, "tmpfs")


def test_rm_while_a_container_takes_each_free_block(own):
    k = own
    with small_disk(k, "ext4"):
        k.start()
        k.busybox()
        names = [f"c{i}" for i in range(30)]
        for name in names:
            make(k, name, "exec sleep 1000")
        k.docker("start", *names[:5])
        make(k, "eats", "while :; do cat /dev/zero >>/eaten; done 2>/dev/null")
        k.docker("start", "eats")
        eventually("the disk is full", lambda: n_free(k) == 0)
        # once more, with a kilnd that begins like this
        for first, last in ((0, 15), (15, 30)):
            for name in names[first:last]:
                status, _, body = k.api("DELETE", f"/containers/{name}?force=1")
                if status != 204:
                    raise Failed(f"rm {name}: {status} {json.loads(body)}")
            k.kill9()
            time.sleep(0.05)
            k.start()
            eq(sorted(c["Names"][0] for c in k.containers()), sorted(["/eats", *["/" + n for n in names[last:]]]))
        k.docker("rm", "-f", "eats")
        eq(left(k)["containers"], [])
        eq(k.run("--rm", "--", "echo", "again").stdout, "again\n")
