# SPDX-License-Identifier: Apache-2.0
"""Archives and images: what is in them is data, and stays below the directory that is made for it."""
import contextlib
import gzip
import http.client
import json
import os
import stat
import subprocess
import tarfile

import harness
from harness import Failed, docker_archive, image_config, sha256, tar_bytes
from security import attack, broken, entry, link


def one_layer(layer, tag="attack:tar", **config):
    return docker_archive([([tag], image_config([layer], config or None), [layer])])


def hostile_layers(target, up):
    """Each a layer that would change the marker, through names, links, modes, whiteouts, or what comes twice."""
    yield "name", [entry(f"{target}/made", "x")]
    yield "name in the middle", [entry("a"), entry(f"a/{up}/made", "x")]
    yield "through a link", [link("l", target), entry("l/made", "x")]
    yield "directory through a link", [link("l", target), entry("l/dir2"), entry("l/dir2/made", "x")]
    yield "over a link", [link("l", target + "/secret"), entry("l", "overwritten")]
    yield "a directory becomes a link", [entry("d"), entry("d/f", "x"), link("d", target), entry("d/made", "x")]
    yield "mode through a link", [link("l", target), entry("l/secret", kind=tarfile.LNKTYPE, to="l/secret", mode=0o4777), entry("l", mode=0o777)]
    yield "hard link", [entry("h", kind=tarfile.LNKTYPE, to=target + "/secret"), entry("h", "overwritten", mode=0o666)]
    yield "hard link through a link", [link("l", target), entry("h", kind=tarfile.LNKTYPE, to="l/secret"), entry("h", "overwritten")]
    yield "whiteout through a link", [link("l", target), entry("l/.wh.secret", "")]
    yield "opaque through a link", [link("l", target), entry("l/.wh..wh..opq", "")]
    yield "whiteout of a name", [entry(f"{up}/.wh.secret", "")]
    yield "device through a link", [link("l", target), entry("l/made", kind=tarfile.CHRTYPE, devmajor=1, devminor=3)]
    yield "link through a link", [link("l", target), link("l/made", "x"), entry("l/pipe", kind=tarfile.FIFOTYPE)]


@attack("TAR_NAMES OPEN_IN_ROOT UNPACK_ROOT")
def test_layers_that_leave_their_directory(f):
    """CVE-2026-17106, CVE-2021-32760, CVE-2021-41089, CVE-2016-5418, CVE-2021-31566, CVE-2025-47290, CVE-2019-10152, CVE-2018-15664: by names, links,
    hard links, whiteouts, modes and devices, in a layer of its own, above another one, and by import."""
    up = "../" * 24 + f.marker.lstrip("/")
    below = tar_bytes([entry("a"), entry("l"), entry("d")])
    for target in (f.marker, up):
        for what, entries in hostile_layers(target, up):
            layer = tar_bytes(entries)
            if target == up:
                f.load(docker_archive([(["attack:two"], image_config([below, layer]), [below, layer])]))
            elif "link" in what:
                f.k.api("POST", "/images/create?fromSrc=-&repo=attack&tag=import", layer)
            f.load(one_layer(layer))
            try:
                f.check_marker()
            except harness.Failed as e:
                raise type(e)(f"{what}: {e}") from e


@attack("BELOW_BY_FD")
def test_links_of_the_layers_below_lead_outside(f):
    """What a layer puts below a directory that is a link in the layers below it, or links to a file of theirs."""
    for target in (f.marker, "../" * 24 + f.marker.lstrip("/")):
        below = tar_bytes([link("l", target), entry("d"), link("d/m", "../l")])
        for entries in ([entry("l/made", "x")], [entry("d/m/made", "x")], [entry("h", kind=tarfile.LNKTYPE, to="l/secret")],
                        [entry("l/.wh.secret", "")], [entry("d/m/h", kind=tarfile.LNKTYPE, to="d/m/secret")]):
            layer = tar_bytes(entries)
            f.load(docker_archive([(["attack:two"], image_config([below, layer]), [below, layer])]))
            f.check_marker()
            where = [p for p in _files(f.k.data_root + "/layers") if open(p, "rb").read() == b"a secret of the host\n"]
            broken(where, f"a layer holds a file of the host: {where}")


