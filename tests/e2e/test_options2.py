# SPDX-License-Identifier: Apache-2.0
"""The options of docker run that came after the first ones: what the process starts with, limits, devices, mounts."""
import os
import tempfile

from harness import Failed, eq, has
from test_options import sh


def refused(k, *options, why, code=125):
    p = k.run("--rm", *options, "--", "true", check=False)
    eq(p.returncode, code, f"{options}: {p.stdout}{p.stderr}")
    has(p.stderr, why)


def create(k, want=201, **host):
    return k.api_json("POST", "/containers/create", {"Image": k.busybox(), "Cmd": ["true"], "HostConfig": {"NetworkMode": "none", **host}}, want=want)


def host_config(k, cid):
    return k.inspect(cid)["HostConfig"]


def test_option_ulimit(k):
    cid = k.run("-d", "--ulimit", "nofile=100:200", "--ulimit", "core=0", "--ulimit", "msgqueue=4096:8192", "--ulimit", "cpu=-1", "--", "sleep", "1000").stdout.strip()
    limits = k.docker("exec", cid, "cat", "/proc/1/limits").stdout
    eq([l.split()[3:5] for l in limits.splitlines() if l.startswith("Max open files")], [["100", "200"]])
    has(limits, "Max msgqueue size         4096                 8192")
    has(limits, "Max cpu time              unlimited            unlimited")
    eq(k.docker("exec", cid, "sh", "-c", "ulimit -n; ulimit -c").stdout, "100\n0\n")
    eq(sorted(u["Name"] for u in host_config(k, cid)["Ulimits"]), ["core", "cpu", "msgqueue", "nofile"])
    eq(sh(k, "--ulimit", "nofile=3", "-u", "user", cmd="ulimit -n"), "3\n")
    eq(sh(k, cmd="ulimit -n"), "1024\n")
    for bad, why in (([{"Name": "nofile", "Soft": 2, "Hard": 1}], "must be less than or equal to hard limit: 2 > 1"),
                     ([{"Name": "nofile", "Soft": -1, "Hard": 1}], "hard limit: -1 > 1"),
                     ([{"Name": "nope", "Soft": 1, "Hard": 1}], "invalid ulimit type: nope"),
                     ([{"Name": "cpu", "Soft": 1, "Hard": 1}] * 2, "comes twice")):
        has(create(k, want=400, Ulimits=bad)["message"], why)


def test_option_shm_size(k):
    has(sh(k, "--shm-size", "5m", cmd="grep /dev/shm /proc/mounts"), "size=5120k")
    has(sh(k, cmd="grep /dev/shm /proc/mounts"), "size=65536k")
    eq(host_config(k, k.docker("create", "--network", "none", "--shm-size", "5m", "busybox").stdout.strip())["ShmSize"], 5 << 20)
    has(create(k, want=400, ShmSize=-1)["message"], "SHM size can not be less than 0")


def test_option_group_add(k):
    cid = k.run("-d", "-u", "1234:4321", "--group-add", "staff", "--group-add", "777", "--", "sleep", "1000").stdout.strip()
    eq(k.docker("exec", cid, "id", "-G").stdout, "4321 50 777\n")
    groups = [l for l in k.docker("exec", "-u", "0", cid, "cat", "/proc/1/status").stdout.splitlines() if l.startswith("Groups:")]
    eq(sorted(groups[0].split()[1:]), ["4321", "50", "777"])
    eq(host_config(k, cid)["GroupAdd"], ["staff", "777"])
    p = k.run("--rm", "--group-add", "nosuch", "--", "true", check=False)
    if p.returncode == 0:
        raise Failed("a group that is not there was added")
    has(p.stderr, "unable to find group nosuch")
    for bad in ("", "a:b", "4294967296", "x" * 300):
        if k.run("--rm", "--group-add", bad, "--", "id", check=False).returncode == 0 and bad:
            raise Failed(f"--group-add {bad!r} ran")


def test_option_domainname(k):
    eq(sh(k, "--hostname", "h", "--domainname", "example.org", cmd="cat /proc/sys/kernel/domainname; hostname; hostname -f"),
       "example.org\nh\nh.example.org\n")
    eq(k.inspect(k.docker("create", "--network", "none", "--domainname", "d", "busybox").stdout.strip())["Config"]["Domainname"], "d")
    refused(k, "--domainname", "a b", why="invalid domainname format: a b")


def test_option_sysctl(k):
    out = sh(k, "--sysctl", "net.core.somaxconn=321", "--sysctl", "kernel.msgmax=4321", "--sysctl", "net.ipv4.ip_unprivileged_port_start=80",
             cmd="cat /proc/sys/net/core/somaxconn /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_unprivileged_port_start")
    eq(out, "321\n4321\n80\n")
    cid = create(k, Sysctls={"net.core.somaxconn": "5"})["Id"]
    eq(host_config(k, cid)["Sysctls"], {"net.core.somaxconn": "5"})
    for key, value, mode, why in (("kernel.core_pattern", "|/x", "none", "is not in a separate kernel namespace"),
                                  ("vm.swappiness", "1", "none", "is not in a separate kernel namespace"),
                                  ("net.core.somaxconn", "1", "host", "not allowed in host network namespace"),
                                  ("net/core/somaxconn", "1", "none", "is no name of a control"),
                                  ("net...kernel.core_pattern", "x", "none", "is no name of a control"),
                                  ("net.core.somaxconn", "1\n2", "none", "its value is not one line")):
        has(create(k, want=400, Sysctls={key: value}, NetworkMode=mode)["message"], why)
    p = k.run("--rm", "--sysctl", "net.core.nosuch=1", "--", "true", check=False)
    if p.returncode == 0:
        raise Failed("a control that is not there was set")
    has(p.stderr, "net/core/nosuch")


def test_option_oom_score_adj(k):
    eq(sh(k, "--oom-score-adj", "321", cmd="cat /proc/self/oom_score_adj"), "321\n")
    eq(host_config(k, create(k, OomScoreAdj=-5)["Id"])["OomScoreAdj"], -5)
    refused(k, "--oom-score-adj", "1001", why="range for oom score adj is [-1000, 1000]")


def test_option_annotation(k):
    cid = create(k, Annotations={"a.b": "c"})["Id"]
    eq(host_config(k, cid)["Annotations"], {"a.b": "c"})
    has(create(k, want=400, Annotations={"": "c"})["message"], "the empty string is not permitted as an annotation key")


def test_new_options_are_kept(k):
    """What was asked is in the store: another kilnd shows it and starts by it."""
    name = k.docker("create", "--network", "none", "--name", "kept", "--ulimit", "nofile=77:78", "--group-add", "777", "--oom-score-adj", "44",
                    "--sysctl", "kernel.msgmax=4321", "busybox", "sh", "-c",
                    "ulimit -n; id -G; cat /proc/self/oom_score_adj /proc/sys/kernel/msgmax").stdout.strip()
    before = host_config(k, name)
    k.restart()
    eq(host_config(k, name), before)
    eq(k.docker("start", "-a", "kept").stdout, "77\n0 777\n44\n4321\n")
