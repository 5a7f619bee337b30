# SPDX-License-Identifier: Apache-2.0
"""What the attacks of tests/security/ stand on: fronts, a marker on the host, and the switches of base/defence.h.

An attack is a function test_NAME(f), decorated by @attack(...), that tries to break out through a front `f`, and raises
Broken when it could. From each come several tests:

    security:NAME                       through kilnd's API, on the programs as everybody runs them
    security:NAME__bundle               through `kiln-runtime run` on a bundle (fronts="kilnd bundle")
    security:NAME__paused               a race on build/weak/, all defences up: the attacker acts at the worst moment
    security:NAME__without_DEFENCE      on build/weak/ with that defence (or those) off: the attack must succeed

Where there is no code that repels it, and so nothing to switch off, because="..." says so; such an attack looks at its own bait
first: what would be found if it had succeeded can be found.

A race calls f.race(): on build/weak/ it waits at a DEFENCE_PAUSE; elsewhere the two sides simply run.
"""
import contextlib
import io
import json
import mmap
import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import threading
from multiprocessing import util

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import harness  # noqa: E402
from harness import Failed, eventually  # noqa: E402

WEAK_BUILD = os.path.join(harness.ROOT, "build", "weak")
UP, OFF, PAUSE_WANTED, PAUSED = range(4)
with open(os.path.join(harness.ROOT, "base/defences.def"), encoding="utf-8") as table:
    DEFENCES = re.findall(r"^X\((\w+),", table.read(), re.M)


class Broken(Failed):
    """The attack has succeeded."""


def broken(is_so, what):
    if is_so:
        raise Broken(what)


# ---- the switches -----------------------------------------------------------------------------------

class Switches:
    """The file that the processes of build/weak/ map."""

    def __init__(self, path):
        self.path = path
        with open(path, "w+b") as f:
            f.truncate(4096)
            self.map = mmap.mmap(f.fileno(), 4096)
        os.chmod(path, 0o666)

    def set(self, name, state):
        self.map[DEFENCES.index(name)] = state

    def get(self, name):
        return self.map[DEFENCES.index(name)]

    def reset(self):
        self.map[:] = bytes(4096)

    def wait_paused(self, name):
        eventually(f"somebody comes to {name}", lambda: self.get(name) == PAUSED, timeout=4, every=0.001)


# ---- images -------------------------------------------------------------------------------------------

def entry(name, data=None, kind=None, to="", **more):
    """(TarInfo, data): a file with data, a directory with None, a link or device by its kind."""
    info = tarfile.TarInfo(name)
    info.type = kind or (tarfile.DIRTYPE if data is None else tarfile.REGTYPE)
    info.mode = 0o755 if info.isdir() else 0o644
    info.linkname = to
    for key, value in more.items():
        setattr(info, key, value)
    return info, data if data is None or isinstance(data, bytes) else data.encode()


def link(name, to):
    return entry(name, kind=tarfile.SYMTYPE, to=to)


def attacker(name="attacker", **more):
    with open(harness.BUILD + "/attacker", "rb") as f:
        return entry(name, f.read(), **{"mode": 0o755, **more})


# ---- fronts --------------------------------------------------------------------------------------------

class Refused(Exception):
    pass


class Run:
    """How a program went: its code and output; or `refused`, why it was not started."""

    def __init__(self, code=None, out="", err="", refused=""):
        self.code, self.out, self.err, self.refused = code, out, err, refused

    def __repr__(self):
        return f"refused: {self.refused}" if self.refused else f"code {self.code}, {self.out!r} {self.err!r}"


