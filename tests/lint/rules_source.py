# SPDX-License-Identifier: Apache-2.0
"""Rules that read the C sources. Each is a function(source) that yields (line, message)."""
import re

FOLDERS = ('base', 'oci', 'runtime', 'daemon', 'cli')

# --- include-matrix: who may include whom (docs/architecture.md) ------------------------------------

MAY_INCLUDE = {
    'base': {'base'},
    'oci': {'base', 'oci'},
    'runtime': {'base', 'oci', 'runtime'},
    'daemon': {'base', 'oci', 'daemon'},
    'cli': {'base', 'oci', 'cli'},
}
ALSO = {'daemon': {'runtime/proto.h'}, 'cli': {'daemon/api.h', 'daemon/http.h'}}


def include_matrix(src):
    folder = src.path.split('/')[0]
    if folder not in MAY_INCLUDE:
        return
    for line, kind, name in src.includes():
        if kind != '"':
            continue
        other = name.split('/')[0]
        if '/' not in name or other not in FOLDERS:
            yield line, f'"{name}" is not written from the root of the tree'
        elif other not in MAY_INCLUDE[folder] and name not in ALSO.get(folder, ()):
            yield line, f'{folder}/ may not include {name}'


# --- third-party-home: each library is seen by one module -------------------------------------------

HOMES = {
    'uv.h': ['daemon/loop.c'],
    'seccomp.h': ['runtime/seccomp'],
    'sys/capability.h': ['runtime/caps.c'],
    'libcgroup.h': ['runtime/cgroup'],
    'archive.h': ['runtime/unpack', 'runtime/layer', 'oci/layer', 'oci/archive'],
    'archive_entry.h': ['runtime/unpack', 'runtime/layer', 'oci/layer', 'oci/archive'],
    'jansson.h': ['base/json'],
    'sqlite3.h': ['daemon/state'],
    'http_parser.h': ['daemon/http'],
    'openssl/': ['oci/digest.c'],
    'isa-l': ['oci/'],
    'igzip_lib.h': ['oci/'],
    'zlib.h': ['oci/'],
    'zstd.h': ['oci/'],
    'systemd/': ['runtime/scope_bus.c'],
}


def third_party_home(src):
    if src.path.split('/')[0] not in FOLDERS:
        return
    for line, kind, name in src.includes():
        for header, homes in HOMES.items():
            if not (name == header or (header.endswith(('/', '-l')) and name.startswith(header))):
                continue
            is_home = any(src.path.startswith(h) for h in homes)
            if src.path.endswith('.h') and not (is_home and src.path.endswith(('_priv.h', '_impl.h'))):
                yield line, f'<{name}> in a header: our headers never mention the types of a library'
            elif not is_home:
                yield line, f'<{name}> belongs to {" or ".join(homes)}'


# --- header-doc: what a header offers is described there ------------------------------------------------

def header_doc(src):
    if not src.path.endswith('.h') or src.path.split('/')[0] not in FOLDERS:
        return
    for proto in src.prototypes():
        if proto.name.endswith('_'):         # of a macro, named by it
            continue
        block = comment_above(src, proto.line)
        same_line = '/*' in src.lines[proto.line - 1]
        if not block and not same_line:
            yield proto.line, f'{proto.name}() has no description'
        elif proto.returns.split() != ['void'] and '_Noreturn' not in proto.returns \
                and 'return' not in block.lower() and not same_line:
            yield proto.line, f'{proto.name}() does not tell what it returns ("Return:")'


def comment_above(src, line):
    """The comment over a group of declarations without an empty line between."""
    at = line - 2
    while at >= 0 and src.lines[at].strip() and not src.lines[at].strip().endswith('*/'):
        at -= 1
    if at < 0 or not src.lines[at].strip().endswith('*/'):
        return ''
    # A one-line comment behind a declaration is that one's own; look further up.
    if not src.lines[at].lstrip().startswith(('/*', '*')):
        return comment_above(src, at + 1)
    end = at
    while at >= 0 and '/*' not in src.lines[at]:
        at -= 1
    return '\n'.join(src.lines[at:end + 1])


