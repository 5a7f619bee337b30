# SPDX-License-Identifier: Apache-2.0
"""kiln beside docker's own client on the same daemon: the same requests, the same bytes, the same exit status."""
import json
import os
import re
import subprocess
import tempfile

import harness
from harness import Failed, eq
from test_kiln_hostile import FakeDaemon

NET = ["--network", "none"]

# Every option of create that Kiln does: what docker asks of the daemon, kiln asks.
CREATES = [
    [],
    ["--network", "host"],
    [*NET, "-i"], [*NET, "-it"], [*NET, "-t", "-a", "stdout"], [*NET, "-a", "stdin", "-a", "STDERR", "-i"],
    [*NET, "-e", "A=1", "-e", "PATH", "-e", "NO_SUCH_VARIABLE", "--env", "B=x=y"],
    [*NET, "-l", "a=b", "--label", "c", "-l", "a=z", "--annotation", "k=v", "--annotation", "k2="],
    [*NET, "-h", "host1", "--domainname", "dom", "-u", "user:50", "-w", "/tmp", "--group-add", "staff", "--group-add", "7"],
    [*NET, "--entrypoint", "/bin/sh"], [*NET, "--entrypoint", ""], [*NET, "--init"], [*NET, "--init=false"],
    [*NET, "--restart", "always"], [*NET, "--restart", "on-failure:3"], [*NET, "--restart=unless-stopped"], [*NET, "--rm"],
    [*NET, "--stop-signal", "USR1", "--stop-timeout", "3"],
    [*NET, "--ulimit", "nofile=100:200", "--ulimit", "core=5", "--ulimit", "nofile=300"],
    [*NET, "-m", "64m", "--memory-reservation", "32m", "--memory-swap", "128m", "--oom-score-adj", "100"],
    [*NET, "-m", "64m", "--memory-swap", "-1"], [*NET, "--memory", "1.5g"],
    [*NET, "--cpus", "0.5"], [*NET, "-c", "512", "--cpu-period", "50000", "--cpu-quota", "25000", "--cpuset-cpus", "0", "--cpuset-mems", "0"],
    [*NET, "--pids-limit", "50"], [*NET, "--pids-limit=-1"], [*NET, "--shm-size", "16m"],
    [*NET, "-v", "/tmp:/a:ro", "-v", "/tmp:/b", "--volume", "/usr:/c:ro,rslave"], [*NET, "-v", "./:/here"],
    [*NET, "--mount", "type=bind,src=/tmp,dst=/x,readonly", "--mount", "type=tmpfs,target=/y,tmpfs-size=1m,tmpfs-mode=1770"],
    [*NET, "--mount", "type=bind,source=/tmp,destination=/x,bind-propagation=rslave,ro=false", "--mount", 'type=bind,"src=/tmp",dst=/z,bind-recursive=disabled'],
    [*NET, "--tmpfs", "/run", "--tmpfs", "/t:size=1m,mode=700", "--read-only"],
    [*NET, "--device", "/dev/null", "--device", "/dev/zero:/dev/z", "--device", "/dev/full:r", "--device", "/dev/null:/dev/n:rw",
     "--device-cgroup-rule", "c 1:3 rwm"],
    [*NET, "--privileged"], [*NET, "--cap-add", "NET_ADMIN", "--cap-drop", "ALL", "--cap-add", "CAP_SYS_TIME"],
    [*NET, "--security-opt", "no-new-privileges", "--security-opt", "seccomp=unconfined"],
    [*NET, "--sysctl", "net.ipv4.ip_forward=1", "--sysctl", "kernel.msgmax=1000"],
    [*NET, "--health-cmd", "true && true", "--health-interval", "1m30s", "--health-timeout", "1.5s", "--health-retries", "4",
     "--health-start-period", "2s", "--health-start-interval", "100ms"],
    [*NET, "--no-healthcheck"], [*NET, "--health-interval", "5s"],
    [*NET, "--log-driver", "none"], [*NET, "--log-driver", "json-file"], [*NET, "--log-opt", "max-size=1m", "--log-opt", "labels=a,b"],
    [*NET, "--expose", "80", "--expose", "90-92/udp"],
    [*NET, "--pid", "host", "--ipc", "host", "--uts", "host", "--cgroupns", "host"], [*NET, "--ipc", "shareable"], [*NET, "--ipc", "none"],
    [*NET, "--security-opt", "systempaths=unconfined"], [*NET, "--security-opt", "label=disable"],
    [*NET, "--security-opt", "seccomp=" + os.path.join(harness.ROOT, "contrib/seccomp/default.json")],
    [*NET, "--runtime", "kiln", "--cgroupns", "private", "--userns", "host", "--isolation", "default", "--platform", "linux/amd64", "--pull", "never"],
]


