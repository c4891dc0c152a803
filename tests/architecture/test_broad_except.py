"""Only the borders between user code and the process catch everything."""

import ast

from tests.architecture.source import modules

BROAD = {"Exception", "BaseException"}

# function -> why it may catch whatever comes
BORDERS = {
    "cli/doctor/patient.py:Patient.session": "asyncpg's errors while it connects; others pass",
    "cli/guard/process.py:GuardProcess._stand_in": "the user's modules, which may not load here",
    "subscribers.py:Events.emit": "a subscriber of the user's must not stop the worker",
    "options.py:shown": "the repr() of a value of the user's",
    "runtime/failure.py:_after": "the user's retry policy: the job is retried all the same",
    "link.py:Link._guard": "after any error the connection's state is unknown: it is dropped",
    "runtime/handler.py:_reach": "asyncpg errors of its own while it connects; others pass",
    "runtime/heart.py:Heart._beat_once": "the user's engine, which connects: the sign of life goes on",
    "runtime/listener.py:Listener._listen": "asyncpg's errors; asyncpg is not imported here",
    "runtime/lifespan.py:Lifespan._enter": "the user's resource: the worker does not start",
    "runtime/lifespan.py:Lifespan._leave": "the user's resource: the others are closed all the same",
    "runtime/runner.py:Runner._outcome": "the user's handler: whatever it raises is the job's end",
    "runtime/service.py:Service._run": "one part of the worker must not end the worker",
    "runtime/surroundings.py:Observers._tell": "a hook of the user's must not change how a job ends",
    "runtime/surroundings.py:_CallNext.__call__": "what a handler raised, which passes on",
    "runtime/surroundings.py:_Run.pass_on": "the user's middleware, behind the commit",
    "runtime/surroundings.py:_Run.run": "the user's middleware: what it raises is the job's end",
    "runtime/threads.py:_Thread.call.run": "a thread's border: the error goes to the event loop",
    "waiting.py:Waiter._listen": "asyncpg's errors; asyncpg is not imported here",
    "session/wakeup.py:_AsyncSender._send": "a thread's border; a wake-up is only a hint",
    "session/wakeup.py:_Sender.send": "a thread's border; a wake-up is only a hint",
}


def test_broad_excepts_stand_only_at_the_borders() -> None:
    assert _broad_excepts() == set(BORDERS)


def _broad_excepts() -> set[str]:
    return {
        f"{module.name}:{name}"
        for module in modules()
        for name, function in module.functions()
        if any(_is_broad(node) for node in _own_nodes(function))
    }


def _own_nodes(function: ast.AST) -> list[ast.AST]:
    """Return the nodes of a function without those of the functions inside it."""
    nodes: list[ast.AST] = []
    for child in ast.iter_child_nodes(function):
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            nodes += [child, *_own_nodes(child)]
    return nodes


def _is_broad(node: ast.AST) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
        return called == "suppress" and any(_names_broad(arg) for arg in node.args)
    if isinstance(node, ast.ExceptHandler):
        return node.type is None or _names_broad(node.type)
    return False


def _names_broad(node: ast.expr) -> bool:
    members = node.elts if isinstance(node, ast.Tuple) else [node]
    return any(isinstance(member, ast.Name) and member.id in BROAD for member in members)
