"""A file holds one noun and a function fits on one screen."""

from tests.architecture.source import modules

MODULE_LINES = 350
FUNCTION_LINES = 50


def test_no_module_is_longer_than_the_limit() -> None:
    too_long = {m.name: m.lines for m in modules() if m.lines > MODULE_LINES}
    assert not too_long


def test_no_function_is_longer_than_the_limit() -> None:
    lengths = {
        f"{module.name}:{name}": (node.end_lineno or node.lineno) - node.lineno
        for module in modules()
        for name, node in module.functions()
    }
    assert lengths
    assert not {name: lines for name, lines in lengths.items() if lines > FUNCTION_LINES}
