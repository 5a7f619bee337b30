# SPDX-License-Identifier: Apache-2.0
"""Real images for the tests: Debian by debootstrap, Node.js on it, Python on that, each a layer; made once, kept in build/e2e.

Run as a program it is what needs a mount namespace of its own: `realimage.py build CACHE DEBS` makes the layers,
`realimage.py tree DIRS…` prints the tree that overlay makes of layer directories, the lowest first.
"""
import fcntl
import hashlib
import io
import json
import os
import pickle
import shutil
import stat
import subprocess
import sys
import tarfile

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(os.path.dirname(os.path.dirname(HERE)), "build")
CACHE = BUILD + "/e2e"
DEBS = BUILD + "/vm/debs"
RECIPE = {"debian": (), "node": ("nodejs",), "python": ("python3",)}
STRIPPED = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale", "usr/share/man")


# ---- trees ------------------------------------------------------------------------------------------------

def content_of(path, st):
    if stat.S_ISLNK(st.st_mode):
        return os.readlink(path)
    if not stat.S_ISREG(st.st_mode):
        return None
    h = hashlib.sha256()
    with open(path, "rb") as f:
        while block := f.read(1 << 20):
            h.update(block)
    return st.st_size, h.hexdigest()


def walk(root):
    yield root
    for folder, dirs, files in os.walk(root):
        for name in dirs + files:
            yield os.path.join(folder, name)


def tree(root):
    """Path: type and mode, owner, time in ns, device, content and size, xattrs, and the first name of its inode. Names are bytes."""
    root = os.fsencode(root)
    found, first = {}, {}
    for path in walk(root):
        st = os.lstat(path)
        name = os.path.relpath(path, root)
        xattrs = {x: os.getxattr(path, x, follow_symlinks=False) for x in os.listxattr(path, follow_symlinks=False)
                  if not x.startswith("trusted.overlay.")}
        found[name] = [oct(st.st_mode), st.st_uid, st.st_gid, st.st_mtime_ns, st.st_rdev if st.st_rdev else 0, content_of(path, st), xattrs, st.st_ino]
    for name in sorted(found):
        first.setdefault(found[name][-1], name)
    for v in found.values():
        v[-1] = "" if v[0].startswith("0o4") else first[v[-1]]
    return {name: tuple(v) for name, v in found.items()}


def overlay_tree(dirs):
    p = subprocess.run(["unshare", "--mount", sys.executable, __file__, "tree", *dirs], stdout=subprocess.PIPE, check=True)
    return pickle.loads(p.stdout)


def print_overlay_tree(dirs):
    lower = os.path.commonpath(dirs)
    os.chdir(lower)
    names = [os.path.relpath(d, lower) for d in reversed(dirs)]
    subprocess.run(["mount", "-t", "tmpfs", "none", "/mnt"], check=True)
    os.makedirs("/mnt/merged")
    os.makedirs("/mnt/empty")
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", "lowerdir=" + ":".join([*names, "/mnt/empty"]), "/mnt/merged"], check=True)
    sys.stdout.buffer.write(pickle.dumps(tree("/mnt/merged")))


# ---- layers -----------------------------------------------------------------------------------------------

def text(data):
    return data.decode("utf-8", "surrogateescape")


