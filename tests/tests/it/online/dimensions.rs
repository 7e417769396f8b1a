//! Dimensions that change while `sessionize` runs, as a file and as a table of PostgreSQL: rows that are counted after use the new values, rows
//! of before stay, a bad version changes nothing; and what a kill -9 and a restart make of it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use userflow_tests::broker::{Sender, create_topic};
use userflow_tests::process::{binary, must, root, start};
use userflow_tests::service::Service;

use super::events::{event, now_ms, send};
use super::{PATIENCE, Store};
use crate::postgres::Database;

/// Events, points, genre.
type Row = (i64, Option<f64>, Option<String>);

const VIEW: &str = "feature_view: webtoon_points
description: What a reader's episodes are worth
entity: user_id
partition_local: true
join: {dimension: episodes, on: episode_id, take: [genre, points]}
window: lifetime
features:
  n: {count: {}}
  points: {sum: points}
  genre: {last: genre}
";

const SEED: &str = "version: 2
seeds:
  - name: episodes
    description: One row per episode_id
CONFIG    columns:
      - {name: episode_id, data_type: string}
      - {name: genre, data_type: string}
      - {name: points, data_type: integer}
";

/// Where the rows of the dimension are.
#[derive(Clone, Copy, PartialEq)]
enum Home {
    File,
    Table,
}

/// A domain with one view, a store with its tables, and a topic.
struct World {
    home: Home,
    models: PathBuf,
    store: Store,
    topic: String,
    sender: Sender,
    log: PathBuf,
}

impl World {
    fn create(folder: &Path, home: Home, label: &str) -> Result<Self> {
        let models = folder.join("models");
        let domain = models.join("webtoon");
        for room in ["features", "seeds"] {
            std::fs::create_dir_all(domain.join(room))?;
        }
        let contract = root().join("models/webtoon/contract.json");
        std::fs::copy(contract, domain.join("contract.json"))?;
        std::fs::write(domain.join("features/webtoon_points.yml"), VIEW)?;
        let config = match home {
            Home::File => "",
            Home::Table => "    config: {meta: {postgres: shop.episodes}}\n",
        };
        std::fs::write(
            domain.join("seeds/_seeds.yml"),
            SEED.replace("CONFIG", config),
        )?;
        if home == Home::File {
            std::fs::write(domain.join("seeds/episodes.csv"), "")?;
        }
        let topic = create_topic(&format!("online.{label}"), 1)?;
        let store = Store {
            database: Database::create(&super::server_url(), label)?,
            checkpoints: folder.join("checkpoints"),
            group: topic.clone(),
        };
        must(
            binary("userflow-jobs")
                .args(["init", "--domain", "webtoon", "--models"])
                .arg(&models)
                .arg("--lake")
                .arg(folder.join("lake"))
                .args(["--postgres-url", store.database.url()]),
        )?;
        Ok(Self {
            home,
            models,
            store,
            sender: Sender::new(&topic)?,
            topic,
            log: folder.join("sessionize.log"),
        })
    }

    fn csv(&self) -> PathBuf {
        self.models.join("webtoon/seeds/episodes.csv")
    }

    /// Replaces the dimension as a whole: rows of episode, genre and points.
    fn replace(&self, rows: &[(&str, &str, i64)]) -> Result<()> {
        match self.home {
            Home::File => {
                let rows: String = (rows.iter())
                    .map(|(episode, genre, points)| format!("{episode},{genre},{points}\n"))
                    .collect();
                let beside = self.csv().with_extension("new");
                std::fs::write(&beside, format!("episode_id,genre,points\n{rows}"))?;
                Ok(std::fs::rename(beside, self.csv())?)
            }
            Home::Table => {
                let rows: String = (rows.iter())
                    .map(|(episode, genre, points)| {
                        format!(
                            "INSERT INTO shop.episodes VALUES ('{episode}', '{genre}', {points});"
                        )
                    })
                    .collect();
                // Dropped and made again, because a bad version may have other columns.
                self.store.database.execute(&format!(
                    "BEGIN; DROP SCHEMA IF EXISTS shop CASCADE; CREATE SCHEMA shop; \
                     CREATE TABLE shop.episodes (episode_id text, genre text, points int); {rows} COMMIT"
                ))
            }
        }
    }

