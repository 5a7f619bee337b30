# SPDX-License-Identifier: Apache-2.0
"""--security-opt: AppArmor (where the kernel has it on: in the virtual machine), labels, system paths, no new privileges."""
import contextlib
import os
import subprocess

from harness import Skip, eq, eventually, has
from test_options import sh

PROFILES = "/sys/kernel/security/apparmor/profiles"


def has_apparmor():
    try:
        with open("/sys/module/apparmor/parameters/enabled") as f:
            return f.read().startswith("Y")
    except OSError:
        return False


def need_apparmor():
    if not has_apparmor():
        raise Skip("AppArmor is not on in this kernel")
    if not os.path.exists("/sbin/apparmor_parser"):
        raise Skip("there is no apparmor_parser")


def is_loaded(name):
    with open(PROFILES) as f:
        return any(line.startswith(name + " (") for line in f)


def parser(option, text):
    subprocess.run(["/sbin/apparmor_parser", option], input=text, text=True, check=True, capture_output=True)


@contextlib.contextmanager
def profile(name, rules):
    text = f"profile {name} flags=(attach_disconnected) {{\nfile,\nnetwork,\ncapability,\nsignal,\nptrace,\n{rules}\n}}\n"
    parser("-Kr", text)
    try:
        yield
    finally:
        parser("-R", text)


def refused(k, *options, why, code=125):
    p = k.run("--rm", *options, "--", "true", check=False)
    eq(p.returncode, code, f"{options}: {p.stdout}{p.stderr}")
    has(p.stderr, why)


def create(k, want=201, **host):
    return k.api_json("POST", "/containers/create", {"Image": k.busybox(), "Cmd": ["true"], "HostConfig": {"NetworkMode": "none", **host}}, want=want)


# ---- AppArmor ------------------------------------------------------------------------------------------

# What capabilities, seccomp and masked paths would let through here, so that AppArmor alone is in the way.
OPEN = ("--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined", "--security-opt", "systempaths=unconfined")
PROBE = ("echo x > /proc/sys/kernel/domainname 2>/dev/null && echo domainname; echo 1 > /proc/sys/kernel/shm_rmid_forced && echo shm; "
         "mkdir /m; mount -t tmpfs t /m 2>/dev/null && echo mounted; echo hi > /proc/self/comm 2>/dev/null && echo comm; cat /proc/self/attr/current")


def test_apparmor_default_profile(k):
    need_apparmor()
    eq(sh(k, *OPEN, cmd=PROBE).split("\n"), ["shm", "comm", "docker-default (enforce)", ""])
    # and so it is AppArmor that denies
    eq(sh(k, *OPEN, "--security-opt", "apparmor=unconfined", cmd=PROBE).split("\n"), ["domainname", "shm", "mounted", "comm", "unconfined", ""])
    eq(is_loaded("docker-default"), True)
    cid = k.run("-d", "--", "sleep", "1000").stdout.strip()
    eq(k.inspect(cid)["AppArmorProfile"], "docker-default")
    has(k.docker("info", "-f", "{{json .SecurityOptions}}").stdout, '"name=apparmor"')
    # the container among itself: signals and ptrace go, and kilnd ends it
    eq(k.docker("exec", cid, "sh", "-c", "sleep 100 & kill -9 $! && echo killed").stdout, "killed\n")
    k.docker("stop", "-t", "1", cid)
    eq(k.state(cid)["Status"], "exited")


def test_apparmor_of_exec_init_and_privileged(k):
    need_apparmor()
    k.run("-d", "--name", "aa", "--init", "--health-cmd", "grep -q docker-default /proc/self/attr/current", "--health-interval", "300ms", "--", "sleep", "1000")
    for options in ((), ("--privileged",), ("-u", "user")):
        eq(k.docker("exec", *options, "aa", "cat", "/proc/self/attr/current").stdout, "docker-default (enforce)\n")
    eq(k.docker("exec", "aa", "sh", "-c", "cat /proc/1/comm /proc/1/attr/current").stdout, "kiln-init\ndocker-default (enforce)\n")
    eventually("healthy", lambda: k.state("aa")["Health"]["Status"] == "healthy", timeout=60)
    has(sh(k, "--security-opt", "no-new-privileges", "-u", "user", cmd="cat /proc/self/attr/current; grep NoNewPrivs /proc/self/status"),
        "docker-default (enforce)\nNoNewPrivs:\t1")
    cid = k.run("-d", "--privileged", "--", "sleep", "1000").stdout.strip()
    eq(k.docker("exec", cid, "cat", "/proc/self/attr/current").stdout, "unconfined\n")
    eq(k.inspect(cid)["AppArmorProfile"], "unconfined")


def test_apparmor_profile_of_ones_own(k):
    need_apparmor()
    with profile("kiln-test", "deny /etc/passwd r,\nptrace,"):
        p = k.run("--rm", "--security-opt", "apparmor=kiln-test", "--", "sh", "-c", "cat /etc/group | head -n1; cat /etc/passwd; cat /proc/self/attr/current", check=False)
        eq(p.stdout, "root:x:0:\nkiln-test (enforce)\n")
        has(p.stderr, "/etc/passwd': Permission denied")
        cid = k.docker("create", "--network", "none", "--security-opt", "apparmor=kiln-test", "busybox").stdout.strip()
        eq(k.inspect(cid)["AppArmorProfile"], "kiln-test")
    refused(k, "--security-opt", "apparmor=kiln-test", why="set AppArmor profile 'kiln-test': it is not loaded")
    refused(k, "--security-opt", "apparmor=no/such", why="set AppArmor profile 'no/such': it is not loaded")


