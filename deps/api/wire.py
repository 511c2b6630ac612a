"""The protobuf wire format, as far as descriptors need it: a message is a list of (number, wire type, value)."""

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def parse(data):
    """The fields of one message in order; the value is an int for VARINT, else the bytes."""
    fields = []
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        kind = key & 7
        if kind == VARINT:
            value, at = read_varint(data, at)
        elif kind == BYTES:
            size, at = read_varint(data, at)
            value, at = data[at : at + size], at + size
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
            value, at = data[at : at + size], at + size
        else:
            raise ValueError(f"wire type {kind} in a descriptor")
        fields.append((key >> 3, kind, value))
    return fields


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def serialize(fields):
    out = bytearray()
    for number, kind, value in fields:
        out += varint(number << 3 | kind)
        if kind == VARINT:
            out += varint(value)
        elif kind == BYTES:
            out += varint(len(value)) + value
        else:
            out += value
    return bytes(out)


def first(fields, number, default=None):
    return next((value for n, _, value in fields if n == number), default)


def every(fields, number):
    return [value for n, _, value in fields if n == number]
