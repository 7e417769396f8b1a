//! Tests: what a view file may say of Redis.

use std::path::PathBuf;
use std::time::Duration;

use super::{FeatureView, KeyPart, RedisRows, RedisShape, parse, redis};
use crate::contract::Contract;
use crate::domain::Domain;

const VIEW: &str = "feature_view: webtoon_v
description: A view
entity: user_id
partition_local: true
window: {sliding: 1h, every: 10m}
features:
  n: {count: {}}
  episodes: {last_n: episode_id, n: 3}
  secret: {count: {}, hidden: true}
ttl: 2h
";

fn contract() -> Contract {
    let models = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    Domain::load(&models, "webtoon")
        .expect("the domain")
        .contract
}

fn said(text: &str) -> String {
    parse(text, &contract()).map_or_else(|e| e.to_string(), |_| "nothing".to_owned())
}

/// The view with this after it.
fn view(online: &str) -> FeatureView {
    parse(&format!("{VIEW}{online}\n"), &contract()).expect("a good view")
}

fn rows(online: &str) -> RedisRows {
    view(online).redis.expect("it stands in Redis")
}

fn pairs(names: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(field, column): &(&str, &str)| ((*field).to_owned(), (*column).to_owned());
    names.iter().map(owned).collect()
}

#[test]
fn a_key_alone_is_a_hash_of_all_that_readers_see_and_lives_as_long_as_the_row() {
    let rows = rows("online: {postgres: true, redis: \"user_features:{user_id}\"}");
    let key = [
        KeyPart::Text("user_features:".to_owned()),
        KeyPart::Column("user_id".to_owned()),
    ];
    assert_eq!(rows.key, key);
    assert_eq!(rows.template(), "user_features:{user_id}");
    assert_eq!(rows.ttl, Some(Duration::from_secs(7_200)));
    let fields = pairs(&[("n", "n"), ("episodes", "episodes")]);
    let keys = Vec::new();
    assert_eq!(rows.shape, RedisShape::Hash { keys, fields });
    assert_eq!(view("online: {postgres: true}").redis, None);
    assert_eq!(view("").redis, None);
}

#[test]
fn fields_are_chosen_and_named() {
    let rows = rows(
        "online:\n  redis:\n    key: \"u:{user_id}:x\"\n    keys: [user_id]\n    fields: [n, window_end, event_time]\n    rename: {n: count}\n    ttl: 30m",
    );
    let fields = pairs(&[
        ("count", "n"),
        ("window_end", "window_end"),
        ("event_time", "event_time"),
    ]);
    let keys = vec!["user_id".to_owned()];
    assert_eq!(rows.shape, RedisShape::Hash { keys, fields });
    assert_eq!(rows.ttl, Some(Duration::from_secs(1_800)));
    let list =
        self::rows("online: {redis: {key: \"l:{user_id}\", kind: list, fields: [episodes]}}");
    assert_eq!(list.shape, RedisShape::List("episodes".to_owned()));
    // A session says whether it is over.
    let session = VIEW.replace("{sliding: 1h, every: 10m}", "{session: 10m}");
    let session = format!("{session}online: {{redis: \"s:{{user_id}}\"}}\n");
    let session = parse(&session, &contract())
        .expect("a good view")
        .redis
        .expect("in Redis");
    let RedisShape::Hash { fields, .. } = session.shape else {
        panic!("a hash");
    };
    assert!(fields.contains(&("is_final".to_owned(), "is_final".to_owned())));
}

#[test]
fn where_a_row_stands_is_no_part_of_what_it_means() {
    let (there, not) = (view("online: {redis: \"u:{user_id}\"}"), view(""));
    assert_eq!(there.fingerprint, not.fingerprint);
    assert_eq!(there.former_fingerprint, not.former_fingerprint);
}

