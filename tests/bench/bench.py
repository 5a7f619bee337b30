# SPDX-License-Identifier: Apache-2.0
"""`make bench`: Kiln beside the bare kernel and the peers that are installed, on one root file system, in one run.

Every round does each subject once, so that what the machine does besides hits all alike; the first rounds warm up and
do not count. SUITE=start|exec|api|memory picks parts, ROUNDS=n and CONTAINERS=n set sizes, BENCH_WRITE=1 writes
docs/bench.md. Raw figures go to build/bench/SUITE.json. Root, no network.
"""
import contextlib
import http.client
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests/e2e"))
import harness  # noqa: E402

OUT = os.path.join(ROOT, "build/bench")
FLOOR = os.path.join(harness.BUILD, "floor")
ROUNDS = int(os.environ.get("ROUNDS") or 40)
CONTAINERS = int(os.environ.get("CONTAINERS") or 30)
WARM_UP = 3
SLEEP = ["/bin/busybox", "sleep", "1000"]
TRUE = ["/bin/busybox", "true"]


def which(name):
    return shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin")


# ---- figures ------------------------------------------------------------------------------------

def summary(samples):
    s = sorted(samples)
    at = lambda q: s[min(len(s) - 1, int(q * len(s)))]  # noqa: E731
    return {"n": len(s), "min": s[0], "p50": at(0.5), "p99": at(0.99), "max": s[-1]}


def interleave(subjects, rounds=ROUNDS):
    """subjects: {name: function that returns milliseconds, or a dict of them}. Returns {name: [ms]}."""
    got = {}
    for i in range(rounds + WARM_UP):
        for name, fn in subjects.items():
            value = fn()
            for key, ms in (value.items() if isinstance(value, dict) else [(name, value)]):
                if i >= WARM_UP:
                    got.setdefault(key, []).append(ms)
    return got


def first_line(*argv):
    try:
        p = subprocess.run(argv, capture_output=True, text=True, timeout=20)
        return (p.stdout or p.stderr).strip().splitlines()[0]
    except (OSError, IndexError, subprocess.TimeoutExpired):
        return None


def machine():
    cpu, memory = "", 0
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                cpu = line.split(":", 1)[1].strip()
    with open("/proc/meminfo") as f:
        memory = int(f.readline().split()[1]) // 1024
    base = "/sys/fs/cgroup"
    layout = "v2" if os.path.exists(base + "/cgroup.controllers") else \
        "hybrid" if os.path.isdir(base + "/unified") else "v1"
    versions = {"kiln": first_line(harness.BUILD + "/kilnd", "--version")}
    for name in ("crun", "runc", "dockerd"):
        if which(name):
            versions[name] = first_line(which(name), "--version")
    return {"cpu": cpu, "cpus": os.cpu_count(), "memory MiB": memory, "kernel": platform.release(), "cgroups": layout,
            "file system": first_line("findmnt", "-nro", "FSTYPE", "-T", tempfile.gettempdir()),
            "load before": os.getloadavg()[0], "versions": versions}


# ---- who is measured ------------------------------------------------------------------------------

class Http:
    """Keep-alive over a unix socket, as little client as Python has."""
    def __init__(self, path):
        self.conn = http.client.HTTPConnection("bench", timeout=60)
        self.conn.sock = socket.socket(socket.AF_UNIX)
        self.conn.sock.connect(path)

    def __call__(self, method, path, body=None, want=(200, 201, 204)):
        data = json.dumps(body).encode() if body is not None else None
        self.conn.request(method, path, data, {"Content-Type": "application/json"} if body is not None else {})
        r = self.conn.getresponse()
        data = r.read()
        if r.status not in want:
            raise SystemExit(f"{method} {path}: {r.status} {data[:300]!r}")
        return json.loads(data) if data[:1] in (b"{", b"[") else data

    def raw(self, text):
        """One request, one answer that comes in one piece: for what is too quick for http.client."""
        self.conn.sock.sendall(text)
        return self.conn.sock.recv(65536)


