# SPDX-License-Identifier: Apache-2.0
"""The control socket: versions, headers, errors, events, and clients other than Debian's docker CLI."""
import json
import os
import stat
import subprocess
import threading
import time

import harness
from harness import Failed, Skip, eq, eventually, has


def test_ping_headers(k):
    for path in ("/_ping", "/v1.24/_ping", "/v1.51/_ping"):
        status, h, body = k.api("GET", path)
        eq((status, body), (200, b"OK"))
        eq(h["api-version"], "1.51")
        eq(h["ostype"], "linux")
        eq(h["docker-experimental"], "false")
        eq(h["swarm"], "inactive")
        eq(h["cache-control"], "no-cache, no-store, must-revalidate")
        eq(h["pragma"], "no-cache")
        eq(h["content-type"], "text/plain; charset=utf-8")
        has(h, "builder-version")
        has(h, "server")
        status, h, body = k.api("HEAD", path)
        eq((status, body, h["content-length"]), (200, b"", "0"))


def test_response_headers(k):
    for path in ("/version", "/containers/json", "/nosuch"):
        h = k.api("GET", path)[1]
        eq((h["api-version"], h["ostype"], h["docker-experimental"], h["content-type"]), ("1.51", "linux", "false", "application/json"), path)


def test_api_versions(k):
    for v in ("1.24", "1.30", "1.41", "1.44", "1.50", "1.51"):
        eq(k.api("GET", f"/v{v}/containers/json")[0], 200, v)
    status, _, body = k.api("GET", "/v1.99/containers/json")
    eq(status, 400)
    has(json.loads(body)["message"], "client version 1.99 is too new. Maximum supported API version is 1.51")
    status, _, body = k.api("GET", "/v1.2/containers/json")
    eq(status, 400)
    has(body.decode(), "client version 1.2 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version")


def test_error_bodies(k):
    for method, path, want, message in (
            ("GET", "/nosuch", 404, "page not found"), ("PUT", "/version", 404, "page not found"),
            ("GET", "/containers/zz/json", 404, "No such container: zz"), ("GET", "/images/zz/json", 404, "No such image: zz:latest"),
            ("GET", "/exec/zz/json", 404, "No such exec instance: zz"), ("GET", "/containers/json?filters=%7B%22foo%22%3A%5B%5D%7D", 400, "nvalid filter 'foo'"),
            ("POST", "/containers/zz/rename?name=y", 501, "rename"), ("POST", "/swarm/join", 503, "not a swarm manager")):
        status, h, body = k.api(method, path)
        eq((status, h["content-type"]), (want, "application/json"), path)
        eq(body[-1:], b"\n", path)
        has(json.loads(body)["message"], message, path)
    status, _, body = k.api("POST", "/containers/create", {"Image": "nosuch"})
    eq(status, 404)
    eq(json.loads(body)["message"], "No such image: nosuch:latest")


def test_ids_and_names(k):
    cid = k.run("-d", "--name", "idn", "--", "sleep", "1000").stdout.strip()
    for ref in (cid, "idn", "/idn", cid[:12], cid[:4]):
        eq(k.api_json("GET", f"/containers/{ref.replace('/', '%2F')}/json", want=200)["Id"], cid, ref)


def test_ps(k):
    k.run("-d", "--name", "p1", "--", "sleep", "1000")
    k.run("--name", "p2", "--", "sh", "-c", "exit 3", check=False)
    out = k.docker("ps", "--format", "{{.Names}} {{.Image}} {{.Command}} {{.State}}").stdout
    eq(out, 'p1 busybox "sleep 1000" running\n')
    has(k.docker("ps", "-a").stdout, "Exited (3)")
    eq(k.docker("ps", "-aq", "--filter", "exited=3").stdout.split(), [k.inspect("p2")["Id"][:12]])
    eq(k.docker("ps", "-a", "--filter", "status=exited", "--format", "{{.Names}}").stdout, "p2\n")
    eq(k.docker("ps", "-a", "--filter", "name=p", "--format", "{{.Names}}").stdout, "p2\np1\n")
    eq(len(k.docker("ps", "-n", "1", "-q").stdout.split()), 1)


