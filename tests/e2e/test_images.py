# SPDX-License-Identifier: Apache-2.0
"""Loading archives of every maker, what lands on disk, and the operations on images."""
import gzip
import hashlib
import io
import json
import os
import shutil
import stat
import subprocess
import tarfile
import tempfile
import urllib.parse

import harness
from harness import Failed, Skip, docker_archive, eq, eventually, has, image_config, sha256, tar_bytes


def need(program):
    if not shutil.which(program):
        raise Skip(f"{program} is not installed")


def entry(name, type=tarfile.REGTYPE, **kw):
    info = tarfile.TarInfo(name)
    info.type, info.mode = type, 0o644
    for key, value in kw.items():
        setattr(info, key, value)
    return info


def layer_dir(k, layer):
    return f"{k.data_root}/layers/{sha256(layer)[:26]}"


def small_image(k, tag, *layers, config=None):
    return k.load(docker_archive([([tag], image_config(list(layers), config), list(layers))]))


# ---- makers --------------------------------------------------------------------------------------------

def runs(k, tag):
    eq(k.docker("run", "--rm", "--network", "none", tag, "cat", "/www/index.html").stdout, "hello from kiln\n")


def test_load_docker_archive(k):
    out = k.load(harness.busybox_archive("own:1"))
    eq(out, "Loaded image: own:1\n")
    runs(k, "own:1")


def oci_source(k):
    """An OCI layout in a directory, made by skopeo from our archive."""
    need("skopeo")
    d = tempfile.mkdtemp(dir=k.dir)
    with open(d + "/a.tar", "wb") as f:
        f.write(harness.busybox_archive("src:1"))
    return d


def skopeo(*args):
    p = subprocess.run(["skopeo", "--insecure-policy", *args], capture_output=True, text=True)
    if p.returncode:
        raise Failed(f"skopeo {args}: {p.stderr}")


def test_load_of_a_name_that_means_an_id(k):
    """A tag "sha256:<digits>" would be found before the image that has that ID."""
    k.busybox()
    victim = k.inspect(k.run("-d", "--", "true").stdout.strip())["Image"]
    layer = harness.busybox_layer()
    evil = harness.docker_archive([([victim[:19]], harness.image_config([layer], {"Cmd": ["echo", "evil"]}), [layer])])
    status, _, body = k.api("POST", "/images/load", evil, {"Content-Type": "application/x-tar"})
    has(body.decode(), "refusing to create an ambiguous tag using digest algorithm as name", status)
    eq(k.api_json("GET", f"/images/{victim[:19]}/json", want=200)["Id"], victim)
    has(k.docker("tag", "busybox", victim[:19], check=False).stderr, "ambiguous tag")


def load_file(k, path):
    return k.docker("load", "-i", path).stdout


def test_load_skopeo_docker_archive(k):
    d = oci_source(k)
    skopeo("copy", f"docker-archive:{d}/a.tar", f"docker-archive:{d}/b.tar:sk:docker")
    has(load_file(k, d + "/b.tar"), "Loaded image: sk:docker")
    runs(k, "sk:docker")


def test_load_skopeo_oci_archive(k):
    d = oci_source(k)
    skopeo("copy", f"docker-archive:{d}/a.tar", f"oci-archive:{d}/b.tar:sk:oci")
    has(load_file(k, d + "/b.tar"), "Loaded image: sk:oci")
    runs(k, "sk:oci")


def buildah(k, *args):
    root = k.dir + "/containers-storage"
    return subprocess.run(["buildah", "--root", root, "--runroot", root + "-run", "--storage-driver", "vfs", *args], capture_output=True, text=True)


def test_load_buildah_oci_archive(k):
    need("buildah")
    d = oci_source(k)
    p = buildah(k, "pull", f"docker-archive:{d}/a.tar")
    if p.returncode:
        raise Failed(p.stderr)
    p = buildah(k, "push", p.stdout.strip().splitlines()[-1], f"oci-archive:{d}/b.tar:bh:1")
    if p.returncode:
        raise Failed(p.stderr)
    has(load_file(k, d + "/b.tar"), "bh:1")
    runs(k, "bh:1")


