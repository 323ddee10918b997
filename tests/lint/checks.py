"""The checks. Each takes a Tree and yields lines "file:line: what is wrong and what is expected"."""
import os
import pathlib
import re
import subprocess

FOREIGN = re.compile(r"^tests/(fixtures|fuzz/corpus)/")  # written by others, kept byte for byte
LINES_MAX = 600


class Tree:
    """The files of the project: what git tracks or would track, else everything but build folders."""

    def __init__(self, root):
        self.root = pathlib.Path(root).resolve()
        self.files = sorted(self._tracked() or self._walked())

    def _tracked(self):
        if not (self.root / ".git").exists():
            return None
        run = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=self.root,
                             capture_output=True, check=False)
        names = run.stdout.decode("utf-8", "surrogateescape").split("\0")
        return [n for n in names if n and (self.root / n).is_file()] if run.returncode == 0 else None

    def _walked(self):
        for folder, folders, names in os.walk(self.root):
            folders[:] = [f for f in folders if f not in (".git", ".local", "build", "target")]
            for name in names:
                yield str((pathlib.Path(folder) / name).relative_to(self.root))

    def named(self, *endings, foreign=False):
        return [f for f in self.files if f.endswith(endings) and (foreign or not FOREIGN.match(f))]

    def text(self, name):
        return (self.root / name).read_bytes().decode("utf-8", "replace")  # with its line ends as they are

    def lines(self, name):
        return enumerate(self.text(name).split("\n"), 1)


# --- includes: the arrows between folders, and who may see which library ---

# Inside the orchestrator a folder uses only those that stand left of it.
RANKS = [("loop",), ("store", "bus", "script", "probe"), ("pool", "report"), ("run",), ("replay",), ("engine",), ("schedule",), ("door",), ("main",)]
RANK = {folder: i for i, row in enumerate(RANKS) for folder in row}
LAYERS = {"proto": ("proto",), "agents": ("proto", "agents"), "orchestrator": ("proto", "orchestrator")}
# Headers of libraries and the places that own them.
OWNERS = [
    (r"uv\.h|uv/.*", ["orchestrator/loop/"]),
    (r"zmq\.h", ["orchestrator/bus/", "orchestrator/loop/zmq.c", "agents/sdk/"]),
    (r"lua\.h|lauxlib\.h|lualib\.h|lua5\.4/.*|pcre2\.h", ["orchestrator/script/"]),
    (r"sqlite3\.h", ["orchestrator/store/"]),
    (r"sodium\.h|sodium/.*", ["proto/base/"]),
    (r"yaml\.h", ["proto/json/"]),
    (r"elfutils/.*|libelf\.h|gelf\.h|dwarf\.h", ["agents/performance/profile/"]),
    (r"curl/.*", ["agents/model/", "orchestrator/door/", "orchestrator/loop/"]),
    (r"microhttpd\.h", ["orchestrator/door/http_library.h"]),
    (r"cmocka\.h", ["tests/"]),
]
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')


def include_folders(tree):
    """{folder as included: the source folder it stands for}, from the baton_library() calls."""
    found = {"tbl": "proto/tbl"}
    for name in tree.named("CMakeLists.txt"):
        for folder in re.findall(r"baton_library\(\w+ FOLDER (\S+)", tree.text(name)):
            found[folder] = os.path.dirname(name)
    return found


def wrong_include(tree, name, kind, header, folders):
    layer = name.split("/")[0]
    if layer != "tests":
        for pattern, owners in OWNERS:
            if re.fullmatch(pattern, header) and not name.startswith(tuple(owners)):
                return f"<{header}> belongs to {', '.join(owners)}: use what that folder offers"
    if kind == "<" or layer not in LAYERS:
        return None
    if "/" not in header and (tree.root / name).with_name(header).exists():
        return None  # a header that the folder keeps to itself
    folder = header.split("/")[0]
    if "/" not in header or folder not in folders:
        return f'"{header}" does not begin with the name of a folder: write "<folder>/<file>.h"'
    target = folders[folder]
    if target.split("/")[0] not in LAYERS[layer]:
        return f'"{header}": {layer} never uses {target.split("/")[0]}'
    own = name.split("/")[1]
    if layer == "orchestrator" and target.startswith("orchestrator/") and own != folder and RANK[folder] >= RANK[own]:
        return f'"{header}": the arrow goes from {own} to {folder}, not back'
    return None


