# SPDX-License-Identifier: Apache-2.0
"""Images as files: what save writes, who can read it, and that digests survive the way there and back."""
import gzip
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile

import harness
from harness import Failed, docker_archive, eq, eventually, has, image_config, sha256, tar_bytes
from test_images import load_file, need, podman, skopeo


def save(k, *names):
    path = tempfile.mkdtemp(dir=k.dir) + "/saved.tar"
    k.docker("save", "-o", path, *names)
    return path


def members(path):
    """Names and bytes; a name that comes twice is an error."""
    with tarfile.open(path, "r:") as t:
        infos = t.getmembers()
        names = [i.name for i in infos]
        eq(sorted(set(names)), sorted(names), "members")
        for i in infos:
            eq((i.mtime, i.uid, i.gid), (0, 0, 0), i.name)
        return {i.name: t.extractfile(i).read() for i in infos if i.isreg()}


def blobs_of(path):
    found = {name.split("/")[-1]: data for name, data in members(path).items() if name.startswith("blobs/sha256/")}
    for digest, data in found.items():
        eq(sha256(data), digest, "blob")
    return found


def two_layers(tag, pack=lambda b: b):
    """A docker-archive, its configuration and its layers as they are in it."""
    layers = [harness.busybox_layer(), tar_bytes([("etc/name", tag.encode())])]
    config = image_config(layers)
    packed = [pack(layer) for layer in layers]
    entries = [(f"l{n}.tar", data) for n, data in enumerate(packed)]
    entries += [("c.json", config),
                ("manifest.json", json.dumps([{"Config": "c.json", "RepoTags": [tag], "Layers": ["l0.tar", "l1.tar"]}]).encode())]
    return tar_bytes(entries), config, packed


def test_save_has_both_layouts(k):
    archive, config, layers = two_layers("sv:both")
    k.load(archive)
    files = members(save(k, "sv:both"))
    eq(sorted(n for n in files if "/" not in n), ["index.json", "manifest.json", "oci-layout"])
    (docker,) = json.loads(files["manifest.json"])
    eq(docker, {"Config": "blobs/sha256/" + sha256(config), "RepoTags": ["sv:both"], "Layers": ["blobs/sha256/" + sha256(y) for y in layers]})
    eq(json.loads(files["oci-layout"]), {"imageLayoutVersion": "1.0.0"})
    (row,) = json.loads(files["index.json"])["manifests"]
    eq(row["annotations"], {"io.containerd.image.name": "docker.io/library/sv:both", "org.opencontainers.image.ref.name": "both"})
    manifest = files["blobs/sha256/" + row["digest"].split(":")[1]]
    eq(len(manifest), row["size"])
    manifest = json.loads(manifest)
    eq(manifest["config"]["digest"], "sha256:" + sha256(config))
    eq([(y["digest"], y["size"], y["mediaType"]) for y in manifest["layers"]],
       [("sha256:" + sha256(y), len(y), "application/vnd.oci.image.layer.v1.tar") for y in layers])


def test_save_is_the_same_each_time(k):
    k.load(two_layers("sv:same")[0])
    first, second = save(k, "sv:same"), save(k, "sv:same")
    with open(first, "rb") as a, open(second, "rb") as b:
        eq(sha256(a.read()), sha256(b.read()))


def round_trip(own, archive, tag):
    """load, save, remove, load, save: the same blobs, and the same bytes"""
    own.start()
    own.load(archive)
    first = save(own, tag)
    before = own.api_json("GET", f"/images/{tag}/json", want=200)
    own.docker("rmi", tag)
    eventually("blobs are gone", lambda: not os.listdir(own.data_root + "/blobs/sha256"))
    load_file(own, first)
    after = own.api_json("GET", f"/images/{tag}/json", want=200)
    eq(after["Id"], before["Id"])
    eq(after["RootFS"], before["RootFS"])
    eq(blobs_of(save(own, tag)), blobs_of(first))
    with open(first, "rb") as a, open(save(own, tag), "rb") as b:
        eq(sha256(a.read()), sha256(b.read()), "whole archive")
    return blobs_of(first)


def test_round_trip_keeps_plain_layers(own):
    archive, config, layers = two_layers("rt:plain")
    blobs = round_trip(own, archive, "rt:plain")
    for data in [config, *layers]:
        eq(blobs[sha256(data)] == data, True)


