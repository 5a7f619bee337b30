# SPDX-License-Identifier: Apache-2.0
"""Images and neighbours that bend the paths of a container while it is made: links, exchanged names, odd devices."""
import contextlib
import os
import subprocess
import tempfile

from security import attack, broken, entry, link
from test_break import of_container

MARK = "size=1236k"   # of a tmpfs that can be told from the others


@attack("PROC_IS_PLAIN", fronts="kilnd bundle")
def test_proc_or_sys_is_a_link(f):
    """CVE-2023-28642, CVE-2019-16884: what is written to /proc would go to a place that the image chooses."""
    for name in ("proc", "sys"):
        image = f.image([entry("elsewhere"), link(name, "/elsewhere")])
        run = f.run(["true"], image=image)
        broken(not run.refused, f"/{name} is a link, and the container runs: {run}")


@attack("PROC_PLACES PROC_TARGETS", fronts="kilnd bundle")
def test_mounts_inside_proc(f):
    """CVE-2019-16884: a mount over files of /proc that the runtime or LSMs write to."""
    for place in ("/proc", "/proc/sys", "/proc/self/attr", "/proc/./1/../sys", "/proc/acpi"):
        for host in ({"Tmpfs": {place: ""}}, {"Binds": [f"{f.marker}:{place}"]}):
            run = f.run(["true"], host=host)
            broken(not run.refused, f"something is mounted on {place}: {run}")


@attack("PROC_TARGETS", fronts="kilnd bundle")
def test_mounts_inside_proc_through_a_link(f):
    """The same, where the image has a link that the plan does not see."""
    image = f.image([link("l", "/proc/sys"), link("m", "proc")])
    for host in ({"Tmpfs": {"/l": ""}}, {"Tmpfs": {"/m/sys": ""}}, {"Binds": [f"{f.marker}:/l"]}):
        run = f.run(["true"], image=image, host=host)
        broken(not run.refused, f"something is mounted in /proc: {run}")


@attack("IN_ROOT", fronts="kilnd bundle")
def test_directories_are_links_to_the_host(f):
    """CVE-2019-18837, CVE-2024-5154, CVE-2026-41579, CVE-2026-47766, CVE-2025-54867, CVE-2026-55686, CVE-2025-24965, CVE-2024-9341: /etc, /dev,
    the working directory and mount targets of an image are links to a directory of the host; nothing is made there."""
    up = "../" * 20
    for target in (f.marker, up + f.marker.lstrip("/")):
        image = f.image([entry("d"), link("etc/conf", target), link("a", target), link("d/e", target), link("dev", target)])
        more = {"without": ("/dev", "/dev/pts", "/sys/fs/cgroup")} if f.is_bundle else {"host": {"Tmpfs": {"/a/tmpfs": "", "/d/e/deep/er": ""}}}
        f.run(["true"], image=image, cwd="/a/cwd", **more)
        f.check_marker()
        if not f.is_bundle:
            image = f.image([link("etc", target)])
            f.run(["true"], image=image)
            f.check_marker()


def reading(f):
    """A program that reads the host's secret from wherever its working directory leads up to."""
    paths = " ".join("../" * n + f.marker.lstrip("/") + "/secret" for n in range(1, 12))
    return ["sh", "-c", f"for p in {paths}; do cat $p 2>/dev/null && break; done; readlink /proc/self/cwd; true"]


@attack("IN_ROOT CWD_INSIDE", fronts="kilnd bundle")
def test_cwd_is_a_descriptor_of_the_host(f):
    """CVE-2024-21626: the working directory is a magic link to what the runtime has open."""
    for n in range(3, 24):
        run = f.run(reading(f), cwd=f"/proc/self/fd/{n}")
        broken("a secret of the host" in run.out, f"descriptor {n}: {run}")


@attack("IN_ROOT CWD_INSIDE EXEC_FDS EXEC_POWERS", fronts="kilnd bundle")
def test_cwd_of_an_exec_is_a_descriptor_of_the_host(f):
    """CVE-2024-21626, by `exec --workdir`. (The process that looks the directory up is not in the pid namespace: /proc/self is nobody there.)"""
    with f.running(["sleep", "1000"]) as box:
        for n in [*range(3, 24)] * 2:     # a stem has other numbers than a monitor that is forked for it
            run = box.exec(reading(f), cwd=f"/proc/self/fd/{n}")
            broken("a secret of the host" in run.out, f"descriptor {n}: {run}")


# ---- races -----------------------------------------------------------------------------------------------

