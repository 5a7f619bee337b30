# SPDX-License-Identifier: Apache-2.0
"""Archives of every maker, in every form that it has: each gives the tree that the image had before."""
import io
import os
import shutil
import subprocess
import tarfile
import tempfile

import harness
import realimage
from harness import Failed, eq, has
from realimage import LayerTar
from test_exact import BYTES, CAPABILITY, DIR, FIFO, LNK, load_layout, our_tree, same_tree
from test_images import buildah, need, podman, skopeo


def lower_layer(path):
    out = LayerTar(path)
    out.add("./", DIR, mode=0o755, ns=1_600_000_000_123_456_789)
    out.add("m", DIR, mode=0o1777, uid=1, gid=2)
    out.add("m/suid", data=b"x", mode=0o4755, uid=7)
    out.add("m/hard", LNK, link="m/suid", mode=0o4755, uid=7)
    out.add("m/cap", data=b"z", mode=0o755, xattrs={"security.capability": CAPABILITY})
    out.add("m/gone", data=b"z")
    out.add("m/opq", DIR, mode=0o755)
    out.add("m/opq/old", data=b"q")
    out.add("m/fifo", FIFO, mode=0o600)
    out.add(b"m/" + BYTES, data=b"b")
    out.add("m/" + "n" * 255, data=b"n")
    out.add("m/ns", data=b"t", ns=1_234_567_890_987_654_321)
    out.close()


def upper_layer(path):
    out = LayerTar(path)
    out.add("./", DIR, mode=0o755)
    out.add("m", DIR, mode=0o1777, uid=1, gid=2)
    out.add("m/.wh.gone", data=b"")
    out.add("m/opq", DIR, mode=0o755)
    out.add("m/opq/.wh..wh..opq", data=b"")
    out.add("m/opq/new", data=b"n")
    out.close()


class Source:
    """An image in OCI's layout, and the tree that it has."""

    def __init__(self, k):
        self.k, self.dir = k, tempfile.mkdtemp(dir=k.dir)
        self.layout = self.dir + "/layout"
        paths = [f"{self.dir}/{n}.tar" for n in range(3)]
        with open(paths[0], "wb") as f:
            f.write(harness.busybox_layer())
        lower_layer(paths[1])
        upper_layer(paths[2])
        realimage.write_layout(self.layout, "made/src:1", paths)
        has(load_layout(k, self.layout), "Loaded image: made/src:1")
        self.tree = our_tree(k, "made/src:1")
        self.layers = k.api_json("GET", "/images/made/src:1/json", want=200)["RootFS"]["Layers"]
        self.dirs = k.layer_dirs("made/src:1")
        self.forget("made/src:1")

    def forget(self, name):
        """So that the next load unpacks it again."""
        self.k.docker("rmi", "-f", name)
        harness.eventually("the layers are gone", lambda: not any(os.path.exists(d) for d in self.dirs[1:]))   # busybox stays

    def check(self, path, what):
        """Load a file, or a directory as a tar; it is the same image."""
        if os.path.isdir(path):
            out = load_layout(self.k, path)
        else:
            out = self.k.docker("load", "-i", path).stdout
        name = out.strip().splitlines()[-1].split(": ", 1)[1]
        eq(self.k.api_json("GET", f"/images/{name}/json", want=200)["RootFS"]["Layers"], self.layers, what)
        same_tree(our_tree(self.k, name), self.tree)
        self.forget(name)
        return out


def test_load_all_that_skopeo_writes(k):
    need("skopeo")
    s = Source(k)
    src = f"oci:{s.layout}:made/src:1"
    for n, (to, more) in enumerate([
            ("docker-archive:{}.tar:made/sk:1", ()),
            ("oci-archive:{}.tar:made/sk:1", ()),
            ("oci-archive:{}.tar:made/sk:1", ("--dest-compress-format", "zstd")),
            ("oci:{}:made/sk:1", ()),
            ("oci:{}:made/sk:1", ("--dest-compress-format", "zstd")),
            ("oci:{}:made/sk:1", ("--dest-compress-format", "zstd:chunked")),
            ("dir:{}", ()),
            ("dir:{}", ("--dest-compress", "--dest-compress-format", "zstd")),
            ("dir:{}", ("--format", "v2s2"))]):
        at = f"{s.dir}/sk{n}"
        skopeo("copy", *more, src, to.format(at))
        out = s.check(at if os.path.isdir(at) else at + ".tar", f"skopeo copy {to} {more}")
        has(out, "Loaded image ID: sha256:" if to.startswith("dir:") else "Loaded image: made/sk:1", to)


def store_image(s, tool, name):
    """The source in a store of that tool."""
    at = s.dir + "/src.tar"
    skopeo("copy", f"oci:{s.layout}:made/src:1", f"docker-archive:{at}:{name}")
    p = tool(s.k, "pull", "docker-archive:" + at)
    if p.returncode:
        raise Failed(p.stderr)
    return p.stdout.strip().splitlines()[-1]


def done(p):
    if p.returncode:
        raise Failed(p.stderr)


