# SPDX-License-Identifier: Apache-2.0
"""What a container gets hold of when a program enters it: descriptors, powers, identities, keys, the runtime's own file."""
import contextlib
import ctypes
import fcntl
import os
import re
import shutil
import signal
import subprocess
import tarfile
import tempfile
import termios
import threading
import time

import harness
from harness import Failed, Skip, eventually
from security import PAUSE_WANTED, UP, WEAK_BUILD, Refused, attack, attacker, broken, entry, inside, link

# Docker's fourteen, and CAP_SYS_PTRACE
OWN_POWERS = sum(1 << n for n in (0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31, 19))
SYS_ADD_KEY, SYS_KEYCTL = {"x86_64": (248, 250), "aarch64": (217, 219)}[os.uname().machine]


# ---- an exec that is watched -----------------------------------------------------------------------------

def hunted(f, execs, **options):
    """A container that may trace, and traces all that enters. Returns what it saw: [(pid, what, value)]"""
    with f.running(["sh", "-c", "/attacker hunt 60 >/seen"], caps=["SYS_PTRACE"], **options) as box:
        eventually("it hunts", lambda: "hunting" in box.read("/seen"), every=0.01)
        for i in range(execs):
            how = {"tty": i % 3 == 2, "user": ("", "user")[i % 2]}
            run = []
            if f.is_weak:
                f.switches.set("BORN", PAUSE_WANTED)
            t = threading.Thread(target=lambda: run.append(box.exec(["true"], **how)))   # pylint: disable=cell-var-from-loop
            t.start()
            if f.is_weak:
                f.switches.wait_paused("BORN")
                eventually("it is seen", lambda: box.read("/seen").count("CapPrm") > i, every=0.01)   # pylint: disable=cell-var-from-loop
                f.switches.set("BORN", UP)
            t.join()
            broken(run[0].refused, f"the exec did not go through: {run}")
        return [line.split(maxsplit=2) for line in box.read("/seen").splitlines()[1:]]


@attack("EXEC_FDS", "EXEC_POWERS", fronts="kilnd bundle", race=True)
def test_tracing_an_exec(f):
    """CVE-2016-9962: a container that may trace looks into a process that enters it before its program runs, for descriptors
    of the host, and for powers that it has not itself."""
    seen = hunted(f, 4 if f.is_weak else 20)
    links = {value for _, what, value in seen if what.startswith("fd/")}
    inside = re.compile(r"(/|/dev/null|/dev/pts/\d+|/dev/pts/ptmx|/etc/(passwd|group)|/proc/\d+/.*|(pipe|socket|anon_inode):.*)$")
    broken([x for x in links if not inside.match(x)], f"descriptors of the host: {links}")
    powers = {int(value.split()[-1], 16) for _, what, value in seen if what.startswith("Cap")}
    broken([x for x in powers if x & ~OWN_POWERS], f"powers beyond the container's: {[hex(x & ~OWN_POWERS) for x in powers]}")
    if f.is_weak and not (links and powers):
        raise Failed("nothing was seen")


@attack("PID_NOT_WATCHED")
def test_tracing_a_neighbour_that_starts(f):
    """The same of a container that starts in a pid namespace that is there already: all of its isolation is put up by a process
    that can be seen."""
    with f.running(["sh", "-c", "/attacker hunt 60 >/seen"], caps=["SYS_PTRACE"]) as box:
        eventually("it hunts", lambda: "hunting" in box.read("/seen"), every=0.01)
        for _ in range(10):
            with contextlib.suppress(Refused), f.running(["sleep", "1000"], host={"PidMode": f"container:{box.id}"}):
                eventually("it is seen", lambda: "CapPrm" in box.read("/seen"), every=0.01)
            powers = {int(line.split()[-1], 16) for line in box.read("/seen").splitlines() if " Cap" in line}
            broken([x for x in powers if x & ~OWN_POWERS], f"powers beyond the container's: {[hex(x & ~OWN_POWERS) for x in powers]}")
    # nor where a third one may trace
    with f.running(["sleep", "1000"]) as first, f.running(["sleep", "1001"], caps=["SYS_PTRACE"], host={"PidMode": f"container:{first.id}"}):
        run = f.run(["true"], host={"PidMode": f"container:{first.id}"})
        broken(not run.refused, "it started beside a container that may trace")
    with f.running(["sleep", "1000"]) as first:
        run = f.run(["true"], caps=["SYS_PTRACE"], host={"PidMode": f"container:{first.id}"})
        if run.code != 0:
            raise Failed(f"who may trace may start beside who may not: {run}")