def shown(k, name):
    c = k.inspect(name)
    c["Config"].pop("Hostname" if c["Config"]["Hostname"] == c["Id"][:12] else "", None)
    # docker's client sends these in the order of a hash
    c["Config"]["Env"].sort()
    c["HostConfig"]["Binds"] = sorted(c["HostConfig"]["Binds"] or [])
    c["Mounts"].sort(key=lambda m: m["Destination"])
    return {"Config": c["Config"], "HostConfig": c["HostConfig"], "Mounts": c["Mounts"], "Path": c["Path"], "Args": c["Args"]}


def compare_creates(k, cases, docker):
    k.busybox()
    wrong = []
    for i, options in enumerate(cases):
        k.docker("create", "--name", f"d{i}", *options, "busybox", "sleep", "7", cli=docker)
        p = k.kiln("create", "--name", f"k{i}", *options, "busybox", "sleep", "7", check=False)
        if p.returncode:
            wrong.append(f"{options}: {p.stderr}")
            continue
        want, got = shown(k, f"d{i}"), shown(k, f"k{i}")
        for part in want:
            for key in want[part] if isinstance(want[part], dict) else ():
                if want[part][key] != got[part].get(key):
                    wrong.append(f"{options}: {part}.{key}: docker {want[part][key]!r}, kiln {got[part].get(key)!r}")
            if not isinstance(want[part], dict) and want[part] != got[part]:
                wrong.append(f"{options}: {part}: docker {want[part]!r}, kiln {got[part]!r}")
        k.kiln("rm", f"d{i}", f"k{i}")
    if wrong:
        raise Failed("\n".join(wrong))


def newest_docker():
    """The client whose conventions kiln follows: 28 where it is, else what there is."""
    def version(cli):
        out = subprocess.run([cli, "--version"], capture_output=True, text=True).stdout
        return [int(n) for n in re.search(r"version (\d+)\.(\d+)", out).groups()]
    return max(harness.CLIS, key=version)


def test_kiln_create_asks_what_docker_asks(k):
    compare_creates(k, CREATES, newest_docker())


# ---- the same command line to both ------------------------------------------------------------------

def plain(text):
    """Without what differs by nature: the program's name, names that the daemon makes up, IDs of what was just made."""
    text = re.sub(r"\bdocker\b", "kiln", text)
    text = re.sub(r"^See 'kiln", "Run 'kiln", text, flags=re.M)
    text = re.sub(r"container '[a-z]+_[a-z]+'", "container NAME", text)
    return re.sub(r"\b(sha256:)?[0-9a-f]{64}\b", "ID", text)


class Both:
    """Runs docker and kiln with the same arguments and collects what differs. "@" in an argument is a twin: each has its own."""

    def __init__(self, k):
        self.k, self.cli, self.wrong = k, newest_docker(), []
        self.env = dict(os.environ, DOCKER_HOST="unix://" + k.socket, KILN_HOST="unix://" + k.socket, HOME=k.dir, TZ="UTC")

    def one(self, program, args, twin, input):
        p = subprocess.run([program, *(a.replace("@", twin) for a in args)], capture_output=True, text=True, env=self.env, timeout=60,
                           input=input, stdin=subprocess.DEVNULL if input is None else None)
        return p.returncode, plain(p.stdout).replace(twin, "@"), plain(p.stderr).replace(twin, "@")

    def same(self, *args, input=None, shows=lambda out: out):
        """The same exit status, output and errors."""
        for _ in range(3):    # a second may pass between the two
            docker, kiln = self.one(self.cli, args, "twin-d", input), self.one(harness.BUILD + "/kiln", args, "twin-k", input)
            is_same = (docker[0], shows(docker[1]), docker[2]) == (kiln[0], shows(kiln[1]), kiln[2])
            if is_same or any("@" in a for a in args):
                break
        if not is_same:
            self.wrong.append(f"{args}:\n  docker {docker}\n  kiln   {kiln}")
        return self

    def own(self, words, *args, status=1):
        """Where docker fails, too, with this status, kiln has better words than a Go library's."""
        kiln = self.one(harness.BUILD + "/kiln", args, "twin-k", None)
        if kiln[0] != status or words not in kiln[2]:
            self.wrong.append(f"{args}:\n  expected {status} and {words!r}\n  kiln   {kiln}")
        return self

    def done(self):
        if self.wrong:
            raise Failed("\n".join(self.wrong))


def json_lines(out):
    return [json.loads(line) for line in out.splitlines()]


def without_platform(out):
    """docker 28.2 has a field more, which is always null."""
    return [{key: v for key, v in row.items() if key != "Platform"} for row in json_lines(out)]


