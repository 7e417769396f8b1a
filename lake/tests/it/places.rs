//! Lakes in folders with any name: all of the lake works there, and nothing is made beside it.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use userflow_lake::{Commit, Guard, Lake, TableName};

use crate::table::{append, file, spec};

/// What is written, and the folder that is meant, both below a scratch folder.
const PLACES: [(&str, &str); 17] = [
    ("plain", "plain"),
    ("la ke", "la ke"),
    ("l%20e", "l%20e"),
    ("l%e", "l%e"),
    ("läke-é", "läke-é"),
    ("l#e", "l#e"),
    ("l#1", "l#1"),
    ("l?e", "l?e"),
    ("l+e&=", "l+e&="),
    ("l[e]{f}", "l[e]{f}"),
    ("日本", "日本"),
    ("l\\e", "l\\e"),
    ("l~e|f", "l~e|f"),
    ("trail/", "trail"),
    ("rel/../rel2", "rel2"),
    ("./here/.", "here"),
    ("deep/er/still", "deep/er/still"),
];

async fn works(lake: &Lake) {
    let table = lake.table(&TableName::parse("bronze.events").unwrap());
    assert!(table.snapshot().await.unwrap().is_none());
    table.create(&spec()).await.unwrap();
    let guard = Guard::Txns(HashSet::from(["p".to_owned()]));
    for n in 0..3 {
        let file = file(&table, 0, 10).await.unwrap();
        let commit = append(n, "p", n * 10, n * 10 + 10, vec![file]);
        table.commit(&commit, &guard).await.unwrap();
    }
    let found = table.require_snapshot().await.unwrap();
    let replace = Commit {
        base: 3,
        adds: vec![file(&table, 0, 30).await.unwrap()],
        removes: found.files().to_vec(),
        operation: "OPTIMIZE",
        ..Commit::default()
    };
    let day = Guard::Partitions(BTreeSet::from([0]));
    table.commit(&replace, &day).await.unwrap();
    let found = table.require_snapshot().await.unwrap();
    found.checkpoint().await.unwrap();
    let lock = table.lock().await.unwrap().unwrap();
    let removed = found
        .vacuum(&lock, std::time::Duration::ZERO, false)
        .await
        .unwrap();
    assert_eq!(removed.len(), 3);
    let found = table.require_snapshot().await.unwrap();
    assert_eq!((found.version(), found.files().len()), (4, 1));
    assert_eq!(found.txns().await.unwrap()["p"], 30);
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_may_have_any_name() {
    for (written, meant) in PLACES {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().canonicalize().unwrap();
        let location = format!("{}/{written}", root.display());
        let lake = Lake::open(&location).await.unwrap();
        assert_eq!(std::fs::read_dir(&root).unwrap().count(), 0, "{written}");
        works(&lake).await;
        let meant = root.join(meant);
        let all = files(&root);
        assert!(all.iter().all(|file| file.starts_with(&meant)), "{written}");
        assert!(
            meant
                .join("bronze/events/_delta_log/00000000000000000000.json")
                .exists(),
            "{written}"
        );
        // What others are told leads there as well.
        assert_eq!(lake.url().to_file_path().unwrap(), meant, "{written}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_url_is_a_folder() {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().canonicalize().unwrap();
    for (written, meant) in [
        ("fi le", "fi le"),
        ("fi%20le", "fi le"),
        ("l%25e", "l%e"),
        ("l%23e", "l#e"),
        ("%C3%A4", "ä"),
    ] {
        let lake = Lake::open(&format!("file://{}/{written}", root.display()))
            .await
            .unwrap();
        assert_eq!(lake.url().to_file_path().unwrap(), root.join(meant));
    }
    works(
        &Lake::open(&format!("file://{}/u%20rl", root.display()))
            .await
            .unwrap(),
    )
    .await;
    assert!(root.join("u rl/bronze/events").is_dir());
}
