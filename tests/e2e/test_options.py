# SPDX-License-Identifier: Apache-2.0
"""Each option of docker run that is done, and the refusal of every other."""
import os
import re
import subprocess
import tempfile
import time

import harness
from harness import Failed, Skip, cgroup_dirs, eq, eventually, has


def sh(k, *options, cmd, **kw):
    return k.run("--rm", *options, "--", "sh", "-c", cmd, **kw).stdout


def test_option_name(k):
    k.run("-d", "--name", "web.1_x-y", "--", "sleep", "1000")
    eq(k.inspect("web.1_x-y")["Name"], "/web.1_x-y")
    p = k.run("-d", "--name", "web.1_x-y", "--", "true", check=False)
    eq(p.returncode, 125)
    has(p.stderr, 'Conflict. The container name "/web.1_x-y" is already in use by container')
    p = k.run("-d", "--name", "a b", "--", "true", check=False)
    has(p.stderr, "Invalid container name (a b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
    name = k.inspect(k.run("-d", "--", "true").stdout.strip())["Name"]
    if not re.match(r"^/[a-z]+_[a-z]+\d*$", name):
        raise Failed(f"invented name {name!r}")


def test_option_hostname(k):
    eq(sh(k, "--hostname", "box7", cmd="hostname; cat /etc/hostname; echo $HOSTNAME"), "box7\nbox7\nbox7\n")
    cid = k.run("-d", "--", "sleep", "1000").stdout.strip()
    eq(k.docker("exec", cid, "hostname").stdout.strip(), cid[:12])
    has(k.docker("exec", cid, "cat", "/etc/hosts").stdout, "127.0.0.1")


def test_option_env(k):
    out = sh(k, "-e", "A=1", "-e", "B=two words", "-e", "EMPTY=", cmd="echo $A; echo $B; echo x${EMPTY}x; echo $PATH; echo $HOME")
    eq(out, "1\ntwo words\nxx\n/usr/bin:/bin\n/root\n")


def test_option_workdir(k):
    eq(sh(k, "-w", "/var", cmd="pwd"), "/var\n")
    eq(sh(k, "-w", "/made/on/the/way", cmd="pwd"), "/made/on/the/way\n")
    p = k.run("--rm", "-w", "relative", "--", "pwd", check=False)
    eq(p.returncode, 125, p.stdout)


def test_option_user(k):
    eq(sh(k, "-u", "user", cmd="id; echo $HOME"), "uid=1000(user) gid=1000(user) groups=50(staff),1000(user)\n/home/user\n")
    eq(sh(k, "-u", "1234:4321", cmd="id -u; id -g; id -G"), "1234\n4321\n4321\n")
    eq(sh(k, "-u", "user:staff", cmd="id -u; id -g"), "1000\n50\n")
    eq(sh(k, "-u", "0", cmd="id -u"), "0\n")


def test_user_and_groups_from_the_image(k):
    for user, why in (("nosuch", "no matching entries in passwd file"), ("root:nosuch", "no matching entries in group file")):
        p = k.run("--rm", "-u", user, "--", "id", check=False)
        if p.returncode not in (125, 126):
            raise Failed(f"-u {user}: exit {p.returncode} {p.stderr}")
        has(p.stderr, why)
    for user in ("4294967296", "-1", "1:4294967296", "1 2"):   # CVE-2024-40635 and its kin
        p = k.run("--rm", "-u", user, "--", "id", check=False)
        if p.returncode == 0:
            raise Failed(f"-u {user!r} ran: {p.stdout}")


def test_option_entrypoint(k):
    eq(k.run("--rm", "--entrypoint", "/bin/echo", "--", "a", "b").stdout, "a b\n")
    k.load(harness.busybox_archive("entry:1", {"Entrypoint": ["/bin/echo", "ep"], "Cmd": ["default"], "Env": ["PATH=/bin"]}))
    eq(k.docker("run", "--rm", "--network", "none", "entry:1").stdout, "ep default\n")
    eq(k.docker("run", "--rm", "--network", "none", "entry:1", "mine").stdout, "ep mine\n")
    eq(k.docker("run", "--rm", "--network", "none", "--entrypoint", "/bin/hostname", "--hostname", "h", "entry:1").stdout, "h\n")


def test_option_bind(k):
    with tempfile.TemporaryDirectory(dir=k.dir) as d:
        with open(d + "/f", "w") as f:
            f.write("from the host\n")
        eq(sh(k, "-v", f"{d}:/mnt", cmd="cat /mnt/f; echo back >/mnt/g"), "from the host\n")
        with open(d + "/g") as f:
            eq(f.read(), "back\n")
        eq(sh(k, "-v", f"{d}/f:/deep/er/file", cmd="cat /deep/er/file"), "from the host\n")
        missing = d + "/made/by/kiln"
        sh(k, "-v", f"{missing}:/m", cmd="touch /m/x")
        eq(os.listdir(missing), ["x"])
    p = k.run("--rm", "-v", "named:/x", "--", "true", check=False)
    eq(p.returncode, 125)
    has(p.stderr, "volume")


def test_option_bind_ro(k):
    with tempfile.TemporaryDirectory(dir=k.dir) as d:
        os.mkdir(d + "/sub")
        p = k.run("--rm", "-v", f"{d}:/mnt:ro", "--", "sh", "-c", "touch /mnt/x", check=False)
        has(p.stderr, "Read-only file system")
        eq(os.listdir(d), ["sub"])


def test_option_tmpfs(k):
    out = sh(k, "--tmpfs", "/scratch:size=1m,mode=1770", cmd="grep ' /scratch ' /proc/mounts; stat -c %a /scratch; touch /scratch/x && echo ok")
    has(out, "tmpfs /scratch tmpfs rw,nosuid,nodev,noexec")
    has(out, "size=1024k")
    has(out, "1770\nok\n")


def test_option_read_only(k):
    p = k.run("--rm", "--read-only", "--tmpfs", "/tmp", "--", "sh", "-c", "touch /x; touch /tmp/y && echo tmp-ok", check=False)
    has(p.stderr, "Read-only file system")
    eq(p.stdout, "tmp-ok\n")


def test_option_init(k):
    out = sh(k, "--init", cmd="cat /proc/1/comm; echo $$")
    pid = out.splitlines()[1]
    if pid == "1":
        raise Failed("the program is PID 1 in spite of --init")
    eq(k.run("--rm", "--init", "--", "sh", "-c", "exit 23", check=False).returncode, 23)
    # orphans are reaped and signals forwarded
    k.run("-d", "--init", "--name", "ini", "--", "sh", "-c", "(sleep 0.1 &) ; trap 'exit 5' TERM; while :; do sleep 0.1; done")
    time.sleep(1)
    has(k.docker("exec", "ini", "ps").stdout, "PID")
    zombies = [l for l in k.docker("exec", "ini", "ps", "-o", "stat,comm").stdout.splitlines() if l.startswith("Z")]
    eq(zombies, [])
    k.docker("stop", "ini")
    eq(k.state("ini")["ExitCode"], 5)


def cgroup_value(k, cid, v1, v2):
    """The file's text, from the hierarchy that has it: (controller, file) on v1, file on v2."""
    for d in cgroup_dirs(f"{k.cgroup_parent}/{cid}"):
        for name in (v1[1], v2):
            if os.path.exists(f"{d}/{name}") and (name == v2 or f"/{v1[0]}/" in d + "/"):
                with open(f"{d}/{name}") as f:
                    return f.read().strip()
    raise Failed(f"no cgroup of {cid} has {v1} or {v2}: {cgroup_dirs(f'{k.cgroup_parent}/{cid}')}")


def test_option_memory(k):
    cid = k.run("-d", "--memory", "64m", "--", "sleep", "1000").stdout.strip()
    eq(cgroup_value(k, cid, ("memory", "memory.limit_in_bytes"), "memory.max"), str(64 << 20))
    p = k.run("--name", "oom", "--memory", "16m", "--", "sh", "-c", "head -c 200m /dev/zero | tail | cat >/dev/null; exit 3", check=False)
    state = k.state("oom")
    eq(state["OOMKilled"], True, f"exit {p.returncode}")


def test_option_cpus(k):
    cid = k.run("-d", "--cpus", "0.5", "--", "sleep", "1000").stdout.strip()
    value = cgroup_value(k, cid, ("cpu", "cpu.cfs_quota_us"), "cpu.max")
    if value not in ("50000", "50000 100000"):
        raise Failed(f"cpu quota {value!r}")
    p = k.run("--rm", "--cpus", "4000", "--", "true", check=False)
    eq(p.returncode, 125)
    has(p.stderr, "Range of CPUs is from 0.01 to")


def test_option_pids_limit(k):
    cid = k.run("-d", "--pids-limit", "10", "--", "sleep", "1000").stdout.strip()
    eq(cgroup_value(k, cid, ("pids", "pids.max"), "pids.max"), "10")
    p = k.docker("exec", cid, "sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 5 & done", check=False)
    has(p.stderr, "fork")


def test_option_cpuset(k):
    cid = k.run("-d", "--cpuset-cpus", "0", "--", "sleep", "1000").stdout.strip()
    eq(cgroup_value(k, cid, ("cpuset", "cpuset.cpus"), "cpuset.cpus"), "0")
    has(k.docker("exec", cid, "cat", "/proc/self/status").stdout, "Cpus_allowed_list:\t0\n")
    for bad in ("0-1000000000", "x", "5000"):
        p = k.run("--rm", "--cpuset-cpus", bad, "--", "true", check=False)
        eq(p.returncode, 125, bad)


def capabilities(k, *options):
    out = sh(k, *options, cmd="grep ^Cap /proc/self/status")
    return {l.split(":")[0]: int(l.split()[1], 16) for l in out.splitlines()}


DEFAULT_CAPS = 0xa80425fb   # chown dac_override fowner fsetid kill setgid setuid setpcap net_bind_service net_raw sys_chroot mknod audit_write setfcap


def test_default_capabilities(k):
    caps = capabilities(k)
    eq({n: hex(v) for n, v in caps.items()}, {"CapInh": "0x0", "CapPrm": hex(DEFAULT_CAPS), "CapEff": hex(DEFAULT_CAPS),
                                              "CapBnd": hex(DEFAULT_CAPS), "CapAmb": "0x0"})
    caps = capabilities(k, "-u", "user")
    eq((caps["CapEff"], caps["CapPrm"], caps["CapBnd"]), (0, 0, DEFAULT_CAPS))


def test_option_cap_add(k):
    eq(capabilities(k, "--cap-add", "NET_ADMIN")["CapEff"], DEFAULT_CAPS | 1 << 12)
    eq(capabilities(k, "--cap-add", "CAP_SYS_PTRACE")["CapBnd"], DEFAULT_CAPS | 1 << 19)
    p = k.run("--rm", "--cap-add", "NOSUCH", "--", "true", check=False)
    eq(p.returncode, 125)


def test_option_cap_drop(k):
    eq(capabilities(k, "--cap-drop", "CHOWN")["CapEff"], DEFAULT_CAPS & ~1)
    eq(capabilities(k, "--cap-drop", "ALL")["CapBnd"], 0)
    eq(capabilities(k, "--cap-drop", "ALL", "--cap-add", "KILL")["CapEff"], 1 << 5)


def test_option_privileged(k):
    own = int(re.search(r"CapBnd:\s*([0-9a-f]+)", open("/proc/self/status").read())[1], 16)
    caps = capabilities(k, "--privileged")
    eq(hex(caps["CapEff"] & own), hex(own & caps["CapBnd"]))
    if not caps["CapEff"] & 1 << 21:
        raise Failed("no CAP_SYS_ADMIN in a privileged container")
    out = sh(k, "--privileged", cmd="mount -t tmpfs x /mnt 2>/dev/null || { mkdir /mnt; mount -t tmpfs x /mnt; } && echo mounted; grep Seccomp: /proc/self/status; touch /proc/sys/kernel/hostname && echo writable")
    has(out, "mounted")
    has(out, "Seccomp:\t0")
    has(out, "writable")


def test_option_seccomp_unconfined(k):
    has(sh(k, "--security-opt", "seccomp=unconfined", cmd="grep Seccomp: /proc/self/status"), "Seccomp:\t0")


def test_option_seccomp_profile(k):
    with tempfile.NamedTemporaryFile("w", dir=k.dir, suffix=".json") as f:
        f.write('{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":1}]}')
        f.flush()
        p = k.run("--rm", "--security-opt", f"seccomp={f.name}", "--", "sh", "-c", "mkdir /x; grep Seccomp: /proc/self/status", check=False)
    has(p.stderr, "Operation not permitted")
    has(p.stdout, "Seccomp:\t2")


def test_option_no_new_privileges(k):
    has(sh(k, "--security-opt", "no-new-privileges", cmd="grep NoNewPrivs /proc/self/status"), "NoNewPrivs:\t1")
    has(sh(k, cmd="grep NoNewPrivs /proc/self/status"), "NoNewPrivs:\t0")


def test_option_stop_signal(k):
    k.run("-d", "--name", "ss", "--stop-signal", "USR1", "--", "sh", "-c", "trap 'exit 11' USR1; while :; do sleep 0.1; done")
    time.sleep(0.5)
    k.docker("stop", "ss")
    eq(k.state("ss")["ExitCode"], 11)


def test_option_stop_timeout(k):
    k.run("-d", "--name", "st", "--stop-timeout", "1", "--", "sh", "-c", "trap '' TERM; while :; do sleep 0.1; done")
    time.sleep(0.3)
    k.docker("stop", "st")
    eq(k.state("st")["ExitCode"], 137)


def test_option_label(k):
    k.run("-d", "--name", "lab", "--label", "a.b=c", "--label", "flag", "--", "sleep", "1000")
    eq(k.inspect("lab")["Config"]["Labels"], {"a.b": "c", "flag": ""})
    eq(k.docker("ps", "-q", "--filter", "label=a.b=c").stdout.split(), [k.inspect("lab")["Id"][:12]])
    eq(k.docker("ps", "-q", "--filter", "label=a.b=d").stdout, "")


def test_network_none(k):
    eq(sh(k, "--network", "none", cmd="ls /sys/class/net; ip -o addr show lo | grep -c 127.0.0.1; ping -c1 -W1 127.0.0.1 >/dev/null && echo up"), "lo\n1\nup\n")


def test_network_host(k):
    out = sh(k, "--network", "host", cmd="readlink /proc/self/ns/net; hostname")
    eq(out.splitlines()[0], os.readlink("/proc/self/ns/net"))
    eq(out.splitlines()[1], os.uname().nodename)


def test_network_bridge_warns(k):
    r = k.api_json("POST", "/containers/create", {"Image": k.busybox(), "Cmd": ["ls", "/sys/class/net"]}, want=201)
    eq(len(r["Warnings"]), 1)
    has(r["Warnings"][0], "loopback only")
    p = k.docker("run", "--rm", "busybox", "ls", "/sys/class/net")
    eq(p.stdout, "lo\n")
    has(p.stderr, "loopback only")
    p = k.docker("run", "--rm", "--network", "mine", "busybox", "true", check=False)
    eq(p.returncode, 125)


def test_option_restart(k):
    k.run("-d", "--name", "rp", "--restart", "always", "--", "sh", "-c", "echo run; sleep 0.2; exit 1")
    eventually("restarted twice", lambda: k.inspect("rp")["RestartCount"] >= 2)
    k.docker("stop", "rp")
    n = k.inspect("rp")["RestartCount"]
    time.sleep(1)
    eq(k.inspect("rp")["RestartCount"], n)
    eq(k.state("rp")["Status"], "exited")
    k.run("-d", "--name", "of", "--restart", "on-failure:2", "--", "sh", "-c", "exit 3")
    eventually("gave up", lambda: k.state("of")["Status"] == "exited" and k.inspect("of")["RestartCount"] == 2)
    eq(k.state("of")["ExitCode"], 3)
    k.run("-d", "--name", "of0", "--restart", "on-failure", "--", "true")
    eventually("ended", lambda: k.state("of0")["Status"] == "exited")
    eq(k.inspect("of0")["RestartCount"], 0)
    p = k.run("-d", "--rm", "--restart", "always", "--", "true", check=False)
    eq(p.returncode, 125)


def test_restart_backoff(k):
    k.run("-d", "--name", "bo", "--restart", "always", "--", "sh", "-c", "echo; exit 1")
    time.sleep(4)
    times = [l.split()[0] for l in k.docker("logs", "-t", "bo").stdout.splitlines() if l.strip()]
    # 0.1 + 0.2 + 0.4 + 0.8 + 1.6 s: six starts in 3.1 s, not hundreds and not two
    if not 3 <= len(times) <= 7:
        raise Failed(f"{len(times)} starts in 4 s: {times}")
    eq(k.state("bo")["Status"], "restarting")
    k.docker("rm", "-f", "bo")


# ---- every flag ------------------------------------------------------------------------------------

# What each flag of `docker run` is given: None for a flag without a value.
DONE = {
    "--attach": ["stdout"], "--cap-add": ["KILL"], "--cap-drop": ["KILL"], "--cidfile": ["{dir}/cid"], "--cpus": ["0.5"],
    "--cpuset-cpus": ["0"], "--detach": None, "--detach-keys": ["ctrl-a"], "--disable-content-trust": None, "--entrypoint": ["true"],
    "--env": ["A=1"], "--env-file": ["{dir}/env"], "--expose": ["80"], "--health-cmd": ["true"], "--health-interval": ["5s"],
    "--health-retries": ["2"], "--health-start-period": ["1s"], "--health-start-interval": ["1s"], "--health-timeout": ["1s"], "--hostname": ["h"],
    "--init": None, "--interactive": None, "--label": ["a=b"], "--label-file": ["{dir}/env"], "--memory": ["64m"], "--name": ["x1"],
    "--network": ["none"], "--no-healthcheck": None, "--pids-limit": ["100"], "--platform": ["linux/amd64"], "--privileged": None,
    "--pull": ["never"], "--quiet": None, "--read-only": None, "--restart": ["no"], "--rm": None, "--runtime": ["kiln"],
    "--security-opt": ["no-new-privileges"], "--shm-size": ["64m"], "--sig-proxy": None, "--stop-signal": ["TERM"],
    "--stop-timeout": ["3"], "--tmpfs": ["/t"], "--tty": None, "--user": ["0"], "--volume": ["/tmp:/t:ro"], "--workdir": ["/tmp"],
    "--isolation": ["default"], "--cgroupns": ["host"], "--ipc": ["shareable"], "--pid": ["host"], "--uts": ["host"], "--userns": ["host"], "--help": None,
    "--log-driver": ["json-file"], "--use-api-socket": None,
    "--annotation": ["a=b"], "--domainname": ["x"], "--group-add": ["50"], "--oom-score-adj": ["5"],
    "--sysctl": ["net.core.somaxconn=5"], "--ulimit": ["nofile=10"], "--cpu-period": ["100000"], "--cpu-quota": ["50000"],
    "--cpu-shares": ["512"], "--cpuset-mems": ["0"], "--memory-reservation": ["32m"], "--memory-swap": ["-1"],
    "--oom-kill-disable": None, "--memory-swappiness": ["60"], "--device": ["/dev/null"],
    "--device-cgroup-rule": ["c 1:3 r"], "--mount": ["type=bind,src=/tmp,dst=/t"], "--log-opt": ["max-size=1m"],
    "--blkio-weight": ["100"], "--blkio-weight-device": ["{disk}:100"], "--cgroup-parent": ["x"],
    "--cpu-rt-period": ["1000000"], "--cpu-rt-runtime": ["0"],
    "--device-read-bps": ["{disk}:1mb"], "--device-read-iops": ["{disk}:10"],
    "--device-write-bps": ["{disk}:1mb"], "--volumes-from": ["{from}:ro"], "--device-write-iops": ["{disk}:10"],
}
REFUSED = {
    "--add-host": ["a:1.2.3.4"], "--dns": ["1.1.1.1"], "--dns-option": ["x"],
    "--dns-search": ["x"], "--gpus": ["all"], "--ip": ["1.2.3.4"], "--ip6": ["::2"],
    "--link": ["x"], "--link-local-ip": ["1.2.3.4"], "--mac-address": ["02:00:00:00:00:01"],
    "--network-alias": ["x"], "--publish": ["80:80"],
    "--publish-all": None, "--storage-opt": ["size=1g"],
    "--cpu-count": ["1"], "--cpu-percent": ["50"], "--io-maxbandwidth": ["1m"], "--io-maxiops": ["10"],
    "--volume-driver": ["x"], "--kernel-memory": ["64m"],
}


def test_every_run_flag_is_done_or_refused(k):
    k.busybox()
    disk = harness.block_device()[0]
    k.docker("create", "--name", "from", "--network", "none", "-v", "/tmp:/t", "busybox")
    with open(k.dir + "/env", "w") as f:
        f.write("FROM_FILE=1\n")
    for cli in harness.CLIS:
        text = subprocess.run([cli, "run", "--help"], capture_output=True, text=True).stdout
        flags = re.findall(r"^\s+(?:-\w, )?(--[a-z0-9-]+)", text, re.M)
        if len(flags) < 80:
            raise Failed(f"{cli}: only {len(flags)} flags found")
        for flag in flags:
            if flag not in DONE and flag not in REFUSED:
                raise Failed(f"{cli}: {flag} is neither done nor refused: name it in the test")
            if flag in ("--help", "--tty", "--use-api-socket", "--gpus") and (flag != "--gpus" or "20.10" in text):
                continue
            value = (DONE if flag in DONE else REFUSED)[flag]
            args = [flag] + [v.format(dir=k.dir, disk=disk, **{"from": "from"}) for v in value or []]
            if os.path.exists(k.dir + "/cid"):
                os.unlink(k.dir + "/cid")
            net = ["--network", "none"]
            if flag in ("--ip", "--ip6", "--network-alias", "--link-local-ip", "--link"):   # the client sends them for a network of one's own only
                net = ["--network", "mine"]
            elif flag in ("--network", "--mac-address", "--publish", "--publish-all", "--add-host", "--dns"):
                net = []
            rm = [] if flag == "--restart" or flag == "--rm" else ["--rm"]
            p = k.docker("run", *rm, *net, *args, "busybox", "true", cli=cli, check=False)
            if flag == "--blkio-weight-device" and "operation not supported" in p.stderr:   # the disk's scheduler does not weigh
                continue
            if flag in DONE and p.returncode != 0:
                raise Failed(f"{cli} {args}: exit {p.returncode} {p.stderr}")
            if flag == "--kernel-memory" and p.returncode == 0:   # newer clients drop it
                continue
            if flag in REFUSED and (p.returncode not in (1, 125) or not p.stderr.strip()):   # 1: by the client itself
                raise Failed(f"{cli} {args} is not refused: exit {p.returncode} {p.stdout}{p.stderr}")


def test_refusals_name_the_field(k):
    for host, name in (({"DeviceRequests": [{"Count": 1}]}, "HostConfig.DeviceRequests"), ({"StorageOpt": {"size": "1g"}}, "HostConfig.StorageOpt"),
                       ({"Nonsense": 1}, "HostConfig.Nonsense")):
        status, _, body = k.api("POST", "/containers/create", {"Image": k.busybox(), "HostConfig": host})
        eq(status, 501)
        has(body.decode(), name)
