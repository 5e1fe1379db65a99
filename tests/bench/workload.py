"""What is sent and how weir is set up, the same in every scenario."""

import json

# The server as it comes, and as it is fastest for a single busy core; nginx gets as many workers as weir has loops.
DEFAULT = "default"
INLINE = "1 thread, inline"
CONFIGURATIONS = {
    DEFAULT: [],
    INLINE: ["server.threads=1", "storage.commit=inline"],
}
SCHEMA = [
    {"name": "OrderId", "type": "string", "optional": False},
    {"name": "Quantity", "type": "integer", "optional": False},
    {"name": "Price", "type": "number", "optional": False},
    {"name": "Express", "type": "boolean", "optional": True},
    {"name": "PlacedAt", "type": "date_time", "optional": True},
]
MESSAGE_BYTES = 200
PAGE_MESSAGES = 50
BATCH_MESSAGES = 100


def message(size=MESSAGE_BYTES, order="A"):
    """A message of `size` bytes that complies with SCHEMA; `order` begins its first field."""
    fields = {"Quantity": 3, "Price": 129.5, "Express": True, "PlacedAt": "2026-03-02T08:15:30.042+00:00"}
    empty = json.dumps({"OrderId": "", **fields}, separators=(",", ":"))
    return json.dumps({"OrderId": order.ljust(size - len(empty), "A"), **fields}, separators=(",", ":"))


def batch(size=MESSAGE_BYTES):
    return '{"payloads":[' + ",".join([message(size)] * BATCH_MESSAGES) + "]}"