@attack("USERS_UNSEEN", fronts="bundle", race=True)
def test_tracing_who_joins_a_user_namespace(f):
    """Root of a user namespace that sees the host's processes traces the one of the runtime that enters the namespace, to read its mappings
    for a container that joins it: with root's own memory and files in its hands."""
    ids = [{"containerID": 0, "hostID": 0, "size": 65536}]
    kinds = ("mount", "ipc", "uts", "network", "cgroup")
    more = {"namespaces": [{"type": t} for t in (*kinds, "user")], "uidMappings": ids, "gidMappings": ids}
    with f.running(["sh", "-c", "/attacker insist 60 >/seen"], caps=["SYS_PTRACE"], more=more) as box:
        eventually("it hunts", lambda: "hunting" in box.read("/seen"), every=0.01)
        joins = [{"type": t} for t in (*kinds, "pid")] + [{"type": "user", "path": f"/proc/{box.pid}/ns/user"}]
        for _ in range(1 if f.is_weak else 20):
            if f.is_weak:
                f.switches.set("ENTERED", PAUSE_WANTED)
            t = threading.Thread(target=lambda: f.run(["true"], more={"namespaces": joins}))
            t.start()
            if f.is_weak:
                f.switches.wait_paused("ENTERED")
                seconds = time.monotonic() + 2
                while f.dir not in box.read("/seen") and time.monotonic() < seconds:
                    time.sleep(0.01)
                f.switches.set("ENTERED", UP)
            t.join()
        traced = [line for line in box.read("/seen").splitlines() if f.dir in line]
        broken(traced, f"it has traced a process of the runtime: {traced}")


# ---- who it becomes ------------------------------------------------------------------------------------------

@attack("ID_RANGE")
def test_user_is_no_uid(f):
    """CVE-2024-40635, CVE-2026-46680, CVE-2026-30892: a number that does not fit, or is none, becomes root."""
    names = ["4294967296", "65536:4294967296", "4294967296:0", "18446744073709551616", "2147483648", "-1", "1 2", "1:x", "0x0", "1e9", "+0", " 0"]
    users = "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n" + "".join(f"{n.split(':')[0]}:x:0:0::/:/bin/sh\n" for n in names)
    image = f.image([entry("etc/passwd", users.replace("-1:x", "no:x").replace("1 2:x", "no:x").replace("0x0:x", "no:x")
                           .replace("1e9:x", "no:x").replace("+0:x", "no:x").replace(" 0:x", "no:x"))])
    with f.running(["sleep", "1000"], image=image) as box:
        for name in names:
            for run in (f.run(["id", "-u"], image=image, user=name), box.exec(["id", "-u"], user=name)):
                broken(run.out.strip() == "0", f"user {name!r} is root: {run}")


@attack("PRIMARY_GROUP")
def test_group_that_is_denied(f):
    """CVE-2022-36109, CVE-2023-25173, CVE-2022-2989, CVE-2022-2990, CVE-2022-2995: by a set-group-id program a user leaves its
    primary group, to which a file is denied."""
    image = f.image([entry("secret", "denied to staff\n", mode=0o707, gid=50), entry("bin/other", None),
                     attacker("bin/other/attacker", mode=0o2755, gid=60)])
    for user in ("1000:50", "1000:staff"):
        run = f.run(["/bin/other/attacker", "open", "/secret"], image=image, user=user)
        broken("EACCES" not in run.out, f"user {user} reads what is denied to its group: {run}")


