# SPDX-License-Identifier: Apache-2.0
"""HEALTHCHECK, --health-*, what is done about the unhealthy, and /kiln/v1/health."""
import json
import os
import signal
import time

import harness
from harness import Failed, eq, eventually, has


def health(k, name):
    return k.state(name)["Health"]


def test_healthcheck_from_image(k):
    k.load(harness.busybox_archive("checked:1", {"Cmd": ["sleep", "1000"], "Env": ["PATH=/bin"], "Healthcheck": {
        "Test": ["CMD-SHELL", "echo probing; test -e /tmp/well"], "Interval": 300_000_000, "Timeout": 2_000_000_000, "Retries": 2}}))
    k.docker("run", "-d", "--name", "hc", "--network", "none", "checked:1")
    eq(health(k, "hc")["Status"], "starting")
    eventually("unhealthy", lambda: health(k, "hc")["Status"] == "unhealthy")
    has(k.docker("ps", "--filter", "name=hc").stdout, "(unhealthy)")
    last = health(k, "hc")["Log"][-1]
    eq((last["ExitCode"], last["Output"]), (1, "probing\n"))
    if health(k, "hc")["FailingStreak"] < 2:
        raise Failed("failing streak")
    k.docker("exec", "hc", "touch", "/tmp/well")
    eventually("healthy", lambda: health(k, "hc")["Status"] == "healthy")
    eq(health(k, "hc")["FailingStreak"], 0)
    has(k.docker("ps", "--filter", "name=hc").stdout, "(healthy)")
    if len(health(k, "hc")["Log"]) > 5:
        raise Failed("more than five results are kept")
    eq(k.docker("ps", "-q", "--filter", "health=healthy").stdout.split(), [k.inspect("hc")["Id"][:12]])


def test_health_options(k):
    k.run("-d", "--name", "ho", "--health-cmd", "sleep 10", "--health-interval", "200ms", "--health-timeout", "300ms",
          "--health-retries", "1", "--health-start-period", "100ms", "--", "sleep", "1000")
    eventually("unhealthy", lambda: health(k, "ho")["Status"] == "unhealthy")
    last = health(k, "ho")["Log"][-1]
    eq(last["ExitCode"], -1)
    has(last["Output"], "exceeded timeout")
    k.run("-d", "--name", "nohc", "--no-healthcheck", "--", "sleep", "1000")
    eq("Health" in k.state("nohc"), False)


def test_option_health(k):
    k.run("-d", "--name", "oh", "--health-cmd", "true", "--health-interval", "200ms", "--", "sleep", "1000")
    eventually("healthy", lambda: health(k, "oh")["Status"] == "healthy")
    time.sleep(1.1)     # the client sends whole seconds
    events = k.docker("events", "--since", "60s", "--until", "0s", "--filter", "container=oh", "--format", "{{.Action}}").stdout
    has(events, "health_status: healthy")


def test_failures_in_the_start_period_do_not_count(k):
    k.run("-d", "--name", "sp", "--health-cmd", "false", "--health-interval", "100ms", "--health-retries", "1",
          "--health-start-period", "60s", "--", "sleep", "1000")
    eventually("probed", lambda: len(health(k, "sp")["Log"] or []) >= 1)
    eq(health(k, "sp")["Status"], "starting")


def test_probe_output_is_bounded(k):
    k.run("-d", "--name", "big", "--health-cmd", "yes | head -c 1000000", "--health-interval", "200ms", "--", "sleep", "1000")
    eventually("probed", lambda: health(k, "big")["Log"])
    n = len(health(k, "big")["Log"][0]["Output"])
    if n > 4096:
        raise Failed(f"{n} bytes of output")


def run_unhealthy(k, name, action, *more):
    k.run("-d", "--name", name, "--label", f"kiln.health.on-failure={action}", "--stop-timeout", "1", "--health-cmd", "test ! -e /tmp/ill",
          "--health-interval", "200ms", "--health-retries", "1", *more, "--", "sh", "-c", "rm -f /tmp/ill; exec sleep 1000")
    eventually("healthy", lambda: health(k, name)["Status"] == "healthy")
    pid = k.state(name)["Pid"]
    k.docker("exec", name, "touch", "/tmp/ill")
    return pid


