"""Shoppers who come and go, by a seed, as messages on a topic; and what the views must show after any of the messages.

Half of the shoppers are silent at a time. Some events come out of order, a few of them minutes late. What must be shown is
computed anew from all events so far, by the definitions (`online`) and the two times of a partition: its newest event and its
watermark.
"""

import json
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from . import online

LATENESS = timedelta(seconds=2)
MINUTE = timedelta(minutes=1)
Pattern = tuple[str | None, datetime | None, str | None]
NOTHING: Pattern = (None, None, None)


@dataclass(frozen=True)
class Message:
    """An event where it stands in the topic, and when it came."""

    partition: int
    arrives: datetime
    event: online.Event
    value: bytes
    # It was not older than the watermark.
    in_time: bool


@dataclass(frozen=True)
class Shown:
    """What the views show of a shopper."""

    pattern: Pattern
    mean: float | None
    top: str | None
    # By start: events, last event, seconds, whether it has ended.
    sessions: dict[datetime, tuple[int, datetime, float, bool]]


@dataclass
class Partition:
    """What has come in a partition so far."""

    newest: datetime | None = None
    count: int = 0
    # By shopper.
    of: dict[str, list[Message]] = field(default_factory=dict)

    def watermark(self) -> datetime:
        assert self.newest is not None
        return self.newest - LATENESS

    def take(self, message: Message) -> None:
        self.newest = max(filter(None, [self.newest, message.event.time]))
        self.count += 1
        self.of.setdefault(message.event.user, []).append(message)


def in_order(messages: list[Message]) -> list[online.Event]:
    return sorted((message.event for message in messages), key=lambda event: (event.time, event.place))


