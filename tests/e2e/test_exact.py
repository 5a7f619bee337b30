# SPDX-License-Identifier: Apache-2.0
"""The tree of an image is, byte for byte, what umoci makes of it: real images, and layers that contradict each other."""
import json
import os
import shutil
import signal
import stat
import struct
import subprocess
import tarfile
import tempfile

import harness
import realimage
from harness import Failed, Skip, eq, eventually, has, sha256
from realimage import LayerTar
from test_images import need

DIR, FIFO, CHR, SYM, LNK = tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE


def real_layers():
    if not shutil.which("debootstrap"):
        raise Skip("debootstrap is not installed")
    signal.alarm(600)   # the first run brings the packages
    try:
        paths = realimage.layers()
    except RuntimeError as e:
        raise Failed(str(e)) from e
    signal.alarm(180 * (3 if harness.IS_SANITIZED else 1))
    return paths


def load_layout(k, layout):
    """docker load < tar of the layout"""
    tar = subprocess.Popen(["tar", "-C", layout, "-cf", "-", "."], stdout=subprocess.PIPE)
    p = k.popen("load", stdin=tar.stdout, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    out = p.communicate()[0].decode()
    eq((tar.wait(), p.returncode), (0, 0), out)
    return out


def our_tree(k, name):
    """As a container has it: overlay over the image's layers."""
    return realimage.overlay_tree(k.layer_dirs(name))


def umoci_tree(layout, name):
    bundle = tempfile.mkdtemp(dir=os.path.dirname(layout))
    p = subprocess.run(["umoci", "unpack", "--image", f"{layout}:{name}", bundle + "/b"], capture_output=True, text=True)
    if p.returncode:
        raise Failed(p.stderr)
    found = realimage.tree(bundle + "/b/rootfs")
    shutil.rmtree(bundle)
    return found


def same_tree(ours, theirs, ignored=()):
    """@ignored: (path, index of the field) where umoci is known to differ"""
    fields = ("mode", "uid", "gid", "time", "device", "content", "xattrs", "first of its links")
    eq(sorted(ours), sorted(theirs), "paths")
    wrong = [f"{name!r}: {fields[n]}: {a!r}, umoci has {b!r}" for name in ours
             for n, (a, b) in enumerate(zip(ours[name], theirs[name])) if a != b and (name, n) not in ignored]
    if wrong:
        raise Failed(f"{len(wrong)} differences:\n" + "\n".join(wrong[:40]))


def save_keeps_digests(k, name, layout):
    """What is saved has exactly the blobs of the layout, and they are what their names say (skopeo reads them all)."""
    path = tempfile.mkdtemp(dir=k.dir) + "/saved.tar"
    k.docker("save", "-o", path, name)
    with tarfile.open(path) as t:
        eq({os.path.basename(m.name) for m in t if m.isreg() and m.name.startswith("blobs/sha256/")}, set(os.listdir(layout + "/blobs/sha256")))
    os.unlink(path)


def test_debian_node_python_equal_umoci(own):
    need("umoci")
    paths = real_layers()
    k = own.start()
    layout = k.dir + "/layout"
    realimage.write_layout(layout, "real", paths, {"Cmd": ["sh"], "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]})
    has(load_layout(k, layout), "Loaded image: real:latest")

    def run(*args):
        return k.docker("run", "--rm", "--network", "none", "real", *args).stdout

    eq(run("node", "-e", "console.log(process.version.split('.')[0], 6 * 7)"), "v18 42\n")
    eq(run("python3", "-c", "import sys, ssl, sqlite3, ctypes; print(sys.version_info[:2], 6 * 7)"), "(3, 11) 42\n")
    has(run("dpkg", "-l", "nodejs", "python3"), "ii  python3")
    ours, theirs = our_tree(k, "real"), umoci_tree(layout, "real")
    if len(ours) < 5000:
        raise Failed(f"only {len(ours)} paths")
    same_tree(ours, theirs)
    save_keeps_digests(k, "real", layout)


# ---- odd layers -------------------------------------------------------------------------------------------

CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")   # cap_net_raw=ep
LONG = b"/".join([b"p" * 200] * 18)                                      # 3617 bytes
BYTES = b"no utf8 \xff\xfe \xc3("


def lower_layer(path):
    out = LayerTar(path)
    out.add("./", DIR, mode=0o755, ns=1_600_000_000_123_456_789)
    out.add("d", DIR, mode=0o1777, uid=3, gid=4, ns=1_600_000_001_000_000_001)
    out.add("d/suid", data=b"x", mode=0o4755, uid=1000, gid=1001)
    out.add("d/sgid", data=b"y", mode=0o2711)
    out.add("d/none", data=b"", mode=0)
    out.add("d/h1", data=b"one inode", xattrs={"user.of": b"all names"})
    for n in ("h2", "h3", "h4"):
        out.add(f"d/{n}", LNK, link="d/h1")
    out.add("d/softhard", SYM, link="h1")
    out.add("d/hardsoft", LNK, link="d/softhard")
    out.add("d/fifo", FIFO, mode=0o620, uid=7)
    acl = lambda *rows: struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *row) for row in rows)
    none = 0xffffffff   # user::, user:7:, group::, mask::, other::
    rights = acl((1, 7, none), (2, 5, 7), (4, 5, none), (0x10, 5, none), (0x20, 0, none))
    out.add("d/acl", DIR, mode=0o750, xattrs={"system.posix_acl_access": rights, "system.posix_acl_default": rights})
    out.add("d/acl/plain", data=b"has none of its own", mode=0o664)
    out.add("d/acl/sub", DIR, mode=0o775)
    out.add("d/acl/own", data=b"has one", mode=0o670, xattrs={"system.posix_acl_access": acl((1, 6, none), (2, 4, 9), (4, 0, none), (0x10, 7, none), (0x20, 0, none))})
    out.add("d/null", CHR, dev=(1, 3), mode=0o666)
    out.add("d/block", tarfile.BLKTYPE, dev=(259, 70000), mode=0o660, gid=6)
    out.add("d/cap", data=b"z", mode=0o755, uid=5, xattrs={"security.capability": CAPABILITY})
    out.add("d/attrs", data=b"z", xattrs={"user.a": b"1", "user.bytes": bytes(range(1, 256)), "user.big": b"b" * 2000})
    out.add("d/empty", data=b"z", xattrs={"user.empty": b""})
    out.add("d/xdir", DIR, mode=0o2770, xattrs={"user.dir": b"d"})
    out.add(b"d/" + BYTES, data=b"bytes")
    out.add("d/caf\u00e9 cafe\u0301 \u2713", data=b"two forms of one letter")
    out.add("d/new\nline \\ 'quote'", data=b"n")
    out.add("d/-rf", data=b"n")
    out.add("d/.whiteout", data=b"not one")
    out.add("d/" + "n" * 255, data=b"longest name")
    for n in range(1, 19):
        out.add(b"/".join([b"p" * 200] * n), DIR, mode=0o700)
    out.add(LONG + b"/deep", data=b"deep")
    out.add("d/longlink", SYM, link="l" * 4000)
    out.add("d/linkbytes", SYM, link=b"../" + BYTES)
    out.add("d/ns", data=b"t", ns=1_234_567_890_987_654_321)
    out.add("d/old", data=b"t", ns=-300_000_000_000_000_000)
    out.add("d/older", data=b"t", ns=-1_500_000_000)
    out.add("d/late", data=b"t", ns=4_200_000_000_000_000_000)
    out.add("d/owner", data=b"o", uid=4294967294, gid=2147483648)
    for name in ("gone", "todir", "kept", "tosym", "gone-and-new"):
        out.add("d/" + name, data=name.encode())
    for name in ("tofile", "opaque", "opaque/in", "hidden", "deep", "deep/er", "deep/er/est", "back"):
        out.add("d/" + name, DIR, mode=0o755)
        out.add(f"d/{name}/old", data=name.encode())
    out.close()


def middle_layer(path):
    out = LayerTar(path)
    out.add("./", DIR, mode=0o711, ns=1_600_000_002_123_456_789)
    out.add("d", DIR, mode=0o755, uid=3, gid=4, ns=1_600_000_002_000_000_002)
    out.add("d/.wh.gone", data=b"")
    out.add("d/todir", DIR, mode=0o711)
    out.add("d/todir/new", data=b"new")
    out.add("d/tofile", data=b"a file now")
    out.add("d/tosym", SYM, link="kept")
    out.add("d/opaque", DIR, mode=0o750, ns=1_600_000_003_000_000_003)
    out.add("d/opaque/.wh..wh..opq", data=b"")
    out.add("d/opaque/new", data=b"only this")
    out.add("d/.wh.hidden", data=b"")
    out.add("d/.wh.fifo", data=b"")
    # Hard links: one name is hidden, one is replaced, one stays; two new ones
    out.add("d/.wh.h2", data=b"")
    out.add("d/h3", data=b"alone now")
    out.add("d/new1", data=b"new inode")
    out.add("d/new2", LNK, link="d/new1")
    out.add("d/deep", DIR, mode=0o700)
    out.add("d/deep/.wh.er", data=b"")
    out.add("d/suid", data=b"x", mode=0o755, uid=1000, gid=1001)
    out.add("d/cap", data=b"z", mode=0o755)
    out.add("d/xdir", DIR, mode=0o755)
    out.add("d/back", data=b"a file for now")
    # Of one name the last entry counts; a link to what was replaced keeps what it had
    out.add("d/twice", data=b"first")
    out.add("d/twice-link", LNK, link="d/twice")
    out.add("d/twice", data=b"second", mode=0o600)
    out.close()


def upper_layer(path):
    out = LayerTar(path)
    out.add("./", DIR, mode=0o755, ns=1_600_000_004_123_456_789)
    out.add("d", DIR, mode=0o1777, uid=3, gid=4, ns=1_600_000_004_000_000_004)
    out.add("d/gone", DIR, mode=0o755)
    out.add("d/gone/again", data=b"a directory this time")
    out.add("d/hidden", DIR, mode=0o755)
    out.add("d/hidden/new", data=b"nothing old")
    out.add("d/h2", data=b"no link any more")
    out.add("d/h5", LNK, link="d/h2")
    out.add("d/.wh.new1", data=b"")
    out.add("d/todir", data=b"a file again")
    out.add("d/tofile", DIR, mode=0o755)
    out.add("d/tosym", DIR, mode=0o755)
    out.add("d/back", DIR, mode=0o755)
    out.add("d/back/new", data=b"not the old one")
    out.add("d/.wh.gone-and-new", data=b"")
    out.add("d/gone-and-new", data=b"new")
    out.add("d/deep", DIR, mode=0o700)
    out.add("d/deep/er", DIR, mode=0o700)
    out.close()


def test_odd_layers_equal_umoci(k):
    need("umoci")
    d = tempfile.mkdtemp(dir=k.dir)
    paths = [f"{d}/{n}.tar" for n in range(3)]
    for make, path in zip((lower_layer, middle_layer, upper_layer), paths):
        make(path)
    realimage.write_layout(d + "/layout", "odd", paths)
    load_layout(k, d + "/layout")
    ours, theirs = our_tree(k, "odd"), umoci_tree(d + "/layout", "odd")
    eq(ours[b"d/empty"][6], {"user.empty": b""})
    # Go's tar reader takes an attribute without a value for none; GNU tar writes and reads it
    same_tree(ours, theirs, ignored={(b"d/empty", 6)})
    save_keeps_digests(k, "odd", d + "/layout")


# ---- directories that a layer implies ---------------------------------------------------------------------

def base_layer(path, stamp, mode):
    out = LayerTar(path)
    out.add("./", DIR, mode=0o755, ns=stamp)
    out.add("tmp", DIR, mode=0o1777, ns=stamp + 1)
    out.add("srv", DIR, mode=mode, uid=5, gid=6, ns=stamp + 2, xattrs={"user.of": b"the base"})
    out.add("srv/deep", DIR, mode=0o2750, gid=7, ns=stamp + 3)
    out.add("srv/deep/old", data=b"old")
    out.add("gone", DIR, mode=0o700, ns=stamp + 4)
    out.add("gone/old", data=b"old")
    out.add("opq", DIR, mode=0o711, ns=stamp + 5)
    out.add("opq/old", data=b"old")
    # As Debian has it, and once more over a corner
    out.add("usr", DIR, mode=0o755, ns=stamp + 6)
    out.add("usr/bin", DIR, mode=0o711, ns=stamp + 7)
    out.add("usr/bin/old", data=b"old")
    out.add("bin", SYM, link="usr/bin")
    out.add("sbin", SYM, link="/usr/../bin")
    out.close()


def bare_layer(path):
    """Files only: their directories are as they were, but for the times of those that get something new."""
    out = LayerTar(path)
    out.add("tmp/new", data=b"new")
    out.add("srv/deep/new", data=b"new")
    out.add("srv/more/new", data=b"a directory that nobody described")
    out.add(".wh.gone", data=b"")
    out.add("gone/new", data=b"in a new directory")
    out.add("opq/.wh..wh..opq", data=b"")
    out.add("bin/tool", data=b"through a link")
    out.add("sbin/deep/tool", data=b"through two")
    out.add("bin/.wh.old", data=b"")
    out.close()


def second_bare_layer(path):
    out = LayerTar(path)
    out.add("srv/deep/newer", data=b"newer")
    out.add("srv/late", data=b"before its directory is described")
    out.add("srv", DIR, mode=0o755, ns=1_650_000_000_000_000_000)
    out.close()


def test_implied_directories_are_what_is_below(own):
    """One layer over two bases, in one archive: each image has its own base's directories, as umoci has them."""
    need("umoci")
    k = own.start()
    d = tempfile.mkdtemp(dir=k.dir)
    paths = [f"{d}/{n}.tar" for n in ("one", "two", "bare", "bare2")]
    base_layer(paths[0], 1_500_000_000_000_000_000, 0o2771)
    base_layer(paths[1], 1_550_000_000_000_000_000, 0o700)
    bare_layer(paths[2])
    second_bare_layer(paths[3])
    archive = LayerTar(d + "/both.tar")
    manifests = []
    for n, tag in enumerate(("one", "two")):
        layout = f"{d}/{tag}"
        config = realimage.write_layout(layout, tag, [paths[n], *paths[2:]])
        manifests.append({"Config": "blobs/sha256/" + config[7:], "RepoTags": [f"implied:{tag}"],
                          "Layers": [f"blobs/sha256/{realimage.file_digest(p)}" for p in (paths[n], *paths[2:])]})
        for name in os.listdir(layout + "/blobs/sha256"):
            with open(f"{layout}/blobs/sha256/{name}", "rb") as f:
                archive.add("blobs/sha256/" + name, data=f.read())
    archive.add("manifest.json", data=json.dumps(manifests).encode())
    archive.close()
    k.docker("load", "-i", d + "/both.tar")

    def check(tag):
        ours, theirs = our_tree(k, "implied:" + tag), umoci_tree(f"{d}/{tag}", tag)
        eq(oct(stat.S_IMODE(int(ours[b"srv/deep"][0], 8))), "0o2750")
        # What umoci made itself, or changed by removing, has the time at which it did so; and its mkdir takes the group of a set-gid directory
        same_tree(ours, theirs, ignored={(n, 3) for n in (b".", b"srv/more", b"gone", b"usr/bin", b"usr/bin/deep")} | {(b"srv/more", 0), (b"srv/more", 2)})

    check("one")
    check("two")
    eq(len(k.stored("layers")), 2 + 2 * 2)
    # The other image keeps its own; and one that is loaded again is not unpacked again
    k.docker("rmi", "implied:one")
    eventually("the layers of one are gone", lambda: len(k.stored("layers")) == 3)
    check("two")
    k.kill9()
    k.start()
    inodes = [os.stat(y).st_ino for y in k.layer_dirs("implied:two")]
    k.docker("load", "-i", d + "/both.tar")
    eq([os.stat(y).st_ino for y in k.layer_dirs("implied:two")], inodes)
    check("one")
    check("two")


def test_load_of_what_umoci_inserts(k):
    """A layer that has a file and nothing of its directories."""
    need("umoci")
    d = tempfile.mkdtemp(dir=k.dir)
    base_layer(d + "/base.tar", 1_500_000_000_000_000_000, 0o755)
    realimage.write_layout(d + "/layout", "ins", [d + "/base.tar"])
    with open(d + "/file", "w") as f:
        f.write("inserted")
    for args in (("--tag", "new", d + "/file", "/tmp/inserted"), ("--tag", "new2", d + "/file", "/srv/deep/inserted"), ("--tag", "new4", d + "/file", "/bin/inserted"), ("--tag", "new3", "--whiteout", "/gone")):
        p = subprocess.run(["umoci", "insert", "--image", d + "/layout:ins", *args], capture_output=True, text=True)
        if p.returncode:
            raise Failed(p.stderr)
    for tag in ("new", "new2", "new3", "new4"):
        subprocess.run(["umoci", "tag", "--image", f"{d}/layout:{tag}", "ins-" + tag], check=True, capture_output=True)
    load_layout(k, d + "/layout")
    for tag in ("ins-new", "ins-new2", "ins-new3", "ins-new4"):
        same_tree(our_tree(k, tag), umoci_tree(d + "/layout", tag))


# ---- hard links to files of the layers below --------------------------------------------------------------

def linked_base_layer(path):
    out = LayerTar(path)
    out.add("./", DIR, mode=0o755, ns=1_500_000_000_000_000_001)
    out.add("a", data=b"a" * 100_000, mode=0o4755, uid=5, gid=6, ns=1_500_000_000_123_456_789, xattrs={"security.capability": CAPABILITY, "user.x": b"y"})
    out.add("b", data=b"b")
    out.add("gone", data=b"gone", mode=0o600)
    out.add("soft", SYM, link="no/where", uid=9)
    out.add("d", DIR, mode=0o711, ns=1_500_000_000_000_000_002)
    out.add("d/f", data=b"f")
    out.add("d/f2", data=b"f2")
    out.add("dirlink", SYM, link="d")
    out.close()


def links_layer(path):
    out = LayerTar(path)
    out.add("./", DIR, mode=0o755, ns=1_500_000_001_000_000_001)
    out.add("l1", LNK, link="a")
    out.add("l2", LNK, link="./l1")
    out.add("x", DIR, mode=0o755)
    out.add("x/l3", LNK, link="/d/f")
    out.add("l4", LNK, link="gone")
    out.add("l5", LNK, link="gone")
    out.add(".wh.gone", data=b"")
    out.add("l6", LNK, link="soft")
    out.add("l7", LNK, link="dirlink/f2")
    out.add("l8", LNK, link="b")
    out.add("l8", data=b"no link any more")
    out.close()


def test_hard_links_to_files_of_the_layers_below(k):
    need("umoci")
    d = tempfile.mkdtemp(dir=k.dir)
    linked_base_layer(d + "/base.tar")
    links_layer(d + "/links.tar")
    realimage.write_layout(d + "/layout", "linked", [d + "/base.tar", d + "/links.tar"])
    load_layout(k, d + "/layout")
    ours = our_tree(k, "linked")
    same_tree(ours, umoci_tree(d + "/layout", "linked"))
    eq(ours[b"l2"][-1], b"a", "one inode")
    eq(ours[b"l5"][-1], b"l4", "one inode")
    # Without anything below, and to what is nowhere
    out = LayerTar(d + "/nowhere.tar")
    out.add("l", LNK, link="no-such")
    out.close()
    for n, layers in enumerate(([d + "/links.tar"], [d + "/base.tar", d + "/nowhere.tar"])):
        realimage.write_layout(f"{d}/bad{n}", "bad", layers)
        before = set(os.listdir(k.data_root + "/layers"))
        subprocess.run(["tar", "-C", f"{d}/bad{n}", "-cf", f"{d}/bad.tar", "."], check=True)
        p = k.docker("load", "-i", d + "/bad.tar", check=False)
        eq(p.returncode, 1)
        has(p.stderr, "hard link to '")
        eventually("nothing is left", lambda: set(os.listdir(k.data_root + "/layers")) <= before and not os.listdir(k.data_root + "/tmp"))


def test_sparse_files_in_each_form(k):
    """GNU tar has five: the map in the header, in it and behind it, in pax records, in one record, and before the data."""
    d = tempfile.mkdtemp(dir=k.dir)
    size = 64 << 20
    with open(d + "/holes", "wb") as f:
        for n in range(40):   # more than the four, or 24, of a header
            f.seek(n << 20)
            f.write(b"%02d" % n * 2048)
        f.truncate(size)
    with open(d + "/hole", "wb") as f:
        f.truncate(size)
    with open(d + "/holes", "rb") as f:
        want = sha256(f.read())
    for form in (("gnu",), ("oldgnu",), ("posix", "--sparse-version=1.0"), ("posix", "--sparse-version=0.1"), ("posix", "--sparse-version=0.0")):
        layer = subprocess.run(["tar", "-C", d, "-S", "--format", *form, "-c", "holes", "hole"], capture_output=True, check=True).stdout
        eq(len(layer) < 1 << 20, True, f"{form}: {len(layer)}")
        k.load(harness.docker_archive([(["sparse:1"], harness.image_config([layer]), [layer])]))
        (root,) = k.layer_dirs("sparse:1")
        with open(root + "/holes", "rb") as f:
            eq(sha256(f.read()), want, form)
        eq([os.stat(f"{root}/{n}").st_size for n in ("holes", "hole")], [size, size], form)
        blocks = [os.stat(f"{root}/{n}").st_blocks * 512 for n in ("holes", "hole")]
        eq((blocks[0] <= 2 << 20, blocks[1] <= 65536), (True, True), f"{form}: {blocks}")
        eq(sorted(os.listdir(root)), ["hole", "holes"], form)
        k.docker("rmi", "sparse:1")


def test_acls_as_text(k):
    """GNU tar --acls and bsdtar write no attributes, but text; a name without a number means nothing here, and is refused."""
    d = tempfile.mkdtemp(dir=k.dir)
    acl = lambda *rows: struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *row) for row in rows)
    none = 0xffffffff
    rights = acl((1, 6, none), (2, 7, 71007), (2, 0, 71008), (4, 4, none), (8, 5, 71009), (0x10, 6, none), (0x20, 0, none))
    os.mkdir(d + "/dir")
    for name in ("file", "dir/in"):
        with open(f"{d}/{name}", "w") as f:
            f.write("x")
    os.setxattr(d + "/file", "system.posix_acl_access", rights)
    os.setxattr(d + "/dir", "system.posix_acl_default", rights)
    layer = subprocess.run(["tar", "-C", d, "--acls", "-c", "file", "dir"], capture_output=True, check=True).stdout
    eq((b"SCHILY.acl.access" in layer, b"SCHILY.acl.default" in layer, b"posix_acl" in layer), (True, True, False))
    k.load(harness.docker_archive([(["acl:1"], harness.image_config([layer]), [layer])]))
    (root,) = k.layer_dirs("acl:1")
    for name in ("file", "dir", "dir/in"):
        want, got = f"{d}/{name}", f"{root}/{name}"
        eq({n: os.getxattr(got, n) for n in os.listxattr(got)}, {n: os.getxattr(want, n) for n in os.listxattr(want)}, name)
        eq(oct(os.stat(got).st_mode), oct(os.stat(want).st_mode), name)
    k.docker("rmi", "acl:1")
    bad = tarfile.TarInfo("f")
    bad.pax_headers = {"SCHILY.acl.access": "user::rw-,user:nobody-here:rwx,group::r--,mask::rwx,other::r--"}
    layer = harness.tar_bytes([(bad, b"x")])
    status, _, body = k.api("POST", "/images/load", harness.docker_archive([(["acl:2"], harness.image_config([layer]), [layer])]))
    has(body.decode(), "an ACL names 'nobody-here' without a number", status)
