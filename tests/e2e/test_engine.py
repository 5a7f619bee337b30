# SPDX-License-Identifier: Apache-2.0
"""Corners of the engine that clients meet: intents that overlap, what outlives what, and who is told when."""
import json
import os
import signal
import threading
import time

from harness import eq, eventually, has, read_all


def create(k, name, *cmd, **host):
    k.busybox()
    more = host.pop("config", {})
    body = {"Image": "busybox", "Cmd": list(cmd), "HostConfig": {"NetworkMode": "none", **host}, **more}
    return k.api_json("POST", f"/containers/create?name={name}", body, want=201)["Id"]


def start(k, name):
    eq(k.api("POST", f"/containers/{name}/start")[0], 204, "start")


def monitor_of(k, name):
    with open(f"/proc/{k.state(name)['Pid']}/status") as f:
        return int(next(line for line in f if line.startswith("PPid:")).split()[1])


def test_kill_is_answered_when_it_has_ended(k):
    create(k, "kw", "sleep", "1000")
    for _ in range(10):
        start(k, "kw")
        eq(k.api("POST", "/containers/kw/kill")[0], 204)
        eq(k.state("kw")["Running"], False)
    eq(k.api("DELETE", "/containers/kw")[0], 204)


def test_rm_right_behind_stop_and_kill(k):
    for i in range(10):
        create(k, f"rb{i}", "sleep", "1000")
        start(k, f"rb{i}")
        k.api("POST", f"/containers/rb{i}/" + ("stop?t=0" if i % 2 else "kill"))
        eq(k.api("DELETE", f"/containers/rb{i}")[0], 204)


def test_concurrent_stops_share_one(k):
    create(k, "cs", "sh", "-c", "trap '' TERM; while :; do sleep 0.1; done")
    start(k, "cs")
    time.sleep(0.2)
    began, got = time.monotonic(), []
    slow = threading.Thread(target=lambda: got.append(k.api("POST", "/containers/cs/stop?t=60")[0]))
    slow.start()
    time.sleep(0.2)
    eq(k.api("POST", "/containers/cs/stop?t=1")[0], 204)
    slow.join()
    eq(got, [204])
    eq(time.monotonic() - began < 10, True, "the earlier deadline counts")
    eq(k.state("cs")["ExitCode"], 137)
    eq(k.api("POST", "/containers/cs/stop")[0], 304)


def test_stop_ends_the_backoff(k):
    create(k, "be", "false", RestartPolicy={"Name": "always"})
    start(k, "be")
    eventually("it waits", lambda: k.inspect("be")["RestartCount"] >= 3 and k.state("be")["Status"] == "restarting")
    eventually("docker calls that running", lambda: (True, True, 0) == tuple(map(k.state("be").get, ("Running", "Restarting", "Pid"))))
    status, _, body = k.api("DELETE", "/containers/be")
    eq(status, 409)
    has(body.decode(), "restarting")
    eq(k.api("POST", "/containers/be/stop")[0], 204)
    eq(k.state("be")["Status"], "exited")
    count = k.inspect("be")["RestartCount"]
    time.sleep(1.5)
    eq(k.inspect("be")["RestartCount"], count)


def test_rm_force_while_restarting(k):
    create(k, "rf", "false", RestartPolicy={"Name": "always"})
    start(k, "rf")
    time.sleep(0.5)
    eq(k.api("DELETE", "/containers/rf?force=1")[0], 204)
    eq(k.api("GET", "/containers/rf/json")[0], 404)


def test_wait_removed_gets_the_code(k):
    create(k, "wr", "sh", "-c", "sleep 0.3; exit 5")
    got = []
    waiter = threading.Thread(target=lambda: got.append(k.api("POST", "/containers/wr/wait?condition=removed")[2]))
    waiter.start()
    time.sleep(0.1)
    start(k, "wr")
    eventually("it ends", lambda: k.state("wr")["Status"] == "exited")
    eq(got, [])
    k.api("DELETE", "/containers/wr")
    waiter.join()
    eq(json.loads(got[0])["StatusCode"], 5)