def test_inspect_of_nothing(k):
    """docker inspect tries one kind of object after the other, and stops at the first that is not just absent."""
    p = k.docker("inspect", "nope", check=False)
    eq((p.returncode, p.stdout), (1, "[]\n"))
    has(p.stderr.lower(), "no such object: nope")
    for args, want in ((("network", "inspect", "nope"), "network nope not found"), (("network", "rm", "nope"), "network nope not found"),
                       (("volume", "inspect", "nope"), "get nope: no such volume"), (("volume", "rm", "nope"), "get nope: no such volume"),
                       (("plugin", "inspect", "no/pe"), 'plugin "no/pe" not found'), (("network", "inspect", "host"), "networks is refused"),
                       (("node", "inspect", "nope"), "not a swarm manager"), (("service", "inspect", "nope"), "not a swarm manager"),
                       (("secret", "inspect", "nope"), "not a swarm manager"), (("config", "inspect", "nope"), "not a swarm manager")):
        p = k.docker(*args, check=False)
        eq(p.returncode, 1, args)
        has(p.stderr, want, args)


def test_inspect(k):
    cid = k.run("-d", "--name", "in", "-e", "A=1", "--memory", "64m", "--", "sleep", "1000").stdout.strip()
    c = k.inspect("in")
    eq((c["Id"], c["Name"], c["Path"], c["Args"], c["Driver"]), (cid, "/in", "sleep", ["1000"], "overlay2"))
    eq(c["HostConfig"]["Memory"], 64 << 20)
    has(c["Config"]["Env"], "A=1")
    eq(c["State"]["Status"], "running")
    eq(harness.is_alive(c["State"]["Pid"]), True)
    for field in ("Created", "Image", "ResolvConfPath", "HostnamePath", "HostsPath", "LogPath", "RestartCount", "Platform", "MountLabel",
                  "ProcessLabel", "AppArmorProfile", "ExecIDs", "GraphDriver", "Mounts", "NetworkSettings"):
        has(c, field)
    for field in ("NetworkMode", "RestartPolicy", "PortBindings", "LogConfig", "Binds", "Privileged", "ShmSize", "Runtime"):
        has(c["HostConfig"], field)
    eq(k.docker("inspect", "-f", "{{.State.Status}}", "in").stdout, "running\n")
    eq(c["HostConfig"]["LogConfig"]["Type"], "json-file")


def test_version(k):
    v = k.api_json("GET", "/version", want=200)
    eq((v["ApiVersion"], v["MinAPIVersion"], v["Os"], v["Arch"]), ("1.51", "1.24", "linux", "amd64"))
    eq(v["KernelVersion"], os.uname().release)
    has([c["Name"] for c in v["Components"]], "Engine")
    has(k.docker("version").stdout, "Server")


def test_info(k):
    k.run("-d", "--", "sleep", "1000")
    i = k.api_json("GET", "/info", want=200)
    eq((i["ContainersRunning"], i["Containers"], i["Swarm"]["LocalNodeState"], i["OSType"]), (1, 1, "inactive", "linux"))
    eq(i["NCPU"], os.cpu_count())
    eq(i["DockerRootDir"], k.data_root)
    k.docker("info")


def test_events(k):
    since = time.time()
    k.run("--name", "ev", "--", "sh", "-c", "exit 4", check=False)
    k.docker("rm", "ev")
    out = k.docker("events", "--since", f"{since:.9f}", "--until", f"{time.time() + 0.1:.9f}", "--filter", "type=container", "--format", "{{json .}}").stdout
    events = [json.loads(l) for l in out.splitlines()]
    actions = [e["Action"] for e in events]
    for a in ("create", "attach", "start", "die", "destroy"):
        has(actions, a)
    eq([a for a in actions if a in ("create", "start", "die", "destroy")], ["create", "start", "die", "destroy"])
    die = next(e for e in events if e["Action"] == "die")
    eq((die["Actor"]["Attributes"]["exitCode"], die["Actor"]["Attributes"]["name"], die["Type"]), ("4", "ev", "container"))
    p = k.popen("events", "--filter", "event=start", "--format", "{{.Action}} {{.Actor.Attributes.name}}", stdout=subprocess.PIPE, text=True)
    time.sleep(0.7)
    k.run("-d", "--name", "live", "--", "sleep", "1000")
    line = p.stdout.readline()
    p.kill()
    p.wait()
    eq(line, "start live\n")


