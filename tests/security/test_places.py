# SPDX-License-Identifier: Apache-2.0
"""Kiln's own places and sockets: users of the host, monitors that somebody has taken over, and floods."""
import contextlib
import http.client
import json
import os
import re
import subprocess
import time
import urllib.parse

import harness
from harness import Failed, eventually
from security import Refused, attack, broken


def as_user(*argv):
    """By user 1000 of the host, who is in no group of ours."""
    return subprocess.run(argv, user=1000, group=1000, extra_groups=[], capture_output=True, text=True, check=False)


@attack("STORE_IS_PRIVATE", fresh=True)
def test_users_of_the_host_in_the_store(f):
    """CVE-2021-41103, CVE-2024-25621, CVE-2021-41091, CVE-2021-21284: layers, logs, upper directories and the database by their paths."""
    f.k.start()
    os.chmod(f.dir, 0o755)
    with f.running(["sh", "-c", "echo a secret; sleep 1000"]):
        paths = [os.path.join(folder, name) for folder, dirs, names in os.walk(f.k.data_root) for name in [*dirs, *names]]
        paths = [p for p in paths if "/layers/" not in p or p.count("/") < 7]
        got = as_user("sh", "-c", 'for p; do stat "$p" >/dev/null 2>&1 && echo "$p"; done; ls "$0"/c "$0"/l "$0"/x', f.k.exec_root, *paths).stdout
        broken(got.strip(), f"a user of the host reaches {got.splitlines()[:5]}")


@attack("SOCKETS_ARE_PRIVATE PEER_IS_ROOT", fresh=True)
def test_users_of_the_host_at_the_sockets(f):
    """CVE-2020-15257: whoever talks to the launcher may start what he likes."""
    f.k.start()
    os.chmod(f.dir, 0o755)
    with f.running(["sleep", "1000"]):
        attacker = f.dir + "/attacker"
        subprocess.run(["cp", harness.BUILD + "/attacker", attacker], check=True)
        for path in (f.k.exec_root + "/l/launcher.sock", *[f"{f.k.exec_root}/c/{name}" for name in os.listdir(f.k.exec_root + "/c")]):
            out = as_user(attacker, "hello", path).stdout
            broken(out.startswith("answered"), f"{path} has answered a user of the host")
    with f.k.connect() as s:
        del s
    p = as_user("python3", "-c", f"import socket; socket.socket(socket.AF_UNIX).connect({f.k.socket!r})")
    broken(p.returncode == 0, "a user of the host is connected to the control socket")


@attack("OWN_GROUP", fresh=True)
def test_monitor_names_anothers_group(f):
    """A monitor that a container's output has taken over names, as its control group, the one of another container: when it
    ends, the launcher removes that with all that runs in it."""
    f.k.start()
    with f.running(["sleep", "1000"]) as victim, f.running(["sleep", "1001"]) as own:
        monitor = next(m for m in harness.children_of(f.k.launcher_pid()) if own.pid in harness.children_of(m))
        parent = f.k.cgroup_parent
        was, becomes = f"{parent}/{own.id}".encode(), f"{parent}/{victim.id}".encode()
        n = 0
        with open(f"/proc/{monitor}/maps", encoding="ascii") as maps, open(f"/proc/{monitor}/mem", "r+b", buffering=0) as memory:
            for line in maps:
                m = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw-s .*zero", line)
                if not m:
                    continue
                begin, end = int(m[1], 16), int(m[2], 16)
                memory.seek(begin)
                page = memory.read(end - begin)
                for at in (x.start() for x in re.finditer(re.escape(was), page)):
                    memory.seek(begin + at)
                    memory.write(becomes)
                    n += 1
        if n == 0:
            raise Failed("the shared page was not found")
        pid = victim.pid
        f.k.api("POST", f"/containers/{own.id}/kill")
        eventually("it has ended", lambda: not f.k.state(own.id)["Running"])
        box = f.start(["true"])   # the launcher has been through all that it had to do
        box.remove()
        broken(not harness.is_alive(pid), "the launcher has killed another container")


@attack("EXECS_BOUNDED")
def test_flood_of_execs(f):
    """CVE-2022-23471, CVE-2025-64329: execs that are created and never started, resized or attached to, are kept for ever."""
    with f.running(["sleep", "1000"]) as box:
        conn = http.client.HTTPConnection("docker", timeout=30)
        conn.sock = f.k.connect()
        refused, last = 0, ""
        for _ in range(1100):
            conn.request("POST", f"/containers/{box.id}/exec", json.dumps({"Cmd": ["true"]}), {"Content-Type": "application/json"})
            answer = conn.getresponse()
            body = json.loads(answer.read())
            refused += answer.status == 409
            last = body.get("Id", last)
        conn.close()
        broken(refused == 0, "1100 execs of one container are kept")
        for _ in range(200):
            status, _, body = f.k.api("POST", f"/exec/{last}/resize?h=10&w=10")
            if status == 200:
                raise Failed(f"an exec that does not run was resized: {body!r}")