class Front:
    switches = None   # of build/weak/

    @property
    def is_weak(self):
        return self.switches is not None

    # -- the host's marker
    def make_marker(self, path):
        self.marker = path
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path + "/dir")
        with open(path + "/secret", "w", encoding="ascii") as f:
            f.write("a secret of the host\n")
        self.marker_was = self.look_at_marker()

    def look_at_marker(self):
        found = {}
        for folder, dirs, files in os.walk(self.marker):
            for name in [".", *dirs, *files]:
                st = os.lstat(os.path.join(folder, name))
                found[os.path.normpath(os.path.join(folder, name))] = (stat.filemode(st.st_mode), st.st_uid, st.st_gid, st.st_size, st.st_mtime_ns)
        return found

    def check_marker(self):
        now = self.look_at_marker()
        broken(now != self.marker_was, f"the host was changed: {sorted(set(now.items()) ^ set(self.marker_was.items()))}")

    @contextlib.contextmanager
    def running(self, cmd, **options):
        box = self.start(cmd, **options)
        try:
            yield box
        finally:
            box.remove()

    # -- races
    def race(self, name, victim, swap, hostile, rounds=12, is_the_place=None):
        """victim() while its files are exchanged: by swap() when it waits at `name`; else by what hostile() starts."""
        if not self.is_weak:
            with hostile():
                for _ in range(rounds):
                    victim()
                    self.check_marker()
            return
        failure = []

        def run():
            try:
                victim()
            except BaseException as e:   # pylint: disable=broad-except
                failure.append(e)

        self.switches.set(name, PAUSE_WANTED)
        t = threading.Thread(target=run)
        t.start()
        self.switches.wait_paused(name)
        while is_the_place and not is_the_place():
            self.switches.set(name, PAUSE_WANTED)
            self.switches.wait_paused(name)
        swap()
        self.switches.set(name, UP)
        t.join()
        if failure:
            raise failure[0]
        self.check_marker()


class Box:
    """A container that runs."""

    def path(self, name):
        """Where the host finds a file of it."""
        return f"/proc/{self.pid}/root{name}"

    def read(self, name):
        """A file of it; "" when it is not there (yet)."""
        with contextlib.suppress(OSError), open(self.path(name), encoding="utf-8", errors="replace") as f:
            return f.read()
        return ""


class KilndBox(Box):
    def __init__(self, front, cid):
        self.k, self.id = front.k, cid

    @property
    def pid(self):
        return self.k.state(self.id)["Pid"]

    def exec(self, cmd, user="", cwd="", tty=False, privileged=False, env=()):
        body = {"Cmd": cmd, "User": user, "WorkingDir": cwd, "Tty": tty, "Privileged": privileged, "Env": list(env),
                "AttachStdout": True, "AttachStderr": True}
        status, _, data = self.k.api("POST", f"/containers/{self.id}/exec", body)
        if status != 201:
            return Run(refused=data.decode())
        xid = json.loads(data)["Id"]
        s, head, rest = self.k.hijack(f"/exec/{xid}/start", json.dumps({"Tty": tty}).encode())
        data = harness.read_all(s, rest)
        s.close()
        if " 101 " not in head.split("\r\n", maxsplit=1)[0]:
            return Run(refused=data.decode(errors="replace"))
        state = eventually("the exec has ended", lambda: self.ended(xid), every=0.005)
        run = Run(state["ExitCode"], *outputs(data, tty))
        if run.code in (125, 126, 127) and "OCI runtime exec failed" in run.out:
            run.refused = run.out
        return run

    def begin(self, cmd):
        """An exec that nobody waits for."""
        xid = self.k.api_json("POST", f"/containers/{self.id}/exec", {"Cmd": cmd}, want=201)["Id"]
        self.k.api_json("POST", f"/exec/{xid}/start", {"Detach": True}, want=200)

    def ended(self, xid):
        state = self.k.api_json("GET", f"/exec/{xid}/json", want=200)
        return state if not state["Running"] and state["ExitCode"] is not None else None

    def remove(self):
        self.k.api("DELETE", f"/containers/{self.id}?force=1")


def inside(init):
    """Processes in the pid namespace of a container's init, but for itself."""
    namespace, found = os.readlink(f"/proc/{init}/ns/pid"), []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if int(pid) != init and os.readlink(f"/proc/{pid}/ns/pid") == namespace:
                found.append(int(pid))
    return found


def outputs(data, tty):
    if tty:
        return data.decode(errors="replace"), ""
    both = harness.frames(data)
    return tuple(b"".join(d for n, d in both if n == which).decode(errors="replace") for which in (1, 2))


