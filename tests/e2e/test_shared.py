# SPDX-License-Identifier: Apache-2.0
"""Namespaces that a container shares with the host or with another container: --pid, --ipc, --uts, --cgroupns, --network container:X."""
import os
import signal

import harness
from harness import Failed, cgroup_dirs, eq, eventually, has
from test_options import sh
from test_survival import monitor_of


def ns(k, name, kind):
    return os.readlink(f"/proc/{k.state(name)['Pid']}/ns/{kind}")


def host_ns(kind):
    return os.readlink(f"/proc/self/ns/{kind}")


def processes_of(k, cid):
    """Everything in its control group; [] when the group is gone."""
    found = set()
    for d in cgroup_dirs(f"{k.cgroup_parent}/{cid}"):
        try:
            with open(d + "/cgroup.procs") as f:
                found |= {int(p) for p in f.read().split()}
        except OSError:
            pass
    return sorted(found)


def refused(k, *options, why, code=125):
    p = k.run("--rm", *options, "--", "true", check=False)
    eq(p.returncode, code, f"{options}: {p.stdout}{p.stderr}")
    has(p.stderr, why)


def start_status(k, host, want):
    cid = k.api_json("POST", "/containers/create", {"Image": k.busybox(), "Cmd": ["true"], "HostConfig": {"NetworkMode": "none", **host}}, want=201)["Id"]
    return k.api_json("POST", f"/containers/{cid}/start", want=want)["message"]


# ---- pid -------------------------------------------------------------------------------------------

def test_option_pid_host(k):
    out = sh(k, "--pid", "host", cmd="readlink /proc/self/ns/pid; echo $$; cat /proc/1/comm")
    eq((out.split()[0], out.split()[2]), (host_ns("pid"), open("/proc/1/comm").read().strip()))
    if out.split()[1] == "1":
        raise Failed("it is PID 1")
    # Kiln's own init is for who has a namespace of his own, as docker's is
    cid = k.run("-d", "--init", "--pid", "host", "--", "sleep", "1000").stdout.strip()
    eq(open(f"/proc/{k.state(cid)['Pid']}/comm").read(), "sleep\n")
    eq(k.inspect(cid)["HostConfig"]["PidMode"], "host")


def test_pid_host_processes_end_with_it(k):
    """There is no namespace whose end would take them along: its control group does."""
    cid = k.run("-d", "--pid", "host", "--restart", "on-failure:1", "--", "sh", "-c",
                "for i in 1 2 3; do setsid sleep 1000 & done; sleep 0.5; exit 3").stdout.strip()
    eventually("four of them", lambda: len(processes_of(k, cid)) >= 4)
    first = processes_of(k, cid)
    eventually("its end", lambda: k.state(cid)["Status"] == "exited" and k.inspect(cid)["RestartCount"] == 1)
    eq(k.state(cid)["ExitCode"], 3)
    eventually("the rest are gone", lambda: not processes_of(k, cid) and not any(harness.is_alive(p) for p in first))


def test_pid_host_exec_stop_kill_health(k):
    k.run("-d", "--name", "ph", "--pid", "host", "--health-cmd", "test -d /proc/1", "--health-interval", "200ms", "--", "sh", "-c",
          "setsid sleep 1000 & trap 'exit 7' TERM; while :; do sleep 0.1; done")
    eq(k.docker("exec", "ph", "readlink", "/proc/self/ns/pid").stdout.strip(), host_ns("pid"))
    eventually("healthy", lambda: k.state("ph")["Health"]["Status"] == "healthy")
    cid = k.inspect("ph")["Id"]
    k.docker("stop", "ph")
    eq(k.state("ph")["ExitCode"], 7)
    eventually("nothing is left", lambda: not processes_of(k, cid))
    k.docker("start", "ph")
    eventually("it has its child again", lambda: len(processes_of(k, cid)) >= 2)
    k.docker("kill", "ph")
    eventually("its end", lambda: k.state("ph")["Status"] == "exited")
    eq(k.state("ph")["ExitCode"], 137)
    eventually("nothing is left", lambda: not processes_of(k, cid))


