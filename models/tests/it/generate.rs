//! Messages: valid ones with the row that they must become, and wild ones of which nothing is promised.

use proptest::prelude::*;
use proptest::sample::select;

/// A text as JSON, with escapes chosen by `style`: none that is not needed, some, or every character as `\u`.
pub(crate) fn quote(text: &str, style: u8) -> String {
    let mut out = String::from('"');
    for (index, character) in text.chars().enumerate() {
        let must = matches!(character, '"' | '\\') || character < ' ';
        let may = style == 2 || (style == 1 && index % 3 == 1);
        match character {
            '\n' if style == 0 => out.push_str("\\n"),
            '/' if style == 1 => out.push_str("\\/"),
            '"' | '\\' if style < 2 => {
                out.push('\\');
                out.push(character);
            }
            _ if must || may => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    match *unit % 2 == 0 {
                        true => out.push_str(&format!("\\u{unit:04x}")),
                        false => out.push_str(&format!("\\u{unit:04X}")),
                    }
                }
            }
            _ => out.push(character),
        }
    }
    out.push('"');
    out
}

/// An integer as JSON: plain, with a fraction of zeros, or with an exponent.
fn integer(value: i64, style: u8) -> String {
    match style {
        0 => value.to_string(),
        1 => format!("{value}.0"),
        2 => format!("{value}.000e+0"),
        3 if value != 0 => format!("{value}0E-1"),
        _ if value % 10 == 0 && value != 0 => format!("{}e1", value / 10),
        _ => format!("{value}e0"),
    }
}

