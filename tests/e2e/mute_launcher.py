#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A kiln-runtime whose launcher makes nothing: each launch ends in its exit record, and nobody ever said that it began.

That is what is left of a start whose monitor is killed right after the clone. Other roles are the real program's, whose
path is in the file beside this one's copy (see test_unseen.py). Where a file "newer" is there too, the first launcher
says that it is of the next build, and renames it to "replaced" when it is told to end.
"""
import os
import socket
import struct
import sys
import time
import zlib

HELLO, LAUNCH, CLEAN, CLEANED, SHUTDOWN = 1, 2, 4, 5, 6
HERE = os.path.dirname(os.path.abspath(__file__))
REAL, NEWER, REPLACED = (os.path.join(HERE, name) for name in ("real", "newer", "replaced"))
EXIT_CODE = 7


def end(fd):
    """The record as the real launcher writes it for an orphan."""
    now = time.time_ns()
    body = struct.pack("=IHHiiQqqBB2s", 0x4b4c4e58, 1, 2, 1, EXIT_CODE, 1, now, now, 0, 0, b"")
    os.pwrite(fd, (body + struct.pack("=I40s", zlib.crc32(body), b"")).ljust(512, b"\0"), 0)


def hello(data):
    build = data[8:].rstrip(b"\0") + (b".1" if os.path.exists(NEWER) else b"")
    return data[:8] + build.ljust(len(data) - 8, b"\0")


def serve(conn, path):
    while True:
        data, fds, _flags, _addr = socket.recv_fds(conn, 16384, 64)
        if not data:
            return
        kind = struct.unpack("=HHI", data[:8])[1]
        if kind == HELLO:
            conn.send(hello(data))
        elif kind == SHUTDOWN:
            os.rename(NEWER, REPLACED)
            os.unlink(path)
            sys.exit(0)
        elif kind == LAUNCH:
            end(fds[1])
        elif kind == CLEAN:
            conn.send(struct.pack("=HHI", 1, CLEANED, len(data)) + data[8:])
        for fd in fds:
            os.close(fd)


def main():
    if sys.argv[1] != "launcher":
        os.execv(os.readlink(REAL), ["kiln-runtime", *sys.argv[1:]])
    path = sys.argv[sys.argv.index("--exec-root") + 1] + "/l/launcher.sock"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen()
    while True:
        serve(listener.accept()[0], path)


main()
