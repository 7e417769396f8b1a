//! Samples of click-streams in the shapes of well-known producers, each from a seed: one JSON message a line, all on 2026-11-01.

use serde_json::{Value, json};

/// Messages of a sample.
pub const EVENTS: usize = 300;
const USERS: usize = 20;
/// 2026-11-01T00:00:00Z.
const MIDNIGHT_MS: i64 = 1_793_491_200_000;

/// One event before it has a shape.
pub struct Fact {
    /// Who, from 0.
    pub user: usize,
    /// When.
    pub at_ms: i64,
    /// Which of the shape's event types.
    pub kind: usize,
    /// What it is about.
    pub thing: usize,
    /// What it costs.
    pub cents: u32,
    /// 32 hexadecimal digits, different for every event.
    pub id: String,
}

impl Fact {
    fn rfc3339(&self, later_ms: i64) -> String {
        time(self.at_ms + later_ms, "%Y-%m-%dT%H:%M:%S%.3fZ")
    }

    fn uuid(&self) -> String {
        let id = &self.id;
        format!(
            "{}-{}-{}-{}-{}",
            &id[..8],
            &id[8..12],
            &id[12..16],
            &id[16..20],
            &id[20..]
        )
    }

    fn hour(&self) -> i64 {
        (self.at_ms - MIDNIGHT_MS) / 3_600_000
    }

    fn price(&self) -> f64 {
        f64::from(self.cents) / 100.0
    }
}

fn time(at_ms: i64, form: &str) -> String {
    let time = chrono::DateTime::from_timestamp_millis(at_ms).expect("a time of these years");
    time.format(form).to_string()
}

/// The facts of a seed, in the order of their times.
pub fn facts(seed: u64) -> Vec<Fact> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut at_ms = MIDNIGHT_MS;
    (0..EVENTS)
        .map(|_| {
            at_ms += random.i64(1_000..250_000);
            Fact {
                user: random.usize(..USERS),
                at_ms,
                kind: random.usize(..4),
                thing: random.usize(..40),
                cents: random.u32(100..20_000),
                id: format!("{:032x}", random.u128(..)),
            }
        })
        .collect()
}

