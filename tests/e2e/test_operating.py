# SPDX-License-Identifier: Apache-2.0
"""Operating kilnd: its configuration file, reload, sockets, what it tells systemd, the graceful stop."""
import contextlib
import fcntl
import grp
import json
import os
import signal
import socket
import stat
import subprocess
import time

import harness
from harness import BUILD, Failed, eq, eventually, has


def write_config(k, **keys):
    """kilnd.json of this daemon, which is told of it by a flag."""
    path = k.dir + "/kilnd.json"
    with open(path + ".new", "w") as f:
        json.dump({name.replace("_", "-"): value for name, value in keys.items()}, f, indent=1)
    os.rename(path + ".new", path)
    if "--config-file" not in k.extra_args:
        k.extra_args += ["--config-file", path]
    return path


def reload(k):
    k.proc.send_signal(signal.SIGHUP)


def log_has(k, text, timeout=10):
    eventually(f"the log says {text!r}", lambda: text in k.log_tail(200000), timeout)


def kilnd(*args, timeout=20, **kw):
    return subprocess.run([BUILD + "/kilnd", *args], capture_output=True, text=True, timeout=timeout, **kw)


# ---- the file ----

def test_config_file_gives_containers_their_defaults(own):
    write_config(own, default_ulimits={"nofile": {"Name": "nofile", "Soft": 111, "Hard": 222}}, default_shm_size="32m", init=True,
                 no_new_privileges=True, labels=["rack=7"], live_restore=True, log_driver="none")
    own.start()
    own.run("-d", "--name", "dd", "--", "sleep", "1000")
    host = own.inspect("dd")["HostConfig"]
    eq(host["Ulimits"], [{"Name": "nofile", "Hard": 222, "Soft": 111}])
    eq((host["ShmSize"], host["Init"], host["LogConfig"]["Type"]), (32 << 20, True, "none"))
    eq(own.docker("exec", "dd", "sh", "-c", "ulimit -n; grep NoNewPrivs /proc/self/status; df -k /dev/shm | awk 'END{print $2}'")
       .stdout.split(), ["111", "NoNewPrivs:", "1", str(32 << 10)])
    # What is asked for counts before it.
    own.run("-d", "--name", "ee", "--ulimit", "nofile=50", "--shm-size", "16m", "--init=false", "--log-driver", "json-file",
            "--security-opt", "no-new-privileges=false", "--", "sleep", "1000")
    host = own.inspect("ee")["HostConfig"]
    eq((host["ShmSize"], host["Init"], host["LogConfig"]["Type"]), (16 << 20, False, "json-file"))
    eq(own.docker("exec", "ee", "sh", "-c", "ulimit -n; grep NoNewPrivs /proc/self/status").stdout.split(), ["50", "NoNewPrivs:", "0"])
    info = own.api_json("GET", "/info")
    eq((info["Labels"], info["LoggingDriver"]), (["rack=7"], "none"))
    has(str(info["SecurityOptions"]), "name=no-new-privileges")


def test_config_seccomp_profile(own):
    with open(own.dir + "/none.json", "w") as f:
        json.dump({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}, f)
    write_config(own, seccomp_profile=own.dir + "/none.json")
    own.start()
    p = own.run("--rm", "--", "mkdir", "/tmp/x", check=False)
    has(p.stderr, "Operation not permitted")
    own.run("--rm", "--security-opt", "seccomp=unconfined", "--", "mkdir", "/tmp/x")
    own.run("--rm", "--privileged", "--", "mkdir", "/tmp/x")
    has(str(own.api_json("GET", "/info")["SecurityOptions"]), f"name=seccomp,profile={own.dir}/none.json")


