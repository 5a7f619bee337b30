# SPDX-License-Identifier: Apache-2.0
"""Rules that look at built files and at the whole tree. Each yields (where, message)."""
import glob
import os
import re
import shutil
import subprocess

# kilnd makes processes by posix_spawn only, and leaves every privileged act to kiln-runtime. open_tree and
# mount_setattr are not here: it opens the sources of binds as detached mounts, which are attached by others.
DAEMON_BANNED = set('''
    fork vfork _Fork clone clone3 __clone2 unshare setns mount umount umount2 pivot_root chroot
    move_mount fsopen fsmount fspick fsconfig swapon reboot
    setuid setgid setreuid setregid setresuid setresgid seteuid setegid setgroups initgroups
    execve execv execvp execvpe execl execlp execle fexecve execveat system popen daemon uv_spawn
    ptrace init_module finit_module delete_module
'''.split())
DAEMON_LIBS_BANNED = ('libarchive', 'libseccomp', 'libcgroup', 'libcap')
RUNTIME_LIBS_BANNED = ('libuv', 'libsqlite3', 'libhttp_parser')


SKIP = ('build', '.git', '__pycache__')


def tree(*endings):
    """The files of the tree, by path from its root; build/ and what is hidden are not part of it."""
    for folder, dirs, names in os.walk('.'):
        dirs[:] = sorted(d for d in dirs if d not in SKIP)
        for name in sorted(names):
            if name not in SKIP and (not endings or name.endswith(endings)):   # .git is a file in a worktree
                yield os.path.relpath(os.path.join(folder, name), '.')


def run(*argv):
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout


def undefined(nm, *argv):
    """The symbols that a file needs from elsewhere, without versions."""
    out = run(nm, *argv)
    return {line.split()[-1].split('@')[0] for line in out.splitlines() if line.strip()}


def daemon_symbols(build, nm):
    path = f'{build}/kilnd'
    if not os.path.exists(path):
        return
    for name in sorted(undefined(nm, '-D', '--undefined-only', path) & DAEMON_BANNED):
        yield path, f'{name}: kilnd never forks, mounts or changes identity'
    for source in glob.glob('daemon/**/*.c', recursive=True):
        with open(source, encoding='utf-8') as f:
            for n, line in enumerate(f, 1):
                m = re.search(r'\b(?:SYS|__NR)_(\w+)', line)
                if m and m.group(1) in DAEMON_BANNED:
                    yield f'{source}:{n}', f'raw system call {m.group(1)}'


def program_libraries(build, _nm):
    for name, banned in (('kilnd', DAEMON_LIBS_BANNED), ('kiln-runtime', RUNTIME_LIBS_BANNED)):
        path = f'{build}/{name}'
        if os.path.exists(path):
            for lib in re.findall(r'NEEDED.*\[(.*)\]', run('readelf', '-d', path)):
                if lib.startswith(banned):
                    yield path, f'links {lib}'


def hardening(build, _nm):
    """PIE, full RELRO, no executable stack, stack protector, fortify."""
    for name in ('kilnd', 'kiln-runtime', 'kiln'):
        path = f'{build}/{name}'
        if not os.path.exists(path):
            continue
        elf = run('readelf', '-Wh', '-Wl', '-Wd', path)
        for what, pattern in (('PIE', r'Type:\s+DYN'), ('RELRO', r'GNU_RELRO'), ('BIND_NOW', r'BIND_NOW|FLAGS.*NOW'),
                              ('a stack that is not executable', r'GNU_STACK(?:\s+0x\w+){5}\s+RW\s')):
            if not re.search(pattern, elf):
                yield path, f'without {what}'
        symbols = run('nm', '-D', path)
        if '__stack_chk_fail' not in symbols:
            yield path, 'without stack protector'
        if '_chk' not in symbols.replace('__stack_chk_fail', ''):
            yield path, 'without fortify'


def stage_purity(build, nm):
    """Objects of stage files may need only stage_* and what tests/lint/stage-calls.txt lists."""
    with open('tests/lint/stage-calls.txt', encoding='utf-8') as f:
        allowed = {word for line in f for word in line.split('#')[0].split()}
    for path in sorted(glob.glob(f'{build}/obj/runtime/stage*.o')):
        source = os.path.relpath(path, f'{build}/obj')[:-2] + '.c'
        if not os.path.exists(source):
            continue
        for name in sorted(undefined(nm, '--undefined-only', path)):
            if not name.startswith('stage_') and name not in allowed:
                yield source, f'{name}(): nothing but stage_* and listed system calls runs between clone and exec'