def test_on_failure_none(k):
    pid = run_unhealthy(k, "hn", "none")
    eventually("unhealthy", lambda: health(k, "hn")["Status"] == "unhealthy")
    time.sleep(0.5)
    eq(k.state("hn")["Pid"], pid)


def test_on_failure_restart(k):
    pid = run_unhealthy(k, "hr", "restart")
    eventually("restarted and healthy", lambda: k.state("hr")["Running"] and k.state("hr")["Pid"] != pid and health(k, "hr")["Status"] == "healthy")


def test_on_failure_kill(k):
    run_unhealthy(k, "hk", "kill")
    eventually("killed", lambda: not k.state("hk")["Running"])
    eq(k.state("hk")["ExitCode"], 137)


def test_on_failure_label_of_the_image_does_not_count(k):
    k.load(harness.busybox_archive("sly:1", {"Cmd": ["sleep", "1000"], "Env": ["PATH=/bin"], "Labels": {"kiln.health.on-failure": "kill"},
                                             "Healthcheck": {"Test": ["CMD", "false"], "Interval": 200_000_000, "Retries": 1}}))
    k.docker("run", "-d", "--name", "sly", "--network", "none", "sly:1")
    eventually("unhealthy", lambda: health(k, "sly")["Status"] == "unhealthy")
    time.sleep(0.5)
    eq(k.state("sly")["Running"], True)


def kiln_health(k):
    status, _, body = k.api("GET", "/kiln/v1/health")
    return status, json.loads(body)


def test_kiln_health_json(k):
    k.run("-d", "--name", "kh", "--restart", "always", "--health-cmd", "true", "--health-interval", "200ms", "--", "sleep", "1000")
    k.run("--name", "done", "--", "true")
    eventually("warm", lambda: kiln_health(k)[0] == 200)
    status, h = kiln_health(k)
    eq((h["daemon"]["ok"], h["launcher"]["ok"], h["storage"]["ok"], h["warm"], h["reasons"]), (True, True, True, True, []))
    by_name = {c["name"]: c for c in h["containers"]}
    eq((by_name["kh"]["should_be_warm"], by_name["kh"]["warm"], by_name["kh"]["health"]), (True, True, "healthy"))
    eq(by_name["done"]["should_be_warm"], False)


def test_kiln_health_503_with_reasons(k):
    k.run("-d", "--name", "ill", "--restart", "always", "--health-cmd", "false", "--health-interval", "200ms", "--health-retries", "1", "--", "sleep", "1000")
    eventually("unhealthy", lambda: health(k, "ill")["Status"] == "unhealthy")
    status, h = kiln_health(k)
    eq(status, 503)
    eq(h["warm"], False)
    has(h["reasons"][0], "ill")
    has(h["reasons"][0], "unhealthy")


def test_health_checks_do_not_pile_up(own):
    """A check whose monitor stands still counts as failed each time, but no other is begun beside it."""
    k = own.start()
    k.run("-d", "--name", "piled", "--health-cmd", "sleep 1000", "--health-interval", "500ms", "--health-timeout", "1s",
          "--health-retries", "2", "--", "sleep", "1000")
    launcher = k.launcher_pid()
    main = set(harness.children_of(launcher))
    probe = eventually("a check", lambda: set(harness.children_of(launcher)) - main).pop()
    os.kill(probe, signal.SIGSTOP)
    try:
        eventually("unhealthy", lambda: k.state("piled")["Health"]["Status"] == "unhealthy", timeout=20)
        eventually("more of them", lambda: k.state("piled")["Health"]["FailingStreak"] >= 4)
        eq(set(harness.children_of(launcher)) - main, {probe})
    finally:
        os.kill(probe, signal.SIGCONT)
    eventually("another check", lambda: set(harness.children_of(launcher)) - main - {probe})
