"""Keeps processes of one kind alive: `python -m tests.chaos.nursery worker.relay 4`.

It loads the program once and forks: so one that is killed has a successor at once, however slow the machine is.
"""

import importlib
import os
import signal
import sys


def main() -> None:
    """Until SIGTERM; the children are killed then."""
    module, count = sys.argv[1], int(sys.argv[2])
    program = importlib.import_module(module)
    children: set[int] = set()

    def end(*_: object) -> None:
        for child in children:
            os.kill(child, signal.SIGKILL)
        os._exit(0)

    while True:
        signal.signal(signal.SIGTERM, end)
        while len(children) < count:
            child = os.fork()
            if child == 0:
                program.main()
                os._exit(1)
            children.add(child)
        ended, _ = os.wait()
        children.discard(ended)


if __name__ == "__main__":
    main()
