//! The two contracts once more, as tables written by hand from the domain's rules: what the reference decoder goes by.

/// What a column keeps.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Type {
    Text,
    /// Text that is an RFC 3339 time with an offset.
    TimeText,
    Id,
    Double,
    BigInt,
    /// Scale and precision.
    Decimal(usize, usize),
    Boolean,
    /// The zone of times without an offset.
    Time(Option<&'static str>),
    Date,
}

pub(crate) struct ColumnSpec {
    pub name: &'static str,
    pub kind: Type,
    pub sources: &'static [&'static str],
    /// Not null; for sources where integers count as well, see `integers`.
    pub required: bool,
    /// Required only if this object is there.
    pub required_in: Option<&'static str>,
    /// Sources at which an integer is a time.
    pub integers: &'static [&'static str],
    /// Sources at which a time needs its offset.
    pub offsets: &'static [&'static str],
    /// Lowest and highest value as text; a leading `(` excludes the value itself.
    pub range: (Option<&'static str>, Option<&'static str>),
    /// Must be there when this one is.
    pub goes_with: Option<&'static str>,
    pub known: &'static [(&'static str, &'static str)],
}

pub(crate) struct Spec {
    pub columns: Vec<ColumnSpec>,
    pub event_time: &'static str,
    /// Objects that the contract declares.
    pub objects: &'static [&'static str],
    /// Objects that only an alias looks into.
    pub passed: &'static [&'static str],
    pub max_bytes: usize,
    pub max_depth: usize,
    pub future_ms: i64,
    pub past_ms: i64,
    /// Columns that rows are found by, and the bytes of their values at most.
    pub keys: (&'static [&'static str], usize),
}

const COLUMN: ColumnSpec = ColumnSpec {
    name: "",
    kind: Type::Text,
    sources: &[],
    required: false,
    required_in: None,
    integers: &[],
    offsets: &[],
    range: (None, None),
    goes_with: None,
    known: &[],
};

macro_rules! column {
    ($name:literal, $kind:expr, $sources:expr $(, $field:ident: $value:expr)*) => {
        ColumnSpec { name: $name, kind: $kind, sources: &$sources, $($field: $value,)* ..COLUMN }
    };
}

pub(crate) fn webtoon() -> Spec {
    let types = &[
        ("enter", "enter"),
        ("scroll", "scroll"),
        ("complete", "complete"),
        ("exit", "exit"),
    ];
    Spec {
        columns: vec![
            column!("event_id", Type::Text, ["/event_id"], required: true),
            column!("event_type", Type::Text, ["/event_type"], required: true, known: types),
            column!("user_id", Type::Id, ["/user_id"], required: true),
            column!("session_id", Type::Text, ["/session_id"], required: true),
            column!("webtoon_id", Type::Text, ["/webtoon_id"], required: true),
            column!("episode_id", Type::Text, ["/episode_id"], required: true),
            column!("event_time", Type::Time(Some("UTC")), ["/utimestamptz", "/event_time", "/timestamp"],
                required: true, integers: &["/event_time", "/timestamp"], offsets: &["/utimestamptz"]),
            column!("local_timestamptz", Type::TimeText, ["/local_timestamptz"]),
            column!("country", Type::Text, ["/country"]),
            column!("platform", Type::Text, ["/platform"]),
            column!("device", Type::Text, ["/device"]),
            column!("browser", Type::Text, ["/browser"]),
            column!("network_type", Type::Text, ["/network_type"]),
            column!("scroll_ratio", Type::Decimal(15, 18), ["/scroll_ratio"], range: (Some("0"), Some("1"))),
            column!("scroll_event_count", Type::BigInt, ["/scroll_event_count"], range: (Some("0"), None)),
            column!("dwell_time_ms", Type::BigInt, ["/dwell_time_ms"], range: (Some("0"), None)),
            column!("experiment_name", Type::Text, ["/experiment_name"], goes_with: Some("experiment_group")),
            column!("experiment_group", Type::Text, ["/experiment_group"], goes_with: Some("experiment_name")),
        ],
        event_time: "event_time",
        objects: &[],
        passed: &[],
        max_bytes: 65_536,
        max_depth: 32,
        future_ms: 3_600_000,
        past_ms: 400 * 86_400_000,
        keys: (&["user_id", "session_id", "webtoon_id", "episode_id"], 512),
    }
}

pub(crate) fn nested() -> Spec {
    let kinds = &[("view", "page_view"), ("click", "click"), ("buy", "buy")];
    let times = &["/at", "/context/sent_at", "/meta/time"];
    Spec {
        columns: vec![
            column!("price", Type::Decimal(2, 6), ["/price"], range: (Some("(-100"), Some("1000")),
                goes_with: Some("coupon")),
            column!("id", Type::Id, ["/id"], required: true),
            column!("kind", Type::Text, ["/kind"], required: true, known: kinds),
            column!("device_type", Type::Text, ["/context/device/type"], required: true),
            column!("cores", Type::BigInt, ["/context/device/cores"]),
            column!("battery", Type::Double, ["/context/battery"], range: (Some("0"), Some("(1"))),
            column!("city", Type::Text, ["/context/place/city"], required_in: Some("/context/place")),
            column!("street", Type::Text, ["/context/place/street~1no"]),
            column!("at", Type::Time(Some("America/New_York")), ["/at", "/context/sent_at", "/meta/time"],
                required: true, integers: times),
            column!("online", Type::Boolean, ["/online"], goes_with: Some("coupon")),
            column!("born", Type::Date, ["/born"]),
            column!("coupon", Type::Text, ["/coupon"]),
        ],
        event_time: "at",
        objects: &["/context", "/context/device", "/context/place"],
        passed: &["/meta"],
        max_bytes: 4096,
        max_depth: 6,
        future_ms: 600_000,
        past_ms: 40_000 * 86_400_000,
        keys: (&["id"], 512),
    }
}
