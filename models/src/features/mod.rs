//! Streaming feature views: `models/<domain>/features/*.yml`, read and checked against the contract.
//!
//! A view is an entity, a window, a list of features and a time to live (Feast's words). One definition serves three readers:
//! the streaming engine compiles it to state (`engine/src/plan.rs`), [`online`] makes its columns of the entity's table and the SQL that merges
//! partials, and `userflow-jobs check --skew` compares it with the batch layer.
//!
//! ```text
//! *.yml -> read (YAML, lines) -> view (checked against the contract) -> online (tables, SQL)
//! ```
//!
//! Not here: state, time, Kafka, a connection to a database.

mod dimension;
#[cfg(test)]
mod fingerprints;
#[cfg(test)]
mod in_redis;
pub mod online;
mod predicate;
mod read;
mod redis;
mod view;

pub use dimension::{Dimension, TableQuery, Wrong, typed};
pub use redis::{KeyPart, RESERVED, RedisRows, RedisShape};
pub(crate) use redis::{form, key_parts, template};
pub use view::{
    Absence, Aggregation, Batch, Case, Condition, Ending, Feature, FeatureView, Join, Predicate,
    Run, Taken, Test, Ties, ValueType, Window,
};

use std::path::{Path, PathBuf};

use crate::domain::Domain;
use crate::error::{ConfigError, Problem};

/// The feature views of a domain, by name. A domain without a `features` folder has none.
pub fn load(domain: &Domain) -> Result<Vec<FeatureView>, ConfigError> {
    let dir = domain.dir.join("features");
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let files = crate::project::files(&dir, "yml")?;
    let dimensions = dimension::of(domain)?;
    let (mut views, mut problems): (Vec<FeatureView>, Vec<Problem>) = (Vec::new(), Vec::new());
    for file in files {
        match one(&file, domain, &dimensions) {
            Ok(view) => views.push(view),
            Err(problem) => problems.push(problem),
        }
    }
    let redis: Vec<(&str, &RedisRows)> = (views.iter())
        .filter_map(|view| view.redis.as_ref().map(|redis| (view.name.as_str(), redis)))
        .collect();
    if let Some((view, why)) = redis::clash(&redis) {
        problems.push(Problem::new(&dir.join(format!("{view}.yml")), None, why));
    }
    if problems.is_empty() {
        Ok(views)
    } else {
        Err(ConfigError::Project(problems))
    }
}

/// Reads one view. Its name is the name of its file, and no other domain has a view of that name: all views share one schema.
fn one(file: &Path, domain: &Domain, dimensions: &[Dimension]) -> Result<FeatureView, Problem> {
    let text = crate::project::read_file(file)?;
    let view = read::view(file, &text, &domain.contract, dimensions)?;
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    if view.name != stem {
        let message = format!(
            "feature_view `{}` stands in {stem}.yml: give file and view one name",
            view.name
        );
        return Err(Problem::new(file, Some(1), message));
    }
    if let Some(other) = named_the_same(domain, &stem) {
        let message = format!(
            "there is a feature_view `{}` in {} as well, and the views of all domains share the schema `online`: rename one, for instance \
             to `{}_{}`",
            view.name,
            other.display(),
            domain.name,
            view.name
        );
        return Err(Problem::new(file, Some(1), message));
    }
    Ok(view)
}

/// The file of another domain's view with this name.
fn named_the_same(domain: &Domain, name: &str) -> Option<PathBuf> {
    let models = domain.dir.parent()?;
    let others = crate::domain::known(models).ok()?.into_iter();
    others
        .filter(|other| *other != domain.name)
        .map(|other| {
            models
                .join(other)
                .join("features")
                .join(format!("{name}.yml"))
        })
        .find(|file| file.is_file())
}

/// Reads one view from text: for tests of what is computed from it.
pub fn parse(text: &str, contract: &crate::contract::Contract) -> Result<FeatureView, ConfigError> {
    parse_with(text, contract, &[])
}

/// The same of a view that may join a dimension.
pub fn parse_with(
    text: &str,
    contract: &crate::contract::Contract,
    dimensions: &[Dimension],
) -> Result<FeatureView, ConfigError> {
    Ok(read::view(
        Path::new("view.yml"),
        text,
        contract,
        dimensions,
    )?)
}

