"""Conventions of the house that a machine can hold."""

import ast
import re
from pathlib import Path

import pytest

from pickup.config import ROOT
from pickup.subscriptions import SUBSCRIPTIONS
from worker.handlers import HANDLERS, QUEUES

SOURCES = sorted([*(ROOT / "pickup").rglob("*.py"), *(ROOT / "worker").rglob("*.py"), ROOT / "wsgi.py"])
# A gateway has no key of ours: it signs what it sends.
PUBLIC = {"/healthz", "/readyz", "/metrics", "/v1/openapi.json", "/v1/gateways/<name>/events"}


def trees():
    for path in SOURCES:
        yield path.relative_to(ROOT), ast.parse(path.read_text())


def test_every_route_of_the_api_needs_a_scope(app):
    """A route that forgot to ask who calls is found here, not by a stranger."""
    open_routes = {
        rule.rule
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/v1")
        and rule.rule not in PUBLIC
        and not getattr(app.view_functions[rule.endpoint], "required_scopes", None)
    }

    assert open_routes == set()


def test_every_route_of_the_api_refuses_a_stranger(database):
    client = database.test_client()
    for rule in database.url_map.iter_rules():
        if not rule.rule.startswith("/v1") or rule.rule in PUBLIC:
            continue
        path = rule.rule.replace("<", "").replace(">", "")
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            answer = client.open(path, method=method, headers={"Authorization": "Bearer nonsense"})
            assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated"), (method, path)


def test_every_subscriber_is_a_handler_and_every_handler_is_needed():
    assert {handler for handlers in SUBSCRIPTIONS.values() for handler in handlers} == HANDLERS.keys()


def test_every_queue_has_a_worker():
    from pickup.dev.run import QUEUES as SUPERVISED

    assert set(SUPERVISED) == set(QUEUES)


SETS_STATUS = re.compile(r"UPDATE\s+orders\s+SET\s[^;]*?\bstatus\s*=")


def assigns_status(node: ast.AST) -> bool:
    if not isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
        return False
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return any(isinstance(target, ast.Attribute) and target.attr == "status" for target in targets)


def test_only_one_place_assigns_the_status_of_an_order():
    assigned = [
        str(path)
        for path, tree in trees()
        if path.parts[:2] == ("pickup", "orders")
        for node in ast.walk(tree)
        if assigns_status(node)
    ]
    written = [str(path) for path, _ in trees() if SETS_STATUS.search((ROOT / path).read_text())]

    assert (assigned, written) == ([], ["pickup/orders/transitions.py"])


def test_only_entry_points_commit():
    """Services never commit; placing an order and the clock's jobs say in their docstrings why they do."""
    allowed = {"pickup/core/db.py", "pickup/orders/checkout.py", "pickup/orders/sweeping.py"}
    commits = {
        str(path)
        for path, tree in trees()
        if path.name not in {"views.py", "commands.py"} and path.parts[0] != "worker"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit"
    }

    assert commits <= allowed


def test_only_the_clock_reads_the_clock():
    readers = {
        str(path)
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"now", "utcnow", "today"}
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in {"datetime", "date"}
    }

    assert readers == {"pickup/core/clock.py"}


def test_every_public_function_and_class_says_what_it_is():
    bare = [
        f"{path}:{node.lineno} {node.name}"
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
        and not is_nested(tree, node)
    ]

    assert bare == []


def is_nested(tree: ast.Module, node: ast.AST) -> bool:
    """Inside a function: nobody outside sees it. Or `load_json` and the like: what a base class documents."""
    inside = any(
        node is inner and outer is not node
        for outer in ast.walk(tree)
        if isinstance(outer, ast.FunctionDef)
        for inner in ast.walk(outer)
    )
    overrides = any(node in outer.body for outer in ast.walk(tree) if isinstance(outer, ast.ClassDef) and outer.bases)
    return inside or overrides


@pytest.mark.parametrize("word", ["TODO", "FIXME", "XXX"])
def test_nothing_is_left_for_later(word: str):
    assert [str(path) for path in SOURCES if word in path.read_text()] == []


def test_the_test_folders_are_those_of_the_plan():
    folders = {path.name for path in Path(ROOT / "tests").iterdir() if path.is_dir() and not path.name.startswith("_")}

    assert folders <= {"unit", "integration", "api", "browser", "concurrency", "chaos", "architecture", "benchmarks"}