def set_the_stage(k):
    """Containers in all states, and images with several names."""
    k.busybox()
    k.run("-d", "--name", "web", "-l", "app=web", "-l", "tier=front", "-l", "dotted.key=x y", "-v", "/tmp:/data:ro",
          "--mount", "type=tmpfs,dst=/scratch", "--expose", "80", "--expose", "53/udp", "--health-cmd", "true", "--health-interval", "600s",
          "--health-start-period", "60s", "--health-start-interval", "100ms", "--", "sh", "-c", "echo hello; echo err >&2; exec sleep 1000")
    k.run("-d", "--name", "idle", "-l", "app=idle", "--", "sleep", "100000000000")
    k.docker("create", "--name", "made", *NET, "busybox", "cat", "/etc/passwd")
    k.run("--name", "gone", "-e", "X=1", "--", "sh", "-c", "echo a long command line with \"quotes\" and\\ttabs and \u00fc\u00f1; exit 3", check=False)
    k.run("-d", "--name", "tty", "-t", "--", "sh", "-c", "echo hi; exec sleep 1000")
    harness.eventually("healthy", lambda: k.state("web")["Health"]["Status"] == "healthy")


FIELDS = "{{.ID}} {{.Image}} {{.Command}} {{.CreatedAt}} {{.RunningFor}} {{.Ports}} {{.State}} {{.Status}} {{.Size}} {{.Names}} {{.Labels}} {{.Mounts}} {{.LocalVolumes}} {{.Networks}}"


def test_kiln_ps_is_docker_ps(k):
    set_the_stage(k)
    b = Both(k)
    for args in ([], ["-a"], ["-q"], ["-aq"], ["-a", "--no-trunc"], ["-aq", "--no-trunc"], ["-n", "2"], ["-l"], ["-lq"], ["--last=3", "-q"],
                 ["-a", "--format", "table"], ["-a", "--format", ""], ["-a", "--format", "table {{.ID}}\\t{{.Names}}\\t{{.Status}}"],
                 ["-a", "--format", FIELDS], ["-a", "--format", '{{.Label "app"}}|{{.Label "nosuch"}}'],
                 ["-a", "--format", "{{json .Names}} {{upper .Names}} {{lower .Image}} {{len .Names}} {{.Names | title}}"],
                 ["-a", "--format", '{{if eq .State "running"}}{{.Names}}{{else}}-{{end}}'],
                 ["-a", "--format", '{{range $i, $l := split .Labels ","}}{{if $i}};{{end}}{{$l}}{{end}}'],
                 ["-a", "--format", '{{printf "%-10s|%5s" .Names .State}} {{truncate .Command 5}}{{pad .State 1 2}}|'],
                 ["-a", "--format", "{{- .Names -}}  x"], ["-a", "--format", "table {{upper .ID}}\\t{{json .Names}}"],
                 ["-q", "--format", "{{.Names}}"], ["-q", "--format", "table"], ["-f", "status=exited"], ["-a", "-f", "status=running", "-q"],
                 ["-a", "-f", "name=we"], ["-a", "-f", "label=app"], ["-aq", "-f", "label=app=web", "-f", "label=tier=front"],
                 ["-a", "-f", "ancestor=busybox", "-q"], ["-a", "-f", "exited=3", "-q"], ["-aq", "-f", "health=healthy"],
                 ["-a", "-f", "nosuch=1"], ["-a", "-f", "status=nosuch"], ["-aq", "-f", "before=gone"], ["-aq", "-f", "since=idle"],
                 ["-aq", "-f", "network=none"], ["-a", "-f", "name"], ["extra"], ["--nosuch"], ["-z"], ["-n"], ["-a", "-f", "volume=/data"]):
        b.same("ps", *args)
    for args in (["ls"], ["list", "-aq"], ["ps", "-q"]):
        b.same("container", *args)
    b.same("ps", "-a", "--format", "json", shows=without_platform)
    b.own('invalid argument "x" for "-n, --last" flag: expected a whole number', "ps", "-n", "x", status=125)
    b.own('invalid argument "maybe" for "-a, --all" flag', "ps", "--all=maybe", status=125)
    b.own("there is no field '.Nosuch'; there are .ID .Image", "ps", "-a", "--format", "{{.Nosuch}}")
    b.own("unclosed action", "ps", "-a", "--format", "{{.ID")
    b.same("ps", "-as").same("ps", "--size")
    b.done()


