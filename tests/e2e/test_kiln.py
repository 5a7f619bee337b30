# SPDX-License-Identifier: Apache-2.0
"""The client of its own: kiln health, ps, run, logs."""
import json
import os
import signal
import subprocess

import harness
from harness import Failed, eq, eventually, has


def test_kiln_run(k):
    k.busybox()
    p = k.kiln("run", "--rm", "--network", "none", "busybox", "sh", "-c", "echo out; echo err >&2; exit 7", check=False)
    eq((p.stdout, p.stderr, p.returncode), ("out\n", "err\n", 7))
    eq(k.kiln("run", "--rm", "-i", "--network", "none", "busybox", "cat", input="a\nb\n").stdout, "a\nb\n")
    cid = k.kiln("run", "-d", "--name", "kr", "-e", "A=1", "-v", "/tmp:/x:ro", "-m", "64m", "--cpus", "0.5", "--label", "a=b", "--init",
                 "--network", "none", "busybox", "sleep", "1000").stdout.strip()
    c = k.inspect("kr")
    eq((c["Id"], c["HostConfig"]["Memory"], c["HostConfig"]["NanoCpus"], c["Config"]["Labels"], c["HostConfig"]["Init"]),
       (cid, 64 << 20, 500_000_000, {"a": "b"}, True))
    eq(k.kiln("run", "--rm", "--network", "none", "busybox", "nosuch", check=False).returncode, 127)
    eq(k.kiln("run", "--rm", "--network", "none", "busybox", "/etc/passwd", check=False).returncode, 126)
    p = k.kiln("run", "nosuchimage", check=False)
    eq(p.returncode, 125)
    has(p.stderr, "No such image: nosuchimage:latest")
    has(k.kiln("run", "--rm", "busybox", "true").stderr, "loopback only")


def test_kiln_run_passes_signals(k):
    k.busybox()
    p = subprocess.Popen([harness.BUILD + "/kiln", "run", "--rm", "--network", "none", "busybox", "sh", "-c", "trap 'exit 9' TERM; echo up; while :; do sleep 0.1; done"],
                         env=dict(os.environ, KILN_HOST="unix://" + k.socket), stdout=subprocess.PIPE)
    eq(p.stdout.readline(), b"up\n")
    p.send_signal(signal.SIGTERM)
    eq(p.wait(20), 9)


def test_kiln_ps(k):
    k.run("-d", "--name", "ps1", "--", "sleep", "1000")
    k.run("--name", "ps2", "--", "true")
    out = k.kiln("ps").stdout.splitlines()
    eq(out[0].split(), ["CONTAINER", "ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"])
    eq(len(out), 2)
    has(out[1], "ps1")
    has(out[1], '"sleep 1000"')
    has(k.kiln("ps", "-a").stdout, "Exited (0)")
    eq(k.kiln("ps", "-q").stdout.strip(), k.inspect("ps1")["Id"][:12])
    rows = [json.loads(line) for line in k.kiln("ps", "-a", "--format", "json").stdout.splitlines()]
    eq(sorted(r["Names"] for r in rows), ["ps1", "ps2"])


def test_kiln_logs(k):
    k.run("--name", "lg", "--", "sh", "-c", "echo one; sleep 0.2; echo two >&2; sleep 0.2; echo three")
    p = k.kiln("logs", "lg")
    eq((p.stdout, p.stderr), ("one\nthree\n", "two\n"))
    eq(k.kiln("logs", "--tail", "1", "lg").stdout, "three\n")
    has(k.kiln("logs", "-t", "lg").stdout, "Z one")
    p = k.kiln("logs", "nosuch", check=False)
    eq(p.returncode, 1)
    has(p.stderr, "No such container: nosuch")


def test_kiln_health_command(k):
    k.run("-d", "--name", "hh", "--restart", "always", "--health-cmd", "test ! -e /ill", "--health-interval", "200ms", "--health-retries", "1", "--", "sleep", "1000")
    eventually("warm", lambda: k.kiln("health", check=False).returncode == 0)
    out = k.kiln("health").stdout
    for part in ("daemon", "launcher", "storage", "hh", "healthy", "all that should be warm is warm"):
        has(out, part)
    k.docker("exec", "hh", "touch", "/ill")
    eventually("not warm", lambda: k.kiln("health", check=False).returncode == 1)
    has(k.kiln("health", check=False).stdout, "unhealthy")
    eq(json.loads(k.kiln("health", "--format", "json", check=False).stdout)["warm"], False)


def test_kiln_system_check(own):
    """What is wrong is told with what to do; it needs no daemon, and 1 says that something must be done."""
    def lines(p):
        return {c["name"]: c for c in json.loads(p.stdout)["checks"]}
    own.start()
    p = own.kiln("system", "check", "--format", "json")
    checks = lines(p)
    eq(json.loads(p.stdout)["ok"], True)
    for name in ("kernel", "namespaces", "cgroups", "controllers", "limits", "capabilities", "seccomp", "apparmor", "overlay", "data root", "group", "socket", "daemon", "warm"):
        eq(checks[name]["status"] in ("ok", "warn"), True, str(checks[name]))
        eq(bool(checks[name]["advice"]), checks[name]["status"] != "ok", str(checks[name]))
    has(checks["socket"]["found"], own.socket)
    has(checks["data root"]["found"], own.data_root)
    os.chmod(own.socket, 0o666)
    eq(lines(own.kiln("system", "check", "--format", "json"))["socket"]["status"], "warn")
    own.terminate()
    p = own.kiln("system", "check", check=False)
    eq(p.returncode, 1)
    has(p.stdout, "\nfail  daemon ")
    has(p.stdout, "start kilnd ('systemctl start kilnd' or 'sudo kilnd')")
    eq(lines(own.kiln("system", "check", "--format", "json", check=False))["daemon"]["status"], "fail")
    eq(own.kiln("system", "check", "--format", "yaml", check=False).returncode, 125)
    has(own.kiln("system", "check", "--data-root", "/proc", check=False).stdout, "data root")


def test_kiln_help():
    p = subprocess.run([harness.BUILD + "/kiln", "--help"], capture_output=True, text=True)
    for cmd in ("health", "logs", "ps", "run"):
        has(p.stdout, cmd)
        eq(subprocess.run([harness.BUILD + "/kiln", cmd, "--help"], capture_output=True).returncode, 0)
    eq(subprocess.run([harness.BUILD + "/kiln", "run", "--nosuch"], capture_output=True).returncode, 125)