/// The dimensions that views of a domain can join: its seeds.
pub fn dimensions(domain: &Domain) -> Result<Vec<Dimension>, ConfigError> {
    dimension::of(domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webtoon() -> Domain {
        let models = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        Domain::load(&models, "webtoon").expect("the domain")
    }

    const GOOD: &str = "feature_view: webtoon_v
description: A view
entity: user_id
window: {sliding: 1h, every: 10m}
features:
  n: {count: {}}
";

    #[test]
    fn the_views_of_the_domain_are_good_and_different() {
        let views = load(&webtoon()).expect("good views");
        let names: Vec<&str> = views.iter().map(|view| view.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "webtoon_episode_1h",
                "webtoon_session",
                "webtoon_title_24h",
                "webtoon_user_1h",
                "webtoon_user_lifetime",
                "webtoon_user_recent"
            ]
        );
        let fingerprints: std::collections::HashSet<&str> =
            views.iter().map(|view| view.fingerprint.as_str()).collect();
        assert_eq!(fingerprints.len(), views.len());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line_and_the_fix() {
        let contract = webtoon().contract;
        // What is put in place of what, and what the message must say.
        let cases = [
            (
                "  n: {count: {}}",
                "  n: {avg: price}",
                "6: `n`: the contract has no column `price`: it has event_id",
            ),
            (
                "  n: {count: {}}",
                "  n: {avg: country}",
                "6: `n`: avg needs a number column",
            ),
            (
                "  n: {count: {}}",
                "  n: {mean: country}",
                "6: `n`: unknown aggregation `mean`: use count",
            ),
            (
                "  n: {count: {}}",
                "  n: {count: {when: {event_type: buy}}}",
                "6: `n`: there is no event type `buy`: the contract has enter",
            ),
            (
                "  n: {count: {}}",
                "  n: {count: {}, round: 2}",
                "6: `n`: round is for min and max of a decimal",
            ),
            (
                "  n: {count: {}}",
                "  n: {top: country, ties: newest}",
                "6: `n`: ties is smaller or latest",
            ),
            (
                "  n: {count: {}}",
                "  n: {last: country, ties: latest}",
                "6: `n`: ties is for top and top_k, not for last",
            ),
            (
                "  n: {count: {}}",
                "  n: {ratio: [a, b]}",
                "6: `n`: there is no feature `a` above it",
            ),
            (
                "  n: {count: {}}",
                "  n: {case: [{is: A}, {is: B}]}",
                "6: `n`: `A` has no conditions, so the cases below it are never reached",
            ),
            (
                "  n: {count: {}}",
                "  n: {case: []}",
                "6: `n`: write `case: [{is: A",
            ),
            (
                "  n: {count: {}}",
                "  n: {count: {}}\n  m: {elapsed: [n, n]}",
                "7: `m`: `n` is no time",
            ),
            (
                "  n: {count: {}}",
                "  n: {first: country}\n  n: {count: {}}",
                "duplicate entry",
            ),
            (
                "  n: {count: {}}",
                "  version: {count: {}}",
                "6: `version` is a name that userflow needs itself",
            ),
            (
                "{sliding: 1h, every: 10m}",
                "{sliding: 1h, every: 7m}",
                "4: impossible window: its length must be a multiple",
            ),
            (
                "{sliding: 1h, every: 10m}",
                "{sliding: soon, every: 7m}",
                "4: `window`: `soon` is no duration such as 30s",
            ),
            (
                "{sliding: 1h, every: 10m}",
                "{sliding: 1h, exact_up_to: 20000}",
                "4: `window`: exact_up_to is a whole number from 1 to 10000",
            ),
            (
                "{sliding: 1h, every: 10m}",
                "{sliding: 1h, every: 10m, exact_up_to: 20}",
                "4: unknown window: use {session: 10m",
            ),
            (
                "{sliding: 1h, every: 10m}",
                "{hopping: 1h}",
                "4: unknown window: use {session: 10m",
            ),
            (
                "{sliding: 1h, every: 10m}",
                "{last: 5}",
                "6: `n`: the newest events of several partitions can be merged for last",
            ),
            (
                "{sliding: 1h, every: 10m}",
                "{session: 10m, start: began}",
                "4: parts of a session in several partitions cannot be told to be one without an id: write `partition_local: true`",
            ),
            (
                "{sliding: 1h, every: 10m}",
                "{session: 10m, start: began, ends: {on: {event_type: exit}, if: {n: [A]}}}",
                "4: a session without an id ends by its gap alone: leave out `ends`",
            ),
            (
                "{sliding: 1h, every: 10m}",
                "{session: 10m, start: n}",
                "4: `n` is a feature already: `start` is a column of its own",
            ),
            (
                "{sliding: 1h, every: 10m}",
                "{session: 10m, start: user_id}",
                "4: `start` is the entity already",
            ),
            (
                "{sliding: 1h, every: 10m}",
                "{session: 10m, start: event_time}",
                "4: `event_time` is a name that userflow needs itself",
            ),
            (
                "{sliding: 1h, every: 10m}",
                "{session: 10m, start: began}\npartition_local: true\nbatch: {table: silver.t}",
                "sessions without an id have no batch table",
            ),
            (
                "user_id",
                "scroll_ratio",
                "3: `scroll_ratio` is no text or id column",
            ),
            (
                "user_id",
                "reader",
                "3: `entity`: the contract has no column `reader`",
            ),
            (
                "user_id",
                "[event_id, user_id, session_id, webtoon_id, episode_id, country]",
                "3: a key of 6 columns could have 3072 bytes",
            ),
            ("description: A view\n", "", "1: the description is missing"),
            (
                "entity: user_id",
                "entity: user_id\nentitty: x",
                "unknown field `entitty`",
            ),
        ];
        for (from, to, message) in cases {
            assert!(GOOD.contains(from), "{from}");
            let said = parse(&GOOD.replacen(from, to, 1), &contract).map(|_| "nothing".to_owned());
            let said = said.unwrap_or_else(|e| e.to_string());
            assert!(
                said.contains(message),
                "{to}: said `{said}`, should say `{message}`"
            );
        }
        parse(GOOD, &contract).expect("the view itself is good");
    }

    #[test]
    fn what_is_wrong_with_a_pattern_is_said() {
        let contract = webtoon().contract;
        let view = |features: &str| {
            format!(
                "feature_view: webtoon_v\ndescription: A view\nentity: user_id\npartition_local: true\nwindow: lifetime\nfeatures:\n{features}"
            )
        };
        const ABSENCE: &str =
            "  a: {absence: {of: {event_type: enter}, without: {event_type: exit}, within: 10m}}\n";
        const RUN: &str = "  r: {run: {of: {event_type: enter}, same: webtoon_id, times: 3, then: {of: {event_type: complete}, times: 2, within: 30m, among: episode_id}, until: {event_type: exit}}}\n";
        let more = "  at: {appeared: a}\n  what: {detail: r}\n  first_at: {coalesce: [at]}\n";
        let good = view(&format!("{ABSENCE}{RUN}{more}"));
        let read = parse(&good, &contract).expect("a good view");
        assert_eq!(read.features[0].value_type, ValueType::Boolean);
        assert_eq!(read.features[2].value_type, ValueType::Timestamp);
        assert_eq!(read.features[3].value_type, ValueType::Text);
        assert_eq!(read.features[4].value_type, ValueType::Timestamp);
        // What is put in place of what, and what the message must say.
        let cases = [
            (
                "window: lifetime",
                "window: {tumbling: 1h}",
                "7: `a`: a pattern has its own time",
            ),
            (
                "partition_local: true\n",
                "",
                "6: `a`: the order of events in different partitions is not known",
            ),
            (", within: 10m", "", "7: `a`: write `absence: {of:"),
            (
                "within: 10m",
                "within: soon",
                "7: `a`: `soon` is no duration",
            ),
            (
                "without: {event_type: exit}",
                "without: {event_type: leave}",
                "7: `a`: there is no event type `leave`",
            ),
            (
                "absence: {of",
                "when: {event_type: enter}, absence: {of",
                "7: `a`: write the conditions of `when` into `of`",
            ),
            (
                "times: 3",
                "times: 0",
                "8: `r`: times is a whole number from 1 to 1000",
            ),
            (", same: webtoon_id", "", "8: `r`: write `run: {of:"),
            ("same: webtoon_id", "same: is_free", "8: `r`:"),
            (
                "among: episode_id",
                "between: episode_id",
                "8: `r`: write `run: {of:",
            ),
            (
                "appeared: a",
                "appeared: b",
                "9: `at`: there is no feature `b` above it",
            ),
            (
                "detail: r",
                "detail: a",
                "10: `what`: `a` has no detail: write `detail: column` into its absence",
            ),
            ("detail: r", "detail: at", "10: `what`: `at` is no pattern"),
            (
                "coalesce: [at]",
                "coalesce: [at, what]",
                "11: `first_at`: `at` and `what` have different types",
            ),
            (
                "coalesce: [at]",
                "coalesce: []",
                "11: `first_at`: write `coalesce: [feature, feature]`",
            ),
            (
                "coalesce: [at]",
                "case: [{is: A, if: {what: A}}, {is: B}]",
                "11: `first_at`: a case cannot ask for `what`",
            ),
        ];
        for (from, to, message) in cases {
            assert_eq!(good.matches(from).count(), 1, "{from}");
            let said = parse(&good.replace(from, to), &contract).map(|_| "nothing".to_owned());
            let said = said.unwrap_or_else(|e| e.to_string());
            assert!(
                said.contains(message),
                "{to}: said `{said}`, should say `{message}`"
            );
        }
    }

    #[test]
    fn a_view_needs_no_prefix_but_a_name_of_its_own() {
        let models = tempfile::tempdir().expect("a folder");
        let good = GOOD.replace("webtoon_v", "visits");
        let domains = ["one", "two"].map(|name| {
            let dir = models.path().join(name);
            std::fs::create_dir_all(dir.join("features")).expect("a folder");
            let contract = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("webtoon/contract.json");
            let contract = std::fs::read_to_string(contract).expect("the contract");
            let contract = contract.replace(
                "\"x-domain\": \"webtoon\"",
                &format!("\"x-domain\": \"{name}\""),
            );
            std::fs::write(dir.join("contract.json"), contract).expect("written");
            dir
        });
        std::fs::write(domains[0].join("features/visits.yml"), &good).expect("written");
        let domain = Domain::load(models.path(), "one").expect("the domain");
        assert_eq!(load(&domain).expect("good views")[0].name, "visits");
        std::fs::write(domains[1].join("features/visits.yml"), &good).expect("written");
        let said = load(&domain).expect_err("two of a name").to_string();
        assert!(
            said.contains("two/features/visits.yml as well") && said.contains("`one_visits`"),
            "{said}"
        );
    }

    #[test]
    fn what_is_wrong_with_a_join_is_said() {
        let domain = webtoon();
        let dimensions = dimensions(&domain).expect("the seeds");
        let good = "feature_view: webtoon_v
description: A view
entity: user_id
join: {dimension: episode_metadata, on: episode_id, take: [genre, is_free, {images: image_count}]}
window: lifetime
features:
  free: {count: {when: {is_free: true}}}
  images: {sum: images}
  genres: {top_k: genre, k: 2}
";
        let view = parse_with(good, &domain.contract, &dimensions).expect("a good view");
        let types: Vec<ValueType> = view.features.iter().map(|f| f.value_type).collect();
        assert_eq!(
            types,
            [ValueType::BigInt, ValueType::BigInt, ValueType::TextArray]
        );
        // What is put in place of what, and what the message must say.
        let cases = [
            (
                "dimension: episode_metadata",
                "dimension: episodes",
                "4: `join`: there is no dimension `episodes`: the domain's seeds are episode_metadata",
            ),
            (
                "on: episode_id",
                "on: reader",
                "4: `join`: the contract has no column `reader`",
            ),
            (
                "on: episode_id",
                "on: country",
                "4: `join`: `episode_metadata` has no column `country`: it has webtoon_id",
            ),
            (
                "[genre,",
                "[kind,",
                "4: `join`: `episode_metadata` has no column `kind`",
            ),
            (
                "[genre,",
                "[webtoon_id,",
                "4: `join`: the events have a column `webtoon_id` already: take it by another name: `{episode_metadata_webtoon_id: webtoon_id}`",
            ),
            (
                "[genre,",
                "[genre, genre,",
                "4: `join`: the events have a column `genre` already",
            ),
            (
                "[genre, is_free, {images: image_count}]",
                "[]",
                "4: write `join: {dimension:",
            ),
            (
                "on: episode_id",
                "by: episode_id",
                "4: write `join: {dimension:",
            ),
            (
                "entity: user_id",
                "entity: genre",
                "3: `entity`: the contract has no column `genre`",
            ),
            (
                "{is_free: true}",
                "{is_new: true}",
                "7: `free`: the contract has no column `is_new`",
            ),
        ];
        for (from, to, message) in cases {
            assert_eq!(good.matches(from).count(), 1, "{from}");
            let said = parse_with(&good.replace(from, to), &domain.contract, &dimensions);
            let said = said.map_or_else(|e| e.to_string(), |_| "nothing".to_owned());
            assert!(
                said.contains(message),
                "{to}: said `{said}`, should say `{message}`"
            );
        }
        // What is joined is a part of the meaning; a view that joins nothing means what it did.
        let of = |text: &str| {
            parse_with(text, &domain.contract, &dimensions)
                .expect(text)
                .fingerprint
        };
        assert_eq!(
            of(GOOD),
            parse(GOOD, &domain.contract).expect("good").fingerprint
        );
        let mut seen = std::collections::HashSet::from([of(good)]);
        for (from, to) in [
            ("on: episode_id", "on: webtoon_id"),
            ("{images: image_count}", "{images: episode_no}"),
            ("[genre, is_free,", "[is_free, genre,"),
        ] {
            assert!(
                seen.insert(of(&good.replace(from, to))),
                "{from} is not in it"
            );
        }
    }

    #[test]
    fn a_fingerprint_is_of_the_meaning() {
        let contract = webtoon().contract;
        let of = |text: &str| parse(text, &contract).expect("good").fingerprint;
        let same = of(GOOD);
        assert_eq!(of(&GOOD.replace("A view", "Another text")), same);
        assert_eq!(of(&format!("{GOOD}ttl: 3h\n")), same);
        assert_ne!(of(&GOOD.replace("every: 10m", "every: 5m")), same);
        assert_ne!(
            of(&GOOD.replace("count: {}", "count: {when: {event_type: exit}}")),
            same
        );
    }
}