def test_kiln_inspect_is_docker_inspect(k):
    set_the_stage(k)
    b = Both(k)
    for args in (["web"], ["web", "gone"], ["web", "busybox"], ["busybox"], ["--format", "json", "web", "tty"], ["-s", "web"],
                 ["-f", "{{.State.Status}} {{.Name}} {{.ID}} {{.HostConfig.NanoCPUs}}", "web"], ["--type", "container", "busybox"],
                 ["--type", "image", "web"], ["--type", "image", "busybox"], ["-f", "{{json .State}}", "gone", "web"],
                 ["-f", '{{index .Config.Labels "dotted.key"}}|{{index .Config.Labels "no"}}', "web"], ["-f", "{{.Config.Labels}}", "web"],
                 ["-f", "{{range .Mounts}}{{.Type}}:{{.Destination}} {{end}}", "web"], ["-f", "{{len .Mounts}} {{len .Config.Cmd}}", "web"],
                 ["-f", "{{range $k, $v := .NetworkSettings.Networks}}{{$k}}{{end}}", "web"], ["-f", '{{join .Config.Cmd " "}}', "web"],
                 ["-f", "{{if .State.Running}}up{{else}}down {{.State.ExitCode}}{{end}}", "web", "gone"], ["-f", "{{.State.Running}}\\t{{println .Name}}", "web"],
                 ["-f", '{{with .State.Health}}{{.Status}}{{else}}none{{end}}', "web"], ["-f", "{{(index .Mounts 0).Destination}}", "web"],
                 ["-f", '{{range .Config.Env}}{{if eq (index (split . "=") 0) "PATH"}}{{.}}{{end}}{{end}}', "web"],
                 ["-f", "{{.HostConfig.Memory}} {{.HostConfig.NetworkMode}} {{gt .State.Pid 1}} {{and .Path .Name}}", "web"], []):
        b.same("inspect", *args)
    b.same("container", "inspect", "web").same("container", "inspect", "nosuch").same("container", "inspect", "web", "nosuch")
    b.same("image", "inspect", "busybox").same("image", "inspect", "nosuch").same("image", "inspect", "busybox", "nosuch")
    b.same("image", "inspect", "-f", "{{.Id}} {{json .Config.Cmd}} {{.Os}}/{{.Architecture}} {{.RepoTags}}", "busybox").same("image", "inspect")
    b.own("there is no field '.Nosuch'", "inspect", "-f", "{{.Nosuch}}", "web")
    b.own("there is no '.Nosuch'", "inspect", "-f", "{{.State.Nosuch}}", "web")
    b.own("error: no such object: nosuch", "inspect", "nosuch")
    b.done()


def test_kiln_image_verbs_are_dockers(k):
    k.busybox()
    k.docker("tag", "busybox", "reg.example.com:5000/team/busybox:1.0")
    k.load(harness.busybox_archive("other:1", config={"Cmd": ["sh"], "Labels": {"x": "y"}, "Env": []}))
    k.docker("tag", "other:1", "moved:1")
    b = Both(k)
    def in_order(out):    # of the same age: docker's order is none
        return sorted(out.splitlines())
    for args in ([], ["-a"], ["-q"], ["--no-trunc"], ["--digests"], ["-q", "--no-trunc"], ["busybox"], ["bus*"], ["nosuch"], ["other:1"],
                 ["--format", "{{.ID}} {{.Repository}} {{.Tag}} {{.Digest}} {{.CreatedSince}} {{.CreatedAt}} {{.Size}} {{.Containers}} {{.VirtualSize}} "
                              "{{.SharedSize}} {{.UniqueSize}}"], ["--format", "table {{.ID}}\\t{{.Size}}"], ["-q", "--format", "{{.Tag}}"], ["-q", "--format", "table"],
                 ["-f", "dangling=true"], ["-f", "dangling=maybe"], ["-f", "reference=busy*:lat*"], ["-f", "label=x=y"], ["-f", "nosuch=1"], ["-f", "x"],
                 ["UPPER"]):
        b.same("images", *args, shows=in_order)
    b.same("images", "--format", "json", shows=lambda out: sorted(json_lines(out), key=str))
    b.same("image", "ls", "-q", shows=in_order).same("image", "list", "-q", shows=in_order)
    for args in (["busybox"], ["--no-trunc", "busybox"], ["-q", "busybox"], ["-H=false", "busybox"], ["--human=false", "--no-trunc", "busybox"], [],
                 ["--format", "{{.ID}} {{.CreatedSince}} {{.CreatedAt}} {{.CreatedBy}} {{.Size}} {{.Comment}}", "busybox"], ["nosuch"],
                 ["-q", "--no-trunc", "busybox"], ["-q", "--format", "{{.Size}}", "busybox"]):
        b.same("history", *args)
    b.same("history", "--format", "json", "busybox", shows=json_lines)
    with tempfile.TemporaryDirectory() as d:
        b.same("save", "-o", d + "/@.tar", "busybox", "other:1")
        with open(d + "/twin-d.tar", "rb") as docker, open(d + "/twin-k.tar", "rb") as kiln:
            eq(docker.read() == kiln.read(), True, "the archives of save")
        eq(os.stat(d + "/twin-k.tar").st_mode & 0o777, 0o600)
        b.same("load", "-i", d + "/@.tar").same("load", "-q", "-i", d + "/@.tar").same("image", "load", "--input", d + "/twin-d.tar")
        b.same("import", "-m", "why", "-c", "CMD [\"x\"]", "-c", "ENV A=1", d + "/@.tar", "imported:@").same("history", "--format", "{{.CreatedBy}} {{.Size}} {{.Comment}}", "imported:@")
        b.same("image", "inspect", "-f", "{{json .Config.Cmd}} {{json .Config.Env}} {{.Comment}}", "imported:@")
        b.own("NOSUCH", "import", "-c", "NOSUCH x", d + "/twin-d.tar")
        b.own("is a directory", "save", "-o", d, "busybox").own("no such file or directory", "save", "-o", d + "/no/x", "busybox")
        eq(sorted(os.listdir(d)), ["twin-d.tar", "twin-k.tar"], "nothing is left of what failed")
    b.same("load", "-i", "/nonexistent").same("load", "-i", "/etc/passwd").same("load", input="x").same("load", input="")
    b.same("import", "/nonexistent").same("import", "/etc/passwd").same("import", "-", input="x")
    b.same("tag", "busybox").same("tag", "nosuch", "x").same("tag", "busybox", "new:@").same("rmi", "new:@", "nosuch").same("rmi", "-f", "nosuch")
    b.own("invalid reference format", "tag", "busybox", "x:y:z").own("must be lowercase", "tag", "busybox", "BAD")
    b.same("rmi", "nosuch").same("rmi").same("image", "rm", "nosuch:x", "nosuch:y").same("image", "remove", "nosuch").same("save")
    k.run("-d", "--name", "user", "--", "sleep", "1000")
    used = k.api_json("GET", "/images/busybox/json")["Id"]
    b.same("rmi", used[7:19]).same("rmi", "-f", used).same("tag", "busybox", "busy:@").same("rmi", "no", "busy:@")
    b.done()