@attack("INHERITABLE", fronts="kilnd bundle")
def test_inheritable_capabilities(f):
    """CVE-2022-29162, CVE-2022-27650, CVE-2022-27649, CVE-2022-27651, CVE-2022-24769, CVE-2025-27612, CVE-2018-10856: a file with
    inheritable capabilities gives them to a user who has none."""
    net_raw = "\x01\x00\x00\x02" + 4 * "\x00" + "\x00\x20\x00\x00" + 8 * "\x00"   # VFS_CAP_REVISION_2, effective; inheritable: CAP_NET_RAW
    info, data = attacker("gives")
    info.pax_headers = {"SCHILY.xattr.security.capability": net_raw}
    image = f.image([(info, data)])
    if f.is_bundle:
        os.setxattr(image + "/gives", "security.capability", net_raw.encode())
    with f.running(["sleep", "1000"], image=image) as box:
        runs = [f.run(["/gives", "status", "CapEff", "CapInh"], image=image, user="user"),
                box.exec(["/gives", "status", "CapEff", "CapInh"], user="user")]
    for run in runs:
        sets = [int(line.split()[-1], 16) for line in run.out.splitlines()]
        broken(any(sets), f"a user has capabilities: {run}")
        if len(sets) != 2:
            raise Failed(run)


# ---- what is read of an image on the way ----------------------------------------------------------------------

@attack("PASSWD_BOUNDED")
def test_passwd_without_end(f):
    """CVE-2026-47262: passwd or group of gigabytes, which a start would have to read."""
    for name in ("passwd", "group"):
        path = tempfile.mkdtemp(dir=f.dir) + "/" + name
        with open(path, "wb") as file:
            file.truncate(1 << 28 if f.is_weak else 1 << 40)
        run = f.run(["true"], user="0" if name == "passwd" else "0:0" if f.is_weak else "0:nobody", host={"Binds": [f"{path}:/etc/{name}"]})
        broken(name == "passwd" and not run.refused, f"all of a large {name} was read: {run}")
        broken(not f.is_weak and "larger than 1 MiB" not in run.refused, f"{name}: {run}")
    many = f.image([entry("etc/passwd", "x:x:1:1::/:\n" * 200000 + "late:x:0:0::/:\n")])
    broken(not f.run(["true"], image=many, user="late").refused, "a name behind the first MiB was found")


@attack("PASSWD_REGULAR")
def test_passwd_is_no_file(f):
    """CVE-2024-9676, CVE-2026-47262: passwd or group is a pipe, a device or a directory: to read it takes for ever."""
    for kind in (tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE):
        image = f.image([entry("etc/passwd", kind=kind, devmajor=1, devminor=5), entry("etc/group", kind=kind, devmajor=1, devminor=5)])
        for user in ("0", "0:0", "user", "0:staff"):
            run = f.run(["true"], image=image, user=user)
            broken(not run.refused, f"passwd of kind {kind} was read for {user!r}: {run}")


@attack("PASSWD_ON_DISK")
def test_passwd_is_a_file_of_the_kernel(f):
    """CVE-2024-9676: passwd is a link to a file of /proc, which is read with the power of the host's root."""
    for target in ("/proc/kmsg", "/proc/version", "../proc/1/environ", "/sys/kernel/uevent_seqnum"):
        image = f.image([link("etc/passwd", target), link("etc/group", target)])
        for user in ("0", "user", "0:staff"):
            run = f.run(["true"], image=image, user=user)
            broken("file of the kernel" not in run.refused, f"{target} was read for {user!r}: {run}")


@attack("KEYRING", fresh=True)
def test_keys_of_the_session(f):
    """Keys of whoever started kilnd: they are not in a namespace."""
    libc = ctypes.CDLL(None)
    name = f"kiln-attack-{os.getpid()}".encode()
    if libc.syscall(SYS_KEYCTL, 1, None) < 0 or libc.syscall(SYS_ADD_KEY, b"user", name, b"a secret of the host", 20, -3) < 0:
        raise Skip("the kernel has no keyrings here")
    f.k.start()
    run = f.run(["/attacker", "keys", name.decode()], host={"SecurityOpt": ["seccomp=unconfined"]})
    broken("a secret" in run.out, f"a key of the host: {run}")
    if "search" not in run.out:
        raise Failed(run)


