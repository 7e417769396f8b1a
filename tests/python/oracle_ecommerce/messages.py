"""Days of shopping as messages on a topic, by a seed: what the e-commerce tests send. Independent of the simulator.

A clean week has all dialects, sessions over midnight, carts that are abandoned, orders with several lines and without details.
A damaged one has, on top, everything that the checks look for, messages that are no events, and bytes that are no JSON.
"""

import json
import random
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

PRODUCTS = [(f"P{number:03}", f"C{number % 7}", 500 + 1_370 * number % 90_000) for number in range(40)]
DEVICES = [("web", "desktop"), ("web", "mobile"), ("web", "tablet"), ("ios", "mobile"), ("android", "mobile")]
METHODS = ["credit_card", "bank_transfer", "kakao_pay", "naver_pay", "toss_pay"]
PARTITIONS = 2


@dataclass(frozen=True)
class Sent:
    """A message and where it stands."""

    partition: int
    offset: int
    time_ms: int
    key: bytes
    value: bytes


@dataclass
class _Pending:
    """A message before it has a place: when it is sent, and by whom."""

    at: datetime
    user: str
    value: bytes


class Shop:
    """Makes the messages."""

    def __init__(self, seed: int, damaged: bool, users: int = 60):
        self.random = random.Random(seed)
        self.damaged = damaged
        self.users = [(f"U{number:06}", *self.random.choice(DEVICES)) for number in range(users)]
        self.pending: list[_Pending] = []

    def chance(self, rate: float) -> bool:
        return self.random.random() < rate

    def days(self, first: datetime, count: int) -> list[Sent]:
        for day in range(count):
            for user in self.users:
                for _ in range(self.random.choice([0, 1, 1, 2])):
                    # Some sessions begin shortly before midnight.
                    minute = self.random.choice([self.random.uniform(0, 1439), self.random.uniform(1425, 1439)])
                    self.session(user, first + timedelta(days=day, minutes=minute))
        if self.damaged:
            self.garbage(first, count)
        return self.placed()

    def placed(self) -> list[Sent]:
        """In the order of sending, each at the end of its user's partition."""
        ends = [0] * PARTITIONS
        sent = []
        for one in sorted(self.pending, key=lambda one: one.at):
            partition = sum(one.user.encode()) % PARTITIONS
            sent.append(Sent(partition, ends[partition], int(one.at.timestamp() * 1000), one.user.encode(), one.value))
            ends[partition] += 1
        return sent

    def session(self, user: tuple[str, str, str], start: datetime) -> None:
        name, platform, device = user
        session, now = f"s-{uuid.UUID(int=self.random.getrandbits(128))}", start
        dialect = self.random.choices(["flat", "nested", "short"], [80, 15, 5] if self.damaged else [84, 15.5, 0.5])[0]
        campaign = self.random.choice([None, ("google", "spring"), ("naver", "sale")])
        weather = self.random.choice(["sunny", "rain", None])
        cart = []

        def emit(kind: str, **fields: object) -> None:
            nonlocal now
            now += timedelta(milliseconds=self.random.randint(400, 90_000))
            self.send(dialect, kind, (name, session, now, platform, device, campaign, weather), fields)

        if self.damaged and self.chance(0.03):
            emit("purchase", **self.order([(*PRODUCTS[0], 1)]))
        if self.damaged and self.chance(0.04):
            emit("add_to_cart", product_id="P001", quantity=1, unit_price=900)
        for _ in range(self.random.randint(1, 7)):
            product, category, price = self.random.choice(PRODUCTS)
            emit("page_view", page_url=f"https://shop.example/p/{product}", page_type="product", product_id=product, price=price)
            if not self.chance(0.5):
                continue
            emit("click", page_url="https://shop.example/", element_id="e1", element_type="product_card", product_id=product,
                 category_id=category, position=self.random.randint(0, 20))  # fmt: skip
            if self.chance(0.3):
                emit("search", search_query="a \"quoted\" search é", result_count=self.random.choice([0, 12]), page_number=1)
            if self.chance(0.5):
                quantity = self.random.randint(1, 5)
                emit("add_to_cart", product_id=product, quantity=quantity, unit_price=price, category_id=category)
                cart.append((product, category, price, quantity))
        if cart and self.chance(0.6):
            emit("purchase", **self.order(cart))

    def order(self, cart: list[tuple[str, str, int, int]]) -> dict[str, object]:
        lines = [{"product_id": product, "quantity": count, "unit_price": price} for product, _, price, count in cart]
        discount, shipping = self.random.choice([(0, 0), (100.5, 3000), (None, 2500)])
        total = sum(price * count for _, _, price, count in cart) - (discount or 0) + shipping
        details = {"products": lines, "shipping_fee": shipping}
        if discount is not None:
            details |= {"discount_amount": discount, "coupon_code": "WELCOME"}
        order_id, method = f"O{self.random.getrandbits(48):012x}", self.random.choice(METHODS)
        order = {"order_id": order_id, "total_amount": total, "payment_method": method}
        if self.chance(0.1):
            return order
        return order | {"details": details}

    def send(self, dialect: str, kind: str, who: tuple, fields: dict[str, object]) -> None:
        """Writes one event in its dialect and sends it, perhaps damaged, perhaps twice."""
        name, session, now, platform, device, campaign, weather = who
        event = getattr(self, dialect)(kind, who, dict(fields))
        if event is None:
            return
        if self.damaged:
            self.break_event(dialect, event)
        value = json.dumps(event, ensure_ascii=False).encode()
        self.pending.append(_Pending(now + timedelta(milliseconds=self.random.randint(1, 900)), name, value))
        if self.chance(0.03 if self.damaged else 0.001):
            again = now + timedelta(seconds=self.random.randint(1, 1800))
            self.pending.append(_Pending(again, name, value))

    def flat(self, kind: str, who: tuple, fields: dict[str, object]) -> dict[str, object]:
        name, session, now, platform, device, *_ = who
        details = fields.pop("details", None)
        if details is not None:
            fields["extra_data"] = details if self.chance(0.3) else json.dumps(details)
        if kind == "page_view":
            del fields["product_id"], fields["price"]
        moment = now.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + self.random.choice(["", "Z"])
        event = {"event_id": self.id(), "event_type": kind, "user_id": name, "session_id": session, "timestamp": moment,
                 "platform": platform, "device_type": device}  # fmt: skip
        return event | fields

    def nested(self, kind: str, who: tuple, fields: dict[str, object]) -> dict[str, object]:
        name, session, now, _, device, campaign, weather = who
        page = {"url": fields.pop("page_url", "https://shop.example/"), "referrer": None}
        fields.pop("page_type", None)
        details = fields.pop("details", None)
        context = {"page": page, "device": {"type": device}}
        if details is not None:
            fields |= details
        # A session's campaign and weather are those of the first event that says them, so later ones differ now and then.
        second = int(now.timestamp())
        if second % 7 == 0:
            campaign = ("later", "autumn")
        if second % 5 == 0:
            weather = None if weather else "snow"
        if campaign:
            context["campaign"] = {"utm_source": campaign[0], "utm_campaign": campaign[1]}
        if weather:
            context["weather"] = {"status": weather, "temperature": 11.5}
        return {"event_id": self.id(), "event_type": kind, "user_id": name, "session_id": session,
                "timestamp": int(now.timestamp() * 1000), "context": context, "properties": fields}  # fmt: skip

    def short(self, kind: str, who: tuple, fields: dict[str, object]) -> dict[str, object] | None:
        name, _, now, *_ = who
        word = {"page_view": "view", "add_to_cart": "cart", "purchase": "purchase"}.get(kind)
        if word is None:
            return None
        price = fields.get("price") or fields.get("unit_price") or fields.get("total_amount")
        return {"event_time": now.strftime("%Y-%m-%d %H:%M:%S"), "event_type": word, "user_id": name, "price": price}

    def id(self) -> str:
        return str(uuid.UUID(int=self.random.getrandbits(128)))

    def break_event(self, dialect: str, event: dict[str, object]) -> None:
        """One flat event in ten is wrong, and one purchase in three, in one of the ways that it can be."""
        if dialect != "flat" or not self.chance(0.3 if event["event_type"] == "purchase" else 0.1):
            return
        possible = [kind for kind in BREAKS if event.keys() & kind.keys() or not kind.keys() <= ONLY_WHERE_PRESENT]
        for name, values in self.random.choice(possible).items():
            if name not in event and name in ONLY_WHERE_PRESENT:
                continue
            value = self.random.choice(values)
            if value is ABSENT:
                event.pop(name, None)
            elif callable(value):
                event[name] = value(event[name])
            else:
                event[name] = value

    def garbage(self, first: datetime, count: int) -> None:
        lines = [b"", b"no json", b'{"event_id": ', b'["an", "array"]', b'"text"', b"\xff\xfe{}", b"null"]
        lines += [b"{}", b'{"event_type": "click"}']
        for line in lines * count:
            at = first + timedelta(seconds=self.random.randint(0, count * 86_400 - 1))
            self.pending.append(_Pending(at, f"U{self.random.randint(0, 9):06}", line))