# --- error-last: `struct err *e` is the last parameter --------------------------------------------------

def error_last(src):
    if not src.path.endswith('.h') or src.path.split('/')[0] not in FOLDERS or src.path == 'base/err.h':
        return
    for proto in src.prototypes():
        where = [i for i, p in enumerate(proto.params) if re.match(r'struct err \*', p)]
        if not where or proto.name.startswith('err_'):
            continue
        if proto.params[-1].startswith('...') and where[-1] == len(proto.params) - 3:
            continue
        if where[-1] != len(proto.params) - 1:
            yield proto.line, f'{proto.name}(): struct err *e is the last parameter'
        elif not re.match(r'struct err \*(e|ret_\w+)?$', proto.params[-1]):
            yield proto.line, f'{proto.name}(): the error is called e'


# --- banned-calls ------------------------------------------------------------------------------------------

BANNED = {
    'strcpy': 'snprintf or str.h', 'strcat': 'strbuf', 'sprintf': 'snprintf', 'vsprintf': 'vsnprintf',
    'strncat': 'strbuf', 'gets': 'fd_read_all', 'atoi': 'str_to_i64', 'atol': 'str_to_i64',
    'atoll': 'str_to_i64', 'strtok': 'strsep', 'alloca': 'a fixed buffer or an arena', 'system': 'spawn_exec',
    'popen': 'spawn_exec', 'tmpnam': 'mkostemp', 'mktemp': 'mkostemp', 'signal': 'sigaction',
    'asctime': 'strftime', 'ctime': 'strftime', 'uv_spawn': 'spawn_exec', 'uv_fs_open': 'openat',
}
ONLY_RUNTIME = {'fork', 'vfork', 'clone', 'clone3', 'unshare', 'setns', 'pivot_root', 'chroot', 'mount',
                'umount2', 'execve', 'execvp', 'execv', 'execl', 'fexecve', 'execveat'}


def banned_calls(src):
    folder = src.path.split('/')[0]
    if folder not in FOLDERS:
        return
    for call in src.calls():
        if call.name == 'signal' and call.args[-1:] in (['SIG_IGN'], ['SIG_DFL']):
            continue
        if call.name in BANNED:
            yield call.line, f'{call.name}(): use {BANNED[call.name]}'
        elif call.name in ONLY_RUNTIME and folder not in ('runtime',):
            yield call.line, f'{call.name}() is for runtime/ only'


# --- cloexec: every descriptor is closed on exec from its birth --------------------------------------------

# function: (the flag, the argument that must hold it; None: any)
NEEDS = {
    'open': 'O_CLOEXEC', 'openat': 'O_CLOEXEC', 'open64': 'O_CLOEXEC', 'creat': None,
    'socket': 'SOCK_CLOEXEC', 'socketpair': 'SOCK_CLOEXEC', 'accept4': 'SOCK_CLOEXEC', 'accept': None,
    'pipe': None, 'pipe2': 'O_CLOEXEC', 'dup': None, 'dup3': 'O_CLOEXEC', 'epoll_create': None,
    'epoll_create1': 'EPOLL_CLOEXEC', 'eventfd': 'EFD_CLOEXEC', 'signalfd': 'SFD_CLOEXEC',
    'timerfd_create': 'TFD_CLOEXEC', 'inotify_init': None, 'inotify_init1': 'IN_CLOEXEC',
    'memfd_create': 'MFD_CLOEXEC', 'recvmsg': 'MSG_CMSG_CLOEXEC', 'mkstemp': None, 'mkostemp': 'O_CLOEXEC',
    'fsopen': 'FSOPEN_CLOEXEC', 'fsmount': 'FSMOUNT_CLOEXEC', 'open_tree': 'OPEN_TREE_CLOEXEC',
    'fspick': 'FSPICK_CLOEXEC',
}
STDIO = {'0', '1', '2', 'STDIN_FILENO', 'STDOUT_FILENO', 'STDERR_FILENO'}


