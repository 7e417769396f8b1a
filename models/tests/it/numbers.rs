//! Numbers are what was written, digit by digit.

use super::contracts::{nested, webtoon};
use super::rows::{decode, problems, value};

/// What `column` of the webtoon contract becomes when its field is `number`.
fn webtoon_number(column: &str, number: &str) -> Result<String, String> {
    let (field, id) = match column {
        "user_id" => (String::new(), number),
        _ => (format!(",\"{column}\":{number}"), "1"),
    };
    let message = format!(
        "{{\"event_id\":\"e\",\"event_type\":\"exit\",\"user_id\":{id},\"session_id\":\"s\",\"webtoon_id\":\"w\",\"episode_id\":\"p\",\"timestamp\":1793534400000{field}}}"
    );
    let contract = webtoon();
    match decode(&contract, message.as_bytes()) {
        Ok(row) => Ok(value(&contract, &row, column).unwrap().to_owned()),
        Err(rejection) => Err(problems(&rejection).join(", ")),
    }
}

fn nested_number(column: &str, members: &str) -> Result<String, String> {
    let message = format!(
        "{{\"id\":1,\"kind\":\"buy\",\"at\":0,\"context\":{{\"device\":{{\"type\":\"pc\"}},\"battery\":0.5}},{members}}}"
    );
    let contract = nested();
    match decode(&contract, message.as_bytes()) {
        Ok(row) => Ok(value(&contract, &row, column).unwrap().to_owned()),
        Err(rejection) => Err(problems(&rejection).join(", ")),
    }
}

#[test]
fn a_decimal_is_exact_and_cut_toward_zero() {
    for (written, units) in [
        ("0.295", "295000000000000"),
        ("0.945", "945000000000000"),
        ("0.1", "100000000000000"),
        ("0.123456789012345", "123456789012345"),
        ("0.1234567890123459", "123456789012345"),
        ("0.99999999999999999999999999", "999999999999999"),
        ("2.95e-1", "295000000000000"),
        ("0.0000295E+4", "295000000000000"),
        ("295e-3", "295000000000000"),
        ("0.000000000000001", "1"),
        ("0.0000000000000009", "0"),
        ("1e-15", "1"),
        ("1e-400", "0"),
        ("0e999999999999999999999999", "0"),
        ("0", "0"),
        ("-0.0", "0"),
        ("1", "1000000000000000"),
        ("1.000", "1000000000000000"),
    ] {
        assert_eq!(
            webtoon_number("scroll_ratio", written),
            Ok(units.to_owned()),
            "{written}"
        );
    }
}

#[test]
fn a_decimal_out_of_its_precision_or_range() {
    let out = Err("out_of_range price".to_owned());
    assert_eq!(
        nested_number("price", "\"price\":-99.999"),
        Ok("-9999".to_owned())
    );
    assert_eq!(
        nested_number("price", "\"price\":1e3"),
        Ok("100000".to_owned())
    );
    for number in [
        "-100",
        "-100.00",
        "1000.01",
        "1000.000000000000000000001",
        "1e9",
        "1e30",
        "1e300",
        "1e99999999999999999999",
    ] {
        assert_eq!(
            nested_number("price", &format!("\"price\":{number}")),
            out,
            "{number}"
        );
    }
    assert_eq!(
        nested_number("price", "\"price\":-99.9999999999999999999999999999"),
        Ok("-9999".to_owned())
    );
}

#[test]
fn an_integer_may_be_written_as_any_number_that_is_one() {
    for (written, value) in [
        ("5", "5"),
        ("5.0", "5"),
        ("5e0", "5"),
        ("50e-1", "5"),
        ("0.5e1", "5"),
        ("-0", "0"),
        ("1e3", "1000"),
        ("9223372036854775807", "9223372036854775807"),
        ("9223372036854775807.000", "9223372036854775807"),
        (
            "0.0000000000000000000000000000000000000000000000000000",
            "0",
        ),
    ] {
        assert_eq!(
            webtoon_number("dwell_time_ms", written),
            Ok(value.to_owned()),
            "{written}"
        );
    }
    for written in ["5.5", "1e-1", "0.1", "9007199254740993.5"] {
        assert_eq!(
            webtoon_number("dwell_time_ms", written),
            Err("wrong_type dwell_time_ms".to_owned()),
            "{written}"
        );
    }
    for written in [
        "-1",
        "9223372036854775808",
        "1e19",
        "1e400",
        "123456789012345678901234567890123456789012345",
    ] {
        assert_eq!(
            webtoon_number("dwell_time_ms", written),
            Err("out_of_range dwell_time_ms".to_owned()),
            "{written}"
        );
    }
}