    fn sessionize(&self) -> Command {
        let mut command = self.store.sessionize(&self.topic);
        command.arg("--models").arg(&self.models);
        command.args(["--dimension-interval", "0.05"]);
        command.args(["--dimension-rows", "4"]);
        // It comes back under its name, so nobody waits for the one that was killed.
        command.args(["--instance-id", "one"]);
        command
    }

    fn start(&self, more: &[&str]) -> Result<Service> {
        let mut command = self.sessionize();
        command.args(["--dimension-table-interval", "0.02"]);
        Service::start(command.args(more), &self.log)
    }

    /// An event of a user in an episode.
    fn say(&self, user: &str, number: i64, episode: &str) -> Result<()> {
        let mut event = event(&format!("{user}{number}"), "enter", now_ms());
        event["user_id"] = json!(user);
        event["episode_id"] = json!(episode);
        send(&self.sender, &event, now_ms())
    }

    /// What a user's row says: events, points, genre of the last.
    fn row(&self, user: &str) -> Result<Option<Row>> {
        let rows = self.store.database.rows(&format!(
            "SELECT n, points::double precision, genre FROM online.webtoon_points WHERE user_id = '{user}'"
        ))?;
        Ok(rows.into_iter().next())
    }

    /// Waits until a user has so many events, and says points and genre.
    fn counted(&self, service: &mut Service, user: &str, events: i64) -> Result<(f64, String)> {
        service.wait_for(&format!("{events} events of {user}"), |_| {
            Ok(self.row(user)?.is_some_and(|row| row.0 == events))
        })?;
        let (_, points, genre) = self.row(user)?.context("a row")?;
        Ok((points.unwrap_or(-1.0), genre.unwrap_or_default()))
    }
}

/// One series of a dimension's metrics.
fn metric(service: &Service, series: &str) -> Result<f64> {
    let (_, text) = service.get("/metrics")?;
    let series = format!("userflow_sessionize_dimension_{series} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&series));
    Ok(line.with_context(|| format!("no {series}"))?.parse()?)
}

fn failed(service: &Service) -> Result<f64> {
    metric(
        service,
        "reloads_total{dimension=\"episodes\",outcome=\"failed\"}",
    )
}

fn rows(service: &Service) -> Result<f64> {
    metric(service, "rows{dimension=\"episodes\"}")
}

/// When the rows were known to be those of their source.
fn current(service: &Service) -> Result<f64> {
    metric(service, "current_time_seconds{dimension=\"episodes\"}")
}

fn a_change_is_for_the_events_after_it(home: Home, label: &str) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let world = World::create(folder.path(), home, label)?;
    world.replace(&[("ep_1", "action", 1)])?;
    let mut service = world.start(&[])?;
    world.say("ann", 1, "ep_1")?;
    ensure!(world.counted(&mut service, "ann", 1)? == (1.0, "action".to_owned()));

    // Another version: the row of before stays until its next event, which adds to what was counted.
    world.replace(&[("ep_1", "drama", 10), ("ep_2", "comedy", 100)])?;
    service.wait_for("the second version", |service| Ok(rows(service)? == 2.0))?;
    world.say("bob", 1, "ep_1")?;
    ensure!(world.counted(&mut service, "bob", 1)? == (10.0, "drama".to_owned()));
    ensure!(world.counted(&mut service, "ann", 1)? == (1.0, "action".to_owned()));
    world.say("ann", 2, "ep_2")?;
    ensure!(world.counted(&mut service, "ann", 2)? == (101.0, "comedy".to_owned()));

    // A key that the dimension does not have is counted and gives nothing.
    let misses = |service: &Service| metric(service, "misses_total{dimension=\"episodes\"}");
    ensure!(misses(&service)? == 0.0);
    world.say("ann", 3, "ep_9")?;
    ensure!(world.counted(&mut service, "ann", 3)? == (101.0, "comedy".to_owned()));
    ensure!(misses(&service)? == 1.0);

    // Bad versions: each is told with a word, counted, and changes nothing; then a good one is taken.
    let mut bob = 1;
    for (number, (word, spoil)) in bad_versions(&world).into_iter().enumerate() {
        let before = failed(&service)?;
        spoil()?;
        service.wait_for(word, |service| service.warned(word))?;
        ensure!(failed(&service)? > before, "{word} is not counted");
        ensure!(rows(&service)? == 2.0, "{word}: its rows were taken");
        world.say("bob", bob + 1, "ep_1")?;
        bob += 1;
        let (points, _) = world.counted(&mut service, "bob", bob)?;
        ensure!(
            points == 10.0 * bob as f64,
            "{word}: {points} of {bob} events"
        );
        // The very version of before is good as well.
        if number % 2 == 0 {
            let stale = current(&service)?;
            world.replace(&[("ep_1", "drama", 10), ("ep_2", "comedy", 100)])?;
            service.wait_for("the version of before", |service| {
                Ok(current(service)? > stale)
            })?;
        }
    }
    world.replace(&[("ep_1", "end", 7), ("ep_2", "end", 7), ("ep_3", "end", 7)])?;
    service.wait_for("the last version", |service| Ok(rows(service)? == 3.0))?;
    world.say("eve", 1, "ep_1")?;
    ensure!(world.counted(&mut service, "eve", 1)? == (7.0, "end".to_owned()));
    ensure!(service.stop()?.success());
    Ok(())
}

