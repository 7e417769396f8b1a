"""The acceptance oracle of the webtoon domain: its rules once more, in plain Python.

Belongs here: the reading of the domain's paragraphs 1 to 4 (events, sessions, gold tables) as code
that favours being read over being fast. It is written from the domain description and never from
the SQL models or the Rust decoder, so that an error would have to be made twice to go unseen.

Does not belong here: anything that reads a lake, a broker or a table (see ../delta_read.py,
../compare.py, ../history_check.py, ../topic_dump.py), and any third-party package.

    messages = oracle.load_dump("topic.jsonl")
    expected = oracle.all_tables(messages, oracle.days("2026-11-01", "2026-11-04"))
    expected["gold.webtoon_user_daily"]      # a list of rows, each a dict by column
"""

from oracle.catalogue import load_catalogue
from oracle.decode import Accepted, Limits, Problem, Rejected, decode, decode_all
from oracle.messages import Message, load_dump, load_lines
from oracle.tables import KEYS, all_tables, days

__all__ = [
    "KEYS",
    "Accepted",
    "Limits",
    "Message",
    "Problem",
    "Rejected",
    "all_tables",
    "days",
    "decode",
    "decode_all",
    "load_catalogue",
    "load_dump",
    "load_lines",
]
