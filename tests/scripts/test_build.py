# SPDX-License-Identifier: Apache-2.0
"""The build: configure.ac, Makefile, lint."""
import glob
import os
import re
import shutil
import tempfile

from tools import BUILD, ROOT, files_of, read, sh, small_tree, write

FAKE_PKG_CONFIG = '''#!/bin/sh
echo "$@" >>"{log}"
case "$*" in *{missing}*) exit 1 ;; esac
exec pkg-config "$@"
'''


def configure(tree, missing):
    write(tree, 'fake', FAKE_PKG_CONFIG.format(log=f'{tree}/log', missing=missing), 0o755)
    return sh('mkdir -p build && cd build && autoconf -o configure ../configure.ac && '
              'PKG_CONFIG=$PWD/../fake ./configure --srcdir=..', cwd=tree)


def test_configure_asks_pkg_config_for_each_library():
    with small_tree() as tree:
        code, out = configure(tree, 'nothing-is-missing')
        assert code == 0, out
        with open(f'{tree}/log', encoding='utf-8') as f:
            asked = f.read()
    for lib in ('libseccomp libcap libarchive jansson libcgroup check libuv libcrypto libisal zlib libzstd '
                'sqlite3 libsystemd').split():
        assert f'--exists {lib}' in asked, f'pkg-config was not asked for {lib}\n{asked}'


def test_configure_names_what_is_missing_and_its_package():
    with small_tree() as tree:
        code, out = configure(tree, 'libuv')
    assert code != 0, 'configure went on without libuv'
    for word in ('libuv', 'apt-get install libuv1-dev', 'dnf install libuv-devel', 'event loop'):
        assert word in out, f'"{word}" is not told\n{out}'


def test_configure_writes_only_below_build():
    with small_tree() as tree:
        before = files_of(tree)
        code, out = sh('make build/config.mk', cwd=tree)
        assert code == 0, out
        assert files_of(tree, but=('build',)) == before, 'files outside build/ changed'
        assert os.path.exists(f'{tree}/build/config.mk')


def test_make_runs_configure_when_needed():
    with small_tree() as tree:
        _, first = sh('make', cwd=tree)
        _, second = sh('make', cwd=tree)
        _, third = sh('touch -d "+2 seconds" configure.ac && make', cwd=tree)
    assert 'configure' in first and 'configure' not in second and 'configure' in third, first + second + third


def test_makefile_is_not_recursive():
    lines = [l for l in read('Makefile').splitlines() if '$(MAKE)' in l or 'make -C' in l]
    # Only the targets that run on other binaries or with other settings.
    assert all('SAN=' in l or 'FAULTS=' in l or 'KILN_LONG' in l for l in lines), '\n'.join(lines)


def test_make_builds_three_programs():
    for name in ('kilnd', 'kiln', 'kiln-runtime'):
        assert os.access(f'{BUILD}/{name}', os.X_OK), f'{BUILD}/{name} is not there'


def test_install_honours_destdir_and_prefix():
    with small_tree() as tree:
        code, out = sh(f'make install DESTDIR={tree}/dest prefix=/opt/kiln', cwd=tree)
        assert code == 0, out
        found = {os.path.relpath(p, f'{tree}/dest') for p in glob.glob(f'{tree}/dest/**', recursive=True)
                 if os.path.isfile(p)}
    assert {'opt/kiln/bin/kiln', 'opt/kiln/bin/kiln-runtime', 'opt/kiln/bin/kilnd'} <= found or \
        {'opt/kiln/bin/kiln', 'opt/kiln/bin/kiln-runtime', 'opt/kiln/sbin/kilnd'} <= found, found
    assert all(p.startswith(('opt/kiln/', 'lib/systemd/system/', 'usr/lib/')) for p in found), found


def test_install_and_uninstall_of_units():
    """Units name the program where it is installed, systemd finds nothing wrong in them, and nothing is left."""
    with small_tree() as tree:
        dest = f'{tree}/dest'
        where = f'DESTDIR={dest} prefix=/opt/kiln systemdunitdir=/units sysusersdir=/sysusers'
        code, out = sh(f'make install {where}', cwd=tree)
        assert code == 0, out
        for unit in ('kilnd.service', 'kiln-shutdown.service'):
            text = read(f'{dest}/units/{unit}')
            assert '/opt/kiln/bin/kilnd' in text and '@bindir@' not in text, text
        assert 'g kiln' in read(f'{dest}/sysusers/kiln.conf')
        if shutil.which('systemd-analyze'):
            _, out = sh(f'systemd-analyze verify --man=no {dest}/units/*', cwd=tree)
            wrong = [line for line in out.splitlines() if 'kiln' in line and 'is not executable' not in line]
            assert not wrong, wrong
        code, out = sh(f'make uninstall {where}', cwd=tree)
        assert code == 0, out
        left = [p for p in glob.glob(f'{dest}/**', recursive=True) if os.path.isfile(p)]
        assert not left, left
        code, out = sh(f'make install DESTDIR={tree}/none systemdunitdir=no sysusersdir=no', cwd=tree)
        assert code == 0 and not glob.glob(f'{tree}/none/**/*.service', recursive=True), out