def test_config_validate(own):
    path = write_config(own, log_level="info", labels=["a=b"])
    p = kilnd("--validate", "--config-file", path)
    eq((p.returncode, p.stdout), (0, "kilnd: the configuration is valid\n"), p.stderr)
    for text, says in (('{\n "log-level": "info",\n "colour": 1\n}', "line 3, column 12, at colour: unknown key"),
                       ('{\n "hosts": ["tcp://1.2.3.4"]}', "line 2, column 11, at hosts: 'tcp://1.2.3.4' is refused"),
                       ('{"dns": ["1.1.1.1"]}', "line 1, column 9, at dns: is refused: there are no networks yet"),
                       ('{"debug": true', "line 1, column 15, at debug: unexpected end")):
        with open(path, "w") as f:
            f.write(text)
        p = kilnd("--validate", "--config-file", path)
        eq(p.returncode, 1, text)
        has(p.stderr, f"'{path}': {says}")
    eq(kilnd("--validate", "--config-file", own.dir + "/absent").returncode, 1)
    eq(os.path.exists(own.data_root), False, "validating makes nothing")


def test_validate_finds_what_would_fail_the_start(own):
    """And the start fails with the same words, where there are any."""
    path = write_config(own)
    os.mkfifo(own.dir + "/fifo")
    os.symlink(own.dir, own.dir + "/link")
    for keys, says in (({"hosts": ["unix:///a", "fd://", "unix:///a"]}, "at hosts: 'unix:///a' is given twice"),
                       ({"audit_log": own.dir + "/no/audit"}, "audit-log: "), ({"audit_log": own.dir}, "audit-log: "),
                       ({"pidfile": own.dir + "/no/pid"}, "pidfile: "), ({"runtime": "/nope"}, "runtime: '/nope': no such file"),
                       ({"runtime": own.dir}, f"runtime: '{own.dir}' is no program"), ({"data_root": path + "/data"}, "data-root: "),
                       ({"exec_root": path}, "exec-root: "), ({"cgroup_parent": "/a/../b"}, "at cgroup-parent: '/a/../b': '..' is not taken"),
                       ({"exec_root": "/run/.."}, "at exec-root: '/run/..': '..' is not taken"), ({"cgroup_parent": "//"}, "'//' is the root"),
                       ({"cgroup_parent": "/" + "x" * 150}, "longer than"),
                       ({"data_root": own.dir + "/link"}, "is a link: say where it leads"), ({"hosts": [f"unix://{own.dir}/no/sock"]}, "hosts: "),
                       ({"hosts": [f"unix://{own.dir}/fifo"]}, "and no socket"), ({"hosts": ["unix:///" + "x" * 120]}, "longer than the 107 bytes"),
                       ({"seccomp_profile": own.dir + "/fifo"}, "it is no regular file")):
        write_config(own, **keys)
        p = kilnd("--validate", "--config-file", path)
        eq((p.returncode, says in p.stderr), (1, True), f"{keys}: {p.stderr}")
    os.unlink(own.dir + "/link")
    p = kilnd("--validate", "--config-file", own.dir + "/fifo")
    eq(p.returncode, 1)
    has(p.stderr, f"open configuration file '{own.dir}/fifo': it is no regular file")
    write_config(own, cgroup_parent="/kiln//x/./", hosts=["fd://", "unix:///a"], audit_log=own.dir + "/audit", pidfile=own.dir + "/pid",
                 data_root=own.dir + "/not/yet", exec_root="/not-yet")
    eq(kilnd("--validate", "--config-file", path).returncode, 0)
    write_config(own, exec_root="/not-yet", hosts=["unix:///not-yet/kiln.sock"])
    eq(kilnd("--validate", "--config-file", path).returncode, 0)
    eq(sorted(os.listdir(own.dir)), ["fifo", os.path.basename(path)], "validating makes nothing")


def test_config_flag_and_key_exclude_each_other(own):
    path = write_config(own, log_level="info")
    p = kilnd("--config-file", path, "--log-level", "debug")
    eq(p.returncode, 2)
    has(p.stderr, "at log-level: is given by the flag --log-level, too")


# ---- reload ----

