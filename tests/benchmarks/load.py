"""A load client that costs little: a few processes, each with one connection that stays open."""

import http.client
import json
import multiprocessing
import random
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Result:
    """What one run of load was answered."""

    seconds: float
    codes: dict[int, int]
    latencies: list[float]
    client_cpu_seconds: float
    ids: list[str]

    def rate(self) -> float:
        """Answers with 201 a second."""
        return self.codes.get(201, 0) / self.seconds

    def percentile(self, part: float) -> float:
        """Milliseconds."""
        ordered = sorted(self.latencies)
        return 1000 * ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def fire(port: int, path: str, bodies: Sequence[bytes], *, clients: int, key: str = "", wait: int = 0) -> Result:
    """Send all bodies, spread over so many clients; returns when every answer is there."""
    shares = [list(bodies[number::clients]) for number in range(clients)]
    with multiprocessing.get_context("fork").Pool(clients) as pool:
        started = time.perf_counter()
        parts = pool.starmap(_client, [(port, path, share, key, wait) for share in shares], chunksize=1)
        seconds = time.perf_counter() - started
    codes: dict[int, int] = {}
    for part in parts:
        for code in part["codes"]:
            codes[code] = codes.get(code, 0) + 1
    return Result(
        seconds,
        codes,
        [latency for part in parts for latency in part["latencies"]],
        sum(part["cpu"] for part in parts),
        [order_id for part in parts for order_id in part["ids"]],
    )


def _client(port: int, path: str, bodies: list[bytes], key: str, wait: int) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    codes, latencies, ids, cpu = [], [], [], time.process_time()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    if wait:
        headers["Prefer"] = f"wait={wait}"
    for body in bodies:
        started = time.perf_counter()
        connection.request("POST", path, body, headers | {"Idempotency-Key": str(uuid.uuid4())})
        answer = connection.getresponse()
        text = answer.read()
        latencies.append(time.perf_counter() - started)
        codes.append(answer.status)
        if answer.status == 201:
            ids.append(json.loads(text)["id"])
    return {"codes": codes, "latencies": latencies, "ids": ids, "cpu": time.process_time() - cpu}


def baskets(count: int, skus: Sequence[str], points: Sequence[tuple[float, float]], *, lines: int) -> list[bytes]:
    """Orders of so many lines each, from the same seed every time."""
    chance = random.Random(1)
    return [
        json.dumps(
            {
                "customer": {"name": "Ada Example", "email": f"ada{number}@example.com"},
                "items": [{"sku": sku, "quantity": 1} for sku in chance.sample(list(skus), lines)],
                "pickup": {"near": dict(zip(("lat", "lon"), chance.choice(list(points)), strict=True))},
                "payment": {"method": "sandbox", "token": "tok_ok"},
            }
        ).encode()
        for number in range(count)
    ]