class Crowd:
    """Makes the messages and keeps them, in the order in which they come."""

    def __init__(self, seed: int, products: list[tuple[str, str, int]], partitions: int, first: datetime):
        self.random, self.products, self.count = random.Random(seed), products, partitions
        self.categories = {product: category for product, category, _ in products}
        self.users = [f"U{number:06}" for number in range(12 * partitions)]
        self.now = first
        self.messages: list[Message] = []
        self.partitions = {number: Partition() for number in range(partitions)}
        self.taken: set[tuple[str, datetime]] = set()
        # What `online.compared` says, by shopper and number of messages.
        self.same: dict[tuple[str, int], dict[str, object] | None] = {}

    def partition(self, user: str) -> int:
        return sum(user.encode()) % self.count

    def live(self, until: datetime) -> None:
        """They shop until then."""
        some, favourite = self.random, self.products[:3]
        active = some.sample(self.users, len(self.users) // 2)
        while self.now < until:
            self.now += timedelta(seconds=some.choice([0, 0.05, 1, 3, 9]))
            if some.random() < 0.02:
                active = some.sample(self.users, len(self.users) // 2)
                start = some.randrange(len(self.products) - 3)
                favourite = self.products[start : start + 3]
            kind = some.choices(["page_view", "add_to_cart", "purchase", "click", "search"], [60, 18, 3, 12, 7])[0]
            product = some.choice(favourite if some.random() < 0.8 else self.products)
            behind = some.choices([0, some.uniform(0, 1.9), some.uniform(2, 540)], [75, 20, 5])[0]
            self.happens(some.choice(active), kind, self.now - timedelta(seconds=behind), product)

    def happens(self, user: str, kind: str, time: datetime, product: tuple[str, str, int]) -> None:
        """Sends an event of that time now. No shopper does two things in one millisecond."""
        time = time.replace(microsecond=time.microsecond // 1000 * 1000)
        while (user, time) in self.taken:
            time -= timedelta(milliseconds=1)
        self.taken.add((user, time))
        number = self.partition(user)
        partition = self.partitions[number]
        body: dict[str, object] = {
            "event_id": f"{user}-{len(self.messages)}", "event_type": kind, "user_id": user, "session_id": "s",
            "timestamp": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"), "platform": "web",
            "device_type": "desktop",
        }  # fmt: skip
        name, _, price = product
        fields: dict[str, dict[str, object]] = {
            "page_view": {"page_url": "/", "page_type": "product", "product_id": name, "price": price},
            "click": {"page_url": "/", "element_id": "e", "element_type": "button"},
            "add_to_cart": {"product_id": name, "quantity": 1, "unit_price": price},
            "purchase": {"order_id": f"O{len(self.messages)}", "total_amount": price, "payment_method": "toss_pay"},
            "search": {"search_query": "q", "result_count": 1},
        }
        body |= fields[kind]
        event = online.Event(
            user=user, kind=kind, time=time, place=partition.count,
            product=name if "product_id" in body else None, price=Decimal(price) if "price" in body else None,
        )  # fmt: skip
        newest = max(filter(None, [partition.newest, time]))
        message = Message(number, max(self.now, time), event, json.dumps(body).encode(), time >= newest - LATENESS)
        partition.take(message)
        self.messages.append(message)

    def silence(self) -> datetime:
        """Afterwards nothing comes any more. Within seconds a cart's time runs out, a view leaves its window and sessions end;
        then nothing changes for four minutes. Returns the time at which to ask what is shown."""
        # Whatever was before has left every window by then.
        base = self.now + 31 * MINUTE
        for number in self.partitions:
            names = (f"S{each:06}" for each in range(1_000))
            names = (name for name in names if self.partition(name) == number)
            left, paid, later, looked, gone, last = (next(names) for _ in range(6))
            events = [
                (left, "add_to_cart", 0), (paid, "add_to_cart", 0), (gone, "click", 0.2), (looked, "page_view", 0.8),
                (later, "add_to_cart", 300), (paid, "purchase", 599), (last, "page_view", 600.5),
            ]  # fmt: skip
            for user, kind, seconds in events:
                self.now = base + timedelta(seconds=seconds)
                self.happens(user, kind, self.now, self.products[0])
        return base + 11 * MINUTE

    def after(self, count: int) -> dict[int, Partition]:
        """What had come with so many messages."""
        partitions = {number: Partition() for number in self.partitions}
        for message in self.messages[:count]:
            partitions[message.partition].take(message)
        return partitions

    def shown(self, count: int, now: datetime | None = None) -> dict[str, Shown]:
        """What must be shown after so many messages; `now`: it is that time although nothing came."""
        found = {}
        for partition in self.after(count).values():
            if partition.newest is None:
                continue
            newest, watermark = (now, now) if now else (partition.newest, partition.watermark())
            for user, messages in partition.of.items():
                found[user] = self.row(messages, newest, watermark)
        return found

    def row(self, messages: list[Message], newest: datetime, watermark: datetime) -> Shown:
        events = in_order(messages)
        sessions = {
            start: (row["event_count"], last, row["duration_seconds"], watermark > last + 10 * MINUTE)
            for start, row in online.sessions(events).items()
            for last in [row["last_event_at"]]
        }
        return Shown(
            self.pattern(messages, watermark),
            online.mean_price(online.within(events, newest - 10 * MINUTE, newest)),
            online.top_category(online.within(events, newest - 30 * MINUTE, newest), self.categories),
            sessions,
        )

    def pattern(self, messages: list[Message], watermark: datetime) -> Pattern:
        left = online.abandoned(in_order(messages), watermark)
        if left:
            return "cart_abandonment_risk", left["pattern_at"], left["pattern_detail"]
        known = (messages[0].event.user, len(messages))
        if known not in self.same:
            self.same[known] = online.compared([message.event for message in messages if message.in_time], self.categories)
        same = self.same[known]
        return ("product_comparison", same["pattern_at"], same["pattern_detail"]) if same else NOTHING

    def waiting(self, count: int) -> int:
        """Shoppers whose cart's time runs after so many messages."""
        waiting = 0
        for partition in self.after(count).values():
            for messages in partition.of.values():
                events = in_order(messages)
                paid = max((event.time for event in events if event.kind == "purchase"), default=None)
                carts = [event.time for event in events if event.kind == "add_to_cart" and (paid is None or event.time > paid)]
                waiting += bool(carts) and min(carts) + 10 * MINUTE >= partition.watermark()
        return waiting

    def story(self, now: datetime) -> dict[str, list[Pattern]]:
        """Of each shopper every pattern that was there or gone, one after the other, as messages came and then it was `now`."""
        partitions = {number: Partition() for number in self.partitions}
        told: dict[str, list[Pattern]] = {}

        def tell(partition: Partition, watermark: datetime) -> None:
            for user, messages in partition.of.items():
                chapter, pattern = told.setdefault(user, [NOTHING]), self.pattern(messages, watermark)
                if pattern != chapter[-1]:
                    chapter.append(pattern)

        for message in self.messages:
            partition = partitions[message.partition]
            partition.take(message)
            tell(partition, partition.watermark())
        for partition in partitions.values():
            tell(partition, now)
        return told
