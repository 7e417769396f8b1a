//! A registry of metrics with one line for each kind. The names are the business of who counts: one `metrics.rs` per crate.

use std::collections::BTreeMap;

use prometheus::core::Collector;
use prometheus::proto::Metric;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    TextEncoder,
};

pub use prometheus::Error;

/// The metrics of one service.
#[derive(Clone, Debug)]
pub struct Registry(prometheus::Registry);

impl Registry {
    /// All names begin with `prefix`.
    pub fn new(prefix: &str) -> Result<Self, Error> {
        prometheus::Registry::new_custom(Some(prefix.to_owned()), None).map(Self)
    }

    /// What only grows.
    pub fn counter(&self, name: &str, help: &str) -> Result<IntCounter, Error> {
        self.added(IntCounter::new(name, help)?)
    }

    /// What only grows, apart for each value of the labels.
    pub fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntCounterVec, Error> {
        self.added(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    /// What goes up and down.
    pub fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, Error> {
        self.added(IntGauge::new(name, help)?)
    }

    /// What goes up and down, apart for each value of the label.
    pub fn gauges(&self, name: &str, help: &str, label: &str) -> Result<IntGaugeVec, Error> {
        self.added(IntGaugeVec::new(Opts::new(name, help), &[label])?)
    }

    /// How often something took how many seconds.
    pub fn seconds(&self, name: &str, help: &str, buckets: &[f64]) -> Result<Histogram, Error> {
        let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.added(Histogram::with_opts(opts)?)
    }

    /// The same, apart for each value of the label.
    pub fn seconds_by(
        &self,
        name: &str,
        help: &str,
        label: &str,
        buckets: &[f64],
    ) -> Result<HistogramVec, Error> {
        let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.added(HistogramVec::new(opts, &[label])?)
    }

    /// All metrics as Prometheus text.
    pub fn render(&self) -> String {
        TextEncoder::new()
            .encode_to_string(&self.0.gather())
            .unwrap_or_else(|e| format!("# metrics cannot be rendered: {e}\n"))
    }

    fn added<M: Collector + Clone + 'static>(&self, metric: M) -> Result<M, Error> {
        self.0.register(Box::new(metric.clone()))?;
        Ok(metric)
    }
}

/// What gauges show, by the value of their label. Asking for one by its label would make it.
pub fn values(gauges: &IntGaugeVec, label: &str) -> BTreeMap<String, i64> {
    let labels = [label];
    let shown = shown(gauges, &labels, |metric| metric.get_gauge().get_value());
    shown
        .map(|(mut labels, value)| (labels.swap_remove(0), value as i64))
        .collect()
}

/// What counters show, by the values of their labels.
pub fn counts(counters: &IntCounterVec, labels: &[&str]) -> BTreeMap<Vec<String>, u64> {
    let shown = shown(counters, labels, |metric| metric.get_counter().get_value());
    shown
        .map(|(labels, value)| (labels, value as u64))
        .collect()
}

fn shown<'a>(
    metrics: &impl Collector,
    labels: &'a [&'a str],
    value: impl Fn(&Metric) -> f64 + 'a,
) -> impl Iterator<Item = (Vec<String>, f64)> + 'a {
    let all = metrics
        .collect()
        .into_iter()
        .flat_map(|family| family.get_metric().to_vec());
    all.map(move |metric| {
        let label = |name: &&str| {
            let found = metric.get_label().iter().find(|pair| pair.name() == *name);
            found.map_or_else(String::new, |pair| pair.value().to_owned())
        };
        (labels.iter().map(label).collect(), value(&metric))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_rendered_under_the_prefix() {
        let registry = Registry::new("userflow_x").unwrap();
        registry.counter("rows_total", "Rows").unwrap().inc_by(3);
        let lag = registry.gauges("lag", "Lag", "partition").unwrap();
        lag.with_label_values(&["2"]).set(7);
        let text = registry.render();
        assert!(text.contains("userflow_x_rows_total 3\n"), "{text}");
        assert!(
            text.contains("userflow_x_lag{partition=\"2\"} 7\n"),
            "{text}"
        );
        assert!(registry.counter("rows_total", "again").is_err());
    }

    #[test]
    fn what_is_apart_by_labels_can_be_read_without_making_more() {
        let registry = Registry::new("userflow_x").unwrap();
        let lag = registry.gauges("lag", "Lag", "partition").unwrap();
        assert!(values(&lag, "partition").is_empty());
        lag.with_label_values(&["2"]).set(-7);
        assert_eq!(
            values(&lag, "partition"),
            BTreeMap::from([("2".to_owned(), -7)])
        );
        let aside = registry
            .counters("aside", "Rows", &["view", "reason"])
            .unwrap();
        aside.with_label_values(&["v", "nul"]).inc_by(3);
        let expected = BTreeMap::from([(vec!["v".to_owned(), "nul".to_owned()], 3)]);
        assert_eq!(counts(&aside, &["view", "reason"]), expected);
    }
}
