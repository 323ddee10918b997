"""Checks the files of a report by the rules a reader's program applies: well-formed, nothing from outside, nothing active.

usage: report_check.py FOLDER
"""
import html.parser
import re
import sys

VOID = {"meta", "br", "link", "hr", "img", "input"}
# What the page is made of. An element that is not here came from data.
PAGE = set("""html head meta title style body main header footer section div span p b small strong i h1 h2 h3 dl dt dd ul li
table tr th td code pre br details summary figure figcaption svg g path circle text iframe""".split())
ATTRIBUTES = set("""lang charset name content http-equiv class style title open href viewbox role aria-label aria-hidden d x y cx cy
r srcdoc sandbox""".split())


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.bad, self.frames = [], [], []

    def handle_starttag(self, tag, attrs):
        if tag not in PAGE:
            self.bad.append(f"element <{tag}> at {self.getpos()}")
        for name, value in attrs:
            if name not in ATTRIBUTES:
                self.bad.append(f"attribute {name} of <{tag}> at {self.getpos()}")
            if name == "srcdoc":
                self.frames.append(value)
                if dict(attrs).get("sandbox") != "allow-scripts":
                    self.bad.append("a frame that is not closed off")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open[-1] != tag:
            self.bad.append(f"</{tag}> at {self.getpos()} closes {self.open[-1:]}")
        else:
            self.open.pop()

    def handle_comment(self, data):
        self.bad.append(f"comment {data!r}")


def check_page(text):
    page = Page()
    page.feed(text)
    page.close()
    bad = page.bad
    if page.open:
        bad.append(f"left open: {page.open}")
    if re.search(r"""(src|href)\s*=\s*["']?(https?:|//)""", text) or "@import" in text or "url(" in text:
        bad.append("loads something")
    return bad


def check_markdown(text):
    bad, fence, line_number, table = [], None, 0, None
    for line in text.split("\n"):
        line_number += 1
        mark = re.match(r"(`{3,})[a-z]*$", line)
        if fence:
            if line == fence:
                fence = None
            continue
        if mark:
            fence = mark.group(1)
            continue
        if re.fullmatch(r"<details><summary>[^<>]*</summary>|</details>", line):
            continue
        # As CommonMark reads it: an escaped character, then a code span, whichever comes first.
        rest = re.sub(r"\\[!-/:-@\[-`{-~]|(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", "", line)
        if "<" in rest or "`" in rest:
            bad.append(f"line {line_number}: {line!r}")
        if any(ord(c) < 32 for c in line):
            bad.append(f"line {line_number}: a control character")
        cells = len(re.findall(r"(?:\\.|[^|\\])*\|", line)) if line.startswith("|") else None
        if cells is not None and table is not None and cells != table:
            bad.append(f"line {line_number}: {cells} cells where {table} are expected")
        table = cells
        if re.match(r"[^#*|\-A-Z\[ 0-9a-z`]", line):
            bad.append(f"line {line_number} begins with data: {line!r}")
    if fence:
        bad.append("a fence is left open")
    return bad


def main():
    folder = sys.argv[1]
    with open(folder + "/report.html", encoding="utf-8") as f:
        bad = check_page(f.read())
    with open(folder + "/report.md", encoding="utf-8", newline="") as f:
        bad += check_markdown(f.read())
    for line in bad[:20]:
        print(line)
    sys.exit(1 if bad else 0)


main()
