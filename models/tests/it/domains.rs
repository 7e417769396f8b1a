//! Finding a domain by its name.

use std::path::Path;

use userflow_models::ConfigError;
use userflow_models::domain::{Domain, known};

use super::contracts::NESTED;

#[test]
fn an_unknown_domain_names_those_that_are_known() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR"));
    let message = Domain::load(models, "cinema").unwrap_err().to_string();
    assert!(
        message.contains("`cinema`") && message.contains("webtoon"),
        "{message}"
    );
    assert!(matches!(
        Domain::load(models, "../models/webtoon"),
        Err(ConfigError::UnknownDomain { .. })
    ));
}

#[test]
fn a_missing_folder_is_named() {
    let message = Domain::load(Path::new("/nowhere/models"), "webtoon")
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("/nowhere/models") && message.contains("--models"),
        "{message}"
    );
}

#[test]
fn a_contract_belongs_into_the_folder_of_its_name() {
    let models = tempfile::tempdir().unwrap();
    assert!(known(models.path()).unwrap().is_empty());
    for name in ["other", "nested"] {
        std::fs::create_dir(models.path().join(name)).unwrap();
        std::fs::write(models.path().join(name).join("contract.json"), NESTED).unwrap();
    }
    assert_eq!(known(models.path()).unwrap(), ["nested", "other"]);
    let nested = Domain::load(models.path(), "nested").unwrap();
    assert_eq!(nested.contract.domain(), "nested");
    let message = Domain::load(models.path(), "other")
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("other/contract.json at /x-domain"),
        "{message}"
    );
}
