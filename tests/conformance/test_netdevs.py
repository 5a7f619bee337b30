# SPDX-License-Identifier: Apache-2.0
"""linux.netDevices: devices of the network namespace that the runtime is started in, which is one of the test's."""
import contextlib
import json
import os
import subprocess

from harness import eq, eventually, has
from test_config import only_kiln

MINE = {"10.9.8.7/24", "10.9.8.8/24", "fd00::7/64"}


def ip(pid, *words):
    out = subprocess.run(["nsenter", f"--net=/proc/{pid}/ns/net", "ip", *words], capture_output=True, text=True, timeout=30, check=True).stdout
    return json.loads(out) if words[0] == "-j" else None


def devices(pid):
    """What there is but lo: name to MTU, address of its hardware, whether it is up, and addresses of global scope."""
    return {d["ifname"]: (d["mtu"], d["address"], "UP" in d["flags"],
                          {f"{a['local']}/{a['prefixlen']}" for a in d["addr_info"] if a["scope"] == "global"}) for d in ip(pid, "-j", "addr") if d["ifname"] != "lo"}


@contextlib.contextmanager
def namespace(rt):
    """One with a pair of devices, in which the runtime is started."""
    mine = os.readlink("/proc/self/ns/net")
    with subprocess.Popen(["unshare", "-n", "sleep", "1000"]) as p:
        try:
            eventually("it is in its namespace", lambda: os.readlink(f"/proc/{p.pid}/ns/net") != mine and os.readlink(f"/proc/{p.pid}/exe").endswith("sleep"))
            ip(p.pid, "link", "add", "v0", "mtu", "1400", "type", "veth", "peer", "name", "v1")
            for address in sorted(MINE):
                ip(p.pid, "addr", "add", address, "dev", "v0", *(["nodad"] if ":" in address else []))
            for name in ("v0", "v1"):
                ip(p.pid, "link", "set", name, "up")
            rt.program = ["nsenter", f"--net=/proc/{p.pid}/ns/net", *rt.program]
            yield p.pid
        finally:
            p.kill()


@only_kiln
def test_network_devices_go_into_the_container(rt):
    """With another name or their own, and with what they have; hooks find them there."""
    with namespace(rt) as outside:
        before = devices(outside)
        eq(before["v0"][3], MINE)
        b = rt.bundle()
        b.config["linux"]["netDevices"] = {"v0": {"name": "eth0"}, "v1": {}}
        seen = os.path.join(b.dir, "seen")
        b.config["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", f"nsenter --net=/proc/$(grep -o '\"pid\":[0-9]*' | cut -d: -f2)/ns/net ip -o link > {seen}"],
                                                "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]}]}
        pid = rt.create(b.write("sleep", "1000"))
        eq((devices(outside), devices(pid)), ({}, {"eth0": before["v0"], "v1": before["v1"]}))
        with open(seen) as f:
            has(f.read(), "eth0")
        rt.call("delete", "--force", b.id)


@only_kiln
def test_network_devices_that_cannot_go_stay_as_they_are(rt):
    """Names that mean nothing, devices that are not there, names that are taken: what has gone already comes back."""
    def refused(want, value, namespaces=None):
        b.config["linux"]["netDevices"] = value
        b.config["linux"]["namespaces"] = namespaces or all_of_them
        has(rt.fails("create", "--bundle", b.write("true").dir, b.id), want)
        eq((rt.ids(), devices(outside)), ([], before))

    with namespace(rt) as outside:
        before = devices(outside)
        b = rt.bundle()
        all_of_them = b.config["linux"]["namespaces"]
        others = [n for n in all_of_them if n["type"] != "network"]
        for name in ("", "a" * 16, "..", "a/b", "a b", "eth%d"):
            if name:
                refused("linux.netDevices.v0.name", {"v0": {"name": name}})
            refused("linux.netDevices: '", {name: {}})
        refused("is what 'v0' is called there", {"v0": {"name": "x"}, "v1": {"name": "x"}})
        refused("network namespace of the container's own", {"v0": {}}, others)
        refused("is the one that we are in", {"v0": {}}, others + [{"type": "network", "path": f"/proc/{outside}/ns/net"}])
        refused("linux.netDevices.v9: there is no such device", {"v0": {}, "v9": {}})
        refused("linux.netDevices.v1: there is a device 'lo' already", {"v0": {"name": "x"}, "v1": {"name": "lo"}})
