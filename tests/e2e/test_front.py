# SPDX-License-Identifier: Apache-2.0
"""kiln-runtime's command line: what no contract with other runtimes (tests/conformance/) asks for."""
import contextlib
import json
import os
import signal
import struct
import subprocess
import time

from harness import Failed, Skip, cgroup_dirs, eq, eventually, has, is_alive
from ociruntime import Runtime, exit_code


@contextlib.contextmanager
def kiln():
    rt = Runtime("kiln")
    try:
        yield rt
    except BaseException:
        with contextlib.suppress(Exception):
            rt.close()
        raise
    rt.close()


def proc_status(pid):
    with open(f"/proc/{pid}/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def test_front_a_waiting_process_has_no_power_and_nothing_of_the_host():
    with kiln() as rt:
        b = rt.bundle()
        b.config["process"]["user"] = {"uid": 1000, "gid": 1000}
        b.config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["swapon"], "action": "SCMP_ACT_ERRNO"}]}
        b.write("sh", "-c", "exit 6")
        pid = rt.create(b)
        status = proc_status(pid)
        eq({k: status[k].split()[0] for k in ("Uid", "Gid", "CapEff", "CapPrm", "CapInh", "CapAmb", "Seccomp", "PPid")},
           {"Uid": "1000", "Gid": "1000", "CapEff": f"{0x4e1:016x}", "CapPrm": f"{0x4e1:016x}", "CapInh": "0" * 16, "CapAmb": "0" * 16, "Seccomp": "2",
            "PPid": str(os.getpid())})
        links = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd") if int(fd) > 2}
        eq(links, {f"{rt.root}/{b.id}/start", f"{rt.root}/{b.id}/report"})
        eq(os.stat(rt.root).st_mode & 0o7777, 0o700)
        eq(os.stat(f"{rt.root}/{b.id}").st_mode & 0o7777, 0o700)
        rt.call("start", b.id)
        eq(exit_code(pid), 6)


def test_front_start_tells_what_execve_says():
    with kiln() as rt:
        b = rt.bundle()
        with open(b.rootfs + "/bin/garbage", "wb") as f:
            f.write(b"\x7fELF nothing of the kind")
        with open(b.rootfs + "/bin/script", "w") as f:
            f.write("#!/nosuch\n")
        for name, words in (("garbage", "exec format error"), ("script", "no such file or directory")):
            os.chmod(f"{b.rootfs}/bin/{name}", 0o755)
            b.write(name)
            pid = rt.create(b)
            has(rt.fails("start", b.id).lower(), words)
            eventually("its process is gone", lambda p=pid: not is_alive(p))
            eq(rt.status(b.id), "stopped")
            rt.call("delete", b.id)


def tiny_program(code):
    """An ELF file for x86-64 that does nothing but exit_group(code)."""
    text = b"\xb8\xe7\x00\x00\x00\xbf" + struct.pack("<I", code) + b"\x0f\x05"
    base, size = 0x400000, 120 + len(text)
    head = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, base + 120, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return head + struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 4096) + text


def test_front_a_filter_that_allows_next_to_nothing_does_not_keep_it_from_starting():
    """What stands between the filter and execve are read, write and close, and capset when the filter comes before it."""
    if os.uname().machine != "x86_64":
        raise Skip("the program is for x86-64")
    with kiln() as rt:
        b = rt.bundle()
        with open(b.rootfs + "/bin/tiny", "wb") as f:
            f.write(tiny_program(6))
        os.chmod(b.rootfs + "/bin/tiny", 0o755)
        for nnp in (False, True):
            names = ["execve", "exit_group", "read", "write", "close"] + ([] if nnp else ["capset"])
            b.config["process"]["noNewPrivileges"] = nnp
            b.config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_KILL_PROCESS", "syscalls": [{"names": names, "action": "SCMP_ACT_ALLOW"}]}
            b.write("/bin/tiny")
            pid = rt.create(b)
            rt.call("start", b.id)
            eq(exit_code(pid), 6)
            rt.call("delete", b.id)


def test_front_a_pid_that_is_somebody_elses_is_not_touched():
    with kiln() as rt:
        b = rt.bundle("sleep", "1000")
        pid = rt.create(b)
        file = f"{rt.root}/{b.id}/state.json"
        with open(file) as f:
            record = json.load(f)
        time.sleep(0.05)        # it is told by when it started, in ticks of 10 ms
        other = subprocess.Popen(["sleep", "1000"])
        try:
            for change in ({"pid": other.pid}, {"startTicks": record["startTicks"] + 1}, {"boot": "0" * 36}):
                with open(file, "w") as f:
                    json.dump({**record, **change}, f)
                eq(rt.status(b.id), "stopped")
                has(rt.fails("kill", b.id, "KILL"), "not running")
                rt.fails("start", b.id)
            with open(file, "w") as f:
                json.dump({**record, "pid": other.pid}, f)
            rt.call("delete", "--force", b.id)
            eq(other.poll(), None)
            eventually("what is in its control group is gone", lambda: not is_alive(pid))
        finally:
            other.kill()
            other.wait()