@attack("SETS_BOUNDED", "MOUNT_WORDS", fronts="kilnd bundle")
def test_numbers_and_options_that_grow(f):
    """CVE-2018-20699, CVE-2021-43784, CVE-2024-9407: ranges of a billion processors, names that overflow a length, options in options."""
    if f.is_bundle:
        image = f.image()
        for size in (70_000, 3_000_000):
            run = f.run(["true"], image=image, mounts=[("/a" * (size // 2), "bind", "/" + "b" * size, ["rbind"])])
            broken(not run.refused, f"a name of {size} bytes is mounted")
            f.run(["true"], image=image, more={"namespaces": [{"type": "pid", "path": "/" + "x" * size}, {"type": "mount"}]})
            f.run(["true"], image=image, more={"uidMappings": [{"containerID": n, "hostID": n, "size": 1} for n in range(size // 700)]})
        return
    for host in ({"CpusetMems": "0-1000000000"}, {"CpusetCpus": "0-4294967296"}, {"CpusetCpus": "0," * 100_000 + "0"},
                 {"Binds": [f"{f.marker}:/x:rw,bind-propagation=shared"]}, {"Binds": [f"{f.marker}:/x:rro,shared,private"]}, {"Binds": [f"/{'b' * 70_000}:/x"]},
                 {"Tmpfs": {"/x": "size=1m,uid=0,context=owned"}},
                 {"Mounts": [{"Type": "bind", "Source": f.marker, "Target": "/x", "BindOptions": {"Propagation": "rprivate,rw"}}]}):
        # by the one who reads it, not by the kernel later
        with contextlib.suppress(Refused):
            f.create(["true"], host=host)
            broken(True, f"{str(host)[:80]} was taken")
    run = f.run(["true"], host={"Tmpfs": {"/x": "mode=755\nsource=/dev"}})
    broken(not run.refused, f"a value with another option in it was taken: {run}")


@attack("VISIBLE")
def test_lines_in_the_log(f):
    """CVE-2019-13509 and its like: names, paths and errors that come from outside forge lines of kilnd's log, or move the cursor of
    who reads it."""
    forged = "owned\n2026-01-01T00:00:00.000000000Z kilnd info: audit uid=0 forged\x1b[2J\x1b]0;owned\x07\xc2\x9b31m"
    with f.running(["sleep", "1000"]) as box:
        box.exec(["true"], user=forged)
        box.exec([forged], cwd="/" + forged)
    f.run([forged], user=forged, env=["A=" + forged])
    for path in (urllib.parse.quote("/containers/" + forged + "/json"), "/containers/json?filters=" + urllib.parse.quote(forged), "/images/" + urllib.parse.quote(forged)):
        f.k.api("GET", path)
        f.k.api("POST", path, {"x": forged})
    with open(f.k.log_path, "rb") as log:
        text = log.read()
    # whatever begins a line there is kilnd's
    bad = [line for line in text.split(b"\n") if line.startswith(b"2026-01-01T00:00:00.000000000Z") or re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", line)]
    broken(bad, f"the log has {bad[:3]}")
    if b"owned" not in text:
        raise Failed("nothing of it is in the log")


@attack("OUTPUT_HELD", "LOG_ROTATED")
def test_output_without_end(f):
    """CVE-2022-31030, CVE-2022-1708: a program writes as fast as it can, and nobody reads: neither kilnd nor its monitor keeps it."""
    with f.running(["sh", "-c", "while ! test -e /go; do sleep 0.1; done; yes"], host={"LogConfig": {"Type": "json-file", "Config": {"max-size": "100k", "max-file": "2"}}},
                   Healthcheck={"Test": ["CMD", "sh", "-c", "yes | head -c 3000000"], "Interval": 200_000_000, "Timeout": 2_000_000_000}) as box:
        xid = f.k.api_json("POST", f"/containers/{box.id}/exec", {"Cmd": ["yes"], "AttachStdout": True}, want=201)["Id"]
        s, _, _ = f.k.hijack(f"/exec/{xid}/start", b"{}")
        box.exec(["touch", "/go"])
        health = eventually("it was looked at", lambda: (f.k.state(box.id).get("Health") or {}).get("Log"))
        broken(len(health[0]["Output"]) > 4200, f"{len(health[0]['Output'])} bytes of a health check are kept")
        log = f.k.inspect(box.id)["LogPath"]

        def used():
            total = 0
            for name in os.listdir(os.path.dirname(log)):
                with contextlib.suppress(FileNotFoundError):   # it gets its next name just now
                    total += os.stat(os.path.join(os.path.dirname(log), name)).st_size
            return total

        eventually("the log is rotated", lambda: os.path.exists(log + ".1") or broken(used() > 1_000_000, f"the log grows without an end: {used()}"))
        for pid in 8 * [f.k.proc.pid, f.k.launcher_pid(), *harness.children_of(f.k.launcher_pid())]:
            with open(f"/proc/{pid}/status", encoding="ascii") as status:
                grown = int(re.search(r"RssAnon:\s+(\d+)", status.read())[1])
            broken(grown > 24_000 * (10 if harness.IS_SANITIZED else 1), f"process {pid} keeps {grown} kB")
            time.sleep(0.02 if not f.is_weak else 0.1)
        broken(used() > 1_000_000, f"the log grows without an end: {used()}")
        s.close()


@attack("ATTACHES_BOUNDED")
def test_flood_of_attachments(f):
    """CVE-2025-64329 and its like: each client that attaches costs the monitor memory and a descriptor, also when it has gone."""
    with f.running(["sleep", "1000"]) as box, contextlib.ExitStack() as stack:
        monitor = next(m for m in harness.children_of(f.k.launcher_pid()) if box.pid in harness.children_of(m))

        def n_fds():
            broken(not harness.is_alive(monitor), "the monitor has ended")
            return len(os.listdir(f"/proc/{monitor}/fd"))

        before = n_fds()
        clients = [f.k.hijack(f"/containers/{box.id}/attach?stream=1&stdout=1")[0] for _ in range(132)]
        for s in clients:
            stack.callback(s.close)
        eventually("they are attached", lambda: n_fds() >= before + 128)
        broken(n_fds() > before + 128, f"{n_fds() - before} clients are attached")
        stack.close()
        eventually("they are let go", lambda: n_fds() == before)
