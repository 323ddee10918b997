"""The wall clock jumps while a run is at work and between its processes: days ahead, weeks back. Needs libfaketime.

    BATON_BIN=build/dev/bin python3 tests/torture/clocks.py
"""
import glob
import sys

import faults
from place import SKIPPED, Place, need, wait_for

LIBRARIES = "/usr/lib/*/faketime/libfaketimeMT.so.1"
AHEAD, BACK, FAR_BACK, FAR_AHEAD = "+1d", "-2d", "-30d", "+400d"


class Clock:
    """What `baton` takes for the time of day; timers of the system go on as ever."""

    def __init__(self, place, library):
        self.file = place.root / "clock"
        self.set("+0")
        place.env |= {"LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": str(self.file), "FAKETIME_NO_CACHE": "1",
                      "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}

    def set(self, offset):
        new = self.file.with_suffix(".new")
        new.write_text(offset + "\n")
        new.replace(self.file)


def jumps(place, clock):
    """Nothing finished is executed again, no timer is missed or waited for twice as long, and the state is that of a quiet run."""
    soak, p, run = faults.begin(place)

    def further(offset, count):
        clock.set(offset)
        seen = faults.finished(place, run)
        wait_for(lambda: soak.approve() or p.poll() is not None or faults.finished(place, run) >= seen + count, f"stages with the clock at {offset}")
    further(AHEAD, 4)
    further(BACK, 4)
    need(p.poll() is None, f"the run has ended already: {place.said(p)}")
    p.kill()
    p.wait()
    clock.set(FAR_BACK)
    p = place.start("resume", run, "--json")
    further(FAR_AHEAD, 4)
    p.kill()
    p.wait()
    clock.set(FAR_BACK)
    times = [at for (at,) in place.rows("SELECT at FROM events ORDER BY id")]
    need(max(times) - min(times) > 300 * 86400 * 10**9, "the clock has not jumped at all")
    faults.go_on(place, soak, run)


def main():
    libraries = glob.glob(LIBRARIES)
    if not libraries:
        print("skipped: libfaketime is not here (Debian's package faketime)")
        return SKIPPED
    place = Place("clocks")
    try:
        jumps(place, Clock(place, libraries[0]))
    finally:
        place.close()
    print("ok      jumps")
    return 0


if __name__ == "__main__":
    sys.exit(main())
