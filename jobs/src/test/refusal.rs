//! Why messages were refused, as cases write it: `missing_field in user_id`.

use userflow_models::decode::Rejection;

/// A problem as a case writes it.
pub(super) fn problem(reason: &str, field: &str) -> String {
    match field {
        "" => reason.to_owned(),
        field => format!("{reason} in {field}"),
    }
}

/// Each problem of a message.
pub(super) fn problems(rejection: &Rejection) -> Vec<String> {
    let problems = rejection.problems.iter();
    problems
        .map(|found| problem(found.reason.as_str(), &found.field))
        .collect()
}
