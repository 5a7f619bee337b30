#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Records what the real docker clients say, and what kilnd answers, as corpus: record.py (root; needs a built Kiln and the clients).

A relay stands between each client and a kilnd of its own. What a client sent on one connection becomes a file of
corpus/http, each create body one of corpus/docker_create, each of exec one of corpus/docker_exec, each filter one of corpus/filters. Names
begin with the client's API version. What `kiln` was answered to the lines of fuzz_reply.c goes to corpus/reply. Run it again when a client is new, look at the difference, and commit it.
"""
import json
import os
import re
import socket
import subprocess
import sys
import threading
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
import harness  # noqa: E402

MAX_BYTES = 6000
# Options in groups that make bodies of different shape; %D is an empty directory, %F an environment file
CREATES = [
    ["true"], ["-i", "sh"], ["-t", "sh"],
    ["-e", "A=b", "--env-file", "%F", "-w", "/tmp", "-u", "1:2", "--hostname", "h", "--domainname", "d", "true"],
    ["--entrypoint", "echo", "--label", "a=b", "--annotation", "c=d", "--name", "web", "--stop-signal", "INT", "--stop-timeout", "3", "x"],
    ["-m", "64m", "--memory-swap", "-1", "--memory-reservation", "32m", "--memory-swappiness", "5", "--kernel-memory", "0", "true"],
    ["--cpus", "0.5", "--cpu-shares", "10", "--cpuset-cpus", "0", "--cpuset-mems", "0", "--pids-limit", "50", "true"],
    ["--cpu-period", "100000", "--cpu-quota", "50000", "--blkio-weight", "100", "--oom-kill-disable", "--oom-score-adj", "5", "true"],
    ["--device-read-bps", "/dev/null:1mb", "--device-write-iops", "/dev/null:10", "--blkio-weight-device", "/dev/null:20", "true"],
    ["--cap-add", "NET_ADMIN", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--security-opt", "seccomp=unconfined", "true"],
    ["--security-opt", "apparmor=x", "--security-opt", "label=disable", "--security-opt", "systempaths=unconfined", "true"],
    ["--privileged", "--read-only", "--init", "--group-add", "audio", "--device", "/dev/null:/dev/x:rw", "--device-cgroup-rule", "c 1:3 r", "true"],
    ["-v", "%D:/a:ro", "-v", "%D:/b", "--mount", "type=bind,src=%D,dst=/c,readonly,bind-propagation=rslave", "true"],
    ["--tmpfs", "/t:size=1m,mode=700", "--mount", "type=tmpfs,dst=/u,tmpfs-size=1m,tmpfs-mode=1777", "--shm-size", "1m", "true"],
    ["--mount", "type=volume,dst=/v", "true"], ["-v", "named:/v", "--volumes-from", "x:ro", "true"],
    ["--restart", "on-failure:3", "true"], ["--restart", "always", "--log-driver", "json-file", "--log-opt", "max-size=1m", "true"],
    ["--health-cmd", "true", "--health-interval", "1s", "--health-retries", "2", "--health-start-period", "1s", "--health-timeout", "9s", "true"],
    ["--no-healthcheck", "--ulimit", "nofile=1:2", "--sysctl", "net.ipv4.ip_forward=1", "true"],
    ["--pid", "host", "--ipc", "shareable", "--uts", "host", "--cgroupns", "host", "--userns", "host", "true"],
    ["--network", "none", "--dns", "127.0.0.1", "--dns-opt", "a", "--add-host", "a:127.0.0.1", "--mac-address", "02:00:00:00:00:01", "true"],
    ["-p", "8080:80", "--expose", "90", "--network-alias", "a", "--ip", "10.0.0.1", "--link-local-ip", "10.0.0.2", "true"],
    ["--cgroup-parent", "/x", "--cpu-rt-period", "1", "--cpu-rt-runtime", "1", "--isolation", "default", "--runtime", "kiln", "--storage-opt", "a=b", "true"],
    ["--gpus", "all", "true"],
]
COMMANDS = [
    "version", "info", "ps -a", "ps -a --filter label=a=b --filter status=exited --filter name=^/web.* --no-trunc -s", "ps -aq -n 3", "images -a",
    "images --filter reference=busy* --digests", "image inspect busybox", "history busybox", "tag busybox a/b:c", "save busybox", "rmi a/b:c",
    "image prune -f --filter until=24h", "container prune -f --filter label!=a", "system df", "search x", "pull x", "network ls", "volume ls",
    "run --rm --network none busybox echo hello", "run -i --network none --name r1 busybox cat", "run -d --network none --name r2 busybox sleep 100",
    "exec r2 true", "exec -i -e A=b -w /tmp -u 1 r2 cat", "exec -d r2 sleep 1", "top r2", "top r2 -o pid,comm", "stats --no-stream r2", "port r2",
    "inspect r2", "logs --since 1h --until 0s -t -n 5 r1", "pause r2", "unpause r2", "update --memory 64m --memory-swap -1 --cpus 0.3 --restart no r2",
    "rename r2 r3", "kill -s USR1 r3", "restart -t 1 r3", "stop -t 1 r3", "start r3", "wait r1", "cp r3:/etc/passwd -", "diff r3", "export r3",
    "commit r3 new:tag", "events --since 1h --until 0s --filter type=container --filter event=die", "rm -fv r1 r3", "load", "import - x:y",
]


class Relay:
    """Listens on @path, hands everything on to @upstream, and keeps what clients send, and what they are answered."""

    def __init__(self, path, upstream):
        self.seen, self.answers, self.upstream = [], [], upstream
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(64)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.upstream)
            kept, answer = bytearray(), bytearray()
            self.seen.append(kept)
            self.answers.append(answer)
            threading.Thread(target=self.pump, args=(client, server, kept), daemon=True).start()
            threading.Thread(target=self.pump, args=(server, client, answer), daemon=True).start()

    @staticmethod
    def pump(src, dst, kept):
        try:
            while data := src.recv(65536):
                if len(kept) < MAX_BYTES:
                    kept += data
                dst.sendall(data)
            dst.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def keep(folder, name, data):
    with open(os.path.join(HERE, "corpus", folder, name), "wb") as f:
        f.write(data)


def keep_parts(version, conversations):
    n_creates, n_execs, filters = 0, 0, set()
    for data in conversations:
        data = bytes(data[:MAX_BYTES])
        requests = re.findall(rb"^(GET|POST|DELETE|HEAD) (\S+) HTTP", data, re.M)
        if not requests:
            continue
        for _method, target in requests:
            query = urllib.parse.parse_qs(urllib.parse.urlsplit(target.decode()).query)
            filters.update(f for f in query.get("filters", []) if f != "{}")
        if b"/containers/create" in data:
            body = data[data.index(b"/containers/create"):].split(b"\r\n\r\n", 1)[1]
            try:
                end = json.JSONDecoder().raw_decode(body.decode())[1]
            except ValueError:
                continue   # cut at MAX_BYTES
            keep("docker_create", f"{version}-{n_creates:02}", body[:end])
            n_creates += 1
        for body in re.findall(rb"^POST \S+/exec(?:/\w+/start)? HTTP.*?\r\n\r\n(\{.*?\})\n", data, re.M | re.S):
            keep("docker_exec", f"{version}-{n_execs:02}", body)
            n_execs += 1
        method, target = (part.decode() for part in requests[-1])
        path = re.sub(r"^/v[\d.]+", "", urllib.parse.urlsplit(target).path)
        name = re.sub(r"[^a-z]+", "-", re.sub(r"[0-9a-f]{12,}", "", f"{method}{path}".lower()))[:40].strip("-")
        keep("http", f"{version}-{name}", data)
    for i, f in enumerate(sorted(filters)):
        keep("filters", f"{version}-{i:02}", f.encode())


def record(k, cli):
    version = subprocess.run([cli, "version", "--format", "{{.Client.DefaultAPIVersion}}"], env=dict(os.environ, DOCKER_HOST="unix://" + k.socket),
                             capture_output=True, text=True, check=False).stdout.strip()
    relay = Relay(f"{k.dir}/relay-{version}.sock", k.socket)
    env_file = k.dir + "/env"
    with open(env_file, "w") as f:
        f.write("X=1\nY\n")
    env = dict(os.environ, DOCKER_HOST=f"unix://{k.dir}/relay-{version}.sock", HOME=k.dir)

    def run(args, data=b""):
        subprocess.run([cli, *args], input=data, env=env, capture_output=True, timeout=30, check=False)

    for options in CREATES:
        options = [o.replace("%D", k.dir).replace("%F", env_file) for o in options]
        run(["create", "--pull", "never", *options[:-1], "busybox", options[-1]])
    for c in COMMANDS:
        run(c.split(), harness.busybox_archive("other:1") if c == "load" else b"some input\n")
    keep_parts(version, [d for d in relay.seen if k.dir.encode() not in d])
    # Bodies with our directory: its name is nobody's business
    keep_parts(version + "-m", [d.replace(k.dir.encode(), b"/d" + b"x" * (len(k.dir) - 2)) for d in relay.seen if k.dir.encode() in d])


def record_answers(k):
    """To the client's commands: those of one connection each."""
    with open(os.path.join(HERE, "fuzz_reply.c"), encoding="utf-8") as f:
        lines = re.findall(r'^\t"(.*)",$', f.read(), re.M)
    relay = Relay(k.dir + "/relay-answers.sock", k.socket)
    k.docker("run", "-d", "--name", "box1", "--network", "none", "-v", f"{k.dir}:/v", "-l", "a=b", "busybox", "sleep", "1000")
    k.docker("create", "--name", "box2", "--network", "none", "busybox", "true")
    for i, line in enumerate(lines):
        relay.answers.clear()
        line = line.replace("busybox", "other:1") if line.startswith("rmi") else line
        if line.startswith("wait"):
            k.docker("kill", "box1")
        subprocess.run([harness.BUILD + "/kiln", "-H", f"unix://{relay.listener.getsockname()}", *line.split()], timeout=30, check=False, capture_output=True,
                       input=harness.busybox_archive("other:1") if line == "load" else b"")
        data = max(relay.answers, key=len)[:MAX_BYTES]
        for name in (k.dir, harness.ROOT, os.uname().release, os.uname().nodename):   # nobody's business, and of the same length
            data = data.replace(name.encode(), name[0].encode() + b"x" * (len(name) - 1))
        keep("reply", "-".join([chr(ord("a") + i), *re.findall("[a-z]+", line)])[:24], chr(ord("a") + i).encode() + data)
        if line.startswith("wait"):
            break   # the others are begun by hand: what they get is no JSON


def main():
    for job in [record_answers, *[lambda k, cli=cli: record(k, cli) for cli in harness.CLIS]]:
        k = harness.Kiln().start()
        try:
            k.busybox()
            job(k)
        finally:
            k.close()


if __name__ == "__main__":
    main()
