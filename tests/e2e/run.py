#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the end-to-end tests: run.py [--suite FOLDER] [-j N] [-v] [name or part of a name ...]

Prints a line for each test, `ok e2e:NAME`, `FAIL e2e:NAME` or `skip e2e:NAME reason`, and last `N passed, N failed`. Another
FOLDER of tests/ has tests of the same shape, which are named after it.
Environment: KILN_BUILD (folder of the binaries), E2E_JOBS, KILN_LONG=1 for the long tests.
"""
import contextlib
import importlib
import inspect
import multiprocessing
import os
import signal
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402

SUITE = sys.argv.pop(1) if sys.argv[1:2] == ["--suite"] and sys.argv.pop(1) else "e2e"
TEST_TIMEOUT_S = 90 * (3 if harness.IS_SANITIZED else 1)


def discover():
    here = os.path.join(harness.ROOT, "tests", SUITE)
    sys.path.insert(0, here)
    found = {}
    for name in sorted(os.listdir(here)):
        if not (name.startswith("test_") and name.endswith(".py")):
            continue
        module = importlib.import_module(name[:-3])
        for fn_name, fn in vars(module).items():
            if fn_name.startswith("test_") and inspect.isfunction(fn) and fn.__module__ == module.__name__:
                if fn_name in found:
                    raise SystemExit(f"two tests are called {fn_name}")
                found[fn_name] = fn
    return found


def planned(tests):
    """{test: {"first", "plain", "alone"}} of plan.list; each must be there."""
    with open(os.path.join(harness.ROOT, "tests/e2e/plan.list"), encoding="utf-8") as f:
        rows = [line.split()[:2] for line in f if line.strip() and not line.startswith("#")]
    unknown = [name for name, _ in rows if name not in tests] if SUITE == "e2e" else []
    if unknown:
        raise SystemExit(f"plan.list has tests that are not there: {' '.join(unknown)}")
    return {name: set(words.split(",")) for name, words in rows}


def chosen(tests, args):
    plan = planned(tests)
    if args:
        return [n for n in tests if n in args or any(a in n for a in args if a not in tests)]
    names = [n for n in tests if not (harness.IS_SANITIZED and "plain" in plan.get(n, ()))]
    return sorted(names, key=lambda n: "first" not in plan.get(n, ()))


class TimedOut(Exception):
    pass


def on_alarm(_sig, _frame):
    raise TimedOut("not done in time")


class Worker:
    """Keeps one daemon for the tests that share it; makes a new one after a failure."""

    def __init__(self):
        self.shared = None

    def daemon(self):
        if self.shared is None:
            self.shared = harness.Kiln().start()
            self.shared.busybox()
            self.shared.run("--rm", "--", "true")
            self.shared.baseline = self.shared.snapshot()
        return self.shared

    def drop(self):
        if self.shared:
            self.shared.close()
        self.shared = None

    def call(self, fn):
        params = list(inspect.signature(fn).parameters)
        if params[:1] == ["own"]:
            k = harness.Kiln()
            try:
                fn(k)
                if k.proc and k.proc.poll() is None:
                    k.clean()
                k.check_log()
            except Exception:
                sys.stderr.write(k.log_tail())
                raise
            finally:
                k.close()
            return
        if not params:
            fn()
            return
        k = self.daemon()
        try:
            fn(k)
            k.clean()
            leaks = k.leaks()
            if leaks:
                raise harness.Failed(f"left behind: {leaks}")
            k.check_log()
        except harness.Skip:
            k.clean()
            raise
        except BaseException:
            sys.stderr.write("--- kilnd's log\n" + k.log_tail(3000))
            self.drop()
            raise

    def one(self, name, fn):
        signal.signal(signal.SIGALRM, on_alarm)
        signal.alarm(getattr(fn, "timeout_s", TEST_TIMEOUT_S))
        begin = time.monotonic()
        try:
            self.call(fn)
            return f"ok {SUITE}:{name}", time.monotonic() - begin, ""
        except harness.Skip as s:
            return f"skip {SUITE}:{name} {s}", time.monotonic() - begin, ""
        except BaseException:
            return f"FAIL {SUITE}:{name}", time.monotonic() - begin, traceback.format_exc(limit=6)
        finally:
            signal.alarm(0)


def work(todo, done):
    tests, worker = discover(), Worker()
    while True:
        name = todo.get()
        if name is None:
            break
        done.put((name, *worker.one(name, tests[name])))
    with contextlib.suppress(Exception):
        worker.drop()
    done.put(None)


def run(names, jobs, is_verbose):
    """By so many workers. Return: how many passed, and the lines of those that failed"""
    todo, done = multiprocessing.Queue(), multiprocessing.Queue()
    for n in names:
        todo.put(n)
    jobs = max(1, min(jobs, len(names)))
    for _ in range(jobs):
        todo.put(None)
    workers = [multiprocessing.Process(target=work, args=(todo, done)) for _ in range(jobs)]
    for w in workers:
        w.start()
    passed, failed, running = 0, [], jobs
    while running:
        result = done.get()
        if result is None:
            running -= 1
            continue
        _name, line, took, trace = result
        print(f"{line}" if not is_verbose else f"{line}  ({took:.2f} s)", flush=True)
        if trace:
            print("  " + trace.rstrip().replace("\n", "\n  "), flush=True)
            failed.append(line)
        elif line.startswith("ok"):
            passed += 1
    for w in workers:
        w.join()
    return passed, failed


def main():
    args = sys.argv[1:]
    jobs = int(os.environ.get("E2E_JOBS", "2"))
    if args[:1] == ["-j"]:
        jobs, args = int(args[1]), args[2:]
    is_verbose = args[:1] == ["-v"]
    if is_verbose:
        args = args[1:]
    tests = discover()
    plan, names = planned(tests), chosen(tests, args)
    alone = [n for n in names if "alone" in plan.get(n, ())]
    passed, failed = 0, []
    for some, n_jobs in (([n for n in names if n not in alone], jobs), (alone, 1)):
        if some:
            done = run(some, n_jobs, is_verbose)
            passed, failed = passed + done[0], failed + done[1]
    print(f"{passed} passed, {len(failed)} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