class Engine:
    """What the measures need of an engine with Docker's API."""
    def __init__(self, name, path):
        self.name, self.socket, self.api = name, path, Http(path)

    def create(self, cmd=SLEEP, **host):
        return self.api("POST", "/containers/create", {
            "Image": "busybox", "Cmd": cmd, "HostConfig": {"NetworkMode": "none", **host}})["Id"]

    def start_once(self):
        t0 = time.perf_counter_ns()
        cid = self.create()
        t1 = time.perf_counter_ns()
        self.api("POST", f"/containers/{cid}/start")
        t2 = time.perf_counter_ns()
        self.api("DELETE", f"/containers/{cid}?force=1")
        return {f"{self.name}: create": (t1 - t0) / 1e6, f"{self.name}: start": (t2 - t1) / 1e6,
                f"{self.name}: create + start": (t2 - t0) / 1e6}

    def exec_once(self, cid):
        """Create, start until the end of the stream, exit code."""
        t0 = time.perf_counter_ns()
        eid = self.api("POST", f"/containers/{cid}/exec", {"Cmd": TRUE, "AttachStdout": True, "AttachStderr": True})["Id"]
        body = b'{"Detach":false,"Tty":false}'
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.socket)
            s.sendall(b"POST /exec/%s/start HTTP/1.1\r\nHost: b\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
                      b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (eid.encode(), len(body), body))
            while s.recv(4096):
                pass
        if self.api("GET", f"/exec/{eid}/json")["ExitCode"] != 0:
            raise SystemExit(f"{self.name}: exec failed")
        return (time.perf_counter_ns() - t0) / 1e6


class Lines:
    """A process that answers a line for a line."""
    def __init__(self, argv, **more):
        self.proc = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **more)

    def __call__(self, line="go"):
        self.proc.stdin.write(line + "\n")
        self.proc.stdin.flush()
        return int(self.proc.stdout.readline()) / 1e6

    def close(self):
        self.proc.stdin.close()
        try:
            self.proc.wait(20)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()


def worker():
    """In the mount namespace of the peers: runs the JSON list of each line, answers its nanoseconds."""
    null = os.open("/dev/null", os.O_RDWR)
    if "--hide-unified" in sys.argv and os.path.isdir("/sys/fs/cgroup/unified"):     # crun refuses a hybrid layout
        subprocess.run(["mount", "-t", "tmpfs", "none", "/sys/fs/cgroup/unified"], check=True)
    for line in sys.stdin:
        argv = json.loads(line)
        t0 = time.perf_counter_ns()
        pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, null, 1)])
        status = os.waitpid(pid, 0)[1]
        took = time.perf_counter_ns() - t0
        if status != 0:
            print(f"{argv}: status {status}", file=sys.stderr)
        print(took if status == 0 else -1, flush=True)


