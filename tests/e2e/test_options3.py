# SPDX-License-Identifier: Apache-2.0
"""What clients ask about containers beside creating them: filters, ports, labels of SELinux, older versions of the API."""
import json
import os
import urllib.parse

import harness
from harness import Failed, eq, frames, has, read_all


def names(k, **filters):
    q = urllib.parse.quote(json.dumps({key: [value] for key, value in filters.items()}))
    return sorted(n[1:] for c in k.api_json("GET", f"/containers/json?all=1&filters={q}", want=200) for n in c["Names"])


def test_ps_filters_ports_and_mounts(k):
    k.run("-d", "--name", "web", "--network", "bridge", "--expose", "80", "--expose", "5000-5001/udp", "-v", f"{k.dir}:/bound:ro", "--", "sleep", "1000")
    k.run("-d", "--name", "plain", "--mount", "type=tmpfs,dst=/mem", "--expose", "80", "--", "sleep", "1000")
    c = k.inspect("web")
    eq(c["Config"]["ExposedPorts"], {"80/tcp": {}, "5000/udp": {}, "5001/udp": {}})
    eq(c["NetworkSettings"]["Ports"], {"80/tcp": None, "5000/udp": None, "5001/udp": None})
    eq(k.inspect("plain")["NetworkSettings"]["Ports"], {})   # as docker: only a bridge has any
    for cli in (k.docker, k.kiln):
        eq(cli("ps", "--filter", "name=web", "--format", "{{.Ports}}").stdout, "80/tcp, 5000-5001/udp\n")
        eq(cli("ps", "--filter", "volume=/mem", "--format", "{{.Names}}").stdout, "plain\n")
        eq(cli("port", "web").stdout, "")
    for found, filters in ((["web"], {"expose": "80"}), (["web"], {"expose": "80/tcp"}), (["web"], {"expose": "4000-6000/udp"}), ([], {"expose": "80/udp"}),
                           ([], {"expose": "81"}), ([], {"publish": "80"}), (["web"], {"volume": "/bound"}), (["web"], {"volume": k.dir}),
                           ([], {"volume": "/bound/"}), (["plain"], {"volume": "/mem"}), ([], {"volume": "/"}), ([], {"expose": "80", "volume": "/mem"}),
                           (["plain", "web"], {"isolation": "default"}), ([], {"isolation": "hyperv"}), (["plain", "web"], {"is-task": "false"}), ([], {"is-task": "1"})):
        eq(names(k, **filters), found, filters)
    k.docker("rm", "-f", "plain")
    k.docker("stop", "-t", "0", "web")
    eq((names(k, expose="80"), k.inspect("web")["NetworkSettings"]["Ports"]), ([], {}))
    for key, value, why in (("expose", "a:b", "filter for 'expose' should not contain ':': a:b"), ("publish", "x", "error while looking up for publish x"),
                            ("expose", "80/foo", "error while looking up for expose 80/foo"), ("exited", "x", "invalid filter 'exited=x'"),
                            ("is-task", "maybe", "invalid filter 'is-task=maybe'"), ("nope", "x", "invalid filter 'nope'")):
        q = urllib.parse.quote(json.dumps({key: [value]}))
        has(k.api_json("GET", f"/containers/json?filters={q}", want=400)["message"], why)
    for exposed in ("x", "80/foo", "80-81/tcp", "70000"):
        has(k.api_json("POST", "/containers/create", {"Image": k.busybox(), "ExposedPorts": {exposed: {}}}, want=400)["message"], f"invalid ExposedPorts: '{exposed}'")
    eq(k.api_json("GET", "/containers/json?filters=%7B%22nope%22%3A%5B%5D%7D", want=400)["message"], "invalid filter 'nope'")


def refused(run, *options, why, image="busybox"):
    p = run("run", "--rm", "--network", "none", *options, image, "true", check=False)
    eq(p.returncode, 125, f"{options}: {p.stdout}{p.stderr}")
    has(p.stderr, why)