/// `milliseconds` as a JSON value of a time, in one of the forms that the contract takes, and whether it is text.
fn time(ms: i64, offset: i32, style: u8) -> (String, bool) {
    let zone = chrono::FixedOffset::east_opt(offset * 60).unwrap();
    let time = chrono::DateTime::from_timestamp_millis(ms).unwrap();
    let local = time.with_timezone(&zone);
    match style {
        0 => (local.format("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string(), true),
        1 => (
            local.format("%Y-%m-%dt%H:%M:%S%.3f").to_string()
                + "999999"
                + &local.format("%:z").to_string(),
            true,
        ),
        2 => (time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(), true),
        3 => (time.format("%Y-%m-%d %H:%M:%S%.3fz").to_string(), true),
        4 => (time.format("%Y-%m-%dT%H:%M:%S%.3f").to_string(), true),
        _ => (ms.to_string(), false),
    }
}

fn text() -> BoxedStrategy<String> {
    prop_oneof![
        6 => "[a-zA-Z0-9_-]{1,40}",
        1 => "\\PC{1,12}",
        1 => "[\\x00-\\x1f\"\\\\/é한🦀]{1,10}",
    ]
    .boxed()
}

fn space() -> BoxedStrategy<&'static str> {
    prop_oneof![8 => Just(""), 1 => Just(" "), 1 => Just("\n\t"), 1 => Just("\r\n  ")].boxed()
}

/// A valid webtoon event: its bytes and, for each column up to `experiment_group`, the value that must come out.
#[derive(Debug, Clone)]
pub(crate) struct Valid {
    pub message: Vec<u8>,
    pub columns: Vec<Option<String>>,
    pub date: String,
    /// The unknown members, key and value as written.
    pub extra: Vec<(String, String)>,
}

/// A member of the message, the key not yet quoted.
type Pair = (String, String);

fn text_field(name: &'static str, required: bool) -> BoxedStrategy<(Option<Pair>, Option<String>)> {
    let present = (text(), 0..3_u8)
        .prop_map(move |(text, style)| (Some((name.to_owned(), quote(&text, style))), Some(text)));
    if required {
        return present.boxed();
    }
    let null = Just((Some((name.to_owned(), "null".to_owned())), None));
    prop_oneof![4 => present, 1 => Just((None, None)), 1 => null].boxed()
}

fn count_field(name: &'static str) -> BoxedStrategy<(Option<Pair>, Option<String>)> {
    let small = prop_oneof![0..1000_i64, Just(i64::MAX), Just(0)];
    let present = (small, 0..5_u8).prop_map(move |(value, style)| {
        // 9223372036854775807 with one more digit and an exponent is still itself.
        (
            Some((name.to_owned(), integer(value, style))),
            Some(value.to_string()),
        )
    });
    prop_oneof![4 => present, 1 => Just((None, None))].boxed()
}

/// A ratio of 0 to 1 and its units of 10^-15, from its digits.
fn ratio_field() -> BoxedStrategy<(Option<Pair>, Option<String>)> {
    let written = prop_oneof![
        5 => ("[0-9]{1,20}", 0..3_u8).prop_map(|(digits, style)| {
            let units = format!("{digits:0<15}")[..15].parse::<i64>().unwrap();
            let text = match style {
                0 => format!("0.{digits}"),
                1 => format!("0.00{digits}e2"),
                _ => format!("{}.{}0E-01", &digits[..1], &digits[1..]),
            };
            (text, units.to_string())
        }),
        1 => Just(("1".to_owned(), "1000000000000000".to_owned())),
        1 => Just(("0.1e1".to_owned(), "1000000000000000".to_owned())),
        1 => Just(("-0.0".to_owned(), "0".to_owned())),
    ];
    let present =
        written.prop_map(|(text, units)| (Some(("scroll_ratio".to_owned(), text)), Some(units)));
    prop_oneof![4 => present, 1 => Just((None, None))].boxed()
}

fn user_field() -> BoxedStrategy<(Option<Pair>, Option<String>)> {
    let number = (0..i64::MAX / 10, 0..5_u8).prop_map(|(value, style)| {
        (
            Some(("user_id".to_owned(), integer(value, style))),
            Some(value.to_string()),
        )
    });
    prop_oneof![text_field("user_id", true), number].boxed()
}

/// 1970 to the Kafka time of the tests.
fn time_field() -> BoxedStrategy<(Vec<Pair>, String, String)> {
    let ms = prop_oneof![
        1_700_000_000_000..super::rows::NOW_MS,
        0..super::rows::NOW_MS
    ];
    (ms, -720..720_i32, 0..6_u8, 0..3_usize)
        .prop_map(|(ms, offset, style, alias)| {
            // utimestamptz must be a text with an offset; the others take every form.
            let alias = if style > 3 { alias.max(1) } else { alias };
            let name = ["utimestamptz", "event_time", "timestamp"][alias];
            let (value, is_text) = time(ms, offset, style);
            let value = if is_text {
                quote(&value, u8::from(ms % 7 == 0))
            } else {
                value
            };
            let mut pairs = vec![(name.to_owned(), value)];
            if alias == 2 && ms % 2 == 0 {
                pairs.push(("utimestamptz".to_owned(), "null".to_owned()));
            }
            (
                pairs,
                (ms * 1000).to_string(),
                (ms / 86_400_000).to_string(),
            )
        })
        .boxed()
}

fn local_time_field() -> BoxedStrategy<(Option<Pair>, Option<String>)> {
    let present =
        (0..super::rows::NOW_MS, -720..720_i32, 0..4_u8).prop_map(|(ms, offset, style)| {
            let (value, _) = time(ms, offset, style);
            (
                Some(("local_timestamptz".to_owned(), quote(&value, 0))),
                Some(value),
            )
        });
    prop_oneof![4 => present, 1 => Just((None, None))].boxed()
}

/// Any JSON value, compact or not.
pub(crate) fn any_value() -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("-1.5e+10".to_owned()),
        Just("0".to_owned()),
        (text(), 0..3_u8).prop_map(|(text, style)| quote(&text, style)),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let list =
            (prop::collection::vec(inner.clone(), 0..3), space()).prop_map(|(items, space)| {
                format!("[{space}{}{space}]", items.join(&format!("{space},")))
            });
        let object = (prop::collection::vec(("[a-c]", inner), 0..3), space()).prop_map(
            |(members, space)| {
                let members: Vec<String> = members
                    .iter()
                    .map(|(key, value)| format!("\"{key}\"{space}:{space}{value}"))
                    .collect();
                format!("{{{space}{}}}", members.join(","))
            },
        );
        prop_oneof![list, object]
    })
    .boxed()
}