def test_reload_changes_what_can_change(own):
    own.extra_args = []
    write_config(own, labels=["a=1"])
    own.start()
    own.busybox()
    since = time.time() - 1
    write_config(own, labels=["a=2"], default_shm_size="16m", pidfile=own.dir + "/pid")
    reload(own)
    eventually("the label is there", lambda: own.api_json("GET", "/info")["Labels"] == ["a=2"])
    log_has(own, "'labels' has changed")
    log_has(own, "'pidfile' has changed, which needs a restart of kilnd: the old value stays")
    eq(os.path.exists(own.dir + "/pid"), False)
    own.run("-d", "--name", "rr", "--", "sleep", "1000")
    eq(own.inspect("rr")["HostConfig"]["ShmSize"], 16 << 20)
    events = own.docker("events", "--since", str(since), "--until", str(time.time() + 1), "--filter", "type=daemon",
                        "--format", "{{json .}}").stdout.splitlines()
    event = json.loads(events[0])
    eq((len(events), event["Action"], event["Actor"]["Attributes"]["labels"]), (1, "reload", "a=2"))
    eq(event["Actor"]["ID"], own.api_json("GET", "/info")["ID"])
    eq(event["Actor"]["Attributes"]["name"], socket.gethostname())


def test_reload_of_a_wrong_file_changes_nothing(own):
    path = write_config(own, labels=["a=1"])
    own.start()
    with open(path, "w") as f:
        f.write('{"labels": ["a=2"],\n "log-format": "loud"}')
    reload(own)
    log_has(own, f"reload: nothing is changed: configuration file '{path}': line 2, column 16, at log-format: 'loud' is not one of")
    eq(own.api_json("GET", "/info")["Labels"], ["a=1"])
    os.unlink(path)
    reload(own)
    log_has(own, f"reload: nothing is changed: open configuration file '{path}'")
    eq(own.api_json("GET", "/info")["Labels"], ["a=1"])


def test_reload_changes_the_log(own):
    write_config(own)
    own.start()
    write_config(own, log_format="json")
    reload(own)
    log_has(own, "'log-format' has changed")
    reload(own)
    eventually("lines are JSON", lambda: json.loads(own.log_tail(100000).splitlines()[-1])["program"] == "kilnd"
               if own.log_tail(100000).splitlines()[-1].startswith("{") else False)


def launcher_says(k, format_is_json, wants_info):
    """A monitor that is killed is a warning of the launcher's, the end of its program is information."""
    cid = k.run("-d", "--", "sleep", "1000").stdout.strip()
    pid = k.state(cid)["Pid"]
    (monitor,) = [m for m in harness.children_of(k.launcher_pid()) if pid in harness.children_of(m)]
    os.kill(monitor, 9)
    log_has(k, f"the monitor of '{cid}' was killed by signal 9")
    os.kill(pid, 9)
    eventually("it has ended", lambda: not k.state(cid)["Running"])
    if wants_info:
        log_has(k, f"'{cid}' without a monitor has ended with 137")
    lines = [line for line in k.log_tail(100000).splitlines() if f"'{cid}'" in line and "kiln-launcher" in line]
    eq((len(lines), {line.startswith("{") for line in lines}), (1 + wants_info, {format_is_json}))
    k.docker("rm", cid)


def test_log_of_the_launcher_follows(own):
    """It lives on when kilnd is reloaded, or restarted with other options; it logs as kilnd does."""
    write_config(own)
    own.start()
    eventually("monitors are forked ahead", lambda: harness.stems_of(own.launcher_pid()))
    launcher = own.launcher_pid()
    stems = set(harness.stems_of(launcher))
    write_config(own, log_format="json")
    reload(own)
    log_has(own, "'log-format' has changed")
    eventually("so are others, that log as it does now", lambda: set(harness.stems_of(launcher)) - stems and not stems & set(harness.stems_of(launcher)))
    launcher_says(own, True, True)
    write_config(own)
    own.extra_args += ["--log-level", "warn"]
    own.restart()
    launcher_says(own, False, False)
    eq(own.launcher_pid(), launcher)


# ---- sockets ----

def test_sockets_several_with_mode_and_group(own):
    group = grp.getgrall()[1].gr_name
    other = own.dir + "/other.sock"
    own.extra_args = ["-H", "unix://" + other, "--group", group]
    own.start()
    for path in (own.socket, other):
        st = os.stat(path)
        eq((stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid), (0o660, 0, grp.getgrnam(group).gr_gid), path)
        s = socket.socket(socket.AF_UNIX)
        s.connect(path)
        s.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
        has(s.recv(100), b"200 OK")
        s.close()
    own.terminate()
    eq([os.path.exists(own.socket), os.path.exists(other)], [False, False])


