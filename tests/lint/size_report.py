# SPDX-License-Identifier: Apache-2.0
"""`make report`: sizes of functions, files and programs. Guidance, never a failure."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lint import sources  # noqa: E402
from rules_source import FOLDERS  # noqa: E402


def quantile(values, q):
    return values[min(len(values) - 1, int(len(values) * q))] if values else 0


def main():
    functions, per_folder, tests = [], {}, 0
    for src in sources():
        folder = src.path.split('/')[0]
        if folder not in FOLDERS:
            tests += len(src.lines)
            continue
        n_files, n_lines = per_folder.get(folder, (0, 0))
        per_folder[folder] = (n_files + 1, n_lines + len(src.lines))
        functions += [(f.length, f.name, src.path, f.line) for f in src.functions()]
    functions.sort()
    lengths = [f[0] for f in functions]
    for folder in FOLDERS:
        print('%-8s %3d files %6d lines' % (folder, *per_folder.get(folder, (0, 0))))
    print(f'tests    {tests} lines of C')
    print(f'functions: {len(lengths)}, median {quantile(lengths, .5)} lines, nine in ten under {quantile(lengths, .9)}')
    for length, name, path, line in functions[:-11:-1]:
        print(f'  {length:4d} {name} ({path}:{line})')
    if sys.argv[1:]:
        subprocess.run(['size', *sys.argv[1:]], check=False)


if __name__ == '__main__':
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))
    main()
