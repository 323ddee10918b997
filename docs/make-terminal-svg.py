#!/usr/bin/env python3
"""Turns what a program wrote to a terminal into an SVG picture. No font, no image, nothing is fetched.

    script -qec 'baton tune wordmill' run.log          record (util-linux)
    docs/make-terminal-svg.py text 'baton tune wordmill' < run.log > docs/terminal.txt     the last screen, as text
    docs/make-terminal-svg.py svg < docs/terminal.txt > docs/terminal.svg                  the picture of it

A test checks that docs/terminal.svg is the picture of docs/terminal.txt.
"""
import re
import sys
from xml.sax.saxutils import escape

COLUMNS = 110
CHAR, LINE, MARGIN, BAR = 7.6, 19, 18, 34  # of the picture, in pixels
SEQUENCE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b[()][A-Z0-9]|\x1b[=>]|([\r\n\b])|([^\x1b\r\n\b]+)|.", re.S)

# First match decides the colour of a line, or of a part of it.
WHOLE = [(re.compile(r"^\$ "), "prompt"), (re.compile(r"^(baton: |note: )"), "mute"), (re.compile(r"^(kept|tried and dropped|hot paths)\b"), "head"),
         (re.compile(r"^(Faster|Improved|.* faster:)"), "good")]
PART = re.compile(r"(?P<good>^✓|\bfaster\b(?=, \d+ pairs)|-\d+(?:\.\d+)? %(?= \[))|(?P<bad>^✗|\bslower\b(?=, \d+ pairs))|(?P<id>^ {2}C\d+\b)")


def screen(stream):
    """The lines a terminal shows in the end, however often they were redrawn."""
    lines, row, column = [""], 0, 0
    for match in SEQUENCE.finditer(stream):
        argument, letter, control, plain = match.groups()
        if letter == "A":
            row = max(0, row - int(argument or 1))
        elif letter == "K" and argument == "2":
            lines[row] = ""
        elif control == "\r":
            column = 0
        elif control == "\b":
            column = max(0, column - 1)
        elif control == "\n":
            row += 1
            if row == len(lines):
                lines.append("")
        elif plain:
            lines[row] = lines[row].ljust(column)[:column] + plain + lines[row][column + len(plain):]
            column += len(plain)
    return [line.rstrip() for line in lines]


def without_frame(stream):
    """What `script` itself adds is not on the screen."""
    return re.sub(r"(?m)^Script (started|done) on .*\n?", "", stream)


def trimmed(lines):
    """Without blank lines at both ends."""
    while lines and not lines[0]:
        lines.pop(0)
    while lines and not lines[-1]:
        lines.pop()
    return lines


def wrapped(lines):
    for line in lines:
        yield line[:COLUMNS]
        for at in range(COLUMNS, len(line), COLUMNS):
            yield line[at:at + COLUMNS]


def spans(line):
    whole = next((name for pattern, name in WHOLE if pattern.search(line)), None)
    if whole:
        return [(whole, line)]
    parts, at = [], 0
    for match in PART.finditer(line):
        parts += [(None, line[at:match.start()]), (match.lastgroup, match[0])]
        at = match.end()
    return [(name, text) for name, text in parts + [(None, line[at:])] if text]


STYLE = """\
    .window { fill: #fbfbfc; stroke: #d3d7de } .bar { fill: #eceef2 } .dot { fill: #c4c9d2 }
    text { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace; font-size: 12.5px; fill: #22262d }
    .good { fill: #0a7a45 } .bad { fill: #b3261e } .mute { fill: #66707d } .id { fill: #3a4bb8 } .head, .prompt { font-weight: 700 }
    @media (prefers-color-scheme: dark) {
      .window { fill: #14171c; stroke: #353b45 } .bar { fill: #1f242b } .dot { fill: #4a525e }
      text { fill: #dfe3e8 } .good { fill: #55d192 } .bad { fill: #ff8a80 } .mute { fill: #97a1af } .id { fill: #a6b1ff }
    }"""


def picture(lines):
    lines = list(wrapped(lines))
    width = round(max(map(len, lines)) * CHAR + 2 * MARGIN)
    height = BAR + LINE * len(lines) + MARGIN
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">',
           f"  <title>A terminal: {escape(lines[0][2:])}</title>", f"  <style>\n{STYLE}\n  </style>",
           f'  <rect class="window" x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="10"/>',
           f'  <path class="bar" d="M1 11a10 10 0 0 1 10-10H{width - 11}a10 10 0 0 1 10 10V24H1z"/>']
    out += [f'  <circle class="dot" cx="{x}" cy="12.5" r="4.5"/>' for x in (18, 34, 50)]
    for number, line in enumerate(lines):
        at = 0
        for name, text in spans(line):
            # Every word group has its own place and length: columns stay aligned whatever font the reader has.
            for word in re.finditer(r"\S+(?: \S+)*", text):
                style = f' class="{name}"' if name else ""
                out.append(f'  <text{style} x="{MARGIN + CHAR * (at + word.start()):.1f}" y="{BAR + LINE * number + 14}"'
                           f' textLength="{CHAR * len(word[0]):.1f}">{escape(word[0])}</text>')
            at += len(text)
    return "\n".join(out + ["</svg>", ""])


def main(argv):
    text = sys.stdin.buffer.read().decode("utf-8", "replace")
    if argv[1:] == ["svg"]:
        sys.stdout.write(picture(text.rstrip("\n").split("\n")))
    elif len(argv) == 3 and argv[1] == "text":
        print("\n".join([f"$ {argv[2]}"] + trimmed(screen(without_frame(text)))))
    else:
        sys.stderr.write(__doc__)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