def test_kiln_container_verbs_are_dockers(k):
    set_the_stage(k)
    for twin in ("twin-d", "twin-k"):
        k.run("-d", "--name", twin, "--", "sh", "-c", "trap 'exit 9' TERM USR1; echo up; while :; do sleep 0.05; done")
    b = Both(k)
    for line in ("logs web", "logs nosuch", "logs -t gone", "logs --tail 1 web", "logs -n 0 web", "logs --tail all web", "logs --tail x web", "logs tty",
                 "logs --since 1h web", "logs --since 2020-01-01 web", "logs --until 1h web", "logs --details web", "logs", "logs a b", "logs -f gone",
                 "container logs web", "port web", "port web 80", "port web 80/tcp", "port nosuch", "port",
                 "kill nosuch", "kill gone", "kill -s NOSUCH web", "kill -s WINCH web", "kill --signal 28 web nosuch", "kill",
                 "stop nosuch", "stop gone", "stop -s NOSUCH web", "restart nosuch", "start nosuch", "start web", "start nosuch web nosuch2",
                 "start -a nosuch", "start -a web idle", "start -ai web idle", "wait gone", "wait gone nosuch", "wait nosuch", "wait",
                 "rm nosuch", "rm web", "rm -f nosuch", "rm -v nosuch", "rm", "attach nosuch", "attach gone", "attach made", "attach", "attach a b",
                 "exec web echo hi", "exec nosuch true", "exec gone true", "exec web", "exec", "exec web nosuch", "exec web /etc/passwd",
                 "exec -e A=1 -w /tmp -u user web env", "exec -u nosuch web true", "exec -w /nosuch web true", "exec -t web echo hi",
                 "exec -d web true", "exec --privileged web true", "exec -it web true", "exec --env-file /nonexistent web true", "exec -e =x web true",
                 # what the daemon refuses is refused by its words
                 "top web", "top", "pause web", "pause nosuch", "unpause web", "rename web web", "rename web", "stats --no-stream web",
                 "update", "update web", "update -m 64m web", "update -m x web", "update --restart always idle", "system df", "container prune -f",
                 "container stop -t 1 nosuch", "container rm nosuch", "container start nosuch", "container kill nosuch", "container wait nosuch"):
        b.same(*line.split())
    b.same("exec", "web", "sh", "-c", "echo o; echo e >&2; exit 5").same("exec", "-i", "web", "cat", input="a\nb")
    b.own('invalid value for "since": failed to parse value as time or duration: "bogus"', "logs", "--since", "bogus", "web")
    b.own('invalid argument "x" for "-t, --timeout" flag', "stop", "-t", "x", "web", status=125)
    b.own("No public port 'x' published for web", "port", "web", "x")
    b.own("invalid detach keys", "attach", "--detach-keys", "x,y,", "web")
    b.own('invalid argument "x" for "--cpus" flag: failed to parse x as a rational number', "update", "--cpus", "x", "web", status=125)
    for line in ("kill -s USR1 @", "wait @", "start @", "restart -t 5 @", "stop @", "start -a nosuch", "rm @", "rm @"):
        b.same(*line.split())
    b.done()


