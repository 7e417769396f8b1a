"""Accounts for every offset of a topic: properties 1 and 2 of the batch half.

    python history_check.py --dump topic.jsonl --lake .userflow/lake [--domain webtoon]

1. The (partition, offset) of bronze and quarantine together are the offsets of the topic, each once. A message that `replay` has
   landed is in both: its row in bronze says so, and is the one that counts.
2. A quarantined message is kept byte for byte, with the reason and the problems that the oracle finds.
3. A row of bronze has in every column what the oracle decodes from the message.

Exit code 0 when all hold, 1 with the first findings printed. With --offsets-only just the first.
From a test: `findings = check(lake, messages)`.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import delta_read
from oracle import Accepted, Limits, Message, Rejected, decode, load_dump, strict_json
from oracle.timestamps import from_epoch_ms

Place = tuple[int, int]
Row = dict[str, object]
SHOWN = 20


def check(
    lake: str | Path,
    messages: list[Message],
    *,
    domain: str = "webtoon",
    topic: str | None = None,
    limits: Limits | None = None,
    offsets_only: bool = False,
) -> list[str]:
    """Everything that is wrong, as sentences; empty when the history is right."""
    bronze = read(lake, f"bronze.{domain}_events")
    quarantine = read(lake, f"bronze.{domain}_quarantine")
    findings = check_offsets(messages, bronze, quarantine)
    if offsets_only:
        return findings
    limits = limits or Limits.of_contract()
    topic = topic or f"{domain}.events"
    outcomes = {place(message): decode(message, limits) for message in messages}
    for row in bronze:
        findings += check_bronze_row(row, outcomes.get(place_of(row)))
    landed = replayed(bronze)
    for row in quarantine:
        if place_of(row) not in landed:
            findings += check_quarantine_row(row, outcomes.get(place_of(row)), topic)
    return findings


def read(lake: str | Path, table: str) -> list[Row]:
    """All rows of a table; none when the table does not exist (yet)."""
    if not delta_read.exists(lake, table):
        return []
    return list(delta_read.snapshot(lake, table).rows())


def check_offsets(
    messages: Iterable[Message], bronze: Iterable[Row], quarantine: Iterable[Row]
) -> list[str]:
    """ "Every offset of the topic is in bronze or quarantine exactly once"."""
    bronze = list(bronze)
    topic = {place(message) for message in messages}
    landed = replayed(bronze)
    refused = Counter(place_of(row) for row in quarantine)
    stored = Counter(place_of(row) for row in bronze)
    stored.update(refused - Counter(landed))
    findings = []
    if strangers := landed - refused.keys():
        findings.append(
            f"{len(strangers)} rows are marked as replayed, not in quarantine: {ranges(strangers)}"
        )
    for places, what in (
        (topic - stored.keys(), "in the topic, neither in bronze nor in quarantine"),
        (stored.keys() - topic, "in the lake, not in the topic"),
        ({p for p, count in stored.items() if count > 1}, "more than once in the lake"),
    ):
        if places:
            findings.append(f"{len(places)} offsets are {what}: {ranges(places)}")
    return findings


def replayed(bronze: Iterable[Row]) -> set[Place]:
    """Where the messages stood that were landed from quarantine."""
    return {place_of(row) for row in bronze if row.get("_replayed_at") is not None}


def check_bronze_row(row: Row, outcome: Accepted | Rejected | None) -> list[str]:
    """Every column as the oracle decodes it."""
    where = f"bronze {place_of(row)}"
    if outcome is None:
        return []  # an unknown offset: already found
    if isinstance(outcome, Rejected):
        problems = [(problem.reason, problem.field) for problem in outcome.problems]
        return [f"{where}: should be in quarantine for {problems}"]
    message = outcome.message
    expected = dict(outcome.columns)
    extra = expected.pop("extra")
    if message.kafka_time_ms is not None:
        expected["_kafka_time"] = from_epoch_ms(message.kafka_time_ms)
    findings = []
    unknown = row.keys() - expected.keys() - {"extra", "_topic_id", "_partition", "_offset"}
    for column in sorted(unknown - {"_kafka_time", "_ingested_at", "_replayed_at"}):
        findings.append(f"{where}: column {column} is unknown to the oracle")
    for column, want in expected.items():
        if column not in row:
            findings.append(f"{where}: column {column} is missing")
        elif not same(want, row[column]):
            findings.append(f"{where}: {column} should be {want!r}, is {row[column]!r}")
    if not same_extra(extra, row.get("extra")):
        findings.append(f"{where}: extra should be {extra!r}, is {row.get('extra')!r}")
    findings += check_ingested_at(where, row)
    return findings


def check_quarantine_row(row: Row, outcome: Accepted | Rejected | None, topic: str) -> list[str]:
    """The original bytes, the reason, every problem with its field."""
    where = f"quarantine {place_of(row)}"
    if outcome is None:
        return []
    message = outcome.message
    findings = []
    if row["raw"] != message.value:
        findings.append(f"{where}: raw is not the message: {row['raw']!r} for {message.value!r}")
    if row["_topic"] != topic:
        findings.append(f"{where}: _topic is {row['_topic']!r}")
    if message.kafka_time_ms is not None:
        kafka_time = from_epoch_ms(message.kafka_time_ms)
        if row["_kafka_time"] != kafka_time or row["event_date"] != kafka_time.date():
            findings.append(
                f"{where}: _kafka_time, event_date should be those of {kafka_time}, "
                f"are {row['_kafka_time']}, {row['event_date']}"
            )
    found = problems_of(row)
    if isinstance(outcome, Accepted):
        findings.append(f"{where}: {found} for a good event: {message.value!r}")
    else:
        expected = [(problem.reason, problem.field) for problem in outcome.problems]
        if found != expected or row["reason"] != outcome.reason:
            findings.append(
                f"{where}: should be {expected}, is {row['reason']} with {found}: {message.value!r}"
            )
    findings += check_ingested_at(where, row)
    return findings


def check_ingested_at(where: str, row: Row) -> list[str]:
    """A time must be there; which one is the ingester's clock's matter."""
    ingested = row.get("_ingested_at")
    if not isinstance(ingested, datetime) or ingested > datetime.now(UTC):
        return [f"{where}: _ingested_at is {ingested!r}"]
    return []


def problems_of(row: Row) -> list[tuple[str, str]]:
    """The `problems` column, without the details that are for people."""
    return [(problem["reason"], problem["field"]) for problem in row["problems"] or []]


def same(want: object, have: object) -> bool:
    """Equal, and of one kind: a decimal is no double, a string no number."""
    if isinstance(want, Decimal) != isinstance(have, Decimal) or isinstance(have, float):
        return False
    return want == have


def same_extra(want: dict[str, object] | None, have: object) -> bool:
    """`extra` is the text of an object; its members matter, not their order or spacing."""
    if want is None or have is None:
        return want is have
    try:
        # No depth limit: extra is cut out of a message that has passed it.
        return strict_json.same(want, strict_json.parse(str(have), max_depth=1 << 16))
    except strict_json.InvalidJson:
        return False


def place(message: Message) -> Place:
    """Where a message stands."""
    return (message.partition, message.offset)


def place_of(row: Row) -> Place:
    """Where the message of a row stood."""
    return (row["_partition"], row["_offset"])


def ranges(places: set[Place]) -> str:
    """`0:17-19 1:4`, the first few."""
    runs: list[list[int]] = []
    for partition, offset in sorted(places):
        if runs and runs[-1][0] == partition and runs[-1][2] == offset - 1:
            runs[-1][2] = offset
        else:
            runs.append([partition, offset, offset])
    texts = [f"{p}:{a}" if a == b else f"{p}:{a}-{b}" for p, a, b in runs]
    return " ".join(texts[:SHOWN]) + (" ..." if len(texts) > SHOWN else "")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dump", required=True, help="topic dump of topic_dump.py")
    parser.add_argument("--lake", required=True)
    parser.add_argument("--domain", default="webtoon")
    parser.add_argument("--topic", help="default: <domain>.events")
    parser.add_argument("--offsets-only", action="store_true", help="leave the contents unread")
    arguments = parser.parse_args()
    messages = load_dump(arguments.dump)
    findings = check(
        arguments.lake,
        messages,
        domain=arguments.domain,
        topic=arguments.topic,
        offsets_only=arguments.offsets_only,
    )
    if findings:
        print("\n".join(findings[:SHOWN]))
        print(f"{len(findings)} findings")
        return 1
    print(f"all {len(messages)} offsets of the topic are in the lake exactly once")
    return 0


if __name__ == "__main__":
    sys.exit(main())
