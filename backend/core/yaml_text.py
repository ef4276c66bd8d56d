"""YAML that strangers wrote: read with the safe loader, and refused where it is ambiguous or made to explode."""

from typing import Any

import yaml

from backend.core.errors import shown

DEEPEST = 32  # levels; a recipe has 7
LARGEST = 100_000  # values, each counted as often as aliases repeat it


def read_yaml(text: str) -> Any:
    """Return the one document of a YAML text.

    Raises:
        ValueError: not YAML, a key that stands twice, nesting too deep, or aliases that multiply; names the line.
    """
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _check(node)
        return loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        msg = f"line {mark.line + 1}: {_short(error)}" if mark else _short(error)
        raise ValueError(msg) from error
    except yaml.YAMLError as error:
        msg = " ".join(str(error).split())
        raise ValueError(msg) from error


def _short(error: yaml.MarkedYAMLError) -> str:
    return " ".join(shown(error.problem or error.context or "not YAML", quoted=False).split())


class _Loader(yaml.SafeLoader):
    """The safe loader, which also stops at nesting that would exhaust the stack."""

    _depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self._depth += 1
        if self._depth > DEEPEST:
            msg = f"line {self.line + 1}: nested more than {DEEPEST} levels deep"
            raise ValueError(msg)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


def _check(root: yaml.Node) -> None:
    """Refuse keys that stand twice and aliases that make too much of little."""
    sizes: dict[int, int] = {}
    open_: set[int] = set()

    def measure(node: yaml.Node) -> int:
        if id(node) in sizes:
            return sizes[id(node)]
        if id(node) in open_:
            msg = f"{_line(node)}: an alias stands inside of what it repeats"
            raise ValueError(msg)
        open_.add(id(node))
        size = 1 + sum(map(measure, _below(node)))
        if size > LARGEST:
            msg = f"{_line(node)}: more than {LARGEST} values, aliases counted as often as they are used"
            raise ValueError(msg)
        sizes[id(node)] = size
        return size

    measure(root)


def _below(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    if not isinstance(node, yaml.MappingNode):
        return []
    seen: set[tuple[str, str]] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode):
            if (key.tag, key.value) in seen:
                msg = f"{_line(key)}: the key {shown(key.value)} stands twice"
                raise ValueError(msg)
            seen.add((key.tag, key.value))
    return [part for pair in node.value for part in pair]


def _line(node: yaml.Node) -> str:
    return f"line {node.start_mark.line + 1}"