class Kilnd(Front):
    """Through the API."""
    name = "kilnd"
    is_bundle = False

    def __init__(self, k, switches=None):
        self.k, self.switches, self.n_images = k, switches, 0
        self.dir = k.dir
        # The launcher's namespace has the two roots of Kiln and nothing else: whoever gets out of a container is there.
        self.make_marker(k.data_root + "/marker")

    def image(self, entries=(), **config):
        """busybox with the attacker, and a layer of these entries on it. Returns its name."""
        if not entries and not config:
            if "attack:base" not in self.k.loaded:
                self.load(harness.busybox_archive("attack:base", None, [harness.tar_bytes([attacker()])]))
                self.k.loaded.add("attack:base")
            return "attack:base"
        self.n_images += 1
        name = f"attack:{self.n_images}"
        layers = [harness.tar_bytes([attacker()]), *([harness.tar_bytes(entries)] if entries else [])]
        self.load(harness.busybox_archive(name, {"Cmd": ["sh"], "Env": ["PATH=/usr/bin:/bin"], **config}, layers))
        return name

    def load(self, archive, timeout=30):
        """Returns what kilnd says when it refuses, or "" """
        status, _, data = self.k.api("POST", "/images/load", archive, {"Content-Type": "application/x-tar"}, timeout=timeout)
        errors = [line for line in data.decode(errors="replace").splitlines() if '"error' in line]
        return "" if status == 200 and not errors else data.decode(errors="replace")

    def client(self, *args, timeout=30):
        """Kiln's own client: that of build/weak/, where the daemon is."""
        env = dict(os.environ, KILN_HOST="unix://" + self.k.socket, **({"KILN_WEAK": self.switches.path} if self.switches else {}))
        return subprocess.run([(WEAK_BUILD if self.switches else harness.BUILD) + "/kiln", *args], capture_output=True, text=True, timeout=timeout,
                              check=False, env=env, stdin=subprocess.DEVNULL, errors="replace")

    def create(self, cmd, image=None, user="", cwd="", env=(), caps=(), tty=False, host=None, **config):
        body = {"Image": image or self.image(), "Cmd": cmd, "User": user, "WorkingDir": cwd, "Env": list(env), "Tty": tty, **config,
                "HostConfig": {"NetworkMode": "none", "CapAdd": list(caps), **(host or {})}}
        status, _, data = self.k.api("POST", "/containers/create", body)
        if status != 201:
            raise Refused(data.decode())
        return KilndBox(self, json.loads(data)["Id"])

    def start(self, cmd, **options):
        box = self.create(cmd, **options)
        status, _, data = self.k.api("POST", f"/containers/{box.id}/start")
        if status != 204:
            box.remove()
            raise Refused(data.decode())
        return box

    def run(self, cmd, **options):
        """To its end."""
        try:
            box = self.create(cmd, **options)
            s, _, rest = self.k.hijack(f"/containers/{box.id}/attach?stream=1&stdout=1&stderr=1")
            status, _, data = self.k.api("POST", f"/containers/{box.id}/start")
            if status != 204:
                s.close()
                box.remove()
                return Run(refused=data.decode())
            data = harness.read_all(s, rest)
            s.close()
            code = self.k.api_json("POST", f"/containers/{box.id}/wait", want=200)["StatusCode"]
            box.remove()
            return Run(code, *outputs(data, options.get("tty")))
        except Refused as e:
            return Run(refused=str(e))


# What docker gives a container, as a bundle has it.
MOUNTS = [("/proc", "proc", "proc", []), ("/dev", "tmpfs", "tmpfs", ["nosuid", "mode=755"]),
          ("/dev/pts", "devpts", "devpts", ["newinstance", "ptmxmode=0666", "gid=5"]), ("/sys", "sysfs", "sysfs", ["ro"]),
          ("/sys/fs/cgroup", "cgroup", "cgroup", ["ro"])]
CAPS = ["CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP", "NET_BIND_SERVICE",
        "SYS_CHROOT", "KILL", "AUDIT_WRITE"]


def mounts_of(host):
    """HostConfig's Binds and Tmpfs, for a bundle; by depth, as kilnd orders them."""
    mounts = [(b.split(":")[1], "bind", b.split(":")[0], ["rbind", "rprivate"]) for b in host.get("Binds", [])]
    mounts += [(place, "tmpfs", "tmpfs", [o for o in options.split(",") if o]) for place, options in host.get("Tmpfs", {}).items()]
    return sorted(mounts, key=lambda m: m[0].count("/"))


USERS = {"": "0:0", "root": "0:0", "user": "1000:1000"}