def test_pid_host_sees_but_does_not_get_in(k):
    """It sees the host's processes; what they have open, where they are and what they know needs a power that it has not."""
    cid = k.run("-d", "--pid", "host", "--", "sleep", "1000").stdout.strip()
    for pid in (k.proc.pid, k.launcher_pid(), monitor_of(k, cid)):
        for path in (f"/proc/{pid}/root/", f"/proc/{pid}/cwd/", f"/proc/{pid}/fd/0", f"/proc/{pid}/environ", f"/proc/{pid}/mem", f"/proc/{pid}/ns/mnt"):
            p = k.docker("exec", cid, "sh", "-c", f"if [ -d {path} ]; then ls {path}; elif [ -h {path} ]; then readlink {path}; else head -c1 {path}; fi", check=False)
            if p.returncode == 0 and p.stdout.strip():
                raise Failed(f"{path}: {p.stdout}")
    eq(sh(k, "--pid", "host", cmd="cat /proc/kcore 2>/dev/null | head -c1; head -c1 /proc/keys"), "")


def test_pid_host_is_adopted(own):
    """kill -9 of kilnd, monitor and launcher: it is found again by its own process, and all of it ends when it is stopped."""
    k = own.start()
    k.run("-d", "--name", "ad", "--pid", "host", "--", "sh", "-c", "setsid sleep 1000 & trap 'exit 9' TERM; while :; do sleep 0.1; done")
    cid, pid = k.inspect("ad")["Id"], k.state("ad")["Pid"]
    eventually("its child", lambda: len(processes_of(k, cid)) >= 2)
    k.kill9()
    k.start()
    eq(k.state("ad")["Pid"], pid)
    os.kill(monitor_of(k, "ad"), signal.SIGKILL)
    eventually("degraded", lambda: "monitor died" in k.log_tail(20000))
    eq(k.docker("exec", "ad", "echo", "in").stdout, "in\n")
    os.kill(k.launcher_pid(), signal.SIGKILL)
    eventually("the next launcher", lambda: k.docker("exec", "ad", "true", check=False).returncode == 0)
    eq(k.state("ad")["Pid"], pid)
    k.docker("stop", "ad")
    eventually("nothing is left", lambda: not processes_of(k, cid))


def test_option_pid_container(k):
    k.run("-d", "--name", "xx", "--", "sleep", "1234")
    out = sh(k, "--pid", "container:xx", cmd="readlink /proc/self/ns/pid; cat /proc/1/cmdline | tr '\\0' ' '; echo; echo $$")
    eq(out.splitlines()[:2], [ns(k, "xx", "pid"), "sleep 1234 "])
    if out.splitlines()[2] == "1":
        raise Failed("it is PID 1")
    k.run("-d", "--name", "jj", "--pid", "container:xx", "--", "sh", "-c", "setsid sleep 4321 & sleep 1000")
    for name in ("xx", "jj"):
        eventually(f"{name} sees both", lambda n=name: all(s in k.docker("exec", n, "ps").stdout for s in ("sleep 1234", "sleep 1000", "sleep 4321")))
    # what it has started goes with it, and nobody else
    cid = k.inspect("jj")["Id"]
    k.docker("stop", "-t", "1", "jj")
    eventually("its processes are gone", lambda: not processes_of(k, cid))
    eq(k.state("xx")["Running"], True)
    eq("sleep 4321" in k.docker("exec", "xx", "ps").stdout, False)


def test_pid_container_ends_with_the_other(k):
    """The first process of a namespace takes all others along, whose containers end by SIGKILL, as docker's do."""
    k.run("-d", "--name", "x1", "--", "sleep", "1000")
    k.run("-d", "--name", "j1", "--pid", "container:x1", "--", "sleep", "1000")
    k.run("-d", "--name", "j2", "--restart", "always", "--pid", "container:x1", "--", "sleep", "1000")
    k.docker("kill", "x1")
    eventually("both have ended", lambda: k.state("j1")["Status"] == "exited" and k.state("j2")["Status"] == "restarting")
    eq(k.state("j1")["ExitCode"], 137)
    # with a policy it is tried again until the other is back
    eventually("it cannot yet", lambda: "cannot join PID of a non running container: x1" in k.state("j2")["Error"])
    k.docker("start", "x1")
    eventually("it is back", lambda: k.state("j2")["Status"] == "running")
    eq(ns(k, "j2", "pid"), ns(k, "x1", "pid"))
    k.docker("rm", "-f", "j2")


