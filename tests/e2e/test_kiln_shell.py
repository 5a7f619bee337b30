# SPDX-License-Identifier: Apache-2.0
"""Completion of kiln in real shells on a terminal, with the names that the daemon knows."""
import os
import pty
import re
import select
import shutil
import signal
import time

import harness
from harness import Failed, Skip, has

SCRIPTS = os.path.join(harness.ROOT, "contrib/completion")


class Shell:
    """An interactive shell on a terminal of its own."""

    def __init__(self, k, argv, setup):
        env = dict(os.environ, KILN_HOST="unix://" + k.socket, TERM="dumb", HOME=k.dir, PATH=harness.BUILD + ":" + os.environ["PATH"], LC_ALL="C")
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(argv[0], argv, env)
        self.type(setup + "; echo RE''ADY\n", "READY")

    def type(self, text, want, timeout=20):
        """Types and reads until `want` (a regular expression) has come; returns all that came."""
        os.write(self.fd, text.encode())
        got, deadline = b"", time.monotonic() + timeout * (3 if harness.IS_SANITIZED else 1)
        while not re.search(want.encode(), got):
            if time.monotonic() > deadline:
                raise Failed(f"typed {text!r}: {want!r} did not come: {got!r}")
            if select.select([self.fd], [], [], 0.2)[0]:
                got += os.read(self.fd, 65536)
        return got.decode(errors="replace")

    def completes(self, line, want):
        """Types a line and TAB on an empty prompt; the line must become `want`."""
        self.type(line + "\t", re.escape(want))
        self.type("\x15" + "echo NE''XT\n", "NEXT")

    def offers(self, line, *want):
        """Types a line and TAB twice; the candidates must be shown."""
        out = self.type(line + "\t\t", ".*".join(map(re.escape, want)).replace(".*", "(?s:.*)"))
        self.type("\x15" + "echo NE''XT\n", "NEXT")
        return out

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def set_the_stage(k):
    k.run("-d", "--name", "web-one", "--", "sleep", "1000")
    k.run("--name", "ended", "--", "true")
    k.docker("tag", "busybox", "registry.example:5000/team/thing:1.0")


def complete_all(shell):
    shell.completes("kiln unp", "kiln unpause ")
    shell.completes("kiln run --netw", "kiln run --network ")
    shell.completes("kiln exec w", "kiln exec web-one ")
    shell.completes("kiln rm end", "kiln rm ended ")
    shell.completes("kiln run registry.ex", "kiln run registry.example:5000/team/thing:1.0 ")
    shell.completes("kiln run registry.example:5000/team/th", "kiln run registry.example:5000/team/thing:1.0 ")
    shell.completes("kiln run --network container:we", "kiln run --network container:web-one ")
    shell.completes("kiln ps --filter=sta", "kiln ps --filter=status=")
    shell.completes("kiln container prun", "kiln container prune ")
    shell.completes("kiln kill -s WIN", "kiln kill -s WINCH ")
    shell.completes(f"kiln load -i {SCRIPTS}/kiln.b", f"kiln load -i {SCRIPTS}/kiln.bash ")
    shell.offers("kiln r", "rename", "restart", "rm", "rmi", "run")
    shell.offers("kiln rm ", "ended", "web-one")
    shell.offers("kiln ps --no-trunc --la", "--last", "--latest")


def test_kiln_completes_in_bash(k):
    set_the_stage(k)
    shell = Shell(k, ["bash", "--norc", "--noprofile", "-i"], f"bind 'set enable-bracketed-paste off'; PS1='> '; source {SCRIPTS}/kiln.bash")
    try:
        complete_all(shell)
    finally:
        shell.close()


def test_kiln_completes_in_zsh(k):
    if not shutil.which("zsh"):
        raise Skip("zsh is not installed")
    set_the_stage(k)
    shell = Shell(k, ["zsh", "-f", "-i"], "unset zle_bracketed_paste; PROMPT='> '; autoload -U compinit; compinit -D -u; source <(kiln completion zsh)")
    try:
        complete_all(shell)
    finally:
        shell.close()


def test_kiln_completion_of_a_dead_daemon_is_quick(own):
    own.start()
    own.busybox()
    os.kill(own.proc.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        p = own.kiln("__complete", "rm", "", check=False)
        took = time.monotonic() - began
        if took > 10:
            raise Failed(f"a daemon that hangs holds up the shell for {took:.1f} s")
        harness.eq(p.stdout, "", "nothing is offered")
    finally:
        os.kill(own.proc.pid, signal.SIGCONT)
    own.terminate()
    harness.eq(own.kiln("__complete", "rm", "", check=False).stdout, ":words\n")
    has(own.kiln("__complete", "r").stdout, "run\tCreate a container")
