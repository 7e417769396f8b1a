//! Commits one by one: what each class of answer becomes.

use std::collections::HashSet;

use object_store::ObjectStoreExt;
use object_store::path::Path;
use userflow_lake::{CommitError, Guard, LakeError, Table};
use userflow_tests::faulty::Fault::{
    AnswerLost, Denied, Exists, Gone, Late, Precondition, Silence, Unavailable,
};
use userflow_tests::faulty::{Fault, Faulty, Request, Rule};

use crate::table::{BOUND, Log, append, file, table};

const P: &str = "app/topic/id/0";

fn guard() -> Guard {
    Guard::Txns(HashSet::from([P.to_owned()]))
}

fn rule(request: Request, path: &'static str, calls: std::ops::Range<usize>, fault: Fault) -> Rule {
    Rule {
        request,
        path,
        calls,
        fault,
    }
}

/// Commits ten rows from `from` on `base`, under these rules.
async fn commit(
    store: &Faulty,
    table: &Table,
    base: i64,
    from: i64,
    rules: Vec<Rule>,
) -> Result<i64, CommitError> {
    let files = vec![file(table, 0, 10).await.unwrap()];
    store.rules(rules);
    let commit = append(base, P, from, from + 10, files);
    let result = tokio::time::timeout(BOUND, table.commit(&commit, &guard()))
        .await
        .expect("a commit ends");
    store.heal().await;
    result
}

