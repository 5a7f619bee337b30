# SPDX-License-Identifier: Apache-2.0
"""The options of docker run that came after the first ones: what the process starts with, limits, devices, mounts."""
import os
import tempfile

from harness import Failed, eq, has
from test_options import cgroup_value, sh


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
    # An exec, too: not the launcher's own score, whatever its unit gives it.
    k.run("-d", "--name", "scored", "--oom-score-adj", "300", "--", "sleep", "1000")
    eq(k.docker("exec", "scored", "cat", "/proc/self/oom_score_adj").stdout, "300\n")


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


def test_option_memory_swap(k):
    cid = k.run("-d", "--memory", "64m", "--memory-swap", "96m", "--memory-reservation", "32m", "--", "sleep", "1000").stdout.strip()
    v1 = os.path.exists("/sys/fs/cgroup/memory")
    eq(cgroup_value(k, cid, ("memory", "memory.memsw.limit_in_bytes"), "memory.swap.max"), str((96 if v1 else 32) << 20))
    eq(cgroup_value(k, cid, ("memory", "memory.soft_limit_in_bytes"), "memory.low"), str(32 << 20))
    h = host_config(k, cid)
    eq((h["MemorySwap"], h["MemoryReservation"]), (96 << 20, 32 << 20))
    eq(host_config(k, create(k, Memory=64 << 20)["Id"])["MemorySwap"], 128 << 20)
    eq(host_config(k, create(k, Memory=64 << 20, MemorySwap=-1)["Id"])["MemorySwap"], -1)
    for host, why in (({"Memory": 64 << 20, "MemorySwap": 32 << 20}, "Minimum memoryswap limit should be larger than memory limit, see usage"),
                      ({"MemorySwap": 32 << 20}, "You should always set the Memory limit when using Memoryswap limit, see usage"),
                      ({"MemoryReservation": 1000}, "Minimum memory reservation allowed is 1MB"),
                      ({"Memory": 32 << 20, "MemoryReservation": 64 << 20}, "Minimum memory limit can not be less than memory reservation limit, see usage"),
                      ({"MemorySwappiness": 101}, "Invalid value: 101, valid memory swappiness range is 0-100")):
        has(create(k, want=400, **host)["message"], why)


def test_option_swappiness_and_oom_kill(k):
    """cgroup v1 has them; v2 has not, and says so."""
    r = create(k, Memory=64 << 20, MemorySwappiness=10, OomKillDisable=True)
    k.docker("start", r["Id"])
    if os.path.exists("/sys/fs/cgroup/memory"):
        eq(r["Warnings"], [])
        cid = k.run("-d", "--memory", "64m", "--memory-swappiness", "10", "--oom-kill-disable", "--", "sleep", "1000").stdout.strip()
        eq(cgroup_value(k, cid, ("memory", "memory.swappiness"), "none"), "10")
        has(cgroup_value(k, cid, ("memory", "memory.oom_control"), "none"), "oom_kill_disable 1")
        eq(host_config(k, cid)["OomKillDisable"], True)
        has(create(k, OomKillDisable=True)["Warnings"][0], "OOM killer is disabled for the container, but no memory limit is set")
    else:
        eq(len(r["Warnings"]), 2)
        has(r["Warnings"][0], "Memory swappiness discarded.")
        has(r["Warnings"][1], "OomKillDisable discarded.")


def test_option_cpu_shares_and_quota(k):
    cid = k.run("-d", "--cpu-shares", "512", "--cpu-period", "50000", "--cpu-quota", "25000", "--cpuset-mems", "0", "--", "sleep", "1000").stdout.strip()
    v1 = os.path.exists("/sys/fs/cgroup/cpu")
    eq(cgroup_value(k, cid, ("cpu", "cpu.shares"), "cpu.weight"), "512" if v1 else "20")
    eq(cgroup_value(k, cid, ("cpu", "cpu.cfs_quota_us"), "cpu.max"), "25000" if v1 else "25000 50000")
    eq(cgroup_value(k, cid, ("cpuset", "cpuset.mems"), "cpuset.mems"), "0")
    h = host_config(k, cid)
    eq([h[n] for n in ("CpuShares", "CpuPeriod", "CpuQuota", "CpusetMems")], [512, 50000, 25000, "0"])
    for host, why in (({"NanoCpus": 500000000, "CpuPeriod": 50000}, "Conflicting options: Nano CPUs and CPU Period cannot both be set"),
                      ({"NanoCpus": 500000000, "CpuQuota": 50000}, "Conflicting options: Nano CPUs and CPU Quota cannot both be set"),
                      ({"CpuPeriod": 999}, "CPU cfs period can not be less than 1ms"),
                      ({"CpuQuota": 999}, "CPU cfs quota can not be less than 1ms"),
                      ({"CpuShares": -1}, "invalid CPU shares (-1)"),
                      ({"CpusetMems": "0-5000"}, "Requested memory nodes are not available - requested 0-5000"),
                      ({"CpusetMems": "x"}, "Invalid value x for cpuset mems")):
        has(create(k, want=400, **host)["message"], why)


