"""Trino sees every table of the lake, cell by cell what the others see, and every later commit without being told."""

import math
import shutil
from decimal import Decimal

import pytest
from conftest import END, FIRST, ROOT, SECOND, Shop, attempt
from trino.exceptions import TrinoUserError

import delta_read
from readers_agree import Fingerprint, fingerprint, read_duckdb

# Declared by the models, so that a table that registering forgot is missed.
TABLES = sorted(f"{layer}.{sql.stem}" for layer in ("silver", "gold") for sql in ROOT.glob(f"models/*/{layer}/*.sql"))
DOMAINS = [contract.parent.name for contract in ROOT.glob("models/*/contract.json")]
BRONZE = {f"bronze.{domain}_{rows}" for domain in DOMAINS for rows in ("events", "quarantine")}
COUNTED = ("tinyint", "smallint", "integer", "bigint", "decimal")
MEASURED = ("real", "double")


def by_trino(shop: Shop, table: str, version: int | None = None) -> Fingerprint:
    names = [name for name, _ in shop.columns(table)]
    as_of = "" if version is None else f" for version as of {version}"
    rows = shop.sql(f"select * from delta.{table}{as_of}")
    return fingerprint([dict(zip(names, row, strict=True)) for row in rows], names)


def by_duckdb(shop: Shop, table: str) -> Fingerprint:
    snapshot = delta_read.snapshot(shop.lake, table)
    return fingerprint(read_duckdb(snapshot), snapshot.columns)


def sums(rows: list[list[object]], names: list[str], types: dict[str, str]) -> dict[str, object]:
    """Count and sum of every numeric column, in Python, exactly."""
    found: dict[str, object] = {"rows": len(rows)}
    for position, name in enumerate(names):
        values = [row[position] for row in rows if row[position] is not None]
        if types[name].startswith(COUNTED):
            found[name] = sum((Decimal(str(value)) for value in values), Decimal(0))
        elif types[name] in MEASURED:
            found[name] = math.fsum(map(float, values))
    return found


def test_there_are_tables_to_test():
    assert len(TABLES) >= 22 and len(BRONZE) == 4 and {name.split(".")[0] for name in TABLES} == {"silver", "gold"}


def test_every_table_is_registered_and_a_second_time_changes_nothing(shop):
    again = shop.register()
    assert {line["action"] for line in again["tables"]} == {"existed"}
    listed = "select table_schema, table_name from delta.information_schema.tables where table_schema <> 'information_schema'"
    registered = {f"{schema}.{table}" for schema, table in shop.sql(listed)}
    assert registered == {line["table"] for line in again["tables"]}
    assert registered == {*TABLES, *BRONZE}


def test_a_list_of_objects_is_a_list_of_rows(shop):
    """Products of orders, in bronze: counted and summed by Trino and by DuckDB."""
    [found] = shop.sql(
        "select count(*), count(distinct p.product_id), sum(p.quantity), sum(p.quantity * p.unit_price) "
        "from delta.bronze.ecommerce_events cross join unnest(products) as p(product_id, quantity, unit_price)"
    )
    rows = read_duckdb(delta_read.snapshot(shop.lake, "bronze.ecommerce_events"))
    items = [item for row in rows for item in row["products"] or []]
    amounts = [Decimal(item["quantity"]) * Decimal(item["unit_price"]) for item in items]
    assert len(items) > 50
    products, pieces = {item["product_id"] for item in items}, sum(item["quantity"] for item in items)
    assert found == [len(items), len(products), pieces, sum(amounts)]


