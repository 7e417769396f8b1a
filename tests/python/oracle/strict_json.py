"""JSON as RFC 8259 has it, and nothing that Python's reader adds to it.

Refused: NaN and Infinity, a lone surrogate escape anywhere, nesting deeper than the limit, a byte
order mark. Numbers stay text (`Number`), because a feature is computed from the number as written.
Duplicate keys: the last wins.
"""

import json
import re
from decimal import Decimal, InvalidOperation

SURROGATE = re.compile("[\ud800-\udfff]")
BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


class InvalidJson(ValueError):
    """The text is no JSON value by RFC 8259, or is nested too deeply."""


class Number(str):
    """A JSON number as its author wrote it."""

    __slots__ = ()

    def value(self) -> Decimal:
        """The exact value; exponents beyond Decimal's become an infinity or an atom above zero."""
        try:
            return Decimal(self)
        except InvalidOperation:
            mantissa, _, exponent = self.lower().partition("e")
            sign = "-" if self.startswith("-") else ""
            if Decimal(mantissa) == 0:
                return Decimal(0)
            return Decimal(f"{sign}1e-9999" if exponent.startswith("-") else f"{sign}Infinity")


def parse(text: str, max_depth: int) -> object:
    """Parses one JSON value; raises InvalidJson."""
    if text.count("{") + text.count("[") > max_depth and _depth(text) > max_depth:
        raise InvalidJson(f"nested deeper than {max_depth}")
    # A raw surrogate cannot come out of UTF-8, so only escapes can bring one.
    check_strings = "\\u" in text
    try:
        return _decoder(check_strings).decode(text)
    except InvalidJson:
        raise
    except (ValueError, RecursionError) as error:
        raise InvalidJson(str(error)) from error


def same(left: object, right: object) -> bool:
    """Equality of two parsed values; numbers by value, members in any order."""
    if isinstance(left, Number) and isinstance(right, Number):
        return left == right or left.value() == right.value()
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and left == right


def _refuse_constant(name: str) -> None:
    raise InvalidJson(f"{name} is no JSON number")


def _refuse_lone_surrogates(value: object) -> None:
    if isinstance(value, str) and SURROGATE.search(value):
        raise InvalidJson("lone surrogate")
    if isinstance(value, list):
        for item in value:
            _refuse_lone_surrogates(item)


def _checked_members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    for key, value in pairs:
        _refuse_lone_surrogates(key)
        _refuse_lone_surrogates(value)
    return dict(pairs)


class _CheckedDecoder(json.JSONDecoder):
    """Also looks at a value that stands outside any object."""

    def decode(self, s: str, **kwargs: object) -> object:
        value = super().decode(s, **kwargs)
        _refuse_lone_surrogates(value)
        return value


def _make_decoder(decoder: type[json.JSONDecoder], members: object) -> json.JSONDecoder:
    return decoder(
        parse_float=Number,
        parse_int=Number,
        parse_constant=_refuse_constant,
        object_pairs_hook=members,
    )


_PLAIN = _make_decoder(json.JSONDecoder, dict)
_CHECKED = _make_decoder(_CheckedDecoder, _checked_members)


def _decoder(check_strings: bool) -> json.JSONDecoder:
    return _CHECKED if check_strings else _PLAIN


def _depth(text: str) -> int:
    """The deepest nesting, strings passed over; an object at the root has depth 1."""
    depth = deepest = 0
    for token in BRACKETS.findall(text):
        if token in ("{", "["):
            depth += 1
            deepest = max(deepest, depth)
        elif token in ("}", "]"):
            depth -= 1
    return deepest
