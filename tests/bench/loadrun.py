# SPDX-License-Identifier: Apache-2.0
"""One run of one subject of SUITE=load, in namespaces of its own: `unshare --mount --net --pid … loadrun.py JSON`.

Prints a JSON of seconds on the clock, seconds of processor time of all processes that took part, and MB of memory at
the peak if that is asked for. Whatever it starts, mounts and writes ends with it: it is the first process of its PID
namespace, and its mounts are in nobody else's.
"""
import json
import os
import resource
import subprocess
import sys
import threading
import time

TICK = os.sysconf("SC_CLK_TCK")


# ---- where ----------------------------------------------------------------------------------------

def new_tmpfs(here):
    """With room for the file of new_ext4(). Whoever calls unmounts it."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=90%", "none", here], check=True)
    for name in ("fs", "run"):
        os.mkdir(f"{here}/{name}")


def new_ext4(here):
    """In a file of that tmpfs. Return: where it is mounted"""
    with open(here + "/ext4", "wb") as f:
        f.truncate(6 << 30)
    subprocess.run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard", here + "/ext4"], check=True)
    subprocess.run(["mount", "-o", "loop", here + "/ext4", here + "/fs"], check=True)
    return here + "/fs"


def fresh_fs(job):
    """A new ext4 in a file on tmpfs, or a directory that is given. Its own tmpfs has sockets and logs."""
    new_tmpfs(job["dir"])
    return job.get("disk") or new_ext4(job["dir"])


# ---- processor time and memory ----------------------------------------------------------------------

def others():
    """All processes of this namespace but this one."""
    return [p for p in filter(str.isdigit, os.listdir("/proc")) if int(p) != os.getpid()]


def cpu_seconds():
    """Of all that live here and all that they have waited for."""
    ticks = 0
    for pid in others():
        try:
            with open(f"/proc/{pid}/stat") as f:
                ticks += sum(map(int, f.read().rsplit(")", 1)[1].split()[11:15]))
        except OSError:
            pass
    mine = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ticks / TICK + mine.ru_utime + mine.ru_stime


def memory_mb():
    pss = rss = 0
    for pid in others():
        try:
            with open(f"/proc/{pid}/smaps_rollup") as f:
                rows = dict(line.split()[:2] for line in f if line.startswith(("Pss:", "Rss:")))
            pss, rss = pss + int(rows["Pss:"]), rss + int(rows["Rss:"])
        except (OSError, KeyError, ProcessLookupError):
            pass
    return pss / 1024, rss / 1024


class Peak(threading.Thread):
    """Looks 50 times a second, which costs: not in the runs whose time counts."""
    def __init__(self):
        super().__init__(daemon=True)
        self.pss = self.rss = 0
        self.is_over = False

    def run(self):
        while not self.is_over:
            pss, rss = memory_mb()
            self.pss, self.rss = max(self.pss, pss), max(self.rss, rss)
            time.sleep(0.02)


# ---- who --------------------------------------------------------------------------------------------

def daemon(job, *argv, ready):
    log = open(job["dir"] + "/run/log", "ab")
    proc = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    for _ in range(600):
        if subprocess.run(ready, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
            return
        if proc.poll() is not None:
            break
        time.sleep(0.05)
    with open(job["dir"] + "/run/log", errors="replace") as f:
        raise SystemExit(f"{argv[0]} does not start: {f.read()[-600:]}")


def start_kiln(job, fs):
    build, run = job["build"], job["dir"] + "/run"
    os.environ["KILN_HOST"] = os.environ["DOCKER_HOST"] = f"unix://{run}/k.sock"
    daemon(job, build + "/kilnd", "--data-root", fs + "/kiln", "--exec-root", run + "/kiln", "-H", os.environ["KILN_HOST"],
           "--cgroup-parent", job["cgroup"], "--runtime", build + "/kiln-runtime", "--log-level", "warn", ready=[build + "/kiln", "version"])


def kiln(job, fs):
    start_kiln(job, fs)
    return [job["build"] + "/kiln", "load", "-q", "-i", job["archive"]]


def kiln_docker(job, fs):
    start_kiln(job, fs)
    return [job["docker"], "load", "-q", "-i", job["archive"]]


def kiln_save(job, fs):
    load = kiln(job, fs)
    subprocess.run(load, check=True, stdout=subprocess.DEVNULL)
    return [job["build"] + "/kiln", "save", "-o", job["dir"] + "/run/saved.tar", "bench"]


def umoci(job, fs):
    return ["umoci", "unpack", "--image", job["layout"] + ":bench", fs + "/bundle"]


def podman(job, fs):
    return ["podman", "--root", fs + "/podman", "--runroot", job["dir"] + "/run/podman", "--storage-driver", "overlay",
            "--cgroup-manager", "cgroupfs", "--events-backend", "file", "load", "-q", "-i", job["archive"]]


def containerd(job, fs):
    run = job["dir"] + "/run"
    with open(run + "/containerd.toml", "w") as f:
        f.write('version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n')
    ctr = ["ctr", "-a", run + "/c.sock"]
    daemon(job, "containerd", "-c", run + "/containerd.toml", "--root", fs + "/containerd", "--state", run + "/containerd", "-a", run + "/c.sock",
           ready=[*ctr, "version"])
    return [*ctr, "images", "import", job["archive"]]


def dockerd(job, fs):
    run = job["dir"] + "/run"
    os.environ["DOCKER_HOST"] = f"unix://{run}/d.sock"
    daemon(job, "dockerd", "-H", os.environ["DOCKER_HOST"], "--data-root", fs + "/docker", "--exec-root", run + "/docker", "--pidfile", run + "/pid",
           "--bridge", "none", "--iptables=false", "--ip6tables=false", "--cgroup-parent", job["cgroup"], ready=[job["docker"], "version"])
    return [job["docker"], "load", "-q", "-i", job["archive"]]


SUBJECTS = {f.__name__: f for f in (kiln, kiln_docker, kiln_save, umoci, podman, containerd, dockerd)}


# ---- runs ---------------------------------------------------------------------------------------------

def timed(argv):
    cpu, t0 = cpu_seconds(), time.perf_counter()
    p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    _, text = p.communicate()
    took = time.perf_counter() - t0
    if p.returncode != 0:
        raise SystemExit(f"{argv}: {p.returncode}: {text[-600:]}")
    return {"s": took, "cpu": cpu_seconds() - cpu}


def subject(job, fs):
    argv = SUBJECTS[job["subject"]](job, fs)
    time.sleep(0.3)   # what a daemon does at its start is over
    peak = Peak()
    if job.get("memory"):
        peak.start()
    got = timed(argv)
    peak.is_over = True
    return dict(got, pss=peak.pss, rss=peak.rss)


def untar(job, fs):
    """tar x of the plain layers, one after the other"""
    got = {"s": 0, "cpu": 0}
    for i, path in enumerate(job["tars"]):
        os.mkdir(f"{fs}/layer{i}")
        got = {k: got[k] + v for k, v in timed(["tar", "-xpf", path, "-C", f"{fs}/layer{i}"]).items()}
    t0 = time.perf_counter()
    subprocess.run(["sync", "-f", fs], check=True)
    return dict(got, sync=time.perf_counter() - t0)


def reference(job, fs):
    """The parts that nobody can leave out, each by the quickest program there is, in seconds of processor time"""
    each = {"igzip": [["igzip", "-d", "-c", p] for p in job["packed"]],
            "sha256 packed": [["openssl", "dgst", "-sha256", p] for p in job["packed"]],
            "sha256 unpacked": [["openssl", "dgst", "-sha256", p] for p in job["tars"]]}
    got = {name: sum(timed(argv)["cpu"] for argv in argvs) for name, argvs in each.items()}
    return dict(got, **{"tar x": untar(job, fs)["cpu"]})


def main():
    job = json.loads(sys.argv[1])
    fs = fresh_fs(job)
    run = {"reference": reference, "untar": untar}.get(job["subject"], subject)
    print(json.dumps(run(job, fs)), flush=True)


if __name__ == "__main__":
    main()