def test_kiln_run_is_docker_run(k):
    k.busybox()
    b = Both(k)
    for args in (["busybox", "sh", "-c", "echo o; echo e >&2; exit 42"], ["busybox", "sh", "-c", "kill -9 $$"], ["busybox", "nosuch"],
                 ["busybox", "/etc/passwd"], ["-w", "/etc/passwd", "busybox", "true"], ["-u", "nosuch", "busybox", "true"], ["-it", "busybox", "true"],
                 ["-t", "busybox", "echo", "x"], ["-a", "stderr", "busybox", "sh", "-c", "echo o; echo e >&2"], ["-d", "busybox", "true"],
                 ["-d", "busybox", "nosuch"], ["-d", "-a", "stdin", "busybox"], ["--restart", "always", "busybox"], ["--nosuch", "busybox"],
                 ["-m", "1", "busybox"], ["--name", "bad name", "busybox"], []):
        b.same("run", "--rm", *NET, *args)
    b.same("run", "--rm", "-i", *NET, "busybox", "cat", input="a\nb\n").same("run", "--rm", *NET, "-a", "stdin", "-i", "busybox", "cat", input="x")
    b.same("container", "run", "--rm", *NET, "busybox", "true")
    b.own("No such image: nosuch:latest; Kiln pulls no images", "run", "nosuch", status=125)
    harness.eventually("all are gone", lambda: not k.containers())
    b.done()


def test_kiln_create_tells_what_docker_tells(k):
    k.busybox()
    b = Both(k)
    for options in (["--name", "bad name"], ["-m", "x"], ["-e", "=x"], ["-l", "=x"], ["--restart", "bogus"], ["-a", "bogus"], ["--cidfile", "/etc/passwd"],
                    ["--env-file", "/nonexistent"], ["--label-file", "/nonexistent"], ["--no-healthcheck", "--health-cmd", "x"], ["--stop-signal", "NOSUCH"],
                    ["--platform", "linux/arm64"], ["--tmpfs", "relative"], ["--cap-add", "NOSUCH"], ["--network", "nosuch"], ["--log-driver", "syslog"],
                    ["--runtime", "nosuch"], ["-w", "rel"], ["--cpus", "1000"], ["--blkio-weight", "5"], ["--rm", "--restart", "always"],
                    ["-v", "/nonexistent:relative"]):
        b.same("create", *options, "busybox")
    for options, words in ((["--ulimit", "bogus"], "invalid ulimit argument: bogus"), (["--mount", "bogus"], "must be a key=value pair"),
                           (["--mount", "type=bind,src=/tmp"], "target is required"), (["--device-read-bps", "bogus"], "bad format: bogus"),
                           (["--health-interval", "1"], 'invalid argument "1" for "--health-interval" flag'), (["--device", "bogus"], "bogus is not an absolute path"),
                           (["--security-opt", "seccomp=/nonexistent"], "opening seccomp profile (/nonexistent) failed"),
                           (["--pull", "bogus"], 'must be one of "always", "missing" or "never"'), (["--expose", "bogus"], "invalid range format for --expose: bogus")):
        b.own(words, "create", *options, "busybox", status=125)
    b.same("create").same("container", "create")
    eq(k.containers(), [])
    b.done()


def test_kiln_system_verbs_are_dockers(k):
    k.run("--name", "seen", "-l", "a=b", "--", "true")
    b = Both(k)
    span = ["--since", k.inspect("seen")["Created"], "--until", k.api_json("GET", "/info")["SystemTime"]]
    for args in ([], ["--format", "{{.Type}} {{.Action}} {{.Actor.ID}} {{.TimeNano}}"], ["-f", "event=start"], ["-f", "container=seen", "-f", "type=container"],
                 ["-f", "nosuch=1"], ["-f", "x"], ["extra"]):
        b.same("events", *span, *args)
    b.same("events", *span, "--format", "json", shows=json_lines).same("system", "events", *span)
    b.own('failed to parse value as time or duration: "bogus"', "events", "--since", "bogus")
    for args in (["info", "-f", "{{.ServerVersion}} {{.ID}} {{json .SecurityOptions}} {{.NCPU}}"], ["system", "info", "-f", "{{.DriverStatus}}"],
                 ["version", "-f", "{{.Server.Version}} {{.Server.APIVersion}} {{.Server.Os}}"], ["version", "extra"], ["info", "extra"],
                 ["container", "prune"], ["image", "prune"], ["image", "prune", "-a"], ["image", "prune", "-f"], ["system", "prune", "-f"],
                 ["image", "prune", "-f", "--filter", "x"]):
        b.same(*args)
    b.same("container", "prune", input="n\n").same("container", "prune", input="y\n").same("image", "prune", "-a", input="yes\n")
    b.own("there is no field '.Nosuch'", "info", "-f", "{{.Nosuch}}")
    b.own("kiln: unknown command: kiln container nosuch", "container", "nosuch").same("nosuch")
    b.done()


# ---- every verb and every flag ----------------------------------------------------------------------

