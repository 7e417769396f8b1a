"""Messages of a contract, good and bad, each with the answer of an independent JSON Schema validator.

    python contract_messages.py models/NAME/contract.json --count 20000 --seed 1

Prints one line per message: `good` or `bad`, a tab, the message. The messages are drawn from the schema alone: one of its
dialects, each property as its type says, and then up to three changes (a field that is gone, null, empty, of another type, at the
edge of its range, of another dialect; an unknown event type; a time that is none). The validator is `jsonschema`, with the one
format that is ours written here once more: `x-time` is the `pattern` beside it, and the name of a zone that exists. What the
contract says in `x-` keywords alone (`x-limits`) is no part of the answer.
"""

import argparse
import copy
import json
import random
import re
import sys
import zoneinfo
from pathlib import Path

from jsonschema import Draft7Validator, FormatChecker

ZONES = zoneinfo.available_timezones()
FORMATS = FormatChecker(formats=())
TIMES = [
    "2026-11-01T12:00:00Z",
    "2026-11-01 12:00:00",
    "2026-11-01T12:00:00.123456+09:00",
    "2026-11-01 12:00:00 UTC",
    "1793534400000",
    "2026-11-01 12:00:00 Asia/Seoul",
    "2026-11-01 12:00:00,5 -0330",
    "2024-02-29T00:00:00z",
    "2026-11-01 12:00:00 America/New_York",
]
NO_TIMES = [
    "",
    "soon",
    "2026-11-01",
    "2026-02-29T00:00:00Z",
    "2026-11-01 25:00:00",
    "2026-11-01 12:00:00 Mars/Base",
    "2026-13-01T00:00:00Z",
    "2026-11-01T12:00",
    "2026-11-01 12:00:00 ",
    "12345678901234567890",
    "2026-11-01 12:00:00Zoulou",
    "2100-02-29 00:00:00",
]
TEXTS = ["a", "é", 'a "quoted" \\ text', "0", "x" * 40, " ", "🛒", "/p/1?q=2"]
OTHERS = [None, "", "text", 0, -1, 1.5, 2.0, 1e30, -1e30, True, False, [], {}, [1], [{}], {"a": 1}, 2**63, -(2**63), 2**63 - 1]


@FORMATS.checks("x-time")
def is_time(value: object) -> bool:
    """Of the name behind a time; what stands before it is the pattern's business."""
    if not isinstance(value, str):
        return True
    name = re.search(r" ([A-Za-z][A-Za-z0-9_+/-]*)$", value)
    return name is None or name[1] in ZONES or name[1].upper() == "Z"