def test_front_a_group_of_somebody_else_is_left_alone():
    """Two containers that ask for one group: the second is refused, and the first does not notice."""
    with kiln() as rt:
        a, b = rt.bundle("sleep", "1000"), rt.bundle()
        pid = rt.create(a)
        rt.call("start", a.id)
        b.config["linux"]["cgroupsPath"] = a.cgroup
        b.write("true")
        has(rt.fails("create", "--bundle", b.dir, b.id), "has processes in it")
        eq((is_alive(pid), rt.status(a.id), rt.ids()), (True, "running", [a.id]))


def test_front_a_group_that_another_has_taken_over_is_left_alone():
    """The first container of a group has ended, a second one is in it: deleting the first one does the second no harm."""
    with kiln() as rt:
        a, b = rt.bundle("true"), rt.bundle()
        rt.create(a)
        rt.call("start", a.id)
        eventually("it has ended", lambda: rt.status(a.id) == "stopped")
        b.config["linux"]["cgroupsPath"] = a.cgroup
        pid = rt.create(b.write("sleep", "1000"))
        rt.call("start", b.id)
        rt.call("delete", a.id)
        eq((is_alive(pid), rt.status(b.id), rt.ids()), (True, "running", [b.id]))
        rt.call("delete", "--force", b.id)
        eq(cgroup_dirs(a.cgroup), [])


def test_front_groups_above_that_it_made_go_with_it():
    with kiln() as rt:
        b = rt.bundle()
        b.config["linux"]["cgroupsPath"] = f"{rt.parent}/deep/below/{b.id}"
        b.write("true")
        rt.call("run", "--bundle", b.dir, b.id)
        eq(cgroup_dirs(f"{rt.parent}/deep"), [])


def test_front_a_group_that_a_dying_process_is_in_goes_too():
    """Killed between its child's birth and the note of it, a runtime leaves a record without a process, and the child on its way out."""
    with kiln() as rt:
        b = rt.bundle("true")
        os.kill(rt.create(b), signal.SIGKILL)
        rt.wait_stopped(b)
        path = f"{rt.root}/{b.id}/state.json"
        with open(path) as f:
            record = json.load(f)
        eq(record.pop("hasGroup", False), False)
        record["pid"] = 0
        with open(path, "w") as f:
            json.dump(record, f)
        join = "".join(f"echo 0 > {d}/cgroup.procs; " for d in cgroup_dirs(b.cgroup))
        dying = subprocess.Popen(["sh", "-c", join + "echo; exec sleep 0.3"], stdout=subprocess.PIPE)
        dying.stdout.read(1)
        rt.call("delete", "--force", b.id)
        eq((rt.ids(), cgroup_dirs(b.cgroup), dying.wait(10)), ([], [], 0))


