#!/usr/bin/env python3
"""Wraps the paragraphs and lists of Markdown files at 100 columns, in place.

    tools/scripts/wrap_docs.py README.md docs/*.md docs/*/*.md

Tables, code, headings, HTML and displayed formulas stay as they are. Inline code and inline formulas are not broken.
check_house.sh checks the width.
"""
import re
import sys

WIDTH = 100
ATOM = re.compile(r"(?:`[^`]*`|\$[^$\n]+\$|[^\s`$]|[`$])+")
BULLET = re.compile(r"^(\s*)([-*+]|\d+[.)])(\s+)")
# At the beginning of a line these would start something else: a list, a heading, a quotation, a table.
STARTS_BLOCK = re.compile(r"^([-+*>|=]|#+|\d+[.)])$|^[|>]")


def atoms(text):
    words = ATOM.findall(text)
    joined = []
    for word in words:
        if joined and STARTS_BLOCK.match(word):
            joined[-1] += " " + word
        else:
            joined.append(word)
    return joined


def fill(text, first, rest):
    lines, line = [], first
    empty = True
    for word in atoms(text):
        if not empty and len(line) + 1 + len(word) > WIDTH:
            lines.append(line)
            line, empty = rest, True
        line += word if empty else " " + word
        empty = False
    lines.append(line)
    return lines


def wrap(text):
    out, paragraph, indent = [], [], ("", "")
    fence = math = code = False

    def flush():
        nonlocal paragraph
        if paragraph:
            out.extend(fill(" ".join(paragraph), *indent))
            paragraph = []

    previous_blank = True
    for line in text.split("\n"):
        stripped = line.strip()
        if stripped.startswith("```"):
            flush()
            fence = not fence
            out.append(line)
        elif fence:
            out.append(line)
        elif math or stripped.startswith("$$"):
            flush()
            out.append(line)
            if stripped.count("$$") == 1 or (math and "$$" in stripped):
                math = not math
        elif not stripped:
            flush()
            out.append("")
            previous_blank = True
            continue
        elif line.startswith("    ") and not paragraph and (previous_blank or code) and not BULLET.match(line):
            code = True
            out.append(line)
            previous_blank = False
            continue
        elif stripped[0] in "|<#" or stripped in ("---", "***"):
            flush()
            out.append(line)
        else:
            bullet = BULLET.match(line)
            if bullet:
                flush()
                indent = (bullet.group(0), " " * len(bullet.group(0)))
                line = line[bullet.end():]
            elif not paragraph:
                margin = line[: len(line) - len(line.lstrip())]
                indent = (margin, margin)
            paragraph.append(line.strip())
        code = False
        previous_blank = False
    flush()
    return "\n".join(out)


for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        before = file.read()
    after = wrap(before)
    if after != before:
        with open(path, "w", encoding="utf-8") as file:
            file.write(after)
