# SPDX-License-Identifier: Apache-2.0
"""A launcher of another kind: starts of which kilnd hears nothing but the end; one of another build."""
import os
import shutil

import harness
from harness import eq, eventually


def with_mute_launcher(k):
    shutil.copy(os.path.join(os.path.dirname(os.path.abspath(__file__)), "mute_launcher.py"), k.dir + "/mute")
    os.symlink(harness.BUILD + "/kiln-runtime", k.dir + "/real")
    k.extra_args += ["--runtime", k.dir + "/mute"]
    k.start()
    k.busybox()


def create(k, name, **host):
    k.api_json("POST", f"/containers/create?name={name}",
               {"Image": "busybox", "Cmd": ["true"], "HostConfig": {"NetworkMode": "none", **host}}, want=201)


def test_a_start_that_was_only_seen_to_end_is_answered(own):
    with_mute_launcher(own)
    create(own, "us")
    eq(own.api("POST", "/containers/us/start")[0], 204)
    eventually("its end is known", lambda: own.state("us")["Status"] == "exited")
    eq(own.state("us")["ExitCode"], 7)


def test_policy_starts_that_were_only_seen_to_end_are_not_counted_for_ever(own):
    """Sixteen may be under way at a time: with more than that, each is to have its turn."""
    with_mute_launcher(own)
    for i in range(20):
        create(own, f"up{i}", RestartPolicy={"Name": "always"})
        eq(own.api("POST", f"/containers/up{i}/start", timeout=10)[0], 204)
    eventually("all are restarted", lambda: all(own.inspect(f"up{i}")["RestartCount"] >= 2 for i in range(20)))
    for i in range(20):
        own.api("POST", f"/containers/up{i}/stop")


def test_a_launcher_whose_build_only_begins_like_ours_is_replaced(own):
    open(own.dir + "/newer", "x").close()
    with_mute_launcher(own)
    eventually("it is told to end", lambda: os.path.exists(own.dir + "/replaced"))
    create(own, "next")
    eq(own.api("POST", "/containers/next/start")[0], 204)