def test_front_what_is_killed_half_way_can_be_deleted():
    """create and run, killed after ever longer: delete takes away what is left, and a new one can be made at once."""
    with kiln() as rt:
        b = rt.bundle("sleep", "1000")
        for command in ("create", "run"):
            for step in range(12):
                p = rt.popen(command, "--bundle", b.dir, b.id, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(0.0015 * step)
                p.kill()
                p.wait()
                rt.call("delete", "--force", b.id)
                eq((rt.ids(), cgroup_dirs(b.cgroup)), ([], []))
        left = [p for p in os.listdir("/proc") if p.isdigit() and b.id in read_cmdline(p)]
        eq(left, [])
        rt.create(b)


def read_cmdline(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline") as f:
        return f.read()
    return ""


def test_front_delete_finds_what_is_not_whole():
    with kiln() as rt:
        os.makedirs(f"{rt.root}/half", 0o700)
        eq(rt.status("half"), "stopped")
        eq(rt.call("list", "-q").out, "half\n")
        rt.call("delete", "half")
        os.makedirs(f"{rt.root}/torn", 0o700)
        with open(f"{rt.root}/torn/state.json", "w") as f:
            f.write('{"version": 1, "id"')
        has(rt.fails("state", "torn"), "state.json")
        eq(rt.call("list", "-q").out, "")
        has(rt.fails("delete", "torn"), "state.json")
        has(rt.call("delete", "--force", "torn").err, "state.json")
        eq(rt.ids(), [])


def test_front_descriptors_of_the_caller_stay_out():
    with kiln() as rt:
        b = rt.bundle("sh", "-c", "ls -l /proc/self/fd >/tmp/fds; sleep 1000")
        r, w = os.pipe()
        os.set_inheritable(r, True)
        secret = os.open("/etc/hostname", os.O_RDONLY)
        os.dup2(secret, 77)
        pid = rt.create(b, close_fds=False)
        if any("hostname" in os.readlink(f"/proc/{pid}/fd/{fd}") or "pipe" in os.readlink(f"/proc/{pid}/fd/{fd}")
               for fd in os.listdir(f"/proc/{pid}/fd")):
            raise Failed("the waiting process has them")
        rt.call("start", b.id)
        eventually("it has looked", lambda: os.path.exists(b.rootfs + "/tmp/fds") and "2 ->" in open(b.rootfs + "/tmp/fds").read())
        fds = [line.split("->")[0].split()[-1] for line in open(b.rootfs + "/tmp/fds").read().splitlines() if "->" in line]
        eq([fd for fd in fds if fd != "3"], ["0", "1", "2"])     # 3 may be ls's own
        for fd in (r, w, secret, 77):
            os.close(fd)


def test_front_preserved_descriptors_go_in():
    with kiln() as rt:
        b = rt.bundle("sh", "-c", "echo three >&3; echo four >&4; echo five 2>/dev/null >&5; echo $LISTEN_FDS.$LISTEN_PID >&3")
        r, w = os.pipe()
        saved = [os.dup(fd) if is_open(fd) else None for fd in (3, 4)]
        del saved
        runner = (f"import os, sys; os.dup2({w}, 3); os.dup2({w}, 4); os.dup2({w}, 5); os.set_inheritable(3, True); os.set_inheritable(4, True); "
                  "os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid())); os.execv(sys.argv[1], sys.argv[1:])")
        p = subprocess.run(["/usr/bin/python3", "-c", runner, *rt.program, "--root", rt.root, "run", "--preserve-fds", "1", "--bundle", b.dir, b.id],
                           pass_fds=[w], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        os.close(w)
        eq((p.returncode, os.read(r, 100)), (0, b"three\nfour\n1.1\n"), p.stderr)
        os.close(r)
        p = subprocess.run(["/usr/bin/python3", "-c", "import os, sys; os.closerange(3, 50); os.execv(sys.argv[1], sys.argv[1:])", *rt.program, "--root",
                            rt.root, "--log", rt.dir + "/log", "run", "--preserve-fds", "2", "--bundle", b.dir, b.id], capture_output=True, text=True,
                           timeout=60)
        eq(p.returncode, 1)
        has(p.stderr, "preserve descriptor 3")


def is_open(fd):
    with contextlib.suppress(OSError):
        os.fstat(fd)
        return True
    return False


def test_front_kill_without_a_pid_namespace_ends_all():
    with kiln() as rt:
        b = rt.bundle()
        b.config["linux"]["namespaces"] = [n for n in b.config["linux"]["namespaces"] if n["type"] != "pid"]
        b.write("sh", "-c", "sleep 1000 & echo $! > /tmp/other; wait")
        pid = rt.create(b)
        rt.call("start", b.id)
        eventually("its child is there", lambda: os.path.exists(b.rootfs + "/tmp/other") and open(b.rootfs + "/tmp/other").read().strip())
        other = int(open(b.rootfs + "/tmp/other").read())
        eq(is_alive(other), True)
        rt.call("kill", b.id, "KILL")
        eq(exit_code(pid), -signal.SIGKILL)
        eventually("its child is gone", lambda: not is_alive(other))
        rt.call("kill", "--all", b.id, "KILL")
        rt.call("delete", b.id)


def test_front_log_formats():
    with kiln() as rt:
        log = rt.dir + "/log"
        has(rt.fails("state", "nosuch", globals=["--log", log, "--log-format", "text"]), "container does not exist")
        has(open(log).read(), 'level=error msg="container does not exist')
        has(rt.call("state", "nosuch", code=1).err, 'level=error msg="container does not exist')
        has(rt.fails("state", "nosuch", globals=["--log-format", "xml"]), "--log-format")
        has(rt.fails("state", "nosuch", globals=["--log", "/nosuch/log"]), "open the log")
        eq(rt.call("--version").out.splitlines()[0].split()[:2], ["kiln-runtime", "version"])
        for words in (["--help"], ["help"], ["create", "--help"], ["help", "create"]):
            has(rt.call(*words).out, "Usage:  kiln-runtime")
        rt.call(code=1)
        has(rt.fails("create", "--nosuch", "x"), "unknown flag: --nosuch")
        has(rt.fails("create"), "container id cannot be empty")
        has(rt.fails("start", "a", "b"), "usage:")