class LayerTar:
    """A layer as a tar with exact names, times and attributes."""

    def __init__(self, path, newest_ns=None):
        """@newest_ns: nothing is younger than this, so that what an installation wrote is the same each time"""
        self.tar = tarfile.open(path, "w", format=tarfile.PAX_FORMAT, encoding="utf-8", errors="surrogateescape")
        self.inodes = {}
        self.newest_ns = newest_ns

    def add(self, name, type=tarfile.REGTYPE, data=None, mode=0o644, uid=0, gid=0, ns=1_700_000_000_000_000_000, xattrs=None, link="", dev=(0, 0), size=None):
        info = tarfile.TarInfo(text(name) if isinstance(name, bytes) else name)
        info.type, info.mode, info.uid, info.gid = type, mode, uid, gid
        info.linkname = text(link) if isinstance(link, bytes) else link
        info.devmajor, info.devminor = dev
        info.mtime = ns // 10**9
        if ns % 10**9:
            # Before 1970 as GNU tar writes it: the number itself, not the pair of seconds and nanoseconds
            sign, of = ("-", -ns) if ns < 0 else ("", ns)
            info.pax_headers["mtime"] = f"{sign}{of // 10**9}.{of % 10**9:09}"
        for key, value in (xattrs or {}).items():
            info.pax_headers["SCHILY.xattr." + key] = text(value)
        if isinstance(data, bytes):
            info.size, data = len(data), io.BytesIO(data)
        elif data is not None:
            info.size = size
        self.tar.addfile(info, data)

    def add_file(self, root, name):
        """What lies below an overlay's upper directory, as a layer says it."""
        path = os.path.join(root, name)
        st = os.lstat(path)
        ns = min(st.st_mtime_ns, self.newest_ns or st.st_mtime_ns)
        more = {"mode": stat.S_IMODE(st.st_mode), "uid": st.st_uid, "gid": st.st_gid, "ns": ns, "xattrs": {}}
        for x in os.listxattr(path, follow_symlinks=False):
            if not x.startswith(("trusted.", "security.selinux")):
                more["xattrs"][x] = os.getxattr(path, x, follow_symlinks=False)
        if stat.S_ISCHR(st.st_mode) and st.st_rdev == 0:
            self.add(os.path.join(os.path.dirname(name), b".wh." + os.path.basename(name)), data=b"")
        elif stat.S_ISDIR(st.st_mode):
            self.add(name, tarfile.DIRTYPE, **more)
            if "trusted.overlay.opaque" in os.listxattr(path):
                self.add(os.path.join(name, b".wh..wh..opq"), data=b"")
        elif stat.S_ISLNK(st.st_mode):
            self.add(name, tarfile.SYMTYPE, link=os.readlink(path), **more)
        elif stat.S_ISREG(st.st_mode) and self.inodes.setdefault(st.st_ino, name) != name:
            self.add(name, tarfile.LNKTYPE, link=self.inodes[st.st_ino], **more)
        elif stat.S_ISREG(st.st_mode):
            with open(path, "rb") as f:
                self.add(name, data=f, size=st.st_size, **more)
        elif not stat.S_ISSOCK(st.st_mode):   # a tar has no sockets
            kind = tarfile.FIFOTYPE if stat.S_ISFIFO(st.st_mode) else tarfile.CHRTYPE if stat.S_ISCHR(st.st_mode) else tarfile.BLKTYPE
            self.add(name, kind, dev=(os.major(st.st_rdev), os.minor(st.st_rdev)), **more)

    def close(self):
        self.tar.close()


def write_layer(root, path, stripped=STRIPPED, newest_ns=None):
    root = os.fsencode(root)
    out = LayerTar(path, newest_ns)
    for each in sorted(walk(root)):
        name = os.path.relpath(each, root)
        if not any(name == os.fsencode(s) or name.startswith(os.fsencode(s) + b"/") for s in stripped):
            out.add_file(root, name)
    out.close()


def run(*args, **kw):
    p = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **kw)
    if p.returncode:
        raise SystemExit(f"{args[0]}: {p.stdout.decode(errors='replace')[-1500:]}")


def install(base, lowers, upper, *packages):
    merged, work = base + "/merged", upper + ".work"
    for d in (merged, upper, work):
        os.makedirs(d, exist_ok=True)
    run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir={':'.join(lowers)},upperdir={upper},workdir={work}", merged)
    run("mount", "--bind", "/dev", merged + "/dev")
    run("mount", "-t", "proc", "proc", merged + "/proc")
    run("mount", "--bind", DEBS, merged + "/var/cache/apt/archives")
    run("chroot", merged, "apt-get", "-qq", "-y", "-o", "DPkg::Options::=--force-unsafe-io", "--no-install-recommends", "install", *packages,
        env={"PATH": os.environ["PATH"], "DEBIAN_FRONTEND": "noninteractive",
             **{k: v for k, v in os.environ.items() if k == "SOURCE_DATE_EPOCH"}})
    run("umount", "-R", merged)