def cloexec(src):
    if src.path.split('/')[0] not in FOLDERS:
        return
    for call in src.calls():
        args = ' '.join(call.args)
        if call.name in ('dup2', 'dup3') and len(call.args) > 1 and call.args[1] in STDIO:
            continue                     # standard streams are meant for the program
        if call.name == 'dup2':
            yield call.line, 'dup2(): dup3 with O_CLOEXEC, or a standard stream'
        elif call.name in ('fopen', 'fdopen', 'freopen'):
            quoted = re.search(call.name + r'\s*\(.*"([^"]*)"\s*\)', src.lines[call.line - 1])
            if call.name != 'fdopen' and quoted and 'e' not in quoted.group(1):
                yield call.line, f'{call.name}(): mode without "e"'
        elif call.name in NEEDS:
            flag = NEEDS[call.name]
            if flag is None:
                yield call.line, f'{call.name}() cannot set close-on-exec'
            elif flag not in args and not is_declaration(call) and not through_variable(src, call, flag):
                yield call.line, f'{call.name}() without {flag}'


def through_variable(src, call, flag):
    """An argument is a variable that was given the flag in the lines above."""
    above = '\n'.join(src.code.split('\n')[max(0, call.line - 40):call.line])
    return any(re.search(r'\b' + a + r'\s*\|?=[^;]*\b' + flag, above) for a in call.args if re.fullmatch(r'[A-Za-z_]\w*', a))


def is_declaration(call):
    return any(re.match(r'(const|int|struct|char|unsigned)\b', a) for a in call.args)


# --- stage-calls: what runs between clone and exec ------------------------------------------------------------

def stage_names(src):
    if not re.match(r'runtime/stage_\w+\.c$', src.path) and src.path != 'runtime/stage.c':
        return
    for f in src.functions():
        if not f.name.startswith('stage_'):
            yield f.line, f'{f.name}(): functions of a stage file are named stage_*'


# --- words, first lines -----------------------------------------------------------------------------------

def unfinished(src):
    for n, text in enumerate(src.lines, 1):
        m = re.search(r'\b(TODO|FIXME|XXX|HACK)\b(?!\w)|not implemented', text)
        if m and 'XXXXXX' not in text:
            yield n, f'"{m.group()}": finish it, or refuse it by name'


def first_line(src):
    if '/* SPDX-License-Identifier: Apache-2.0 */' not in src.lines[0]:
        yield 1, 'the first line is /* SPDX-License-Identifier: Apache-2.0 */'
    if src.path.endswith('.h') and not re.search(r'^#pragma once$', src.text, re.M):
        yield 1, 'a header has #pragma once'


# --- columns: tabs of 8; 100 columns is the aim, clang-format settles it ------------------------------------

def white_space(src):
    for n, text in enumerate(src.lines, 1):
        if text != text.rstrip():
            yield n, 'white space at the end of the line'
        elif text.startswith('        '):
            yield n, 'indented by spaces: tabs of 8'


def columns(src):
    for n, text in enumerate(src.lines, 1):
        if len(text.expandtabs(8)) > 120:
            yield n, f'{len(text.expandtabs(8))} columns: aim for 100'


# --- sizes, as advice -------------------------------------------------------------------------------------

def sizes(src):
    if src.path.endswith('.c') and len(src.lines) > 800:
        yield 1, f'{len(src.lines)} lines: look for the second module in it'
    for f in src.functions():
        if f.length > 100 and src.path.split('/')[0] in FOLDERS:
            yield f.line, f'{f.name}(): {f.length} lines: split it'


SOURCE_RULES = {
    'include-matrix': include_matrix,
    'third-party-home': third_party_home,
    'header-doc': header_doc,
    'error-last': error_last,
    'banned-calls': banned_calls,
    'cloexec': cloexec,
    'stage-names': stage_names,
    'unfinished': unfinished,
    'first-line': first_line,
    'white-space': white_space,
}
SOURCE_ADVICE = {'size-report': sizes, 'columns': columns}