def test_sockets_without_the_group_are_roots(own):
    own.extra_args = ["--group", "no-such-group"]
    own.start()
    eq(os.stat(own.socket).st_gid, 0)
    has(own.log_tail(), "group 'no-such-group' does not exist: only root may use the sockets; 'groupadd --system no-such-group'")


def activated(k, args, n=1):
    """kilnd as systemd starts it with n sockets: descriptors from 3 on, LISTEN_FDS and LISTEN_PID."""
    socks = []
    for i in range(n):
        s = socket.socket(socket.AF_UNIX)
        s.bind(f"{k.dir}/a{i}.sock")
        s.listen(16)
        socks.append(s)
    fds = " ".join(f"{3 + i}<&{s.fileno()}" for i, s in enumerate(socks))
    log = open(k.log_path, "ab")
    k.proc = subprocess.Popen(
        ["bash", "-c", f'exec {fds}; export LISTEN_FDS={n} LISTEN_PID=$$; exec "$@"', "-", BUILD + "/kilnd", "--data-root", k.data_root,
         "--exec-root", k.exec_root, "--cgroup-parent", k.cgroup_parent, "--runtime", BUILD + "/kiln-runtime", *args],
        stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[s.fileno() for s in socks], start_new_session=True)
    return socks


def test_sockets_from_systemd(own):
    """Whoever connects before kilnd runs is served then; the sockets' files stay when it ends."""
    for args in ([], ["-H", "fd://"]):
        socks = activated(own, args, n=2)
        for i in range(2):
            own.socket = f"{own.dir}/a{i}.sock"
            own.wait_up()
        eq(os.path.exists(own.exec_root + "/kiln.sock"), False)
        own.terminate()
        for i, s in enumerate(socks):
            eq(os.path.exists(f"{own.dir}/a{i}.sock"), True)
            os.unlink(f"{own.dir}/a{i}.sock")
            s.close()


def test_sockets_fd_without_systemd_is_refused(own):
    own.extra_args = ["-H", "fd://"]
    own.start(wait=False)
    eq(own.proc.wait(20), 1)
    has(own.log_tail(), "host 'fd://': systemd has handed over no socket")


# ---- what systemd is told ----

def test_systemd_is_told(own):
    n = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    n.bind(own.dir + "/notify")
    n.settimeout(20)
    own.env = {"NOTIFY_SOCKET": own.dir + "/notify", "WATCHDOG_USEC": "200000"}
    write_config(own)

    def until(word):
        seen = []
        while True:
            seen.append(n.recv(1000).decode())
            if any(line == word for line in seen[-1].splitlines()):
                return seen[-1]
    own.start()
    has(until("READY=1"), "STATUS=Serving")
    until("WATCHDOG=1")
    until("WATCHDOG=1")
    reload(own)
    has(until("RELOADING=1"), "MONOTONIC_USEC=")
    until("READY=1")
    with open(own.dir + "/kilnd.json", "w") as f:
        f.write("{")
    reload(own)
    until("RELOADING=1")
    has(until("READY=1"), "STATUS=Serving; the configuration is wrong: configuration file")
    own.proc.send_signal(signal.SIGSTOP)
    with contextlib.suppress(BlockingIOError):
        n.setblocking(False)
        while n.recv(1000):
            pass
    time.sleep(0.5)
    with contextlib.suppress(BlockingIOError):
        raise Failed(f"a kilnd whose loop stands still says {n.recv(1000)!r}")
    n.settimeout(20)
    own.proc.send_signal(signal.SIGCONT)
    own.proc.terminate()
    until("STOPPING=1")
    eq(own.proc.wait(20), 0)


# ---- stopping ----

def test_second_kilnd_is_told_the_pid_of_the_first(own):
    own.start()
    p = kilnd("--data-root", own.data_root, "--exec-root", own.dir + "/other")
    eq(p.returncode, 1)
    has(p.stderr, f"another kilnd (pid {own.proc.pid}) uses '{own.data_root}'")
    p = kilnd("--data-root", own.dir + "/other", "--exec-root", own.exec_root)
    has(p.stderr, f"another kilnd (pid {own.proc.pid}) uses '{own.exec_root}'")