/// A valid webtoon event with any white space, order of keys, escapes and alias.
pub(crate) fn valid() -> BoxedStrategy<Valid> {
    let kinds = select(vec!["enter", "scroll", "complete", "exit"]);
    let kind = (kinds, 0..3_u8).prop_map(|(kind, style)| {
        (
            Some(("event_type".to_owned(), quote(kind, style))),
            Some(kind.to_owned()),
        )
    });
    let ids = (
        text_field("event_id", true),
        kind,
        user_field(),
        text_field("session_id", true),
        text_field("webtoon_id", true),
        text_field("episode_id", true),
    )
        .prop_map(|(a, b, c, d, e, f)| vec![a, b, c, d, e, f]);
    let about = (
        local_time_field(),
        text_field("country", false),
        text_field("platform", false),
        text_field("device", false),
        text_field("browser", false),
        text_field("network_type", false),
        ratio_field(),
        count_field("scroll_event_count"),
        count_field("dwell_time_ms"),
    )
        .prop_map(|(a, b, c, d, e, f, g, h, i)| vec![a, b, c, d, e, f, g, h, i]);
    let both = (
        text_field("experiment_name", true),
        text_field("experiment_group", true),
    )
        .prop_map(|(name, group)| vec![name, group]);
    let experiment = prop_oneof![both, Just(vec![(None, None), (None, None)])];
    let unknown = prop::collection::btree_map("x[a-z]{0,4}", any_value(), 0..4);

    (ids, time_field(), about, experiment, unknown)
        .prop_flat_map(
            |(ids, (times, event_time, date), about, experiment, unknown)| {
                let mut columns: Vec<Option<String>> =
                    ids.iter().map(|(_, value)| value.clone()).collect();
                columns.push(Some(event_time));
                columns.extend(
                    about
                        .iter()
                        .chain(&experiment)
                        .map(|(_, value)| value.clone()),
                );
                let known = ids
                    .into_iter()
                    .chain(about)
                    .chain(experiment)
                    .filter_map(|(pair, _)| pair);
                let mut members: Vec<(bool, Pair)> =
                    known.chain(times).map(|pair| (false, pair)).collect();
                members.extend(unknown.into_iter().map(|pair| (true, pair)));
                let shuffled = Just(members).prop_shuffle();
                (
                    shuffled,
                    prop::collection::vec(space(), 5),
                    0..2_u8,
                    Just(columns),
                    Just(date),
                )
            },
        )
        .prop_map(|(members, space, style, columns, date)| {
            let mut extra = Vec::new();
            let mut pairs = Vec::new();
            for (unknown, (key, value)) in members {
                // Escaped keys are for the known ones: of an unknown one the bytes are kept.
                let quoted = quote(&key, if unknown { 0 } else { style });
                pairs.push(format!(
                    "{}{quoted}{}:{}{value}",
                    space[0], space[1], space[2]
                ));
                if unknown {
                    extra.push((key, value));
                }
            }
            let message = format!(
                "{s}{{{}{s}}}{s}",
                pairs.join(&format!("{},", space[3])),
                s = space[4]
            );
            Valid {
                message: message.into_bytes(),
                columns,
                date,
                extra,
            }
        })
        .boxed()
}

/// What usually stands behind a key in a wild message.
#[derive(Clone, Copy)]
pub(crate) enum Usual {
    Leaf(&'static [&'static str]),
    Object(&'static [(&'static str, Usual)]),
}

/// An object of the given keys: most are there, most with a value that suits them, some twice, with unknown ones between.
pub(crate) fn wild(keys: &'static [(&'static str, Usual)]) -> BoxedStrategy<String> {
    let members: Vec<BoxedStrategy<Vec<Pair>>> = keys
        .iter()
        .map(|(key, usual)| member(key, *usual))
        .collect();
    let some = prop::collection::vec(("(x|y|context|a\"b)", any_value()), 1..3);
    let unknown = prop_oneof![2 => Just(Vec::new()), 1 => some];
    (
        members,
        unknown,
        prop::collection::vec(space(), 4),
        0..12_u8,
    )
        .prop_flat_map(|(members, unknown, space, style)| {
            let mut pairs: Vec<Pair> = members.into_iter().flatten().collect();
            pairs.extend(unknown);
            (Just(pairs).prop_shuffle(), Just(space), Just(style))
        })
        .prop_map(|(pairs, space, style)| {
            let pairs: Vec<String> = pairs
                .iter()
                .map(|(key, value)| {
                    let key = quote(key, if style == 0 { 2 } else { 0 });
                    format!("{}{key}{}:{}{value}", space[0], space[1], space[2])
                })
                .collect();
            format!("{{{}{}}}", pairs.join(","), space[3])
        })
        .boxed()
}

fn member(key: &'static str, usual: Usual) -> BoxedStrategy<Vec<Pair>> {
    let likely = match usual {
        Usual::Leaf(texts) => select(texts.to_vec()).prop_map(str::to_owned).boxed(),
        Usual::Object(keys) => wild(keys),
    };
    let odd = select(ODD.to_vec()).prop_map(str::to_owned);
    let value = prop_oneof![60 => likely, 1 => odd, 1 => any_value()];
    let count = prop_oneof![60 => Just(1_usize), 3 => Just(0), 1 => Just(2)];
    count
        .prop_flat_map(move |count| prop::collection::vec(value.clone(), count))
        .prop_map(move |values| {
            values
                .into_iter()
                .map(|value| (key.to_owned(), value))
                .collect()
        })
        .boxed()
}