def podman(k, *args):
    root = k.dir + "/podman-storage"
    return subprocess.run(["podman", "--root", root, "--runroot", root + "-run", "--storage-driver", "vfs", "--cgroup-manager=cgroupfs",
                           "--events-backend=file", *args], capture_output=True, text=True)


def podman_save(k, fmt):
    need("podman")
    d = oci_source(k)
    p = podman(k, "load", "-i", d + "/a.tar")
    if p.returncode:
        raise Failed(p.stderr)
    name = p.stdout.strip().splitlines()[-1].split()[-1]
    p = podman(k, "save", "--format", fmt, "-o", d + "/b.tar", name)
    if p.returncode:
        raise Failed(p.stderr)
    out = load_file(k, d + "/b.tar")
    return out.strip().split(": ", 1)[1]


def test_load_podman_docker_archive(k):
    runs(k, podman_save(k, "docker-archive"))


def test_load_podman_oci_archive(k):
    runs(k, podman_save(k, "oci-archive"))


def test_load_plain_layers(k):
    eq(small_image(k, "plain:1", harness.busybox_layer()), "Loaded image: plain:1\n")


def test_load_gzip_layers(k):
    plain = harness.busybox_layer()
    packed = gzip.compress(plain, mtime=0)
    config = image_config([plain])
    k.load(tar_bytes([("l.tar.gz", packed), (sha256(config) + ".json", config),
                      ("manifest.json", json.dumps([{"Config": sha256(config) + ".json", "RepoTags": ["gz:1"], "Layers": ["l.tar.gz"]}]).encode())]))
    runs(k, "gz:1")


def test_load_gzip_archive(k):
    k.load(gzip.compress(harness.busybox_archive("whole:gz")))
    runs(k, "whole:gz")


def test_load_several_images_in_one_file(k):
    base = harness.busybox_layer()
    extra = tar_bytes([("only-b", b"b\n")])
    out = k.load(docker_archive([(["several:a", "several:alias"], image_config([base]), [base]), (["several:b"], image_config([base, extra]), [base, extra])]))
    eq(sorted(out.splitlines()), ["Loaded image: several:a", "Loaded image: several:alias", "Loaded image: several:b"])
    runs(k, "several:a")
    eq(k.docker("run", "--rm", "--network", "none", "several:b", "cat", "/only-b").stdout, "b\n")


def test_load_untagged_image(k):
    layer = tar_bytes([("f", b"x")])
    config = image_config([layer])
    has(k.load(docker_archive([([], config, [layer])])), "Loaded image ID: sha256:" + sha256(config))
    k.docker("rmi", "sha256:" + sha256(config))


def test_load_again_changes_nothing(k):
    small_image(k, "again:1", tar_bytes([("f", b"again")]))
    before = sorted(k.docker("images", "--no-trunc").stdout.splitlines())
    small_image(k, "again:1", tar_bytes([("f", b"again")]))
    eq(sorted(k.docker("images", "--no-trunc").stdout.splitlines()), before)


def test_blobs_are_content_addressed(k):
    layer = tar_bytes([("f", b"addressed")])
    config = image_config([layer])
    small_image(k, "addr:1", layer)
    for data in (layer, config):
        with open(f"{k.data_root}/blobs/sha256/{sha256(data)}", "rb") as f:
            eq(f.read(), data)


def test_shared_layer_is_stored_once(k):
    base = tar_bytes([("base", b"shared base")])
    a, b = tar_bytes([("a", b"a")]), tar_bytes([("b", b"b")])
    before = set(os.listdir(k.data_root + "/layers"))
    small_image(k, "share:a", base, a)
    small_image(k, "share:b", base, b)
    eq(len(set(os.listdir(k.data_root + "/layers")) - before), 3)
    k.docker("rmi", "share:a")
    eq(os.path.exists(layer_dir(k, base)), True)
    eventually("the layer's directory is gone", lambda: not os.path.exists(layer_dir(k, a)))
    k.docker("rmi", "share:b")
    eventually("only what was there is there", lambda: set(os.listdir(k.data_root + "/layers")) == before)