def test_joins_are_refused_in_dockers_words(k):
    k.docker("create", "--name", "made", "--network", "none", k.busybox())
    k.run("-d", "--name", "priv", "--", "sleep", "1000")
    k.run("-d", "--name", "loop", "--restart", "always", "--", "false")
    eventually("it restarts", lambda: k.state("loop")["Status"] == "restarting")
    refused(k, "--pid", "container:nosuch", why="No such container: nosuch")
    refused(k, "--ipc", "container:nosuch", why="No such container: nosuch")
    refused(k, "--pid", "container:made", why="cannot join PID of a non running container: made")
    refused(k, "--ipc", "container:made", why="cannot join IPC of a non running container: made")
    refused(k, "--ipc", "container:priv", why="non-shareable IPC (hint: use IpcMode:shareable for the donor container)")
    eq(start_status(k, {"PidMode": "container:made"}, 409).count("non running"), 1)
    eq(start_status(k, {"NetworkMode": "container:made"}, 409).count("non running"), 1)
    start_status(k, {"IpcMode": "container:priv"}, 500)
    if k.state("loop")["Status"] == "restarting":
        has(start_status(k, {"PidMode": "container:loop"}, 409), "container:loop"[10:])
    for field, mode in (("PidMode", "x"), ("PidMode", "container:"), ("IpcMode", "x"), ("IpcMode", "container:"), ("UTSMode", "container:priv"),
                        ("CgroupnsMode", "x"), ("UsernsMode", "private"), ("PidMode", "host:x"), ("NetworkMode", "container:")):
        body = {"Image": k.busybox(), "HostConfig": {"NetworkMode": "none", field: mode}}
        has(k.api_json("POST", "/containers/create", body, want=400)["message"], "mode")
    cid = k.api_json("POST", "/containers/create?name=self", {"Image": k.busybox(), "Cmd": ["true"], "HostConfig": {"NetworkMode": "none", "PidMode": "container:self"}}, want=201)["Id"]
    has(k.api_json("POST", f"/containers/{cid}/start", want=500)["message"], "cannot join own PID")


# ---- ipc -------------------------------------------------------------------------------------------

def test_option_ipc(k):
    eq(sh(k, "--ipc", "host", cmd="readlink /proc/self/ns/ipc").strip(), host_ns("ipc"))
    mark = f"/dev/shm/kiln-{os.getpid()}"
    with open(mark, "w") as f:
        f.write("of the host")
    try:
        eq(sh(k, "--ipc", "host", cmd=f"cat {mark}"), "of the host")
        eq(sh(k, cmd=f"ls {mark} 2>/dev/null; ls -d /dev/shm"), "/dev/shm\n")
    finally:
        os.unlink(mark)
    p = k.run("--rm", "--ipc", "none", "--", "sh", "-c", "readlink /proc/self/ns/ipc; ls -d /dev/shm", check=False)
    has(p.stderr, "/dev/shm: No such file")
    eq(p.stdout.strip() == host_ns("ipc"), False)
    eq(k.inspect(k.docker("create", "--network", "none", "busybox").stdout.strip())["HostConfig"]["IpcMode"], "private")