def test_round_trip_keeps_gzip_layers(own):
    archive, config, layers = two_layers("rt:gz", lambda b: gzip.compress(b, mtime=0))
    blobs = round_trip(own, archive, "rt:gz")
    for data in [config, *layers]:
        eq(blobs[sha256(data)] == data, True)


def test_round_trip_keeps_zstd_layers(own):
    need("zstd")
    archive, config, layers = two_layers("rt:zst", lambda b: subprocess.run(["zstd", "-c", "-q"], input=b, capture_output=True, check=True).stdout)
    blobs = round_trip(own, archive, "rt:zst")
    for data in [config, *layers]:
        eq(blobs[sha256(data)] == data, True)


def test_round_trip_keeps_the_manifest(own):
    need("skopeo")
    with open(own.dir + "/a.tar", "wb") as f:
        f.write(two_layers("rt:oci")[0])
    skopeo("copy", f"docker-archive:{own.dir}/a.tar", f"oci-archive:{own.dir}/oci.tar:rt:oci")
    with open(own.dir + "/oci.tar", "rb") as f:
        archive = f.read()
    with tarfile.open(own.dir + "/oci.tar") as t:
        want = {os.path.basename(i.name) for i in t.getmembers() if i.isreg() and i.name.lstrip("./").startswith("blobs/sha256/")}
    eq(set(round_trip(own, archive, "rt:oci")), want)


def test_save_several_names_shares_blobs(k):
    k.load(two_layers("sv:a1")[0])
    k.load(two_layers("sv:b1")[0])
    k.docker("tag", "sv:a1", "sv:a2")
    path = save(k, "sv:a1", "sv:a2", "sv:b1")
    files = members(path)   # no member comes twice
    eq([i["RepoTags"] for i in json.loads(files["manifest.json"])], [["sv:a1", "sv:a2"], ["sv:b1"]])
    eq(len(json.loads(files["index.json"])["manifests"]), 3)
    eq(len(blobs_of(path)), 1 + 2 + 2 + 2)   # busybox once, a layer, a configuration and a manifest of each
    k.docker("rmi", "sv:a1", "sv:a2", "sv:b1")
    out = load_file(k, path)
    for tag in ("sv:a1", "sv:a2", "sv:b1"):
        has(out, f"Loaded image: {tag}\n")


def test_save_of_a_repository_has_all_its_tags(k):
    k.load(two_layers("many/tags:1")[0])
    k.docker("tag", "many/tags:1", "many/tags:2")
    k.docker("tag", "many/tags:1", "other/name:1")
    (image,) = json.loads(members(save(k, "many/tags"))["manifest.json"])
    eq(image["RepoTags"], ["many/tags:1", "many/tags:2"])


def test_save_by_id_has_no_name(k):
    k.load(two_layers("sv:id")[0])
    image = k.docker("images", "-q", "--no-trunc", "sv:id").stdout.strip()
    (row,) = json.loads(members(save(k, image))["manifest.json"])
    eq(row["RepoTags"], [])
    (row,) = json.loads(members(save(k, image[7:19]))["manifest.json"])
    eq(row["Config"], "blobs/sha256/" + image[7:])


def test_save_of_what_is_not_there(k):
    k.busybox()
    p = k.docker("save", "-o", k.dir + "/none.tar", "busybox", "no-such:1", check=False)
    has(p.stderr, "No such image: no-such:1")
    eq(k.api("GET", "/images/get")[0], 400)


def test_save_is_read_by_skopeo(k):
    need("skopeo")
    k.load(two_layers("sv:skopeo")[0])
    path = save(k, "sv:skopeo")
    image = k.api_json("GET", "/images/sv:skopeo/json", want=200)
    p = subprocess.run(["skopeo", "inspect", "--config", "--raw", f"docker-archive:{path}"], capture_output=True)
    if p.returncode:
        raise Failed(p.stderr.decode())
    eq("sha256:" + sha256(p.stdout), image["Id"])
    skopeo("copy", f"docker-archive:{path}", f"oci-archive:{path}.oci:x")
    skopeo("copy", f"oci-archive:{path}", f"docker-archive:{path}.docker:y:1")