def clang_format(_build, _nm):
    if not shutil.which('clang-format'):
        return
    files = list(tree('.c', '.h'))
    out = subprocess.run(['clang-format', '--dry-run', '-Werror', *files], capture_output=True, text=True,
                         check=False).stderr if files else ''
    for name in sorted({m.group(1) for m in re.finditer(r'^([^\s:]+):\d+:\d+: error', out, re.M)}):
        yield name, 'clang-format would change it (make format)'


def shell_syntax(_build, _nm):
    """Scripts are POSIX sh; shellcheck where it is installed."""
    files = [f for f in tree('.sh', '.ci/run') if 'bash' not in first_line_of(f)]
    for name in files:
        p = subprocess.run(['sh', '-n', name], capture_output=True, text=True, check=False)
        if p.returncode:
            yield name, p.stderr.strip()
    if shutil.which('shellcheck') and files:
        out = run('shellcheck', '-s', 'sh', '-S', 'warning', '-f', 'gcc', *files)
        for line in out.splitlines():
            where, _, message = line.partition(': ')
            yield where, message


def first_line_of(path):
    with open(path, encoding='utf-8', errors='replace') as f:
        return f.readline()


def no_machine_paths(_build, _nm):
    """Nothing in the tree names the place where it was written."""
    pattern = re.compile(r'(?<![\w./])/(?:work|home/\w+|Users)/')
    for name in tree():
        if name.startswith('tests/lint/') or not os.path.isfile(name):
            continue
        with open(name, encoding='utf-8', errors='replace') as f:
            for n, line in enumerate(f, 1):
                if pattern.search(line):
                    yield f'{name}:{n}', f'a path of somebody\'s machine: {line.strip()[:60]}'


def defences(build, _nm):
    """base/defences.def, the code, and the attacks name the same; and nobody runs a program with switches."""
    with open('base/defences.def', encoding='utf-8') as f:
        rows = dict(re.findall(r'^X\((\w+),\s*"R\d+",\s*"(.*)"\)', f.read(), re.M))
    pauses = {name for name, what in rows.items() if what.startswith('pause: ')}
    used = {}
    for path in tree('.c'):
        with open(path, encoding='utf-8') as f:
            for kind, name in re.findall(r'\bDEFENCE(_PAUSE)?\((\w+)', f.read()):
                used.setdefault(name, set()).add(kind)
                if name not in rows:
                    yield path, f'{name} is not in base/defences.def'
    attacks = set()
    for path in glob.glob('tests/security/test_*.py'):
        with open(path, encoding='utf-8') as f:
            text = f.read()
        for more, name in re.findall(r'^@attack\((.*)\)\ndef (test_\w+)', text, re.M):
            if not re.match('"[A-Z_ ]+"', more) and not re.search(r'\bbecause="[^"]{20,}"', more):
                yield path, f'{name} has neither a defence without which it succeeds, nor a reason why there is none'
        attacks |= {name for names in re.findall(r'^@attack\((.*)\)$', text, re.M) for name in re.findall(r'\b[A-Z][A-Z_]+\b', names)}
        attacks |= set(re.findall(r'"([A-Z]+)"', text)) & pauses
    for name in rows:
        if used.get(name) != ({'_PAUSE'} if name in pauses else {''}):
            yield 'base/defences.def', f'{name} is not used' if name not in used else f'{name} is both a defence and a pause'
        elif name not in attacks:
            yield 'base/defences.def', f'{name} has no attack in tests/security/'
    for program in ('kilnd', 'kiln-runtime', 'kiln'):
        if os.path.exists(f'{build}/{program}'):
            with open(f'{build}/{program}', 'rb') as f:
                if re.search(rb'KILN_WEAK|defence_(?:is_up|pause)', f.read()):
                    yield f'{build}/{program}', 'has the switches of build/weak/'


TREE_RULES = {
    'defences': defences,
    'daemon-symbols': daemon_symbols,
    'program-libraries': program_libraries,
    'hardening': hardening,
    'stage-purity': stage_purity,
    'shell': shell_syntax,
    'machine-paths': no_machine_paths,
}
TREE_ADVICE = {'clang-format': clang_format}
