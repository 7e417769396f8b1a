//! A service's file: `models/<domain>/services/<name>.yml`.

use std::path::Path;

use serde::Deserialize;

use super::service::{FeatureRef, FeatureService, version};
use super::view::ServedView;
use crate::error::Problem;
use crate::project::is_identifier;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    feature_service: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    owner: String,
    features: Vec<String>,
}

/// Reads and checks one service.
pub(super) fn service(
    file: &Path,
    text: &str,
    domain: &str,
    views: &[ServedView],
) -> Result<FeatureService, Problem> {
    let written: Written = serde_yaml_ng::from_str(text).map_err(|error| {
        let line = error.location().map(|location| location.line());
        let message = error.to_string();
        let said = message.split(" at line ").next().unwrap_or_default();
        let shape =
            "write feature_service, description, owner and features (a list of view:feature)";
        Problem::new(file, line, format!("{said}: {shape}"))
    })?;
    let at = |word: &str, message: String| {
        let line = text.lines().position(|line| {
            let line = line.split(" #").next().unwrap_or_default();
            let item = line.trim_start().trim_start_matches("- ");
            item.trim().trim_matches(['"', '\'']) == word || item.starts_with(&format!("{word}:"))
        });
        Problem::new(file, line.map(|line| line + 1), message)
    };
    let name = written.feature_service;
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    if !is_identifier(&name) || name.len() > 48 {
        let message = format!("`{name}` is no plain name: use a-z, 0-9 and _, at most 48 of them");
        return Err(at("feature_service", message));
    }
    if name != stem {
        let message = format!(
            "feature_service `{name}` stands in {stem}.yml: give file and service one name"
        );
        return Err(at("feature_service", message));
    }
    for (key, value, example) in [
        (
            "description",
            &written.description,
            "who reads it and what for",
        ),
        ("owner", &written.owner, "whom to ask before it changes"),
    ] {
        if value.trim().is_empty() {
            let message = format!("`{key}` is missing: say {example} (`{key}: ...`)");
            return Err(at("feature_service", message));
        }
    }
    if written.features.is_empty() {
        let message = "no features: name at least one, as `- view:feature`";
        return Err(at("features", message.to_owned()));
    }
    let mut features: Vec<FeatureRef> = Vec::new();
    for text in &written.features {
        let feature = one(text, domain, views).map_err(|message| at(text, message))?;
        if features.contains(&feature) {
            return Err(at(text, format!("`{text}` stands twice: leave out one")));
        }
        features.push(feature);
    }
    Ok(FeatureService {
        version: version(&name, &features, views),
        name,
        domain: domain.to_owned(),
        description: written.description,
        owner: written.owner,
        features,
    })
}

/// A feature of a view of the domain, or what is wrong.
fn one(text: &str, domain: &str, views: &[ServedView]) -> Result<FeatureRef, String> {
    let feature = FeatureRef::parse(text)
        .ok_or_else(|| format!("`{text}` is no feature: write it as view:feature"))?;
    let view = views.iter().find(|view| view.name == feature.view);
    let view = view.ok_or_else(|| {
        let known: Vec<&str> = views.iter().map(|view| view.name.as_str()).collect();
        format!(
            "`{text}`: {domain} has no view `{}`: it has {}",
            feature.view,
            known.join(", ")
        )
    })?;
    if view.feature(&feature.feature).is_none() {
        let known = view.features.iter().map(|served| served.name.as_str());
        let known: Vec<&str> = known.collect();
        return Err(format!(
            "`{text}`: {} has no feature `{}` that readers see: it has {}",
            view.name,
            feature.feature,
            known.join(", ")
        ));
    }
    Ok(feature)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::view;
    use super::*;
    use crate::domain::Domain;

    const GOOD: &str = "feature_service: reader
description: The ranking of the start page
owner: recommendations
features:
  - webtoon_user_1h:sessions # in the last hour
  - webtoon_user_lifetime:sessions
  - webtoon_session:is_final
";

    fn said(text: &str) -> Result<FeatureService, String> {
        let models = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let domain = Domain::load(&models, "webtoon").expect("the domain");
        let views = view::of_domain(&domain).expect("its views");
        service(Path::new("services/reader.yml"), text, "webtoon", &views)
            .map_err(|problem| problem.to_string())
    }

    #[test]
    fn a_service_is_its_features_in_order() {
        let service = said(GOOD).expect("a good service");
        let features: Vec<String> = service.features.iter().map(ToString::to_string).collect();
        let expected = [
            "webtoon_user_1h:sessions",
            "webtoon_user_lifetime:sessions",
            "webtoon_session:is_final",
        ];
        assert_eq!(features, expected);
        assert_eq!(service.version.len(), 16);
    }

    #[test]
    fn the_version_is_of_the_list_and_not_of_the_words_around_it() {
        let version = |text: &str| said(text).expect("a good service").version;
        let one = version(GOOD);
        assert_eq!(one, version(&GOOD.replace("recommendations", "another")));
        assert_ne!(one, version(&GOOD.replace("1h:sessions", "1h:events")));
        let line = "  - webtoon_session:is_final\n";
        assert_ne!(one, version(&GOOD.replace(line, "")));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line_and_the_fix() {
        let cases = [
            (
                "owner: recommendations\n",
                "",
                "1: `owner` is missing: say whom",
            ),
            (
                "The ranking of the start page",
                "",
                "1: `description` is missing",
            ),
            (
                "service: reader",
                "service: writer",
                "1: feature_service `writer` stands in reader.yml",
            ),
            (
                "service: reader",
                "service: Re ader",
                "1: `Re ader` is no plain name",
            ),
            (
                "webtoon_user_1h:sessions",
                "webtoon_user_1h",
                "5: `webtoon_user_1h` is no feature: write it as view:feature",
            ),
            (
                "webtoon_user_1h:",
                "webtoon_user_2h:",
                "5: `webtoon_user_2h:sessions`: webtoon has no view `webtoon_user_2h`: it has webtoon_episode_1h, ",
            ),
            (
                "1h:sessions",
                "1h:session",
                "5: `webtoon_user_1h:session`: webtoon_user_1h has no feature `session` that readers see: it has sessions, events",
            ),
            (
                "session:is_final",
                "session:seen_exit",
                "7: `webtoon_session:seen_exit`: webtoon_session has no feature `seen_exit` that readers see",
            ),
            (
                "webtoon_session:is_final",
                "webtoon_user_1h:sessions",
                "`webtoon_user_1h:sessions` stands twice",
            ),
            ("owner:", "team:", "unknown field `team`"),
        ];
        for (from, to, message) in cases {
            let said = said(&GOOD.replace(from, to)).expect_err(message);
            assert!(
                said.contains(message),
                "said `{said}`, should say `{message}`"
            );
        }
        let none = GOOD.split("  - ").next().unwrap_or_default();
        let said = said(&none.replace("features:", "features: []")).expect_err("no features");
        assert!(said.contains("4: no features"), "{said}");
    }
}
