//! `POST /get-online-features`, as Feast's feature server answers it.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use userflow_models::services::{FeatureRef, FeatureService};

use super::app::App;
use super::tokens::Reader;
use super::{body, reply};
use crate::answer::{self, Parts};
use crate::refusal::Refusal;
use crate::request::Asked;

/// What requests without a service are counted as.
const NO_SERVICE: &str = "(features)";
/// And those that did not get so far.
const UNREAD: &str = "(refused)";

/// Answers a request, and counts it.
pub(super) async fn get_online_features(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let began = Instant::now();
    let mut service = None;
    let answering = answered(&app, &headers, body, &mut service);
    let outcome = match tokio::time::timeout(app.limits.request_timeout, answering).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Refusal::unavailable("the answer took too long")),
    };
    let response = match outcome {
        Ok(text) => reply::json(StatusCode::OK, text),
        Err(refusal) => reply::feast(&refusal),
    };
    let service = service.as_deref().unwrap_or(UNREAD);
    app.count(service, response.status().as_u16(), began);
    response
}

/// The text of the answer. `label` gets the name of the service, once it is known to be one.
async fn answered(
    app: &App,
    headers: &HeaderMap,
    body: Body,
    label: &mut Option<String>,
) -> Result<String, Refusal> {
    let reader = app.access.admit(headers)?;
    let limits = &app.limits;
    let bytes = body::read(headers, body, limits.max_body, limits.request_timeout).await?;
    let asked: Asked = serde_json::from_slice(&bytes).map_err(|e| unreadable(&e))?;
    let (features, service) = named(app, reader, &asked)?;
    *label = Some(
        service
            .map_or(NO_SERVICE, |service| &service.name)
            .to_owned(),
    );
    app.within_limits(
        features.len(),
        asked.entities.0.iter().map(|(_, values)| values.len()),
    )?;
    let full_names = asked.full_feature_names.unwrap_or(false);
    let plan = app.catalogue.plan(&features, &asked.entities, full_names)?;
    let read = app.stores.read(&plan).await?;
    let parts = Parts {
        plan: &plan,
        entities: &asked.entities,
        rows: read.rows,
        degraded: read.degraded,
        service: service.map(|service| (service.name.as_str(), service.version.as_str())),
        list_views: asked.include_feature_view_version_metadata.unwrap_or(false),
        // After the rows were read: no value is sent that was too old when it was sent off.
        now: (app.now)(),
    };
    let (answer, counts) = answer::answer(parts);
    for ((part, status), count) in counts {
        let labels = [plan.parts[part].view.name.as_str(), status.word()];
        app.metrics.values.with_label_values(&labels).inc_by(count);
    }
    Ok(serde_json::to_string(&answer).expect("texts, numbers and lists are always JSON"))
}

/// The features that are asked for, and the service that names them.
fn named<'a>(
    app: &'a App,
    reader: Option<&Reader>,
    asked: &Asked,
) -> Result<(Vec<FeatureRef>, Option<&'a FeatureService>), Refusal> {
    if let Some(name) = &asked.feature_service {
        if reader.is_some_and(|reader| !reader.may_use(name)) {
            return Err(Refusal::forbidden(format!(
                "this token is not for the feature service `{name}`"
            )));
        }
        let service = app.catalogue.service(name)?;
        return Ok((service.features.clone(), Some(service)));
    }
    let Some(texts) = &asked.features else {
        let message = "neither `features` nor `feature_service` is given: name what is to be read";
        return Err(Refusal::unprocessable(message));
    };
    let features = texts.iter().map(|text| {
        let feature = FeatureRef::parse(text).ok_or_else(|| {
            Refusal::unprocessable(format!(
                "`features`: `{text}` is not written as view:feature"
            ))
        })?;
        match reader.is_none_or(|reader| reader.may_see(&feature)) {
            true => Ok(feature),
            false => Err(Refusal::forbidden(format!(
                "this token is not for the feature `{text}`"
            ))),
        }
    });
    Ok((features.collect::<Result<_, _>>()?, None))
}

fn unreadable(error: &serde_json::Error) -> Refusal {
    match error.is_data() {
        true => Refusal::unprocessable(format!("the body is not as it should be: {error}")),
        false => Refusal::bad("FeastError", format!("the body is no JSON: {error}")),
    }
}

impl App {
    /// Whether a request is not too large.
    pub(super) fn within_limits(
        &self,
        features: usize,
        mut rows: impl Iterator<Item = usize>,
    ) -> Result<(), Refusal> {
        let over =
            |most: u32, count: usize| u32::try_from(count).map_or(true, |count| count > most);
        let (most_features, most_rows) = (self.limits.max_features, self.limits.max_entities);
        if over(most_features, features) {
            return Err(Refusal::unprocessable(format!(
                "{features} features are more than the {most_features} of a request"
            )));
        }
        match rows.find(|rows| over(most_rows, *rows)) {
            Some(rows) => Err(Refusal::unprocessable(format!(
                "{rows} entities are more than the {most_rows} of a request: send several"
            ))),
            None => Ok(()),
        }
    }

    /// Counts a request.
    pub(super) fn count(&self, service: &str, status: u16, began: Instant) {
        let labels = [service, &status.to_string()];
        self.metrics.requests.with_label_values(&labels).inc();
        let seconds = began.elapsed().as_secs_f64();
        let histogram = &self.metrics.request_seconds;
        histogram.with_label_values(&[service]).observe(seconds);
        tracing::debug!(service, status, seconds, "answered");
    }
}
