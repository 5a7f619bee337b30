# SPDX-License-Identifier: Apache-2.0
"""Bars as SVG: the median of each subject, and a line from the least to the greatest of its samples."""
from xml.sax.saxutils import escape

WIDTH, LABELS, ROW, TEXT = 860, 250, 26, 'font-family="sans-serif" font-size="13"'


def number(v):
    return f"{v:.3g}" if v < 100 else f"{v:.0f}"


def bars(title, unit, summaries):
    """@summaries: {subject: {"min", "p50", "max"}}"""
    most = max(s["max"] for s in summaries.values()) or 1
    x = lambda v: LABELS + v / most * (WIDTH - LABELS - 70)  # noqa: E731
    out = [f'<text x="8" y="20" {TEXT} font-weight="bold">{escape(title)}, {escape(unit)}</text>']
    for i, (name, s) in enumerate(summaries.items()):
        y = 32 + i * ROW
        ours = name.startswith("kiln")
        out += [f'<text x="{LABELS - 8}" y="{y + 14}" {TEXT} text-anchor="end">{escape(name)}</text>',
                f'<rect x="{LABELS}" y="{y + 2}" width="{x(s["p50"]) - LABELS:.1f}" height="16" fill="{"#c2410c" if ours else "#94a3b8"}"/>',
                f'<line x1="{x(s["min"]):.1f}" x2="{x(s["max"]):.1f}" y1="{y + 10}" y2="{y + 10}" stroke="#000"/>',
                f'<text x="{x(s["max"]) + 6:.1f}" y="{y + 14}" {TEXT}>{number(s["p50"])}</text>']
    height = 40 + len(summaries) * ROW
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}">',
                      '<rect width="100%" height="100%" fill="#fff"/>', *out, "</svg>", ""])