def test_install_has_man_pages_and_completion():
    with tempfile.TemporaryDirectory(prefix='kiln-install.') as dest:
        where = f'DESTDIR={dest} prefix=/usr systemdunitdir=no sysusersdir=no'
        code, out = sh(f'make install {where}')
        assert code == 0, out
        for path in ('man/man1/kiln.1', 'man/man1/kiln-run.1', 'man/man1/kiln-system-check.1', 'man/man8/kilnd.8', 'man/man5/kilnd.json.5',
                     'bash-completion/completions/kiln', 'zsh/site-functions/_kiln'):
            assert os.path.getsize(f'{dest}/usr/share/{path}') > 100, path
        code, out = sh(f'make uninstall {where}')
        assert code == 0, out
        left = [p for p in glob.glob(f'{dest}/**', recursive=True) if os.path.isfile(p)]
        assert not left, left


def test_clean_leaves_the_sources():
    with small_tree() as tree:
        before = files_of(tree)
        sh('make && make clean', cwd=tree)
        assert files_of(tree) == before, 'something was left or lost'


def test_warnings_are_errors_in_ci():
    with small_tree(configured=True) as tree:
        write(tree, 'base/two.c', 'int two(void)\n{\n\tint unused;\n\treturn 2;\n}\n')
        code, out = sh('make', cwd=tree)
        assert code == 0 and 'warning' in out, out
        code, out = sh('touch base/two.c && CI=true make V=1', cwd=tree)
        assert code != 0 and 'error' in out, out
    for flag in '-Wall -Wextra -Wshadow -Wvla -Wmissing-prototypes -Wstrict-prototypes -Wwrite-strings'.split():
        assert flag in out, f'{flag} is not used'


def test_unit_tests_need_no_root():
    binaries = sorted(p for p in glob.glob(f'{BUILD}/unit/test_*') if os.access(p, os.X_OK))
    assert binaries, 'no unit tests were built; run make check'
    with tempfile.TemporaryDirectory(prefix='kiln-unit.') as tree:
        os.chmod(tree, 0o755)
        for folder in ('tests/golden', 'tests/fuzz/corpus/http', 'contrib/seccomp'):
            shutil.copytree(os.path.join(ROOT, folder), os.path.join(tree, folder))
        for binary in binaries:
            shutil.copy(binary, tree)
            code, out = sh(f'setpriv --reuid 65534 --regid 65534 --clear-groups ./{os.path.basename(binary)}', cwd=tree)
            assert code == 0, f'{os.path.basename(binary)} as nobody:\n{out}'


FAULTS = {
    'include-matrix': ('base/bad.c', '#include "daemon/loop.h"\n'),
    'third-party-home': ('base/bad.c', '#include <uv.h>\n'),
    'header-doc': ('base/bad.h', '#pragma once\n\nint nobody_knows(void);\n'),
    'error-last': ('base/bad.h', '#pragma once\n/** f() - x\n * Return: 0 */\nint f(struct err *e, int a);\n'),
    'banned-calls': ('base/bad.c', 'void f(char *a)\n{\n\tstrcpy(a, "b");\n}\n'),
    'cloexec': ('base/bad.c', 'int f(void)\n{\n\treturn open("/", O_RDONLY);\n}\n'),
    'stage-names': ('runtime/stage_bad.c', 'int helper(void)\n{\n\treturn 0;\n}\n'),
    'unfinished': ('base/bad.c', '/* TO' 'DO: later */\n'),
    'first-line': ('base/bad.c', None),
    'white-space': ('base/bad.c', 'int x; \n'),
    'daemon-symbols': ('daemon/main.c', '#include <unistd.h>\nint main(void)\n{\n\treturn fork();\n}\n'),
    'stage-purity': ('runtime/stage_bad.c', '#include <stdlib.h>\nvoid *stage_bad(void);\nvoid *stage_bad(void)\n'
                                            '{\n\treturn malloc(3);\n}\n'),
    'shell': ('contrib/bad.sh', None),
    'machine-paths': ('base/bad.c', '/* /' 'work/here */\n'),
}


def test_lint_finds_each_kind_of_fault():
    for rule, (path, text) in FAULTS.items():
        with small_tree(configured=True) as tree:
            spdx = '/* SPDX-License-Identifier: Apache-2.0 */\n'
            write(tree, path, spdx + text if text else 'if then\n' if path.endswith('.sh') else 'int x;\n')
            sh('make', cwd=tree)
            code, out = sh(f'python3 tests/lint/lint.py {rule}', cwd=tree)
            assert code != 0 and f'FAIL lint:{rule}' in out, f'{rule} did not find its fault\n{out}'
            excuse = '/* lint: %s the test wants it */' % rule
            if rule in ('banned-calls', 'cloexec'):
                write(tree, path, spdx + re.sub(r';\n\}', f'; {excuse}\n}}', text))
                code, out = sh(f'python3 tests/lint/lint.py {rule}', cwd=tree)
                assert code == 0, f'{rule} does not honour its suppression\n{out}'
