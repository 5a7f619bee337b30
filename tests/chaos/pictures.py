# SPDX-License-Identifier: Apache-2.0
"""Images under load: load, tag, rmi and save, with a model of names and of what must be on disk."""
import io
import json
import os
import tarfile

import harness
from world import Failed, Lost


class Picture:
    def __init__(self, n, layers):
        self.tag = f"chaos/img{n}:1"
        self.layers = layers
        self.config = harness.image_config(layers, {"Cmd": ["/payload", "main"], "Labels": {"n": str(n)}})
        self.id = "sha256:" + harness.sha256(self.config)


def payload_layer():
    with open(os.path.join(harness.BUILD, "payload"), "rb") as f:
        binary = f.read()
    info = tarfile.TarInfo("payload")
    info.mode = 0o755
    return harness.tar_bytes([(info, binary), ("tmp", None)])


def base_archive():
    layer = payload_layer()
    return harness.docker_archive([(["chaos:base"], harness.image_config([layer], {"Cmd": ["/payload", "main"]}), [layer])])


class Pictures:
    """A client that has all names chaos/… to itself, so that what it was told is the whole truth."""

    def __init__(self, world, rng):
        self.w, self.rng = world, rng
        pool = [harness.tar_bytes([(f"d{i}", None), (f"d{i}/f{j}", rng.randbytes(40000)) if j else (f"d{i}/{'n' * 200}", b"x"),
                                   (f"d{i}/g", rng.randbytes(300000))]) for i in range(6) for j in (i % 2,)]
        self.all = [Picture(i, [payload_layer(), *rng.sample(pool, 2)]) for i in range(5)]
        self.tags = {}          # name -> image id; what is sure

    def fail(self, text):
        raise Failed(f"images: {text}; known: { {t: i[7:19] for t, i in self.tags.items()} }")

    # ---- the truth
    def listed(self):
        found = {}
        for i in self.w.query("/images/json?all=1").json():
            for t in i["RepoTags"] or []:
                found[t] = i["Id"]
            if not i["RepoTags"]:
                found["<none> " + i["Id"]] = i["Id"]
        return {t: i for t, i in found.items() if t.startswith(("chaos/", "<none>"))}

    def settle(self, *allowed):
        """After an operation without an answer: one of these worlds, and no other."""
        now = self.listed()
        if now not in allowed:
            self.fail(f"there are { {t: i[7:19] for t, i in now.items()} }, which was never asked for")
        self.tags = now

    def check(self):
        now = self.listed()
        if now != self.tags:
            self.fail(f"there are { {t: i[7:19] for t, i in now.items()} }")

    def named(self, names):
        """The world with these names more. An image that loses its last name to another stays, without one."""
        after = {t: i for t, i in {**self.tags, **names}.items() if not t.startswith("<none>")}
        after.update({"<none> " + i: i for i in set(self.tags.values()) - set(after.values())})
        return after

    # ---- operations
    def load(self):
        some = self.rng.sample(self.all, self.rng.choice((1, 1, 2)))
        body = harness.docker_archive([([p.tag], p.config, p.layers) for p in some])
        after = self.named({p.tag: p.id for p in some})
        try:
            a = self.w.call("POST", "/images/load?quiet=1", body)
        except Lost:
            self.settle(self.tags, after)
            return
        lines = [json.loads(line) for line in a.body.decode().splitlines() if line.startswith("{")]
        if a.status == 200 and all("error" not in line for line in lines):
            if [line.get("stream") for line in lines if "Loaded image" in line.get("stream", "")] != [f"Loaded image: {p.tag}\n" for p in some]:
                self.fail(f"load: {a.body!r}")
            self.tags = after
            self.check()
        elif self.w.was_hit("unpack", a.begun - 1):
            self.check()
        else:
            self.fail(f"load: {a} {a.body[-300:]!r}")

    def tag(self):
        if not self.tags:
            return
        name, alias = self.rng.choice(sorted(self.tags)), f"chaos/alias{self.rng.randrange(3)}"
        if name.startswith("<none>"):
            return
        after = self.named({alias + ":2": self.tags[name]})
        try:
            a = self.w.call("POST", f"/images/{name}/tag?repo={alias}&tag=2")
        except Lost:
            self.settle(self.tags, after)
            return
        if a.status != 201:
            self.fail(f"tag: {a}")
        self.tags = after
        self.check()

    def remove(self):
        if not self.tags:
            return
        name = self.rng.choice(sorted(self.tags))
        ref = self.tags[name] if name.startswith("<none>") else name
        after = {t: i for t, i in self.tags.items() if t != name}
        try:
            a = self.w.call("DELETE", f"/images/{ref}")
        except Lost:
            self.settle(self.tags, after)
            return
        if a.status != 200:
            self.fail(f"rmi {ref}: {a}")
        self.tags = after
        self.check()

    def save(self):
        names = [t for t in self.tags if not t.startswith("<none>")]
        if not names:
            return
        name = self.rng.choice(sorted(names))
        try:
            a = self.w.call("GET", f"/images/{name}/get")
        except Lost:
            return
        if a.status != 200:
            self.fail(f"save: {a}")
        self.check_archive(name, a.body)

    def check_archive(self, name, body):
        with tarfile.open(fileobj=io.BytesIO(body)) as t:
            manifest = json.loads(t.extractfile("manifest.json").read())
            config = t.extractfile(manifest[0]["Config"]).read()
            layers = [t.extractfile(layer).read() for layer in manifest[0]["Layers"]]
        if "sha256:" + harness.sha256(config) != self.tags[name]:
            self.fail(f"save {name}: its configuration is another one")
        want = json.loads(config)["rootfs"]["diff_ids"]
        if ["sha256:" + harness.sha256(y) for y in layers] != want:
            self.fail(f"save {name}: its layers are not those of its configuration")
        if manifest[0]["RepoTags"] != [name]:
            self.fail(f"save {name}: it names {manifest[0]['RepoTags']}")

    def act(self):
        self.rng.choices((self.load, self.tag, self.remove, self.save), (5, 2, 4, 2))[0]()
