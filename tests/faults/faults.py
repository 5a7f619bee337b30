# SPDX-License-Identifier: Apache-2.0
"""The driver's side of tests/faults/wrap.c: counts the steps of an operation, and makes one of them fail."""
import errno
import mmap
import os
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import harness  # noqa: E402

MODE_OFF, MODE_COUNT, MODE_FAIL = 0, 1, 2
ROLES = ("other", "kilnd", "launcher", "monitor", "init", "unpack")
OBJECTS = ("", "libsqlite3", "libcgroup", "libjansson", "libarchive", "libseccomp")
SITES_MAX, FRAMES = 8192, 8
HEAD = struct.Struct("=IiQIIII")
SITE = struct.Struct(f"=QII24sII{FRAMES}Q")

# What a call may fail with: what the kernel has for it when the disk is full or broken, or memory, descriptors or processes run out.
ENOSPC, EIO, EMFILE, ENFILE, ENOMEM, EAGAIN, EINTR = (getattr(errno, name) for name in "ENOSPC EIO EMFILE ENFILE ENOMEM EAGAIN EINTR".split())
CAN_SEE = (
    ("write writev pwrite pwrite64 ftruncate ftruncate64 fsync fdatasync syncfs fsetxattr sendfile64", (ENOSPC, EIO)),
    ("fallocate fallocate64", (ENOSPC, EIO)),
    ("mkdir mkdirat mknodat linkat symlinkat rename renameat renameat2", (ENOSPC, EIO, ENOMEM)),
    ("open open64 openat openat64 openat2 creat64 fopen fopen64", (EMFILE, ENFILE, ENOSPC, EIO, ENOMEM)),
    ("opendir fdopendir setmntent", (EMFILE, ENOMEM, EIO)),
    ("pipe2 socket socketpair accept4 memfd_create signalfd inotify_init1 pidfd_open fsopen fsmount open_tree bpf", (EMFILE, ENFILE, ENOMEM)),
    ("fcntl fcntl64 dup2 dup3", (EMFILE, ENOMEM)),
    ("recvmsg", (EIO, ENOMEM)),
    ("inotify_add_watch mount move_mount mount_setattr fsconfig", (ENOMEM, ENOSPC, EIO)),
    ("fork clone clone3 posix_spawn pthread_create", (EAGAIN, ENOMEM)),
    ("unshare setns umount2", (ENOMEM, ENOSPC)),
    ("malloc calloc realloc strdup strndup vasprintf mmap mmap64", (ENOMEM,)),
    ("poll", (EINTR, ENOMEM)),
)
ERRORS = {call: errors for calls, errors in CAN_SEE for call in calls.split()}
ABORTS = {"malloc", "calloc", "realloc", "strdup", "strndup", "vasprintf"}


def errors_for(call):
    return ERRORS.get(call, (EIO, ENOMEM))


class Site:
    def __init__(self, fields):
        self.key, self.hits, role, call, obj, self.n_frames, *frames = fields
        self.role, self.call, self.object = ROLES[role], call.rstrip(b"\0").decode(), OBJECTS[obj]
        self.frames = frames[:self.n_frames]

    def __str__(self):
        return f"{self.role}: {self.call} in {self.where()}"

    def where(self):
        """Names of the nearest functions, for people."""
        if self.object:
            return f"{self.object}+{self.frames[0]:#x}"
        program = "kilnd" if self.role == "kilnd" else "kiln-runtime"
        out = subprocess.run(["addr2line", "-fie", f"{harness.BUILD}/{program}", *[f"{f - 1:#x}" for f in self.frames[:5]]],
                             capture_output=True, text=True, check=False).stdout.split("\n")[:-1]
        names = [f"{name}:{line.rsplit(':', 1)[-1].split()[0]}" for name, line in zip(out[::2], out[1::2])]
        return " < ".join(names[:7])


class Faults:
    """The shared file. A daemon that is started with self.env maps it, and so does all that it starts."""

    def __init__(self, path):
        self.path = path
        self.size = HEAD.size + SITES_MAX * SITE.size
        with open(path, "w+b") as f:
            f.truncate(self.size)
            self.map = mmap.mmap(f.fileno(), self.size)
        os.chmod(path, 0o666)
        self.env = {"KILN_FAULTS": path}

    def head(self, mode, error=0, target=0, nth=0):
        # the mode last: what it arms is there by then
        self.map[4:HEAD.size] = HEAD.pack(mode, error, target, nth, 0, 0, 0)[4:]
        self.map[0:4] = struct.pack("=I", mode)

    def off(self):
        """Returns how often it has fired."""
        self.map[0:4] = struct.pack("=I", MODE_OFF)
        return HEAD.unpack(self.map[:HEAD.size])[5]

    def count(self):
        self.off()
        self.map[HEAD.size:self.size] = bytes(self.size - HEAD.size)
        self.head(MODE_COUNT)

    def arm(self, key, error, nth=1):
        self.head(MODE_FAIL, error, key, nth)

    def sites(self):
        found = []
        for i in range(SITES_MAX):
            fields = SITE.unpack_from(self.map, HEAD.size + i * SITE.size)
            if fields[0]:
                found.append(Site(fields))
        return found