def commands_in(text):
    """The names below "Commands:" and "Management Commands:" of a help."""
    found, is_in = [], False
    for line in text.splitlines():
        is_in = line.endswith("Commands:") or (is_in and line.startswith("  "))
        match = re.match(r"  ([a-z]+)\*? ", line)
        if is_in and match:
            found.append(match.group(1))
    return found


def flags_in(text):
    """(letter or None, name, takes a value) of each option of a help."""
    # docker says bool flags without a type; kiln has a word in upper case for each value
    return [(m[1], m[2], bool(m[3]) and (m[3].isupper() or bool(re.match("(string|list|int|uint|bytes|decimal|duration|filter|map|mount|network|"
             "gpu-request|ulimit)", m[3])) or m[3][0].isupper())) for m in re.finditer(r"^  (?:-(\w), |    )--([a-z0-9-]+)(?: (\S+))?", text, re.M)]


def test_kiln_has_every_verb_and_flag_of_docker():
    """Or refuses it by its name. The groups' verbs are the top's: only those that are in a group alone are looked at there."""
    cli, seen, wrong = newest_docker(), set(), []

    def run(program, *args):
        return subprocess.run([program, *args], capture_output=True, text=True, stdin=subprocess.DEVNULL, env={"KILN_HOST": "unix:///nonexistent"})

    def flags(path, docker, kiln):
        have = flags_in(kiln)
        for letter, name, takes in flags_in(docker):
            if (letter, name, takes) in have or name == "help":
                continue
            for spelled in [f"--{name}"] + ([f"-{letter}"] if letter else []):
                told = run(harness.BUILD + "/kiln", *path, spelled + ("=1" if takes else "")).stderr
                if "unknown" in told or (f"--{name}" in kiln and "is refused" not in told):
                    wrong.append(f"{' '.join(path)} {spelled}: {told[:100]}")

    def walk(path):
        kiln = run(harness.BUILD + "/kiln", *path, "--help")
        if kiln.returncode:
            if f"'{' '.join(path)}' is refused: " not in kiln.stderr:
                wrong.append(f"{' '.join(path)}: {kiln.stderr[:100]}")
            return
        docker = run(cli, *path, "--help").stdout
        if commands_in(docker):
            for name in commands_in(docker):
                if len(path) == 0 or name not in seen:
                    walk([*path, name])
                elif not path or name not in commands_in(kiln.stdout):
                    walk([*path, name])
            if path:
                return
        seen.update(path[:1])
        flags(path, docker, kiln.stdout)
    walk([])
    if wrong:
        raise Failed("\n".join(wrong))
    eq(len(seen) > 25, True, f"verbs that were looked at: {seen}")


# ---- what this daemon refuses, as another would answer it -------------------------------------------