# ---- the runtime's own file -------------------------------------------------------------------------------------

def is_command(pid, name):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as line:
        return line.read().split(b"\0")[0] == name
    return False


def feed(init):
    """The runtime in the container gets what it waits for, and ends."""
    with contextlib.suppress(OSError):
        os.close(os.open(f"/proc/{init}/root/b/log", os.O_RDONLY | os.O_NONBLOCK))


def libraries(program):
    """What a dynamic program needs to run in a container."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    for path in set(re.findall(r"(/\S+) \(0x", listed)):
        with open(path, "rb") as file:
            yield entry(path.lstrip("/"), file.read(), mode=0o755)


@attack("SEALED", fresh=True)
def test_overwriting_the_runtime(f):
    """CVE-2019-5736: a program that enters a container is /proc/self/exe, the runtime once more; a process that was there before
    opens its file through /proc, and waits until nobody runs it."""
    copies = f.dir + "/copies"
    os.mkdir(copies)
    for name in ("kilnd", "kiln-runtime"):
        shutil.copy(f"{f.k.build}/{name}", copies)
    f.k.build = copies
    f.k.start()
    # It waits at the pipe for somebody who reads its log
    image = f.image([entry("b"), entry("b/log", kind=tarfile.FIFOTYPE), *libraries(copies + "/kiln-runtime")])
    box = f.start(["sh", "-c", "/attacker overwrite 20 >/out"], image=image)
    init = box.pid
    box.begin(["/proc/self/exe", "--log", "/b/log", "state", "x"])
    eventually("the runtime runs in the container", lambda: any(is_command(p, b"/proc/self/exe") for p in inside(init)))
    eventually("it is found there", lambda: "found" in box.read("/out"))
    users = [p for p in [f.k.proc.pid, *f.k.launcher_pids(), *harness.children_of(f.k.launcher_pid())] if p != init]
    try:
        with open(f"/proc/{init}/root/out", encoding="utf-8") as out:
            for pid in users:
                os.kill(pid, signal.SIGKILL)
            said = eventually("it has tried", lambda: feed(init) or re.search("^(overwritten|write .*)", out.seek(0) * "" + out.read(), re.M))[0]
    finally:
        with contextlib.suppress(OSError):
            os.kill(init, signal.SIGKILL)
    with open(copies + "/kiln-runtime", "rb") as now, open((f.is_weak and WEAK_BUILD or harness.BUILD) + "/kiln-runtime", "rb") as was:
        broken(now.read() != was.read(), f"the runtime on disk was overwritten: {said}")
    broken(said == "overwritten", "what the runtime runs from was overwritten")


# ---- terminals --------------------------------------------------------------------------------------------------

@attack("SESSION", fronts="bundle")
def test_typing_into_the_hosts_terminal(f):
    """CVE-2016-10124, CVE-2017-5226: a program whose stdin is the terminal of whoever started it types into it (TIOCSTI)."""
    path, cid = f.bundle(["/attacker", "tiocsti"])
    ours, theirs = os.openpty()

    def lead():
        os.setsid()
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    p = subprocess.Popen([f.runtime, "run", "--bundle", path, cid], stdin=theirs, stdout=subprocess.PIPE, text=True, env=f.env, preexec_fn=lead)
    out, _ = p.communicate(timeout=20)
    os.close(theirs)
    os.close(ours)
    with contextlib.suppress(OSError), open("/proc/sys/dev/tty/legacy_tiocsti", encoding="ascii") as way:
        if way.read().strip() == "0":
            raise Skip("the kernel types for nobody (dev.tty.legacy_tiocsti)")
    broken("TIOCSTI OK" in out, "a line was typed into the terminal of the host")
    if "TIOCSTI" not in out:
        raise Failed(out)
