# SPDX-License-Identifier: Apache-2.0
"""The documents: they are there, and what is printed from code is what the code says."""
import fnmatch
import glob
import os
import re
import shutil
import tempfile

from tools import BUILD, ROOT, Skip, read, sh, write


def test_documents_are_there():
    for name in ('README.md', 'HACKING.md', 'docs/architecture.md', 'docs/isolation.md', 'docs/errors.md',
                 'docs/lifecycle.md', 'docs/options.md', 'docs/dependencies.md'):
        assert os.path.getsize(os.path.join(ROOT, name)) > 500, f'{name} is empty'
    assert glob.glob(f'{ROOT}/docs/decisions/*.md'), 'no decisions'


def test_links_in_documents_lead_somewhere():
    for path in [*glob.glob(f'{ROOT}/*.md'), *glob.glob(f'{ROOT}/docs/**/*.md', recursive=True)]:
        for target in re.findall(r'\]\(([^)#:]+)(?:#[^)]*)?\)', read(path)):
            assert os.path.exists(os.path.join(os.path.dirname(path), target)), f'{path} links to {target}'


def test_readme_has_its_sections():
    text = read('README.md')
    for words in ('contrib/quickstart.sh', 'contrib/check.sh', '## The picture', '## Everyday use', '## What is refused'):
        assert words in text, f'README.md has no "{words}"'
    what = text.split('\n## ')[0].strip().splitlines()
    assert len(what) <= 16, 'what it is takes more than ten lines'


def test_dependencies_are_documented():
    page, packages = read('docs/dependencies.md'), read('contrib/packages.sh')
    rows = re.findall(r'^KILN_LIB\(\[\w+\],\s*\[([\w-]+).*?\],\s*\[.*?\],\s*\[([\w-]+)\],\s*\[([\w-]+)\]\)',
                      read('configure.ac'), re.M)
    assert len(rows) >= 12, rows
    for lib, debian, fedora in [*rows, ('http-parser', 'libhttp-parser-dev', 'http-parser-devel')]:
        assert lib in page, f'docs/dependencies.md does not name {lib}'
        for package in (debian, fedora):
            assert package in page, f'docs/dependencies.md does not name {package}'
            assert re.search(rf'\s{re.escape(package)}\s', packages), f'contrib/packages.sh does not name {package}'


def printed(page):
    code, out = sh(f'{BUILD}/docs/print_{page}')
    assert code == 0, f'build/docs/print_{page} does not run: make docs'
    assert out.strip() == read(f'docs/{page}.md').strip(), f'docs/{page}.md is not what the code says: make docs'


def test_lifecycle_is_printed_from_the_table():
    printed('lifecycle')


def test_options_are_printed_from_the_tables():
    printed('options')


def test_spec_coverage_is_printed_from_the_tables():
    printed('spec-coverage')


def test_errors_are_printed_from_the_table():
    printed('errors')


def test_suites_of_the_bench_are_documented():
    known = re.findall(r'"(\w+)": \(suite_', read('tests/bench/bench.py'))
    rows = re.findall(r'^\| `(\w+)` \| [^|]{20,} \|', read('docs/performance.md'), re.M)
    (helped,) = re.findall(r"^\t@echo 'bench .*SUITE=\"([^\"]+)\"'", read('Makefile'), re.M)
    assert len(known) >= 11 and rows == known, f'docs/performance.md has {rows}, bench.py {known}'
    assert helped.split() == known, f'make help has {helped}, bench.py {known}'


def security_rows():
    """The rows of docs/security.md that end with where they are shown: (cells, names of tests)."""
    for line in read('docs/security.md').splitlines():
        cells = [c.strip() for c in line.strip('|').split('|')]
        if len(cells) > 2 and re.search(r'^R\d|^–$', cells[-2]):
            yield cells, re.findall(r'`((?:security|e2e|unit|fuzz|conformance):[\w:]+)`', cells[-1])


def test_security_names_its_attacks():
    """Each row has tests that are there, or says why not; an attack names the CVEs of its rows, and is named by the page."""
    code, out = sh('python3 -c "import sys; sys.path.insert(0, \'tests\'); import acceptance; print(*acceptance.names_in_tree())"')
    assert code == 0, out
    known, rows = set(out.split()), list(security_rows())
    assert len(rows) > 70, len(rows)
    text = {}
    for path in glob.glob(f'{ROOT}/tests/security/test_*.py'):
        text.update({name: doc for name, doc in re.findall(r'^def (test_\w+)\(\w+\):\n    """(.*?)"""', read(path), re.M | re.S)})
    for cells, tests in rows:
        assert tests or re.match('not here( yet)?: ', cells[-1]), f'{cells[0]}: neither a test nor a reason'
        missing = [t for t in tests if t not in known]
        assert not missing, f'{cells[0]}: there is no {missing}'
        numbers = re.findall(r'CVE-\d+-\d+|GHSA-[\w-]+', cells[0])
        attacks = [t for t in tests if t.startswith('security:')]
        if numbers and attacks and not cells[-1].startswith('not here'):
            docs = ' '.join(text[t[9:]] for t in attacks)
            assert any(n in docs for n in numbers), f'{cells[0]}: none of {attacks} names it'
    named = {t for _, tests in rows for t in tests}
    for name, doc in text.items():
        assert f'security:{name}' in named, f'docs/security.md does not name {name}'
        for number in re.findall(r'CVE-\d+-\d+', doc):
            assert any(number in cells[0] for cells, _ in rows), f'docs/security.md has no {number}'


