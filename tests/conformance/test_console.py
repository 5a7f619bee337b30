# SPDX-License-Identifier: Apache-2.0
"""Terminals: over the console socket, and relayed in the foreground."""
import array
import contextlib
import fcntl
import os
import pty
import select
import socket
import struct
import termios
import time

from contract import each
from harness import Failed, eq, eventually, has
from ociruntime import exit_code


class ConsoleSocket:
    def __init__(self, path):
        self.path = path
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(path)
        self.sock.listen(1)
        self.sock.settimeout(30)

    def receive(self):
        """Returns the descriptor and what came beside it."""
        with contextlib.closing(self.sock.accept()[0]) as conn:
            conn.settimeout(30)
            data, control, _flags, _addr = conn.recvmsg(4096, socket.CMSG_SPACE(4))
        fds = array.array("i")
        for _level, _type, body in control:
            fds.frombytes(body[:4])
        eq(len(fds), 1)
        return fds[0], data.decode()

    def close(self):
        self.sock.close()
        os.unlink(self.path)


def read_until(fd, words, timeout=30):
    text, deadline = "", time.monotonic() + timeout
    while words not in text:
        if not select.select([fd], [], [], max(0, deadline - time.monotonic()))[0]:
            raise Failed(f"{words!r} did not come: {text!r}")
        try:
            got = os.read(fd, 4096)
        except OSError:
            got = b""
        if not got:
            raise Failed(f"{words!r} did not come before the end: {text!r}")
        text += got.decode(errors="replace")
    return text


def set_size(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def terminal_bundle(rt, *args):
    b = rt.bundle()
    b.config["process"]["terminal"] = True
    b.config["process"]["consoleSize"] = {"height": 31, "width": 97}
    return b.write(*args)


@each
def test_console_socket_gets_the_master(rt):
    b = terminal_bundle(rt, "sh", "-c", "stty size; tty; test -c /dev/console && read x; echo got:$x; exit 4")
    console = ConsoleSocket(b.dir + "/console")
    pid = rt.create(b, "--console-socket", console.path)
    master, name = console.receive()
    if not name:
        raise Failed("no name came beside it")
    rt.call("start", b.id)
    has(read_until(master, "/dev/pts/0" if rt.is_kiln else "/dev/"), "31 97")
    os.write(master, b"hello\n")
    read_until(master, "got:hello")
    eq(exit_code(pid), 4)
    os.close(master)
    console.close()
    rt.call("delete", b.id)


@each
def test_console_socket_and_terminal_belong_together(rt):
    b = terminal_bundle(rt, "true")
    rt.fails("create", "--bundle", b.dir, b.id)
    rt.fails("create", "--bundle", b.dir, "--console-socket", b.dir + "/nosuch", b.id)
    eq(rt.ids(), [])
    b.config["process"]["terminal"] = False
    b.write()
    console = ConsoleSocket(b.dir + "/console")
    if rt.name != "crun":
        rt.fails("create", "--bundle", b.dir, "--console-socket", console.path, b.id)
        eq(rt.ids(), [])
    console.close()


class Foreground:
    """A command with a terminal of its own as its standard streams."""

    def __init__(self, rt, *args, size=(40, 120)):
        self.master, self.slave = pty.openpty()
        set_size(self.master, *size)
        self.before = termios.tcgetattr(self.slave)
        self.proc = rt.popen(*args, stdin=self.slave, stdout=self.slave, stderr=self.slave, start_new_session=True,
                             preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def is_raw(self):
        return not termios.tcgetattr(self.slave)[3] & (termios.ICANON | termios.ECHO)

    def close(self, code):
        eq(self.proc.wait(60), code)
        eq(termios.tcgetattr(self.slave), self.before, "the terminal afterwards")
        os.close(self.master)
        os.close(self.slave)


@each
def test_run_with_a_terminal(rt):
    b = terminal_bundle(rt, "sh", "-c", "echo ready; while read x; do case $x in q) exit 6;; *) stty size; echo got:$x;; esac; done")
    t = Foreground(rt, "run", "--bundle", b.dir, b.id)
    read_until(t.master, "ready")
    eq(t.is_raw(), True)
    os.write(t.master, b"hello\r")
    text = read_until(t.master, "got:hello")
    has(text, "40 120" if rt.name != "crun" else "31 97")     # that of the configuration, or of where it runs
    set_size(t.master, 50, 90)
    if rt.name != "crun":
        eventually("the size is passed on", lambda: os.write(t.master, b"s\r") and "50 90" in read_until(t.master, "got:s"))
    os.write(t.master, b"q\r")
    t.close(6)


@each
def test_exec_with_a_terminal(rt):
    b = rt.bundle("sleep", "1000")
    rt.create(b)
    rt.call("start", b.id)
    t = Foreground(rt, "exec", "-t", b.id, "sh", "-c", "test -t 0 && test -t 1 && test -t 2 && echo all; read x; echo got:$x; exit 5")
    read_until(t.master, "all")
    os.write(t.master, b"hello\r")
    read_until(t.master, "got:hello")
    t.close(5)
    console = ConsoleSocket(b.dir + "/console")
    rt.call("exec", "--tty", "--detach", "--pid-file", b.dir + "/p", "--console-socket", console.path, b.id, "sh", "-c", "echo there; read x; echo got:$x")
    master, _name = console.receive()
    read_until(master, "there")
    os.write(master, b"hello\n")
    read_until(master, "got:hello")
    # its pid namespace does not end before somebody has reaped it
    with open(b.dir + "/p") as f:
        eq(exit_code(int(f.read())), 0)
    os.close(master)
    console.close()
    rt.call("delete", "--force", b.id)


@each
def test_output_of_a_terminal_is_whole(rt):
    """What the program wrote last is not lost when it ends at once."""
    b = terminal_bundle(rt, "sh", "-c", "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; printf last")
    p = rt.popen("run", "--bundle", b.dir, b.id) if rt.is_kiln else None
    if p is None:       # the others want a terminal for that
        t = Foreground(rt, "run", "--bundle", b.dir, b.id)
        read_until(t.master, "last")
        t.close(0)
        return
    out, _err = p.communicate(timeout=60)
    eq((out.count("line "), out.endswith("last"), p.returncode), (2000, True, 0))