def includes(tree):
    folders = include_folders(tree)
    for name in tree.named(".c", ".h"):
        for number, line in tree.lines(name):
            match = INCLUDE.match(line)
            problem = match and wrong_include(tree, name, match[1], match[2], folders)
            if problem:
                yield f"{name}:{number}: {problem}"


# --- sizes ---


def sizes(tree):
    for name in tree.named(".c", ".h", ".lua"):
        count = tree.text(name).count("\n")
        if count > LINES_MAX:
            yield f"{name}:{count}: {count} lines; a module has at most {LINES_MAX}: split it"


# --- places: nothing names the machine it was written on, or a host that packages come from ---

# Written in pieces, so that this file does not find itself.
OWN_PLACES = re.compile(r"(?<![\w.])/" + r"work/(?=\w)")
HOSTS = re.compile(r"(?<![\w-])(?:[\w-]+\.)*(?:" + "|".join([
    "crates" + r"\.io(?!-index)", "npmjs" + r"\.(?:org|com)", "pypi" + r"\.org", "pythonhosted" + r"\.org",
    "proxy" + r"\.golang\.org", "rubygems" + r"\.org", "deb" + r"\.debian\.org", "pkg" + r"\.dev"]) + r")(?![\w-])")


def places(tree):
    for name in tree.files:
        for number, line in tree.lines(name):
            match = OWN_PLACES.search(line) or (not FOREIGN.match(name) and HOSTS.search(line))
            if match:
                yield f"{name}:{number}: '{match[0]}' names a place outside the project"


# --- markers: a thing to do has an issue, not a comment ---

MARKER = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|HA" + r"CK)\b")


def markers(tree):
    for name in tree.named(".c", ".h", ".def", ".lua", ".py", ".sh", ".cmake", "CMakeLists.txt", ".md", ".in", ".rs", "/run"):
        if name.startswith("agents/definitions/"):
            continue  # they tell agents what to look for in other people's code
        for number, line in tree.lines(name):
            match = MARKER.search(line)
            if match and f'"{match[0]}' not in line:  # a program may look for the word
                yield f"{name}:{number}: {match[0]}: write an issue and take the marker out"


# --- links: every relative link in our Markdown leads somewhere ---

LINK = re.compile(r"!?\[[^\]\n]*\]\(<?([^)<>\s]+)>?(?:\s+\"[^\"]*\")?\)")
SOURCE = re.compile(r"<(?:img|a|source)\b[^>]*?\b(?:src|href)=\"([^\"]+)\"")


def anchors(text):
    """The fragments of the headings, as the usual hosts make them."""
    found = set()
    for heading in re.findall(r"(?m)^#{1,6}\s+(.+?)\s*#*$", text):
        slug = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()).replace(" ", "-")
        while slug in found:
            slug += "-1"
        found.add(slug)
    return found


def prose(text):
    """The text with code blanked out; line numbers stay."""
    def blank(match):
        return "\n" * match[0].count("\n")
    text = re.sub(r"(?ms)^ {0,3}(```+|~~~+).*?^ {0,3}\1[`~]*\s*$", blank, text)
    return re.sub(r"(`+)(?!`)[^\n]*?(?<!`)\1(?!`)", "", text)