/// What makes a dimension unusable, each with a word of the message.
type Bad<'w> = Vec<(&'static str, Box<dyn Fn() -> Result<()> + 'w>)>;

fn bad_versions(world: &World) -> Bad<'_> {
    match world.home {
        Home::File => {
            let write = |text: &'static str| -> Box<dyn Fn() -> Result<()> + '_> {
                Box::new(move || Ok(std::fs::write(world.csv(), text)?))
            };
            vec![
                // Somebody writes the file in place and stops in the middle.
                ("episodes.csv:2", write("episode_id,genre,points\nep_1,ho")),
                (
                    "two rows have episode_id",
                    write("episode_id,genre,points\nep_1,a,1\nep_1,b,2\n"),
                ),
                (
                    "a row has no episode_id",
                    write("episode_id,genre,points\nep_1,a,1\n,b,2\n"),
                ),
                ("no column `points`", write("episode_id,genre\nep_1,a\n")),
                (
                    "`many` in column points",
                    write("episode_id,genre,points\nep_1,a,many\n"),
                ),
                (
                    "more than 4 rows",
                    write("episode_id,genre,points\na,,\nb,,\nc,,\nd,,\ne,,\n"),
                ),
            ]
        }
        Home::Table => {
            let run = |sql: &'static str| -> Box<dyn Fn() -> Result<()> + '_> {
                Box::new(move || world.store.database.execute(sql))
            };
            vec![
                (
                    "two rows have episode_id",
                    run("INSERT INTO shop.episodes VALUES ('ep_1', 'twice', 3)"),
                ),
                (
                    "a row has no episode_id",
                    run("TRUNCATE shop.episodes; INSERT INTO shop.episodes VALUES (NULL, 'x', 3)"),
                ),
                (
                    "more than 4 rows",
                    run(
                        "INSERT INTO shop.episodes SELECT 'm' || i, 'x', i FROM generate_series(1, 9) AS i",
                    ),
                ),
                (
                    "the row of episode_id `ep_7`: `3000000000` in column points is no integer",
                    run(
                        "ALTER TABLE shop.episodes ALTER points TYPE bigint; DELETE FROM shop.episodes; \
                         INSERT INTO shop.episodes VALUES ('ep_7', 'x', 3000000000)",
                    ),
                ),
                (
                    "column points of shop.episodes is text",
                    run("ALTER TABLE shop.episodes ALTER points TYPE text"),
                ),
                (
                    "has no column genre",
                    run("ALTER TABLE shop.episodes DROP genre"),
                ),
                (
                    "has no table or view shop.episodes",
                    run("DROP TABLE shop.episodes"),
                ),
                // A view that cannot be read, which is the server's own word.
                (
                    "division by zero",
                    run(
                        "DROP TABLE shop.episodes; CREATE VIEW shop.episodes AS SELECT 'ep_1'::text AS episode_id, 'x'::text AS genre, 1 / (random() * 0)::int AS points",
                    ),
                ),
            ]
        }
    }
}

