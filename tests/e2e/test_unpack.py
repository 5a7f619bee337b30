# SPDX-License-Identifier: Apache-2.0
"""kiln-runtime unpack by itself: its cage, and archives that try to leave it."""
import fcntl
import gzip
import io
import json
import os
import stat
import struct
import subprocess
import tarfile
import tempfile
import time
import zlib

import harness
from harness import BUILD, Failed, eq, eventually, has, sha256


class Role:
    """One unpack process: archive in by pipe or file, directory, result."""

    def __init__(self, k, kind="layer"):
        self.dir = tempfile.mkdtemp(dir=k.dir)
        self.read, write = os.pipe()
        dir_fd = os.open(self.dir, os.O_RDONLY | os.O_DIRECTORY)
        self.stray = os.open(__file__, os.O_RDONLY)

        def place():
            high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 100) for fd in (dir_fd, write, self.stray)]
            for fd, at in zip(high, (3, 4, 9)):
                os.dup2(fd, at)

        self.proc = subprocess.Popen([BUILD + "/kiln-runtime", "unpack", kind], stdin=subprocess.PIPE, preexec_fn=place,
                                     close_fds=False, env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0"))
        os.close(write)
        os.close(dir_fd)

    def end(self, data=b""):
        try:
            self.proc.stdin.write(data)
            self.proc.stdin.close()
        except BrokenPipeError:
            pass
        with os.fdopen(self.read, "rb") as f:
            text = f.read()
        status = self.proc.wait(30)
        os.close(self.stray)
        result = json.loads(text)
        eq(status, 1 if "error" in result else 0, "exit status")
        return result

    def path(self, name):
        return os.path.join(self.dir, name)


def tar(*entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as t:
        for name, kind, more in entries:
            info = tarfile.TarInfo(name)
            info.type, info.mode = kind, 0o644
            data = b""
            for key, value in more.items():
                if key == "data":
                    data, info.size = value, len(value)
                else:
                    setattr(info, key, value)
            t.addfile(info, io.BytesIO(data))
    return out.getvalue()


def file(name, data=b"x", **more):
    return name, tarfile.REGTYPE, dict(more, data=data)


def link(name, to):
    return name, tarfile.SYMTYPE, {"linkname": to}


def hard(name, to):
    return name, tarfile.LNKTYPE, {"linkname": to}


def layer(k, data):
    role = Role(k)
    return role, role.end(data)


def refused(k, data, why, kind="layer"):
    result = Role(k, kind).end(data)
    if "error" not in result:
        raise Failed(f"was taken: {result}")
    has(result["error"]["message"], why)


# ---- the cage ------------------------------------------------------------------------------------------

def proc_status(pid):
    with open(f"/proc/{pid}/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def caged(role):
    """Wait until it reads."""
    want = "000000008800001b"   # SETFCAP MKNOD FSETID FOWNER DAC_OVERRIDE CHOWN
    eventually("unpack is in its cage", lambda: proc_status(role.proc.pid)["CapEff"] == want and
               (harness.IS_SANITIZED or proc_status(role.proc.pid)["Seccomp"] == "2"))
    return proc_status(role.proc.pid)


def test_unpack_cage_has_six_capabilities_and_a_filter(k):
    role = Role(k)
    status = caged(role)
    for which in ("CapPrm", "CapEff", "CapBnd"):
        eq(status[which], "000000008800001b", which)
    for which in ("CapInh", "CapAmb"):
        eq(int(status[which], 16), 0, which)
    if not harness.IS_SANITIZED:
        eq(status["NoNewPrivs"], "1")
        eq(status["Seccomp"], "2")
    role.end()


def test_unpack_cage_has_its_own_namespaces_and_nothing_mounted_but_its_directory(k):
    role = Role(k)
    caged(role)
    pid = role.proc.pid
    for ns in ("mnt", "net", "ipc", "uts", "cgroup"):
        if os.readlink(f"/proc/{pid}/ns/{ns}") == os.readlink(f"/proc/self/ns/{ns}"):
            raise Failed(f"unpack is in the host's {ns} namespace")
    with open(f"/proc/{pid}/mountinfo") as f:
        lines = f.read().splitlines()
    eq(len(lines), 1, "mounts")
    fields = lines[0].split()
    eq(fields[4], "/")
    for option in ("nosuid", "nodev", "noexec"):
        has(fields[5], option)
    open(role.path("seen"), "w").close()
    eq(os.listdir(f"/proc/{pid}/root/"), ["seen"])
    eq(sorted(os.listdir(f"/proc/{pid}/fd")), ["0", "1", "2", "3", "4"])
    role.end()


def test_unpack_ends_with_its_parent(k):
    r, w = os.pipe()
    parent = os.fork()
    if parent == 0:
        role = Role(k)
        caged(role)
        os.write(w, struct.pack("i", role.proc.pid))
        os._exit(0)
    pid = struct.unpack("i", os.read(r, 4))[0]
    os.waitpid(parent, 0)
    os.close(r)
    os.close(w)
    eventually("unpack ended", lambda: not harness.is_alive(pid))


# ---- what tries to leave -------------------------------------------------------------------------------

def test_unpack_link_to_the_host_stays_inside(k):
    outside = tempfile.mkdtemp(dir=k.dir)
    os.chmod(outside, 0o711)
    marker = os.path.join(outside, "marker")
    with open(marker, "w") as f:
        f.write("host")
    before = os.stat(outside), os.stat(marker)
    # The host's path does not exist below the root: what goes through the link is refused, or lands inside
    refused(k, tar(link("l", outside), file("l/marker", b"evil")), "not a directory")
    role, result = layer(k, tar(link("l", outside), (outside.lstrip("/"), tarfile.DIRTYPE, {}), file("l/marker", b"evil"),
                                ("l", tarfile.DIRTYPE, {"mode": 0o777})))
    has(result, "layer")
    eq(open(role.path(outside.lstrip("/") + "/marker")).read(), "evil")
    eq(open(marker).read(), "host")
    eq((os.stat(outside).st_mode, os.stat(marker).st_ino), (before[0].st_mode, before[1].st_ino))


def test_unpack_refuses_traversal_by_name_hard_link_and_whiteout(k):
    refused(k, tar(file("../x")), "leads outside")
    refused(k, tar(file("a/../../x")), "leads outside")
    refused(k, tar(hard("l", "/etc/passwd")), "not in this layer")
    refused(k, tar(hard("l", "../../../../etc/passwd")), "leads outside")
    refused(k, tar(link("etc", "/etc"), hard("l", "etc/passwd")), "not in this layer")
    refused(k, tar(file(".wh...")), "malformed whiteout")
    refused(k, tar(file("../.wh.x")), "leads outside")
    refused(k, tar(link("./", "/etc")), "must be a directory")


def test_unpack_refuses_pretending_to_be_overlay(k):
    refused(k, tar(("d", tarfile.DIRTYPE, {"pax_headers": {"SCHILY.xattr.trusted.overlay.redirect": "/x"}})), "not allowed")
    refused(k, tar(file("f", pax_headers={"SCHILY.xattr.user.overlay.metacopy": ""})), "not allowed")
    refused(k, tar(("c", tarfile.CHRTYPE, {"devmajor": 0, "devminor": 0})), "0:0")


def test_unpack_device_is_made_but_opens_nothing_there(k):
    role, result = layer(k, tar(("null", tarfile.CHRTYPE, {"devmajor": 1, "devminor": 3, "mode": 0o666}),
                                ("sda", tarfile.BLKTYPE, {"devmajor": 8, "devminor": 0})))
    has(result, "layer")
    st = os.lstat(role.path("null"))
    eq((stat.S_ISCHR(st.st_mode), os.major(st.st_rdev), os.minor(st.st_rdev)), (True, 1, 3))
    eq(stat.S_ISBLK(os.lstat(role.path("sda")).st_mode), True)


# ---- what is broken ------------------------------------------------------------------------------------

def test_unpack_truncated_and_foreign_bytes_are_refused(k):
    whole = tar(file("f", b"data" * 1000))
    refused(k, whole[:2000], "")
    packed = gzip.compress(whole)
    refused(k, packed[:-5], "truncated")
    refused(k, packed[:20] + b"\xff\xff\xff" + packed[23:], "gzip")
    refused(k, b"this is no archive" * 100, "")
    refused(k, b"\xfd7zXZ\0" + b"x" * 100, "xz", kind="archive")
    refused(k, b"", "empty", kind="archive")


def test_unpack_bomb_is_refused_early(k):
    role = Role(k)
    packer = zlib.compressobj(9, wbits=31)
    head = tarfile.TarInfo("zeros")
    head.size = 2 << 30
    data = [packer.compress(head.tobuf())]
    block = bytes(1 << 20)
    data += [packer.compress(block) for _ in range(400)]
    start = time.monotonic()
    result = role.end(b"".join(data))
    has(result["error"]["message"], "times its size")
    if os.stat(role.path("zeros")).st_size > 300 << 20:
        raise Failed("the bomb was unpacked")
    if time.monotonic() - start > 20 * (10 if harness.IS_SANITIZED else 1):
        raise Failed("it took too long")


def test_unpack_capability_of_a_file_survives(k):
    value = bytes.fromhex("0100000200040000000000000000000000000000")
    role, result = layer(k, tar(file("ping", pax_headers={"SCHILY.xattr.security.capability": value.decode("latin-1")},
                                     uid=5, gid=6, mode=0o4755)))
    has(result, "layer")
    eq(os.getxattr(role.path("ping"), "security.capability"), value)
    st = os.stat(role.path("ping"))
    eq((st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)), (5, 6, 0o4755))


def test_unpack_digests_cover_the_padding(k):
    data = tar(file("f")) + bytes(20480)
    packed = gzip.compress(data)
    _, result = layer(k, packed)
    eq(result["layer"]["diffId"], "sha256:" + sha256(data))
    eq(result["layer"]["blobDigest"], "sha256:" + sha256(packed))
