//! Rows of a view for the tests here.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use userflow_models::domain::Domain;
use userflow_models::features::{self, FeatureView, online};

/// A view that counts events of users; `local`: a line of its file, or none.
pub(in super::super) fn view(local: &str) -> FeatureView {
    with(&format!("{local}window: lifetime"))
}

/// A view that counts events of sessions without an id.
pub(in super::super) fn sessions() -> FeatureView {
    with("partition_local: true\nwindow: {session: 10m, start: began}")
}

fn with(lines: &str) -> FeatureView {
    let models = concat!(env!("CARGO_MANIFEST_DIR"), "/../models");
    let domain = Domain::load(Path::new(models), "webtoon").expect("the domain");
    let text = format!(
        "feature_view: webtoon_test\ndescription: A test\nentity: user_id\n{lines}\nfeatures:\n  n: {{count: {{}}}}\n"
    );
    features::parse(&text, &domain.contract).expect("a view")
}

/// Rows of [`sessions`]: user, start, version.
pub(in super::super) fn session_rows(rows: &[(&str, i64, i64)]) -> RecordBatch {
    let starts = || {
        let starts = TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.1));
        Arc::new(starts.with_timezone("UTC"))
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0))),
        starts(),
        Arc::new(Int64Array::from(vec![1; rows.len()])),
        Arc::new(BooleanArray::from(vec![false; rows.len()])),
        Arc::new(BooleanArray::from(vec![false; rows.len()])),
        starts(),
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.2))),
        Arc::new(Int32Array::from(vec![0; rows.len()])),
    ];
    RecordBatch::try_new(online::schema(&sessions()), columns).expect("rows of the view")
}

/// Rows of it: key, newest event, version, partition.
pub(in super::super) fn rows(rows: &[(&str, i64, i64, i32)]) -> RecordBatch {
    let times = TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.1));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0))),
        Arc::new(Int64Array::from(vec![1; rows.len()])),
        Arc::new(times.with_timezone("UTC")),
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.2))),
        Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.3))),
    ];
    RecordBatch::try_new(online::schema(&view("")), columns).expect("rows of the view")
}