def test_option_device(k):
    out = sh(k, "--device", "/dev/zero:/dev/mine:rm", cmd="stat -c '%t:%T' /dev/mine; head -c 3 /dev/mine | wc -c")
    eq(out, "1:5\n3\n")
    cid = create(k, Devices=[{"PathOnHost": "/dev/zero", "PathInContainer": "/dev/x/y", "CgroupPermissions": "r"}])["Id"]
    eq(host_config(k, cid)["Devices"], [{"PathOnHost": "/dev/zero", "PathInContainer": "/dev/x/y", "CgroupPermissions": "r"}])
    k.docker("start", cid)
    refused(k, "--device", "/dev/nosuch-at-all", why='custom device "/dev/nosuch-at-all": no such file', code=127)
    refused(k, "--device", "/etc/passwd:/dev/p", why='custom device "/etc/passwd": not a device node')
    for bad, why in (({"PathOnHost": "dev/x"}, "is not an absolute path"), ({"PathOnHost": "/dev/zero", "CgroupPermissions": "rx"}, "invalid device mode: rx")):
        has(create(k, want=400, Devices=[bad])["message"], why)


def test_option_device_cgroup_rule(k):
    """The list decides: a node that was made is of no use before its rule is there."""
    made = "mknod /tmp/x c 1 2; head -c 1 /tmp/x"
    p = k.run("--rm", "--tmpfs", "/tmp:dev", "--", "sh", "-c", made, check=False)
    has(p.stderr, "Operation not permitted")
    p = k.run("--rm", "--tmpfs", "/tmp:dev", "--device-cgroup-rule", "c 1:2 r", "--", "sh", "-c", made, check=False)
    has(p.stderr, "No such device or address")   # allowed, and nothing there
    for bad in ("c 1:3", "x 1:3 r", "c 1:3 rq", "c 1:3 r ", "c *:9999999999 r"):
        has(create(k, want=400, DeviceCgroupRules=[bad])["message"], f"invalid device cgroup rule format: '{bad}'")


def test_option_mount_bind(k):
    with tempfile.TemporaryDirectory(dir=k.dir) as d:
        with open(d + "/f", "w") as f:
            f.write("from the host\n")
        eq(sh(k, "--mount", f"type=bind,src={d},dst=/m", cmd="cat /m/f; touch /m/g"), "from the host\n")
        eq(sorted(os.listdir(d)), ["f", "g"])
        p = k.run("--rm", "--mount", f"type=bind,src={d},dst=/m,readonly", "--", "touch", "/m/x", check=False)
        has(p.stderr, "Read-only file system")
        cid = create(k, Mounts=[{"Type": "bind", "Source": d, "Target": "/m", "ReadOnly": True, "BindOptions": {"Propagation": "rslave"}}])["Id"]
        eq(k.inspect(cid)["Mounts"], [{"Type": "bind", "Source": d, "Destination": "/m", "Mode": "", "RW": False, "Propagation": "rslave"}])
        refused(k, "--mount", f"type=bind,src={d}/missing,dst=/m", why=f'invalid mount config for type "bind": bind source path does not exist: {d}/missing')
        eq(create(k, want=400, Mounts=[{"Type": "bind", "Source": d + "/no", "Target": "/m"}])["message"],
           f'invalid mount config for type "bind": bind source path does not exist: {d}/no')
        eq(sorted(os.listdir(d)), ["f", "g"])
        for mount, why in (({"Source": d, "Target": ""}, "field Target must not be empty"), ({"Source": "", "Target": "/m"}, "field Source must not be empty"),
                           ({"Source": d, "Target": "/"}, "destination can't be '/'"), ({"Source": d, "Target": "m"}, "mount path must be absolute"),
                           ({"Source": d, "Target": "/m", "BindOptions": {"Propagation": "x"}}, "invalid propagation mode: x")):
            has(create(k, want=400, Mounts=[{"Type": "bind", **mount}])["message"], why)
        has(create(k, want=400, Binds=[f"{d}:/m"], Mounts=[{"Type": "bind", "Source": d, "Target": "/m/"}])["message"], "Duplicate mount point: /m")
    has(create(k, want=501, Mounts=[{"Type": "volume", "Target": "/m"}])["message"], "there are no volumes yet")


def test_option_mount_tmpfs(k):
    out = sh(k, "--mount", "type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1770", cmd="grep ' /t ' /proc/mounts; stat -c %a /t")
    has(out, "tmpfs /t tmpfs rw,nosuid,nodev,noexec")
    has(out, "size=1024k")
    has(out, "1770\n")
    eq(k.inspect(create(k, Mounts=[{"Type": "tmpfs", "Target": "/t"}])["Id"])["Mounts"],
       [{"Type": "tmpfs", "Source": "", "Destination": "/t", "Mode": "", "RW": True, "Propagation": ""}])
    has(create(k, want=400, Mounts=[{"Type": "tmpfs", "Source": "/x", "Target": "/t"}])["message"], "field Source must not be specified")


def test_option_log_driver_none(k):
    eq(k.run("--name", "quiet", "--log-driver", "none", "--", "sh", "-c", "echo out; exit 4", check=False).stdout, "out\n")
    c = k.inspect("quiet")
    eq((c["State"]["ExitCode"], c["LogPath"], c["HostConfig"]["LogConfig"]["Type"]), (4, "", "none"))
    p = k.docker("logs", "quiet", check=False)
    eq(p.returncode, 1)
    has(p.stderr, "configured logging driver does not support reading")
    eq([n for n in os.listdir(f"{k.data_root}/containers/{c['Id']}") if n.endswith(".log")], [])
    refused(k, "--log-driver", "syslog", why="HostConfig.LogConfig.Type 'syslog' is refused")