const FIRST: &str = "00001.json";

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_was_written_counts_once_whatever_the_store_says() {
    for (what, rules) in [
        ("lost", vec![rule(Request::Put, FIRST, 0..1, AnswerLost)]),
        (
            "never said, then refused as existing",
            vec![rule(Request::Put, FIRST, 0..1, Silence)],
        ),
        (
            "lost, and the log cannot be read for a while",
            vec![
                rule(Request::Put, FIRST, 0..1, AnswerLost),
                rule(Request::Get, FIRST, 0..5, Unavailable),
            ],
        ),
        (
            "lost, then a refusal without a word on why",
            vec![
                rule(Request::Put, FIRST, 0..1, AnswerLost),
                rule(Request::Get, FIRST, 0..1, Silence),
                rule(Request::Put, FIRST, 1..2, Precondition),
            ],
        ),
        ("late", vec![rule(Request::Put, FIRST, 0..1, Late)]),
        (
            "a storm",
            vec![rule(Request::Put, FIRST, 0..6, Unavailable)],
        ),
        (
            "another's write under way, which came to nothing",
            vec![rule(Request::Put, FIRST, 0..3, Exists)],
        ),
        (
            "the same, in other words",
            vec![rule(Request::Put, FIRST, 0..3, Precondition)],
        ),
        (
            "the base cannot be looked at for a while",
            vec![rule(Request::Get, "00000.json", 0..3, Unavailable)],
        ),
    ] {
        let store = Faulty::new();
        let table = table(&store).await;
        assert_eq!(
            commit(&store, &table, 0, 0, rules).await.unwrap(),
            1,
            "{what}"
        );
        assert_eq!(commit(&store, &table, 1, 10, vec![]).await.unwrap(), 2);
        let log = Log::read(&store).await;
        assert_eq!((log.rows(), log.positions[P]), (20, 20), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_taken_and_cannot_be_read_ends_with_an_error() {
    let store = Faulty::new();
    let table = table(&store).await;
    let before = store.requests();
    let error = commit(
        &store,
        &table,
        0,
        0,
        vec![rule(Request::Put, FIRST, 0..usize::MAX, Exists)],
    )
    .await
    .unwrap_err();
    assert!(matches!(error, CommitError::Lake(LakeError::Store { .. })));
    // The file, the base, then eight times a write and a look.
    assert_eq!(store.requests() - before, 2 + 8 * 2);
    assert_eq!(Log::read(&store).await.versions, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_is_resolved_by_the_next_attempt() {
    for fault in [AnswerLost, Late, Silence, Unavailable] {
        let store = Faulty::new();
        let table = table(&store).await;
        // Nothing is heard of the entry until the attempts end; then the store is well again.
        let silent = vec![
            rule(Request::Put, FIRST, 0..1, fault),
            rule(Request::Put, FIRST, 1..usize::MAX, Unavailable),
            rule(Request::Get, FIRST, 0..usize::MAX, Unavailable),
        ];
        let error = commit(&store, &table, 0, 0, silent).await.unwrap_err();
        assert!(matches!(error, CommitError::Lake(_)), "{fault:?}");
        let found = table.require_snapshot().await.unwrap();
        let positions = found.txns().await.unwrap();
        let at = positions.get(P).copied().unwrap_or(0);
        assert_eq!(at, if fault == Unavailable { 0 } else { 10 }, "{fault:?}");
        commit(&store, &table, found.version(), at, vec![])
            .await
            .unwrap();
        let log = Log::read(&store).await;
        let end = u64::try_from(at).unwrap() + 10;
        assert_eq!(log.rows(), end, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_pass_is_not_asked_again() {
    let store = Faulty::new();
    let table = table(&store).await;
    let before = store.requests();
    let denied = vec![rule(Request::Put, FIRST, 0..usize::MAX, Denied)];
    let error = commit(&store, &table, 0, 0, denied).await.unwrap_err();
    assert!(matches!(error, CommitError::Lake(_)), "{error}");
    assert_eq!(store.requests() - before, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_that_was_cleaned_away_is_a_conflict() {
    let store = Faulty::new();
    let table = table(&store).await;
    let gone = vec![rule(Request::Get, "00000.json", 0..1, Gone)];
    let error = commit(&store, &table, 0, 0, gone).await.unwrap_err();
    assert!(
        matches!(error, CommitError::Conflict { version: 0, .. }),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_winner_of_a_version_is_found_behind_any_answer() {
    for fault in [Exists, Precondition, Unavailable] {
        let store = Faulty::new();
        let table = table(&store).await;
        commit(&store, &table, 0, 0, vec![]).await.unwrap();
        // The loser still believes in version 0.
        let rules = vec![rule(Request::Put, FIRST, 0..1, fault)];
        let error = commit(&store, &table, 0, 0, rules).await.unwrap_err();
        assert!(
            matches!(&error, CommitError::Fenced { version: 1, .. }),
            "{error}"
        );
        assert_eq!(Log::read(&store).await.rows(), 10);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_entry_ends_with_an_error() {
    let store = Faulty::new();
    let table = table(&store).await;
    let path = Path::from("bronze/events/_delta_log/00000000000000000001.json");
    store
        .inner
        .put(&path, "{\"commitInfo\":{\"batch".into())
        .await
        .unwrap();
    let error = commit(&store, &table, 0, 0, vec![]).await.unwrap_err();
    assert!(matches!(error, CommitError::Lake(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_made_once_whatever_the_store_says() {
    use userflow_lake::{Created, Lake, TableName};
    for fault in [AnswerLost, Silence, Late, Exists, Unavailable] {
        let store = Faulty::new();
        let lake = Lake::over(
            std::sync::Arc::new(store.clone()),
            url::Url::parse("memory:///").unwrap(),
            crate::table::RETRY,
        )
        .unwrap();
        let table = lake.table(&TableName::parse("bronze.events").unwrap());
        store.rules([rule(Request::Put, "_delta_log", 0..1, fault)]);
        let spec = crate::table::spec();
        assert_eq!(
            table.create(&spec).await.unwrap(),
            Created::New,
            "{fault:?}"
        );
        assert_eq!(table.create(&spec).await.unwrap(), Created::Existed);
        assert_eq!(Log::read(&store).await.versions, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_and_lists_are_asked_for_again() {
    let store = Faulty::new();
    let table = table(&store).await;
    store.rules([
        rule(Request::Put, ".parquet", 0..3, Unavailable),
        rule(Request::Put, ".parquet", 3..4, AnswerLost),
    ]);
    let file = file(&table, 0, 10).await.unwrap();
    table
        .commit(&append(0, P, 0, 10, vec![file]), &guard())
        .await
        .unwrap();
    for rules in [
        vec![rule(Request::List, "_delta_log", 0..3, Unavailable)],
        vec![rule(Request::Get, "_last_checkpoint", 0..3, Unavailable)],
        vec![rule(Request::Get, "_last_checkpoint", 0..2, Silence)],
        vec![rule(Request::Get, ".json", 0..3, Unavailable)],
    ] {
        store.rules(rules.clone());
        let before = store.injected();
        let found = table.require_snapshot().await.unwrap();
        assert_eq!((found.version(), found.files().len()), (1, 1), "{rules:?}");
        assert_eq!(found.txns().await.unwrap()[P], 10, "{rules:?}");
        assert!(store.injected() > before, "{rules:?} hit nothing");
    }
}