class Bench:
    def __init__(self, stack):
        self.stack = stack
        self.dir = tempfile.mkdtemp(prefix="kiln-bench-")
        stack.callback(shutil.rmtree, self.dir, ignore_errors=True)
        self.parent = f"/kiln/bench-{os.getpid()}"
        stack.callback(self.remove_groups)
        self.kilnd = harness.Kiln(extra_args=["--log-level", "warn"])
        stack.callback(self.kilnd.close)
        self.kilnd.start()
        self.archive = harness.busybox_archive()
        self.kiln = self.engine("kiln", self.kilnd.socket)
        self.kiln.start_once()      # the filter is in the cache from here on
        self._docker = None

    def engine(self, name, path):
        conn = http.client.HTTPConnection("bench", timeout=60)
        conn.sock = socket.socket(socket.AF_UNIX)
        conn.sock.connect(path)
        conn.request("POST", "/images/load", self.archive, {"Content-Type": "application/x-tar"})
        r = conn.getresponse()
        text = r.read()
        if r.status != 200 or b"errorDetail" in text:
            raise SystemExit(f"{name}: load: {r.status} {text!r}")
        conn.close()
        return Engine(name, path)

    def docker(self):
        """dockerd in namespaces of its own, with roots of its own; None when it is not installed or does not start."""
        if self._docker is not None or not which("dockerd") or os.environ.get("PEERS") == "none":
            return self._docker
        root = self.dir + "/docker"
        os.makedirs(root)
        sock = root + "/d.sock"
        log = open(root + "/log", "wb")
        proc = subprocess.Popen(
            ["unshare", "--mount", "--net", "--propagation", "private", which("dockerd"), "-H", "unix://" + sock,
             "--data-root", root + "/data", "--exec-root", root + "/run", "--pidfile", root + "/pid", "--bridge", "none",
             "--iptables=false", "--ip6tables=false", "--cgroup-parent", self.parent + "/docker"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.stack.callback(end, proc)
        for _ in range(300):
            with contextlib.suppress(OSError, SystemExit):
                self._docker = self.engine("dockerd", sock)
                return self._docker
            if proc.poll() is not None:
                break
            time.sleep(0.1)
        with open(root + "/log", errors="replace") as f:
            print("dockerd did not start: " + f.read()[-400:], file=sys.stderr)
        return None

    def remove_groups(self):
        for d in harness.cgroup_dirs(self.parent):
            for sub, _dirs, _files in os.walk(d, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(sub)

    def lines(self, argv, **more):
        lines = Lines(argv, **more)
        self.stack.callback(lines.close)
        return lines

    def floor(self, *options, program=SLEEP):
        if not harness.cgroup_dirs(self.parent):
            self.make_groups()
        data = self.kilnd.data_root
        seccomp = max((os.path.join(data, "seccomp", n) for n in os.listdir(data + "/seccomp")), key=os.path.getsize)
        lower = os.listdir(data + "/layers")[0]
        return self.lines([FLOOR, "start", *options, data + "/layers", lower,
                           f"{self.dir}/floor{len(options)}", f"{self.parent}/floor", seccomp, *program])

    def make_groups(self):
        """The floor's group has one above it, with its cpuset filled, as every engine has."""
        base = "/sys/fs/cgroup"
        for name in os.listdir(base):
            top = os.path.join(base, name)
            if not os.path.isdir(top) or os.path.islink(top) or name == "systemd":
                continue
            path = top + self.parent
            os.makedirs(path, exist_ok=True)
            if name == "cpuset":
                for part in (top + "/kiln", path):
                    for f in ("cpuset.mems", "cpuset.cpus"):
                        with open(os.path.join(os.path.dirname(part), f)) as above, open(os.path.join(part, f), "r+") as here:
                            if not here.read().strip():
                                here.write(above.read())

    def bundle(self):
        """Limits and Docker's seccomp profile on the image's files, for the OCI runtimes."""
        path = self.dir + "/bundle"
        os.makedirs(path + "/rootfs")
        subprocess.run(["tar", "-x", "-C", path + "/rootfs"], input=harness.busybox_layer(), check=True)
        tool = which("crun") or which("runc")
        subprocess.run([tool, "spec"], cwd=path, check=True)
        with open(path + "/config.json") as f:
            config = json.load(f)
        config["process"].update(terminal=False, args=TRUE)
        config["linux"]["cgroupsPath"] = self.parent + "/oci"
        config["linux"]["resources"].update(
            memory={"limit": 256 << 20}, cpu={"quota": 100000, "period": 100000, "shares": 512}, pids={"limit": 100})
        config["linux"]["seccomp"] = oci_seccomp(set(config["process"]["capabilities"]["bounding"]))
        with open(path + "/config.json", "w") as f:
            json.dump(config, f)
        return path


def oci_seccomp(caps):
    """Docker's profile, its conditions resolved, as the runtime specification has it."""
    with open(os.path.join(ROOT, "contrib/seccomp/default.json")) as f:
        p = json.load(f)

    def holds(rule):
        i, x = rule.get("includes") or {}, rule.get("excludes") or {}
        return (set(i.get("caps") or []) <= caps and "amd64" in (i.get("arches") or ["amd64"]) and
                not set(x.get("caps") or []) & caps and "amd64" not in (x.get("arches") or []))

    def plain(rule):
        out = {k: rule[k] for k in ("names", "action", "errnoRet") if rule.get(k) is not None}
        args = [{k: v for k, v in a.items() if v is not None} for a in rule.get("args") or []]
        return {**out, **({"args": args} if args else {})}

    arches = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
    return {"defaultAction": p["defaultAction"], "architectures": arches,
            **({"defaultErrnoRet": p["defaultErrnoRet"]} if p.get("defaultErrnoRet") is not None else {}),
            "syscalls": [plain(r) for r in p["syscalls"] if holds(r)]}


def end(proc):
    with contextlib.suppress(OSError):
        proc.send_signal(signal.SIGTERM)
    try:
        proc.wait(30)
    except subprocess.TimeoutExpired:
        for pid in [*harness.descendants_of(proc.pid), proc.pid]:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        proc.wait()


# ---- suites ---------------------------------------------------------------------------------------

def suite_start(b):
    subjects = {"floor": b.floor(), "floor with Docker's mounts": b.floor("-m"), "kiln": b.kiln.start_once}
    docker = b.docker()
    if docker:
        subjects["dockerd"] = docker.start_once
    got = interleave(subjects)
    if which("crun") or which("runc"):
        got.update(oci(b))
    return got


def oci(b):
    bundle, count = b.bundle(), [0]
    base = ["unshare", "--mount", "--propagation", "private", sys.executable, os.path.abspath(__file__), "--worker"]
    plain, hidden = b.lines(base), b.lines([*base, "--hide-unified"])

    def runtime(*argv, worker=hidden):
        def once():
            count[0] += 1
            return worker(json.dumps([*argv, f"bench-{os.getpid()}-{count[0]}"]))
        return once

    subjects = {"kiln-runtime run": runtime(harness.BUILD + "/kiln-runtime", "run", "--bundle", bundle, worker=plain)}
    for name in filter(which, ("crun", "runc")):
        subjects[name + " run"] = runtime(which(name), "--root", f"{b.dir}/{name}", "run", "--bundle", bundle)
    for name in [n for n, fn in subjects.items() if fn() < 0]:
        print(f"{name} does not run here, left out", file=sys.stderr)
        del subjects[name]
    return interleave(subjects)


def suite_exec(b):
    subjects, engines = {}, [e for e in (b.kiln, b.docker()) if e]
    ids = {e.name: e.create() for e in engines}
    for e in engines:
        e.api("POST", f"/containers/{ids[e.name]}/start")
        subjects[e.name + ": exec, create to exit code"] = lambda e=e: e.exec_once(ids[e.name])
    pid = b.kiln.api("GET", f"/containers/{ids['kiln']}/json")["State"]["Pid"]
    floor = b.lines([FLOOR, "exec", str(pid), *TRUE])
    got = interleave({"floor: setns + fork + exec + wait": floor, **subjects})
    for e in engines:
        e.api("DELETE", f"/containers/{ids[e.name]}?force=1")
    return got


def suite_api(b):
    engines = [e for e in (b.kiln, b.docker()) if e]
    ids, subjects = {e.name: [] for e in engines}, {}
    for e in engines:
        for _ in range(CONTAINERS):
            cid = e.create()
            e.api("POST", f"/containers/{cid}/start")
            ids[e.name].append(cid)

        def ping(e=e):
            t0 = time.perf_counter_ns()
            e.api.raw(b"GET /_ping HTTP/1.1\r\nHost: b\r\n\r\n")
            return (time.perf_counter_ns() - t0) / 1e6

        def listing(e=e):
            t0 = time.perf_counter_ns()
            e.api("GET", "/containers/json")
            return (time.perf_counter_ns() - t0) / 1e6
        subjects[e.name + ": /_ping"] = ping
        subjects[f"{e.name}: /containers/json, {CONTAINERS} running"] = listing
    got = interleave(subjects, ROUNDS * 10)
    for e in engines:
        for cid in ids[e.name]:
            e.api("DELETE", f"/containers/{cid}?force=1")
    return got


def pss_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Pss:"))


def suite_memory(b):
    """Kiln's own processes, KiB of PSS: idle, then with containers."""
    def now():
        launcher = b.kilnd.launcher_pid()
        return {"kilnd": pss_kib(b.kilnd.proc.pid), "launcher": pss_kib(launcher),
                "monitors": [pss_kib(p) for p in harness.children_of(launcher)]}

    idle = now()
    ids = [b.kiln.create() for _ in range(CONTAINERS)]
    for cid in ids:
        b.kiln.api("POST", f"/containers/{cid}/start")
    time.sleep(1)
    full = now()
    for cid in ids:
        b.kiln.api("DELETE", f"/containers/{cid}?force=1")
    grown = full["kilnd"] + full["launcher"] + sum(full["monitors"]) - idle["kilnd"] - idle["launcher"]
    return {"kilnd, idle": [idle["kilnd"]], "launcher, idle": [idle["launcher"]],
            f"kilnd, {CONTAINERS} running": [full["kilnd"]], f"launcher, {CONTAINERS} running": [full["launcher"]],
            "monitor, each": full["monitors"], "all of Kiln, growth per running container": [grown / CONTAINERS]}


SUITES = {"start": (suite_start, "ms"), "exec": (suite_exec, "ms"), "api": (suite_api, "ms"), "memory": (suite_memory, "KiB PSS")}


# ---- the tables -----------------------------------------------------------------------------------

def table(name, unit, figures):
    out = [f"## {name}, {unit}", "", "| | n | min | median | p99 | max |", "|---|---|---|---|---|---|"]
    for subject, samples in figures.items():
        s = summary(samples)
        out.append(f"| {subject} | {s['n']} | " + " | ".join(f"{s[k]:.3g}" if s[k] < 100 else f"{s[k]:.0f}"
                                                            for k in ("min", "p50", "p99", "max")) + " |")
    return "\n".join(out) + "\n"


def main():
    wanted = (os.environ.get("SUITE") or " ".join(SUITES)).replace(",", " ").split()
    for name in wanted:
        if name not in SUITES:
            raise SystemExit(f"SUITE: '{name}' is none of {', '.join(SUITES)}")
    if os.geteuid() != 0:
        raise SystemExit("make bench: needs root")
    signal.alarm(int(os.environ.get("BENCH_SECONDS") or 1800))
    signal.signal(signal.SIGALRM, lambda *_: sys.exit("bench: out of time"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: ended"))
    os.makedirs(OUT, exist_ok=True)
    host, pages = machine(), []
    with contextlib.ExitStack() as stack:
        b = Bench(stack)
        for name in wanted:
            fn, unit = SUITES[name]
            figures = fn(b)
            with open(f"{OUT}/{name}.json", "w") as f:
                json.dump({"machine": host, "unit": unit, "samples": figures,
                           "summary": {k: summary(v) for k, v in figures.items()}}, f, indent=1)
            pages.append(table(name, unit, figures))
            print(pages[-1], flush=True)
    facts = "\n".join(f"- {k}: {v}" for k, v in {**host, **host["versions"]}.items() if k != "versions")
    print(facts)
    if os.environ.get("BENCH_WRITE"):
        with open(os.path.join(ROOT, "docs/bench.md"), "w") as f:
            f.write("# Figures\n\nWritten by `make bench BENCH_WRITE=1`; all subjects of a table took turns in one run. "
                    "Only ratios within one table mean anything.\n\n" + facts + "\n\n" + "\n".join(pages))


if __name__ == "__main__":
    if "--worker" in sys.argv:
        worker()
    else:
        main()
