"""A process that does what it is told and dies of it: `python -m tests.chaos.mortal`.

It reads a line of JSON for each piece of work, has a child of its own do it, and says how that ended. The child kills
itself (SIGKILL) when it comes to a named function, before it or after it; nothing is undone, closed or said.
"""

import importlib
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any


def place(key: str, idempotency_key: str, body: Mapping[str, Any]) -> None:
    """Order, as a shop does."""
    from pickup.app import create_app
    from tests.api_client import ApiClient

    ApiClient(create_app(), key).order(dict(body), key=idempotency_key)


def work(handler: str, task_ids: list[int]) -> None:
    """Do a job, as a worker does."""
    from worker import jobs

    jobs.run(handler, task_ids)


def doomed(target: str, moment: str) -> None:
    """From now on whoever calls the function, `module:name` or `module:Class.name`, dies before or after it."""
    module, _, path = target.partition(":")
    *owners, name = path.split(".")
    owner: Any = importlib.import_module(module)
    for each in owners:
        owner = getattr(owner, each)
    setattr(owner, name, _deadly(getattr(owner, name), moment))


def _deadly(call: Callable[..., Any], moment: str) -> Callable[..., Any]:
    @wraps(call)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if moment == "after":
            call(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)

    return wrapped


WORK = {"place": place, "work": work}


def main() -> None:
    """Until there is nothing more to read."""
    importlib.import_module("worker.jobs")  # so that the children have it
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            if order["death"]:
                doomed(*order["death"])
            WORK[order["work"]](**order["with"])
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(-os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status), flush=True)


if __name__ == "__main__":
    main()
