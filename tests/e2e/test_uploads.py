# SPDX-License-Identifier: Apache-2.0
"""What load and import do while bytes come: limits of senders, progress, and nothing left behind when they fail."""
import contextlib
import glob
import json
import os
import pty
import signal
import sqlite3
import subprocess
import time

import harness
from harness import Failed, docker_archive, eq, eventually, has, image_config, sha256, tar_bytes


def stored(k):
    return sorted(f"{d}/{n}" for d in ("tmp", "layers", "blobs/sha256", "containers") for n in k.stored(d))


def send(k, path, head, body=b""):
    sock = k.connect()
    sock.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n".encode() + body)
    return sock


def status_of(sock):
    return int(sock.recv(65536).split()[1])


def test_import_cut_off_behind_the_last_entry(own):
    """All entries came, the end did not: it is no image, although the tar could be read."""
    own.start()
    body = harness.busybox_layer() + bytes(10240)
    before = stored(own)
    sock = send(own, "/images/create?fromSrc=-&repo=cut:2", f"Content-Length: {len(body)}", body[:-512])
    eventually("kilnd reads it", lambda: any("import-" in n for n in stored(own)))
    sock.close()
    eventually("nothing is left", lambda: stored(own) == before)
    eq(own.docker("images", "-aq").stdout, "")


