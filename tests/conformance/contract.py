# SPDX-License-Identifier: Apache-2.0
"""A test of this folder is a contract: it asks the same of kiln-runtime, crun and runc, so that what is expected of the first is
what the field does. Where the others differ, the test says so by name.
"""
import contextlib

from harness import Failed
from ociruntime import PATHS, Runtime


def each(fn):
    """A contract: fn(rt) is called with each runtime."""
    def test():
        for name, path in PATHS.items():
            if path is None:
                continue
            rt = Runtime(name)
            try:
                fn(rt)
            except BaseException as e:
                with contextlib.suppress(Exception):
                    rt.close()
                raise Failed(f"{name}: {e}") from e
            rt.close()
    test.__name__, test.__doc__, test.__module__ = fn.__name__, fn.__doc__, fn.__module__
    return test
