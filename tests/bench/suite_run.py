# SPDX-License-Identifier: Apache-2.0
"""What a user of a client waits for, from its exec to its end, beside what the client costs that does next to nothing."""
import json
import os
import subprocess
import sys

import harness
from common import HERE, ROUNDS, interleave, median, ratio, report, which

RUN = ["run", "--rm", "--network", "none", "busybox", "true"]


APART = ["unshare", "--mount", "--net", "--propagation", "private"]


def client(b, *argv, is_apart=False, **env):
    work = [*APART, sys.executable, HERE + "/worker.py", "--hide-unified"] if is_apart else [sys.executable, HERE + "/worker.py"]
    worker = b.lines(work, env={**os.environ, "HOME": b.dir, **env})

    def once():
        took = worker(json.dumps(argv))
        if took < 0:
            raise SystemExit(f"{' '.join(argv)} failed")
        return took
    return once


def archive(b):
    path = b.dir + "/busybox.tar"
    with open(path, "wb") as f:
        f.write(b.archive)
    return path


def podman(b):
    """With limits that anybody may set: it raises them, otherwise, to what takes a power that root may not have."""
    if not which("podman") or os.environ.get("PEERS") == "none":
        return {}
    base = [which("podman"), "--root", b.dir + "/podman", "--runroot", b.run + "/podman", "--tmpdir", b.run + "/libpod", "--storage-driver", "overlay",
            "--cgroup-manager", "cgroupfs", "--events-backend", "file"]
    subprocess.run([*APART, *base, "load", "-q", "-i", archive(b)], check=True, stdout=subprocess.DEVNULL)
    limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "--cgroup-parent", b.parent + "/podman"]
    return {"podman run --rm": client(b, *base, "run", "--rm", "--network", "none", *limits, "busybox", "true", is_apart=True)}


def containerd(b, docker):
    """Through dockerd's own."""
    if not which("ctr"):
        return {}
    base = [which("ctr"), "-a", docker.containerd, "-n", "bench"]
    subprocess.run([*base, "images", "import", archive(b)], check=True, stdout=subprocess.DEVNULL)
    return {"ctr run --rm": client(b, *base, "run", "--rm", "--cgroup", b.parent + "/ctr", "docker.io/library/busybox:latest", "bench", "true")}


def suite_run(b):
    kiln = {"KILN_HOST": "unix://" + b.kiln.socket, "DOCKER_HOST": "unix://" + b.kiln.socket}
    subjects = {"kiln version": client(b, harness.BUILD + "/kiln", "version", **kiln),
                "kiln run --rm": client(b, harness.BUILD + "/kiln", *RUN, **kiln)}
    cli = next(iter(harness.CLIS), None)
    if cli:
        subjects["docker --version"] = client(b, cli, "--version", **kiln)
        subjects["docker version, on Kiln"] = client(b, cli, "version", **kiln)
        subjects["docker run --rm, on Kiln"] = client(b, cli, *RUN, **kiln)
        docker = b.docker()
        if docker:
            theirs = {"DOCKER_HOST": "unix://" + docker.socket}
            subjects["docker version, on dockerd"] = client(b, cli, "version", **theirs)
            subjects["docker run --rm, on dockerd"] = client(b, cli, *RUN, **theirs)
            subjects.update(containerd(b, docker))
    subjects.update(podman(b))
    got = interleave(subjects, ROUNDS or 30)
    notes = ratio(got, "kiln run --rm", "docker run --rm, on dockerd", "1/20")
    if cli:
        more = median(got["docker run --rm, on Kiln"]) - median(got["docker version, on Kiln"])
        notes.append(f"docker run --rm on Kiln takes {more:.3g} ms more than docker version does, kiln run --rm as a whole "
                     f"{median(got['kiln run --rm']):.3g} ms")
    return report(got, "ms", notes)
