"""What an ONNX file points to outside of itself, read without the `onnx` package, which only training needs.

An ONNX file is a protobuf message. Only the few fields on the way to a tensor are followed; the numbers are those of
`onnx.proto`.
"""

from collections.abc import Iterator

_VARINT, _I64, _BYTES, _I32 = 0, 1, 2, 5
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14  # of a tensor: where its values lie, and that they do
_DEEP = 64  # graphs within graphs; an honest file has a handful

# message -> {field: message}
_TREE: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}


def has_external_data(data: bytes) -> bool:
    """Return whether any tensor of an ONNX file keeps its values in another file.

    Raises:
        ValueError: it is no protobuf message.
    """
    return _external(memoryview(data), "model", 0)


def _external(data: memoryview, message: str, depth: int) -> bool:
    if depth > _DEEP:
        msg = "graphs within graphs without end"
        raise ValueError(msg)
    for number, value in _fields(data):
        if message == "tensor":
            if number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value):
                return True
            continue
        inner = _TREE[message].get(number)
        if inner and isinstance(value, memoryview) and _external(value, inner, depth + 1):
            return True
    return False


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield tag >> 3, value
            continue
        if kind == _BYTES:
            size, at = _varint(data, at)
        elif kind in (_I64, _I32):
            size = 8 if kind == _I64 else 4
        else:
            msg = f"no field has the type {kind}"
            raise ValueError(msg)
        if at + size > len(data):
            msg = "it ends in the middle of a field"
            raise ValueError(msg)
        yield tag >> 3, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    msg = "a number has no end"
    raise ValueError(msg)
