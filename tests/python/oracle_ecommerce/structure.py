"""Which messages are events: the structural rules of the domain (types, required fields, identity, a time that can be read).

What is no event has a list of problems, one for each field that is at fault.
"""

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

TYPES = ("page_view", "click", "add_to_cart", "purchase", "search")
WORDS = {"view": "page_view", "cart": "add_to_cart"}
# Required fields of a type, and what they hold.
REQUIRED = {
    "page_view": {"page_url": str, "page_type": str},
    "click": {"page_url": str, "element_id": str, "element_type": str},
    "add_to_cart": {"product_id": (str, int), "quantity": int, "unit_price": (int, Decimal)},
    "purchase": {"order_id": (str, int), "total_amount": (int, Decimal), "payment_method": str},
    "search": {"search_query": str, "result_count": int},
}
TEXT = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d+))?(Z?)")


@dataclass
class Message:
    """A message that is a JSON object: an event, or problems."""

    partition: int
    offset: int
    sent: datetime
    dialect: str = ""
    body: dict = field(default_factory=dict)
    event_type: str | None = None
    time: datetime | None = None
    # The order's details, None where there are none to read; given says whether something stands there.
    details: dict | None = None
    given: bool = False
    # Column and what is wrong: missing, type, unknown type, time.
    problems: list[tuple[str, str]] = field(default_factory=list)


def read(partition: int, offset: int, time_ms: int, value: bytes) -> Message | None:
    """The message; None when it is no JSON object."""
    try:
        body = json.loads(value.decode("utf-8"), parse_float=Decimal)
    except ValueError:
        return None
    if not isinstance(body, dict):
        return None
    sent = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)
    message = Message(partition, offset, sent, body=body)
    if isinstance(body.get("context"), dict):
        message.dialect = "nested"
    elif "event_time" in body and "timestamp" not in body:
        message.dialect = "short"
    else:
        message.dialect = "flat"
    identity(message)
    if message.dialect == "flat":
        flat(message)
    if message.event_type == "purchase":
        read_details(message)
    return message


def identity(message: Message) -> None:
    body, short = message.body, message.dialect == "short"
    time_name = "event_time" if short else "timestamp"
    names = ["event_type", "user_id"] if short else ["event_id", "event_type", "user_id", "session_id"]
    for name in names:
        value = body.get(name)
        if value in (None, ""):
            message.problems.append((name, "missing"))
        elif not isinstance(value, str):
            message.problems.append((name, "type"))
    word = body.get("event_type")
    if isinstance(word, str) and word:
        known = WORDS.get(word, word) if message.dialect != "flat" else word
        if known in TYPES:
            message.event_type = known
        else:
            message.problems.append(("event_type", "unknown type"))
    moment = body.get(time_name)
    if moment is None:
        message.problems.append(("event_time", "missing"))
        return
    message.time = parsed(moment)
    if message.time is None:
        message.problems.append(("event_time", "time"))


def parsed(moment: object) -> datetime | None:
    if isinstance(moment, int) and not isinstance(moment, bool):
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=moment)
    found = TEXT.fullmatch(moment) if isinstance(moment, str) else None
    if not found:
        return None
    day, clock, fraction, _ = found.groups()
    millis = int(((fraction or "") + "000")[:3])
    return datetime.fromisoformat(f"{day}T{clock}+00:00") + timedelta(milliseconds=millis)


def flat(message: Message) -> None:
    required = {"platform": str, "device_type": str} | REQUIRED.get(message.event_type or "", {})
    for name, kind in required.items():
        value = message.body.get(name)
        if value is None:
            message.problems.append((name, "missing"))
        elif isinstance(value, bool) or not isinstance(value, kind):
            message.problems.append((name, "type"))
    # A field that the type does not ask for is judged where it stands.
    for name in ("quantity", "result_count"):
        value = message.body.get(name)
        if name not in required and value is not None and not isinstance(value, int):
            message.problems.append((name, "type"))


def read_details(message: Message) -> None:
    if message.dialect == "nested":
        message.details = message.body.get("properties") or {}
        return
    extra = message.body.get("extra_data")
    message.given = extra is not None
    if isinstance(extra, str):
        try:
            extra = json.loads(extra, parse_float=Decimal)
        except ValueError:
            extra = None
    message.details = extra if isinstance(extra, dict) else None
