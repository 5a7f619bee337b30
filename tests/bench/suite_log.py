# SPDX-License-Identifier: Apache-2.0
"""Lines of 200 bytes through a container's stdout into the json-file on tmpfs: MB/s, as the container's own clock has it.

Alone, with a follower that reads all, with one that reads nothing, and with an attached client that reads nothing.
"""
import os
import socket
import threading

import harness
from common import ROUNDS, interleave, median, report

LINE, FILE_MB, TIMES = 200, 20, 10       # the container writes the file TIMES times
UNBOUND = {"Type": "json-file", "Config": {"max-size": "-1"}}     # dockerd has it so by default, and refuses to be told


def lines_file(b):
    path = b.dir + "/lines"
    with open(path, "wb") as f:
        f.write((b"x" * (LINE - 1) + b"\n") * (FILE_MB * 10**6 // LINE))
    return path


class Client:
    """Follows the log or is attached to the container; reads all, or nothing."""
    def __init__(self, e, method, path, reads):
        self.name, self.bytes, self.socket = e.name, 0, socket.socket(socket.AF_UNIX)
        self.socket.settimeout(40)
        self.socket.connect(e.socket)
        self.socket.sendall(f"{method} {path} HTTP/1.1\r\nHost: b\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode())
        self.thread = threading.Thread(target=self.read, daemon=True) if reads else None
        if self.thread:
            self.thread.start()

    def read(self):
        buffer, n = bytearray(1 << 20), 1
        while n:
            n = self.socket.recv_into(buffer)
            self.bytes += n

    def close(self, want):
        """@want: bytes that a reader has got when the container has ended"""
        if self.thread:
            self.thread.join(60)
            if self.bytes < want:
                raise SystemExit(f"{self.name}: a follower has got {self.bytes} bytes of {want}")
        self.socket.close()


def follow(e, cid, reads):
    return Client(e, "GET", f"/containers/{cid}/logs?follow=1&stdout=1", reads)


def seconds(e, cid):
    """What the container's `time` has written: near the end of the log, as dockerd keeps no order between two pipes."""
    _, data = e.api("POST", f"/containers/{cid}/wait"), e.api("GET", f"/containers/{cid}/logs?stderr=1&tail=40000")
    return float(harness.frames(data)[-1][1])


def once(e, path, times=TIMES, follower=None, attached=False, log=None):
    cid = e.create(["time", "-f", "%e", "cat", *["/lines"] * times], Binds=[f"{path}:/lines:ro"], LogConfig=e.log if log is None else log)
    clients = [Client(e, "POST", f"/containers/{cid}/attach?stream=1&stdout=1", False)] if attached else []
    e.start(cid)
    if follower is not None:
        clients.append(follow(e, cid, follower))
    took = seconds(e, cid)
    for c in clients:
        c.close(times * FILE_MB * 10**6)
    e.remove(cid)
    return times * FILE_MB / took


def engines(b):
    """With data roots on tmpfs, each in a mount namespace of its own."""
    mount = f"mkdir -p {b.dir}/log/data; mount -t tmpfs none {b.dir}/log/data"
    kiln = b.start_kiln("kiln", "--data-root", b.dir + "/log/data", before=mount)
    docker = b.start_docker("log", before=mount)
    kiln.log = UNBOUND
    if docker:
        docker.log = {"Type": "json-file"}
    return [e for e in (kiln, docker) if e]


def suite_log(b):
    path, subjects, found = lines_file(b), {}, engines(b)
    for e in found:
        subjects[f"{e.name}: no follower"] = lambda e=e: once(e, path)
        subjects[f"{e.name}: a follower that reads"] = lambda e=e: once(e, path, follower=True)
        subjects[f"{e.name}: a follower that stands still"] = lambda e=e: once(e, path, follower=False)
    subjects["kiln: no follower, rotated as by default"] = lambda: once(found[0], path, log={})
    got = interleave(subjects, ROUNDS or 5, warm_up=1)
    held = FILE_MB / once(found[0], path, times=1, attached=True)
    return report(got, "MB/s", [
        f"kiln: {median(got['kiln: no follower']):.0f} MB/s without a follower (the bar is 150), "
        f"{median(got['kiln: a follower that stands still']):.0f} with one that stands still",
        f"An attached client that reads nothing holds the writer up for {held:.1f} s; then it is dropped"], "Lines of 200 bytes")