def test_a_lock_that_a_dead_kilnd_has_left_is_waited_for(own):
    """To a process that it was just starting, until its exec."""
    own.start()
    own.kill9()
    with open(own.data_root + "/lock", "rb") as child:
        fcntl.flock(child, fcntl.LOCK_EX)
        own.start(wait=False)
        time.sleep(0.3)
        eq(own.proc.poll(), None, "it has given up")
    own.wait_up()


def test_pidfile(own):
    own.extra_args = ["--pidfile", own.dir + "/kilnd.pid"]
    own.start()
    eq(open(own.dir + "/kilnd.pid").read(), f"{own.proc.pid}\n")
    own.terminate()
    eq(os.path.exists(own.dir + "/kilnd.pid"), False)


def test_sigterm_ends_kilnd_and_nothing_else(own):
    """It ends at once, with what was acknowledged on disk; programs get no signal, and their output goes on."""
    own.start()
    own.run("-d", "--name", "ticks", "--", "sh", "-c", "trap 'echo hit' TERM HUP INT; n=0; while :; do n=$((n + 1)); echo $n; sleep 0.05; done")
    own.docker("create", "--name", "kept", "--network", "none", "busybox")
    pid, launcher = own.state("ticks")["Pid"], own.launcher_pid()
    follower = own.popen("logs", "-f", "ticks", stdout=subprocess.PIPE)
    eq(follower.stdout.readline(), b"1\n")
    begin = time.monotonic()
    own.proc.send_signal(signal.SIGTERM)
    eq(own.proc.wait(20), 0)
    if time.monotonic() - begin > 5:
        raise Failed(f"it took {time.monotonic() - begin:.1f} s")
    follower.communicate(timeout=20)
    eq((harness.is_alive(pid), own.launcher_pid(), os.path.exists(own.socket)), (True, launcher, False))
    own.start()
    eq((own.state("ticks")["Pid"], own.state("kept")["Status"]), (pid, "created"))
    n = len(own.docker("logs", "ticks").stdout.split())
    eventually("the output goes on", lambda: len(own.docker("logs", "ticks").stdout.split()) > n)
    lines = own.docker("logs", "ticks").stdout.split()
    eq(lines, [str(i + 1) for i in range(len(lines))])


def test_stop_all_is_bounded_and_shows_progress(own):
    own.extra_args = ["--shutdown-timeout", "1"]
    own.start()
    own.run("-d", "--name", "quick", "--stop-signal", "KILL", "--", "sleep", "1000")
    own.run("-d", "--name", "deaf", "--stop-timeout", "-1", "--", "sh", "-c", "trap '' TERM; while :; do sleep 1; done")
    begin = time.monotonic()
    p = kilnd("--stop-all", "--exec-root", own.exec_root, timeout=60)
    eq((p.returncode, own.proc.wait(20)), (0, 0), p.stderr)
    if time.monotonic() - begin > 15:
        raise Failed(f"it took {time.monotonic() - begin:.1f} s")
    has(p.stderr, f"kilnd (pid {own.proc.pid}): 1 of 2 containers left to stop")
    has(p.stderr, f"kilnd (pid {own.proc.pid}): all containers are stopped")
    own.start()
    eq([own.state(c)["ExitCode"] for c in ("quick", "deaf")], [137, 137])


def test_stop_all_with_another_data_root(own):
    """Containers run that this data root does not know: nothing is stopped, and that is told."""
    own.start()
    own.run("-d", "--name", "on", "--", "sleep", "1000")
    own.terminate()
    p = kilnd("--stop-all", "--exec-root", own.exec_root, "--data-root", own.dir + "/other", "--runtime", harness.RUNTIME,
              "--cgroup-parent", own.cgroup_parent, timeout=60)
    eq(p.returncode, 1, p.stderr)
    has(p.stderr, f"1 container in '{own.exec_root}' runs on, which the data root '{own.dir}/other' does not know")
    own.start()
    eq(own.state("on")["Running"], True)
    own.terminate()
    p = kilnd("--stop-all", "--exec-root", own.exec_root, "--data-root", own.data_root, "--runtime", harness.RUNTIME,
              "--cgroup-parent", own.cgroup_parent, timeout=60)
    eq(p.returncode, 0, p.stderr)
    own.start()
    eq(own.state("on")["Running"], False)