def test_save_is_read_by_podman(k):
    need("podman")
    k.load(two_layers("sv:podman", lambda b: gzip.compress(b, mtime=0))[0])
    p = podman(k, "load", "-i", save(k, "sv:podman"))
    if p.returncode:
        raise Failed(p.stderr)
    has(p.stdout, "sv:podman")
    p = podman(k, "image", "inspect", "--format", "{{.Id}}", "sv:podman")
    eq("sha256:" + p.stdout.strip(), k.api_json("GET", "/images/sv:podman/json", want=200)["Id"])


def big_image(k, tag, n_bytes):
    layer = tar_bytes([("big", os.urandom(1 << 20) * (n_bytes >> 20))])
    k.load(docker_archive([([tag], image_config([layer]), [layer])]))
    return sha256(layer)


def test_save_waits_for_its_reader(k):
    """A client that does not read costs no memory, and one that goes away ends the reply."""
    big_image(k, "sv:big", 64 << 20)

    def resident():
        with open(f"/proc/{k.proc.pid}/status") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))

    before = resident()
    sock = k.connect()
    sock.sendall(b"GET /images/sv:big/get HTTP/1.1\r\nHost: x\r\n\r\n")
    has(sock.recv(4096).decode("latin-1"), "200 OK")
    eq(k.api("GET", "/_ping")[0], 200)
    if not harness.IS_SANITIZED and resident() - before > 16 << 10:
        raise Failed(f"kilnd grew by {resident() - before} KiB")
    sock.close()
    k.docker("rmi", "sv:big")
    eventually("the blobs go when nobody reads them", lambda: "sv:big" not in k.docker("images").stdout)


def test_save_goes_on_while_its_image_is_removed(k):
    layer = big_image(k, "sv:gone", 16 << 20)
    sock = k.connect()
    sock.sendall(b"GET /images/sv:gone/get HTTP/1.0\r\nHost: x\r\n\r\n")
    first = sock.recv(4096)
    k.docker("rmi", "sv:gone")
    data = first.split(b"\r\n\r\n", 1)[1] + harness.read_all(sock)
    with tarfile.open(fileobj=io.BytesIO(data)) as t:
        eq(sha256(t.extractfile("blobs/sha256/" + layer).read()), layer)
    eventually("the blob goes", lambda: not os.path.exists(f"{k.data_root}/blobs/sha256/{layer}"))


# ---- import ---------------------------------------------------------------------------------------------

def import_tar(k, data, *args):
    """docker import; returns the ID"""
    path = tempfile.mkdtemp(dir=k.dir) + "/root.tar"
    with open(path, "wb") as f:
        f.write(data)
    return k.docker("import", *args[:-1], path, args[-1]).stdout.strip()


def test_import_gives_an_image_of_one_layer(k):
    layer = harness.busybox_layer()
    image = import_tar(k, layer, "-c", 'CMD ["cat", "/www/index.html"]', "-c", "ENV A=1 B='x y'", "-c", "LABEL who=me",
                       "-c", "EXPOSE 80", "-c", "WORKDIR /www", "-c", "USER 0", "-c", "STOPSIGNAL SIGINT", "-c", "ONBUILD RUN make  x", "imp:1")
    got = k.api_json("GET", "/images/imp:1/json", want=200)
    eq(got["Id"], image)
    eq(got["RootFS"], {"Type": "layers", "Layers": ["sha256:" + sha256(layer)]})
    eq(got["Comment"], "Imported from -")
    eq(got["Config"]["Cmd"], ["cat", "/www/index.html"])
    eq(got["Config"]["Env"], ["A=1", "B=x y"])
    eq(got["Config"]["Labels"], {"who": "me"})
    eq(got["Config"]["WorkingDir"], "/www")
    eq(got["Config"]["OnBuild"], ["RUN make  x"])
    (step,) = k.api_json("GET", "/images/imp:1/history", want=200)
    eq(step["Comment"], "Imported from -")
    eq(k.docker("run", "--rm", "--network", "none", "imp:1").stdout, "hello from kiln\n")
    eq(k.docker("run", "--rm", "--network", "none", "imp:1", "sh", "-c", "echo $A:$B:$PWD").stdout, "1:x y:/www\n")


