# SPDX-License-Identifier: Apache-2.0
"""`make scripts`: tests of the build, of contrib/'s scripts, of lint and of the documents.

Each test is a function test_NAME here or in a test_*.py beside; it prints `ok script:NAME`, `FAIL script:NAME: why`
or `skip script:NAME why`. Names on the command line pick some.
"""
import importlib
import os
import sys
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from tools import ROOT, Skip  # noqa: E402


def tests():
    for file in sorted(os.listdir(HERE)):
        if file.startswith('test_') and file.endswith('.py'):
            module = importlib.import_module(file[:-3])
            for name, value in vars(module).items():
                if name.startswith('test_') and callable(value):
                    yield name[5:], value
            if hasattr(module, 'done'):
                yield None, module.done


def run_one(name, test):
    try:
        test()
    except Skip as why:
        print(f'skip script:{name} {why}', flush=True)
        return True
    except Exception as e:  # pylint: disable=broad-except
        why = str(e).strip() or repr(e)
        print(f'FAIL script:{name}: {why.splitlines()[0] if why else ""}', flush=True)
        if not isinstance(e, AssertionError) or not str(e):
            traceback.print_exc(limit=-2)
        else:
            print('  ' + '\n  '.join(why.splitlines()[1:]))
        return False
    print(f'ok script:{name}', flush=True)
    return True


def main():
    os.chdir(ROOT)
    failed = passed = 0
    for name, test in tests():
        if name is None:
            test()
        elif not sys.argv[1:] or name in sys.argv[1:]:
            good = run_one(name, test)
            passed, failed = passed + good, failed + (not good)
    print(f'scripts: {passed} passed, {failed} failed')
    return failed != 0


if __name__ == '__main__':
    sys.exit(main())
