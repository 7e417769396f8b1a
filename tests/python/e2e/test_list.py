"""`userflow-jobs list` against the files that it speaks of, read here with a regular expression."""

import json
import re
from pathlib import Path

from conftest import ROOT, attempt

MODELS = ROOT / "models"


def listed(*selectors: str) -> dict:
    # A lake that cannot be opened: the answer is in the models' files.
    done = attempt("userflow-jobs", "list", *selectors, "--models", MODELS, "--lake", "/proc/none", "--output", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_model_is_listed_with_what_it_reads_after_what_it_reads():
    answer = listed()
    files = {f"{path.parent.name}.{path.stem}": path for path in MODELS.glob("*/*/*.sql")}
    names = [model["name"] for model in answer["models"]]
    assert sorted(names) == sorted(files)
    for position, model in enumerate(answer["models"]):
        found = reads(files[model["name"]], files)
        assert sorted([*model["depends_on"], *model["seeds"]]) == sorted(found), model["name"]
        assert {name for name in model["depends_on"] if name in files} <= set(names[:position])
        assert (model["domain"], model["layer"]) == files[model["name"]].parts[-3:-1]
    domains = sorted(path.parent.name for path in MODELS.glob("*/contract.json"))
    assert answer["sources"] == [f"bronze.{name}_{table}" for name in domains for table in ("events", "quarantine")]
    [sessions] = [model for model in answer["models"] if model["name"] == "silver.webtoon_sessions"]
    assert (sessions["margin_hours"], sessions["lookback_days"]) == (2.0, 0)
    assert sorted(view["name"] for view in answer["views"]) == sorted(path.stem for path in MODELS.glob("*/features/*.yml"))
    compared = {view["name"]: view["batch"] for view in answer["views"] if view["batch"]}
    assert compared == {"webtoon_session": "silver.webtoon_sessions"}
    folders = {path.stem: path.parts[-3] for path in MODELS.glob("*/features/*.yml")}
    assert {view["name"]: view["domain"] for view in answer["views"]} == folders


def test_a_selection_is_that_of_every_job():
    chosen = listed("+gold.webtoon_user_7d")["models"]
    assert [model["name"] for model in chosen] == ["silver.webtoon_sessions", "gold.webtoon_user_7d"]
    assert listed("gold.webtoon_user_7d")["sources"] == []


def test_a_name_that_is_no_model_is_wrong_usage():
    done = attempt("userflow-jobs", "list", "gold.webtoon_user_8d", "--models", MODELS)
    assert done.returncode == 2 and "gold.webtoon_user_7d" in done.stderr


def reads(path: Path, files: dict[str, Path]) -> set[str]:
    text = path.read_text()
    tables = {name.split(".")[1]: name for name in files}
    refs = {tables.get(name, name) for name in re.findall(r"ref\('(\w+)'\)", text)}
    return refs | {f"bronze.{name}" for name in re.findall(r"source\('bronze', '(\w+)'\)", text)}