/// Values that something is wrong with, or nearly.
pub(crate) const ODD: [&str; 42] = [
    "null",
    "\"\"",
    "true",
    "false",
    "{}",
    "[]",
    "0",
    "-0",
    "-0.0",
    "1",
    "1.0000000000000001",
    "-1",
    "4.5",
    "5.0",
    "5e0",
    "50e-1",
    "1e400",
    "-1e400",
    "1e-400",
    "0e99999999999999999999",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "123456789012345678901234567890",
    "1e60",
    "1e70",
    "0.1e1",
    "\"2026-02-29T00:00:00Z\"",
    "\"2024-02-29T23:59:59.9999Z\"",
    "\"2026-11-01T00:00:60Z\"",
    "\"2026-11-01T00:00:00\"",
    "\"2026-11-01T01:30:00\"",
    "\"2026-03-08T02:30:00.5\"",
    "\"1969-12-31T23:59:59Z\"",
    "\"2201-01-01T00:00:00Z\"",
    "\"2026-11-03T00:00:00Z\"",
    "1793491200000",
    "1793491200000.5",
    "1.7934912e12",
    "\"2026-11-01\"",
    "\"\\u0000\"",
    "\"2026-11-01T00:00:00\\u005a\"",
];

const TEXTS: Usual = Usual::Leaf(&[
    "\"a\"",
    "\"some longer text with spaces\"",
    "\"\\u00e9\\n\"",
    "\"한글\"",
]);
const TIMES: Usual = Usual::Leaf(&[
    "\"2026-11-01T10:11:12.345Z\"",
    "\"2026-11-01T10:11:12+09:00\"",
    "\"2026-11-01 10:11:12.1-03:30\"",
    "1793491200000",
    "\"2026-11-01T10:11:12\"",
]);
const ALIAS: Usual = Usual::Leaf(&[
    "null",
    "null",
    "null",
    "1793491200000",
    "\"2026-11-01T10:11:12\"",
]);
const COUNTS: Usual = Usual::Leaf(&["0", "7", "12345", "5.0", "1e3"]);

/// The keys of the webtoon contract.
pub(crate) const WEBTOON: &[(&str, Usual)] = &[
    ("event_id", TEXTS),
    (
        "event_type",
        Usual::Leaf(&[
            "\"enter\"",
            "\"scroll\"",
            "\"complete\"",
            "\"\\u0065xit\"",
            "\"jump\"",
        ]),
    ),
    (
        "user_id",
        Usual::Leaf(&["\"u1\"", "42", "42.0", "-7", "4e2"]),
    ),
    ("session_id", TEXTS),
    ("webtoon_id", TEXTS),
    ("episode_id", TEXTS),
    (
        "utimestamptz",
        Usual::Leaf(&[
            "\"2026-11-01T10:11:12.345Z\"",
            "null",
            "\"2026-11-02T01:00:00.001Z\"",
            "\"2026-11-01T10:11:12+09:00\"",
        ]),
    ),
    ("event_time", ALIAS),
    ("timestamp", ALIAS),
    (
        "local_timestamptz",
        Usual::Leaf(&["\"2026-11-01T10:11:12.345+09:00\"", "null"]),
    ),
    ("country", TEXTS),
    ("browser", TEXTS),
    (
        "scroll_ratio",
        Usual::Leaf(&["0", "1", "0.295", "0.9449999999999999999", "1e-3", "1.1"]),
    ),
    ("scroll_event_count", COUNTS),
    ("dwell_time_ms", COUNTS),
    ("experiment_name", TEXTS),
    ("experiment_group", TEXTS),
];

/// The keys of the nested contract.
pub(crate) const NESTED: &[(&str, Usual)] = &[
    (
        "price",
        Usual::Leaf(&[
            "9.99", "-99.999", "-100.001", "1000", "1000.001", "0.005", "1e3",
        ]),
    ),
    ("id", Usual::Leaf(&["\"i\"", "42", "42.50e1", "0e5"])),
    (
        "kind",
        Usual::Leaf(&["\"view\"", "\"click\"", "\"buy\"", "\"page_view\""]),
    ),
    ("context", Usual::Object(CONTEXT)),
    ("at", TIMES),
    ("meta", Usual::Object(&[("time", TIMES), ("other", TEXTS)])),
    ("online", Usual::Leaf(&["true", "false"])),
    (
        "born",
        Usual::Leaf(&[
            "\"2000-02-29\"",
            "\"1999-12-31\"",
            "\"1900-02-28\"",
            "\"2026-13-01\"",
        ]),
    ),
    ("coupon", TEXTS),
];

const CONTEXT: &[(&str, Usual)] = &[
    (
        "device",
        Usual::Object(&[("type", TEXTS), ("cores", COUNTS), ("vendor", TEXTS)]),
    ),
    (
        "battery",
        Usual::Leaf(&["0", "0.5", "0.9999999999999999", "1", "1e-300"]),
    ),
    (
        "place",
        Usual::Object(&[("city", TEXTS), ("street/no", TEXTS)]),
    ),
    ("sent_at", TIMES),
];
