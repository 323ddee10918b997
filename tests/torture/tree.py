"""A tool that leaves processes everywhere: a child, one in a session of its own, and one whose parent has gone."""
import os
import signal
import subprocess
import sys
import time

SLEEP = ["sleep", "86397"]
if len(sys.argv) > 1 and sys.argv[1] == "stubborn":
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
subprocess.Popen(SLEEP)
subprocess.Popen(SLEEP, start_new_session=True)
if os.fork() == 0:
    os.setsid()
    subprocess.Popen(SLEEP, start_new_session=True)
    os._exit(0)
print("the tree stands", flush=True)
time.sleep(86397)
