# SPDX-License-Identifier: Apache-2.0
"""Annotations that crun gives a meaning to (run.oci.…), and what the specification has that means nothing any more."""
import os
import socket

from contract import each
from harness import eq, has
from test_agent import UMASK, agent, left_to


def not_by_runc(fn):
    """It knows none of them."""
    def test(rt):
        if rt.name != "runc":
            fn(rt)
    test.__name__, test.__doc__, test.__module__ = fn.__name__, fn.__doc__, fn.__module__
    return each(test)


@not_by_runc
def test_annotations_of_crun(rt):
    b = rt.bundle()
    b.config["annotations"] = {"run.oci.keep_original_groups": "1"}
    eq(set(rt.call("run", "--bundle", b.write("id", "-G").dir, b.id, extra_groups=[4711, 4712]).out.split()), {"0", "4711", "4712"})
    b.config["annotations"] = {}
    eq(set(rt.call("run", "--bundle", b.write("id", "-G").dir, b.id, extra_groups=[4711, 4712]).out.split()), {"0"})

    b.config["annotations"] = {f"run.oci.hooks.{name}": os.path.join(b.dir, name) for name in ("stdout", "stderr")}
    b.config["hooks"] = {kind: [{"path": "/bin/sh", "args": ["sh", "-c", f"echo {kind}; echo error >&2"]}] for kind in ("prestart", "createContainer", "poststop")}
    rt.call("run", "--bundle", b.write("true").dir, b.id)
    for name, want in (("stdout", "prestart\ncreateContainer\npoststop\n"), ("stderr", 3 * "error\n")):
        with open(os.path.join(b.dir, name)) as f:
            eq(f.read(), want)
    if rt.is_kiln:
        b.config["annotations"] = {"run.oci.hooks.stdout": b.dir}
        has(rt.fails("create", "--bundle", b.write("true").dir, b.id), f"its output cannot go to {b.dir}")
    del b.config["hooks"]

    b.config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["nosuch"], "action": "SCMP_ACT_ERRNO"}]}
    b.config["annotations"] = {}
    rt.call("run", "--bundle", b.write("true").dir, b.id)
    b.config["annotations"] = {"run.oci.seccomp_fail_unknown_syscall": "1"}
    has(rt.fails("create", "--bundle", b.write("true").dir, b.id), "nosuch")
    eq(rt.ids(), [])


@not_by_runc
def test_receivers_of_crun(rt):
    """Of a pidfd, and of the listener where listenerPath does not say it."""
    with agent(rt) as a, socket.socket(socket.AF_UNIX) as s:
        path = os.path.join(rt.dir, "pidfd.sock")
        s.bind(path)
        s.listen()
        s.settimeout(30)
        b = left_to(a, rt.bundle())
        del b.config["linux"]["seccomp"]["listenerPath"]
        b.config["annotations"] = {"run.oci.seccomp.receiver": a.path, "run.oci.pidfd_receiver": path}
        pid = rt.create(b.write("sleep", "1000"))
        conn = s.accept()[0]
        _, (fd,), _, _ = socket.recv_fds(conn, 100, 1)
        with open(f"/proc/self/fdinfo/{fd}") as f:
            has(f.read(), f"Pid:\t{pid}\n")
        os.close(fd)
        conn.close()
        rt.call("start", b.id)
        if rt.is_kiln:      # crun 1.8 does not look at the annotation here
            eq(rt.call("exec", b.id, "sh", "-c", "umask").out, UMASK)
        eq(a.messages[0]["fds"], ["seccompFd"])


@each
def test_labels_of_mounts_and_limits_of_kernel_memory_have_no_effect(rt):
    """SELinux is not on where this runs, and no kernel has these limits: warnings."""
    b = rt.bundle()
    if rt.is_kiln or os.path.isdir("/sys/fs/cgroup/memory"):
        b.config["linux"]["resources"]["memory"] = {"kernel": 1 << 30, "kernelTCP": 1 << 30}
    if rt.name != "runc":
        b.config["linux"]["mountLabel"] = "system_u:object_r:container_file_t:s0"
    p = rt.call("run", "--bundle", b.write("true").dir, b.id)
    if rt.is_kiln:
        has(p.err, "linux.mountLabel: ")
        has(p.err, "memory.kernel, kernelTCP: ")
        b.config["linux"].pop("mountLabel")
        rt.create(b.write("sleep", "1000"))
        limits = os.path.join(b.dir, "limits")
        with open(limits, "w") as f:
            f.write('{"memory": {"kernel": 1073741824}}')
        has(rt.call("update", "--resources", limits, b.id).err, "memory.kernel, kernelTCP: ")