#[test]
fn an_identifier_keeps_its_digits() {
    let long = "123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890";
    for (written, text) in [
        ("42", "42"),
        ("42.0", "42"),
        ("4.2e1", "42"),
        ("420e-1", "42"),
        ("-7", "-7"),
        ("-7.00", "-7"),
        ("0", "0"),
        ("-0", "0"),
        ("-0.0e5", "0"),
        ("1e3", "1000"),
        ("9007199254740993", "9007199254740993"),
        (long, long),
        ("\"042\"", "042"),
        ("\"4.5\"", "4.5"),
    ] {
        assert_eq!(
            webtoon_number("user_id", written),
            Ok(text.to_owned()),
            "{written}"
        );
    }
    let sixty_three_zeros = format!("1{}", "0".repeat(63));
    assert_eq!(webtoon_number("user_id", "1e63"), Ok(sixty_three_zeros));
    for written in ["1e64", "1e400", "1e99999999999999999999"] {
        assert_eq!(
            webtoon_number("user_id", written),
            Err("out_of_range user_id".to_owned()),
            "{written}"
        );
    }
    for written in [
        "4.5",
        "1e-1",
        "42.00000000000000000000000001",
        "1e-99999999999999999999",
    ] {
        assert_eq!(
            webtoon_number("user_id", written),
            Err("wrong_type user_id".to_owned()),
            "{written}"
        );
    }
}

#[test]
fn a_double_is_the_nearest_one() {
    let battery = |number: &str| {
        let message = format!(
            "{{\"id\":1,\"kind\":\"buy\",\"at\":0,\"context\":{{\"device\":{{\"type\":\"pc\"}},\"battery\":{number}}}}}"
        );
        let contract = nested();
        let row = decode(&contract, message.as_bytes())
            .map_err(|rejection| problems(&rejection).join(", "))?;
        Ok(f64::from_bits(
            value(&contract, &row, "battery").unwrap().parse().unwrap(),
        ))
    };
    for (written, number) in [
        ("0.1", 0.1),
        ("0.30000000000000004", 0.1 + 0.2),
        ("1e-320", 1e-320),
        ("-0.0", -0.0),
    ] {
        assert_eq!(battery(written), Ok::<f64, String>(number), "{written}");
    }
    for written in ["1", "1e400", "-1e-300", "-1e400"] {
        assert_eq!(
            battery(written),
            Err("out_of_range battery".to_owned()),
            "{written}"
        );
    }
}

#[test]
fn values_are_mapped() {
    let contract = nested();
    for (written, stored) in [
        ("\"view\"", "page_view"),
        ("\"vi\\u0065w\"", "page_view"),
        ("\"click\"", "click"),
    ] {
        let message = format!(
            "{{\"id\":1,\"kind\":{written},\"at\":0,\"context\":{{\"device\":{{\"type\":\"pc\"}}}}}}"
        );
        let row = decode(&contract, message.as_bytes()).unwrap();
        assert_eq!(value(&contract, &row, "kind"), Some(stored));
    }
    let mapped =
        "{\"id\":1,\"kind\":\"page_view\",\"at\":0,\"context\":{\"device\":{\"type\":\"pc\"}}}";
    let rejection = decode(&contract, mapped.as_bytes()).unwrap_err();
    assert_eq!(
        problems(&rejection),
        ["unknown_event_type kind"],
        "only what the enum lists may come"
    );
    assert_eq!(contract.event_types(), ["page_view", "click", "buy"]);
}
