//! Encode, then decode: a valid event becomes exactly its columns, however it is written.

use proptest::prelude::*;
use userflow_models::decode::Decoder;

use super::contracts::webtoon;
use super::generate::valid;
use super::reference::{Json, parse};
use super::rows::{NO_TIME, rows};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_valid_event_becomes_its_columns(events in prop::collection::vec(valid(), 1..6)) {
        // One decoder for all of them: what it learns of one event's order must not leak into the next one's values.
        let mut decoder = Decoder::new(&webtoon());
        for event in &events {
            let text = String::from_utf8_lossy(&event.message);
            prop_assert_eq!(decoder.decode(&event.message, NO_TIME), Ok(()), "{}", text);
        }
        prop_assert_eq!(decoder.rows(), events.len());
        let rows = rows(&decoder.finish());
        prop_assert_eq!(decoder.rows(), 0);
        for (event, row) in events.iter().zip(rows) {
            let columns = event.columns.len();
            prop_assert_eq!(&row[..columns], &event.columns[..]);
            prop_assert_eq!(row[columns].as_ref(), Some(&event.date));
            let Some(extra) = &row[columns + 1] else {
                prop_assert!(event.extra.is_empty());
                continue;
            };
            let Some(Json::Object(kept)) = parse(extra, 64) else { panic!("{extra}") };
            let kept: Vec<(String, String)> = kept.into_iter().map(|m| (m.key, m.raw)).collect();
            prop_assert_eq!(&kept, &event.extra);
        }
    }
}