def test_restart_is_finished_by_the_next_kilnd(k):
    """kill -9 in the middle of a restart: the stop is half of what was asked."""
    create(k, "rm", "sh", "-c", "trap '' TERM; while :; do sleep 0.1; done")
    start(k, "rm")
    time.sleep(0.2)
    s = k.raw(b"POST /containers/rm/restart?t=2 HTTP/1.1\r\nHost: docker\r\nContent-Length: 0\r\n\r\n")
    time.sleep(0.5)
    pid = k.state("rm")["Pid"]
    k.kill9()
    s.close()
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.3)
    k.start()
    eventually("it runs again", lambda: k.state("rm")["Running"] and k.state("rm")["Pid"] not in (0, pid))


def test_exec_is_known_to_the_next_kilnd(k):
    create(k, "ek", "sleep", "1000")
    start(k, "ek")
    x = k.api_json("POST", "/containers/ek/exec", {"AttachStdout": True, "Cmd": ["sh", "-c", "sleep 1.5; echo late; exit 6"]},
                   want=201)["Id"]
    s, _, rest = k.hijack(f"/exec/{x}/start", b'{"Detach":false}')
    time.sleep(0.3)
    k.kill9()
    k.start()
    eq(k.api_json("GET", f"/exec/{x}/json", want=200)["Running"], True)
    has(read_all(s, rest).decode(errors="replace"), "late")
    eq(k.api_json("GET", f"/exec/{x}/json", want=200)["ExitCode"], 6)


def test_degraded_container_can_be_stopped_and_entered(k):
    create(k, "dg", "sh", "-c", "trap 'exit 9' TERM; while :; do sleep 0.1; done")
    start(k, "dg")
    os.kill(monitor_of(k, "dg"), signal.SIGKILL)
    health = lambda: k.api("GET", "/kiln/v1/health")[2].decode()
    eventually("it is seen", lambda: '"degraded":true' in health())
    eq(k.docker("exec", "dg", "echo", "in").stdout, "in\n")
    status, _, body = k.api("POST", "/containers/dg/attach?stream=1&stdout=1")
    eq(status, 409)
    has(body.decode(), "without its monitor")
    eq(k.api("POST", "/containers/dg/stop")[0], 204)
    eq(k.state("dg")["ExitCode"], 9)
    start(k, "dg")
    eq('"degraded":true' in health(), False)


def test_clients_that_give_up_before_the_start_are_dropped(k):
    create(k, "gu", "echo", "hi")
    fds = lambda: len(os.listdir(f"/proc/{k.proc.pid}/fd"))
    before = fds()
    for _ in range(20):
        s, head, _ = k.hijack("/containers/gu/attach?stream=1&stdout=1")
        has(head, "101")
        s.close()
    eventually("their connections are closed", lambda: fds() <= before + 2)
    s, _, rest = k.hijack("/containers/gu/attach?stream=1&stdout=1")
    s.shutdown(1)   # a half-close is no giving up
    start(k, "gu")
    has(read_all(s, rest).decode(errors="replace"), "hi\n")


def test_health_restarts_are_counted(k):
    create(k, "hr", "sleep", "1000", config={
        "Labels": {"kiln.health.on-failure": "restart"},
        "Healthcheck": {"Test": ["CMD", "false"], "Interval": 100000000, "Retries": 1}, "StopSignal": "KILL"})
    start(k, "hr")
    eventually("it was restarted twice", lambda: k.inspect("hr")["RestartCount"] >= 2)
    eq(k.api("POST", "/containers/hr/stop")[0], 204)
    time.sleep(0.5)
    eq(k.state("hr")["Running"], False)


def test_a_bad_health_label_is_refused(k):
    k.busybox()
    status, _, body = k.api("POST", "/containers/create", {"Image": "busybox", "Labels": {"kiln.health.on-failure": "explode"}})
    eq(status, 400)
    has(body.decode(), "explode")


def test_stop_all_keeps_what_is_desired(k):
    create(k, "sa", "sleep", "1000", RestartPolicy={"Name": "unless-stopped"}, config={"StopSignal": "KILL"})
    create(k, "sn", "sleep", "1000", config={"StopSignal": "KILL"})
    start(k, "sa")
    start(k, "sn")
    k.proc.send_signal(signal.SIGUSR2)
    eq(k.proc.wait(30), 0)
    k.start()
    eventually("the policy brings it back", lambda: k.state("sa")["Running"])
    eq(k.state("sn")["Running"], False)
    eq(k.state("sn")["ExitCode"], 137)
