# SPDX-License-Identifier: Apache-2.0
"""exec and terminals of kiln-runtime's command line: what no contract with other runtimes asks for."""
import array
import ctypes
import os
import socket
import subprocess

from harness import cgroup_dirs, eq, eventually, has, is_alive
from ociruntime import exit_code
from test_front import is_open, kiln

KEYCTL, GET_KEYRING_ID, JOIN_SESSION_KEYRING, SETPERM = 250, 0, 1, 5      # of x86-64


def started(rt, *args):
    b = rt.bundle(*(args or ("sleep", "1000")))
    b.pid = rt.create(b)
    rt.call("start", b.id)
    return b


def test_front_exec_leaves_what_is_the_callers_outside():
    with kiln() as rt:
        b = started(rt)
        secret = os.open("/etc/hostname", os.O_RDONLY)
        os.dup2(secret, 77)
        p = rt.call("exec", b.id, "sh", "-c", "ls /proc/self/fd", close_fds=False)
        eq([fd for fd in p.out.split() if fd != "3"], ["0", "1", "2"])      # 3 is ls's own
        for fd in (secret, 77):
            os.close(fd)


def test_front_exec_preserves_descriptors():
    with kiln() as rt:
        b = started(rt)
        r, w = os.pipe()
        runner = f"import os, sys; os.dup2({w}, 3); os.set_inheritable(3, True); os.execv(sys.argv[1], sys.argv[1:])"
        p = subprocess.run(["/usr/bin/python3", "-c", runner, *rt.program, "--root", rt.root, "exec", "--preserve-fds", "1", b.id, "sh", "-c",
                            "echo through >&3; ls /proc/self/fd"], pass_fds=[w], capture_output=True, text=True, timeout=60)
        os.close(w)
        eq((p.returncode, os.read(r, 100)), (0, b"through\n"), p.stderr)
        os.close(r)
        eq(is_open(w), False)


def test_front_exec_into_groups_below():
    with kiln() as rt:
        b = started(rt)
        for d in cgroup_dirs(b.cgroup):
            os.mkdir(d + "/sub")
            for name in ("cpuset.cpus", "cpuset.mems"):
                if "/cpuset/" in d + "/":
                    with open(f"{d}/{name}") as f, open(f"{d}/sub/{name}", "w") as g:
                        g.write(f.read())
        eq(set(of_groups(rt, b, "--cgroup", "sub").values()), {f"{b.cgroup}/sub"})
        eq(set(of_groups(rt, b, "--cgroup", "/").values()), {b.cgroup})
        if not os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
            groups = of_groups(rt, b, "--cgroup", "memory,pids:/sub/")
            eq((groups["memory"], groups["pids"], groups["devices"]), (f"{b.cgroup}/sub", f"{b.cgroup}/sub", b.cgroup))
        else:
            has(rt.fails("exec", "--cgroup", "memory:sub", b.id, "true"), "v1")
        for bad in ("../x", "sub/../..", "nosuch", "nosuch:sub"):
            rt.fails("exec", "--cgroup", bad, b.id, "true")


def of_groups(rt, b, *options):
    """Controller to group of a program executed with these options, without hierarchies that belong to nobody here."""
    pid_file = b.dir + "/exec-pid"
    rt.call("exec", "--detach", "--pid-file", pid_file, *options, b.id, "sleep", "1000")
    with open(pid_file) as f:
        pid = int(f.read())
    with open(f"/proc/{pid}/cgroup") as f:
        lines = [line.rstrip("\n").split(":", 2) for line in f]
    os.kill(pid, 9)
    exit_code(pid)
    return {c: path for _n, names, path in lines for c in names.split(",") if not c.startswith("name=")}


def test_front_pidfd_sockets():
    with kiln() as rt:
        b = rt.bundle("sleep", "1000")
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(rt.dir + "/pidfd")
        sock.listen(2)
        sock.settimeout(30)

        def receive():
            conn = sock.accept()[0]
            data, control, _flags, _addr = conn.recvmsg(100, socket.CMSG_SPACE(4))
            conn.close()
            fds = array.array("i", control[0][2][:4])
            with open(f"/proc/self/fdinfo/{fds[0]}") as f:
                pid = [int(line.split()[1]) for line in f if line.startswith("Pid:")][0]
            os.close(fds[0])
            return data, pid
        pid = rt.create(b, "--pidfd-socket", rt.dir + "/pidfd")
        eq(receive(), (b"standard", pid))
        rt.call("start", b.id)
        rt.call("exec", "-d", "--pid-file", b.dir + "/x", "--pidfd-socket", rt.dir + "/pidfd", b.id, "sleep", "1000")
        with open(b.dir + "/x") as f:
            eq(receive(), (b"setns", int(f.read())))
        sock.close()


def test_front_exec_takes_long_lines():
    with kiln() as rt:
        b = started(rt)
        words = [f"word{k}" for k in range(3000)]
        eq(rt.call("exec", b.id, "sh", "-c", "echo $#:$*", *["sh", *words]).out, f"3000:{' '.join(words)}\n")


def test_front_exec_refuses_by_name():
    with kiln() as rt:
        b = started(rt)
        for document, words in (("/etc/passwd", "--process"), ("/dev/zero", "no regular file"), ("/nosuch", "no such file")):
            has(rt.call("exec", "--process", document, b.id, code=255).err, words)
        for option, value, words in (("--process", "/etc/passwd", "--process"), ("--env", "A", "--env"),
                                     ("--additional-gids", "staff", "--additional-gids"), ("--preserve-fds", "-1", "--preserve-fds"),
                                     ("--pid-file", "/nosuch/pid", "--pid-file"), ("--console-socket", "/nosuch/s", "console socket")):
            out = rt.call("exec", option, value, b.id, "true", code=255).err
            has(out, words)
        eventually("nothing of it is left", lambda: len(rt.call("exec", b.id, "sh", "-c", "ls /proc | grep -c '^[0-9]'").out.split()) == 1)
        eq(is_alive(b.pid), True)


def test_front_run_without_pivot():
    with kiln() as rt:
        b = rt.bundle("sh", "-c", "ls /; ls /.. | head -1; pwd; cd /etc/../.. && pwd")
        p = rt.call("run", "--no-pivot", "--bundle", b.dir, b.id)
        eq(p.out.splitlines()[-3:], ["bin", "/", "/"])
        has(p.out, "etc\n")


def test_front_session_keyrings():
    """A new one, unless the caller's is asked for."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall(KEYCTL, JOIN_SESSION_KEYRING, None)
    serial = libc.syscall(KEYCTL, GET_KEYRING_ID, -3, 1)
    libc.syscall(KEYCTL, SETPERM, serial, 0x3f000000)      # only who possesses it sees it
    ours = f"{serial:08x}"
    with kiln() as rt:
        b = rt.bundle("sh", "-c", f"grep -c ^{ours} /proc/keys")
        eq(rt.call("run", "--bundle", b.dir, b.id, code=1).out, "0\n")
        eq(rt.call("run", "--no-new-keyring", "--bundle", b.dir, b.id).out, "1\n")