class Messages:
    def __init__(self, schema: dict, seed: int) -> None:
        self.schema = schema
        self.random = random.Random(seed)
        self.validator = Draft7Validator(schema, format_checker=FORMATS)
        self.dialects = list(schema.get("definitions", {"": {}}).values())

    def one(self) -> tuple[bool, str]:
        """A message and whether the validator accepts it."""
        draw = self.random
        dialect = draw.choice(self.dialects)
        event = self.object(
            {
                "properties": {**self.schema.get("properties", {}), **dialect.get("properties", {})},
                "required": [*self.schema.get("required", []), *dialect.get("required", [])],
            }
        )
        for _ in range(draw.choice([0, 0, 1, 1, 2, 3])):
            self.change(event)
        if draw.random() < 0.02:
            event = self.other()
        text = json.dumps(event, ensure_ascii=draw.random() < 0.3, separators=draw.choice([(",", ":"), (", ", ": ")]))
        return self.validator.is_valid(json.loads(text)), text

    def object(self, schema: dict) -> dict:
        draw = self.random
        given = {}
        sparse = draw.random() < 0.5
        for name, property in schema["properties"].items():
            if name in schema.get("required", []) or draw.random() < (0.3 if sparse else 0.95):
                given[name] = self.value(property)
        names = list(given)
        if draw.random() < 0.2:
            draw.shuffle(names)
        return {name: given[name] for name in names}

    def value(self, schema: dict) -> object:
        draw = self.random
        if "enum" in schema:
            return draw.choice(schema["enum"])
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        kind = draw.choice([kind for kind in types if kind != "null"] if draw.random() < 0.95 else types)
        if schema.get("format") == "x-time":
            return draw.choice(TIMES) if kind == "string" else draw.choice([1793534400000, 1793534400000.0, 1e12])
        if "x-json" in schema:
            inside = {
                "discount_amount": self.amount(),
                "products": [self.product() for _ in range(draw.randrange(3))],
                "coupon_code": draw.choice(TEXTS),
            }
            inside[draw.choice(list(inside))] = self.other()
            return inside if kind == "object" else draw.choice([json.dumps(inside), "{", "", draw.choice(TEXTS)])
        if "x-pairs" in schema and kind == "array":
            return [self.pair(schema["x-pairs"]) for _ in range(draw.randrange(5))]
        return {
            "null": lambda: None,
            "string": lambda: draw.choice(TEXTS),
            "integer": lambda: draw.choice([0, 1, -3, 99, 5.0, 10**6, 2**53]),
            "number": self.amount,
            "boolean": lambda: draw.random() < 0.5,
            "array": lambda: [self.object(schema["items"]) for _ in range(draw.randrange(3))],
            "object": lambda: self.object(schema) if "properties" in schema else {},
        }[kind]()

    def other(self) -> object:
        return copy.deepcopy(self.random.choice(OTHERS))

    def amount(self) -> float:
        return self.random.choice([0, 1, 12000, 99.99, 0.001, -5, 1e3, 1e-7])

    def product(self) -> dict:
        return {"product_id": self.random.choice(["P1", 7]), "quantity": 2, "unit_price": self.amount()}

    def pair(self, pairs: dict) -> object:
        """An item of a list of keys and values; what stands in it is never a reason to refuse a message."""
        draw = self.random
        item: dict = {}
        key = draw.choice([*pairs["columns"], *(column.get("of", "") for column in pairs["columns"].values())])
        values = [draw.choice(TEXTS + TIMES), draw.choice(["12", "-0.5", "007", 41, 2.5]), self.other()]
        places = [(pointer, draw.choice(values)) for pointer in pairs["values"] if draw.random() < 0.6]
        for pointer, value in [(pairs["key"], key), *places]:
            at = item
            *path, last = pointer.split("/")[1:]
            for name in path:
                at = at.setdefault(name, {})
            at[last] = value
        return item if draw.random() < 0.95 else self.other()

    def change(self, event: dict) -> None:
        """One thing is other than the dialect has it, anywhere in the message."""
        draw = self.random
        inside = [event]
        for at in inside:
            inside += [value for value in at.values() if isinstance(value, dict)]
            inside += [item for value in at.values() if isinstance(value, list) for item in value if isinstance(item, dict)]
        at = draw.choice(inside)
        names = list(at)
        kind = draw.randrange(8)
        if kind == 0 and names:
            del at[draw.choice(names)]
        elif kind == 1 and names:
            at[draw.choice(names)] = None
        elif kind == 2 and names:
            at[draw.choice(names)] = self.other()
        elif kind == 3:
            other = draw.choice(self.dialects).get("properties", {})
            if other:
                name = draw.choice(list(other))
                event[name] = self.value(other[name])
        elif kind == 4:
            types = [name for name in event if name.endswith("type")]
            if types:
                event[draw.choice(types)] = draw.choice(["refund", "PAGE_VIEW", "", "view", "purchase", "search"])
        elif kind == 5:
            times = [name for name, value in event.items() if value in TIMES]
            if times:
                event[draw.choice(times)] = draw.choice(NO_TIMES + TIMES)
        elif kind == 6:
            at[draw.choice(["more", "Event_Id", "extra", "_offset"])] = self.other()
        elif names:
            name = draw.choice(names)
            at[name] = (
                at[name]
                if not isinstance(at[name], (int, float))
                else draw.choice([2**63, -(2**63) - 1, 1e12, -1e12, 999999999999.99])
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("contract", type=Path)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    schema = json.loads(arguments.contract.read_text())
    Draft7Validator.check_schema(schema)
    messages = Messages(schema, arguments.seed)
    for _ in range(arguments.count):
        good, text = messages.one()
        sys.stdout.write(f"{'good' if good else 'bad'}\t{text}\n")


if __name__ == "__main__":
    main()
