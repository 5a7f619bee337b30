# SPDX-License-Identifier: Apache-2.0
"""Compares tests/acceptance.tsv with the results of the last runs (build/results/*.log).

A row is: issue, promise, names of the tests that show it, status. Every row without a status needs all of its
tests to have passed; a row with the status `open: reason` is listed at the end and fails nothing. With --names
no results are read: it is only checked that each test that is named exists in the tree. The status `may skip: reason`
also takes tests that were skipped (a promise with an "if").

Names: unit:test_module:name, e2e:test_name, faults:test_name and so on for each FOLDER of tests/ (FOLDER:test_name), vm:name, vm:INIT:e2e:test_name, lint:rule, script:name, suite:name (of contrib/check.sh).
"""
import glob
import os
import re
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')


def read_rows(path):
    rows = []
    with open(path, encoding='utf-8') as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip('\n')
            if not line or line.startswith('#'):
                continue
            cells = line.split('\t') + ['']
            if len(cells) < 4:
                sys.exit(f'{path}:{number}: issue, promise and tests, separated by tabs')
            rows.append((number, cells[0], cells[1], cells[2].split(), cells[3]))
    return rows


def read_results(pattern):
    """Name to ok, skip or FAIL; what failed anywhere has failed, what passed somewhere has run."""
    worst = {'skip': 0, 'ok': 1, 'FAIL': 2}
    results = {}
    for path in sorted(glob.glob(pattern)):
        if os.path.basename(path) == 'acceptance.log':
            continue
        with open(path, encoding='utf-8', errors='replace') as f:
            for line in f:
                m = re.match(r'(ok|FAIL|skip) (\w+:[\w:.-]*\w)', line)
                if m and worst[m.group(1)] >= worst.get(results.get(m.group(2)), -1):
                    results[m.group(2)] = m.group(1)
    return results


def names_in_tree():
    names = {f'suite:{s}' for s in re.search(r"all_suites='(.*)'", read('contrib/check.sh')).group(1).split()}
    for path in glob.glob('tests/unit/test_*.c'):
        module = os.path.basename(path)[:-2]
        names |= {f'unit:{module}:{t}' for t in re.findall(r'START_TEST\s*\(\s*(\w+)', read(path))}
    names |= {f'fuzz:{os.path.basename(path)[5:-2]}' for path in glob.glob('tests/fuzz/fuzz_*.c')}
    for path in glob.glob('tests/e2e/**/*.py', recursive=True):
        names |= {f'e2e:{t}' for t in re.findall(r'^\s*def (test_\w+)', read(path), re.M)}
    for path in glob.glob('tests/*/test_*.py'):
        suite = path.split('/')[1]
        names |= {f'{suite}:{t}' for t in re.findall(r'^def (test_\w+)', read(path), re.M)}
    for path in glob.glob('tests/security/test_*.py'):
        for without, more, name in re.findall(r'^@attack\(((?:"[A-Z_ ]+",? ?)*)(.*)\)\ndef (test_\w+)', read(path), re.M):
            names |= {f'security:{name}__without_{"_and_".join(w.lower().split())}' for w in re.findall('"(.*?)"', without)}
            names |= {f'security:{name}__{kind}' for kind, sign in (('bundle', 'kilnd bundle'), ('paused', 'race=True')) if sign in more}
    for path in glob.glob('tests/vm/*') + glob.glob('tests/vm/guest/*'):
        if os.path.isfile(path):
            names |= {f'vm:{t}' for t in re.findall(r'\bvm:([\w.-]+)', read(path))}
            names |= {f'vm:{t}' for t in re.findall(r'^\s*(?:def\s+)?(?:test_)(\w+)\s*\(', read(path), re.M)}
    for line in read('tests/vm/subset.list').splitlines():
        words = line.split('#')[0].split()
        names |= {f'vm:{init}:{"" if ":" in words[0] else "e2e:"}{words[0]}' for init in words[1:2] or ['systemd', 'plain'] if words}
    for path in glob.glob('tests/scripts/*.py'):
        names |= {f'script:{t}' for t in re.findall(r'^def test_(\w+)', read(path), re.M)}
    for path in glob.glob('tests/lint/rules_*.py'):
        names |= {f'lint:{t}' for t in re.findall(r"^    '([\w-]+)': \w+,", read(path), re.M)}
    return names


def read(path):
    with open(path, encoding='utf-8', errors='replace') as f:
        return f.read()


def check_names(rows):
    known, missing = names_in_tree(), 0
    for number, _, promise, tests, status in rows:
        for name in tests:
            if name not in known and not status.startswith('open'):
                print(f'tests/acceptance.tsv:{number}: no test is called {name} ({promise})')
                missing += 1
    print(f'{len(rows)} rows, {missing} names that no test has')
    return missing != 0


def check_results(rows, results):
    failed, passed, still_open = 0, 0, []
    for number, issue, promise, tests, status in rows:
        if status.startswith('open'):
            still_open.append(f'  issue {issue}: {promise} ({status})')
            continue
        good = ('ok', 'skip') if status.startswith('may skip:') else ('ok',)
        bad = [f'{t} {results.get(t, "did not run")}' for t in tests if results.get(t) not in good]
        if not tests:
            bad = ['no test is named']
        if bad:
            failed += 1
            print(f'FAIL acceptance:row-{number} {promise}: {", ".join(bad)}')
        else:
            passed += 1
            print(f'ok acceptance:row-{number}')
    if still_open:
        print('open:\n' + '\n'.join(still_open))
    print(f'acceptance: {passed} passed, {failed} failed, {len(still_open)} open')
    return failed != 0


def main():
    os.chdir(ROOT)
    rows = read_rows('tests/acceptance.tsv')
    if '--names' in sys.argv:
        return check_names(rows)
    return check_results(rows, read_results(os.environ.get('RESULTS', 'build/results') + '/*.log'))


if __name__ == '__main__':
    sys.exit(main())