class BundleBox(Box):
    """Also to be driven by kiln-runtime's commands."""

    def __init__(self, front, cid):
        self.front, self.id = front, cid
        self.pid = json.loads(front.command("state", cid).stdout)["pid"]

    def exec(self, cmd, user="", cwd="", tty=False, env=()):
        del tty   # a terminal would need somebody who holds it
        options = ["--user", USERS.get(user, user), *(["--cwd", cwd] if cwd else []), *[x for e in env for x in ("--env", e)]]
        return result(self.front.command("exec", *options, self.id, *cmd), "exec failed: ")

    def begin(self, cmd):
        self.front.command("exec", "--detach", self.id, *cmd)

    def remove(self):
        self.front.command("kill", self.id, "KILL")
        eventually("it is deleted", lambda: self.front.command("delete", self.id).returncode == 0, every=0.01)


def result(p, failed):
    if "level=error" in p.stderr and failed in p.stderr:
        return Run(refused=p.stderr)
    return Run(p.returncode, p.stdout, p.stderr)


class Bundle(Front):
    """Through kiln-runtime's own commands, on a bundle."""
    name = "bundle"
    is_bundle = True
    count = 0
    plain = None

    def __init__(self, switches=None, build=None):
        self.switches = switches
        self.runtime = (build or (WEAK_BUILD if switches else harness.BUILD)) + "/kiln-runtime"
        self.dir = tempfile.mkdtemp(prefix="kb-")
        self.make_marker(self.dir + "/marker")

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)

    def image(self, entries=(), **_config):
        """A root file system; the plain one is shared. Returns its place."""
        if not entries and self.plain:
            return self.plain
        root = tempfile.mkdtemp(dir=self.dir, prefix="root-")
        os.chmod(root, 0o755)
        for layer in (harness.busybox_layer(), harness.tar_bytes([attacker()]), harness.tar_bytes(entries)):
            with tarfile.open(fileobj=io.BytesIO(layer)) as t:
                t.extractall(root, numeric_owner=True)
        if not entries:
            self.plain = root
        return root

    def bundle(self, cmd, image=None, user="", cwd="", env=(), caps=(), mounts=(), without=(), groups=(), host=None, more=None):
        """Writes config.json. Returns the bundle's directory and the id. @mounts: [(destination, type, source, options)]"""
        Bundle.count += 1
        uid, gid = (int(n) for n in USERS.get(user, user).split(":"))
        mounts = [*mounts, *mounts_of(host or {})]
        cid = f"attack-{os.getpid()}-{Bundle.count}"
        all_caps = ["CAP_" + c for c in [*CAPS, *caps]]
        config = {
            "ociVersion": "1.2.0", "root": {"path": image or self.image()},
            "process": {"args": cmd, "cwd": cwd or "/", "env": ["PATH=/bin:/usr/bin", *env],
                        "user": {"uid": uid, "gid": gid, "additionalGids": list(groups)},
                        "capabilities": {s: all_caps for s in ("bounding", "effective", "permitted", "inheritable")}},
            "mounts": [{"destination": d, "type": t, "source": s, "options": o} for d, t, s, o in [*MOUNTS, *mounts] if d not in without],
            "linux": {"cgroupsPath": f"/kiln/{cid}", "namespaces": [{"type": t} for t in ("pid", "mount", "ipc", "uts", "network", "cgroup")],
                      "sysctl": (host or {}).get("Sysctls", {}), "resources": {"devices": [{"allow": False, "access": "rwm"}]},
                      "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/interrupts", "/sys/firmware"], "readonlyPaths": ["/proc/sys", "/proc/sysrq-trigger"],
                      **(more or {})},
        }
        path = tempfile.mkdtemp(dir=self.dir, prefix="bundle-")
        with open(path + "/config.json", "w", encoding="utf-8") as f:
            json.dump(config, f)
        return path, cid

    @property
    def env(self):
        return dict(os.environ, **({"KILN_WEAK": self.switches.path} if self.switches else {}))

    def command(self, *args, timeout=30):
        return subprocess.run([self.runtime, "--root", self.dir + "/state", *args], capture_output=True, text=True, timeout=timeout, check=False,
                              stdin=subprocess.DEVNULL, env=self.env, errors="replace")

    def run(self, cmd, timeout=30, **options):
        path, cid = self.bundle(cmd, **options)
        return result(self.command("run", "--bundle", path, cid, timeout=timeout), "run failed: ")

    def start(self, cmd, **options):
        path, cid = self.bundle(cmd, **options)
        # its streams are its own: nobody waits for their end
        with open(path + "/out", "wb") as out:
            p = subprocess.run([self.runtime, "--root", self.dir + "/state", "run", "--detach", "--bundle", path, cid], check=False, stdin=subprocess.DEVNULL,
                               stdout=out, stderr=out, env=self.env, timeout=30)
        if p.returncode != 0:
            with open(path + "/out", encoding="utf-8", errors="replace") as out:
                raise Refused(out.read())
        return BundleBox(self, cid)


