#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the table "Attack by attack" of docs/security.md from the attacks themselves; --write puts it there (`make docs`)."""
import glob
import os
import re
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
PAGE = os.path.join(ROOT, "docs/security.md")
BEGIN, END = "<!-- tests/security/table.py prints from here -->\n", "<!-- to here -->\n"
ATTACK = re.compile(r'^@attack\(([^\n]*)\)\ndef (test_\w+)\(\w+\):\n    """(.*?)"""', re.M | re.S)


def ways(more):
    return " ".join(f"`__{kind}`" for kind, sign in (("bundle", "kilnd bundle"), ("paused", "race=True")) if sign in more)


def without(more):
    sets = re.match(r'(?:"[A-Z_ ]+",? ?)*', more)[0]
    because = re.search(r'because="([^"]*)"', more)
    if because:
        return "nothing to switch off: " + because[1]
    return "; ".join(" with ".join(f"`{d}`" for d in names.split()) for names in re.findall('"(.*?)"', sets))


def rows():
    for path in sorted(glob.glob(ROOT + "/tests/security/test_*.py")):
        with open(path, encoding="utf-8") as f:
            for more, name, doc in ATTACK.findall(f.read()):
                yield f"| `{name}` | {ways(more)} | {without(more)} | {' '.join(re.findall(r'CVE-[0-9]+-[0-9]+|GHSA-[a-z0-9-]+', doc))} |"


def table():
    return "| attack | also | succeeds without | CVEs |\n|---|---|---|---|\n" + "".join(row + "\n" for row in rows())


def main():
    if sys.argv[1:] != ["--write"]:
        print(table(), end="")
        return
    with open(PAGE, encoding="utf-8") as f:
        before, _, rest = f.read().partition(BEGIN)
    with open(PAGE, "w", encoding="utf-8") as f:
        f.write(before + BEGIN + table() + END + rest.partition(END)[2])


if __name__ == "__main__":
    main()