def test_another_data_root_does_not_begin_beside_running_containers(own):
    """It would take them for what nobody knows, and kill them."""
    own.start()
    own.run("-d", "--name", "on", "--", "sleep", "1000")
    own.terminate()
    p = kilnd("--exec-root", own.exec_root, "--data-root", own.dir + "/other", "--runtime", harness.RUNTIME,
              "--cgroup-parent", own.cgroup_parent, timeout=60)
    eq(p.returncode, 1, p.stderr)
    has(p.stderr, f"containers of the data root '{own.data_root}' run below '{own.exec_root}'")
    own.start()
    eq(own.state("on")["Running"], True)


def test_another_data_root_gets_a_launcher_of_its_own(own):
    """The one that is there sees the other data root only: without containers it is replaced."""
    own.start()
    own.run("--rm", "--", "true")
    own.terminate()
    own.data_root = own.dir + "/other"
    own.loaded.clear()
    own.start()
    own.busybox()
    eq(own.run("--rm", "--", "echo", "hello").stdout, "hello\n")


def test_stop_all_fails_when_kilnd_dies_meanwhile(own):
    own.start()
    own.run("-d", "--stop-timeout", "60", "--", "sh", "-c", "trap '' TERM; while :; do sleep 1; done")
    p = subprocess.Popen([BUILD + "/kilnd", "--stop-all", "--exec-root", own.exec_root], stderr=subprocess.PIPE, text=True)
    log_has(own, "stopping all containers: 1 of 1 left")
    own.kill9()
    eq(p.wait(20), 1)
    has(p.stderr.read(), "ended; it told last: 1 of 1 containers left to stop")
    p.stderr.close()
    own.start()


# ---- audit and log ----

def text_lines(path, n, word):
    """The lines of a file that hold `word`, once there are n: a line follows the answer."""
    def read():
        with open(path, errors="replace") as f:
            found = [line for line in f.read().splitlines(True) if word in line and line.endswith("\n")]
        return found if len(found) >= n else None
    return eventually(f"{n} lines with '{word}' in {path}", read)


def audit_lines(path, n):
    return [json.loads(line) for line in text_lines(path, n, "{")]


def as_nobody(k, text, uid=65534, gid=65534):
    """One raw request by somebody who is not root; the socket is opened to the world for it."""
    os.chmod(k.dir, 0o755)
    os.chmod(k.socket, 0o666)
    code = ("import socket,sys;s=socket.socket(socket.AF_UNIX);s.connect(sys.argv[1]);s.sendall(sys.argv[2].encode('latin-1'));"
            "print(s.recv(65536).decode())")
    p = subprocess.run(["/usr/bin/python3", "-c", code, k.socket, text], user=uid, group=gid, extra_groups=[], capture_output=True,
                       text=True, timeout=30)
    eq(p.returncode, 0, p.stderr)
    return p.stdout


def test_audit_log_has_a_line_for_each_change(own):
    path = own.dir + "/audit.log"
    own.extra_args = ["--audit-log", path]
    own.start()
    own.run("-d", "--name", "au", "-e", "PASSWORD=hush", "--", "sleep", "1000")
    cid = own.inspect("au")["Id"]
    own.docker("exec", "au", "true")
    own.docker("kill", "au")
    own.docker("rm", "au")
    own.docker("rm", "au", check=False)
    text_lines(path, 1, "404")
    lines = audit_lines(path, 1)
    seen = [(line["method"], line["path"].replace(cid, "ID"), line["status"]) for line in lines]
    for want in (("POST", "/images/load", 200), ("POST", "/containers/create", 201), ("POST", "/containers/ID/start", 204),
                 ("POST", "/containers/au/exec", 201), ("POST", "/containers/au/kill", 204), ("DELETE", "/containers/au", 204),
                 ("DELETE", "/containers/au", 404)):
        eq(want in seen, True, f"{want} in {seen}")
    create = next(line for line in lines if line["path"] == "/containers/create")
    eq((create["object"], create["query"], create["uid"], create["comm"]), (cid, "name=au", 0, "docker"))
    eq(next(line for line in lines if line["path"] == "/containers/au/kill")["object"], cid)
    eq([line for line in lines if line["method"] in ("GET", "HEAD")], [])
    with open(path) as f:
        eq("hush" in f.read(), False, "the environment is in the audit log")


