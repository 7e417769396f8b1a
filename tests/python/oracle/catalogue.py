"""The dimension `episode_metadata` of paragraph 1: which genre and which place an episode has."""

import csv
from dataclasses import dataclass
from pathlib import Path

SEED = Path(__file__).parents[3] / "models" / "webtoon" / "seeds" / "episode_metadata.csv"


@dataclass(frozen=True)
class EpisodeMetadata:
    """What the sessions take from the dimension."""

    genre: str | None
    episode_no: int | None


Catalogue = dict[tuple[str, str], EpisodeMetadata]


def load_catalogue(path: str | Path = SEED) -> Catalogue:
    """Reads the seed CSV, by (webtoon_id, episode_id)."""
    with open(path, encoding="utf-8", newline="") as file:
        return {
            (row["webtoon_id"], row["episode_id"]): EpisodeMetadata(
                genre=row["genre"] or None,
                episode_no=int(row["episode_no"]) if row["episode_no"] else None,
            )
            for row in csv.DictReader(file)
        }
