"""What befalls the system, in which order, and at which point of the run: the same in every run."""

import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil
from psutil import Process

from tests.mailbox import Mailbox
from tests.system import System, kill

SEED = 20260101
ORDERS_A_BLOW = 3
"""So many orders are sent for each blow, which falls after one of them."""
MOMENTS = ("sent", "sent", "answered", "confirmed")
"""What has become of that order when the blow falls: it is under way, has its answer, or its customer has a mail."""

Find = Callable[[System], Sequence[Process]]


def program(word: str) -> Find:
    """A child of the supervisor that is at work: it has come so far as to open a connection."""
    return lambda system: [each for each in system.programs(word) if is_connected(each)]


def database_connections(system: System) -> list[Process]:
    """PostgreSQL writes into each of its processes' command lines what it is for."""
    return [each for each in system.children_of("bin/postgres") if "[local]" in command_line(each)]


def oldest_web_process(system: System) -> list[Process]:
    """The other may have been started a moment ago, in place of one that was killed."""
    return sorted((each for each in system.children_of("gunicorn") if is_connected(each)), key=born)[:1]


def database(system: System) -> list[Process]:
    """The first of its processes, once it serves anybody."""
    return system.programs("bin/postgres") if database_connections(system) else []


# Killed at many points each.
OFTEN: dict[str, Find] = {
    "the relay": program("worker.relay"),
    "the worker of reservations": program("worker.work reservations"),
    "the worker of notifications": program("worker.work notifications"),
    "a web process": oldest_web_process,
    "PostgreSQL": database,
}
# Killed once each.
ONCE: dict[str, Find] = {
    "the worker of payments": program("worker.work payments"),
    "the sender of webhooks": program("worker.webhooks"),
    "the clock": program("worker.schedule"),
    "the master of the web processes": lambda system: system.programs("gunicorn"),
    "a database connection": lambda system: database_connections(system)[:1],
    "Redis": lambda system: system.programs("valkey-server"),
}
VICTIMS = OFTEN | ONCE
WIPE, HANG_UP = "all of Redis wiped", "the mail server hangs up on a mail that it has kept"


@dataclass(frozen=True)
class Blow:
    """One of them: after how many of its orders, and when."""

    what: str
    after_orders: int
    moment: str


def schedule(points: int) -> list[Blow]:
    """Each of `OFTEN` at so many points, Redis wiped at a third as many, and everything else once."""
    chance = random.Random(SEED)
    rounds = [chance.sample(sorted(OFTEN), len(OFTEN)) for _ in range(points)]
    for what in (*ONCE, *[WIPE, HANG_UP] * max(1, points // 3)):
        chance.choice(rounds).append(what)
    for each in rounds:
        chance.shuffle(each)
    return [Blow(what, chance.randint(1, ORDERS_A_BLOW), chance.choice(MOMENTS)) for each in rounds for what in each]


def strike(what: str, system: System, mailbox: Mailbox) -> bool:
    """Do it, if it can be done at this instant: who is to be killed must be at work."""
    if what == WIPE:
        with suppress(OSError), system.queue() as queue:
            return bool(queue.flushall())
        return False
    if what == HANG_UP:
        mailbox.keeps_and_hangs_up += 1
        return True
    victims = VICTIMS[what](system)
    kill(victims)
    return bool(victims)


def is_connected(process: Process) -> bool:
    """Whether it has any connection on this machine: to the database, or to Redis."""
    with suppress(psutil.Error):
        return bool(process.net_connections("unix"))
    return False


def born(process: Process) -> float:
    """When it was started; now, if it is gone."""
    with suppress(psutil.Error):
        return process.create_time()
    return float("inf")


def command_line(process: Process) -> str:
    """Its words; none, if it is gone."""
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""