ABSENT = object()
# What is wrong with a flat event: fields and what is written there.
BREAKS: list[dict[str, list[object]]] = [
    {"event_id": [ABSENT, None, ""]},
    {"session_id": [ABSENT, None, ""]},
    {"user_id": [ABSENT, None, ""], "platform": [ABSENT]},
    {"timestamp": [ABSENT, None, "yesterday", True]},
    {"event_type": ["teleport", "VIEW"]},
    {"event_type": [ABSENT, None]},
    {"quantity": [0, 1, 99, 100, -3, "two", None]},
    {"unit_price": [0, -5, 10_000_001, 10_000_000]},
    {"total_amount": [0, 100_000_001, 17, None, ABSENT]},
    # A total may be off by 1, not by more.
    {"total_amount": [lambda total: total + 1, lambda total: total - 1, lambda total: total + 1.5, lambda total: total - 2]},
    {"result_count": [-1, ABSENT]},
    {"platform": ["ios", "android", "web", "tv"]},
    {"device_type": ["tablet", "desktop", "toaster"]},
    {"extra_data": ["{broken", "not json", '{"products": []}', "[]"]},
    {"order_id": ["O-same"]},
    {"page_url": [ABSENT, None], "element_id": [ABSENT]},
    {"search_query": [None]},
    {"product_id": [17, None]},
]
ONLY_WHERE_PRESENT = {
    "quantity", "unit_price", "total_amount", "result_count", "extra_data", "order_id", "page_url", "element_id", "search_query",
    "product_id",
}  # fmt: skip


def week(seed: int, damaged: bool, first: str = "2026-11-02", count: int = 7) -> list[Sent]:
    """The messages of so many days from the first on, in the order of sending."""
    return Shop(seed, damaged).days(datetime.fromisoformat(first).replace(tzinfo=UTC), count)
