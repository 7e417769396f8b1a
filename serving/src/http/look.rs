//! `GET /features/{view}/{key…}`: a row, for people and curl. A part of the key is a segment of the path, percent-encoded where it has a slash.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use userflow_models::services::FeatureRef;

use super::app::App;
use super::reply;
use crate::answer::{self, Status};
use crate::plan::Plan;
use crate::refusal::Refusal;
use crate::request::{Entities, Scalar};

/// What these requests are counted as.
const LABEL: &str = "(view)";

/// Answers with one row.
pub(super) async fn features(
    State(app): State<Arc<App>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let began = Instant::now();
    let looking = row(&app, uri.path(), &headers);
    let outcome = match tokio::time::timeout(app.limits.request_timeout, looking).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Refusal::unavailable("the answer took too long")),
    };
    let response = match outcome {
        Ok((status, body)) => reply::json(status, body.to_string()),
        Err(refusal) => reply::plain(&refusal),
    };
    app.count(LABEL, response.status().as_u16(), began);
    response
}

async fn row(app: &App, path: &str, headers: &HeaderMap) -> Result<(StatusCode, Value), Refusal> {
    let plan = plan(app, path, headers)?;
    let seen = look(app, &plan).await?;
    let status = match seen.status {
        Status::NotFound => StatusCode::NOT_FOUND,
        _ => StatusCode::OK,
    };
    Ok((status, seen.shown(&plan)))
}

/// A row as it is at a time.
pub(super) struct Seen {
    status: Status,
    features: Map<String, Value>,
    event_time: Option<i64>,
    now: i64,
    degraded: bool,
}

/// Reads the one row of a plan.
pub(super) async fn look(app: &App, plan: &Plan) -> Result<Seen, Refusal> {
    let mut read = app.stores.read(plan).await?;
    let now = (app.now)();
    let row = read.rows[0][0].as_mut();
    let view = &plan.parts[0].view;
    let event_time = row.as_ref().map(|row| row.event_time);
    let (mut features, mut overall) = (Map::new(), Status::NotFound);
    if let Some(row) = row {
        overall = Status::Present;
        for column in &plan.columns {
            let (value, status) = answer::judged(Some(row), column.feature, view.ttl, now);
            if status == Status::OutsideMaxAge {
                overall = status;
            }
            features.insert(column.name.clone(), json!(value));
        }
    }
    Ok(Seen {
        status: overall,
        features,
        event_time,
        now,
        degraded: read.degraded,
    })
}

impl Seen {
    /// Whether it says the same as one that was seen before.
    pub(super) fn is_as(&self, before: &Self) -> bool {
        self.status == before.status
            && self.event_time == before.event_time
            && self.features == before.features
    }

    /// What people see.
    pub(super) fn shown(&self, plan: &Plan) -> Value {
        let view = &plan.parts[0].view;
        json!({
            "view": view.name,
            "status": self.status,
            "features": self.features,
            "event_time": self.event_time.map(answer::shown),
            "age_seconds": self.event_time.map(|time| answer::age(time, self.now)),
            "ttl_seconds": view.ttl.map(|ttl| ttl.as_secs_f64()),
            "as_of": answer::shown(self.now),
            "degraded": self.degraded,
        })
    }
}

/// What the path asks for: all features of the view that the reader may see.
pub(super) fn plan(app: &App, path: &str, headers: &HeaderMap) -> Result<Plan, Refusal> {
    let reader = app.access.admit(headers)?;
    // The first segment is the endpoint's name.
    let mut segments = path.trim_start_matches('/').split('/').skip(1);
    let view = app.catalogue.view(segments.next().unwrap_or_default())?;
    let values: Vec<String> = segments
        .map(|segment| {
            let text = percent_decode_str(segment).decode_utf8();
            text.map(|text| text.into_owned())
                .map_err(|_| Refusal::bad("FeastError", "a part of the key is no UTF-8"))
        })
        .collect::<Result<_, _>>()?;
    if values.len() != view.key.len() {
        let names: Vec<String> = (view.key.iter())
            .map(|key| format!("{{{}}}", key.name))
            .collect();
        let message = format!(
            "a row of {0} is at /features/{0}/{1}",
            view.name,
            names.join("/")
        );
        return Err(Refusal::unprocessable(message));
    }
    let all = view.features.iter().map(|served| FeatureRef {
        view: view.name.clone(),
        feature: served.name.clone(),
    });
    let features: Vec<FeatureRef> = all
        .filter(|feature| reader.is_none_or(|reader| reader.may_see(feature)))
        .collect();
    if features.is_empty() {
        let message = format!("this token is for no feature of `{}`", view.name);
        return Err(Refusal::forbidden(message));
    }
    let keys = view.key.iter().zip(values);
    let entities = keys.map(|(key, value)| (key.name.clone(), vec![Scalar::Text(value)]));
    app.catalogue
        .plan(&features, &Entities(entities.collect()), false)
}
