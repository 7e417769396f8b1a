"""The seven checks of the e-commerce domain, counted in plain Python from the messages of a date."""

from collections import defaultdict
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from oracle_ecommerce.structure import REQUIRED, TYPES, Message

NAMES = ["required_fields", "duplicate_event_id", "ranges", "funnel_order", "timestamp", "order_sum", "platform_device"]
COMMON = ("event_id", "user_id", "session_id")


def seven(messages: list[Message], day: date) -> dict[str, tuple[int, int, Decimal]]:
    """Total, failed and percentage of every check. Refused messages belong to the date on which they were sent."""
    events = [one for one in messages if not one.problems and one.time.date() == day]
    refused = [one for one in messages if one.problems and one.sent.date() == day]
    total = len(events) + len(refused)
    purchases = [one for one in events if one.event_type == "purchase"]
    sessions = by_session(events)
    counts = [
        (total, required_fields(events, refused)),
        (total, duplicates(events)),
        (total, ranges(events, refused)),
        (len(sessions), funnel_order(sessions)),
        (total, timestamps(events, refused)),
        (len(purchases), order_sums(purchases)),
        (total, platforms(events, sessions)),
    ]
    return {name: (total, failed, percentage(total, failed)) for name, (total, failed) in zip(NAMES, counts, strict=True)}


def percentage(total: int, failed: int) -> Decimal:
    return ((1 - Decimal(failed) / max(total, 1)) * 100).quantize(Decimal("0.01"), ROUND_HALF_UP)


def value(event: Message, name: str) -> object:
    """A column of an event, from where its dialect has it."""
    if event.dialect == "nested":
        places = {
            "page_url": lambda body: (body["context"].get("page") or {}).get("url"),
            "page_type": lambda body: "product" if is_product(event) else None,
            "device_type": lambda body: (body["context"].get("device") or {}).get("type"),
        }
        if name in places:
            return places[name](event.body)
        if name in ("event_id", "user_id", "session_id", "platform"):
            return event.body.get(name)
        return (event.body.get("properties") or {}).get(name)
    if name == "page_type" and event.dialect == "short":
        return "product" if is_product(event) else None
    return event.body.get(name)


def is_product(event: Message) -> bool:
    fields = event.body.get("properties") or {} if event.dialect == "nested" else event.body
    named = fields.get("product_id") is not None or fields.get("price") is not None
    return event.event_type == "page_view" and named


def by_session(events: list[Message]) -> dict[str, list[Message]]:
    """The events of each session in the order of arrival; a user's messages are in one partition."""
    sessions = defaultdict(list)
    for event in sorted(events, key=lambda event: (event.partition, event.offset)):
        if session := value(event, "session_id"):
            sessions[session].append(event)
    return sessions


def required_fields(events: list[Message], refused: list[Message]) -> int:
    failed = 0
    for event in events:
        failed += sum(value(event, name) in (None, "") for name in COMMON)
        failed += sum(value(event, name) is None for name in REQUIRED[event.event_type])
    for message in refused:
        for name, what in message.problems:
            # An unknown type is check 3's, and a time that is there but cannot be read is check 5's.
            failed += what != "unknown type" and (name != "event_time" or what == "missing")
    return failed


def duplicates(events: list[Message]) -> int:
    ids = [value(event, "event_id") for event in events]
    known = [one for one in ids if one]
    return len(known) - len(set(known))


def ranges(events: list[Message], refused: list[Message]) -> int:
    failed = sum(what == "unknown type" for message in refused for _, what in message.problems)
    for event in events:
        quantity, price = value(event, "quantity"), value(event, "unit_price")
        amount, results = value(event, "total_amount"), value(event, "result_count")
        failed += quantity is not None and not 1 <= quantity <= 99
        failed += price is not None and not 0 < price <= 10_000_000
        failed += amount is not None and not 0 < amount <= 100_000_000
        failed += results is not None and results < 0
        failed += event.event_type not in TYPES
    return failed


def funnel_order(sessions: dict[str, list[Message]]) -> int:
    failed = 0
    for events in sessions.values():
        types = [event.event_type for event in sorted(events, key=lambda event: event.time)]
        failed += "purchase" in types and "add_to_cart" not in types
        if "add_to_cart" in types:
            before = types[: types.index("add_to_cart")]
            failed += "page_view" not in before and "click" not in before
    return failed


def timestamps(events: list[Message], refused: list[Message]) -> int:
    failed = sum(not 2020 <= event.time.year <= 2030 for event in events)
    return failed + sum(name == "event_time" for message in refused for name, _ in message.problems)


def order_sums(purchases: list[Message]) -> int:
    failed = 0
    for purchase in purchases:
        if not purchase.given:
            continue
        details = purchase.details
        if details is None or "products" not in details:
            failed += 1
            continue
        lines = sum(line["unit_price"] * line["quantity"] for line in details["products"])
        expected = lines - (details.get("discount_amount") or 0) + (details.get("shipping_fee") or 0)
        failed += abs(value(purchase, "total_amount") - expected) > 1
    return failed


def platforms(events: list[Message], sessions: dict[str, list[Message]]) -> int:
    failed = 0
    for event in events:
        platform, device = value(event, "platform"), value(event, "device_type")
        failed += platform in ("ios", "android") and device != "mobile"
        failed += platform == "web" and device not in ("desktop", "mobile", "tablet")
    for own in sessions.values():
        known = [value(event, "platform") for event in own if value(event, "platform") is not None]
        failed += sum(platform != known[0] for platform in known)
    return failed