def test_import_of_packed_tars(k):
    need("zstd")
    layer = harness.busybox_layer()
    zstd = subprocess.run(["zstd", "-c", "-q"], input=layer, capture_output=True, check=True).stdout
    for n, data in enumerate([gzip.compress(layer), zstd]):
        import_tar(k, data, "-m", "mine", f"imp:packed{n}")
        got = k.api_json("GET", f"/images/imp:packed{n}/json", want=200)
        eq(got["RootFS"]["Layers"], ["sha256:" + sha256(layer)])
        eq(got["Comment"], "mine")
        eq(sha256(data) in blobs_of(save(k, f"imp:packed{n}")), True, "the blob is what came")
        eq(k.docker("run", "--rm", "--network", "none", f"imp:packed{n}", "echo", "ok").stdout, "ok\n")


def test_import_takes_this_machines_platform(k):
    layer = tar_bytes([("f", b"x")])
    for platform in ("linux", "linux/amd64", "amd64"):
        image = import_tar(k, layer, "--platform", platform, "imp:platform")
        got = k.api_json("GET", f"/images/{image}/json", want=200)
        eq((got["Os"], got["Architecture"]), ("linux", "amd64"))


def test_import_from_stdin_without_a_name(k):
    image = k.docker("import", "-", input=harness.busybox_layer()).stdout.strip()
    eq(k.api_json("GET", f"/images/{image}/json", want=200)["RepoTags"], [])
    k.docker("rmi", image)


def test_import_saves_and_loads_again(own):
    own.start()
    image = import_tar(own, harness.busybox_layer(), "imp:again")
    path = save(own, "imp:again")
    own.docker("rmi", "imp:again")
    load_file(own, path)
    eq(own.api_json("GET", "/images/imp:again/json", want=200)["Id"], image)


def test_import_refuses_by_name(own):
    own.start()
    root = harness.busybox_layer()

    def refused(query, status, text, body=root):
        got = own.api("POST", "/images/create?" + query, body)
        has(json.loads(got[-1])["message"], text)
        eq(got[0], status)

    refused("fromImage=busybox&tag=latest", 501, "pull is refused", b"")
    refused("fromSrc=http://127.0.0.1/x.tar", 501, "import is refused from anywhere but", b"")
    refused("fromSrc=-&changes=RUN+true", 501, "RUN is not a valid change command")
    refused("fromSrc=-&changes=ENV+x", 400, "ENV: expected name=value")
    refused("fromSrc=-&repo=UPPER", 400, "invalid reference format")
    refused("fromSrc=-&platform=linux/s390x", 501, "platform")
    refused("fromSrc=-&repo=bad:1", 400, "", b"this is no tar" * 100)
    eq(own.docker("images", "-aq").stdout, "")
    eventually("nothing is left", lambda: not any(own.stored(d) for d in ("tmp", "layers", "blobs/sha256")))


