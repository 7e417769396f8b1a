//! The three forms of a time, the calendar, and the cut to milliseconds.

use userflow_models::contract::Contract;

use super::contracts::{nested, webtoon};
use super::rows::{NO_TIME, problems, rows, value};

fn webtoon_at(member: &str) -> Result<String, Vec<String>> {
    let message = format!(
        "{{\"event_id\":\"e\",\"event_type\":\"exit\",\"user_id\":1,\"session_id\":\"s\",\"webtoon_id\":\"w\",\"episode_id\":\"p\",{member}}}"
    );
    at(&webtoon(), &message, "event_time")
}

fn nested_at(member: &str) -> Result<String, Vec<String>> {
    let message = format!(
        "{{\"id\":1,\"kind\":\"buy\",\"context\":{{\"device\":{{\"type\":\"pc\"}}}},{member}}}"
    );
    at(&nested(), &message, "at")
}

/// The time in UTC, to the millisecond.
fn at(contract: &Contract, message: &str, column: &str) -> Result<String, Vec<String>> {
    let mut decoder = userflow_models::decode::Decoder::new(contract);
    let decoded = decoder.decode(message.as_bytes(), NO_TIME);
    decoded.map_err(|rejection| problems(&rejection))?;
    let row = rows(&decoder.finish()).remove(0);
    let micros: i64 = value(contract, &row, column).unwrap().parse().unwrap();
    assert_eq!(micros % 1000, 0, "microseconds are cut");
    let time = chrono::DateTime::from_timestamp_micros(micros).unwrap();
    Ok(time.format("%Y-%m-%dT%H:%M:%S%.3f").to_string())
}

fn ok(time: &str) -> Result<String, Vec<String>> {
    Ok(time.to_owned())
}

fn wrong() -> Result<String, Vec<String>> {
    Err(vec!["wrong_type event_time".to_owned()])
}

#[test]
fn with_an_offset_it_is_the_instant() {
    for (written, utc) in [
        ("2026-11-01T12:00:00Z", "2026-11-01T12:00:00.000"),
        ("2026-11-01t12:00:00z", "2026-11-01T12:00:00.000"),
        ("2026-11-01 12:00:00+00:00", "2026-11-01T12:00:00.000"),
        ("2026-11-01T12:00:00-00:00", "2026-11-01T12:00:00.000"),
        ("2026-11-01T12:00:00+09:00", "2026-11-01T03:00:00.000"),
        ("2026-11-01T00:00:00+05:45", "2026-10-31T18:15:00.000"),
        ("2026-10-31T23:59:59.999-05:00", "2026-11-01T04:59:59.999"),
        ("2024-02-29T23:59:59+23:59", "2024-02-29T00:00:59.000"),
        ("2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000"),
    ] {
        assert_eq!(
            webtoon_at(&format!("\"utimestamptz\":\"{written}\"")),
            ok(utc),
            "{written}"
        );
    }
}

#[test]
fn fractions_are_cut_not_rounded() {
    for (fraction, ms) in [
        (".1", "100"),
        (".12", "120"),
        (".123", "123"),
        (".1239999999999999999", "123"),
        (".0009", "000"),
    ] {
        let member = format!("\"utimestamptz\":\"2026-11-01T12:00:00{fraction}Z\"");
        assert_eq!(
            webtoon_at(&member),
            ok(&format!("2026-11-01T12:00:00.{ms}"))
        );
    }
}

#[test]
fn a_text_that_is_no_time_is_the_wrong_type() {
    for text in [
        "2026-11-01",
        "2026-11-01T12:00Z",
        "2026-11-01T12:00:00",
        "2026-11-01T12:00:00+0900",
        "2026-11-01T12:00:00+9:00",
        "2026-11-01T12:00:00+24:00",
        "2026-11-01T12:00:00+09:60",
        "2026-11-01T24:00:00Z",
        "2026-11-01T12:60:00Z",
        "2026-12-31T23:59:60Z",
        "2026-02-29T12:00:00Z",
        "1900-02-29T12:00:00Z",
        "2026-04-31T12:00:00Z",
        "2026-13-01T12:00:00Z",
        "2026-00-01T12:00:00Z",
        "2026-11-00T12:00:00Z",
        "2026-11-01T12:00:00.Z",
        "2026-11-01T12:00:00,5Z",
        "2026-11-01T12:00:00Z ",
        " 2026-11-01T12:00:00Z",
        "2026-11-01_12:00:00Z",
        "26-11-01T12:00:00Z",
        "+2026-11-01T12:00:00Z",
        "2026-11-01T12:00:00ZZ",
        "2026-11-01T1a:00:00Z",
        "2026-11-01T12:00:00UTC",
        "1793534400000",
        "",
        "now",
        "２026-11-01T12:00:00Z",
    ] {
        assert_eq!(
            webtoon_at(&format!("\"utimestamptz\":\"{text}\"")),
            wrong(),
            "{text}"
        );
    }
}