def test_audit_of_refused_requests_and_other_users(own):
    path = own.dir + "/audit.log"
    own.extra_args = ["--audit-log", path]
    own.start()
    as_nobody(own, "POST /containers/none/start HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n")
    as_nobody(own, "PUT /nowhere HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n")
    as_nobody(own, "POST /v9.99/containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n")
    as_nobody(own, "POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: 99999999\r\n\r\n")
    lines = audit_lines(path, 4)
    eq([(line["path"], line["status"]) for line in lines],
       [("/containers/none/start", 404), ("/nowhere", 404), ("/containers/create", 400), ("/containers/create", 413)])
    eq({(line["uid"], line["gid"], line["comm"]) for line in lines}, {(65534, 65534, "python3")})


def test_audit_cannot_be_forged(own):
    """Newlines, terminal sequences and quotes in path, query and program name stay within their value."""
    own.start()
    as_nobody(own, "POST /containers/x%0akilnd%20info:%20audit%20uid=0%1b%5b2J%22%20uid=0/start?name=a%0ab&secret=hush HTTP/1.1\r\n"
                   "Host: d\r\nX-Registry-Auth: hush\r\nContent-Length: 0\r\n\r\n")
    lines = text_lines(own.log_path, 1, " audit ")
    eq(len(lines), 1, lines)
    has(lines[0], ' uid=65534 gid=65534 ')
    has(lines[0], r'path="/containers/x\x0akilnd info: audit uid=0\x1b[2J\" uid=0/start" query="name=a\x0ab&secret=(not shown)" status=404')
    eq("hush" in own.log_tail(100000), False)


def test_audit_is_written_at_any_log_level(own):
    write_config(own)
    own.start()
    eventually("its launcher listens", lambda: os.path.exists(own.exec_root + "/l/launcher.sock"))
    own.terminate()
    own.log_path += ".2"   # the launcher goes on writing to the first
    own.proc = subprocess.Popen([BUILD + "/kilnd", "--data-root", own.data_root, "--exec-root", own.exec_root, "-H", "unix://" + own.socket,
                                 "--cgroup-parent", own.cgroup_parent, "--runtime", BUILD + "/kiln-runtime", "--log-level", "error",
                                 "--log-format", "json"], stderr=open(own.log_path, "ab"), start_new_session=True)
    own.wait_up()
    own.api("DELETE", "/containers/none")
    lines = audit_lines(own.log_path, 1)
    eq([(line["msg"], line["method"], line["status"]) for line in lines], [("audit", "DELETE", 404)])


def test_audit_log_is_reopened_on_reload(own):
    path = own.dir + "/audit.log"
    write_config(own, audit_log=path)
    own.start()
    own.api("DELETE", "/containers/one")
    os.rename(path, path + ".1")
    reload(own)
    eventually("the file is there again", lambda: os.path.exists(path))
    own.api("DELETE", "/containers/two")
    eq([[line["path"] for line in audit_lines(p, 1)] for p in (path + ".1", path)], [["/containers/one"], ["/containers/two"]])
    write_config(own, audit_log=own.dir + "/absent/audit.log")
    reload(own)
    log_has(own, "reload: nothing is changed: open audit log")
    own.api("DELETE", "/containers/three")
    eq(len(audit_lines(path, 2)), 2)


def test_audit_log_that_is_full_goes_to_the_log(own):
    own.extra_args = ["--audit-log", "/dev/full"]
    own.start()
    own.api("DELETE", "/containers/one")
    own.api("DELETE", "/containers/two")
    log_has(own, "the audit log cannot be written")
    log_has(own, 'path="/containers/two"')