def test_option_ipc_shareable(k):
    k.run("-d", "--name", "sx", "--ipc", "shareable", "--shm-size", "5m", "--", "sh", "-c", "echo of sx > /dev/shm/f; sleep 1000")
    eventually("its file", lambda: k.docker("exec", "sx", "cat", "/dev/shm/f", check=False).stdout == "of sx\n")
    k.run("-d", "--name", "sj", "--ipc", "container:sx", "--", "sh", "-c", "echo of sj > /dev/shm/g; sleep 1000")
    eq(ns(k, "sj", "ipc"), ns(k, "sx", "ipc"))
    eventually("seen there", lambda: k.docker("exec", "sx", "cat", "/dev/shm/g", check=False).stdout == "of sj\n")
    # through the one in between; with the size and the restrictions of the first
    out = sh(k, "--ipc", "container:sj", cmd="cat /dev/shm/f /dev/shm/g; grep ' /dev/shm ' /proc/mounts; mount -t mqueue q /mnt 2>/dev/null; grep mqueue /proc/mounts")
    has(out, "of sx\nof sj\n")
    has(out, "/dev/shm tmpfs rw,nosuid,nodev,noexec")
    has(out, "size=5120k")
    # what was shared lives as long as somebody has it
    k.docker("kill", "sx")
    eventually("its end", lambda: k.state("sx")["Status"] == "exited")
    eq(k.docker("exec", "sj", "cat", "/dev/shm/f").stdout, "of sx\n")
    refused(k, "--ipc", "container:sx", why="cannot join IPC of a non running container: sx")
    # a mount of the user's own counts before it
    eq(sh(k, "--ipc", "container:sj", "--tmpfs", "/dev/shm:size=1m", cmd="ls /dev/shm; grep ' /dev/shm ' /proc/mounts").split()[:3], ["tmpfs", "/dev/shm", "tmpfs"])


def test_ipc_shared_memory_is_memory(k):
    """What another container has made of its /dev/shm does not matter: memory without links on the way, or nothing."""
    for name, script in (("e1", "umount /dev/shm; mkdir -p /evil; mount --bind / /dev/shm; sleep 1000"),
                         ("e2", "umount /dev/shm; rmdir /dev/shm; ln -s /proc /dev/shm; sleep 1000"),
                         ("e3", "umount /dev/shm; mount -t proc p /dev/shm; sleep 1000")):
        k.run("-d", "--name", name, "--privileged", "--ipc", "shareable", "--", "sh", "-c", script)
        eventually("it is done", lambda n=name: "sleep" in k.docker("exec", n, "cat", "/proc/1/cmdline").stdout or
                   "tmpfs /dev/shm" not in k.docker("exec", n, "cat", "/proc/mounts").stdout)
        p = k.run("--rm", "--ipc", f"container:{name}", "--", "ls", "/dev/shm", check=False)
        eq((p.returncode, p.stdout), (125, ""), p.stderr)
        has(p.stderr, "/dev/shm' in the other container")


# ---- uts, cgroup, user, network ---------------------------------------------------------------------

def test_option_uts_host(k):
    name = os.uname().nodename
    eq(sh(k, "--uts", "host", cmd="readlink /proc/self/ns/uts; hostname; echo $HOSTNAME").split(), [host_ns("uts"), name, name])
    refused(k, "--uts", "host", "-h", "other", why="conflicting options: hostname and the UTS mode")
    refused(k, "--uts", "host", "--domainname", "other", why="conflicting options: domainname and the UTS mode")
    eq(os.uname().nodename, name)


def test_option_cgroupns(k):
    cid = k.run("-d", "--cgroupns", "host", "--memory", "64m", "--", "sleep", "1000").stdout.strip()
    eq(ns(k, cid, "cgroup"), host_ns("cgroup"))
    group = f"{k.cgroup_parent}/{cid}"
    lines = k.docker("exec", cid, "cat", "/proc/self/cgroup").stdout.splitlines()
    eq([l for l in lines if not l.endswith(":" + group) and "name=systemd" not in l], [])
    out = k.docker("exec", cid, "sh", "-c", f"cat /sys/fs/cgroup{group}/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; mkdir /sys/fs/cgroup/memory/x /sys/fs/cgroup/x", check=False)
    has(out.stdout, str(64 << 20))
    eq(out.stderr.count("Read-only file system"), 2 if os.path.isdir("/sys/fs/cgroup/memory") else 1, out.stderr)
    if os.path.isdir("/sys/fs/cgroup/memory"):   # v1: its own group is all there is to see
        eq("kiln" in k.docker("exec", cid, "ls", "/sys/fs/cgroup/memory").stdout, False)
    eq(k.inspect(cid)["HostConfig"]["CgroupnsMode"], "host")
    eq(sh(k, "--cgroupns", "private", cmd="cat /proc/self/cgroup | cut -d: -f3 | sort -u").split(), ["/"])