# ---- what is refused --------------------------------------------------------------------------------------

def refused(k, archive, part=""):
    with tempfile.NamedTemporaryFile(dir=k.dir) as f:
        f.write(archive)
        f.flush()
        p = k.docker("load", "-i", f.name, check=False)
    if p.returncode == 0:
        raise Failed(f"loaded: {p.stdout}")
    has(p.stdout + p.stderr, part)
    eq(os.listdir(k.data_root + "/tmp"), [])
    eq(k.api("GET", "/_ping")[0], 200)
    return p.stdout + p.stderr


def test_load_wrong_diff_id_is_refused(k):
    layer, other = tar_bytes([("f", b"1")]), tar_bytes([("f", b"2")])
    before = set(os.listdir(k.data_root + "/layers"))
    refused(k, docker_archive([(["bad:1"], image_config([other]), [layer])]), "sha256")
    eq(set(os.listdir(k.data_root + "/layers")), before)
    eq(k.api("GET", "/images/bad:1/json")[0], 404)


def oci_archive(blobs, index):
    entries = [("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'), ("index.json", json.dumps(index).encode())]
    return tar_bytes(entries + [("blobs/sha256/" + name, data) for name, data in blobs])


def oci_parts(layer):
    config = image_config([layer])
    manifest = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                           "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "sha256:" + sha256(config), "size": len(config)},
                           "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": "sha256:" + sha256(layer), "size": len(layer)}]}).encode()
    index = {"schemaVersion": 2, "manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "sha256:" + sha256(manifest),
                                                "size": len(manifest), "annotations": {"org.opencontainers.image.ref.name": "oci:1"}}]}
    return config, manifest, index


def test_load_wrong_blob_digest_is_refused(k):
    layer = tar_bytes([("f", b"right")])
    config, manifest, index = oci_parts(layer)
    good = [(sha256(config), config), (sha256(manifest), manifest), (sha256(layer), layer)]
    for i, name in enumerate(("config", "manifest", "layer")):
        blobs = list(good)
        blobs[i] = (blobs[i][0], blobs[i][1][:-1] + b" ")
        refused(k, oci_archive(blobs, index), "sha256")
    k.load(oci_archive(good, index))
    k.docker("rmi", "oci:1")


def test_layer_that_is_there_does_not_vouch_for_a_blob(k):
    """Of a layer that is there no byte is looked at: then no byte is taken either."""
    layer = tar_bytes([("f", b"right")])
    config, manifest, index = oci_parts(layer)
    good = [(sha256(config), config), (sha256(manifest), manifest), (sha256(layer), layer)]
    bad = [*good[:2], (good[2][0], layer[:-1] + b" ")]
    path = f"{k.data_root}/blobs/sha256/{good[2][0]}"
    k.load(oci_archive(good, index))
    k.load(oci_archive(bad, index))
    with open(path, "rb") as f:
        eq(sha256(f.read()), good[2][0])
    os.unlink(path)
    p = k.docker("load", input=oci_archive(bad, index), check=False)
    eq((p.returncode, os.path.exists(path)), (1, False))
    has(p.stderr.decode(), f"'blobs/sha256/{good[2][0]}' has the digest sha256:{sha256(bad[2][1])}")
    k.load(oci_archive(good, index))
    eq(os.path.exists(path), True)
    k.docker("rmi", "oci:1")


def test_ambiguous_document_is_refused(k):
    layer = tar_bytes([("f", b"x")])
    config, manifest, index = oci_parts(layer)
    both = json.loads(manifest)
    both["manifests"] = index["manifests"]
    both = json.dumps(both).encode()
    index["manifests"][0].update(digest="sha256:" + sha256(both), size=len(both))
    refused(k, oci_archive([(sha256(config), config), (sha256(both), both), (sha256(layer), layer)], index))


