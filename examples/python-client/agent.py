"""Three steps of an agent that waits for a child process, and what each of them paid in the kernel."""

import json
import subprocess
import sys

import prewake

session = prewake.Session()
print(f"session {session.welcome['session']}, mode {session.welcome['mode']}, recorder {session.welcome['recorder']}")

for number in range(3):
    step = session.step("tool", "sleep")
    child = subprocess.Popen(["sleep", "0.05"])
    wait = session.wait(step, "tool", "sleep")
    child.wait()
    session.signal(wait, "child_exit")
    session.wait_end(wait)
    session.step_end(step)
    report = session.report(step)
    if "--json" in sys.argv:
        print(json.dumps(report))
        continue
    woken = report["wakeups"]
    print(f"step {step}: {woken['total']} wakeups, {woken['covered']} of them on an armed CPU")
    for category, nanoseconds in sorted(report["self"].items(), key=lambda item: -item[1]):
        print(f"  {category:20} {nanoseconds / 1000:10.1f} us")
    print(f"  unknown: {', '.join(report['unknown']) or 'nothing'}")

session.close()