def test_python_docker(k):
    try:
        import docker
    except ImportError:
        raise Skip("python3-docker is not installed")
    c = docker.DockerClient(base_url="unix://" + k.socket, version="auto", timeout=30)
    try:
        eq(c.ping(), True)
        eq(c.containers.run(k.busybox(), ["echo", "hi"], remove=True, network_mode="none"), b"hi\n")
        ct = c.containers.run("busybox", ["sh", "-c", "echo out; echo err >&2; sleep 1000"], detach=True, network_mode="none", name="py")
        eventually("logs", lambda: ct.logs() == b"out\nerr\n")
        # docker-py reads ahead: what comes together with the head of the answer is lost to it, so the program takes its time.
        code, out = ct.exec_run(["sh", "-c", "sleep 0.3; echo x; exit 5"])
        eq((code, out), (5, b"x\n"))
        eq([x.name for x in c.containers.list()], ["py"])
        ct.stop(timeout=0)
        eq(ct.wait()["StatusCode"], 137)
        ct.remove()
        eq(c.containers.list(all=True), [])
        has(c.images.get("busybox").tags, "busybox:latest")
    finally:
        c.close()


def test_newer_docker_cli(k):
    if len(harness.CLIS) < 2:
        raise Skip("one docker CLI only")
    for cli in harness.CLIS:
        eq(k.docker("run", "--rm", "-i", "--network", "none", k.busybox(), "cat", input=b"x\n", cli=cli).stdout, "x\n", cli)
        k.docker("run", "-d", "--name", "n1", "--network", "none", "busybox", "sleep", "1000", cli=cli)
        eq(k.docker("exec", "n1", "echo", "e", cli=cli).stdout, "e\n")
        has(k.docker("ps", cli=cli).stdout, "n1")
        has(k.docker("images", cli=cli).stdout, "busybox")
        k.docker("stop", "-t", "0", "n1", cli=cli)
        k.docker("logs", "n1", cli=cli)
        k.docker("rm", "n1", cli=cli)


def test_socket_permissions(k):
    st = os.stat(k.socket)
    eq(stat.S_IMODE(st.st_mode), 0o660)
    eq(stat.S_IMODE(os.stat(k.data_root).st_mode), 0o700)


def test_second_kilnd_is_refused(k):
    p = subprocess.run([harness.BUILD + "/kilnd", "--data-root", k.data_root, "--exec-root", k.exec_root, "-H", "unix://" + k.socket,
                        "--cgroup-parent", k.cgroup_parent], capture_output=True, text=True, timeout=20)
    if p.returncode == 0:
        raise Failed("a second kilnd runs")
    eq(k.api("GET", "/_ping")[0], 200)


# ---- bad input ---------------------------------------------------------------------------------------

def alive(k):
    eq(k.api("GET", "/_ping")[0], 200)


def test_start_refuses_a_checkpoint_and_options(k):
    cid = k.docker("create", "--network", "none", "busybox", "true").stdout.strip()
    for query, body, want, part in (("?checkpoint=x", None, 501, "checkpoint"), ("", b'{"Memory":1}', 400, "no body")):
        status, _, data = k.api("POST", f"/containers/{cid}/start{query}", body)
        eq(status, want)
        has(json.loads(data)["message"], part)
    eq(k.state(cid)["Status"], "created")
    eq(k.api("POST", f"/containers/{cid}/start", b"{}")[0], 204)
    k.docker("rm", "-f", cid)


def test_malformed_json_tells_the_path(k):
    for body, part in ((b'{"Image":"busybox","HostConfig":{"Memory":"much"}}', "HostConfig.Memory"), (b'{"Image":7}', "Image"),
                       (b'{"Image":"busybox","Cmd":["a",3]}', "Cmd[1]"), (b'{"Image":', ""), (b'[1]', ""), (b'{"Image":"a","Image":"b"}', "Image"),
                       (b'"x"', ""), (b'\xff\xfe', ""), (b'{"a":' * 500 + b'1' + b'}' * 500, "")):
        status, _, data = k.api("POST", "/containers/create", body)
        eq(status, 400, body[:40])
        has(json.loads(data)["message"], part, body[:40])
    alive(k)