def links(tree):
    for name in tree.named(".md"):
        for number, line in enumerate(prose(tree.text(name)).split("\n"), 1):
            for target in LINK.findall(line) + SOURCE.findall(line):
                if re.match(r"[a-z][a-z0-9+.-]*:|//", target):
                    continue
                path, _, fragment = target.partition("#")
                place = (tree.root / name).parent / path if path else tree.root / name
                if not place.exists():
                    yield f"{name}:{number}: link to '{target}', which does not exist"
                elif fragment and place.suffix == ".md" and fragment not in anchors(place.read_text("utf-8", "replace")):
                    yield f"{name}:{number}: link to '{target}': no heading makes '#{fragment}'"


# --- tables: every row of a .def list exists once ---

ROW = re.compile(r"(?ms)^([A-Z][A-Z0-9_]*)\((.*?)\)\s*(?://[^\n]*)?$")
CELL = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[^,\s][^,]*")


def row_keys(name, macro, cells):
    """What must be unique. A row of proto/tbl that begins with a code: the code, its number and its name; else the whole row."""
    if re.fullmatch(r"[A-Z][A-Z0-9_]*", cells[0]):
        yield (macro, "code", cells[0])
        for cell in cells[1:] if name.startswith("proto/tbl/") else ():
            if cell[0] == '"':
                yield (macro, "name", cell)
                return
            if cell.isdigit():
                yield (macro, "number", cell)
    else:
        yield (macro, "row", ", ".join(cells))


def tables(tree):
    for name in tree.named(".def"):
        text = "\n".join(re.sub(r"^\s*(//|#).*", "", line) for _, line in tree.lines(name))
        seen = {}
        for match in ROW.finditer(text):
            number = text.count("\n", 0, match.start()) + 1
            cells = [c.strip() for c in CELL.findall(match[2])]
            for key in row_keys(name, match[1], cells) if cells else ():
                if key in seen:
                    yield f"{name}:{number}: {key[1]} {key[2]} stands in line {seen[key]} already"
                seen.setdefault(key, number)


# --- scripts: they parse, stop at the first error, and can be started ---


def script_problem(tree, name, text):
    path = tree.root / name
    if not os.access(path, os.X_OK):
        return 1, "has a #! line but is not executable"
    if "python" in text.split("\n", 1)[0]:
        try:
            compile(text, name, "exec")
        except SyntaxError as error:
            return error.lineno, error.msg
        return None
    shell = subprocess.run(["bash", "-n", str(path)], capture_output=True, text=True, check=False)
    if shell.returncode:
        line = re.search(r": line (\d+): (.*)", shell.stderr)
        return (line[1], line[2]) if line else (1, shell.stderr.strip())
    if not re.search(r"(?m)^set -[a-z]*e[a-z]*u[a-z]*o pipefail$", text):
        return 1, "'set -euo pipefail' is missing"
    return None


def scripts(tree):
    for name in tree.files:
        path = tree.root / name
        if FOREIGN.match(name) or path.is_symlink():
            continue
        with open(path, "rb") as file:
            first = file.readline(200)
        if first.startswith(b"#!") and re.search(rb"\b(bash|sh|python3?)\b", first):
            problem = script_problem(tree, name, tree.text(name))
            if problem:
                yield f"{name}:{problem[0]}: {problem[1]}"


# --- text: what .editorconfig asks for, checked where we write ---


def text(tree):
    for name in tree.named(".c", ".h", ".def", ".lua", ".py", ".sh", ".cmake", "CMakeLists.txt", ".md", ".in", ".json", ".supp"):
        content = tree.text(name)
        if content and not content.endswith("\n"):
            yield f"{name}:{content.count(chr(10)) + 1}: no newline at the end"
        for number, line in enumerate(content.split("\n"), 1):
            if line.endswith((" ", "\t", "\r")):
                yield f"{name}:{number}: white space at the end of the line"
            if "\t" in line and name.endswith((".c", ".h", ".lua", ".py", ".cmake")):
                yield f"{name}:{number}: a tab; indent with blanks, write \\t in strings"


ALL = {f.__name__: f for f in (includes, sizes, places, markers, links, tables, scripts, text)}