def clients(k):
    """Both of docker's, where there are two, and kiln."""
    def of(cli):
        return lambda *args, **kw: k.docker(*args, cli=cli, **kw)
    return [of(cli) for cli in harness.CLIS] + [k.kiln]


def test_options_that_the_client_reads(k):
    """--cidfile, --env-file and --pull are the client's; what it makes of them arrives."""
    k.busybox()
    with open(k.dir + "/vars", "w") as f:
        f.write("# a comment\n\nA=from the file\nHOME_NOT_SET\nSHELL_TAKEN\nB=2=3\n")
    for n, run in enumerate(clients(k)):
        cid = f"{k.dir}/cid{n}"
        os.environ["SHELL_TAKEN"] = "ours"
        out = run("run", "--network", "none", "--cidfile", cid, "--env-file", k.dir + "/vars", "-e", "B=4", "busybox", "env").stdout
        del os.environ["SHELL_TAKEN"]
        eq(sorted(l for l in out.splitlines() if l[0] in "AB" or "SHELL" in l or "NOT_SET" in l), ["A=from the file", "B=4", "SHELL_TAKEN=ours"])
        with open(cid) as f:
            c = k.inspect(f.read())
        eq((c["State"]["ExitCode"], c["HostConfig"]["ContainerIDFile"]), (0, cid))
        refused(run, "--cidfile", cid, why="container ID file found, make sure the other container isn't running or delete " + cid)
        refused(run, "--env-file", k.dir + "/no", why="no such file or directory")
        run("run", "--rm", "--network", "none", "--pull", "never", "busybox", "true")
        run("run", "--rm", "--network", "none", "--pull", "missing", "busybox", "true")
        refused(run, "--pull", "never", image="nosuch:1", why="No such image: nosuch:1")
        refused(run, "--pull", "missing", image="nosuch:1", why="Kiln pulls no images" if run == k.kiln else "pull is refused")
        refused(run, "--pull", "always", why="is refused: Kiln speaks to no registry" if run == k.kiln else "pull is refused")


def test_options_with_one_value(k):
    """--platform, --isolation and --runtime have one value here, --link-local-ip and --storage-opt none: told by name."""
    k.busybox()
    for run in clients(k):
        run("run", "--rm", "--network", "none", "--platform", "linux/amd64", "--isolation", "default", "--runtime", "kiln", "busybox", "true")
        refused(run, "--platform", "linux/arm64", why="platform 'linux/arm64' is refused: this machine runs linux/amd64")
        refused(run, "--isolation", "hyperv", why="HostConfig.Isolation is refused")
        refused(run, "--runtime", "runc", why="HostConfig.Runtime is refused: there is one runtime, 'kiln'")
        refused(run, "--storage-opt", "size=1g", why="HostConfig.StorageOpt is refused")
        refused(run, "--link-local-ip", "169.254.1.1", why="'--link-local-ip' is refused" if run == k.kiln else
                "NetworkingConfig.EndpointsConfig.none.IPAMConfig.LinkLocalIPs is refused")
        refused(run, "--security-opt", "disable", why="security-opt")
        refused(run, "--uts", "container:x", why="UTS mode")
        refused(run, "--userns", "private", why="mode")


def test_option_health_start_interval(k):
    """Checks come at once while it starts, with an interval that would let nobody wait for the second."""
    k.run("-d", "--name", "soon", "--health-cmd", "test -e /tmp/well || { touch /tmp/well; false; }", "--health-interval", "1h",
          "--health-start-period", "1h", "--health-start-interval", "100ms", "--", "sleep", "1000")
    eq(k.inspect("soon")["Config"]["Healthcheck"]["StartInterval"], 100_000_000)
    harness.eventually("healthy by the second check", lambda: k.state("soon")["Health"]["Status"] == "healthy")
    k.load(harness.busybox_archive("checked:2", {"Cmd": ["sleep", "1000"], "Healthcheck": {"Test": ["CMD-SHELL", "false"], "Interval": 100_000_000}}))
    for run in clients(k):
        cid = run("run", "-d", "--network", "none", "--no-healthcheck", "checked:2").stdout.strip()
        eq((k.inspect(cid)["Config"]["Healthcheck"]["Test"], "Health" in k.state(cid)), (["NONE"], False))