/// A shape: its name, how a fact is written, and the event types in the order of `Fact::kind`.
pub struct Shape {
    /// Its name, which can be a domain's.
    pub name: &'static str,
    /// How a fact is written.
    pub write: fn(&Fact) -> Value,
    /// The event types in the order of [`Fact::kind`].
    pub types: [&'static str; 4],
    /// Pointers of type, time and user.
    pub needed: [&'static str; 3],
    /// Pointers of session and event id, or none.
    pub optional: [&'static str; 2],
    /// The user as `write` names it.
    pub user: fn(usize) -> String,
    /// Some further columns: name and type.
    pub columns: &'static [(&'static str, &'static str)],
}

impl Shape {
    /// The lines of the sample.
    pub fn lines(&self, facts: &[Fact]) -> String {
        let lines: Vec<String> = facts
            .iter()
            .map(|fact| (self.write)(fact).to_string())
            .collect();
        lines.join("\n")
    }
}

/// All of them.
pub const SHAPES: [Shape; 6] = [FLAT, SEGMENT, POSTHOG, SNOWPLOW, GA4, CLOUDEVENTS];

/// A log of a shop: no ids, a time without a zone.
pub const FLAT: Shape = Shape {
    name: "flat",
    write: |fact| {
        json!({
            "ts": time(fact.at_ms, "%Y-%m-%d %H:%M:%S"), "action": FLAT.types[fact.kind], "customer": format!("c{}", fact.user),
            "item": format!("P{}", fact.thing), "price": fact.price(), "qty": fact.kind + 1, "channel": (["web", "app"][fact.kind % 2]),
        })
    },
    types: ["view", "cart", "buy", "search"],
    needed: ["/action", "/ts", "/customer"],
    optional: ["none", "none"],
    user: |user| format!("c{user}"),
    columns: &[
        ("item", "string"),
        ("price", "decimal(18,2)"),
        ("qty", "bigint"),
        ("channel", "string"),
    ],
};

/// Segment's `track` calls.
const SEGMENT: Shape = Shape {
    name: "segment",
    write: |fact| {
        let known = (fact.user % 2 == 1).then(|| format!("user-{}", fact.user));
        let bought = fact.kind == 2;
        json!({
            "anonymousId": (SEGMENT.user)(fact.user), "userId": known, "channel": "browser", "integrations": {}, "version": 2,
            "context": {
                "app": {"name": "Shop", "version": "1.2.3"}, "active": true, "ip": "8.8.8.8", "locale": "en-US",
                "library": {"name": "analytics.js", "version": "2.11.1"}, "userAgent": "Mozilla/5.0",
                "campaign": if fact.user % 3 == 0 { json!({"name": "spring", "source": "mail"}) } else { json!({}) },
                "page": {"path": "/p", "referrer": "", "title": "P", "url": "https://shop.example/p"},
            },
            "event": SEGMENT.types[fact.kind], "messageId": format!("ajs-next-{}", fact.id), "type": "track",
            "originalTimestamp": fact.rfc3339(-20), "sentAt": fact.rfc3339(0), "timestamp": fact.rfc3339(0), "receivedAt": fact.rfc3339(900),
            "properties": if bought {
                json!({"order_id": format!("o{}", fact.id), "total": fact.price(), "products": [{"product_id": "P1", "quantity": 1}]})
            } else {
                json!({"product_id": format!("P{}", fact.thing), "price": fact.price(), "currency": "USD"})
            },
        })
    },
    types: [
        "Product Viewed",
        "Product Added",
        "Order Completed",
        "Signed Up",
    ],
    needed: ["/event", "/timestamp", "/anonymousId"],
    optional: ["none", "/messageId"],
    user: |user| format!("00000000-0000-4000-8000-{user:012}"),
    columns: &[
        ("user_id", "id"),
        ("product_id", "id"),
        ("total", "decimal(18,2)"),
        ("app_version", "string"),
        ("active", "boolean"),
        ("products", "list"),
        ("received_at", "timestamp"),
    ],
};

/// PostHog's events.
const POSTHOG: Shape = Shape {
    name: "posthog",
    write: |fact| {
        json!({
            "uuid": fact.uuid(), "event": POSTHOG.types[fact.kind], "distinct_id": (POSTHOG.user)(fact.user),
            "timestamp": time(fact.at_ms, "%Y-%m-%dT%H:%M:%S%.6f+00:00"), "created_at": fact.rfc3339(1_000), "team_id": 2,
            "person_id": format!("00000000-0000-4000-8000-{:012}", fact.user), "elements_chain": "",
            "properties": {
                "$session_id": format!("s-{}-{}", fact.user, fact.hour()), "$current_url": "https://x.example/", "$browser": (["Chrome", "Safari"][fact.kind % 2]),
                "$browser_version": 119 + fact.kind, "$screen_height": 900, "$insert_id": &fact.id[..16], "$time": fact.at_ms as f64 / 1000.0,
                "$feature/new": if fact.kind == 0 { json!("variant") } else { json!(true) }, "$active_feature_flags": ["a", "b"], "token": "phc_x",
            },
        })
    },
    types: ["$pageview", "$autocapture", "$pageleave", "signed_up"],
    needed: ["/event", "/timestamp", "/distinct_id"],
    optional: ["/properties/$session_id", "/uuid"],
    user: |user| format!("d{user}"),
    columns: &[
        ("browser", "string"),
        ("browser_version", "bigint"),
        ("created_at", "timestamp"),
        ("team_id", "id"),
    ],
};

/// Snowplow's enriched events as JSON.
const SNOWPLOW: Shape = Shape {
    name: "snowplow",
    write: |fact| {
        let added = fact.kind == 2;
        json!({
            "app_id": "shop", "platform": "web", "etl_tstamp": fact.rfc3339(3_000), "collector_tstamp": fact.rfc3339(1_000),
            "dvce_created_tstamp": fact.rfc3339(0), "derived_tstamp": fact.rfc3339(0), "event": if added { "unstruct" } else { SNOWPLOW.types[fact.kind] },
            "event_id": fact.uuid(), "txn_id": null, "user_id": (fact.user % 4 == 0).then(|| format!("m{}", fact.user)), "user_ipaddress": "1.2.3.4",
            "domain_userid": (SNOWPLOW.user)(fact.user), "domain_sessionidx": fact.hour() + 1, "network_userid": format!("n{}", fact.user),
            "domain_sessionid": format!("{}-{}", fact.user, fact.hour()), "geo_country": if fact.kind == 0 { None } else { Some("DE") },
            "geo_latitude": 48.1234, "page_url": "https://x.example/y", "se_value": null, "br_cookies": true, "event_vendor": "com.snowplowanalytics.snowplow",
            "event_name": SNOWPLOW.types[fact.kind], "event_version": "1-0-0", "contexts_com_snowplowanalytics_snowplow_web_page_1": [{"id": fact.uuid()}],
            "unstruct_event_com_shop_add_to_cart_1": if added { json!({"sku": format!("P{}", fact.thing), "unitPrice": fact.price()}) } else { Value::Null },
        })
    },
    types: ["page_view", "page_ping", "add_to_cart", "link_click"],
    needed: ["/event_name", "/derived_tstamp", "/domain_userid"],
    optional: ["/domain_sessionid", "/event_id"],
    user: |user| format!("00000000-0000-4000-8000-{user:012}"),
    columns: &[
        ("user_id", "id"),
        ("sku", "id"),
        ("unit_price", "decimal(18,2)"),
        ("domain_sessionidx", "bigint"),
        ("collector_tstamp", "timestamp"),
    ],
};

/// Rows of GA4's export to BigQuery: 64-bit integers are texts, parameters are lists.
const GA4: Shape = Shape {
    name: "ga4",
    write: |fact| {
        let microseconds = fact.at_ms * 1_000 + 7;
        let value = |text: Option<&str>, number: Option<String>| json!({"string_value": text, "int_value": number, "float_value": null, "double_value": null});
        json!({
            "event_date": time(fact.at_ms, "%Y%m%d"), "event_timestamp": microseconds.to_string(), "event_name": GA4.types[fact.kind],
            "event_params": [
                {"key": "ga_session_id", "value": value(None, Some((1_700_000_000 + fact.user).to_string()))},
                {"key": "page_location", "value": value(Some("https://x.example/"), None)},
            ],
            "event_previous_timestamp": (microseconds - 1_000_000).to_string(), "user_id": null, "user_pseudo_id": (GA4.user)(fact.user),
            "user_properties": [], "user_first_touch_timestamp": (microseconds - 1_000_000_000).to_string(), "stream_id": "123456", "platform": "WEB",
            "device": {"category": (["mobile", "desktop"][fact.kind % 2]), "language": "en-us"}, "geo": {"country": "Germany", "city": ""}, "app_info": null,
            "traffic_source": {"name": "(direct)", "medium": "(none)", "source": "(direct)"}, "items": [],
        })
    },
    types: ["page_view", "scroll", "session_start", "purchase"],
    needed: ["/event_name", "/event_timestamp", "/user_pseudo_id"],
    optional: ["/event_params/ga_session_id", "none"],
    user: |user| format!("{}.{}", 1_000 + user, 1_600_000_000 + user),
    columns: &[
        ("device_category", "string"),
        ("ga_session_id", "id"),
        ("page_location", "string"),
        ("country", "string"),
        ("stream_id", "id"),
    ],
};

/// CloudEvents in structured mode.
const CLOUDEVENTS: Shape = Shape {
    name: "cloudevents",
    write: |fact| {
        json!({
            "specversion": "1.0", "id": fact.uuid(), "source": "/shop/web", "type": CLOUDEVENTS.types[fact.kind], "time": fact.rfc3339(0),
            "subject": format!("item/P{}", fact.thing), "datacontenttype": "application/json",
            "data": {
                "userId": (CLOUDEVENTS.user)(fact.user), "sessionId": format!("s{}-{}", fact.user, fact.hour()), "itemId": format!("P{}", fact.thing),
                "amount": fact.price(), "note": if fact.kind == 3 { json!({"text": "gift"}) } else { Value::Null },
            },
        })
    },
    types: [
        "com.shop.item.viewed",
        "com.shop.item.added",
        "com.shop.item.bought",
        "com.shop.item.sent",
    ],
    needed: ["/type", "/time", "/data/userId"],
    optional: ["/data/sessionId", "/id"],
    user: |user| format!("u{user}"),
    columns: &[
        ("item_id", "id"),
        ("amount", "decimal(18,2)"),
        ("text", "string"),
    ],
};
