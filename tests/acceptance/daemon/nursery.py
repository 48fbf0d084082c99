"""Starts and kills daemons on a simulated clock, many of them and fast.

Usage: python nursery.py. It has read the program, and forks: starting Python anew for each of
hundreds of daemons would take longer than all they do. Commands come line by line, each is
answered by a line: `start CLOCK [FLAG VALUE]…` with the process id, `kill PID` when that process is
dead, `stop PID` with its exit status after SIGTERM. At the end of its input it kills who is left.
"""

import faulthandler
import logging
import os
import signal
import sys

from simulated import run  # type: ignore[import-not-found]  # beside this script

from sublife.events.packs import load_pack
from sublife.events.store import upgrade


def start(arguments: list[str]) -> int:
    """Fork a daemon; return its process id."""
    sys.stdout.flush()
    if pid := os.fork():
        return pid
    status = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        run(*arguments)
        status = 0
    finally:
        os._exit(status)


def end(pid: int, number: int) -> int:
    """Send a signal, and wait for the process to end; return its exit status."""
    os.kill(pid, number)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(process)d %(name)s %(message)s")
    faulthandler.enable()  # a crash of native code tells where
    running: set[int] = set()
    assert upgrade  # read before the first fork, as the policy pack is
    load_pack()
    for line in sys.stdin:
        command, *words = line.rstrip("\n").split("\t")
        match command:
            case "start":
                answer = start(words)
                running.add(answer)
            case "kill":
                running.discard(int(words[0]))
                answer = end(int(words[0]), signal.SIGKILL)
            case _:
                running.discard(int(words[0]))
                answer = end(int(words[0]), signal.SIGTERM)
        print(answer, flush=True)
    for pid in running:
        end(pid, signal.SIGKILL)
