# SPDX-License-Identifier: Apache-2.0
"""Logs that are bounded: rotation by the monitor, and docker logs through all the files."""
import json
import os
import signal
import subprocess
import threading
import time

import harness
from harness import eq, eventually, has
from test_options2 import create, host_config

COUNT = "i=0; while [ $i -lt %d ]; do echo line $i; i=$((i+1)); done"


def log_dir(k, cid):
    return f"{k.data_root}/containers/{k.inspect(cid)['Id']}/logs"


def sizes(k, cid):
    d, cid = log_dir(k, cid), k.inspect(cid)["Id"]
    return {n[len(cid + "-json.log"):]: os.stat(f"{d}/{n}").st_size for n in os.listdir(d)}


def numbers(text):
    return [int(line.split()[1]) for line in text.splitlines()]


def monitor_of(k, cid):
    pid = k.inspect(cid)["State"]["Pid"]
    with open(f"/proc/{pid}/stat") as f:
        return int(f.read().rsplit(")", 1)[1].split()[1])


def test_log_rotation(k):
    """--log-opt max-size, max-file; LogPath is the file that is written; rm takes all of them."""
    k.run("--name", "many", "--log-opt", "max-size=10k", "--log-opt", "max-file=3", "--", "sh", "-c", COUNT % 1000)
    files = sizes(k, "many")
    eq(sorted(files), ["", ".1", ".2"])
    for name, n in files.items():
        eq(0 < n <= 10000, True, f"{name!r} has {n} bytes")
    c = k.inspect("many")
    eq(c["LogPath"], f"{log_dir(k, 'many')}/{c['Id']}-json.log")
    eq(c["HostConfig"]["LogConfig"], {"Type": "json-file", "Config": {"max-file": "3", "max-size": "10k"}})
    for cli in harness.CLIS:
        got = numbers(k.docker("logs", "many", cli=cli).stdout)
        eq(got, list(range(got[0], 1000)))
        eq(250 < len(got) < 420, True, f"{len(got)} lines")
        eq(numbers(k.docker("logs", "--tail", "200", "many", cli=cli).stdout), list(range(800, 1000)))
        eq(numbers(k.docker("logs", "--tail", "3", "-f", "many", cli=cli).stdout), [997, 998, 999])
    stamps = k.docker("logs", "-t", "many").stdout.splitlines()
    middle = stamps[len(stamps) // 2].split()
    since = numbers(k.docker("logs", "--since", middle[0], "many").stdout)
    eq((since[-1], since[0] <= int(middle[2])), (999, True))
    until = numbers(k.docker("logs", "--until", middle[0], "many").stdout)
    eq((until[0], until[-1] >= int(middle[2])), (int(stamps[0].split()[2]), True))
    d = log_dir(k, "many")
    k.docker("rm", "many")
    eq(os.path.exists(os.path.dirname(d)), False)


def test_log_is_bounded_by_default(k):
    """16 MiB in each of three files, without a word of the user; max-size=-1 is without bound."""
    k.run("--name", "big", "--", "sh", "-c", "yes 0123456789012345678901234567890123456789 | head -c 40m")
    files = sizes(k, "big")
    eq(sorted(files), ["", ".1", ".2"])
    eq(max(files.values()) <= 16 << 20, True, files)
    eq(host_config(k, "big")["LogConfig"], {"Type": "json-file", "Config": {}})
    k.docker("rm", "big")
    k.run("--name", "big", "--log-opt", "max-size=-1", "--", "sh", "-c", "yes 0123456789012345678901234567890123456789 | head -c 10m")
    eq(list(sizes(k, "big")), [""])
    eq(sizes(k, "big")[""] > 16 << 20, True)
    k.docker("rm", "big")


def test_log_follower_through_rotations(k):
    """Every line once, in order, though the files change under its hands all the time."""
    k.run("-d", "--name", "follow", "--log-opt", "max-size=20k", "--log-opt", "max-file=2", "--", "sh", "-c",
          "echo line 0; while [ ! -e /go ]; do sleep 0.05; done; i=1; while [ $i -lt 4000 ]; do echo line $i; i=$((i+1)); [ $((i % 50)) = 0 ] && sleep 0.01; done")
    followers = [k.popen("logs", "-f", "follow", cli=cli, stdout=subprocess.PIPE, text=True) for cli in harness.CLIS]
    eq([p.stdout.readline() for p in followers], ["line 0\n"] * len(followers))
    k.docker("exec", "follow", "touch", "/go")
    for p in followers:
        out, _ = p.communicate(timeout=60)
        eq(numbers(out), list(range(1, 4000)))


def test_log_of_a_monitor_that_is_killed_while_it_rotates(k):
    """However it is cut off: what is read is in order, each line once, and the next run goes on with it."""
    for i in range(3):
        k.run("-d", "--name", "cut", "--log-opt", "max-size=1k", "--log-opt", "max-file=3", "--", "sh", "-c",
              "i=0; while :; do echo line $i; i=$((i+1)); done")
        time.sleep(0.05 + 0.03 * i)
        os.kill(monitor_of(k, "cut"), signal.SIGKILL)
        k.docker("kill", "cut")
        eventually("it has ended", lambda: not k.state("cut")["Running"])
        before = numbers(k.docker("logs", "cut").stdout)
        eq(before, list(range(before[0], before[0] + len(before))))
        k.docker("start", "cut")
        eventually("the next run writes", lambda: 0 in numbers(k.docker("logs", "cut").stdout) or numbers(k.docker("logs", "cut").stdout)[0] != before[0])
        k.docker("kill", "cut")
        eq([n for n in sizes(k, "cut") if n not in ("", ".1", ".2")], [])
        k.docker("rm", "-f", "cut")


def test_log_follow_before_the_first_file(k):
    """logs -f in the instant in which the container begins, and has no file yet."""
    cid = create(k, AutoRemove=False)["Id"]
    started = threading.Thread(target=lambda: k.api("POST", f"/containers/{cid}/start"))
    started.start()
    for _ in range(40):
        status, _, body = k.api("GET", f"/containers/{cid}/logs?follow=1&stdout=1")
        eq(status, 200, body)
    started.join()


def test_log_options_are_checked(k):
    for opt, why, want in (({"max-size": "0"}, "invalid log opt max-size '0'", 400), ({"max-size": "10x"}, "invalid log opt max-size '10x'", 400),
                           ({"max-file": "0"}, "max-file cannot be less than 1", 400), ({"max-file": "65"}, "max-file cannot be more than 64", 400),
                           ({"nosuch": "1"}, "unknown log opt 'nosuch' for json-file log driver", 400), ({"tag": "{{.Nope}}"}, "{{.ImageFullID}}", 400),
                           ({"compress": "true"}, "log opt compress=true is not supported", 501), ({"mode": "non-blocking"}, "mode=non-blocking is not supported", 501),
                           ({"labels-regex": "x"}, "labels-regex", 501)):
        has(create(k, want=want, LogConfig={"Type": "json-file", "Config": opt})["message"], why)
    has(create(k, want=400, LogConfig={"Type": "none", "Config": {"max-size": "1m"}})["message"], "unknown log opt 'max-size' for none log driver")
    create(k, LogConfig={"Type": "json-file", "Config": {"compress": "false", "mode": "blocking", "max-size": "1.5mb"}})


def test_log_opt_labels_env_tag(k):
    """In each line of the file, and with logs --details."""
    k.run("--name", "told", "--log-opt", "labels=a,none", "--log-opt", "env=B,C", "--log-opt", "tag={{.Name}}/{{.ID}}", "--label", "a=x y", "-e", "B=\"1\"",
          "--", "sh", "-c", "echo out; echo err >&2")
    c = k.inspect("told")
    with open(c["LogPath"]) as f:
        lines = [json.loads(line) for line in f]
    want = {"a": "x y", "B": '"1"', "tag": "told/" + c["Id"][:12]}
    eq([line["attrs"] for line in lines], [want, want])
    for cli in harness.CLIS:
        eq(k.docker("logs", "--details", "told", cli=cli).stdout, f"B=%221%22,a=x+y,tag=told%2F{c['Id'][:12]} out\n")
        eq(k.docker("logs", "told", cli=cli).stdout, "out\n")


def test_log_defaults_of_the_daemon(own):
    own.extra_args = ["--log-opt", "max-size=5k", "--log-opt", "max-file=2"]
    own.start()
    own.run("--name", "one", "--", "sh", "-c", COUNT % 500)
    eq(sorted(sizes(own, "one")), ["", ".1"])
    eq(host_config(own, "one")["LogConfig"]["Config"], {"max-file": "2", "max-size": "5k"})
    own.run("--name", "two", "--log-opt", "max-file=3", "--", "sh", "-c", COUNT % 500)
    eq(host_config(own, "two")["LogConfig"]["Config"], {"max-file": "3", "max-size": "5k"})
    own.terminate()
    own.extra_args = ["--log-driver", "none"]
    own.start()
    eq(host_config(own, own.docker("create", "--network", "none", "busybox").stdout.strip())["LogConfig"], {"Type": "none", "Config": {}})
    eq(own.api_json("GET", "/info", want=200)["LoggingDriver"], "none")
    eq(numbers(own.docker("logs", "one").stdout)[-1], 499)
    for bad, why in (("max-size", "is not key=value"), ("max-size=x", "invalid log opt max-size")):
        p = subprocess.run([harness.BUILD + "/kilnd", "--log-opt", bad], capture_output=True, text=True)
        eq(p.returncode != 0, True)
        has(p.stderr, why)


def test_monitor_that_rotates_sees_only_its_logs(k):
    cid = k.run("-d", "--", "sleep", "1000").stdout.strip()
    pid = monitor_of(k, cid)
    launcher = k.launcher_pid()
    eventually("it is confined", lambda: os.readlink(f"/proc/{pid}/root") != os.readlink(f"/proc/{launcher}/root"))
    eq(os.readlink(f"/proc/{pid}/root").endswith(f"/containers/{cid}/logs"), True, os.readlink(f"/proc/{pid}/root"))
    eq(os.listdir(f"/proc/{pid}/root"), [f"{cid}-json.log"])


def test_log_of_an_older_kilnd(own):
    """It lay beside the container's other files: it is read there, and moved by the next start."""
    own.start()
    cid = own.run("-d", "--name", "old", "--", "echo", "first").stdout.strip()
    eventually("it has ended", lambda: not own.state("old")["Running"])
    own.terminate()
    d = f"{own.data_root}/containers/{cid}"
    os.rename(f"{d}/logs/{cid}-json.log", f"{d}/{cid}-json.log")
    os.rmdir(d + "/logs")
    own.start()
    eq(own.inspect("old")["LogPath"], f"{d}/{cid}-json.log")
    eq(own.docker("logs", "old").stdout, "first\n")
    own.docker("start", "-a", "old")
    eq(own.inspect("old")["LogPath"], f"{d}/logs/{cid}-json.log")
    eq(own.docker("logs", "old").stdout, "first\nfirst\n")
