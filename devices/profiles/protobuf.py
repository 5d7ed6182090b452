"""Protocol Buffers' wire format, as far as an ONNX file needs it: fields by number, no schema.

https://protobuf.dev/programming-guides/encoding. It stands in for the onnx package, which measuring
does without, and leaves the weights untouched.
"""

from __future__ import annotations

from collections.abc import Iterator

from edgezoo.devices.profiles.nodes import UnreadableFileError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_WIDTHS = {FIXED64: 8, FIXED32: 4}
Field = int | memoryview


def fields(message: memoryview) -> Iterator[tuple[int, Field]]:
    """Yield (number, value) of a message in its order; raises ``UnreadableFileError``.

    Texts, messages and packed numbers are bytes, numbers of fixed width too.
    """
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, place = _varint(message, place)
            yield number, value
            continue
        if kind == BYTES:
            width, place = _varint(message, place)
        elif kind in _WIDTHS:
            width = _WIDTHS[kind]
        else:
            raise UnreadableFileError(f"it is no protocol buffer (wire type {kind})")
        if place + width > len(message):
            raise UnreadableFileError("it is cut")
        yield number, message[place : place + width]
        place += width


def integers(value: Field) -> Iterator[int]:
    """Yield the numbers of a repeated field, which is packed or one number."""
    if isinstance(value, int):
        yield value
        return
    place = 0
    while place < len(value):
        number, place = _varint(value, place)
        yield number


def text(value: Field) -> str:
    """Return a field as text."""
    return "" if isinstance(value, int) else bytes(value).decode(errors="replace")


def messages(message: memoryview, number: int) -> Iterator[memoryview]:
    """Yield every field ``number`` that holds bytes."""
    for found, value in fields(message):
        if found == number and isinstance(value, memoryview):
            yield value


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if place == len(data):
            raise UnreadableFileError("it is cut")
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, place
    raise UnreadableFileError("it is no protocol buffer (a number without end)")