def test_security_table_is_printed_from_the_attacks():
    code, out = sh('python3 tests/security/table.py')
    assert code == 0 and out.count('\n') > 45, out
    assert out.strip() in read('docs/security.md'), 'docs/security.md has another table than the attacks: make docs'


def test_man_pages_are_clean():
    if not shutil.which('man'):
        raise Skip('man-db is not installed')
    code, out = sh('make man')
    assert code == 0, out
    pages = sorted(glob.glob(f'{BUILD}/man/*'))
    assert len(pages) > 40 and f'{BUILD}/man/kiln.1' in pages and f'{BUILD}/man/kilnd.8' in pages, pages
    code, out = sh(f'for page in {BUILD}/man/*; do man --warnings -E UTF-8 -l "$page" 2>&1 >/dev/null; done')
    assert code == 0 and not out.strip(), out


def test_licence_and_notice():
    text = read('LICENSE')
    assert 'Apache License' in text and 'Version 2.0' in text and len(text) > 10000
    assert 'contrib/seccomp/default.json' in read('NOTICE')


def test_spikes_have_results_in_decisions():
    assert glob.glob(f'{ROOT}/tests/spikes/*'), 'no spikes'
    pages = '\n'.join(read(p) for p in glob.glob(f'{ROOT}/docs/decisions/*.md'))
    for kernel in ('6.18', '6.1'):
        assert kernel in pages, f'no figures of Linux {kernel}'
    for word in ('overlay', 'seccomp', 'cgroup', 'subreaper', 'libarchive', 'hijack'):
        assert word in pages.lower(), f'nothing about {word}'


def is_covered(path, tests, included):
    """foo_bar.c is shown by test_foo_bar.c or test_foo.c, or by a test that includes its header."""
    parts = os.path.basename(path)[:-2].split('_')
    return f'"{path[:-2]}.h"' in included or any('_'.join(parts[:n]) in tests for n in range(1, len(parts) + 1))


def test_every_module_has_a_unit_test():
    """tests/unit/elsewhere.txt lists, as patterns, what is shown by other tests, with the reason."""
    excused = [line.split()[0] for line in read('tests/unit/elsewhere.txt').splitlines()
               if line.strip() and not line.startswith('#')]
    for named in re.findall(r'tests/[\w/.]*\w', read('tests/unit/elsewhere.txt')):
        assert os.path.exists(os.path.join(ROOT, named)), f'tests/unit/elsewhere.txt names {named}'
    paths = glob.glob(f'{ROOT}/tests/unit/test_*.c')
    tests = {os.path.basename(p)[5:-2] for p in paths}
    included = '\n'.join(read(p) for p in paths)
    modules = sorted(os.path.relpath(p, ROOT) for folder in ('base', 'oci', 'runtime', 'daemon', 'cli')
                     for p in glob.glob(f'{ROOT}/{folder}/**/*.c', recursive=True))
    missing = [m for m in modules if not m.endswith('/main.c') and not is_covered(m, tests, included)
               and not any(fnmatch.fnmatch(m, e) for e in excused)]
    assert not missing, 'without a unit test:\n' + '\n'.join(missing)


def test_acceptance_fails_without_a_passing_test():
    with tempfile.TemporaryDirectory() as results:
        code, out = sh('python3 tests/acceptance.py', env={'RESULTS': results})
        assert code != 0 and 'did not run' in out, out
        names = {n for line in read('tests/acceptance.tsv').splitlines() if not line.startswith('#') and '\t' in line
                 for n in line.split('\t')[2].split()}
        write(results, 'all.log', ''.join(f'ok {n}\n' for n in names))
        code, out = sh('python3 tests/acceptance.py', env={'RESULTS': results})
        assert code == 0, out
        write(results, 'later.log', f'FAIL {sorted(names)[0]}: on purpose\n')
        code, out = sh('python3 tests/acceptance.py', env={'RESULTS': results})
        assert code != 0, 'a failed test satisfied its row'


def test_acceptance_names_exist():
    code, out = sh('python3 tests/acceptance.py --names')
    assert code == 0, out
