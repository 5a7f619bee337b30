# SPDX-License-Identifier: Apache-2.0
"""C source as the rules need it: comments and strings blanked out, calls and prototypes found.

A small reader, not a compiler: it knows comments, literals and brackets. Positions are kept, so that an
offset in the blanked text is the same line and column in the file.
"""
import re
from dataclasses import dataclass

NOT_CALLS = {'if', 'for', 'while', 'switch', 'return', 'sizeof', '_Alignof', '_Generic', '_Static_assert',
             '__attribute__', '__typeof__', 'typeof', 'defined', 'do', 'else', 'case', 'asm', '__asm__'}


def blank(text, keep_strings=False):
    """The text with every comment (and string, unless kept) replaced by spaces, line ends kept."""
    out, i, n = [], 0, len(text)

    def wipe(s):
        return re.sub(r'[^\n]', ' ', s)

    while i < n:
        c = text[i]
        if text.startswith('/*', i):
            end = text.find('*/', i + 2)
            end = n if end < 0 else end + 2
            out.append(wipe(text[i:end]))
        elif text.startswith('//', i):
            end = text.find('\n', i)
            end = n if end < 0 else end
            out.append(wipe(text[i:end]))
        elif c in '"\'':
            end = i + 1
            while end < n and text[end] != c and text[end] != '\n':
                end += 2 if text[end] == '\\' else 1
            end = min(end + 1, n)
            body = text[i:end]
            out.append(body if keep_strings else c + wipe(body[1:-1]) + body[-1])
        else:
            end = i + 1
            out.append(c)
        i = end
    return ''.join(out)


def match(text, at):
    """The offset after the bracket that closes the one at `at`."""
    pairs, depth = {'(': ')', '{': '}', '[': ']'}, 0
    opening, closing = text[at], pairs[text[at]]
    for i in range(at, len(text)):
        if text[i] == opening:
            depth += 1
        elif text[i] == closing:
            depth -= 1
            if depth == 0:
                return i + 1
    return len(text)


def split_args(text):
    """The arguments of a call or parameter list, without its brackets."""
    args, depth, start = [], 0, 0
    for i, c in enumerate(text):
        if c in '([{':
            depth += 1
        elif c in ')]}':
            depth -= 1
        elif c == ',' and depth == 0:
            args.append(text[start:i].strip())
            start = i + 1
    last = text[start:].strip()
    return args + [last] if last or args else []


@dataclass
class Call:
    name: str
    line: int
    args: list


@dataclass
class Function:
    name: str
    line: int
    length: int
    start: int
    end: int


@dataclass
class Prototype:
    name: str
    line: int          # of its first token
    returns: str
    params: list


class Source:
    def __init__(self, path, text):
        self.path, self.text = path, text
        self.lines = text.split('\n')
        self.code = blank(text)
        # Directives with their continuation lines, blanked too: a macro's body is not a call site.
        self.plain = re.sub(r'^[ \t]*#(?:[^\n]*\\\n)*[^\n]*',
                            lambda m: re.sub(r'[^\n]', ' ', m.group()), self.code, flags=re.M)

    def line_of(self, offset):
        return self.code.count('\n', 0, offset) + 1

    def suppressed(self, line, rule):
        """`/* lint: RULE reason */` on the line or on the one above; a reason is part of it."""
        for text in self.lines[max(0, line - 2):line]:
            if re.search(r'/\*\s*lint:\s*' + re.escape(rule) + r'\s+\S.*', text):
                return True
        return False

    def includes(self):
        for m in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', self.text, re.M):
            yield self.line_of(m.start(1)), m.group(1), m.group(2)

    def calls(self, text=None):
        """Every `name(`, function definitions and macros' uses included."""
        text = self.plain if text is None else text
        for m in re.finditer(r'\b([A-Za-z_]\w*)\s*\(', text):
            if m.group(1) in NOT_CALLS:
                continue
            before = text[:m.start()].rstrip()[-2:]
            if before.endswith('.') or before == '->':
                continue
            end = match(text, m.end() - 1)
            yield Call(m.group(1), self.line_of(m.start()), split_args(text[m.end():end - 1]))

    def functions(self):
        """Definitions: a `{` at depth 0 after `)` (and attributes)."""
        code, i = self.plain, 0
        found, start = [], 0
        while i < len(code):
            c = code[i]
            if c == '{':
                end = match(code, i)
                head = code[start:i]
                m = re.search(r'\b([A-Za-z_]\w*)\s*\(', re.sub(r'__attribute__\s*\(\(.*?\)\)|AUTO\(\w+\)',
                                                                 lambda a: ' ' * len(a.group()), head))
                if m and not re.search(r'=|\b(struct|enum|union)\s+\w*\s*$', head) and ')' in head:
                    line = self.line_of(start + m.start())
                    found.append(Function(m.group(1), line, self.line_of(end) - line + 1, i, end))
                i = start = end
            elif c == ';':
                i += 1
                start = i
            else:
                i += 1
        return found

    def prototypes(self):
        """Declarations of functions at depth 0 that are neither static nor typedefs."""
        code, i, start, found = self.plain, 0, 0, []
        while i < len(code):
            if code[i] == '{':
                i = match(code, i)
                if not code[i:].lstrip().startswith((';', '__attribute__')):
                    start = i
                continue
            if code[i] == ';':
                m = re.match(r'(\s*)([^(){}=]*?[\s*])([A-Za-z_]\w*)\s*\(', code[start:i])
                head = m.group(2).split() if m else []
                if m and m.group(3) not in NOT_CALLS and not {'static', 'typedef'} & set(head):
                    at = start + m.end() - 1
                    params = split_args(code[at + 1:match(code, at) - 1])
                    first = start + len(m.group(1))
                    found.append(Prototype(m.group(3), self.line_of(first), m.group(2).strip(), params))
                i += 1
                start = i
                continue
            i += 1
        return found