#[test]
fn a_file_that_changes_is_for_the_events_after_it() -> Result<()> {
    a_change_is_for_the_events_after_it(Home::File, "dimension_file")
}

#[test]
fn a_table_that_changes_is_for_the_events_after_it() -> Result<()> {
    a_change_is_for_the_events_after_it(Home::Table, "dimension_table")
}

/// What the docs promise: the checkpoint holds what was counted and nothing of the dimension. So what it has counted stays, and events after it
/// are counted again, by the dimension of the restart.
fn a_restart_counts_again_what_no_checkpoint_has(home: Home, label: &str) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let world = World::create(folder.path(), home, label)?;
    let seldom = ["--checkpoint-interval", "1h"];
    world.replace(&[("ep_1", "action", 1)])?;
    let mut service = world.start(&seldom)?;
    world.say("ann", 1, "ep_1")?;
    world.counted(&mut service, "ann", 1)?;
    // A stop keeps the state.
    ensure!(service.stop()?.success());

    let mut service = world.start(&seldom)?;
    world.say("ann", 2, "ep_1")?;
    world.say("bob", 1, "ep_1")?;
    ensure!(world.counted(&mut service, "ann", 2)?.0 == 2.0);
    ensure!(world.counted(&mut service, "bob", 1)?.0 == 1.0);
    service.process().signal("KILL")?;
    drop(service);

    // The same dimension: the same rows.
    let mut service = world.start(&seldom)?;
    world.say("mark", 1, "ep_1")?;
    world.counted(&mut service, "mark", 1)?;
    ensure!(world.counted(&mut service, "ann", 2)? == (2.0, "action".to_owned()));
    ensure!(world.counted(&mut service, "bob", 1)? == (1.0, "action".to_owned()));
    service.process().signal("KILL")?;
    drop(service);

    // Another one: the first event of ann is in the checkpoint, all others are read again.
    world.replace(&[("ep_1", "drama", 10)])?;
    let mut service = world.start(&seldom)?;
    world.say("ann", 3, "ep_1")?;
    ensure!(world.counted(&mut service, "ann", 3)? == (21.0, "drama".to_owned()));
    ensure!(world.counted(&mut service, "bob", 1)? == (10.0, "drama".to_owned()));
    ensure!(world.counted(&mut service, "mark", 1)? == (10.0, "drama".to_owned()));
    ensure!(service.stop()?.success());
    // And once a checkpoint has them, they stay.
    world.replace(&[("ep_1", "late", 500)])?;
    let mut service = world.start(&seldom)?;
    world.say("eve", 1, "ep_1")?;
    ensure!(world.counted(&mut service, "eve", 1)?.0 == 500.0);
    ensure!(world.counted(&mut service, "ann", 3)? == (21.0, "drama".to_owned()));
    ensure!(world.counted(&mut service, "bob", 1)? == (10.0, "drama".to_owned()));
    ensure!(service.stop()?.success());
    Ok(())
}

#[test]
fn a_restart_counts_by_the_file_of_today_what_no_checkpoint_has() -> Result<()> {
    a_restart_counts_again_what_no_checkpoint_has(Home::File, "dimension_kill_file")
}

#[test]
fn a_restart_counts_by_the_table_of_today_what_no_checkpoint_has() -> Result<()> {
    a_restart_counts_again_what_no_checkpoint_has(Home::Table, "dimension_kill_table")
}