def test_huge_limit(k):
    for field, value in (("Memory", 18446744073709551615), ("NanoCpus", 18446744073709551615), ("PidsLimit", 18446744073709551615),
                         ("Memory", -18446744073709551616), ("Memory", 1e400)):
        text = json.dumps({"Image": "busybox", "HostConfig": {field: value}}).replace("Infinity", "1e400")
        status, _, data = k.api("POST", "/containers/create", text.encode())
        eq(status, 400, text)
        has(data.decode(), field)
    alive(k)


def test_oversized_headers(k):
    s = k.raw(b"GET /_ping HTTP/1.1\r\nHost: d\r\nX: " + b"y" * 200_000 + b"\r\n\r\n")
    data = s.recv(4096)
    has(data.decode(errors="replace"), " 431 ")
    s.close()
    alive(k)


def test_oversized_body(k):
    s = k.raw(b"POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: 999999999999\r\n\r\n")
    has(s.recv(4096).decode(), " 413 ")
    s.close()
    s = k.raw(b"POST /containers/create HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n")
    try:
        for _ in range(200):
            s.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
    except OSError:
        pass
    has(s.recv(4096).decode(), " 413 ")
    s.close()
    alive(k)


def test_slow_client(k):
    slow = [k.raw(b"GET /_ping HT") for _ in range(50)]
    begin = time.monotonic()
    alive(k)
    if time.monotonic() - begin > 2:
        raise Failed("slow clients hold up others")
    for s in slow:
        s.close()


def test_vanished_client(k):
    k.run("-d", "--name", "v1", "--", "sh", "-c", "while :; do echo x; done")
    for _ in range(30):
        for path in (b"/containers/v1/logs?follow=1&stdout=1", b"/events", b"/containers/v1/attach?stream=1&stdout=1", b"/containers/v1/wait"):
            method = b"GET" if b"logs" in path or b"events" in path else b"POST"
            s = k.raw(method + b" " + path + b" HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n")
            s.recv(10)
            s.close()
    alive(k)
    k.docker("rm", "-f", "v1")


def test_garbage_on_the_socket(k):
    for text in (b"\x00" * 100, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01", b"POST /containers/create HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                 b"POST /containers/create HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n", b"GET /%zz HTTP/1.1\r\nHost: d\r\n\r\n",
                 b"GET /containers/%00/json HTTP/1.1\r\nHost: d\r\n\r\n", b"GET /containers/../../etc/passwd/json HTTP/1.1\r\nHost: d\r\n\r\n"):
        s = k.raw(text, timeout=5)
        try:
            s.recv(4096)
        except OSError:
            pass
        s.close()
    alive(k)


def test_daemon_goes_on_after_bad_input(k):
    pid = k.proc.pid
    k.run("-d", "--name", "steady", "--", "sleep", "1000")
    test_malformed_json_tells_the_path(k)
    test_huge_limit(k)
    test_oversized_headers(k)
    test_garbage_on_the_socket(k)
    eq(k.proc.poll(), None)
    eq(k.proc.pid, pid)
    eq(k.state("steady")["Running"], True)


def test_many_connections(k):
    socks = []
    for _ in range(300):
        socks.append(k.connect())
    alive(k)
    for s in socks:
        s.close()


def test_leak_check_finds_leaks(k):
    k.run("-d", "--", "sleep", "1000")
    found = k.leaks()
    for what in ("processes", "containers", "cgroups", "sockets"):
        has(found, what)


def test_parallel_starts(k):
    k.busybox()
    errors = []

    def one(i):
        p = k.docker("run", "--rm", "--network", "none", "busybox", "sh", "-c", f"exit {i}", check=False)
        if p.returncode != i:
            errors.append((i, p.returncode, p.stderr))

    threads = [threading.Thread(target=one, args=(i,)) for i in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    eq(errors, [])
