# SPDX-License-Identifier: Apache-2.0
"""A whole distribution: Debian by debootstrap, as an image."""
import os
import stat
import tarfile
import tempfile

from harness import Failed, docker_archive, eq, has, image_config, sha256
from test_exact import real_layers

def test_debian_image(own):
    with open(real_layers()[0], "rb") as f:
        layer = f.read()
    k = own.start()
    k.load(docker_archive([(["debian:12"], image_config([layer], {"Cmd": ["bash"], "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]}), [layer])]))

    def run(*args, **kw):
        return k.docker("run", "--rm", "--network", "none", *args, **kw)

    has(run("debian:12", "cat", "/etc/os-release").stdout, "VERSION_CODENAME=bookworm")
    eq(run("debian:12", "bash", "-c", "echo $BASH_VERSION | cut -c1-2; exit 0").stdout, "5.\n")
    has(run("debian:12", "dpkg", "-l", "libc6").stdout, "libc6")
    eq(run("-u", "www-data", "debian:12", "id").stdout, "uid=33(www-data) gid=33(www-data) groups=33(www-data)\n")
    eq(run("-u", "games", "debian:12", "sh", "-c", "echo $HOME").stdout, "/usr/games\n")
    eq(run("debian:12", "perl", "-e", "print 6*7").stdout, "42")
    eq(run("-i", "debian:12", "sort", input="b\na\n").stdout, "a\nb\n")
    p = run("-u", "nobody", "debian:12", "cat", "/etc/shadow", check=False)
    eq(p.returncode, 1)
    compare(k, layer)


def compare(k, layer):
    """What is in the tar is on disk, mode, owner, time, size and target; and nothing else."""
    root = f"{k.data_root}/layers/{sha256(layer)[:26]}"
    names = set()
    with tempfile.NamedTemporaryFile(dir=k.dir) as f:
        f.write(layer)
        f.flush()
        with tarfile.open(f.name) as t:
            for m in t:
                name = os.path.normpath(m.name)
                names.add(name)
                s = os.lstat(os.path.join(root, name))
                want = (m.uid, m.gid, int(m.mtime))
                got = (s.st_uid, s.st_gid, int(s.st_mtime))
                eq(got, want, name)
                if not m.issym():
                    eq(stat.S_IMODE(s.st_mode), m.mode, name)
                if m.isreg():
                    eq(s.st_size, m.size, name)
                if m.issym():
                    eq(os.readlink(os.path.join(root, name)), m.linkname, name)
                if m.islnk():
                    eq(s.st_ino, os.lstat(os.path.join(root, os.path.normpath(m.linkname))).st_ino, name)
    for path, dirs, files in os.walk(root):
        for n in dirs + files:
            rel = os.path.relpath(os.path.join(path, n), root)
            if rel not in names:
                raise Failed(f"{rel} is in the layer's directory, not in the tar")
