"""A JavaScript object literal -> Python values, without running any of it.

Pages carry their data as `var name = {bare: "keys", 'and': 'quotes',};`, which is not JSON. The literal is cut where
its brackets close (brackets within strings do not count), then rewritten as JSON.
"""

import json
import re
from typing import Any

_MARK = re.compile(r"""[{}\[\]()]|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|/\*.*?\*/|//[^\n]*""", re.DOTALL)
_TOKEN = re.compile(
    r"""(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')"""
    r"|(?P<key>[A-Za-z_$][\w$]*)(?=\s*:)"
    r"|(?P<word>[A-Za-z_$][\w$]*)"
    r"|(?P<comment>/\*.*?\*/|//[^\n]*)"
    r"|(?P<comma>,(?=\s*[}\]]))",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u\{([0-9A-Fa-f]{1,6})\}|(u[0-9A-Fa-f]{4}|[\"\\/bfnrt])|(.))", re.DOTALL)
_WORDS = {"true": "true", "false": "false", "null": "null", "undefined": "null", "NaN": "null", "Infinity": "null"}
_CLOSES = {"{": "}", "[": "]", "(": ")"}


def cut(text: str, start: int) -> str:
    """Return the bracketed piece that opens at `start`, up to the bracket that closes it.

    Raises:
        ValueError: no bracket is there, or it is never closed.
    """
    open_ones: list[str] = []
    for match in _MARK.finditer(text, start):
        mark = match.group()
        if not open_ones and match.start() != start:
            break
        if mark in _CLOSES:
            open_ones.append(_CLOSES[mark])
        elif open_ones and mark == open_ones[-1]:
            open_ones.pop()
            if not open_ones:
                return text[start : match.end()]
        elif mark in ")]}":
            break
    msg = "the object is not closed"
    raise ValueError(msg)


def to_json(literal: str) -> str:
    """Return a JavaScript literal as JSON text: keys and strings in double quotes, no comments, no trailing commas.

    Raises:
        ValueError: it holds a name, so it is code and not data.
    """
    return _TOKEN.sub(_token, literal)


def parse(text: str, start: int = 0) -> Any:
    """Return the value of the object or list literal that opens at `start`.

    Raises:
        ValueError: it is not closed, or is code and not data.
    """
    try:
        return json.loads(to_json(cut(text, start)), strict=False)
    except RecursionError as error:
        msg = "the object is nested too deeply"
        raise ValueError(msg) from error


def _token(match: re.Match[str]) -> str:
    kind, piece = match.lastgroup, match.group()
    if kind == "string":
        return _string(piece)
    if kind == "key":
        return f'"{piece}"'
    if kind in {"comment", "comma"}:
        return ""
    word = _WORDS.get(piece)
    if word is None and not re.fullmatch(r"[eE]\d*", piece):  # the exponent of a number
        msg = f"the object is code, not data: {piece[:40]!r}"
        raise ValueError(msg)
    return piece if word is None else word


def _string(quoted: str) -> str:
    inner = _ESCAPE.sub(_escape, quoted[1:-1])
    return '"' + re.sub(r'(?<!\\)((?:\\\\)*)"', r'\1\\"', inner) + '"'


def _escape(match: re.Match[str]) -> str:
    two, braced, kept, other = match.groups()
    if two or braced:
        return json.dumps(chr(int(two or braced, 16)))[1:-1]
    if kept:
        return match.group()
    return {"\n": "", "v": "\\u000b", "0": "\\u0000"}.get(other, other)