def test_apparmor_profile_that_was_removed_is_loaded_again(k):
    need_apparmor()
    cid = k.run("-d", "--", "sleep", "1000").stdout.strip()
    parser("-R", "profile docker-default {}\n")
    eq(is_loaded("docker-default"), False)
    eq(sh(k, cmd="cat /proc/self/attr/current"), "docker-default (enforce)\n")
    parser("-R", "profile docker-default {}\n")
    eq(k.docker("exec", cid, "cat", "/proc/self/attr/current").stdout, "docker-default (enforce)\n")
    # whoever has a profile of that name keeps it
    with profile("docker-default", "deny /etc/group r,"):
        has(k.run("--rm", "--", "cat", "/etc/group", check=False).stderr, "Permission denied")


def test_apparmor_where_it_is_off(k):
    """What is asked for and not there is refused by name, and not forgotten."""
    if has_apparmor():
        raise Skip("AppArmor is on in this kernel")
    for name in ("docker-default", "mine"):
        refused(k, "--security-opt", f"apparmor={name}", why=f'"apparmor={name}" is refused: AppArmor is not on')
    cid = k.docker("create", "--network", "none", "--security-opt", "apparmor=unconfined", k.busybox()).stdout.strip()
    eq(k.inspect(cid)["AppArmorProfile"], "")
    eq("apparmor" in k.docker("info", "-f", "{{json .SecurityOptions}}").stdout, False)


def test_apparmor_names_are_one_word(k):
    for name in ("a\nchangeprofile unconfined", "a b", "\tx", "x" * 300, "\x7f"):
        has(create(k, want=400, SecurityOpt=[f"apparmor={name}"])["message"], "no name of a profile")


# ---- labels, system paths, the rest --------------------------------------------------------------------

def test_security_label(k):
    eq(sh(k, "--security-opt", "label=disable", cmd="echo in"), "in\n")
    eq(sh(k, "--security-opt", "label:disable", cmd="echo in"), "in\n")
    if os.path.exists("/sys/fs/selinux/enforce"):
        refused(k, "--security-opt", "label=type:svirt_t", why="SELinux is on in this machine's kernel")
    else:   # as docker: without effect, but told
        r = create(k, SecurityOpt=["label=type:svirt_t", "label=level:s0:c1"])
        eq([w for w in r["Warnings"] if "SELinux is not on" in w], ['SELinux is not on in this machine\'s kernel: SecurityOpt "label=…" has no effect.'])
        eq(create(k, SecurityOpt=["label=disable"])["Warnings"], [])
        eq(k.inspect(r["Id"])["ProcessLabel"], "")
    has(create(k, want=400, SecurityOpt=["label=nonsense"])["message"], "Bad label option")


def test_option_systempaths(k):
    default = k.inspect(k.docker("create", "--network", "none", k.busybox()).stdout.strip())["HostConfig"]
    has(default["MaskedPaths"], "/proc/kcore")
    has(default["ReadonlyPaths"], "/proc/sys")
    cid = k.run("-d", "--security-opt", "systempaths=unconfined", "--", "sleep", "1000").stdout.strip()
    eq((k.inspect(cid)["HostConfig"]["MaskedPaths"], k.inspect(cid)["HostConfig"]["ReadonlyPaths"]), ([], []))
    mounts = k.docker("exec", cid, "cat", "/proc/mounts").stdout
    eq([m for m in mounts.splitlines() if " /proc/" in m or " /sys/firmware" in m], [])
    eq(k.inspect(k.docker("create", "--network", "none", "--privileged", "busybox").stdout.strip())["HostConfig"]["MaskedPaths"], None)


def test_masked_and_readonly_paths_of_ones_own(k):
    cid = create(k, MaskedPaths=["/www/index.html", "/home", "/nosuch"], ReadonlyPaths=["/tmp", "/proc/sys"])["Id"]
    k.api_json("DELETE", f"/containers/{cid}?force=1")
    body = {"Image": k.busybox(), "HostConfig": {"NetworkMode": "none", "MaskedPaths": ["/www/index.html", "/home", "/nosuch"], "ReadonlyPaths": ["/tmp"]},
            "Cmd": ["sh", "-c", "cat /www/index.html; ls /home; touch /tmp/x; touch /home/x; head -c4 /proc/keys >/dev/null && echo keys"]}
    cid = k.api_json("POST", "/containers/create", body, want=201)["Id"]
    k.docker("start", "-a", cid, check=False)
    logs = k.docker("logs", cid)
    eq(logs.stdout, "keys\n")
    eq(logs.stderr.count("Read-only file system"), 2, logs.stderr)
    for field in ("MaskedPaths", "ReadonlyPaths"):
        has(create(k, want=400, **{field: ["etc"]})["message"], f"invalid {field}: 'etc' is not absolute")
        has(create(k, want=400, **{field: ["/a"] * 300})["message"], f"invalid {field}: more than")


def test_no_new_privileges_false(k):
    has(sh(k, "--security-opt", "no-new-privileges=false", cmd="grep NoNewPrivs /proc/self/status"), "NoNewPrivs:\t0")
    has(sh(k, "--security-opt", "no-new-privileges:true", cmd="grep NoNewPrivs /proc/self/status"), "NoNewPrivs:\t1")
    refused(k, "--security-opt", "no-new-privileges=maybe", why="invalid --security-opt 2")
    refused(k, "--security-opt", "nonsense=1", why="invalid --security-opt 2")
