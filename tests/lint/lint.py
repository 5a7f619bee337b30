# SPDX-License-Identifier: Apache-2.0
"""`make lint`: the mechanical rules of the project (HACKING.md).

Prints `file:line: rule: message` for each finding, then one line `ok lint:RULE` or `FAIL lint:RULE`. A single
line is excused by `/* lint: RULE reason */` on it or above it; the reason is part of it. Advice is printed and
never fails. `lint.py RULE...` runs only these.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from ctext import Source  # noqa: E402
from rules_source import SOURCE_ADVICE, SOURCE_RULES  # noqa: E402
from rules_tree import TREE_ADVICE, TREE_RULES, tree  # noqa: E402


def sources():
    for path in tree('.c', '.h'):
        if not path.startswith('tests/spikes/'):
            with open(path, encoding='utf-8', errors='replace') as f:
                yield Source(path, f.read())


def run_source_rule(name, rule, files):
    return [f'{src.path}:{line}: {name}: {message}'
            for src in files for line, message in rule(src) or () if not src.suppressed(line, name)]


def run_tree_rule(name, rule, build, nm):
    return [f'{where}: {name}: {message}' for where, message in rule(build, nm) or ()]


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))
    build, nm = os.environ.get('BUILD', 'build'), os.environ.get('NM', 'nm')
    chosen, files, lines, failed = sys.argv[1:], list(sources()), [], 0

    def findings(name, rule, kind):
        return run_source_rule(name, rule, files) if kind == 'source' else run_tree_rule(name, rule, build, nm)

    for rules, kind, fatal in ((SOURCE_ADVICE, 'source', False), (TREE_ADVICE, 'tree', False),
                               (SOURCE_RULES, 'source', True), (TREE_RULES, 'tree', True)):
        for name, rule in rules.items():
            if chosen and name not in chosen:
                continue
            found = findings(name, rule, kind)
            for line in found:
                print(line if fatal else f'advice: {line}')
            if fatal:
                lines.append(f'{"FAIL" if found else "ok"} lint:{name}')
                failed += bool(found)
    print('\n'.join(lines))
    os.makedirs(f'{build}/results', exist_ok=True)
    if not chosen:
        with open(f'{build}/results/lint.log', 'w', encoding='utf-8') as f:
            f.write('\n'.join(lines) + '\n')
    print(f'lint: {len(lines) - failed} passed, {failed} failed')
    return failed != 0


if __name__ == '__main__':
    sys.exit(main())