def build(out, recipe=RECIPE, **how):
    """Debian, and on it a layer for each row of the recipe but the first. In memory, as debootstrap waits for the disk else."""
    base = out + "/tmp-debian"
    shutil.rmtree(base, ignore_errors=True)
    os.makedirs(base)
    os.makedirs(DEBS, exist_ok=True)
    run("mount", "-t", "tmpfs", "-o", "size=6g,mode=0755", "none", base)
    lowers = []
    for name, packages in recipe.items():
        if lowers:
            install(base, lowers, f"{base}/{name}", *packages)
        else:
            run("debootstrap", "--variant=minbase", "--cache-dir=" + DEBS, "bookworm", f"{base}/{name}")
        lowers.insert(0, f"{base}/{name}")
    for name in recipe:
        write_layer(f"{base}/{name}", f"{out}/{name}.tar.new", **how)
    for name in recipe:
        os.rename(f"{out}/{name}.tar.new", f"{out}/{name}.tar")


def layers():
    """Paths of the three layers, the lowest first; raises what went wrong as text."""
    paths = [f"{CACHE}/{name}.tar" for name in RECIPE]
    os.makedirs(CACHE, exist_ok=True)
    with open(CACHE + "/lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not all(os.path.exists(p) for p in paths):
            p = subprocess.run(["unshare", "--mount", "--pid", "--fork", sys.executable, __file__, "build", CACHE], capture_output=True, text=True)
            shutil.rmtree(CACHE + "/tmp-debian", ignore_errors=True)
            if p.returncode:
                raise RuntimeError(p.stderr)
    return paths


# ---- layouts ----------------------------------------------------------------------------------------------

def file_digest(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def put_blob(layout, path=None, data=None):
    """A file (linked or copied) or bytes, by digest: its descriptor's digest and size."""
    os.makedirs(layout + "/blobs/sha256", exist_ok=True)
    digest = file_digest(path) if path else hashlib.sha256(data).hexdigest()
    to = f"{layout}/blobs/sha256/{digest}"
    if path and not os.path.exists(to):
        try:
            os.link(path, to)
        except OSError:
            shutil.copy(path, to)
    elif not path:
        with open(to, "wb") as f:
            f.write(data)
    return {"digest": "sha256:" + digest, "size": os.stat(to).st_size}


def write_layout(layout, name, tars, config=None):
    """An OCI layout of plain layers; returns the digest of the configuration."""
    kind = "application/vnd.oci.image."
    blobs = [dict(put_blob(layout, path=t), mediaType=kind + "layer.v1.tar") for t in tars]
    body = {"architecture": "amd64", "os": "linux", "config": config or {"Cmd": ["sh"]},
            "rootfs": {"type": "layers", "diff_ids": [b["digest"] for b in blobs]}}
    body = dict(put_blob(layout, data=json.dumps(body).encode()), mediaType=kind + "config.v1+json")
    manifest = {"schemaVersion": 2, "mediaType": kind + "manifest.v1+json", "config": body, "layers": blobs}
    manifest = dict(put_blob(layout, data=json.dumps(manifest).encode()), mediaType=kind + "manifest.v1+json",
                    annotations={"org.opencontainers.image.ref.name": name})
    with open(layout + "/index.json", "w") as f:
        json.dump({"schemaVersion": 2, "manifests": [manifest]}, f)
    with open(layout + "/oci-layout", "w") as f:
        f.write('{"imageLayoutVersion": "1.0.0"}')
    return body["digest"]


if __name__ == "__main__":
    {"build": lambda a: build(a[0]), "tree": print_overlay_tree}[sys.argv[1]](sys.argv[2:])