def _files(folder):
    return [p for at, _, names in os.walk(folder) for p in (os.path.join(at, n) for n in names) if os.path.isfile(p) and not os.path.islink(p)]


@attack("TAR_ROOT")
def test_root_of_a_layer_is_a_link(f):
    """CVE-2021-29136: the entry for the root is a link, and what follows would go where it leads."""
    for name in (".", "./", "/", "./."):
        said = f.load(one_layer(tar_bytes([link(name, f.marker), entry("made", "x")])))
        broken(not said, f"{name!r} is a link, and the layer was taken")
        f.check_marker()


@attack("OVERLAY_XATTRS UNPACK_CAPS UNPACK_FILTER")
def test_marks_of_overlay(f):
    """A layer says to overlay that a directory of it is another layer's, or that a file has its content elsewhere."""
    for name, value in (("trusted.overlay.redirect", f"/../../{'../' * 12}etc"), ("trusted.overlay.metacopy", ""), ("trusted.overlay.opaque", "y"),
                        ("trusted.overlay.whiteout", "y"), ("user.overlay.redirect", "/etc"), ("trusted.overlay.overlay.redirect", "/etc")):
        for kind in (entry("d"), entry("f", "x")):
            kind[0].pax_headers = {f"SCHILY.xattr.{name}": value}
            broken(not f.load(one_layer(tar_bytes([kind]))), f"{name} was taken")


@attack("WHITEOUT_DEVICE")
def test_whiteout_as_a_device(f):
    """A device 0:0 is a whiteout to overlay: a layer that brings one hides files in a way that other readers do not see."""
    broken(not f.load(one_layer(tar_bytes([entry("etc"), entry("etc/passwd", kind=tarfile.CHRTYPE, devmajor=0, devminor=0)]))), "a device 0:0 was taken")


@attack("RATIO")
def test_bomb(f):
    """CVE-2023-25153 and its like: much that comes from little."""
    head = tarfile.TarInfo("zeros")
    head.size = 280 << 20
    packed = gzip.compress(head.tobuf()) + gzip.compress(bytes(1 << 20)) * 280 + gzip.compress(bytes(1024))
    said = f.load(packed)
    broken("times its size" not in said, f"280 MiB from {len(packed)} bytes: {said}")


# ---- documents ----------------------------------------------------------------------------------------------

