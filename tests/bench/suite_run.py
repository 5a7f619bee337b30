# SPDX-License-Identifier: Apache-2.0
"""What a user of a client waits for, from its exec to its end, beside what the client costs that does next to nothing."""
import json
import os
import sys

import harness
from common import HERE, ROUNDS, interleave, median, ratio, report

RUN = ["run", "--rm", "--network", "none", "busybox", "true"]


def client(b, *argv, **env):
    worker = b.lines([sys.executable, HERE + "/worker.py"], env={**os.environ, "HOME": b.dir, **env})

    def once():
        took = worker(json.dumps(argv))
        if took < 0:
            raise SystemExit(f"{' '.join(argv)} failed")
        return took
    return once


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
    got = interleave(subjects, ROUNDS or 30)
    notes = ratio(got, "kiln run --rm", "docker run --rm, on dockerd", "1/20")
    if cli:
        more = median(got["docker run --rm, on Kiln"]) - median(got["docker version, on Kiln"])
        notes.append(f"docker run --rm on Kiln takes {more:.3g} ms more than docker version does, kiln run --rm as a whole "
                     f"{median(got['kiln run --rm']):.3g} ms")
    return report(got, "ms", notes)