#[test]
fn what_is_wrong_is_said_with_its_line_and_the_fix() {
    let cases = [
        (
            "{postgres: false}",
            "11: `postgres: false`: PostgreSQL is the source of truth",
        ),
        ("{mysql: true}", "unknown field `mysql`"),
        ("{redis: {kind: hash}}", "11: `redis`: missing field `key`"),
        (
            "{redis: {key: \"u:{user_id}\", kind: set}}",
            "unknown variant `set`",
        ),
        (
            "{redis: \"u:{user}\"}",
            "11: `redis`: `{user}` is no column of the view's key: write it as in \"some_name:{user_id}\"",
        ),
        ("{redis: \"u:{n}\"}", "`{n}` is no column of the view's key"),
        (
            "{redis: \"users\"}",
            "`users` lacks `{user_id}`: two entities would share a key",
        ),
        ("{redis: \"u:{user_id\"}", "a brace has no other"),
        ("{redis: \"u:user_id}\"}", "a brace has no other"),
        (
            "{redis: \"u:{user_id}:{user_id}\"}",
            "`{user_id}` stands twice",
        ),
        (
            "{redis: \"{user_id}\"}",
            "a key begins with a text of its own",
        ),
        ("{redis: \"userflow:{user_id}\"}", "not with `userflow:`"),
        (
            "{redis: {key: \"u:{user_id}\", ttl: 3h}}",
            "the ttl in Redis is longer than the view's",
        ),
        (
            "{redis: {key: \"u:{user_id}\", ttl: soon}}",
            "`soon` is no duration",
        ),
        (
            "{redis: {key: \"u:{user_id}\", keys: [n]}}",
            "`keys`: `n` is no column of the view's key",
        ),
        (
            "{redis: {key: \"u:{user_id}\", fields: [secret]}}",
            "the view has no `secret`: it has n, episodes, window_end, event_time",
        ),
        (
            "{redis: {key: \"u:{user_id}\", fields: []}}",
            "a hash without fields",
        ),
        (
            "{redis: {key: \"u:{user_id}\", fields: [n], rename: {episodes: e}}}",
            "`rename`: `episodes` is none of its fields",
        ),
        (
            "{redis: {key: \"u:{user_id}\", rename: {n: 5}}}",
            "`rename`: `n` gets a text as its name",
        ),
        (
            "{redis: {key: \"u:{user_id}\", rename: {n: episodes}}}",
            "the field `episodes` stands twice",
        ),
        (
            "{redis: {key: \"u:{user_id}\", keys: [user_id], rename: {n: user_id}}}",
            "the field `user_id` stands twice",
        ),
        (
            "{redis: {key: \"u:{user_id}\", kind: list}}",
            "a list shows one feature that is a list",
        ),
        (
            "{redis: {key: \"u:{user_id}\", kind: list, fields: [n]}}",
            "a list shows one feature that is a list",
        ),
        (
            "{redis: {key: \"u:{user_id}\", kind: list, fields: [episodes], keys: [user_id]}}",
            "a list has no fields",
        ),
    ];
    for (online, message) in cases {
        let said = said(&format!("{VIEW}online: {online}\n"));
        assert!(
            said.contains(message),
            "{online}: said `{said}`, should say `{message}`"
        );
    }
    // Two columns of a key with nothing between: (ab, c) and (a, bc) would be one key.
    let two = VIEW.replace("entity: user_id", "entity: [user_id, episode_id]");
    let said = said(&format!(
        "{two}online: {{redis: \"u:{{user_id}}{{episode_id}}\"}}\n"
    ));
    assert!(said.contains("has one between columns"), "{said}");
}

#[test]
fn partials_are_refused_with_the_reason() {
    let spread = VIEW.replace("partition_local: true\n", "");
    let said = said(&format!("{spread}online: {{redis: \"u:{{user_id}}\"}}\n"));
    assert!(
        said.contains("may be in several Kafka partitions"),
        "{said}"
    );
    assert!(said.contains("partition_local: true"), "{said}");
}

#[test]
fn views_share_a_hash_when_they_agree_and_are_refused_when_they_do_not() {
    let clash = |first: &str, second: &str| {
        let (first, second) = (rows(first), rows(second));
        let views = [("first", &first), ("second", &second)];
        redis::clash(&views)
            .map(|(view, why)| format!("{view}: {why}"))
            .unwrap_or_default()
    };
    let one = "online: {redis: {key: \"u:{user_id}\", keys: [user_id], fields: [n]}}";
    let other =
        "online: {redis: {key: \"u:{user_id}\", keys: [user_id], fields: [episodes], ttl: 1h}}";
    assert_eq!(clash(one, other), "");
    assert!(
        clash(one, one)
            .starts_with("second: `redis`: first has the field `n` in the hash `u:{user_id}` too")
    );
    let list = "online: {redis: {key: \"u:{user_id}\", kind: list, fields: [episodes]}}";
    assert!(clash(one, list).contains("only hashes can be shared"));
    let taken = "online: {redis: {key: \"u:{user_id}\", fields: [n], rename: {n: user_id}}}";
    assert!(clash(one, taken).contains("has the field `user_id`"));
    assert!(clash(taken, other).contains("has the field `user_id`"));
    let elsewhere = "online: {redis: {key: \"v:{user_id}\", fields: [n]}}";
    assert_eq!(clash(one, elsewhere), "");
    // The same form, and another entity in it.
    let (first, mut second) = (rows(one), rows(other));
    second.key[1] = KeyPart::Column("episode_id".to_owned());
    let why = redis::clash(&[("first", &first), ("second", &second)]);
    assert!(
        why.expect("refused")
            .1
            .contains("one key of two different entities")
    );
    // Without a ttl one of them would keep the other's fields for good.
    let mut second = rows(other);
    second.ttl = None;
    let why = redis::clash(&[("first", &first), ("second", &second)]);
    assert!(
        why.expect("refused")
            .1
            .contains("only one of the two has a ttl")
    );
}