def oci_archive(change=lambda d: None):
    """An OCI archive of one layer; change(documents) spoils it. documents: {"layer", "config", "manifest", "index"}, bytes"""
    layer = tar_bytes([entry("f", "x")])
    d = {"layer": layer, "config": image_config([layer]), "names": {}}

    def descriptor(kind, data):
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": "sha256:" + sha256(data), "size": len(data)}

    d["manifest"] = {"schemaVersion": 2, "config": descriptor("config.v1+json", d["config"]), "layers": [descriptor("layer.v1.tar", layer)]}
    d["index"] = {"schemaVersion": 2, "manifests": []}
    change(d)
    manifest = d["manifest"] if isinstance(d["manifest"], bytes) else json.dumps(d["manifest"]).encode()
    d["index"]["manifests"] = d["index"]["manifests"] or [
        {**descriptor("manifest.v1+json", manifest), "annotations": {"org.opencontainers.image.ref.name": "attack:oci"}}]
    if "top" in d:
        d["top"](d["index"])
    files = [(f"blobs/sha256/{d['names'].get(name, sha256(data))}", data) for name, data in (("layer", layer), ("config", d["config"]), ("manifest", manifest))]
    return tar_bytes([("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'), *files, *d.get("more", ()), ("index.json", json.dumps(d["index"]).encode())])


@attack("ONE_MEANING")
def test_document_of_two_meanings(f):
    """CVE-2021-41190: a document that is a manifest to one reader and an index to another."""
    broken(not f.load(oci_archive(lambda d: d["manifest"].update(manifests=[]))), "a manifest with 'manifests' was taken")
    broken(not f.load(oci_archive(lambda d: d["manifest"].update(mediaType="application/vnd.oci.image.index.v1+json"))), "a manifest that says it is an index was taken")
    broken(not f.load(oci_archive(lambda d: d.update(top=lambda i: i.update(layers=[], config={})))), "an index with 'layers' was taken")
    if f.load(oci_archive()):
        raise Failed("the archive without a fault is refused")


@attack("DIFF_ID")
def test_layer_is_another(f):
    """The layer is not the one that the configuration, and thus the image's id, stands for."""
    real, other = tar_bytes([entry("real", "x")]), tar_bytes([entry("other", "x")])
    broken(not f.load(docker_archive([(["attack:other"], image_config([real]), [other])])), "a layer with another DiffID was taken")


@attack("BLOB_NAME")
def test_blob_is_not_what_its_name_says(f):
    """Content that would be found under the digest of something else later."""
    def other_name(d):
        d["names"]["manifest"] = "0" * 64
        d["index"]["manifests"] = [{"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "sha256:" + "0" * 64,
                                    "size": len(json.dumps(d["manifest"]))}]
    def other_layer(d):
        d["names"]["layer"] = "0" * 64
        d["manifest"]["layers"][0]["digest"] = "sha256:" + "0" * 64
    broken(not f.load(oci_archive(other_name)), "a manifest with another digest was taken")
    broken(not f.load(oci_archive(other_layer)), "a layer with another digest was taken")


@attack("DIGEST_GRAMMAR")
def test_digests_and_names_with_paths(f):
    """CVE-2024-3727, CVE-2019-18466: digests, and names of members, that lead out of the archive and the store."""
    def elsewhere(d):
        text = json.dumps(d["manifest"]).encode()
        d["more"] = [("elsewhere", text)]
        d["index"]["manifests"] = [{"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "sha256:../../elsewhere", "size": len(text)}]

    broken(not f.load(oci_archive(elsewhere)), "a path is a digest")

    def digest(text):
        def change(d):
            d["index"]["manifests"] = [{"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": text, "size": 10}]
        return change

    up = "../" * 24
    for text in (f"sha256:{up}etc/passwd", f"sha256:/{f.marker}/secret", f"{up}etc:{'0' * 64}", "sha256:", "sha512:" + "0" * 128, "sha256:" + "0" * 63 + "/"):
        broken(not f.load(oci_archive(digest(text))), f"{text!r} is a digest")
    layer = tar_bytes([entry("f", "x")])
    for config, names in ((f"{up}etc/passwd", ["l"]), ("c", [f"{up}etc/shadow"]), ("c", [f.marker + "/secret"]), ("/c/../../c", ["l/../../l2"])):
        said = f.load(tar_bytes([("c", image_config([layer])), ("l", layer),
                                 ("manifest.json", json.dumps([{"Config": config, "RepoTags": ["attack:path"], "Layers": names}]).encode())]))
        broken(not said or "root:" in said or "secret of" in said, f"{config}, {names}: {said}")


@attack("DIGEST_GRAMMAR DIFF_ID")
def test_layer_is_called_by_a_path(f):
    """CVE-2024-3727: the configuration names a layer by a path, and where a layer is kept would be beside the store."""
    layer = tar_bytes([entry("f", "x")])
    for where in ("../marker/made", "../marker", "../../c"):
        config = json.loads(image_config([layer]))
        config["rootfs"]["diff_ids"] = ["sha256:" + where]
        said = f.load(docker_archive([(["attack:diff"], json.dumps(config).encode(), [layer])]))
        f.check_marker()
        broken(not said, f"{where} is the name of a layer")


@attack("TAR_NAMES MEMBER_NUMBERS UNPACK_ROOT", fresh=True)
def test_members_with_paths(f):
    """CVE-2019-10152 and its like: members of an archive whose names lead out of the directory in which they are staged."""
    f.k.start()
    layer = tar_bytes([entry("f", "x")])
    manifest = json.dumps([{"Config": "c", "RepoTags": ["attack:members"], "Layers": ["l"]}]).encode()
    for name in ("../../marker/made", "a/../../../marker/made", "/../../marker/dir/made", f"{f.marker}/made"):
        f.load(tar_bytes([(name, b"x"), ("c", image_config([layer])), ("l", layer), ("manifest.json", manifest)]))
        f.check_marker()


TAKEN_OVER = """#!/usr/bin/python3
import json, os, sys
if sys.argv[1:2] != ["unpack"]:
    os.execv({real!r}, ["kiln-runtime", *sys.argv[1:]])
while os.read(0, 65536):
    pass
os.fchdir(3)
what, files = {what!r}, {files!r}
if sys.argv[2] == "layer":
    told = {{"layer": dict.fromkeys(("diffId", "recordDiffId", "blobDigest"), {layer!r}) | dict.fromkeys(("blobBytes", "tarBytes", "fileBytes", "entries"), 1)}}
else:
    for name, (_, _, text) in files.items():
        if text is not None:
            open(name, "w").write(text)
    if what == "pipe":
        os.mkfifo("p")
    elif what == "link":
        os.symlink({secret!r}, "p")
    told = {{"archive": {{"files": [{{"name": name, "file": file, "digest": digest, "bytes": 100}} for name, (file, digest, _) in files.items()]}}}}
os.write(4, json.dumps(told).encode())
"""


@attack("STAGED_NAMES", "STAGED_FILES", fresh=True)
def test_reader_of_archives_that_was_taken_over(f):
    """The process that reads archives does the bidding of one: what it has left in its directory is a link or a pipe, or a file of
    the host by a path, which kilnd would open, wait for, or move into its store."""
    layer, config = "sha256:" + "1" * 64, image_config([b""])
    config = json.dumps({**json.loads(config), "rootfs": {"type": "layers", "diff_ids": [layer]}})
    manifest = json.dumps([{"Config": "c", "RepoTags": ["attack:own"], "Layers": ["l"]}])
    digest = {text: "sha256:" + sha256(text.encode()) for text in (config, manifest)}
    copies, secret = f.dir + "/copies", f.marker + "/secret"
    os.mkdir(copies)
    os.symlink(f.k.build + "/kilnd", copies + "/kilnd")
    real, f.k.build = f.k.build + "/kiln-runtime", copies

    def take_over(what, files):
        with open(copies + "/new", "w", encoding="ascii") as program:
            program.write(TAKEN_OVER.format(real=real, what=what, files=files, layer=layer, secret=secret))
        os.chmod(copies + "/new", 0o755)
        os.rename(copies + "/new", copies + "/kiln-runtime")

    take_over("", {})
    f.k.start()
    for what, file in (("path", "../../marker/secret"), ("path", secret), ("path", ".."), ("link", "p"), ("pipe", "p")):
        # a layer is moved into the store without being read here; a document is read
        files = {"manifest.json": ("manifest.json", digest[manifest], manifest), "c": ("c", digest[config], config), "l": (file, layer, None)}
        if what == "pipe":
            files["c"] = ("p", digest[config], None)
        take_over(what, files)
        try:
            said = f.load(b"anything", timeout=3 if f.is_weak else 30)
        except TimeoutError:
            for folder, _, names in os.walk(f.k.data_root + "/tmp"):
                for name in names:   # whoever waits for the pipe goes on
                    os.close(os.open(os.path.join(folder, name), os.O_RDWR | os.O_NONBLOCK))
            broken(True, "kilnd waits for a pipe")
        f.check_marker()
        broken(not said, f"{what}: {file} was taken")


@attack(because="links of an archive are entries of a table, looked up by name: no call of its reader makes one, or opens what it names")
def test_members_that_are_links_to_the_host(f):
    """A layer, a configuration or manifest.json is a link to a file of the host, which load would take in and save give away."""
    layer = tar_bytes([entry("f", "x")])
    config = image_config([layer])
    manifest = json.dumps([{"Config": "c", "RepoTags": ["attack:link"], "Layers": ["l"]}])
    secret = f.marker + "/secret"
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        for target in (secret, "../" * 24 + secret.lstrip("/"), "/etc/shadow"):
            for entries in ([entry("c", config), entry("l", kind=kind, to=target)], [entry("c", kind=kind, to=target), entry("l", layer)]):
                said = f.load(tar_bytes([*entries, entry("manifest.json", manifest)]))
                broken(not said or "secret of" in said or "root:" in said, f"a link to {target}: {said}")
            said = f.load(tar_bytes([entry("c", config), entry("l", layer), entry("manifest.json", kind=kind, to=target)]))
            broken(not said or "secret of" in said or "root:" in said, f"manifest.json is a link to {target}: {said}")
    # the bait: links that lead to members are followed, so those above were not refused for being links
    said = f.load(tar_bytes([entry("c", config), entry("d/l", layer), link("l", "d/l"), entry("manifest.json", manifest)]))
    if said:
        raise Failed(f"a link to a member: {said}")


@attack("REQUIRED_FIELDS", fresh=True)
def test_malformed_documents(f):
    """CVE-2021-21285: a document of an image without what it must have, or with something else in its place, ends the daemon."""
    f.k.start()
    layer = tar_bytes([entry("f", "x")])
    whole = {"manifest": {"schemaVersion": 2, "config": {}, "layers": []}, "config": json.loads(image_config([layer])),
             "docker": [{"Config": "c", "RepoTags": ["attack:bad"], "Layers": ["l"]}]}
    deep, odd = "[" * 100_000, [None, {}, [], [None], "x", -1, 2 ** 64, "\0"]

    def load(archive, what):
        try:
            said = f.load(archive)
        except (OSError, http.client.HTTPException) as e:
            said = str(e)
        broken(f.k.proc.poll() is not None, f"kilnd ended: {what}")
        broken(not said, f"{what} was taken")

    def documents():
        for key in ("Config", "Layers"):
            yield "docker", [{k: v for k, v in whole["docker"][0].items() if k != key}]
        for value in odd:
            yield "docker", value
            for key in ("Config", "Layers"):
                yield "docker", [{**whole["docker"][0], key: value}]
            yield "config", value
            yield "config", {**whole["config"], "rootfs": value}
            yield "config", {**whole["config"], "rootfs": {"type": "layers", "diff_ids": value}}
        yield "config", {k: v for k, v in whole["config"].items() if k != "rootfs"}

    for which, value in documents():
        docker, config = (value if which == name else whole[name] for name in ("docker", "config"))
        load(tar_bytes([("c", json.dumps(config).encode()), ("l", layer), ("manifest.json", json.dumps(docker).encode())]), f"{which}: {value!r:.100}")
    for key in ("config", "layers", "schemaVersion"):
        load(oci_archive(lambda d, k=key: d["manifest"].pop(k)), f"a manifest without {key}")
        for value in odd[:-1]:
            if (key, value) != ("layers", []):
                load(oci_archive(lambda d, k=key, v=value: d["manifest"].update({k: v})), f"a manifest whose {key} is {value!r}")
    for text in (deep, '{"a":' * 100_000, "{", '"', "\xff", "[" + "0," * 200_000 + "0]"):
        load(tar_bytes([("manifest.json", text.encode())]), f"{text:.10}…")
        load(tar_bytes([("c", text.encode()), ("l", layer), ("manifest.json", json.dumps(whole["docker"]).encode())]), f"configuration {text:.10}…")


@attack("STREAM_ENDS", fresh=True)
def test_streams_that_are_cut_off(f):
    """CVE-2021-20291: a stream that ends in its middle, or does not go on, keeps the store from everybody else."""
    f.k.start()
    archive = one_layer(tar_bytes([entry("f", os.urandom(200_000))]))
    zstd = subprocess.run(["zstd", "-qc"], input=archive, capture_output=True, check=True).stdout
    with contextlib.ExitStack() as stack:
        for _ in range(20):   # these never end
            s = stack.enter_context(f.k.connect())
            s.sendall(b"POST /images/load HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-tar\r\nContent-Length: 100000000\r\n\r\n" + archive[:50_000])
        for packed in (gzip.compress(archive), zstd, archive):
            for n in (1, 8, 1000, len(packed) // 2, len(packed) * 3 // 4):
                try:
                    said = f.load(packed[:n], timeout=3 if f.is_weak else 30)
                except TimeoutError:
                    broken(True, f"{n} bytes of {len(packed)} are read for ever")
                broken(not said, f"{n} bytes of {len(packed)} are an archive")
        if f.load(archive):
            raise Failed("the archive without a fault is refused")
    harness.eventually("nothing is left", lambda: not os.listdir(f.k.data_root + "/tmp"))


@attack(fresh=True, because="there is no program that decompresses: the codecs are libraries in the reader of archives, whose filter has no execve")
def test_decompressors_of_others(f):
    """CVE-2026-41567, CVE-2019-14271: xz, unpigz and the like are looked up where somebody else has put them."""
    tools = f.dir + "/tools"
    os.mkdir(tools)
    for name in ("xz", "unxz", "xzcat", "unpigz", "pigz", "gzip", "gunzip", "zstd", "unzstd", "bzip2", "lz4", "tar", "file"):
        with open(f"{tools}/{name}", "w", encoding="ascii") as tool:
            tool.write(f"#!/bin/sh\necho {name} >>{f.dir}/was-run\ncat\n")
        os.chmod(f"{tools}/{name}", 0o755)
    f.k.env = dict(f.k.env or {}, PATH=f"{tools}:{os.environ['PATH']}", MOBY_DISABLE_PIGZ="")
    f.k.start()
    layer = tar_bytes([entry("f", "x")])
    subprocess.run(["xz"], env={**os.environ, **f.k.env}, check=True, stdin=subprocess.DEVNULL)
    os.remove(f.dir + "/was-run")   # the bait works
    for pack in (["gzip"], ["xz"], ["zstd", "-q"], ["bzip2"]):
        packed = subprocess.run([*pack, "-c"], input=one_layer(layer), capture_output=True, check=True).stdout
        f.load(packed)
        packed = subprocess.run([*pack, "-c"], input=layer, capture_output=True, check=True).stdout
        f.load(docker_archive([(["attack:packed"], image_config([layer]), [packed])]))
    broken(os.path.exists(f.dir + "/was-run"), "a program of somebody else was run to decompress")


# ---- what an image says ----------------------------------------------------------------------------------------

@attack("RESERVED_LABELS")
def test_labels_of_an_image(f):
    """CVE-2026-53488: a label of the image decides how the daemon treats the container."""
    image = f.image(Labels={"kiln.health.on-failure": "kill", "containerd.io/restart.loguri": "binary:///owned", "plain": "yes"})
    box = f.create(["true"], image=image)
    labels = f.k.inspect(box.id)["Config"]["Labels"]
    broken("kiln.health.on-failure" in labels, f"the image has set {labels}")
    if labels.get("plain") != "yes":
        raise Failed(labels)


@attack(because="no code makes anything of it: an image's volumes are shown and not mounted, no passwd is written, and a container has a copy of its variables")
def test_configuration_of_an_image(f):
    """CVE-2022-23648, CVE-2022-4318, CVE-2026-15809, CVE-2020-14370, CVE-2021-21334: volumes, a home and variables of an image are no
    paths, lines or settings of anything but its own programs; what one container gets, another does not."""
    home = "/x\nroot2:x:0:0::/:/bin/sh"
    image = f.image(Volumes={"/../../../../../../etc": {}, f"/{'../' * 20}{f.marker}": {}, "/proc/sys": {}}, Env=["PATH=/bin", f"HOME={home}", "EVIL=1\nLD_PRELOAD=/x"])
    run = f.run(["sh", "-c", "cat /etc/passwd; ls /; env | grep -c LD_PRELOAD"], image=image, env=["SECRET=of-the-first"])
    broken("root2" in run.out or run.refused, f"a line came into passwd: {run}")
    with open("/etc/passwd", encoding="utf-8") as passwd:
        broken("root2" in passwd.read(), "a line came into the host's passwd")
    run = f.run(["env"], image=image)
    broken("of-the-first" in run.out, f"a variable of another container: {run}")


@attack("VISIBLE")
def test_escape_sequences_of_an_image(f):
    """What an image says about itself is shown by `kiln`: it moves no cursor, sets no title and types nothing."""
    evil = "\x1b[31m\x1b]0;owned\x07\x1b[6n\x9b31m"
    layer = tar_bytes([entry("f", "x")])
    config = image_config([layer], {"Cmd": [evil], "Labels": {"l": evil}, "Env": ["E=" + evil], "User": evil, "WorkingDir": "/" + evil},
                          history=[{"created": "2026-01-02T03:04:05Z", "created_by": evil, "comment": evil}])
    said = f.load(docker_archive([(["attack:escapes"], config, [layer])]))
    if said:
        raise Failed(said)
    box = f.create([evil], image="attack:escapes")
    for command in (["history", "attack:escapes"], ["history", "--format", "{{.CreatedBy}}", "attack:escapes"], ["ps", "-a"], ["ps", "-a", "--format", "{{.Labels}}"],
                    ["inspect", box.id], ["images"], ["start", box.id], ["run", "--rm", "attack:escapes"], ["health"], ["logs", box.id]):
        p = f.client(*command)
        bad = "\x1b\x07" if command[0] == "inspect" else "\x1b\x07\x9b"   # JSON is JSON
        broken(any(c in p.stdout + p.stderr for c in bad), f"kiln {command[0]}: {p.stdout!r} {p.stderr!r}")


@attack("HOST_NAME")
def test_lines_in_hosts(f):
    """A host name with a line break in it, which would be a line of /etc/hosts."""
    for key in ("Hostname", "Domainname"):
        run = f.run(["cat", "/etc/hosts", "/etc/hostname"], **{key: "a\n10.0.0.1 registry.example"})
        broken(not run.refused, f"{key}: {run}")


@attack("STORE_IS_PRIVATE STORE_FOLDERS", fresh=True)
def test_set_id_files_of_layers(f):
    """CVE-2021-41091, CVE-2024-25621: a set-id program or a device of a layer is run by a user of the host, in the store."""
    f.k.start()
    os.chmod(f.dir, 0o755)
    f.load(one_layer(tar_bytes([entry("run-me", "#!/bin/sh\nid\n", mode=0o6755), entry("disk", kind=tarfile.BLKTYPE, devmajor=8, devminor=0, mode=0o666)])))
    found = [os.path.join(folder, name) for folder, _, names in os.walk(f.k.data_root) for name in names if name in ("run-me", "disk")]
    if len(found) != 2 or not any(stat.S_IMODE(os.lstat(p).st_mode) & 0o4000 for p in found):
        raise Failed(found)
    for path in found:
        # by each way that needs no listing
        p = subprocess.run(["sh", "-c", 'cat "$1" || "$1"', "-", path], user=1000, group=1000, extra_groups=[], capture_output=True, text=True, check=False)
        broken(p.returncode == 0 or "Permission denied" not in p.stderr, f"a user of the host reaches {path}: {p}")