def test_attach_with_the_log(k):
    """logs=1: what was written before; with stream=1 and what follows, and stdin."""
    k.run("-d", "-i", "--name", "logged", "--", "sh", "-c", "echo before; echo err >&2; while read l; do echo got $l; [ $l = end ] && exit 0; done")
    harness.eventually("logged", lambda: k.docker("logs", "logged").stdout == "before\n")
    for upgrade in (True, False):
        s, head, rest = k.hijack("/v1.44/containers/logged/attach?logs=1&stdout=1&stderr=1", upgrade=upgrade)
        has(head, "101" if upgrade else "200")
        eq(sorted(frames(read_all(s, rest))), [(1, b"before\n"), (2, b"err\n")])
        s.close()
    s, _, rest = k.hijack("/v1.44/containers/logged/attach?logs=1&stderr=1")
    eq(frames(read_all(s, rest)), [(2, b"err\n")])
    s.close()
    s, _, rest = k.hijack("/v1.44/containers/logged/attach?logs=1&stream=1&stdin=1&stdout=1")
    while b"before\n" not in rest:
        rest += s.recv(4096)
    s.sendall(b"a\nend\n")
    eq(frames(read_all(s, rest)), [(1, b"before\ngot a\ngot end\n")])
    s.close()
    s, _, rest = k.hijack("/v1.44/containers/logged/attach?logs=1&stdout=1")   # it has ended by now
    eq(frames(read_all(s, rest)), [(1, b"before\ngot a\ngot end\n")])
    s.close()
    k.run("-d", "-t", "--name", "term", "--", "sh", "-c", "echo plain; sleep 1000")
    harness.eventually("logged", lambda: "plain" in k.docker("logs", "term").stdout)
    s, _, rest = k.hijack("/v1.44/containers/term/attach?logs=1&stdout=1")
    eq(read_all(s, rest), b"plain\r\n")
    s.close()
    k.run("-d", "--name", "mute", "--log-driver", "none", "--", "sleep", "1000")
    has(k.api_json("POST", "/containers/mute/attach?logs=1&stdout=1", want=501)["message"], "configured logging driver does not support reading")
    has(k.api_json("POST", "/containers/mute/attach?stdout=1", want=400)["message"], "without 'stream' and 'logs'")


def test_attach_with_a_long_log(k):
    """More than any buffer, to clients that are slow, go, or see the container go."""
    k.run("-d", "--name", "long", "--", "sh", "-c", "yes 0123456789abcdef | head -c 3000000; echo; echo last; sleep 1000")
    harness.eventually("written", lambda: k.docker("logs", "--tail", "1", "long").stdout == "last\n")
    path = "/v1.44/containers/long/attach?logs=1&stream=0&stdout=1"
    idle = [k.hijack(path)[0] for _ in range(3)]
    idle.pop().close()
    s, _, rest = k.hijack(path)
    got = b"".join(d for _, d in frames(read_all(s, rest)))
    eq((len(got), got[-6:]), (3000000 + 6, b"\nlast\n"))
    s.close()
    for _ in range(62):
        idle.append(k.hijack(path)[0])
    harness.eventually("there is no end of them", lambda: k.api("POST", path.replace("/v1.44", ""))[0] == 409)
    idle.pop(0).close()
    k.docker("rm", "-f", "long")
    for s in idle:
        s.close()
    k.docker("ps")