def test_option_userns_host(k):
    eq(sh(k, "--userns", "host", cmd="readlink /proc/self/ns/user").strip(), host_ns("user"))


def test_network_container(k):
    k.run("-d", "--name", "nx", "-h", "the-name", "--domainname", "the.domain", "--", "sh", "-c", "echo 127.0.0.9 extra >> /etc/hosts; httpd -f -p 127.0.0.1:8123 -h /www")
    k.run("-d", "--name", "nj", "--network", "container:nx", "--", "sleep", "1000")
    eq(ns(k, "nj", "net"), ns(k, "nx", "net"))
    out = k.docker("exec", "nj", "sh", "-c", "hostname; echo $HOSTNAME; cat /etc/hosts; cat /etc/hostname; wget -q -O- http://127.0.0.1:8123/; cat /proc/sys/kernel/domainname").stdout
    eq(out.split("\n")[:2], ["the-name", "the-name"])
    for part in ("127.0.0.9 extra", "the-name.the.domain", "hello from kiln\n", "the.domain\n"):
        has(out, part)
    i = k.inspect("nj")
    eq((i["HostConfig"]["NetworkMode"], i["NetworkSettings"]["Networks"], i["Config"]["Hostname"]), ("container:nx", {}, "the-name"))
    for cli in harness.CLIS:
        eq(k.docker("run", "--rm", "--network", "container:nx", "busybox", "readlink", "/proc/self/ns/net", cli=cli).stdout.strip(), ns(k, "nx", "net"))
    for options, why in ((["-h", "other"], "conflicting options: hostname and the network mode"),
                         (["--expose", "80"], "conflicting options: port exposing and the container type network mode")):
        p = k.docker("run", "--rm", "--network", "container:nx", *options, "busybox", "true", check=False)
        eq(p.returncode, 125)
        has(p.stderr, why)
    p = k.docker("run", "--rm", "--network", "container:nosuch", "busybox", "true", check=False)
    has(p.stderr, "No such container: nosuch")


def test_sysctls_of_shared_namespaces_are_refused(k):
    k.run("-d", "--name", "sy", "--ipc", "shareable", "--", "sleep", "1000")
    before = open("/proc/sys/kernel/msgmax").read()
    refused(k, "--ipc", "host", "--sysctl", "kernel.msgmax=4096", why="not allowed in host IPC namespace")
    refused(k, "--ipc", "container:sy", "--sysctl", "fs.mqueue.msg_max=5", why="not allowed in the IPC namespace of another container")
    for mode, why in (("host", "not allowed in host network namespace"), ("container:sy", "not allowed in the network namespace of another container")):
        body = {"Image": k.busybox(), "HostConfig": {"NetworkMode": mode, "Sysctls": {"net.core.somaxconn": "5"}}}
        has(k.api_json("POST", "/containers/create", body, want=400)["message"], why)
    eq(open("/proc/sys/kernel/msgmax").read(), before)


def test_failed_start_leaves_descriptors_alone(k):
    """The exit record cannot be opened: nothing has been opened yet, so nothing is to be closed."""
    cid = k.docker("create", "--network", "none", "-v", f"{k.dir}:/a", "-v", f"{k.dir}:/b", k.busybox(), "true").stdout.strip()
    record = f"{k.data_root}/containers/{cid}/exit"
    os.unlink(record)
    os.mkdir(record)
    k.api_json("POST", f"/containers/{cid}/start", want=500)
    eq(os.readlink(f"/proc/{k.proc.pid}/fd/0"), "/dev/null")
