# SPDX-License-Identifier: Apache-2.0
"""Archives that are small and mean to be large: each meets its limit (docs/images.md) early, by name, in bounded memory, and leaves nothing."""
import gzip
import io
import json
import os
import subprocess
import tarfile
import tempfile
import time
import zlib

import harness
from harness import Failed, docker_archive, eq, has, image_config, sha256, tar_bytes
from test_images import need
from test_uploads import stored

KILND_MAY_GROW_KIB = 96 << 10
UNPACK_MAY_HAVE_KIB = 160 << 10   # zstd's window is the largest part


def peak(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmHWM"))


def refused(k, archive, why, seconds=20, args=("load", "-i")):
    """Is refused with these words, soon; kilnd did not grow, and nothing is left."""
    k.busybox()
    before, was, begin = stored(k), peak(k.proc.pid), time.monotonic()
    with tempfile.NamedTemporaryFile(dir=k.dir) as f:
        f.write(archive)
        f.flush()
        p = k.docker(*args, f.name, check=False)
    eq(p.returncode, 1, p.stdout)
    has(p.stderr, why)
    took = time.monotonic() - begin
    if took > seconds * (10 if harness.IS_SANITIZED else 1):
        raise Failed(f"'{why}' took {took:.1f} s")
    if peak(k.proc.pid) - was > KILND_MAY_GROW_KIB and not harness.IS_SANITIZED:
        raise Failed(f"'{why}': kilnd grew by {peak(k.proc.pid) - was} KiB")
    harness.eventually("nothing is left", lambda: set(stored(k)) <= set(before))


def one_layer(layer, packed=None):
    """A docker-archive whose layer is what `packed` holds."""
    config = image_config([layer])
    return tar_bytes([("l", packed or layer), ("c", config), ("manifest.json", json.dumps([{"Config": "c", "RepoTags": ["bomb:1"], "Layers": ["l"]}]).encode())])


def entry(name, type=tarfile.REGTYPE, data=b"", **more):
    info = tarfile.TarInfo(name)
    info.type = type
    for key, value in more.items():
        setattr(info, key, value)
    return info, data if type == tarfile.REGTYPE else None


def zeros(n_mib, packer, end):
    head = tarfile.TarInfo("zeros")
    head.size = n_mib << 20
    block = bytes(1 << 20)
    return packer(head.tobuf()) + b"".join(packer(block) for _ in range(n_mib)) + end()


def test_bomb_of_compression(k):
    """In the layer, in the archive, and in what is imported: a ratio of more than 500, beyond 256 MiB."""
    need("zstd")
    z = zlib.compressobj(9, wbits=31)
    packed = zeros(280, z.compress, z.flush)
    refused(k, one_layer(b"", packed), "decompresses to more than 500 times its size")
    refused(k, packed, "decompresses to more than 500 times its size")
    refused(k, packed, "decompresses to more than 500 times its size", args=("import",))
    head = tarfile.TarInfo("zeros")
    head.size = 2 << 30
    packed = subprocess.run("{ cat; head -c 280M /dev/zero; } | zstd -q -c", shell=True, input=head.tobuf(), capture_output=True, check=True).stdout
    refused(k, one_layer(b"", packed), "decompresses to more than 500 times its size")
    # A window that wants half a GiB
    packed = subprocess.run("head -c 1M /dev/zero | zstd -q -c --long=29 --single-thread", shell=True, capture_output=True, check=True).stdout
    refused(k, one_layer(b"", packed), "zstd: ")


def test_bomb_of_names(k):
    refused(k, one_layer(tar_bytes([entry("d/" * 257 + "f")])), "path too long")
    refused(k, one_layer(tar_bytes([entry("/".join(["x" * 250] * 17))])), "path too long")
    refused(k, one_layer(tar_bytes([entry("n" * 256)])), "name too long")
    refused(k, one_layer(tar_bytes([entry("l", tarfile.SYMTYPE, linkname="t" * 4096)])), "create 'l'")
    long = entry("f", pax_headers={"comment": "c" * (2 << 20)})
    refused(k, one_layer(tar_bytes([long])), "tar: ")


def test_bomb_of_attributes(k):
    many = {f"SCHILY.xattr.user.a{n}": "v" for n in range(129)}
    refused(k, one_layer(tar_bytes([entry("f", pax_headers=many)])), "too many attributes")
    large = {"SCHILY.xattr.user.a": "v" * 65537}
    refused(k, one_layer(tar_bytes([entry("f", pax_headers=large)])), "is too long")


def sparse(name, size):
    """A file of one hole, as GNU tar writes it."""
    info = tarfile.TarInfo(name)
    info.size = 512
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": name, "GNU.sparse.realsize": str(size)}
    return info, f"1\n{size}\n0\n".encode().ljust(512, b"\0")


def test_bomb_of_holes(k):
    refused(k, one_layer(tar_bytes([sparse("f", 2 << 40)])), "file too large")
    refused(k, one_layer(tar_bytes([sparse("f", 1 << 51)])), "the files of the layer are too large")
    refused(k, tar_bytes([sparse("manifest.json", 257 << 30)]), "bytes that are allowed")
    refused(k, tar_bytes([sparse(f"f{n}", 200 << 20) for n in range(2)]), "holes of more than 500 times")
    # One that is large, and no bomb, costs nothing
    layer = tar_bytes([sparse("var/log/lastlog", 100 << 30)])
    k.load(one_layer(layer))
    st = os.stat(f"{k.data_root}/layers/{sha256(layer)[:26]}/var/log/lastlog")
    eq((st.st_size, st.st_blocks < 64), (100 << 30, True))


def test_bomb_of_links(k):
    loop = [entry("a", tarfile.SYMTYPE, linkname="b"), entry("b", tarfile.SYMTYPE, linkname="a")]
    refused(k, one_layer(tar_bytes([*loop, entry("a/f")])), "a")
    # In an archive they are only names
    refused(k, tar_bytes([*loop, entry("manifest.json", tarfile.SYMTYPE, linkname="a")]), "archive: is empty")
    chain = [entry(f"l{n}", tarfile.SYMTYPE, linkname=f"l{n + 1}") for n in range(5000)]
    refused(k, tar_bytes([*chain, entry("l5000")]), "neither manifest.json nor index.json")
    # Names of names are one file, and one name that comes again and again is the last
    hard = [entry("h0", data=b"one")] + [entry(f"h{n}", tarfile.LNKTYPE, linkname=f"h{n - 1}") for n in range(1, 500)]
    again = [entry("twice", data=str(n).encode()) for n in range(3000)]
    for info, data in hard[:1] + again:
        info.size = len(data)
    layer = tar_bytes(hard + again)
    k.load(one_layer(layer))
    root = f"{k.data_root}/layers/{sha256(layer)[:26]}"
    eq(os.stat(root + "/h0").st_nlink, 500)
    with open(root + "/twice") as f:
        eq(f.read(), "2999")


def test_bomb_of_documents(k):
    layer = tar_bytes([("f", b"x")])
    config = image_config([layer])

    def with_config(more):
        body = config[:-1] + b',"x":' + more + b"}"
        return docker_archive([(["bomb:1"], body, [layer])])

    refused(k, with_config(b"[" * 100 + b"]" * 100), "nested too deeply")
    refused(k, with_config(b"[" + b",".join([b"{}"] * 1_000_000) + b"]"), "values that are allowed")
    refused(k, with_config(b'"' + b"x" * (4 << 20) + b'"'), "larger than the 4194304 bytes")
    refused(k, docker_archive([(["bomb:1"], image_config([layer] * 128), [layer] * 128)]), "more than 127 layers")

    def images(n, tags=0, more=b"", layers=1):
        """One configuration each, named by its place"""
        entries, rows = [("l", layer)], []
        for i in range(n):
            body = json.loads(image_config([layer] * layers, comment=str(i)))
            entries.append((f"c{i}", json.dumps(body).encode()[:-1] + b',"x":"' + more + b'"}'))
            rows.append({"Config": f"c{i}", "RepoTags": [f"n{i}:{t}" for t in range(tags)], "Layers": ["l"] * layers})
        return tar_bytes([*entries, ("manifest.json", json.dumps(rows).encode())])

    refused(k, images(1025), "more than 1024 images")
    refused(k, images(9, tags=500), "names that are allowed together")
    refused(k, images(70, layers=120), "layers that are allowed together")
    refused(k, images(9, more=b"x" * 4_000_000), "bytes that are allowed together")


def test_bomb_of_members(k):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        for n in range(32769):
            info = tarfile.TarInfo(f"m{n}")
            info.type, info.linkname = tarfile.SYMTYPE, "nothing"
            t.addfile(info)
    refused(k, gzip.compress(out.getvalue(), 1), "more than 32768 files")


def test_bomb_meets_its_limit_in_little_memory(k):
    """The unpack process of a deflated, wide, attributed layer: what it holds does not grow with what it reads."""
    from test_unpack import Role
    need("zstd")
    entries = [entry(f"d{n}", tarfile.DIRTYPE, mode=0o755, pax_headers={"SCHILY.xattr.user.a": "v" * 1000}) for n in range(3000)]
    data = tar_bytes(entries)
    packed = subprocess.run(["zstd", "-q", "-c", "--long=27", "--single-thread"], input=data, capture_output=True, check=True).stdout
    role = Role(k)
    pid = role.proc.pid
    highest = 0
    role.proc.stdin.write(packed[:-10])
    role.proc.stdin.flush()
    harness.eventually("it has read nearly all", lambda: len(os.listdir(role.dir)) > 2900)
    highest = peak(pid)
    result = role.end(packed[-10:])
    eq(result["layer"]["entries"], 3000)
    if highest > UNPACK_MAY_HAVE_KIB and not harness.IS_SANITIZED:
        raise Failed(f"unpack has {highest} KiB")
