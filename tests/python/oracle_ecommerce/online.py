"""What the feature views of the domain must show, from the events alone, by the definitions in the domain's rules.

Nothing here is incremental: every value is computed from all events of a shopper up to a moment.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Event:
    """An event as the views see it; `place` orders those of one time by their arrival."""

    user: str
    kind: str
    time: datetime
    place: int
    product: str | None
    price: Decimal | None


Events = dict[str, list[Event]]


def by_user(events: list[Event]) -> Events:
    found: Events = defaultdict(list)
    for event in sorted(events, key=lambda event: (event.time, event.place)):
        found[event.user].append(event)
    return found


def within(events: list[Event], after: datetime, until: datetime) -> list[Event]:
    """Those of `(after, until]`."""
    return [event for event in events if after < event.time <= until]


def mean_price(events: list[Event]) -> float | None:
    prices = [event.price for event in events if event.kind == "page_view" and event.price is not None]
    return float(sum(prices) / len(prices)) if prices else None


def hour(events: list[Event], end: datetime) -> dict[str, object]:
    """The window `[end - 1 h, end)`."""
    counted = [event for event in events if end - 60 * MINUTE <= event.time < end]
    kinds = Counter(event.kind for event in counted)
    return {
        "view_count_1h": kinds["page_view"],
        "cart_count_1h": kinds["add_to_cart"],
        "purchase_count_1h": kinds["purchase"],
        "avg_viewed_price_1h": mean_price(counted) or 0.0,
    }


def top_category(events: list[Event], categories: dict[str, str]) -> str | None:
    """The most frequent; of two, that of the latest event."""
    named = [(categories[event.product], event.time, event.place) for event in events if event.product in categories]
    counts = Counter(category for category, *_ in named)
    latest = {category: (time, place) for category, time, place in sorted(named, key=lambda one: one[1:])}
    return max(counts, key=lambda category: (counts[category], latest[category]), default=None)


def recent_products(events: list[Event]) -> list[str]:
    products = [event.product for event in events[-50:] if event.product is not None]
    return list(reversed(list(dict.fromkeys(reversed(products)))))


def sessions(events: list[Event]) -> dict[datetime, dict[str, object]]:
    """By their start: no two events of a session are more than ten minutes apart."""
    parts: list[list[Event]] = []
    for event in events:
        if not parts or event.time - parts[-1][-1].time > 10 * MINUTE:
            parts.append([])
        parts[-1].append(event)
    return {
        part[0].time: {
            "event_count": len(part),
            "last_event_at": part[-1].time,
            "duration_seconds": (part[-1].time - part[0].time).total_seconds(),
        }
        for part in parts
    }


def abandoned(events: list[Event], now: datetime) -> dict[str, object] | None:
    """A cart without a purchase at its time or later, for more than ten minutes: since when, and its product (of the oldest)."""
    paid = max((event.time for event in events if event.kind == "purchase"), default=None)
    carts = [event for event in events if event.kind == "add_to_cart" and (paid is None or event.time > paid)]
    if not carts or carts[0].time + 10 * MINUTE >= now:
        return None
    oldest = [event.product for event in carts if event.time == carts[0].time and event.product is not None]
    return {"pattern_at": carts[0].time + 10 * MINUTE, "pattern_detail": min(oldest, default=None)}


def compared(events: list[Event], categories: dict[str, str]) -> dict[str, object] | None:
    """The newest cart event that completes a comparison: three views or more of products of one category, no view of another
    between, and then, at most half an hour after the newest view so far, two of those products in the cart. A run does so
    once."""
    ordered = sorted(events, key=lambda event: (event.time, event.place))
    runs: list[tuple[str | None, list[int]]] = []
    for place, event in enumerate(ordered):
        if event.kind == "page_view" and event.product is not None:
            category = categories.get(event.product)
            if not runs or runs[-1][0] != category:
                runs.append((category, []))
            runs[-1][1].append(place)
    found: tuple[int, str] | None = None
    for category, views in runs:
        in_cart: set[str] = set()
        for place, event in enumerate(ordered):
            before = [ordered[view] for view in views if view < place]
            if category is None or event.kind != "add_to_cart" or len(before) < 3 or event.time > before[-1].time + 30 * MINUTE:
                continue
            in_cart |= {view.product for view in before if view.product == event.product}
            if len(in_cart) >= 2:
                found = max(found or (place, category), (place, category), key=lambda one: one[0])
                break
    return found and {"pattern_at": ordered[found[0]].time, "pattern_detail": found[1]}