def test_load_all_that_podman_writes(k):
    need("podman")
    s = Source(k)
    image = store_image(s, podman, "docker.io/made/pod:1")
    for n, (fmt, more) in enumerate([("docker-archive", ()), ("oci-archive", ()), ("oci-archive", ("--uncompressed",)),
                                     ("oci-dir", ()), ("docker-dir", ()), ("docker-dir", ("--compress",))]):
        at = f"{s.dir}/pod{n}"
        done(podman(k, "save", "--format", fmt, *more, "-o", at, "made/pod:1"))
        s.check(at, f"podman save {fmt} {more}")
    # Several images in one archive
    done(podman(k, "tag", image, "docker.io/made/other:1"))
    with open(s.dir + "/two.tar", "wb") as f:
        f.write(harness.busybox_archive("docker.io/made/second:1"))
    done(podman(k, "load", "-i", s.dir + "/two.tar"))
    done(podman(k, "save", "-m", "-o", s.dir + "/multi.tar", "made/pod:1", "made/other:1", "made/second:1"))
    out = k.docker("load", "-i", s.dir + "/multi.tar").stdout
    eq(sorted(out.splitlines()), [f"Loaded image: made/{n}:1" for n in ("other", "pod", "second")])
    same_tree(our_tree(k, "made/pod:1"), s.tree)


def test_load_all_that_buildah_writes(k):
    need("buildah")
    s = Source(k)
    image = store_image(s, buildah, "docker.io/made/bh:1")
    for n, (to, more) in enumerate([("docker-archive:{}.tar:made/bh:1", ()), ("oci-archive:{}.tar:made/bh:1", ()), ("oci:{}:made/bh:1", ()),
                                    ("oci:{}:made/bh:1", ("--compression-format", "zstd")), ("oci:{}:made/bh:1", ("--disable-compression",)),
                                    ("dir:{}", ("--format", "v2s2"))]):
        at = f"{s.dir}/bh{n}"
        done(buildah(k, "push", *more, image, to.format(at)))
        s.check(at if os.path.isdir(at) else at + ".tar", f"buildah push {to} {more}")


def test_load_lists_that_tools_write(k):
    """Images for several machines in one archive: the one for this machine is loaded."""
    need("buildah")
    s = Source(k)
    done(buildah(k, "manifest", "create", "ml"))
    other = s.dir + "/other"
    realimage.write_layout(other, "other:1", [s.dir + "/1.tar"], {"Cmd": ["other"]})
    done(buildah(k, "manifest", "add", "--os", "linux", "--arch", "s390x", "ml", f"oci:{other}:other:1"))
    done(buildah(k, "manifest", "add", "--os", "linux", "--arch", "amd64", "ml", f"oci:{s.layout}:made/src:1"))
    for n, to in enumerate(("oci:{}:made/ml:1", "oci-archive:{}.tar:made/ml:1", "dir:{}")):
        at = f"{s.dir}/ml{n}"
        done(buildah(k, "manifest", "push", "--all", "ml", to.format(at)))
        s.check(at if os.path.isdir(at) else at + ".tar", f"buildah manifest push {to}")
    for n, to in enumerate(("oci:{}:made/ml:1", "dir:{}")):
        at = f"{s.dir}/sl{n}"
        skopeo("copy", "--all", f"oci:{s.dir}/ml0:made/ml:1", to.format(at))
        s.check(at, f"skopeo copy --all {to}")


def test_load_what_buildah_commits(k):
    """A layer that buildah itself makes of changes: removed, replaced, linked, with attributes."""
    need("buildah")
    s = Source(k)
    image = store_image(s, buildah, "docker.io/made/bh:1")
    name = buildah(k, "from", "--pull-never", image).stdout.strip()
    root = buildah(k, "mount", name).stdout.strip()
    shutil.rmtree(root + "/m/opq")
    os.unlink(root + "/m/fifo")
    os.mkdir(root + "/m/fifo")
    with open(root + "/m/fifo/inside", "w") as f:
        f.write("new")
    os.link(root + "/m/suid", root + "/m/third")
    os.setxattr(root + "/m/fifo/inside", "user.note", b"attr")
    os.setxattr(root + "/m/fifo/inside", "security.capability", CAPABILITY)
    os.mkfifo(root + "/m/pipe")
    want = realimage.tree(root)
    done(buildah(k, "commit", name, f"oci-archive:{s.dir}/commit.tar:made/commit:1"))
    has(k.docker("load", "-i", s.dir + "/commit.tar").stdout, "Loaded image: made/commit:1")
    ours = our_tree(k, "made/commit:1")
    # buildah keeps seconds, leaves out user attributes, and makes a new file of a link to an old one
    for name in (b"m/fifo", b"m/fifo/inside", b"m/pipe", b"m/third", b"m/suid", b"m/cap"):
        eq((ours[name][:3], ours[name][4:6]), (want[name][:3], want[name][4:6]), repr(name))
    eq(ours[b"m/fifo/inside"][6]["security.capability"], CAPABILITY)
    eq((b"m/opq" in ours, b"m/gone" in ours), (False, False))
    done(buildah(k, "rm", "-a"))


def test_load_what_umoci_makes_from_nothing(k):
    need("umoci")
    d = tempfile.mkdtemp(dir=k.dir)

    def umoci(*args):
        done(subprocess.run(["umoci", *args], capture_output=True, text=True))

    umoci("init", "--layout", d + "/oci")
    umoci("new", "--image", d + "/oci:made")
    umoci("unpack", "--image", d + "/oci:made", d + "/bundle")
    with tarfile.open(fileobj=io.BytesIO(harness.busybox_layer())) as t:
        t.extractall(d + "/bundle/rootfs")
    umoci("repack", "--image", d + "/oci:made", d + "/bundle")
    umoci("config", "--image", d + "/oci:made", "--config.cmd", "cat", "--config.cmd", "/www/index.html", "--config.env", "PATH=/bin")
    has(load_layout(k, d + "/oci"), "Loaded image: made:latest")
    eq(k.docker("run", "--rm", "--network", "none", "made").stdout, "hello from kiln\n")
