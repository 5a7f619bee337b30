# SPDX-License-Identifier: Apache-2.0
"""Launcher and monitor, driven over runtime/proto.h as kilnd does it, without a kilnd."""
import contextlib
import os
import re
import signal
import socket
import struct
import time

import launcher as L
from harness import Failed, IS_SANITIZED, children_of, descendants_of, eq, eventually, has, is_alive


@contextlib.contextmanager
def running():
    """A launcher; at the end nothing may be left of what the test has started."""
    lc = L.Launcher()
    try:
        yield lc
        eventually("all monitors end", lambda: not descendants_of(lc.pid))
    except BaseException:
        with open(lc.log_path) as f:
            print("--- launcher's log\n" + f.read()[-3000:])
        lc.close()
        raise
    left = lc.close(keep=True)
    with open(lc.log_path) as f:
        log = f.read()
    lc.remove()
    eq([line for line in log.splitlines() if "Sanitizer" in line or "runtime error" in line], [], "sanitizers")
    eq(left, [], "left behind")


def kill9(pid):
    os.kill(pid, signal.SIGKILL)


# ---- run and exit --------------------------------------------------------------------------------

def test_launcher_runs_and_tells_exit_code():
    with running() as lc:
        m = lc.launch("sh", "-c", "echo out; echo err >&2; exit 7", attach=L.OUT | L.MUX)
        r = m.exited()
        eq((r.code, r.phase, r.signalled, r.oom), (7, L.DONE, 0, 0))
        eq(r.finished >= r.started > 0, True, "times")
        eq(m.record().code, 7, "record on disk")
        m.release()
        eq(L.demux(L.read_all(m.client)), {1: b"out\n", 2: b"err\n"})
        eq(sorted((line["stream"], line["log"]) for line in m.log()), [("stderr", "err\n"), ("stdout", "out\n")])


def test_launcher_tells_signals():
    with running() as lc:
        for sig in (signal.SIGKILL, signal.SIGTERM):
            m = lc.launch("sh", "-c", "trap - TERM; exec sleep 100", process={"args": ["sleep", "100"]})
            if sig == signal.SIGTERM:
                # PID 1 ignores what it has no handler for; the shell has one.
                signal.pidfd_send_signal(m.pidfd, signal.SIGTERM)
                eq(m.is_silent(), True)
            signal.pidfd_send_signal(m.pidfd, signal.SIGKILL)
            r = m.exited()
            eq((r.code, r.signalled), (137, 1))
            m.release()


def test_launcher_group_is_gone_when_exit_is_told():
    with running() as lc:
        m = lc.launch("true")
        m.exited()
        eventually("the control group is removed", lambda: not lc.groups(), timeout=2)
        m.release()


def test_launcher_failed_launch_tells_stage_and_code():
    with running() as lc:
        for args, code, text in ((["/nonexistent"], 127, "no such file"), (["/etc/passwd"], 126, "permission denied")):
            m = lc.launch(*args, start=False)
            body, _fds = m.expect(L.FAILED)
            got, message = L.failure(body)
            eq(got, code, message)
            has(message.lower(), text)
            m.release()
            eq(m.recv()[0], 0)
        eq(lc.groups(), [])


def test_launcher_refuses_bad_documents():
    with running() as lc:
        good = lc.spec(["true"])
        for change, text in (({"version": 9}, "version"), ({"cgroupPath": "/elsewhere"}, "cgroupPath"),
                             ({"dataRoot": "relative"}, "absolute"), ({"stdio": {"logPath": "/etc/passwd"}}, "data root"),
                             ({"stdio": {"logPath": good["dataRoot"] + "/../../x"}}, "log"),
                             ({"stdio": {"captureBytes": 1 << 40}}, "captureBytes"), ({"id": "f" * 64}, "id")):
            spec = dict(good, **change)
            m = lc.prepare(spec, L.LAUNCH, good["containerDir"])
            m.id = good["id"]
            lc.go(m)
            has(L.failure(m.expect(L.FAILED)[0])[1], text)
            m.close()
        for text in (b"", b"{", b"[]", b'{"version": "x"}', b"\0" * 100, b"{" * 100000):
            m = lc.prepare(lc.spec(["true"]), L.LAUNCH, good["containerDir"])
            os.ftruncate(m.fds[0], 0)
            os.pwrite(m.fds[0], text, 0)
            lc.go(m)
            has(L.failure(m.expect(L.FAILED)[0])[1], "document")
            m.close()
        m = lc.launch("true")
        eq(m.finish(), 0)


