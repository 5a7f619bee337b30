# SPDX-License-Identifier: Apache-2.0
"""kiln on a terminal, and where there is none: sizes, keys, signals, colour, progress; the terminal is as it was, however it ends."""
import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import harness
from harness import Failed, eq, eventually, has

KILN = harness.BUILD + "/kiln"
NET = ["--network", "none"]


class Terminal:
    """kiln as the only process of a terminal of its own, 24 lines of 80 columns at first."""

    def __init__(self, k, *args, env=None):
        master, slave = pty.openpty()
        self.fd, self.k = master, k
        self.resize(24, 80)
        self.before = termios.tcgetattr(slave)
        self.p = subprocess.Popen([KILN, *args], stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                                  env={"PATH": os.environ["PATH"], "KILN_HOST": "unix://" + k.socket, "TERM": "xterm", **(env or {})},
                                  preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.slave, self.got = slave, b""

    def resize(self, lines, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def read(self, want, timeout=20):
        """Reads until a regular expression has come since the last read."""
        deadline = time.monotonic() + timeout * (3 if harness.IS_SANITIZED else 1)
        while not re.search(want.encode(), self.got):
            if time.monotonic() > deadline:
                raise Failed(f"{want!r} did not come: {self.got!r}")
            if select.select([self.fd], [], [], 0.2)[0]:
                with contextlib.suppress(OSError):
                    self.got += os.read(self.fd, 65536)
        got, self.got = self.got, b""
        return got.decode(errors="replace")

    def type(self, text, want):
        os.write(self.fd, text.encode())
        return self.read(want)

    def is_raw(self):
        return not termios.tcgetattr(self.slave)[3] & termios.ICANON

    def ends(self, status):
        """Waits for the end; the terminal must be as it was before."""
        eventually("kiln ends", lambda: self.p.poll() is not None, timeout=30)
        eq(self.p.returncode, status, "exit status")
        eq(termios.tcgetattr(self.slave), self.before, "the terminal is as it was")
        os.close(self.fd)
        os.close(self.slave)


def test_kiln_run_on_a_terminal(k):
    k.busybox()
    t = Terminal(k, "run", "--rm", "-it", *NET, "busybox", "sh")
    t.type("stty size; echo do''ne\n", "24 80\r\ndone")
    eq(t.is_raw(), True)
    t.resize(33, 101)
    os.kill(t.p.pid, signal.SIGWINCH)
    t.type("until stty size | grep '33 101'; do sleep 0.05; done; echo ch''anged\n", "33 101\r\n(?s:.*)changed")
    t.type("sh -c 'trap \"echo cau\"ght\"; exit\" INT; echo go; while :; do sleep 0.05; done'\n", "\r\ngo")
    t.type("\x03", "caught")                        # ctrl-c is the program's
    t.type("test -t 0 && test -t 1 && exit 42\n", "exit 42")
    t.ends(42)


def test_kiln_exec_on_a_terminal(k):
    k.run("-d", "--name", "box", "--", "sleep", "1000")
    t = Terminal(k, "exec", "-it", "box", "sh")
    t.type("stty size\n", "24 80")
    t.resize(40, 90)
    os.kill(t.p.pid, signal.SIGWINCH)
    t.type("until stty size | grep '40 90'; do sleep 0.05; done; echo ch''anged\n", "changed")
    t.type("exit 7\n", "exit 7")
    t.ends(7)


def test_kiln_restores_the_terminal_when_a_signal_ends_it(k):
    k.run("-d", "--name", "box", "--", "sleep", "1000")
    k.run("-d", "--name", "tty", "-it", "--", "sh")
    for signo in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGABRT):
        t = Terminal(k, "exec", "-it", "box", "cat")
        eventually("raw", t.is_raw)
        os.kill(t.p.pid, signo)
        t.ends(-signo)
    t = Terminal(k, "attach", "--sig-proxy=false", "tty")
    eventually("raw", t.is_raw)
    os.kill(t.p.pid, signal.SIGTERM)
    t.ends(-signal.SIGTERM)
    eq(k.state("tty")["Running"], True)


def test_kiln_detaches_by_keys(k):
    k.run("-d", "--name", "tty", "-it", "--", "sh")
    t = Terminal(k, "attach", "tty")
    t.type("echo one$((1))\n", "one1")
    t.type("\x10\x11", "")
    t.ends(0)
    t = Terminal(k, "attach", "--detach-keys", "ctrl-x,x", "tty")
    t.type("echo t''wo\n", "two")
    t.type("\x10\x11", "")
    t.type("echo th''ree\n", "three")               # the usual keys are not these
    t.type("\x18x", "")
    t.ends(0)
    t = Terminal(k, "exec", "-it", "tty", "sh")
    t.type("echo fo''ur\n", "four")
    t.type("\x10\x11", "")
    t.ends(0)
    eq(k.state("tty")["Running"], True)


def test_kiln_start_attached_on_a_terminal(k):
    k.docker("create", "--name", "later", "-it", *NET, k.busybox(), "sh")
    t = Terminal(k, "start", "-ai", "later")
    t.type("exit 3\n", "exit 3")
    t.ends(3)


def test_kiln_run_outlives_the_daemon(own):
    """The session is the monitor's: a daemon that is killed and comes back is not noticed, and the exit status is told."""
    own.start()
    own.busybox()
    t = Terminal(own, "run", "--name", "box", "-it", *NET, "busybox", "sh")
    t.type("echo o''ne\n", "one")
    own.kill9()
    t.type("echo t''wo\n", "two")
    own.start()
    t.type("exit 5\n", "exit 5")
    t.ends(5)


def test_kiln_run_tells_that_the_daemon_is_gone(own):
    own.start()
    own.busybox()
    t = Terminal(own, "run", "--name", "box", "-it", *NET, "busybox", "sh")
    t.type("echo o''ne\n", "one")
    launcher = own.launcher_pid()
    own.kill9()
    for pid in [launcher, *harness.descendants_of(launcher)]:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    t.read("the daemon went away before it told how the container ended: no kilnd answers at")
    t.ends(125)


def test_kiln_attach_passes_signals_on(k):
    k.run("-d", "--name", "trap", "--", "sh", "-c", "trap 'echo got; exit 9' USR1; echo up; while :; do sleep 0.05; done")
    eventually("up", lambda: "up" in k.kiln("logs", "trap").stdout)
    env = dict(os.environ, KILN_HOST="unix://" + k.socket)
    p = subprocess.Popen([KILN, "attach", "--no-stdin", "--sig-proxy=false", "trap"], env=env, stdin=subprocess.DEVNULL)
    eventually("attached", lambda: f"pid={p.pid} " in k.log_tail(20000))
    p.terminate()
    eq(p.wait(20), -signal.SIGTERM)
    eq(k.state("trap")["Running"], True)
    p = subprocess.Popen([KILN, "attach", "--no-stdin", "trap"], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    eventually("attached", lambda: f"pid={p.pid} " in k.log_tail(20000))
    eventually("the signal is passed on", lambda: p.poll() is not None or p.send_signal(signal.SIGUSR1), every=0.3)
    eq((p.stdout.read(), p.wait(20)), ("got\n", 9))


# ---- what depends on where the output goes ----------------------------------------------------------

def test_kiln_colours_on_a_terminal_only(k):
    t = Terminal(k, "system", "check")
    out = t.read("to look at, [0-9]+ failed")
    has(out, "\x1b[32mok   \x1b[0m kernel")
    t.ends(t.p.wait(20))
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        t = Terminal(k, "system", "check", env=env)
        out = t.read("to look at, [0-9]+ failed")
        eq("\x1b" in out, False, str(env))
        t.ends(t.p.wait(20))
    eq("\x1b" in k.kiln("system", "check", check=False).stdout, False, "a pipe")


def load_slowly(k, stderr, pause, args=("load",)):
    """Feeds an archive with a pause in the middle; returns (exit status, stdout)."""
    archive = harness.busybox_archive("slow:1")
    p = subprocess.Popen([KILN, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr,
                         env=dict(os.environ, KILN_HOST="unix://" + k.socket, TERM="xterm"))
    p.stdin.write(archive[:len(archive) // 2])
    p.stdin.flush()
    time.sleep(pause)
    for at in range(len(archive) // 2, len(archive), 65536):
        p.stdin.write(archive[at:at + 65536])
        p.stdin.flush()
    p.stdin.close()
    return p.wait(60), p.stdout.read().decode()


def test_kiln_load_shows_how_far_it_is(k):
    """On a terminal, when it takes more than a second."""
    master, slave = pty.openpty()
    os.set_blocking(master, False)

    def shown():
        with contextlib.suppress(BlockingIOError):
            return os.read(master, 65536).decode()
        return ""
    try:
        eq(load_slowly(k, slave, 1.2), (0, "Loaded image: slow:1\n"))
        out = shown()
        has(out, "\rLoading ")
        has(out, "MB, ")
        eq(out.endswith("\r\x1b[K"), True, f"the line is taken away: {out!r}")
        eq(load_slowly(k, slave, 0), (0, "Loaded image: slow:1\n"))
        eq(shown(), "", "what is quick")
        eq(load_slowly(k, slave, 1.2, ("load", "-q")), (0, "Loaded image: slow:1\n"))
        eq(shown(), "", "-q")
    finally:
        os.close(slave)
        os.close(master)
    p = subprocess.run([KILN, "load"], input=harness.busybox_archive("slow:1"), capture_output=True, env=dict(os.environ, KILN_HOST="unix://" + k.socket))
    eq((p.returncode, p.stdout, p.stderr), (0, b"Loaded image: slow:1\n", b""))


def test_kiln_writes_where_it_should_or_says_so(k):
    k.run("--name", "talk", "--", "sh", "-c", "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done")
    env = f"KILN_HOST=unix://{k.socket}"

    def sh(line):
        return subprocess.run(["bash", "-c", f"export {env}; {line}"], capture_output=True, text=True)
    for command in ("ps -a", "logs talk", "inspect talk", "images", "save busybox"):
        p = sh(f"{KILN} {command} > /dev/full")
        eq(p.returncode, 1, command)
        has(p.stderr, "o space left on device", command)
        p = sh(f"{KILN} {command} >&-")                      # a closed descriptor is not the socket's
        eq(p.returncode, 1, command)
        has(p.stderr.lower(), "bad file descriptor", command)
    p = sh(f"{KILN} logs talk | head -1; echo ${{PIPESTATUS[0]}}")
    eq(p.stdout, "line 0\n141\n", "the reader goes away")
    eq(p.stderr, "")
    eq(sh(f"{KILN} ps -aq 2>&- <&-").returncode, 0)
    has(sh(f"{KILN} load <&-").stderr.lower(), "bad file descriptor")
    eq(sh(f"timeout -s INT 1 {KILN} logs -f talk >/dev/null; echo $?").returncode, 0)