@pytest.mark.parametrize("table", TABLES)
def test_trino_duckdb_and_datafusion_agree(shop, table):
    found = by_trino(shop, table)
    assert found.rows > 0
    assert found == by_duckdb(shop, table)

    types = dict(shop.columns(table))
    numeric = [name for name in types if types[name].startswith(COUNTED) or types[name] in MEASURED]
    added = ", ".join(f"coalesce(sum({name}), 0)" for name in numeric)
    [row] = shop.sql(f"select count(*), {added} from delta.{table}")
    by_sql = dict(zip(["rows", *numeric], row, strict=True))
    shown = shop.jobs("show", table, "--limit", 10_000_000)
    names = [column["name"] if isinstance(column, dict) else column for column in shown["columns"]]
    expected = sums(shown["rows"], names, types)
    assert set(by_sql) == set(expected) and len(numeric) > 2
    for name, value in expected.items():
        assert math.isclose(value, by_sql[name], rel_tol=1e-9), (name, value, by_sql[name])


def test_a_day_reads_only_its_partition(shop):
    query = f"select sum(total_sessions) from delta.gold.webtoon_episode_daily where event_date = date '{SECOND}'"
    # What Trino means to read, and what it did read.
    plan = " ".join(shop.sql(f"explain {query}")[0][0].split())
    assert f"event_date:date:PARTITION_KEY :: [[{SECOND}]]" in plan
    done = shop.sql(f"explain analyze {query}")[0][0]
    [[day]] = shop.sql(f"select count(*) from delta.gold.webtoon_episode_daily where event_date = date '{SECOND}'")
    [[both]] = shop.sql("select count(*) from delta.gold.webtoon_episode_daily")
    assert day < both
    assert f"Input: {day} rows" in done and f"Input: {both} rows" not in done, done


def test_an_overwrite_is_seen_at_once_and_the_version_before_it_still(shop):
    table = "gold.webtoon_user_daily"
    before, old = by_trino(shop, table), delta_read.snapshot(shop.lake, table).table.version()
    shop.simulate(seed=32, sessions=500)
    shop.ingest()
    shop.jobs("run", "+gold.webtoon_user_daily", "--date", FIRST)
    after = by_trino(shop, table)
    assert after.rows > before.rows
    assert after == by_duckdb(shop, table)
    assert by_trino(shop, table, version=old) == before


def test_a_table_is_read_across_a_checkpoint_also_without_the_log_before_it(shop):
    table = "gold.webtoon_title_daily"
    shop.jobs("run", table, "--date", FIRST)
    shop.jobs("maintain", table)
    log = shop.lake / "gold/webtoon_title_daily/_delta_log"
    [checkpoint] = log.glob("*.checkpoint.parquet")
    at = int(checkpoint.name.split(".")[0])
    assert by_trino(shop, table) == by_duckdb(shop, table)
    shop.jobs("run", table, "--date", SECOND)
    assert delta_read.snapshot(shop.lake, table).table.version() > at
    # As if the log had been cleaned: only the checkpoint knows of the files before it.
    for entry in log.glob("*.json"):
        if entry.stem.isdigit() and int(entry.stem) < at:
            entry.unlink()
    assert by_trino(shop, table) == by_duckdb(shop, table)


def test_a_table_made_again_at_the_same_place_is_read_anew(shop):
    table = "gold.webtoon_platform_device_daily"
    before = by_trino(shop, table)
    shutil.rmtree(shop.lake / "gold/webtoon_platform_device_daily")
    shop.jobs("init")
    shop.jobs("run", table, "--date", SECOND)
    after = by_trino(shop, table)
    assert 0 < after.rows < before.rows and after == by_duckdb(shop, table)


def test_people_read_and_only_read(shop):
    assert shop.sql("select count(*) from delta.gold.webtoon_user_daily", user="ann")[0][0] > 0
    location = "local:///lake/gold/webtoon_user_daily"
    for statement in ["delete from delta.gold.webtoon_user_daily", "drop table delta.gold.webtoon_user_daily",
                      f"call delta.system.register_table('gold', 'mine', '{location}')"]:
        with pytest.raises(TrinoUserError, match="Access Denied"):
            shop.sql(statement, user="ann")