CID = "4f1bdcd4a8b2f9c1e0d3a5b7c9e1f3a5b7d9e1f3a5b7c9d1e3f5a7b9c1d3e5f7"
STATS = {"name": "/web", "id": CID, "read": "2026-11-29T08:00:01Z", "preread": "2026-11-29T08:00:00Z", "num_procs": 0,
         "pids_stats": {"current": 7, "limit": 100},
         "cpu_stats": {"cpu_usage": {"total_usage": 5_350_000_000, "usage_in_kernelmode": 1, "usage_in_usermode": 2}, "system_cpu_usage": 9_020_000_000_000, "online_cpus": 2,
                       "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0}},
         "precpu_stats": {"cpu_usage": {"total_usage": 5_100_000_000}, "system_cpu_usage": 9_018_000_000_000, "online_cpus": 2},
         "networks": {"eth0": {"rx_bytes": 12_345_678, "tx_bytes": 900}, "eth1": {"rx_bytes": 1, "tx_bytes": 100}}, "storage_stats": {},
         "blkio_stats": {"io_service_bytes_recursive": [{"major": 8, "minor": 0, "op": "Read", "value": 4096}, {"major": 8, "minor": 0, "op": "Write", "value": 8192000},
                                                        {"major": 8, "minor": 16, "op": "read", "value": 4096}]}}
SUMMARY = {"Id": CID, "Names": ["/web"], "Image": "nginx", "ImageID": "sha256:" + CID, "Command": "nginx -g", "Created": 1_700_000_000, "State": "running", "Status": "Up 2 hours",
           "Ports": [{"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"}, {"IP": "::", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
                     {"PrivatePort": 443, "Type": "tcp"}],
           "Labels": {"a": "b"}, "SizeRw": 12_345, "SizeRootFs": 67_890_123, "HostConfig": {"NetworkMode": "bridge"}, "NetworkSettings": {"Networks": {"bridge": {}}},
           "Mounts": [{"Type": "volume", "Name": "data-with-a-very-long-name", "Source": "", "Destination": "/data"}]}
IMAGE = {"Id": "sha256:" + CID, "ParentId": "", "RepoTags": ["nginx:1"], "RepoDigests": ["nginx@sha256:" + CID], "Created": 1_700_000_000, "Size": 200_000_000,
         "SharedSize": 50_000_000, "Containers": 1, "Labels": None}
ANSWERS = {
    "/stats": {**STATS, "memory_stats": {"usage": 300_000_000, "limit": 1_073_741_824, "stats": {"total_inactive_file": 100_000_000}}},
    "/top": {"Titles": ["UID", "PID", "CMD"], "Processes": [["root", "1234", "nginx: master process"], ["33", "1240", "nginx: worker"]]},
    "/system/df": {"LayersSize": 250_000_000, "Images": [IMAGE, {**IMAGE, "Id": "sha256:" + CID[::-1], "Containers": 0}],
                   "Containers": [SUMMARY, {**SUMMARY, "State": "exited", "SizeRw": 5_000_000}], "Volumes": [], "BuildCache": []},
    "/containers/prune": {"ContainersDeleted": [CID, CID[::-1]], "SpaceReclaimed": 5_012_345},
    "/images/prune": {"ImagesDeleted": [{"Untagged": "a:1"}, {"Deleted": "sha256:" + CID}], "SpaceReclaimed": 123},
    "/update": {"Warnings": ["You specified a memory limit without swap."]},
    "/containers/json": [SUMMARY],
    "/containers/web/json": {"Id": CID, "Name": "/web", "State": {"Running": True}, "Config": {"Tty": False}, "HostConfig": {},
                             "NetworkSettings": {"Ports": {"443/tcp": None, "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}, {"HostIp": "::", "HostPort": "8080"}]}}},
    "/images/json": [IMAGE],
    "/pause": None, "/unpause": None, "/rename": None,
}


def as_dockerd(answers):
    def answer(method, path):
        path = re.sub(r"^/v[0-9.]+", "", path.split("?")[0])
        head = b"Api-Version: 1.50\r\nOstype: linux\r\nDocker-Experimental: false\r\n"
        if path == "/_ping":
            return b"HTTP/1.1 200 OK\r\n" + head + b"Content-Length: 2\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n" + (b"OK" if method == "GET" else b"")
        for end, body in answers.items():
            if path.endswith(end):
                body = b"" if body is None else json.dumps(body).encode()
                return b"HTTP/1.1 %s\r\n%sContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (b"200 OK" if body else b"204 No Content", head, len(body), body)
        return b"HTTP/1.1 404 Not Found\r\n%sContent-Type: application/json\r\nConnection: close\r\nContent-Length: 23\r\n\r\n{\"message\":\"not there\"}\n"[:-1] % head
    return answer


def test_kiln_reads_other_daemons_as_docker_does():
    """Verbs that kilnd refuses today, with the answers of the API as dockerd gives them: the same output of both clients."""
    daemon = FakeDaemon(as_dockerd(ANSWERS))
    v2 = FakeDaemon(as_dockerd({**ANSWERS, "/stats": {**STATS, "memory_stats": {"usage": 300_000_000, "limit": 1_073_741_824, "stats": {"inactive_file": 1}}}}))

    class Place:
        socket, dir = daemon.path, daemon.dir
    try:
        b = Both(Place)
        for args in (["stats", "--no-stream", "web"], ["stats", "--no-stream", "--no-trunc", "web"], ["stats", "--no-stream", "web", "nosuch"],
                     ["stats", "--no-stream", "--format", "{{.Container}} {{.ID}} {{.Name}} {{.CPUPerc}} {{.MemUsage}} {{.MemPerc}} {{.NetIO}} {{.BlockIO}} {{.PIDs}}", "web"],
                     ["top", "web"], ["top", "web", "-o", "pid"], ["system", "df"], ["system", "df", "--format", "{{.Type}} {{.TotalCount}} {{.Active}} {{.Size}} {{.Reclaimable}}"],
                     ["container", "prune", "-f"], ["image", "prune", "-f"], ["update", "-m", "64m", "web"], ["rename", "web", "other"],
                     ["pause", "web", "web"], ["unpause", "web"], ["ps"], ["ps", "-s"], ["ps", "--no-trunc", "--format", "{{.Size}} {{.Ports}} {{.Mounts}} {{.LocalVolumes}}"],
                     ["ps", "--format", "{{.Ports}}|{{.Mounts}}"], ["port", "web"], ["port", "web", "80"], ["port", "web", "443"], ["images", "--digests"], ["images"],
                     ["images", "--format", "{{.Digest}} {{.SharedSize}} {{.UniqueSize}} {{.Containers}}"], ["rename", "nosuch", "x"]):
            # df: docker has two lines more, of what Kiln has not
            b.same(*args, shows=lambda out: [re.sub(" +", " ", line) for line in out.splitlines() if not line.startswith(("Local Volumes", "Build Cache"))])
        b.done()
        Place.socket = v2.path
        Both(Place).same("stats", "--no-stream", "web").done()
    finally:
        daemon.close()
        v2.close()