def test_import_that_is_cut_off_leaves_nothing(own):
    own.start()
    sock = own.connect()
    sock.sendall(b"POST /images/create?fromSrc=-&repo=cut:1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + harness.busybox_layer()[:4096])
    sock.close()
    eq(own.api("GET", "/_ping")[0], 200)
    eventually("nothing is left", lambda: not any(own.stored(d) for d in ("tmp", "layers", "blobs/sha256")))
    eq(own.docker("images", "-aq").stdout, "")


# ---- the tree is what umoci makes of it -------------------------------------------------------------------

def tree(root):
    """Path: type, mode, owner, time, size or device, content, xattrs and the first name of its inode."""
    found, first = {}, {}
    for folder, dirs, files in os.walk(root):
        for path in [folder] * (folder == root) + [os.path.join(folder, n) for n in dirs + files]:
            st = os.lstat(path)
            name = os.path.relpath(path, root)
            content = os.readlink(path) if os.path.islink(path) else None
            if os.path.isfile(path) and content is None:
                with open(path, "rb") as f:
                    content = sha256(f.read())
            xattrs = {x: os.getxattr(path, x, follow_symlinks=False) for x in os.listxattr(path, follow_symlinks=False)
                      if not x.startswith("trusted.overlay.") and x != "user.rootlesscontainers"}
            found[name] = (oct(st.st_mode), st.st_uid, st.st_gid, st.st_mtime_ns, st.st_rdev, content, xattrs, st.st_ino)
    for name in sorted(found):
        first.setdefault(found[name][-1], name)
    return {name: (*v[:-1], first[v[-1]] if not v[0].startswith("0o4") else "") for name, v in found.items()}


def odd_layer():
    """Entries that are easy to get wrong."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8", errors="surrogateescape") as t:
        def add(name, type=tarfile.REGTYPE, data=b"", **kw):
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.mtime, info.size = type, 0o644, 1700000000, len(data)
            for key, value in kw.items():
                setattr(info, key, value)
            t.addfile(info, io.BytesIO(data) if data else None)

        add("./", tarfile.DIRTYPE, mode=0o755)
        add("d", tarfile.DIRTYPE, mode=0o1777, uid=3, gid=4)
        add("d/suid", data=b"x", mode=0o4755, uid=1000, gid=1001)
        add("d/sgid", data=b"y", mode=0o2755)
        add("d/hard", tarfile.LNKTYPE, linkname="d/suid")
        add("d/soft", tarfile.SYMTYPE, linkname="../no/where", mode=0o777)
        add("d/fifo", tarfile.FIFOTYPE, mode=0o600)
        add("d/null", tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666)
        add("d/" + "n" * 200, data=b"long")
        add("d/" + "p" * 90, tarfile.DIRTYPE, mode=0o700)   # umoci changes the time above a directory that has no entry
        add("d/" + "p" * 90 + "/" + "q" * 90, data=b"deep")
        add("d/cap", data=b"z", mode=0o755, pax_headers={
            "SCHILY.xattr.security.capability": b"\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00".decode("utf-8", "surrogateescape")})
        add("d/u", data=b"u", pax_headers={"SCHILY.xattr.user.k": "v"})
        add("d/zeros", data=bytes(1 << 20))
    return out.getvalue()


def test_tree_equals_umoci(k):
    need("umoci")
    need("skopeo")
    for tag, layer in (("umoci:busybox", harness.busybox_layer()), ("umoci:odd", odd_layer())):
        k.load(docker_archive([([tag], image_config([layer]), [layer])]))
        d = tempfile.mkdtemp(dir=k.dir)
        skopeo("copy", f"oci-archive:{save(k, tag)}", f"oci:{d}/oci:x")
        p = subprocess.run(["umoci", "unpack", "--image", d + "/oci:x", d + "/bundle"], capture_output=True, text=True)
        if p.returncode:
            raise Failed(p.stderr)
        ours, theirs = tree(f"{k.data_root}/layers/{sha256(layer)[:26]}"), tree(d + "/bundle/rootfs")
        eq(sorted(ours), sorted(theirs), tag)
        for name in ours:
            if name != "." and not (tag == "umoci:busybox" and ours[name][0].startswith("0o4")):
                eq(ours[name], theirs[name], f"{tag}: {name}")
        shutil.rmtree(d)


def test_load_of_what_umoci_writes(k):
    """A layer that umoci made: a changed file, a removed one, a new one."""
    need("umoci")
    need("skopeo")
    layer = tar_bytes([("gone", b"1"), ("kept", b"2"), ("changed", b"3")])
    k.load(docker_archive([(["umoci:base"], image_config([harness.busybox_layer(), layer]), [harness.busybox_layer(), layer])]))
    d = tempfile.mkdtemp(dir=k.dir)
    skopeo("copy", f"oci-archive:{save(k, 'umoci:base')}", f"oci:{d}/oci:x")

    def umoci(*args):
        p = subprocess.run(["umoci", *args], capture_output=True, text=True)
        if p.returncode:
            raise Failed(p.stderr)

    umoci("unpack", "--image", d + "/oci:x", d + "/bundle")
    root = d + "/bundle/rootfs"
    os.unlink(root + "/gone")
    for name in ("changed", "new"):
        with open(f"{root}/{name}", "w") as f:
            f.write(name)
    umoci("repack", "--image", d + "/oci:y", d + "/bundle")
    umoci("tag", "--image", d + "/oci:y", "umoci")
    subprocess.run(["umoci", "rm", "--image", d + "/oci:x"], check=True, capture_output=True)
    subprocess.run(["umoci", "rm", "--image", d + "/oci:y"], check=True, capture_output=True)
    subprocess.run(["tar", "-C", d + "/oci", "-cf", d + "/a.tar", "."], check=True)
    has(load_file(k, d + "/a.tar"), "umoci")
    shown = k.docker("run", "--rm", "--network", "none", "umoci:latest", "sh", "-c", "cat /kept /changed /new; test ! -e /gone && echo :gone")
    eq(shown.stdout, "2changednew:gone\n")
