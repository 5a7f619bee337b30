# SPDX-License-Identifier: Apache-2.0
"""The image of `make bench SUITE=load`: Debian, Node.js and Python, a compiler, a tree of small files, Java; five layers of
890 MB of tar, 281 MB as gzip. Made once from Debian's packages, without clock or chance in it, kept in build/bench/image.

`loadimage.py` makes it and says where it is. Archives hold OCI's layout and docker's manifest.json, as docker 25 saves them.
"""
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
import realimage  # noqa: E402

DIR = os.path.join(os.path.dirname(os.path.dirname(HERE)), "build/bench/image")
RECIPE = {"debian": (), "languages": ("nodejs", "python3"), "compiler": ("g++", "make"), "headers": ("libboost-dev",),
          "java": ("openjdk-17-jre-headless",)}
NEWEST = 1_700_000_000     # what is younger was written by the installation
# Caches, logs, and a key store whose entries are dated
STRIPPED = ("var/cache", "var/lib/apt/lists", "var/log", "etc/ssl/certs/java")
KINDS = {"gzip": (".gz", ["gzip", "-n", "-6"]), "zstd": (".zst", ["zstd", "-q", "-3"]), "plain": ("", None)}
OCI = "application/vnd.oci.image."


def paths(kind="plain"):
    return [f"{DIR}/{name}.tar{KINDS[kind][0]}" for name in RECIPE]


def archive(kind):
    return f"{DIR}/{kind}-archive.tar"


def layout(kind):
    """A directory in OCI's layout, tagged "bench"."""
    return f"{DIR}/{kind}-layout"


def compress(kind):
    for source, target in zip(paths(), paths(kind)):
        if not os.path.exists(target):
            with open(source, "rb") as i, open(target + ".new", "wb") as o:
                subprocess.run([*KINDS[kind][1], "-c"], stdin=i, stdout=o, check=True)
            os.rename(target + ".new", target)


def write_layout(kind):
    to = layout(kind)
    shutil.rmtree(to, ignore_errors=True)
    os.makedirs(to)
    suffix = {"gzip": "+gzip", "zstd": "+zstd", "plain": ""}[kind]
    blobs = [dict(realimage.put_blob(to, path=p), mediaType=OCI + "layer.v1.tar" + suffix) for p in paths(kind)]
    config = {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["sh"]},
              "rootfs": {"type": "layers", "diff_ids": ["sha256:" + realimage.file_digest(p) for p in paths()]}}
    config = dict(realimage.put_blob(to, data=json.dumps(config).encode()), mediaType=OCI + "config.v1+json")
    manifest = {"schemaVersion": 2, "mediaType": OCI + "manifest.v1+json", "config": config, "layers": blobs}
    manifest = dict(realimage.put_blob(to, data=json.dumps(manifest).encode()), mediaType=OCI + "manifest.v1+json",
                    annotations={"org.opencontainers.image.ref.name": "bench", "io.containerd.image.name": "docker.io/library/bench:latest"})
    blob = lambda d: "blobs/sha256/" + d["digest"][7:]  # noqa: E731
    for name, content in (("index.json", {"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": [manifest]}),
                          ("manifest.json", [{"Config": blob(config), "RepoTags": ["bench:latest"], "Layers": [blob(b) for b in blobs]}]),
                          ("oci-layout", {"imageLayoutVersion": "1.0.0"})):
        with open(f"{to}/{name}", "w") as f:
            json.dump(content, f)


def write_archive(kind):
    write_layout(kind)
    top = layout(kind)
    names = sorted("blobs/sha256/" + n for n in os.listdir(top + "/blobs/sha256")) + ["index.json", "manifest.json", "oci-layout"]
    with tarfile.open(archive(kind) + ".new", "w", format=tarfile.USTAR_FORMAT) as t:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = os.path.getsize(f"{top}/{name}")
            with open(f"{top}/{name}", "rb") as f:
                t.addfile(info, f)
    os.rename(archive(kind) + ".new", archive(kind))


def make(kinds=("gzip",)):
    """Makes what is missing of the archives; the first time takes some minutes and Debian's mirror."""
    os.makedirs(DIR, exist_ok=True)
    with open(DIR + "/lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not all(os.path.exists(p) for p in paths()):
            print("bench: making the image of SUITE=load", file=sys.stderr, flush=True)
            subprocess.run(["unshare", "--mount", "--pid", "--fork", sys.executable, __file__, "build"], check=True,
                           env=dict(os.environ, SOURCE_DATE_EPOCH=str(NEWEST)))
            shutil.rmtree(DIR + "/tmp-debian", ignore_errors=True)
        for kind in kinds:
            if KINDS[kind][1]:
                compress(kind)
            if not os.path.exists(archive(kind)):
                write_archive(kind)


def facts():
    """What the image is, for the page: sizes, entries, and a digest of all layers."""
    n, h = 0, hashlib.sha256()
    for p in paths():
        h.update(realimage.file_digest(p).encode())
        with tarfile.open(p) as t:
            n += sum(1 for _ in t)
    size = lambda kind: sum(map(os.path.getsize, paths(kind))) / 1e6  # noqa: E731
    return {"layers": len(RECIPE), "entries": n, "MB of tar": round(size("plain")), "MB of gzip": round(size("gzip")),
            "digest of all": h.hexdigest()[:16]}


if __name__ == "__main__":
    if sys.argv[1:] == ["build"]:
        realimage.build(DIR, RECIPE, stripped=STRIPPED, newest_ns=NEWEST * 10**9)
    else:
        make(tuple(sys.argv[1:]) or ("gzip",))
        print(DIR, json.dumps(facts()))
