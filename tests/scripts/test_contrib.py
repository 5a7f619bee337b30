# SPDX-License-Identifier: Apache-2.0
"""contrib/: quick start, check.sh, package names."""
import os
import re
import shutil
import tempfile

from tools import ROOT, Skip, read, sh

# One run of the quick start serves several tests.
quickstart = {}


def run_quickstart():
    if 'out' not in quickstart:
        if os.getuid() != 0:
            raise Skip('needs root')
        root = tempfile.mkdtemp(prefix='kiln-quickstart.')
        quickstart['root'] = root
        quickstart['code'], quickstart['out'] = sh('sh contrib/quickstart.sh', timeout=110, env=environment())
    return quickstart['code'], quickstart['out']


def environment():
    return {'QUICKSTART_ROOT': quickstart['root']}


def done():
    if 'root' in quickstart:
        sh('sh contrib/quickstart.sh stop', env=environment())
        shutil.rmtree(quickstart['root'], ignore_errors=True)
        quickstart.clear()


def docker(command):
    code, out = sh(f'. contrib/packages.sh; "$(docker_cli)" {command}',
                   env={'DOCKER_HOST': f'unix://{quickstart["root"]}/run/kiln.sock'})
    assert code == 0, out
    return out


def test_quickstart_runs_to_the_end():
    code, out = run_quickstart()
    assert code == 0, out
    for words in ('docker load', '--network host', 'Hello from Kiln', 'killing its process', 'kiln health'):
        assert words in out, f'"{words}" is not in its output\n{out}'
    assert len(re.findall(r'healthy after \d+ ms', out)) == 2, out
    pids = re.findall(r'healthy after \d+ ms, process (\d+)', out)
    assert pids[0] != pids[1], 'the same process after the kill'


def test_quickstart_prints_what_to_try_next():
    _, out = run_quickstart()
    for words in ('export DOCKER_HOST=unix://', 'context create', 'quickstart.sh stop'):
        assert words in out, f'"{words}" is not in its output\n{out}'


def test_quickstart_leaves_the_daemon_up():
    run_quickstart()
    assert 'hello' in docker('ps'), 'the container is not there'


def test_quickstart_twice_is_fine():
    run_quickstart()
    code, out = sh('sh contrib/quickstart.sh', env=environment())
    assert code == 0 and 'runs already' in out, out


def test_quickstart_stop_removes_everything():
    run_quickstart()
    root = quickstart['root']
    code, out = sh('sh contrib/quickstart.sh stop', env=environment())
    assert code == 0, out
    left = [p for p in os.listdir(root)]
    _, processes = sh(f"ps -eo pid,args | grep -F '{root}' | grep -v grep")
    _, mounts = sh(f"grep -F '{root}' /proc/self/mounts")
    _, groups = sh("find /sys/fs/cgroup -type d -path '*/kiln/quickstart-%s*'"
                   % sh(f"printf %s '{root}' | cksum | cut -d ' ' -f 1")[1].strip())
    assert not left and not processes.strip() and not mounts.strip() and not groups.strip(), \
        f'left: {left} {processes} {mounts} {groups}'
    shutil.rmtree(root, ignore_errors=True)
    quickstart.clear()


def test_package_names_for_three_distributions():
    for name in ('debian', 'ubuntu', 'fedora'):
        for group in ('build', 'demo', 'test'):
            _, out = sh(f'. contrib/packages.sh; distribution() {{ echo {name}; }}; packages_for {group}')
            assert out.strip(), f'{name} has no packages for {group}'
    assert 'untested' in read('contrib/packages.sh') and 'untested' in read('docs/dependencies.md')


def test_check_runs_every_suite():
    text = read('contrib/check.sh')
    suites = re.search(r"all_suites='(.*)'", text).group(1).split()
    known = {'build', 'lint', 'unit', 'scripts', 'e2e', 'sanitize', 'clang', 'fuzz', 'faults', 'conformance', 'chaos', 'tsan', 'vm', 'acceptance'}
    assert known <= set(suites), suites
    assert suites[-1] == 'acceptance', 'acceptance reads what the others wrote'
    assert 'install_packages build test' in text


def test_ci_run_calls_check():
    lines = [l for l in read('.ci/run').splitlines() if l and not l.startswith('#')]
    assert len(lines) == 1 and lines[0].endswith('exec sh contrib/check.sh'), lines
    assert os.access(os.path.join(ROOT, '.ci/run'), os.X_OK)


def test_ci_budgets_add_up():
    script = read('contrib/check.sh')
    budgets = [int(n) for n in re.findall(r'echo (\d+) ;;', script)]
    suites = re.search(r"all_suites='(.*)'", script)[1].split()
    assert len(budgets) == len(suites) and sum(budgets) <= 25 * 60, f'{budgets}: {sum(budgets)} seconds'


def test_fuzz_budget_is_a_minute():
    makefile = read('Makefile')
    assert re.search(r'^FUZZ_SECONDS \?= 60$', makefile, re.M)
    inner = re.search(r'^FUZZ_INNER := (.*)$', makefile, re.M)[1].split()
    assert not set(inner) & {'image', 'plan', 'layer', 'archive', 'http', 'filters', 'proto', 'json', 'docker_create'}, inner
    assert 'fuzz) make' in read('contrib/check.sh')


def test_check_long_by_flag():
    assert re.search(r'^check-long:', read('Makefile'), re.M)
    assert 'KILN_LONG' in read('Makefile')
