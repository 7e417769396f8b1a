//! A mistake in a flag or in the script is told with its place.

use clap::Parser;

use super::super::compile::load;
use super::{Cli, args, models};

/// The error of the shipped script with one place changed.
fn error_of(from: &str, to: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let domain = folder.path().join("webtoon");
    std::fs::create_dir_all(domain.join("seeds")).unwrap();
    let seeds = "seeds/episode_metadata.csv";
    std::fs::copy(models().join("webtoon").join(seeds), domain.join(seeds)).unwrap();
    let script = std::fs::read_to_string(models().join("webtoon/simulation.yml")).unwrap();
    assert!(script.contains(from), "{from}");
    std::fs::write(domain.join("simulation.yml"), script.replacen(from, to, 1)).unwrap();
    let error = load(folder.path(), "webtoon").unwrap_err().to_string();
    assert!(
        error.contains("simulation.yml") || error.contains(".csv"),
        "{error}"
    );
    error
}

#[test]
fn mistakes_in_the_script() {
    for (from, to, expected) in [
        ("zipf: 1.0", "zipf: 9", "catalogue.zipf"),
        (
            "variables: [webtoon_id,",
            "variables: [comic_id,",
            "no column `comic_id`; the columns are webtoon_id,",
        ),
        (
            "group: webtoon_id",
            "group: genre",
            ": the rows of genre `fantasy` do not stand together",
        ),
        (
            "zone: zone #",
            "zone: time_zone #",
            "users.zone: no choice of users.draws sets `time_zone`",
        ),
        ("Asia/Seoul", "Asia/Soul", "`Asia/Soul` is no time zone"),
        (
            "key: user_id",
            "key: user",
            "message.key: no variable `user`; the variables are",
        ),
        (
            "on: [scroll, complete, exit]",
            "on: [skroll]",
            "`scroll_ratio`: on: no step `skroll`",
        ),
        (
            "gap: [10s, 60s]",
            "gap: [60s, 10s]",
            "step `scroll`: gap in ms is [60000, 10000]",
        ),
        ("gap: [10s, 60s]", "gap: [10x, 60s]", "`10x` is no duration"),
        (
            "weight: 80, reach",
            "wieght: 80, reach",
            "unknown field `wieght`",
        ),
        (
            "abandoned: true, ",
            "",
            "exactly one is marked `abandoned: true`, not 0",
        ),
        ("hours: [38,", "hours: [", "hours must be 24 weights"),
        (
            "{name: enter, set: {event_type: enter}}",
            "{name: enter, one_of: [{name: x, set: {event_type: enter}, gap: [1s, 2s]}]}",
            "one_of: step `x` has a name, a weight and what it sets",
        ),
        (
            "{name: enter, set: {event_type: enter}}",
            "{name: enter, one_of: [{name: x, set: {event_type: enter}, weight: 0}]}",
            "step `enter`: one_of: no step has a weight",
        ),
        (
            "{field: country}",
            "{field: country, any: [{is: KR}, {mask: '##', number: [1, 2]}]}",
            "`country`: write one of is, number and mask",
        ),
        (
            "{field: country}",
            "{field: country, moment: {epoch: s, zone: UTC}}",
            "`country`: moment: write epoch",
        ),
        (
            "{field: country}",
            "{field: country, list: [{any: [{is: 1}]}, {from: nobody}]}",
            "`country`: list[1]: no variable `nobody`",
        ),
        (
            "{drop: [session_id]}",
            "{drop: [session]}",
            "garbage: missing_field[0]: the message has no field `session`",
        ),
        (
            "omit: 0.02",
            "omit: 2",
            "`network_type`: omit is 2; a rate lies between 0 and 1",
        ),
        ("22c328ff22", "22c328f", "is not bytes in hexadecimal"),
        (
            "{shift: 366d}",
            "{}",
            "future_clock[0]: a variant must change something",
        ),
        (
            "on: [complete, exit], replace",
            "on: [completed], replace",
            "damage: scroll_jumps_back: on: no step `completed`",
        ),
        (
            "weight: 2, drop: [country]}",
            "weight: 2}",
            "damage: no_country: a variant must change something",
        ),
        (
            "GET /healthz HTTP/1.1",
            "GET\\n",
            "not_json[1]: holds a newline byte",
        ),
        (
            "- {field: country}",
            "- {field: region}",
            "no variable `region`",
        ),
        (
            "- {field: country}",
            "- {field: event_id}",
            "`event_id` is written twice",
        ),
        (
            "variable: session_id",
            "variable: country",
            "variable `country` is set both per user and per session",
        ),
    ] {
        let error = error_of(from, to);
        assert!(error.contains(expected), "{to}: {error}");
    }
}

#[test]
fn a_missing_domain_is_named() {
    let error = load(&models(), "comics").unwrap_err().to_string();
    assert!(error.contains("comics/simulation.yml"), "{error}");
}

#[test]
fn there_is_one_target() {
    let to = |flags: &str| {
        args(flags)
            .target()
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    assert!(to("--jsonl x").is_ok() && to("--brokers localhost:1").is_ok());
    assert!(to("").unwrap_err().contains("nowhere to send to"));
    assert!(
        to("--jsonl x --brokers localhost:1")
            .unwrap_err()
            .contains("exclude one another")
    );
}

#[test]
fn flags_out_of_range_are_refused() {
    for flags in [
        "--duplicates 2",
        "--days 0",
        "--rate 0",
        "--sessions 0",
        "--sessions 1 --events 1",
        "--start soon",
        "--seed -1",
    ] {
        let words = ["simulate", "--domain", "d"]
            .into_iter()
            .chain(flags.split_whitespace());
        assert!(Cli::try_parse_from(words).is_err(), "{flags}");
    }
}