#[test]
fn the_date_of_the_last_event_is_not_the_date_of_the_next() {
    let contract = webtoon();
    let mut decoder = userflow_models::decode::Decoder::new(&contract);
    let message = |time: &str| {
        format!(
            "{{\"event_id\":\"e\",\"event_type\":\"exit\",\"user_id\":1,\"session_id\":\"s\",\"webtoon_id\":\"w\",\"episode_id\":\"p\",\"utimestamptz\":\"{time}\"}}"
        )
    };
    for (time, good) in [
        ("2026-10-31T00:00:00Z", true),
        ("2026-10-32T00:00:00Z", false),
        ("2026-10-31T00:00:01Z", true),
        ("2026-11-01T00:00:00Z", true),
    ] {
        let result = decoder.decode(message(time).as_bytes(), super::rows::NOW_MS);
        assert_eq!(result.is_ok(), good, "{time}");
    }
    let rows = super::rows::rows(&decoder.finish());
    let days: Vec<&str> = rows
        .iter()
        .map(|row| value(&contract, row, "event_date").unwrap())
        .collect();
    assert_eq!(days, ["20757", "20757", "20758"]);
}

#[test]
fn a_number_is_epoch_milliseconds() {
    for number in [
        "1793534400123",
        "1793534400123.0",
        "1.793534400123e12",
        "17935344001230e-1",
    ] {
        assert_eq!(
            webtoon_at(&format!("\"timestamp\":{number}")),
            ok("2026-11-01T12:00:00.123"),
            "{number}"
        );
    }
    assert_eq!(webtoon_at("\"timestamp\":0"), ok("1970-01-01T00:00:00.000"));
    assert_eq!(webtoon_at("\"timestamp\":1793534400123.5"), wrong());
    assert_eq!(
        webtoon_at("\"utimestamptz\":1793534400123"),
        wrong(),
        "the domain wants a text here"
    );
    for number in ["1e30", "99999999999999999999", "-1"] {
        let out = Err(vec!["out_of_range event_time".to_owned()]);
        assert_eq!(
            webtoon_at(&format!("\"timestamp\":{number}")),
            out,
            "{number}"
        );
    }
}

#[test]
fn without_an_offset_it_is_in_the_default_zone() {
    assert_eq!(
        webtoon_at("\"event_time\":\"2026-11-01T12:00:00.5\""),
        ok("2026-11-01T12:00:00.500")
    );
    for (local, utc) in [
        ("2026-07-01T12:00:00", "2026-07-01T16:00:00.000"),
        ("2026-01-01T12:00:00.789", "2026-01-01T17:00:00.789"),
        ("2026-11-01T01:30:00", "2026-11-01T05:30:00.000"),
        ("2026-03-08T02:30:00", "2026-03-08T07:30:00.000"),
        ("2026-07-01T12:00:00+02:00", "2026-07-01T10:00:00.000"),
    ] {
        assert_eq!(
            nested_at(&format!("\"at\":\"{local}\"")),
            ok(utc),
            "{local}"
        );
    }
}

#[test]
fn the_first_alias_with_a_value_wins() {
    let [a, b, c] = [
        "2026-11-01T01:00:00Z",
        "2026-11-01T02:00:00Z",
        "2026-11-01T03:00:00Z",
    ];
    let all = format!("\"timestamp\":\"{c}\",\"event_time\":\"{b}\",\"utimestamptz\":\"{a}\"");
    assert_eq!(webtoon_at(&all), ok("2026-11-01T01:00:00.000"));
    assert_eq!(
        webtoon_at(&format!("\"timestamp\":\"{c}\",\"event_time\":\"{b}\"")),
        ok("2026-11-01T02:00:00.000")
    );
    let nulls = format!("\"utimestamptz\":null,\"event_time\":null,\"timestamp\":\"{c}\"");
    assert_eq!(webtoon_at(&nulls), ok("2026-11-01T03:00:00.000"));
    let bad_winner = format!("\"utimestamptz\":\"noon\",\"timestamp\":\"{c}\"");
    assert_eq!(
        webtoon_at(&bad_winner),
        wrong(),
        "a value that is there is used, not passed over"
    );
    assert_eq!(
        nested_at("\"meta\":{\"time\":1793534400000}"),
        ok("2026-11-01T12:00:00.000")
    );
}

#[test]
fn an_escaped_time_is_a_time() {
    assert_eq!(
        webtoon_at("\"utimestamptz\":\"2026-11-01T12:00:00\\u005A\""),
        ok("2026-11-01T12:00:00.000")
    );
    assert_eq!(
        webtoon_at("\"utimestamptz\":\"2026-11-01T12:00:00\\u005B\""),
        wrong()
    );
}

/// The clock remembers the last date it read; before the first there must be nothing that a text could equal by accident.
#[test]
fn ten_nul_characters_are_no_date_even_for_a_new_decoder() {
    let nul = "\\u0000".repeat(10);
    assert_eq!(
        webtoon_at(&format!("\"utimestamptz\":\"{nul}T00:00:00Z\"")),
        wrong()
    );
}