def test_sizes_of_containers(k):
    """What a container has written, each file once, and that with its image."""
    k.run("-d", "--name", "wrote", "--tmpfs", "/mem", "--", "sh", "-c", "head -c 1000000 /dev/zero >/big; ln /big /again; head -c 500 /dev/zero >/home/x; "
          "head -c 9999 /dev/zero >/mem/x; mkdir -p /d/e; ln -s /big /d/l; touch /tmp/done; sleep 1000")
    harness.eventually("written", lambda: k.docker("exec", "wrote", "ls", "/tmp/done", check=False).returncode == 0)
    k.docker("create", "--name", "fresh", "--network", "none", "busybox")
    image = k.api_json("GET", "/images/busybox/json", want=200)["Size"]
    found = {c["Names"][0]: (c["SizeRw"], c["SizeRootFs"]) for c in k.api_json("GET", "/containers/json?all=1&size=1", want=200)}
    eq(found, {"/wrote": (1000504, 1000504 + image), "/fresh": (0, image)})
    eq([c["Names"] for c in k.api_json("GET", "/containers/json?all=1&size=1&limit=1", want=200)], [["/fresh"]])
    c = k.api_json("GET", "/containers/wrote/json?size=1", want=200)
    eq((c["SizeRw"], c["SizeRootFs"]), (1000504, 1000504 + image))
    eq([key for key in k.inspect("wrote") if key.startswith("Size")] + [key for key in k.containers()[0] if key.startswith("Size")], [])
    for run in clients(k):
        has(run("ps", "-as", "--format", "{{.Names}} {{.Size}}").stdout, "wrote 1MB (virtual ")
        eq(run("inspect", "-s", "-f", "{{.SizeRw}}", "wrote").stdout, "1000504\n")
    k.docker("exec", "wrote", "sh", "-c", "cd /d; for i in $(seq 130); do mkdir x; cd x; done")
    # one that cannot be measured keeps nobody from seeing the others
    has(k.api_json("GET", "/containers/wrote/json?size=1", want=400)["message"], "more than 128 directories within each other")
    eq([(c["Names"], c.get("SizeRw")) for c in k.api_json("GET", "/containers/json?all=1&size=1", want=200)], [(["/fresh"], 0), (["/wrote"], None)])


def test_clients_of_every_api_version(k):
    """docker's client in the tongue of older ones: wait answers otherwise before 1.30, 1.24 has no AutoRemove, 1.42 has another type of stream."""
    for version in ("1.24", "1.25", "1.30", "1.40", "1.42", "1.44"):
        env = {"DOCKER_API_VERSION": version}
        name = "v" + version
        p = k.run("--rm", "--", "sh", "-c", "echo out; echo err >&2; exit 3", env=env, check=False)
        # In 1.24 the client removes the container, and 28's forgets to wait for that.
        eq((p.returncode, p.stdout, p.stderr.splitlines()[0] + "\n" if version == "1.24" else p.stderr), (3, "out\n", "err\n"), version)
        k.run("-d", "--name", name, "--memory", "32m", "--", "sh", "-c", "echo logged; exec sleep 1000", env=env)
        eq(k.docker("exec", name, "sh", "-c", "echo in; exit 4", env=env, check=False).returncode, 4, version)
        harness.eventually("the log is there", lambda: k.docker("logs", name, env=env).stdout == "logged\n")
        eq(k.docker("ps", "--format", "{{.Names}} {{.Status}}", env=env).stdout.split()[:2], [name, "Up"], version)
        k.docker("rm", "-f", name, env=env)
    p = k.docker("ps", env={"DOCKER_API_VERSION": "1.23"}, check=False)
    eq(p.returncode, 1)
    has(p.stderr, "client version 1.23 is too old. Minimum supported API version is 1.24")
    status, _, body = k.api("GET", "/v1.52/containers/json")
    eq(status, 400)
    has(body.decode(), "client version 1.52 is too new. Maximum supported API version is 1.51")
    if k.containers():
        raise Failed("a container is left")