#[test]
fn without_a_good_dimension_nothing_starts() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let world = World::create(folder.path(), Home::Table, "dimension_missing")?;
    let refused = |word: &str| -> Result<()> {
        let output = world.sessionize().arg("--until-caught-up").output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(2), "{}: {said}", output.status);
        ensure!(said.contains(word), "{word}: {said}");
        Ok(())
    };
    refused("PostgreSQL has no table or view shop.episodes, which seed episodes in")?;
    world.replace(&[("ep_1", "a", 1), ("ep_1", "b", 2)])?;
    refused("shop.episodes: two rows have episode_id `ep_1`")?;

    // A table that somebody else is changing is waited for.
    world.replace(&[("ep_1", "a", 1)])?;
    let blocker = Database::connect(world.store.database.url())?;
    blocker.execute("BEGIN; LOCK TABLE shop.episodes IN ACCESS EXCLUSIVE MODE")?;
    world.say("ann", 1, "ep_1")?;
    let running = start(world.sessionize().arg("--until-caught-up"), &world.log)?;
    super::wait_for_a_lock(&world.store.database)?;
    blocker.execute("COMMIT")?;
    let ended = running.wait(PATIENCE)?;
    ensure!(ended.success(), "{ended}");
    ensure!(world.row("ann")? == Some((1, Some(1.0), Some("a".to_owned()))));
    Ok(())
}

#[test]
fn a_role_that_may_not_read_the_table_is_told_what_to_grant() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let world = World::create(folder.path(), Home::Table, "dimension_grant")?;
    world.replace(&[("ep_1", "a", 1)])?;
    let database = &world.store.database;
    let (_, name) = database.url().rsplit_once('/').context("a database")?;
    let role = format!("{name}_reader");
    database.execute(&format!(
        "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA online, ops TO {role}; \
         GRANT ALL ON ALL TABLES IN SCHEMA online, ops TO {role}"
    ))?;
    let (before, after) = database.url().split_once("://").context("a URL")?;
    let (_, place) = after.split_once('@').context("a user")?;
    let url = format!("{before}://{role}@{place}");
    let world = World {
        store: Store {
            database: Database::connect(&url)?,
            ..world.store
        },
        ..world
    };
    let output = world.sessionize().arg("--until-caught-up").output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(2), "{}: {said}", output.status);
    ensure!(
        said.contains("GRANT USAGE ON SCHEMA shop")
            && said.contains("GRANT SELECT ON shop.episodes"),
        "{said}"
    );
    Ok(())
}

/// Nothing is read while nothing changes: the server is asked, and gives no rows.
#[test]
fn a_table_that_does_not_change_is_not_read_again() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let world = World::create(folder.path(), Home::Table, "dimension_calm")?;
    world.replace(&[("ep_1", "a", 1)])?;
    let mut service = world.start(&[])?;
    let first = current(&service)?;
    service.wait_for("two more looks", |service| {
        Ok(current(service)? >= first + 2.0)
    })?;
    let done = metric(
        &service,
        "reloads_total{dimension=\"episodes\",outcome=\"done\"}",
    )?;
    ensure!(done == 0.0, "read again {done} times");
    ensure!(failed(&service)? == 0.0);
    ensure!(service.stop()?.success());
    Ok(())
}

/// The usual way to fill a table anew. A reader whose view of the database is older than the TRUNCATE would see it empty.
#[test]
fn a_table_that_is_filled_anew_in_one_transaction_is_never_seen_empty() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let world = World::create(folder.path(), Home::Table, "dimension_filled")?;
    world.replace(&[("ep_1", "a", 1)])?;
    let mut service = world.start(&[])?;
    let first = current(&service)?;
    service.wait_for("looks beside it", |service| {
        for _ in 0..20 {
            world.store.database.execute(
                "BEGIN; TRUNCATE shop.episodes; INSERT INTO shop.episodes VALUES ('ep_1', 'a', 1); COMMIT",
            )?;
        }
        Ok(current(service)? >= first + 3.0)
    })?;
    let done = metric(
        &service,
        "reloads_total{dimension=\"episodes\",outcome=\"done\"}",
    )?;
    ensure!(done == 0.0, "another table was seen {done} times");
    ensure!(failed(&service)? == 0.0, "{}", service.log()?);
    ensure!(service.stop()?.success());
    Ok(())
}