def test_truncated_archive(k):
    whole = harness.busybox_archive("trunc:1")
    for n in (0, 1, 511, 512, 1000, len(whole) // 2, len(whole) - 12000):   # the last 10 KiB may be padding
        refused(k, whole[:n])
    packed = gzip.compress(whole)
    for n in (10, len(packed) // 2, len(packed) - 4):
        refused(k, packed[:n])


def test_malformed_archives(k):
    layer = tar_bytes([("f", b"x")])
    config = image_config([layer])
    good = json.dumps([{"Config": sha256(config) + ".json", "RepoTags": ["m:1"], "Layers": ["l.tar"]}])
    for manifest in ("", "{}", "[{}]", "[{\"Config\":7}]", good.replace("l.tar", "../../etc/passwd"), good.replace("l.tar", "/etc/passwd"),
                     good.replace("m:1", "UPPER CASE:1"), good.replace("m:1", "../../x"), "[" * 1000, good[:-5]):
        refused(k, tar_bytes([("l.tar", layer), (sha256(config) + ".json", config), ("manifest.json", manifest.encode())]))
    refused(k, tar_bytes([("something", b"else")]))
    refused(k, b"not a tar at all" * 100)
    wrong = json.loads(config)
    wrong["rootfs"]["diff_ids"] = ["sha256:../../../../tmp/x"]
    wrong = json.dumps(wrong).encode()
    refused(k, docker_archive([(["m:2"], wrong, [layer])]))


# ---- traversal ----------------------------------------------------------------------------------------------

def victim(k):
    d = k.dir + "/victim"
    os.makedirs(d, exist_ok=True)
    with open(d + "/marker", "w") as f:
        f.write("untouched")
    os.chmod(d + "/marker", 0o600)
    return d


def untouched(d):
    eq(os.listdir(d), ["marker"])
    with open(d + "/marker") as f:
        eq(f.read(), "untouched")
    eq(stat.S_IMODE(os.stat(d + "/marker").st_mode), 0o600)


def attack(k, tag, *entries):
    """Loads a layer that attacks; whether it is refused or contained, the host is untouched."""
    d = victim(k)
    layer = tar_bytes(list(entries))
    with tempfile.NamedTemporaryFile(dir=k.dir) as f:
        f.write(docker_archive([([tag], image_config([layer]), [layer])]))
        f.flush()
        k.docker("load", "-i", f.name, check=False)
    untouched(d)
    eq(k.api("GET", "/_ping")[0], 200)


def test_traversal_by_name(k):
    up = "../" * 30 + k.dir.lstrip("/") + "/victim/"
    attack(k, "t:n1", (entry(up + "evil"), b"x"))
    attack(k, "t:n2", (entry(k.dir + "/victim/evil"), b"x"))
    attack(k, "t:n3", (entry("a/" + up + "marker"), b"overwritten"))
    attack(k, "t:n4", (entry("a/../../" + up + "evil", tarfile.DIRTYPE), None))


def test_traversal_by_symlink(k):
    v = k.dir + "/victim"
    attack(k, "t:s1", (entry("link", tarfile.SYMTYPE, linkname=v), None), (entry("link/evil"), b"x"))
    attack(k, "t:s2", (entry("link", tarfile.SYMTYPE, linkname="../" * 30 + v.lstrip("/")), None), (entry("link/marker"), b"x"))
    attack(k, "t:s3", (entry("f", tarfile.SYMTYPE, linkname=v + "/marker"), None), (entry("f", mode=0o777), b"x"))
    attack(k, "t:s4", (entry("d", tarfile.SYMTYPE, linkname=v), None), (entry("d", tarfile.DIRTYPE, mode=0o777), None))
    attack(k, "t:s5", (entry(".", tarfile.SYMTYPE, linkname=v), None), (entry("evil"), b"x"))


def test_traversal_by_hard_link(k):
    v = k.dir + "/victim"
    attack(k, "t:h1", (entry("h", tarfile.LNKTYPE, linkname="../" * 30 + v.lstrip("/") + "/marker"), None), (entry("h", mode=0o777), b"x"))
    attack(k, "t:h2", (entry("h", tarfile.LNKTYPE, linkname=v + "/marker"), None), (entry("h", mode=0o777), b"x"))
    attack(k, "t:h3", (entry("l", tarfile.SYMTYPE, linkname=v), None), (entry("h", tarfile.LNKTYPE, linkname="l/marker"), None), (entry("h"), b"x"))


def test_traversal_by_whiteout(k):
    v = k.dir + "/victim"
    attack(k, "t:w1", (entry("../" * 30 + v.lstrip("/") + "/.wh.marker"), b""))
    attack(k, "t:w2", (entry("l", tarfile.SYMTYPE, linkname=v), None), (entry("l/.wh.marker"), b""))
    attack(k, "t:w3", (entry("l", tarfile.SYMTYPE, linkname=v), None), (entry("l/.wh..wh..opq"), b""))
    attack(k, "t:w4", (entry(".wh..."), b""), (entry(".wh.."), b""), (entry(".wh."), b""))


# ---- exactness --------------------------------------------------------------------------------------------------

def test_unpack_owners_modes_times(k):
    layer = tar_bytes([
        (entry("d", tarfile.DIRTYPE, mode=0o1750, uid=7, gid=8, mtime=1000000000), None),
        (entry("d/f", mode=0o4755, uid=1000, gid=50, mtime=1234567890), b"data"),
        (entry("d/none", mode=0, uid=70000, gid=70001, mtime=1), b""),
        (entry("l", tarfile.SYMTYPE, linkname="d/f", uid=9, gid=10, mtime=1111111111), None),
        (entry("caf\u00e9 \u2713", mtime=5), b"utf8"),
    ])
    small_image(k, "omt:1", layer)
    root = layer_dir(k, layer)

    def of(name):
        s = os.lstat(f"{root}/{name}")
        return stat.S_IMODE(s.st_mode), s.st_uid, s.st_gid, int(s.st_mtime)

    eq(of("d"), (0o1750, 7, 8, 1000000000))
    eq(of("d/f"), (0o4755, 1000, 50, 1234567890))
    eq(of("d/none"), (0, 70000, 70001, 1))
    eq(of("l")[1:], (9, 10, 1111111111))
    eq(of("caf\u00e9 \u2713")[3], 5)


def test_unpack_hard_links(k):
    layer = tar_bytes([(entry("a", mode=0o600), b"same"), (entry("b", tarfile.LNKTYPE, linkname="a"), None), (entry("d", tarfile.DIRTYPE, mode=0o755), None),
                       (entry("d/c", tarfile.LNKTYPE, linkname="./a"), None)])
    small_image(k, "hl:1", layer)
    s = os.stat(layer_dir(k, layer) + "/a")
    eq(s.st_nlink, 3)
    eq(os.stat(layer_dir(k, layer) + "/d/c").st_ino, s.st_ino)


def test_unpack_devices(k):
    layer = tar_bytes([(entry("null", tarfile.CHRTYPE, mode=0o666, devmajor=1, devminor=3), None), (entry("blk", tarfile.BLKTYPE, devmajor=7, devminor=9), None),
                       (entry("fifo", tarfile.FIFOTYPE, mode=0o620), None)])
    small_image(k, "dev:1", layer)
    root = layer_dir(k, layer)
    s = os.stat(root + "/null")
    eq((stat.S_ISCHR(s.st_mode), s.st_rdev, stat.S_IMODE(s.st_mode)), (True, os.makedev(1, 3), 0o666))
    s = os.stat(root + "/blk")
    eq((stat.S_ISBLK(s.st_mode), s.st_rdev), (True, os.makedev(7, 9)))
    s = os.stat(root + "/fifo")
    eq((stat.S_ISFIFO(s.st_mode), stat.S_IMODE(s.st_mode)), (True, 0o620))


def test_unpack_xattrs(k):
    info = entry("f", mode=0o755)
    caps = b"\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"   # cap_net_bind_service=ep
    info.pax_headers = {"SCHILY.xattr.user.note": "hello"}
    raw = entry("cap", mode=0o755)
    raw.pax_headers = {"SCHILY.xattr.security.capability": caps.decode("latin-1")}
    layer = tar_bytes([(info, b"x"), (raw, b"x")])
    # tarfile writes pax values as UTF-8; these bytes are below 0x80, so that they are what they seem
    small_image(k, "xa:1", layer)
    root = layer_dir(k, layer)
    eq(os.getxattr(root + "/f", "user.note"), b"hello")
    eq(os.getxattr(root + "/cap", "security.capability"), caps)


def test_overlay_xattrs_of_an_image_are_not_taken(k):
    info = entry("d", tarfile.DIRTYPE, mode=0o755)
    info.pax_headers = {"SCHILY.xattr.trusted.overlay.opaque": "y", "SCHILY.xattr.trusted.overlay.redirect": "/etc"}
    layer = tar_bytes([(info, None), (entry("d/f"), b"x")])
    with tempfile.NamedTemporaryFile(dir=k.dir) as f:
        f.write(docker_archive([(["ox:1"], image_config([layer]), [layer])]))
        f.flush()
        p = k.docker("load", "-i", f.name, check=False)
    if p.returncode == 0:
        eq(os.listxattr(layer_dir(k, layer) + "/d"), [])


def test_unpack_whiteouts(k):
    base = harness.busybox_layer()
    lower = tar_bytes([("dir", None), ("dir/old", b"old"), ("dir/keep", b"keep"), ("gone", b"gone"), ("opq", None), ("opq/a", b"a"), ("opq/b", b"b"), ("sub", None), ("sub/x", b"x")])
    upper = tar_bytes([("dir", None), ("dir/.wh.old", b""), (".wh.gone", b""), ("opq", None), ("opq/.wh..wh..opq", b""), ("opq/c", b"c"), (".wh.sub", b"")])
    small_image(k, "wh:1", base, lower, upper)
    out = k.docker("run", "--rm", "--network", "none", "wh:1", "sh", "-c", "ls /dir; ls /opq; ls -d /gone /sub 2>/dev/null; true").stdout
    eq(out.split(), ["keep", "c"])
    top = k.layer_dirs("wh:1")[2]
    s = os.lstat(top + "/gone")
    eq((stat.S_ISCHR(s.st_mode), s.st_rdev), (True, 0))
    eq(os.getxattr(top + "/opq", "trusted.overlay.opaque"), b"y")


def test_a_file_replaces_a_directory_and_back(k):
    base = harness.busybox_layer()
    one = tar_bytes([("x", None), ("x/inner", b"1"), ("y", b"file")])
    two = tar_bytes([("x", b"now a file"), ("y", None), ("y/inner", b"2")])
    small_image(k, "rep:1", base, one, two)
    eq(k.docker("run", "--rm", "--network", "none", "rep:1", "sh", "-c", "cat /x /y/inner").stdout, "now a file2")


def test_layer_is_unpacked_in_its_own_process(k):
    """A load under strace: the process that reads the layer has no network, six capabilities, and no way to mount."""
    big = tar_bytes([(f"f{i}", os.urandom(200_000)) for i in range(60)])
    archive = docker_archive([(["role:1"], image_config([big]), [big])])
    path = k.dir + "/role.tar"
    with open(path, "wb") as f:
        f.write(archive)
    seen = {}
    p = k.popen("load", "-i", path, stdout=subprocess.DEVNULL)
    while p.poll() is None:
        for pid in harness.descendants_of(k.proc.pid):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    cmd = f.read()
                with open(f"/proc/{pid}/status") as f:
                    status = dict(l.split(":\t", 1) for l in f.read().splitlines() if ":\t" in l)
                if b"unpack" in cmd and int(status["CapEff"], 16) not in (0, seen.get("full")):
                    seen.setdefault("caps", set()).add(int(status["CapEff"], 16))
                    # A sanitized one has no filter: the sanitizers need more calls than it leaves.
                    if status["Seccomp"] == "2" or harness.IS_SANITIZED and status["CapEff"].strip("0") != "" \
                            and int(status["CapEff"], 16).bit_count() <= 6:
                        seen["net"] = os.readlink(f"/proc/{pid}/ns/net")
                        seen["caps at work"] = int(status["CapEff"], 16)
            except (OSError, KeyError, ValueError):
                continue
    os.unlink(path)
    if "net" not in seen:
        raise Failed(f"no unpack process with a filter was seen: {seen}")
    if seen["net"] == os.readlink("/proc/self/ns/net"):
        raise Failed("unpack is in the host's network")
    allowed = 1 << 0 | 1 << 1 | 1 << 3 | 1 << 4 | 1 << 27 | 1 << 31   # chown dac_override fowner fsetid mknod setfcap
    if seen["caps at work"] & ~allowed:
        raise Failed(f"unpack has capabilities {seen['caps at work']:x}")


# ---- operations ----------------------------------------------------------------------------------------------------

def test_images_lists_what_was_loaded(k):
    small_image(k, "list:1", tar_bytes([("f", b"x" * 1000)]))
    out = k.docker("images", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}").stdout
    has(out, "list:1 ")
    i = [x for x in k.api_json("GET", "/images/json", want=200) if x["RepoTags"] == ["list:1"]][0]
    for field in ("Id", "ParentId", "RepoTags", "RepoDigests", "Created", "Size", "SharedSize", "Labels", "Containers"):
        has(i, field)
    eq(k.docker("images", "-q", "--filter", "reference=list*").stdout.strip(), i["Id"][7:19])
    has(k.api_json("GET", "/v1.41/images/json", want=200)[0], "VirtualSize")


def test_images_of_one_name(k):
    """The filter by reference is for digests, too: an image's other names are not shown."""
    layer = tar_bytes([("f", b"two names")])
    config, manifest, index = oci_parts(layer)
    k.load(oci_archive([(sha256(config), config), (sha256(manifest), manifest), (sha256(layer), layer)], index))
    k.docker("tag", "oci:1", "other:2")
    digest = "sha256:" + sha256(manifest)
    for pattern, tags, digests in (("other", ["other:2"], ["other@" + digest]), ("oci:1", ["oci:1"], []), ("ot*:2", ["other:2"], []),
                                   ("oci@" + digest, [], ["oci@" + digest]), ("o[ct]*", ["oci:1", "other:2"], ["oci@" + digest, "other@" + digest])):
        rows = k.api_json("GET", "/images/json?filters=" + urllib.parse.quote(json.dumps({"reference": [pattern]})), want=200)
        eq([(r["RepoTags"], r["RepoDigests"]) for r in rows], [(tags, digests)], pattern)
    eq(k.docker("images", "--format", "{{.Repository}}:{{.Tag}}", "other").stdout, "other:2\n")
    i = k.api_json("GET", "/images/oci:1/json", want=200)
    eq((i["RepoTags"], i["RepoDigests"]), (["oci:1", "other:2"], ["oci@" + digest, "other@" + digest]))
    k.docker("rmi", "oci:1", "other:2")


def test_image_inspect(k):
    layer = tar_bytes([("f", b"insp")])
    config = {"Cmd": ["/x"], "Env": ["A=b"], "Labels": {"l": "v"}, "WorkingDir": "/w", "User": "7", "ExposedPorts": {"80/tcp": {}}, "StopSignal": "SIGUSR1"}
    small_image(k, "insp:1", layer, config=config)
    i = k.api_json("GET", "/images/insp:1/json", want=200)
    eq(i["Id"], "sha256:" + sha256(image_config([layer], config)))
    eq((i["Config"]["Cmd"], i["Config"]["Env"], i["Config"]["WorkingDir"], i["Config"]["User"]), (["/x"], ["A=b"], "/w", "7"))
    eq(i["RootFS"], {"Type": "layers", "Layers": ["sha256:" + sha256(layer)]})
    eq((i["Os"], i["Architecture"], i["RepoTags"]), ("linux", "amd64", ["insp:1"]))
    eq(k.docker("inspect", "-f", "{{.Config.StopSignal}}", "insp:1").stdout, "SIGUSR1\n")
    for ref in (i["Id"], i["Id"][7:], i["Id"][7:19], "docker.io/library/insp:1"):
        eq(k.api_json("GET", f"/images/{ref}/json", want=200)["Id"], i["Id"], ref)


def test_image_history(k):
    small_image(k, "hist:1", tar_bytes([("a", b"1")]), tar_bytes([("b", b"2")]))
    h = k.api_json("GET", "/images/hist:1/history", want=200)
    eq([x["CreatedBy"] for x in h], ["layer 1", "layer 0"])
    eq(h[0]["Tags"], ["hist:1"])
    k.docker("history", "hist:1")


def test_tag(k):
    small_image(k, "tag:1", tar_bytes([("a", b"t")]))
    k.docker("tag", "tag:1", "other/name:x")
    eq(k.api_json("GET", "/images/other/name:x/json", want=200)["Id"],
       k.api_json("GET", "/images/tag:1/json", want=200)["Id"])
    k.docker("tag", "tag:1", "tag")
    has(k.api_json("GET", "/images/tag:1/json", want=200)["RepoTags"], "tag:latest")
    p = k.docker("tag", "nosuch:1", "x:y", check=False)
    has(p.stderr, "No such image: nosuch:1")
    eq(k.api("POST", "/images/tag:1/tag?repo=UPPER&tag=x")[0], 400)


def test_rmi(k):
    layer = tar_bytes([("a", b"rm")])
    small_image(k, "rm:1", layer)
    k.docker("tag", "rm:1", "rm:2")
    eq(k.docker("rmi", "rm:2").stdout, "Untagged: rm:2\n")
    out = k.docker("rmi", "rm:1").stdout.splitlines()
    eq(out[0], "Untagged: rm:1")
    has(out, "Deleted: sha256:" + sha256(image_config([layer])))
    eventually("layer and blob are gone", lambda: not os.path.exists(layer_dir(k, layer)) and
               not os.path.exists(f"{k.data_root}/blobs/sha256/{sha256(layer)}"))
    p = k.docker("rmi", "rm:1", check=False)
    has(p.stderr, "No such image: rm:1")


def test_rmi_of_a_used_image_is_a_conflict(k):
    k.load(harness.busybox_archive("used:1", extra_layers=[tar_bytes([("mark", b"used")])]))
    k.docker("run", "-d", "--name", "user", "--network", "none", "used:1", "sleep", "1000")
    p = k.docker("rmi", "used:1", check=False)
    eq(p.returncode, 1)
    has(p.stderr, "conflict: unable to remove repository reference \"used:1\" (must force) - container")
    p = k.docker("rmi", "-f", k.inspect("user")["Image"], check=False)
    has(p.stderr, "image is being used by running container")
    k.docker("rm", "-f", "user")
    k.docker("rmi", "used:1")


def test_reload_moves_the_tag(k):
    small_image(k, "move:1", tar_bytes([("a", b"one")]))
    first = k.api_json("GET", "/images/move:1/json", want=200)["Id"]
    small_image(k, "move:1", tar_bytes([("a", b"two")]))
    if k.api_json("GET", "/images/move:1/json", want=200)["Id"] == first:
        raise Failed("the tag did not move")
    eq(k.api_json("GET", f"/images/{first}/json", want=200)["RepoTags"], [])
    eq(k.docker("images", "-q", "--no-trunc", "--filter", "dangling=true").stdout.strip(), first)
    k.docker("rmi", first)


def test_images_survive_a_restart(own):
    k = own.start()
    small_image(k, "keep:1", harness.busybox_layer())
    before = sorted(k.docker("images", "--no-trunc").stdout.splitlines())
    k.kill9()
    k.start()
    eq(sorted(k.docker("images", "--no-trunc").stdout.splitlines()), before)
    runs(k, "keep:1")
