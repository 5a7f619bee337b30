# SPDX-License-Identifier: Apache-2.0
"""Who may use kiln: members of the socket's group; what the others are told, and those who find no daemon."""
import os
import shutil
import subprocess

import harness
from harness import Skip, eq, has

KILN = harness.BUILD + "/kiln"
NOBODY, STAFF = 65534, 50      # of Debian's base-passwd


def start_with_group(own, group):
    if not shutil.which("setpriv"):
        raise Skip("setpriv is not installed")
    own.extra_args = ["--group", group]
    own.start()
    os.chmod(own.dir, 0o711)
    shutil.copy(KILN, own.dir + "/kiln")       # where the build is may be for root only
    own.busybox()


def as_nobody(own, *args, groups=None):
    return subprocess.run(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", f"--groups={groups}" if groups else "--clear-groups", "--inh-caps=-all",
                           own.dir + "/kiln", "-H", "unix://" + own.socket, *args], capture_output=True, text=True, timeout=60, cwd="/",
                          stdin=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]})


def test_kiln_is_for_members_of_the_group(own):
    start_with_group(own, "staff")
    eq((os.stat(own.socket).st_gid, os.stat(own.socket).st_mode & 0o777), (STAFF, 0o660))
    p = as_nobody(own, "run", "--rm", "--network", "none", "busybox", "id", "-u", groups=STAFF)
    eq((p.returncode, p.stdout, p.stderr), (0, "0\n", ""))
    eq(as_nobody(own, "ps", "-a", "--format", "json", groups=STAFF).returncode, 0)
    has(own.log_tail(20000), f'audit uid={NOBODY} ')
    p = as_nobody(own, "ps")
    eq((p.returncode, p.stdout), (1, ""))
    eq(p.stderr, f"cannot use the socket '{own.socket}': permission denied: it is root:staff, mode 0660; be a member of group 'staff' "
                 "('sudo usermod -aG staff $USER', then log in again), or root\n")
    p = as_nobody(own, "system", "check")
    eq(p.returncode, 1)
    has(p.stdout, f"{own.socket} belongs to root:staff, mode 0660: you may not use it")


def test_kiln_without_a_group_is_for_root(own):
    start_with_group(own, "no-such-group")
    p = as_nobody(own, "version")
    eq(p.returncode, 1)
    has(p.stdout, "Client: Kiln")
    has(p.stderr, f"cannot use the socket '{own.socket}': permission denied: it is root:root, mode 06")
    has(p.stderr, "be root, or let kilnd have a group for it")


def kiln(*args, **env):
    return subprocess.run([KILN, *args], env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def test_kiln_without_a_daemon_says_what_to_do():
    p = kiln("ps", KILN_HOST="unix:///nonexistent/k.sock", DOCKER_HOST="unix:///other")
    eq((p.returncode, p.stdout), (1, ""))
    eq(p.stderr, "no kilnd answers at 'unix:///nonexistent/k.sock', as KILN_HOST says: there is no such socket; start kilnd "
                 "('sudo systemctl start kilnd', or 'sudo kilnd'), or say where it listens with --host or KILN_HOST\n")
    has(kiln("ps", DOCKER_HOST="unix:///nonexistent").stderr, "at 'unix:///nonexistent', as DOCKER_HOST says: there is no such socket")
    has(kiln("ps", DOCKER_HOST="tcp://127.0.0.1:2375").stderr, "host 'tcp://127.0.0.1:2375', as DOCKER_HOST says: only unix:// sockets are known")
    has(kiln("-H", "unix:///etc/passwd", "ps").stderr, "no kilnd answers at 'unix:///etc/passwd': that is no socket")
    has(kiln("run", "x", KILN_HOST="unix:///nonexistent").stderr, "kiln: no kilnd answers at")
    eq(kiln("run", "x", KILN_HOST="unix:///nonexistent").returncode, 125)
    eq(kiln("health", KILN_HOST="unix:///nonexistent").returncode, 1)
    p = kiln("version", KILN_HOST="unix:///nonexistent")
    eq(p.returncode, 1)
    has(p.stdout, "Client: Kiln\n Version:")


def test_kiln_at_a_socket_without_a_listener_says_so(own):
    own.start()
    own.kill9()
    has(own.kiln("ps", check=False).stderr, "the socket is there, but nobody listens; start kilnd")
