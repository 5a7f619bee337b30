# SPDX-License-Identifier: Apache-2.0
"""Processor time of groups of processes, that of processes that have ended included: what the kernel counts per group."""
import os

V1 = "/sys/fs/cgroup/cpuacct"


def folder(group):
    return (V1 if os.path.isdir(V1) else "/sys/fs/cgroup") + group


def join(group):
    """A shell command by which the shell goes into @group, which is new."""
    os.makedirs(folder(group), exist_ok=True)
    return f"echo 0 >{folder(group)}/cgroup.procs"


def used_ms(groups):
    return sum(map(used_ns, groups)) / 1e6


def used_ns(group):
    if os.path.isdir(V1):
        with open(folder(group) + "/cpuacct.usage") as f:
            return int(f.read())
    with open(folder(group) + "/cpu.stat") as f:
        return 1000 * next(int(line.split()[1]) for line in f if line.startswith("usage_usec"))