def test_launcher_hostile_messages_only_close_the_connection():
    with running() as lc:
        m = lc.launch("sleep", "100")
        for data in (b"x", L.head(L.LAUNCH, b""), L.head(99, b"\0" * 80), L.head(L.STATUS, b""), L.head(L.CLEAN, b"A" * 836),
                     L.head(L.LAUNCH, b"A" * 68), struct.pack("=HHI", 1, L.SHUTDOWN, 999), L.head(L.SHUTDOWN, b"", version=7),
                     L.head(L.HELLO, b"\0" * 64), b"\0" * 20000):
            c = lc.connect()
            with contextlib.suppress(OSError):
                c.sock.send(data)
            eq(c.recv()[0], 0, f"answer to {data[:16]!r}")
        c = L.Channel(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        c.sock.connect(lc.run + "/l/launcher.sock")
        c.send(L.SHUTDOWN)
        eq(c.recv()[0], 0, "shutdown before hello")
        for data in (b"x", L.head(L.LAUNCH, b"\0" * 68), L.head(L.ATTACH, struct.pack("=II16s", 7, 9, b"") + b"x"),
                     L.head(L.ATTACH, struct.pack("=II16s", 7, 0, b"")), L.head(L.RELEASE, b""), L.head(L.RESIZE, b"")):
            c = m.reconnect()
            c.sock.send(data)
            eq(c.recv()[0], 0, f"the monitor's answer to {data[:16]!r}")
        m = m.reconnect()
        eq(m.status()[0].phase, L.RUNNING)
        kill9(m.pid)
        eq(m.finish(), 137)
        lc.kilnd = lc.connect()


# ---- streams --------------------------------------------------------------------------------------

def test_monitor_attach_before_start_loses_nothing():
    with running() as lc:
        for _ in range(5):
            m = lc.launch("sh", "-c", "seq 20000", attach=L.OUT)
            want = b"".join(b"%d\n" % i for i in range(1, 20001))
            data = b""
            while len(data) < len(want):
                data += m.client.recv(65536)
            eq(data == want, True, "all lines in order")
            eq(m.finish(), 0)
            eq(m.client.recv(10), b"")
            eq("".join(line["log"] for line in m.log()).encode() == want, True, "the log too")


def test_monitor_stdin_half_close():
    with running() as lc:
        m = lc.launch("sh", "-c", "cat; echo done", stdin=True, once=True, attach=L.OUT | L.STDIN)
        m.client.sendall(b"hello\n")
        eq(L.read_until(m.client, b"hello\n"), b"hello\n")
        m.client.shutdown(socket.SHUT_WR)
        eq(L.read_until(m.client, b"done\n"), b"done\n")
        eq(m.finish(), 0)


def test_monitor_attach_later_and_twice():
    with running() as lc:
        m = lc.launch("sh", "-c", "while read x; do echo got $x; done", stdin=True)
        a, b = m.attach(L.OUT | L.STDIN), m.attach(L.OUT | L.STDIN, prefix=b"early\n")
        eq(L.read_until(a, b"\n"), b"got early\n")
        eq(L.read_until(b, b"\n"), b"got early\n")
        a.close()
        b.sendall(b"more\n")
        eq(L.read_until(b, b"\n"), b"got more\n")
        kill9(m.pid)
        eq(m.finish(), 137)


def test_monitor_stream_ends_after_release_only():
    with running() as lc:
        m = lc.launch("echo", "x", attach=L.OUT)
        m.exited()
        eq(m.client.recv(10), b"x\n")
        m.client.settimeout(0.3)
        try:
            m.client.recv(10)
            raise Failed("the stream ended before kilnd had the exit code")
        except socket.timeout:
            pass
        m.release()
        m.client.settimeout(5)
        eq(m.client.recv(10), b"")


def test_monitor_big_output_through_slow_client():
    with running() as lc:
        m = lc.launch("sh", "-c", "head -c 8000000 /dev/zero", attach=L.OUT)
        time.sleep(0.5)
        got = 0
        while got < 8000000:
            got += len(m.client.recv(65536))
        eq(m.finish(), 0)


def test_monitor_slow_client_gets_the_rest_after_the_end():
    with running() as lc:
        m = lc.launch("sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end", attach=L.OUT)
        data = b""
        while is_alive(m.pid):
            data += m.client.recv(4096)
            time.sleep(0.0005)
        eq(m.exited().code, 0)   # reported though the client has not taken all
        m.release()
        time.sleep(3)
        data += L.read_all(m.client)
        eq((len(data), data[-5:]), (3000005, b"\nend\n"))
        eq(m.log()[-1]["log"], "end\n")


def test_monitor_oom_is_told():
    with running() as lc:
        m = lc.launch("sh", "-c", "tail /dev/zero; exit 9", resources={"memory": {"limit": 16 << 20}})
        r = m.exited(30)
        eq((r.code, r.oom), (9, 1))
        eq(m.record().oom, 1)
        m.release()


def test_monitor_vanished_client_does_no_harm():
    with running() as lc:
        m = lc.launch("sh", "-c", "seq 100000; echo end", attach=L.OUT | L.STDIN, stdin=True)
        m.client.recv(10)
        m.client.close()
        eq(m.finish(), 0)
        eq(m.log()[-1]["log"], "end\n")


def test_monitor_tty():
    with running() as lc:
        m = lc.launch("sh", "-c", "stty size; tty; read x; stty size; echo got $x; exit 3", tty=True, stdin=True,
                      attach=L.OUT | L.STDIN | L.MUX, more={"height": 30, "width": 90})
        has(L.read_until(m.client, b"/dev/"), b"30 90\r\n")
        m.resize(50, 120)
        m.client.sendall(b"line\r")
        has(L.read_until(m.client, b"got line\r\n"), b"50 120\r\n")
        eq(m.finish(), 3)


def test_monitor_detach_keys():
    with running() as lc:
        m = lc.launch("sh", "-c", "while read x; do echo got $x; done", tty=True, stdin=True, attach=L.OUT | L.STDIN)
        m.client.sendall(b"\x10\x11")
        m.expect(L.DETACHED)
        eq(L.read_all(m.client), b"")
        own = m.attach(L.OUT | L.STDIN, keys=b"qq")
        own.sendall(b"aqb\r")
        has(L.read_until(own, b"got aqb"), b"got aqb")
        own.sendall(b"qq")
        m.expect(L.DETACHED)
        eq(m.status()[0].phase, L.RUNNING)
        kill9(m.pid)
        eq(m.finish(), 137)


def test_monitor_capture():
    with running() as lc:
        m = lc.launch("sh", "-c", "echo 0123456789", more={"captureBytes": 4})
        r = m.exited()
        eq(r.captured, b"0123")
        m.release()


# ---- exec -----------------------------------------------------------------------------------------

def test_monitor_exec():
    with running() as lc:
        m = lc.launch("sleep", "100")
        x = lc.exec(m, "sh", "-c", "hostname; cat; exit 5", stdin=True, attach=L.OUT | L.STDIN | L.MUX, prefix=b"in")
        x.client.shutdown(socket.SHUT_WR)
        eq(x.finish(), 5)
        eq(L.demux(L.read_all(x.client)), {1: b"test\nin", 2: b""})
        x = lc.exec(m, "tty", tty=True, attach=L.OUT)
        has(L.read_until(x.client, b"\n"), b"/dev/")
        eq(x.finish(), 0)
        x = lc.exec(m, "/nonexistent", attach=L.OUT, start=False)
        eq(L.failure(x.expect(L.FAILED)[0])[0], 127)
        # kilnd says why on its own copy of the connection, which stays open until it has
        x.release()
        eq(L.read_all(x.client), b"")
        kill9(m.pid)
        eq(m.finish(), 137)


def test_monitor_exec_timeout():
    with running() as lc:
        m = lc.launch("sleep", "100")
        x = lc.exec(m, "sh", "-c", "echo begun; sleep 50", timeoutMs=300, user="user", more={"captureBytes": 100})
        begin = time.monotonic()
        r = x.exited()
        eq((r.code, r.timed_out, r.captured), (137, 1, b"begun\n"))
        eq(time.monotonic() - begin < 5, True, "in time")
        x.release()
        eq(x.recv()[0], 0)
        eq(m.status()[0].phase, L.RUNNING)
        kill9(m.pid)
        eq(m.finish(), 137)


def test_monitor_exec_ends_with_container():
    with running() as lc:
        m = lc.launch("sleep", "100")
        x = lc.exec(m, "sleep", "50")
        kill9(m.pid)
        eq(x.finish(), 137)
        eq(m.finish(), 137)


def test_monitor_exec_background_process_keeps_its_output():
    with running() as lc:
        m = lc.launch("sleep", "100")
        x = lc.exec(m, "sh", "-c", "(sleep 3; echo late; echo alive >/tmp/alive) & echo soon", attach=L.OUT)
        r = x.exited()
        eq(r.code, 0)
        x.release()
        eq(L.read_all(x.client), b"soon\nlate\n")
        x = lc.exec(m, "cat", "/tmp/alive", attach=L.OUT)
        eq(x.finish(), 0)
        kill9(m.pid)
        eq(m.finish(), 137)


# ---- survival -------------------------------------------------------------------------------------

def test_monitor_outlives_kilnd():
    with running() as lc:
        m = lc.launch("sh", "-c", "i=0; while [ $i -lt 20 ]; do echo $i; i=$((i+1)); sleep 0.05; done; exit 9", attach=L.OUT)
        client = m.client
        m.close()
        lc.kilnd.close()
        eq(L.read_until(client, b"19\n"), b"".join(b"%d\n" % i for i in range(20)))
        m = m.reconnect()
        r = m.exited()
        eq(r.code, 9)
        m.close()   # this kilnd dies too, before it has kept the code
        m = m.reconnect()
        eq(m.exited().code, 9)
        m.release()
        eq(m.recv()[0], 0)
        eq(client.recv(10), b"")
        lc.kilnd = lc.connect()


def test_monitor_newest_connection_wins():
    with running() as lc:
        m = lc.launch("sleep", "100")
        n = m.reconnect()
        eq(m.recv()[0], 0, "the old connection ends")
        r, n_fds = n.status()
        eq((r.phase, r.pid, n_fds), (L.RUNNING, m.pid, 1))
        kill9(n.pid)
        eq(n.finish(), 137)


def test_launcher_reconnect():
    with running() as lc:
        m = lc.launch("sleep", "100")
        lc.kilnd.close()
        lc.kilnd = lc.connect()
        old = lc.kilnd
        lc.kilnd = lc.connect()
        eq(old.recv()[0], 0, "the newest connection wins")
        n = lc.launch("true")
        eq(n.finish(), 0)
        kill9(m.pid)
        eq(m.finish(), 137)


def test_launcher_inherits_when_monitor_dies():
    with running() as lc:
        m = lc.launch("sh", "-c", "i=0; while [ $i -lt 40 ]; do echo line $i; echo err >&2; i=$((i+1)); sleep 0.05; done; exit 77")
        kill9(m.monitor_pid())
        eq(m.recv()[0], 0)
        body, fds = lc.kilnd.expect(L.ORPHAN)
        eq((body[:64].decode(), struct.unpack_from("=i", body, 68)[0], len(fds)), (m.id, m.pid, 1))
        eq(is_alive(m.pid), True, "the container runs on")
        body, _fds = lc.kilnd.expect(L.ORPHAN_EXITED)
        eq(body[:64].decode(), m.id)
        r = m.record()
        eq((r.phase, r.code), (L.DONE, 77))
        eventually("the group is removed", lambda: not lc.groups(), timeout=3)


def test_launcher_inherits_stdin():
    with running() as lc:
        m = lc.launch("cat", stdin=True)
        kill9(m.monitor_pid())
        _body, fds = lc.kilnd.expect(L.ORPHAN)
        time.sleep(0.3)
        eq(is_alive(m.pid), True, "no end of input")
        signal.pidfd_send_signal(fds[0], signal.SIGKILL)
        lc.kilnd.expect(L.ORPHAN_EXITED)
        m = lc.launch("cat", stdin=True, once=True)
        kill9(m.monitor_pid())
        lc.kilnd.expect(L.ORPHAN)
        lc.kilnd.expect(L.ORPHAN_EXITED)
        eq(m.record().code, 0, "its input has ended")


def test_launcher_inherits_terminals_and_signals():
    with running() as lc:
        m = lc.launch("sh", "-c", "trap 'exit 66' HUP; while :; do echo x; sleep 0.05; done", tty=True)
        kill9(m.monitor_pid())
        lc.kilnd.expect(L.ORPHAN)
        time.sleep(0.5)
        eq(is_alive(m.pid), True, "no hang-up")
        lc.kilnd.close()
        lc.kilnd = lc.connect()
        _body, fds = lc.kilnd.expect(L.ORPHAN)
        signal.pidfd_send_signal(fds[0], signal.SIGKILL)
        lc.kilnd.expect(L.ORPHAN_EXITED)
        eq((m.record().code, m.record().signalled), (137, 1))


def test_launcher_kill_monitor_at_any_time():
    """The exit code is exact, or the launch has failed, whenever the monitor dies."""
    def kill_monitors():
        pids = children_of(lc.pid)
        for pid in pids:
            with contextlib.suppress(OSError):
                with open(f"/proc/{pid}/comm") as f:
                    if f.read() in ("kiln-monitor\n", "kiln-launcher\n"):
                        kill9(pid)
        # the kernel may leave some out of one answer while one of them ends
        return not pids and not any(children_of(lc.pid) for _ in range(3))

    outcomes = set()
    with running() as lc:
        begin = time.monotonic()
        lc.launch("sh", "-c", "exit 42").finish()
        takes = time.monotonic() - begin
        for i in range(40):
            m = lc.launch("sh", "-c", "exit 42", start=False)
            time.sleep(i * takes / 30)
            eventually("something to kill", lambda: children_of(lc.pid), every=0.0005)
            eventually("nothing is left of it", kill_monitors, every=0.002)
            r = m.record()
            outcomes.add((r.phase, r.code))
            eq(r.phase != L.RUNNING, True, "a record that says running for ever")
            if r.phase == L.DONE:
                # 137, 125: it was killed between clone and exec, with its monitor, or saw it die
                eq(r.code in (42, 125, 137), True, f"code {r.code}")
            m.close()
            lc.kilnd.close()
            lc.kilnd = lc.connect()
            lc.kilnd.send(L.CLEAN, struct.pack("=65s256s3x512x", m.id.encode(), f"{lc.group}/{m.id}".encode()))
            eq(struct.unpack_from("=I", lc.kilnd.expect(L.CLEANED)[0], 324)[0], 0, "clean")
        eq((L.DONE, 42) in outcomes, True, f"outcomes {outcomes}")


def test_launcher_replaced_by_newer():
    with running() as lc:
        m = lc.launch("sleep", "100")
        old, old_pid = lc.proc, lc.pid
        lc.kilnd.send(L.SHUTDOWN)
        eq(lc.kilnd.recv()[0], 0)
        eq(old.poll(), None, "a launcher with monitors stays")
        lc.start()
        n = lc.launch("true")
        eq(n.finish(), 0)
        kill9(m.pid)
        eq(m.finish(), 137)
        old.wait(5)
        eq(old.returncode, 0)
        eq(descendants_of(old_pid), [])
        clean(lc, m)


def clean(lc, m):
    lc.kilnd.send(L.CLEAN, struct.pack("=65s256s3x512x", m.id.encode(), f"{lc.group}/{m.id}".encode()))
    eq(struct.unpack_from("=I", lc.kilnd.expect(L.CLEANED)[0], 324)[0], 0, "clean")


def test_launcher_that_is_replaced_leaves_the_next_run_alone():
    """It may be slow to notice an end: by then its successor runs that container again."""
    with running() as lc:
        spec = lc.spec(["sleep", "100"])
        m = lc.go(lc.prepare(spec, L.LAUNCH, spec["containerDir"])).started()
        old = lc.proc
        lc.kilnd.send(L.SHUTDOWN)
        eq(lc.kilnd.recv()[0], 0)
        lc.start()
        old.send_signal(signal.SIGSTOP)
        try:
            kill9(m.pid)
            eq(m.finish(), 137)
            n = lc.go(lc.prepare(spec, L.LAUNCH, spec["containerDir"])).started()
        finally:
            old.send_signal(signal.SIGCONT)
        old.wait(5)
        eq(is_alive(n.pid), True, "the next run")
        eq(n.reconnect().status()[0].phase, L.RUNNING)
        kill9(n.pid)
        n = n.reconnect()
        eq(n.finish(), 137)


def test_launcher_runs_a_container_once():
    with running() as lc:
        spec = lc.spec(["sleep", "100"])
        m = lc.go(lc.prepare(spec, L.LAUNCH, spec["containerDir"])).started()
        again = lc.go(lc.prepare(spec, L.LAUNCH, spec["containerDir"]))
        code, why = L.failure(again.expect(L.FAILED)[0])
        eq(code, 125)
        has(why, "is running")
        m = m.reconnect()
        eq(m.status()[0].phase, L.RUNNING, "the first one can still be asked")
        kill9(m.pid)
        eq(m.finish(), 137)
        bad = {**spec, "lowers": ["none"]}
        for _ in range(10):   # a start that failed is no run
            failing = lc.go(lc.prepare(bad, L.LAUNCH, spec["containerDir"]))
            has(L.failure(failing.expect(L.FAILED)[0])[1], "mount the overlay")


def test_launcher_killed_and_replaced():
    """kill -9 of the launcher: containers and monitors do not notice; the next one cleans up."""
    with running() as lc:
        m, n = lc.launch("sleep", "100"), lc.launch("sleep", "100")
        left = descendants_of(lc.pid)
        kill9(lc.pid)
        lc.proc.wait()
        eq(m.status()[0].phase, L.RUNNING)
        kill9(m.pid)
        eq(m.exited().code, 137)
        m.release()
        eq(m.recv()[0], 0)
        eq(os.path.exists(m.socket_path), True)
        lc.start()
        eq(os.path.exists(m.socket_path), False, "the dead socket is swept")
        eq(n.status()[0].phase, L.RUNNING, "the living one is not")
        lc.kilnd.send(L.CLEAN, struct.pack("=65s256s3x512x", m.id.encode(), f"{lc.group}/{m.id}".encode()))
        eq(struct.unpack_from("=I", lc.kilnd.expect(L.CLEANED)[0], 324)[0], 0, "clean")
        x = lc.exec(n, "true")
        eq(x.finish(), 0)
        kill9(n.pid)
        eq(n.finish(), 137)
        eventually("all processes end", lambda: not any(is_alive(p) for p in left))
        lc.kilnd.send(L.CLEAN, struct.pack("=65s256s3x512x", n.id.encode(), f"{lc.group}/{n.id}".encode()))
        eq(struct.unpack_from("=I", lc.kilnd.expect(L.CLEANED)[0], 324)[0], 0, "clean")


def test_launcher_restart_of_a_container_at_once():
    with running() as lc:
        spec = lc.spec(["sh", "-c", "echo again; exit 4"])
        for i in range(20):
            m = lc.prepare(spec, L.LAUNCH, spec["containerDir"])
            lc.go(m).started()
            eq(m.exited().code, 4)
            m.release()   # and the next launch does not wait for the old monitor's end
        eventually("the last monitor's socket is gone", lambda: not os.path.exists(m.socket_path))
        eq(len(m.log()), 20)


def test_launcher_clean_refuses_what_runs_or_is_foreign():
    with running() as lc:
        m = lc.launch("sleep", "100")
        for path, kind in ((f"{lc.group}/{m.id}", 3), (f"{lc.group}/other", 1)):
            lc.kilnd.send(L.CLEAN, struct.pack("=65s256s3x512x", m.id.encode(), path.encode()))
            eq(struct.unpack_from("=I", lc.kilnd.expect(L.CLEANED)[0], 324)[0], kind)
        eq(is_alive(m.pid), True)
        kill9(m.pid)
        eq(m.finish(), 137)


# ---- power ----------------------------------------------------------------------------------------

def proc_status(pid, key):
    with open(f"/proc/{pid}/status") as f:
        return re.search(rf"^{key}:\s*(\S+)", f.read(), re.M).group(1)


def test_monitor_is_confined():
    with running() as lc:
        m = lc.launch("sleep", "100")
        pid = m.monitor_pid()
        eventually("powers are dropped", lambda: proc_status(pid, "CapEff") == "0" * 16)
        eq(proc_status(pid, "CapPrm"), "0" * 16)
        eq(proc_status(pid, "NoNewPrivs"), "1")
        if not IS_SANITIZED:
            eventually("the filter is loaded", lambda: proc_status(pid, "Seccomp") == "2")
        fds = [os.readlink(f"/proc/{pid}/fd/{f}") for f in os.listdir(f"/proc/{pid}/fd") if int(f) > 2]
        kinds = sorted(re.sub(r"[:\[].*|.*/", "", f) for f in fds)
        for f in fds:
            eq("/rootfs" in f or "/upper" in f or "/layers" in f, False, f"a descriptor into the root: {f}")
        eq(len(fds) <= 9, True, f"descriptors: {kinds} {fds}")
        kill9(m.pid)
        eq(m.finish(), 137)


def test_monitor_is_small():
    with running() as lc:
        ms = [lc.launch("sleep", "100") for _ in range(8)]
        time.sleep(2.5)
        sizes = []
        for m in ms:
            with open(f"/proc/{m.monitor_pid()}/smaps_rollup") as f:
                sizes.append(int(re.search(r"^Private_Dirty:\s*(\d+)", f.read(), re.M).group(1)))
        if not IS_SANITIZED:
            eq(max(sizes) <= 128, True, f"private KiB {sizes}")
        for m in ms:
            kill9(m.pid)
            eq(m.finish(), 137)


def test_launcher_lives_in_its_own_root():
    with running() as lc:
        with open(f"/proc/{lc.pid}/mountinfo") as f:
            points = {line.split()[4] for line in f}
        for p in points:
            eq(p == "/" or p == "/proc" or p.startswith("/sys/fs/cgroup") or p in (lc.data, lc.run), True, f"mount {p}")
        eq(sorted(os.listdir(f"/proc/{lc.pid}/root/dev")), ["full", "null", "random", "tty", "urandom", "zero"])
        eq(sorted(set(os.listdir(f"/proc/{lc.pid}/root"))), ["dev", "proc", "sys", "tmp"])
        eq(os.stat(lc.run + "/l").st_mode & 0o777, 0o700)
        eq(os.stat(lc.run + "/l/launcher.sock").st_mode & 0o777, 0o600)