# ---- the weak daemon of a worker ------------------------------------------------------------------------

class Weak:
    """One kilnd of build/weak/ for all attacks of this process that need no fresh one."""
    shared = None

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="kw-")
        self.switches = Switches(self.dir + "/switches")
        self.k = None

    def kiln(self, **more):
        k = harness.Kiln(env={"KILN_WEAK": self.switches.path}, **more)
        k.build = WEAK_BUILD
        return k

    def daemon(self):
        if self.k is None:
            self.k = self.kiln().start()
            self.k.busybox()
        return self.k

    def drop(self):
        self.switches.reset()
        if self.k:
            self.k.close()
        self.k = None

    def close(self):
        self.drop()
        shutil.rmtree(self.dir, ignore_errors=True)

    @classmethod
    def get(cls):
        if cls.shared is None:
            if not os.path.exists(WEAK_BUILD + "/kilnd"):
                raise harness.Skip("build/weak/ is not built: make weak")
            cls.shared = Weak()
            util.Finalize(None, cls.shared.close, exitpriority=10)
        return cls.shared


@contextlib.contextmanager
def weak_front(kind, fresh, names):
    """A front on build/weak/ with these defences off."""
    w = Weak.get()
    own = None
    for name in names:
        w.switches.set(name, OFF)
    try:
        if kind == "bundle":
            own = Bundle(w.switches)
            yield own
        elif fresh:
            own = w.kiln()
            yield Kilnd(own, w.switches)
        else:
            yield Kilnd(w.daemon(), w.switches)
    except Broken:
        raise
    except BaseException:
        if kind != "bundle":
            sys.stderr.write("--- kilnd's log\n" + (own or w.k).log_tail(3000))
        w.drop()
        raise
    finally:
        w.switches.reset()
        if own:
            own.close()
        elif w.k:
            w.k.clean()


# ---- what an attack becomes -------------------------------------------------------------------------------

def repelled(fn, kind, fresh):
    def paused():
        with weak_front(kind, fresh, []) as f:
            fn(f)
            f.check_marker()
    return paused


def succeeds(fn, kind, fresh, names):
    def without():
        try:
            with weak_front(kind, fresh, names) as f:
                fn(f)
                f.check_marker()
        except Broken:
            return
        raise Failed(f"without {' and '.join(names)} the attack is repelled all the same: it shows nothing")
    return without


def on_kilnd(fn, fresh):
    def shared_daemon(k):
        f = Kilnd(k)
        fn(f)
        f.check_marker()

    def own_daemon(own):
        f = Kilnd(own)
        fn(f)
        f.check_marker()

    return own_daemon if fresh else shared_daemon


def on_bundle(fn):
    def bundle():
        f = Bundle()
        try:
            fn(f)
            f.check_marker()
        finally:
            f.close()
    return bundle


def attack(*without, fronts="kilnd", fresh=False, race=False, because=""):
    """Decorates test_NAME(f). @without: each a set of defences, as "A B", without which it must succeed; @fresh: its daemon is
    not started, and its own; @race: also tried with pauses and all defences up; @because: why there is no defence to switch off."""
    def decorate(fn):
        if bool(without) == bool(because):
            raise SystemExit(f"{fn.__name__}: either defences without which it succeeds, or a reason why there are none")
        module = vars(sys.modules[fn.__module__])

        def add(suffix, test):
            test.__name__ = test.__qualname__ = fn.__name__ + suffix
            test.__module__, test.__doc__ = fn.__module__, fn.__doc__
            module[test.__name__] = test

        first, main = fronts.split()[0], on_kilnd(fn, fresh) if fronts.split()[0] == "kilnd" else on_bundle(fn)
        if fronts.split()[1:] == ["bundle"]:
            add("__bundle", on_bundle(fn))
        if race:
            add("__paused", repelled(fn, first, fresh))
        for names in without:
            unknown = [n for n in names.split() if n not in DEFENCES]
            if unknown:
                raise SystemExit(f"{fn.__name__}: base/defences.def has no {unknown}")
            add("__without_" + "_and_".join(names.lower().split()), succeeds(fn, first, fresh, names.split()))
        add("", main)
        main.attack = fn
        return main
    return decorate