def test_import_trickles_through_the_loop(own):
    """A slow sender is waited for, and in nobody's way."""
    own.start()
    body = harness.busybox_layer()
    sock = send(own, "/images/create?fromSrc=-&repo=slow:1", f"Content-Length: {len(body)}", body[:100])
    for at in range(100, len(body), len(body) // 5):
        time.sleep(0.1)
        began = time.monotonic()
        eq(own.api("GET", "/_ping")[0], 200)
        if time.monotonic() - began > 1 and not harness.IS_SANITIZED:
            raise Failed("kilnd was held up")
        sock.sendall(body[at:at + len(body) // 5])
    eq(status_of(sock), 200)
    eq(own.docker("run", "--rm", "--network", "none", "slow:1", "/bin/sh", "-c", "echo ok").stdout, "ok\n")


def test_uploads_are_counted(own):
    """32 at a time; the next one is told so, and is taken when one has ended."""
    own.start()
    socks = [send(own, "/images/load", "Content-Length: 1000000", b"x") for _ in range(32)]
    eventually("all are taken", lambda: sum("load-" in n for n in stored(own)) == 32)
    answer = own.api("POST", "/images/load", b"x")
    eq(answer[0], 503)
    has(json.loads(answer[2])["message"], "try again")
    for sock in socks:
        sock.close()
    eventually("nothing is left", lambda: not stored(own))
    own.load(docker_archive([(["after:1"], image_config([tar_bytes([("f", b"x")])]), [tar_bytes([("f", b"x")])])]))


@contextlib.contextmanager
def broken(k, table):
    """No row can be written to that table."""
    db = sqlite3.connect(k.data_root + "/kiln.db", isolation_level=None)
    db.execute(f"CREATE TRIGGER broken BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'broken'); END")
    try:
        yield
    finally:
        db.execute("DROP TRIGGER broken")
        db.close()


def test_a_load_that_cannot_be_committed_leaves_nothing(own):
    k = own.start()
    k.busybox()
    before, images = stored(k), k.docker("images", "--no-trunc").stdout
    layer = tar_bytes([("f", os.urandom(1000))])
    archive = docker_archive([(["lost:1", "busybox:latest"], image_config([layer]), [layer])])
    path = k.dir + "/lost.tar"
    with open(path, "wb") as f:
        f.write(archive)
    with broken(k, "images"):
        for command in (("load", "-i", path), ("import", path, "lost:2")):
            p = k.docker(*command, check=False)
            eq(p.returncode, 1, command[0])
            eventually("nothing is left", lambda: stored(k) == before)
            eq(k.docker("images", "--no-trunc").stdout, images)
    has(k.docker("load", "-i", path).stdout, "Loaded image: lost:1")
    eq(k.docker("images", "-q", "--no-trunc", "lost:1").stdout.strip(), "sha256:" + sha256(image_config([layer])))


def test_a_create_that_cannot_be_committed_leaves_nothing(own):
    k = own.start()
    k.busybox()
    before = stored(k)
    with broken(k, "containers"):
        eq(k.api("POST", "/containers/create?name=lost", {"Image": "busybox"})[0], 500)
    eq(stored(k), before)
    # A directory that cannot be moved into place
    os.rename(k.data_root + "/containers", k.data_root + "/elsewhere")
    try:
        eq(k.api("POST", "/containers/create?name=lost", {"Image": "busybox"})[0] == 201, False)
        eq(os.listdir(k.data_root + "/tmp"), [])
    finally:
        os.rename(k.data_root + "/elsewhere", k.data_root + "/containers")
    eq(k.api("POST", "/containers/create?name=lost", {"Image": "busybox"})[0], 201)


# ---- progress ---------------------------------------------------------------------------------------------

def unpackers(k, kind):
    """Asked of the kernel for kilnd's threads only: they may run for a moment only, and are not to be missed."""
    children, found = [], []
    for file in glob.glob(f"/proc/{k.proc.pid}/task/*/children"):
        with contextlib.suppress(OSError), open(file) as f:
            children += map(int, f.read().split())
    for pid in children:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as f:
            if f.read().split(b"\0")[1:3] == [b"unpack", kind]:
                found.append(pid)
    return found


def held_up(k, kind, seconds):
    """Stops the next unpack process of that kind for a while."""
    pids = eventually(f"unpack {kind.decode()} runs", lambda: unpackers(k, kind), every=0.001)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pids[0], signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(pids[0], signal.SIGCONT)


def slow_image(k, name):
    layer = tar_bytes([(f"f{i}", os.urandom(1 << 20)) for i in range(32)])
    path = k.dir + f"/{name}.tar"
    with open(path, "wb") as f:
        f.write(docker_archive([([f"{name}:1"], image_config([layer]), [layer])]))
    return path, layer


def lines_of(sock):
    data = harness.read_all(sock)
    head, _, body = data.partition(b"\r\n\r\n")
    has(head.decode(), " 200 OK")
    return [json.loads(line) for line in body.decode().splitlines() if line.startswith("{")]


def test_progress_of_a_load_that_takes_long(k):
    path, layer = slow_image(k, "progress")
    with open(path, "rb") as f:
        body = f.read()
    for query, wants in (("", True), ("?quiet=1", False)):
        sock = send(k, "/images/load" + query, f"Connection: close\r\nContent-Length: {len(body)}", body)
        held_up(k, b"layer", 1.3)
        lines = lines_of(sock)
        told = [x for x in lines if "progressDetail" in x]
        eq(bool(told), wants, f"progress with '{query}'")
        for line in told:
            eq((line["status"], line["id"], line["progressDetail"]["total"]), ("Loading layer", sha256(layer)[:12], len(layer)))
        eq(lines[-1], {"stream": "Loaded image: progress:1\n"})
        if wants:
            eq(told[-1]["progressDetail"]["current"], len(layer))
            if told[0]["progressDetail"]["current"] >= len(layer):
                raise Failed(f"no progress: {told}")
        k.docker("rmi", "progress:1")


def test_a_failure_behind_progress_is_told(k):
    path, layer = slow_image(k, "late")
    with open(path, "rb") as f:
        body = f.read()
    wrong = image_config([layer]).replace(sha256(layer).encode(), b"0" * 64)
    body = docker_archive([(["late:1"], wrong, [layer])])
    sock = send(k, "/images/load", f"Connection: close\r\nContent-Length: {len(body)}", body)
    held_up(k, b"layer", 1.3)
    lines = lines_of(sock)
    has(lines[-1]["error"], "but the image's configuration says")
    eq(lines[-1]["errorDetail"], {"message": lines[-1]["error"]})


def on_terminal(k, cli, *args, while_it_runs):
    """What the client shows on a terminal."""
    pid, master = pty.fork()
    if pid == 0:
        os.execve(cli, [cli, *args], dict(os.environ, DOCKER_HOST="unix://" + k.socket, HOME=k.dir, TERM="xterm"))
    while_it_runs()
    shown = b""
    with contextlib.suppress(OSError):
        while got := os.read(master, 65536):
            shown += got
    os.close(master)
    eq(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)
    return shown.decode(errors="replace")


def test_clients_show_progress(k):
    path, layer = slow_image(k, "shown")
    tar = k.dir + "/shown-root.tar"
    with open(tar, "wb") as f:
        f.write(layer)
    for cli in harness.CLIS[:2]:
        shown = on_terminal(k, cli, "load", "-i", path, while_it_runs=lambda: held_up(k, b"layer", 1.3))
        has(shown, f"{sha256(layer)[:12]}: Loading layer", cli)
        has(shown, "B/33.5", cli)
        has(shown, "Loaded image: shown:1", cli)
        k.docker("rmi", "shown:1")
        shown = on_terminal(k, cli, "import", tar, "shown:2", while_it_runs=lambda: held_up(k, b"layer", 1.3))
        has(shown, "Importing", cli)
        has(shown, "B/33.5", cli)
        has(shown, k.api_json("GET", "/images/shown:2/json", want=200)["Id"], cli)
        k.docker("rmi", "shown:2")
    # Not on a terminal there is only the result.
    p = subprocess.Popen([harness.CLIS[0], "load", "-i", path], env=dict(os.environ, DOCKER_HOST="unix://" + k.socket), stdout=subprocess.PIPE)
    held_up(k, b"layer", 1.2)
    eq(p.communicate(timeout=30)[0].decode(), "Loaded image: shown:1\n")
