#!/usr/bin/env python3
"""What the tools of an agent can talk to at each grade of its file's `network`: network.py BOX_RUN

Real programs (curl, python3) against a server of this test; bare, each of them reaches it. Exit status 77: no box here."""
import http.server, json, os, shutil, subprocess, sys, tempfile, threading

import host

BOX_RUN = os.path.abspath(sys.argv[1])

OWN_LOOPBACK = """
import socket
l = socket.create_server(("127.0.0.1", 0))
c = socket.create_connection(l.getsockname())
s, _ = l.accept()
c.sendall(b"x")
assert s.recv(1) == b"x"
"""
OWN_PAIR = "import socket; a, b = socket.socketpair(); a.send(b'x'); assert b.recv(1) == b'x'"
ANY_SOCKET = "import socket\nfor f in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX):\n  socket.socket(f)"
UDP = "import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.sendto(b'x', ('127.0.0.1', %d)); s.settimeout(5); assert s.recv(1) == b'x'"


class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_):
        pass


def udp_echo():
    import socket
    s = socket.socket(type=socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 0))

    def serve():
        while True:
            data, who = s.recvfrom(16)
            s.sendto(data, who)
    threading.Thread(target=serve, daemon=True).start()
    return s.getsockname()[1]


def main():
    if not host.has_whole_box(BOX_RUN):
        return host.SKIPPED
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    top = os.path.realpath(tempfile.mkdtemp(prefix="baton-network-"))
    profiles = top + "/config/baton/sandbox.profiles"
    os.makedirs(top + "/ws")
    os.makedirs(os.path.dirname(profiles))
    env = dict(os.environ, XDG_CONFIG_HOME=top + "/config")
    python = ["python3", "-c"]
    reach = python + ["import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:%d/').read().decode())" % server.server_port]
    curl = ["curl", "-sS", "--max-time", "20", "http://127.0.0.1:%d/" % server.server_port]
    udp = python + [UDP % udp_echo()]
    # what, command, the grades at which it works; "" is a file that says nothing
    CASES = [("host by TCP", reach, {"host"}), ("host by UDP", udp, {"host"}), ("own loopback", python + [OWN_LOOPBACK], {"", "lo", "host"}),
             ("any socket", python + [ANY_SOCKET], {"", "lo", "host"}), ("pair of sockets", python + [OWN_PAIR], {"", "none", "lo", "host"}),
             ("no network at all", python + ["print(1)"], {"", "none", "lo", "host"})]
    if shutil.which("curl"):
        CASES.append(("host by curl", curl, {"host"}))
    failed = 0

    def boxed(grade, words):
        receipts = top + "/receipts.json"
        r = subprocess.run([BOX_RUN, "--rules", "Bash(*)", "--workspace", top + "/ws", "--home", top + "/home", "--receipts", receipts]
                           + (["--network", grade] if grade else []) + ["--"] + words, env=env, capture_output=True, text=True, timeout=120)
        with open(receipts) as f:
            return r, json.load(f)[-1]

    def check(ok, **what):
        nonlocal failed
        failed += not ok
        print(json.dumps(dict(what, ok=bool(ok))), flush=True)

    try:
        for what, words, works in CASES:
            bare = subprocess.run(words, capture_output=True, text=True, timeout=60)
            check(bare.returncode == 0, what=what, grade="bare", said=bare.stderr[-200:])
            for grade in ("", "none", "lo", "host"):
                r, receipt = boxed(grade, words)
                check((r.returncode == 0) == (grade in works) and r.returncode != 125 and receipt["box"]["network"] == (grade or "lo"),
                      what=what, grade=grade, said=r.stderr[-200:])
        with open(profiles, "w") as f:  # a profile that a site has narrowed stays as narrow
            f.write("shell network = none\n")
        r, receipt = boxed("host", reach)
        check(r.returncode != 0 and receipt["box"]["network"] == "none", what="the site's profile is narrower", said=r.stderr[-200:])
        with open(profiles, "w") as f:  # and one that it has widened is held by the agent's file
            f.write("shell network = host\n")
        r, receipt = boxed("lo", reach)
        check(r.returncode != 0 and receipt["box"]["network"] == "lo", what="the agent's file is narrower", said=r.stderr[-200:])
        r, receipt = boxed("", reach)
        check(r.returncode == 0 and receipt["box"]["network"] == "host", what="the site's profile counts where the file says nothing", said=r.stderr[-200:])
    finally:
        server.shutdown()
        shutil.rmtree(top, ignore_errors=True)
    return 1 if failed else 0


sys.exit(main())
