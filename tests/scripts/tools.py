# SPDX-License-Identifier: Apache-2.0
"""What the script tests share: running commands, a small tree to build in."""
import contextlib
import os
import shutil
import subprocess
import tempfile

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))
BUILD = os.environ.get('KILN_BUILD', os.path.join(ROOT, 'build'))


class Skip(Exception):
    """The test cannot run here; the message says why."""


def sh(command, cwd=ROOT, env=None, timeout=120):
    """Runs a line of shell; returns its exit status and everything that it printed."""
    clean = {k: v for k, v in os.environ.items() if k not in ('MAKEFLAGS', 'MFLAGS', 'MAKELEVEL', 'CI', 'WERROR', 'V')}
    clean.update(env or {})
    p = subprocess.run(['sh', '-c', command], cwd=cwd, env=clean, timeout=timeout, text=True, errors='replace',
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)
    return p.returncode, p.stdout


def read(path):
    with open(os.path.join(ROOT, path), encoding='utf-8', errors='replace') as f:
        return f.read()


def write(tree, path, text, mode=0o644):
    full = os.path.join(tree, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, 'w', encoding='utf-8') as f:
        f.write(text)
    os.chmod(full, mode)


@contextlib.contextmanager
def small_tree(configured=False):
    """The build files with one source for each program, to be built in a second."""
    with tempfile.TemporaryDirectory(prefix='kiln-tree.') as tree:
        for name in ('Makefile', 'configure.ac', 'config.mk.in', 'LICENSE', 'NOTICE'):
            shutil.copy(os.path.join(ROOT, name), tree)
        shutil.copytree(os.path.join(ROOT, 'contrib/systemd'), os.path.join(tree, 'contrib/systemd'))
        shutil.copytree(os.path.join(ROOT, 'tests/lint'), os.path.join(tree, 'tests/lint'))
        write(tree, 'base/one.h', '/* SPDX-License-Identifier: Apache-2.0 */\n#pragma once\n'
                                  '/** one() - One\n * Return: 1 */\nint one(void);\n')
        write(tree, 'base/one.c', '/* SPDX-License-Identifier: Apache-2.0 */\n#include "base/one.h"\n\n'
                                  'int one(void)\n{\n\treturn 1;\n}\n')
        for folder in ('runtime', 'daemon', 'cli'):
            write(tree, f'{folder}/main.c', '/* SPDX-License-Identifier: Apache-2.0 */\n#include "base/one.h"\n\n'
                                            'int main(void)\n{\n\treturn one() - 1;\n}\n')
        if configured:
            write(tree, 'build/config.mk', read('build/config.mk'))
        yield tree


def files_of(tree, but=()):
    found = {}
    for folder, dirs, names in os.walk(tree):
        dirs[:] = [d for d in dirs if os.path.relpath(os.path.join(folder, d), tree) not in but and d != '__pycache__']
        for name in names:
            path = os.path.join(folder, name)
            found[os.path.relpath(path, tree)] = os.stat(path).st_mtime_ns
    return found