def test_a_table_that_was_registered_elsewhere_is_moved(shop):
    names = "schema_name => 'gold', table_name => 'webtoon_genre_daily'"
    shutil.copytree(shop.lake / "gold/webtoon_genre_daily", shop.lake / "elsewhere")
    shop.sql(f"call delta.system.unregister_table({names})")
    shop.sql(f"call delta.system.register_table({names}, table_location => 'local:///lake/elsewhere')")
    moved = {"gold.webtoon_genre_daily": "moved"}
    assert actions(shop.register("--dry-run")) == actions(shop.register()) == moved
    assert actions(shop.register()) == {}
    # And one whose files are gone.
    shop.sql(f"call delta.system.unregister_table({names})")
    shop.sql(f"call delta.system.register_table({names}, table_location => 'local:///lake/elsewhere')")
    shutil.rmtree(shop.lake / "elsewhere")
    assert actions(shop.register()) == moved
    assert by_trino(shop, "gold.webtoon_genre_daily") == by_duckdb(shop, "gold.webtoon_genre_daily")


def actions(summary: dict) -> dict[str, str]:
    return {line["table"]: line["action"] for line in summary["tables"] if line["action"] != "existed"}


def test_a_dry_run_registers_nothing(shop):
    shop.sql("call delta.system.unregister_table(schema_name => 'gold', table_name => 'webtoon_daypart_daily')")
    expected = {"gold.webtoon_daypart_daily": "registered"}
    assert actions(shop.register("--dry-run")) == expected
    assert ["webtoon_daypart_daily"] not in shop.sql("show tables from delta.gold")
    assert actions(shop.register()) == expected
    assert ["webtoon_daypart_daily"] in shop.sql("show tables from delta.gold")


def test_exit_codes_tell_what_a_retry_mends(shop):
    def code(*arguments: object) -> tuple[int, str]:
        done = attempt("userflow-jobs", "register", "--lake", shop.lake, *arguments)
        return done.returncode, done.stderr

    found, said = code("--trino-url", shop.url, "--catalog", "nothing")
    assert found == 2 and "nothing" in said
    found, said = code("--trino-url", "http://127.0.0.1:1")
    assert found == 1 and "127.0.0.1:1" in said
    found, said = code("--trino-url", "http://ann:secret@127.0.0.1:1")
    assert found == 2 and "secret" not in said
    found, said = code("--trino-url", shop.url, "--location", "local:///la'ke")
    assert found == 2
    found, said = code("--trino-url", shop.url.replace("http://", "http://ann@"), "--location", "local:///other")
    assert found == 2 and "Access Denied" in said


def test_a_lake_in_s3_is_read_as_one_in_a_folder(shop, s3, monkeypatch):
    """What docker-compose.yml has: the same catalog, and tables in a bucket."""
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    remote = Shop(shop.brokers, shop.postgres_url, shop.topic, "s3://lake/userflow", shop.url)
    remote.ingest()
    remote.jobs("init")
    remote.jobs("run", "+gold.webtoon_country_daily", "--from", FIRST, "--to", END)
    shop.jobs("run", "+gold.webtoon_country_daily", "--from", FIRST, "--to", END)
    here = by_trino(shop, "gold.webtoon_country_daily")
    try:
        assert {line["action"] for line in remote.register()["tables"]} == {"moved"}
        path = remote.sql('select distinct "$path" from delta.gold.webtoon_country_daily')[0][0]
        assert path.startswith("s3://lake/userflow/gold/webtoon_country_daily/")
        assert by_trino(remote, "gold.webtoon_country_daily") == here and here.rows > 0
    finally:
        shop.register()
    assert by_trino(shop, "gold.webtoon_country_daily") == here


def test_the_online_store_is_beside_the_lake(shop):
    assert shop.sql("select count(*) from postgresql.online.webtoon_session") == [[0]]
    described = dict(row[:2] for row in shop.sql("describe postgresql.online.webtoon_user_recent"))
    assert described["recent_episodes"].startswith("array("), described