@contextlib.contextmanager
def exchanging(f, volume, a, b):
    """A container that shares the volume, and exchanges two names in it as fast as it can."""
    with f.running(["/attacker", "exchange", f"/v/{a}", f"/v/{b}", "60"], host={"Binds": [f"{volume}:/v"]}):
        yield


def exchange(volume, a, b):
    os.rename(f"{volume}/{a}", f"{volume}/.tmp")
    os.rename(f"{volume}/{b}", f"{volume}/{a}")
    os.rename(f"{volume}/.tmp", f"{volume}/{b}")


def volume_with_link(f):
    """A directory of the host that two containers share: t is a directory, l a link to the host's marker."""
    volume = tempfile.mkdtemp(dir=f.dir)
    os.makedirs(volume + "/t")
    os.symlink(f.marker, volume + "/l")
    return volume


@attack("ATTACH_BY_FD", race=True)
def test_target_of_a_mount_is_exchanged(f):
    """CVE-2021-30465, CVE-2019-19921, CVE-2023-27561: between looking up a mount's target and mounting on it, it becomes a link."""
    volume = volume_with_link(f)
    made = []

    def victim():
        box = f.create(["sleep", "1000"], host={"Binds": [f"{volume}:/vol"], "Tmpfs": {"/vol/t": MARK}})
        made.append(box.id)
        status, _, _ = f.k.api("POST", f"/containers/{box.id}/start")
        if status == 204:
            with open(f"/proc/{box.pid}/mountinfo", encoding="utf-8") as mounts:
                # by the volume, or where the link leads below the container's own root
                broken(MARK not in mounts.read(), "a mount of the container is not in its tree")
        box.remove()

    def is_the_place():
        pids = of_container(made[0]) if made else []
        with contextlib.suppress(OSError, IndexError), open(f"/proc/{pids[0]}/mountinfo", encoding="utf-8") as mounts:
            return "/vol " in mounts.read()
        return False

    f.race("ATTACH", victim, lambda: exchange(volume, "t", "l"), lambda: exchanging(f, volume, "t", "l"), is_the_place=is_the_place)


@attack("PLAIN_WALK", fronts="kilnd bundle", race=True)
def test_parents_are_exchanged_while_they_are_made(f):
    """CVE-2024-45310, CVE-2025-47290, CVE-2025-9566: directories are made below what has become a link to the host."""
    volume = volume_with_link(f)
    f.race("WALK", lambda: f.run(["true"], host={"Binds": [f"{volume}:/vol"], "Tmpfs": {"/vol/t/made/deep": ""}}),
           lambda: exchange(volume, "t", "l"), lambda: exchanging(f, volume, "t", "l"))


@attack("NULL_LOOKED_AT", fronts="kilnd bundle")
def test_null_is_a_link(f):
    """CVE-2025-31133, CVE-2025-62161: what hides files of /proc is taken from /dev/null, which the container has replaced."""
    volume = tempfile.mkdtemp(dir=f.dir)
    os.symlink("/proc/sys/kernel/hostname", volume + "/null")
    run = f.run(["cat", "/proc/keys"], host={"Binds": [f"{volume}:/dev"]})
    broken(not run.refused, f"/dev/null is a link, and the container runs: {run}")


@attack("PTMX_LOOKED_AT")
def test_ptmx_is_something_else(f):
    """CVE-2025-52565: the terminal of a container would be what it has put at /dev/pts/ptmx."""
    volume = tempfile.mkdtemp(dir=f.dir)
    os.mkfifo(volume + "/ptmx")
    run = f.run(["true"], tty=True, host={"Binds": [f"{volume}:/dev/pts"]})
    broken("makes no terminals" not in run.refused, f"a pipe was taken for /dev/ptmx: {run}")


@attack("KERNEL_BY_FD", fronts="bundle", race=True)
def test_proc_of_a_shared_root_is_exchanged(f):
    """CVE-2019-19921, CVE-2023-27561, CVE-2025-52881: two containers share a root; when files of /proc are to be hidden, /proc is elsewhere."""
    image = f.image([entry("proc"), link("l", "/elsewhere"), entry("elsewhere")])
    looks = "for p in /proc /l; do cat $p/interrupts; echo x >$p/sys/kernel/domainname && echo written; done 2>/dev/null; true"

    @contextlib.contextmanager
    def hostile():
        with subprocess.Popen([f"{image}/attacker", "exchange", f"{image}/proc", f"{image}/l", "60"], stdout=subprocess.DEVNULL) as p:
            yield
            p.kill()

    f.race("KERNEL", lambda: broken(f.run(["sh", "-c", looks], image=image).out, "files of the kernel are neither hidden nor protected"),
           lambda: exchange(image, "proc", "l"), hostile)
