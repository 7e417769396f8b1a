//! The definitions, applied to all events so far. Slow and plain: no state but lists of events. It shares no code with the engine.

use std::collections::{BTreeMap, BTreeSet};

use userflow_engine::Settings;
use userflow_models::features::{FeatureView, Window};

use crate::ByKey;
use crate::stream::Event;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Null,
    Int(i64),
    Real(f64),
    Text(String),
    Truth(bool),
    Texts(Vec<String>),
}

#[derive(Clone)]
struct Counted {
    event: Event,
    effective: i64,
    /// In an exact window: the newest event time with which it leaves; whether that was rounded up, because there were too many.
    leaves: i64,
    grouped: bool,
}

/// What one step must give.
#[derive(Default)]
pub(crate) struct Expected {
    /// Rows that are shown after it, by view.
    pub shown: BTreeMap<usize, ByKey>,
    /// Windows that end with it: view, end, entity.
    pub ended: BTreeMap<(usize, i64, Vec<String>), BTreeMap<String, Cell>>,
}

/// The definitions.
pub(crate) struct Textbook {
    views: Vec<FeatureView>,
    settings: Settings,
    /// Identifiers, with the newest event time when they came first.
    ids: BTreeMap<String, i64>,
    newest: i64,
    watermark: i64,
    /// Events of each view that were not late for it; for a session, since its entity was last forgotten.
    counted: Vec<Vec<Counted>>,
    /// Entities of session views: how they ended, if they did.
    phases: BTreeMap<(usize, Vec<String>), Phase>,
    /// End of the window that an entity's row shows, since its last change.
    shown_end: BTreeMap<(usize, Vec<String>), i64>,
    /// Events of an entity that have left its exact window, when time was last looked at.
    left: BTreeMap<(usize, Vec<String>), usize>,
    /// Rows of sessions without an id, when they were last looked at; the newest event of those that are part of another now.
    sessions: BTreeMap<usize, ByKey>,
    merged: BTreeMap<(usize, Vec<String>), Cell>,
    /// Last rows of what was forgotten.
    ghosts: BTreeMap<(usize, Vec<String>), BTreeMap<String, Cell>>,
    /// Rows that changed in steps after which nothing was looked at.
    waiting: BTreeSet<(usize, Vec<String>)>,
    changed: BTreeSet<(usize, Vec<String>)>,
    pub(crate) late: Vec<u64>,
    pub(crate) grouped: Vec<u64>,
    pub(crate) repeats: u64,
    pub(crate) beyond: u64,
    pub(crate) future: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Open,
    Ended,
    TimedOut,
}

impl Textbook {
    pub(crate) fn new(views: Vec<FeatureView>, settings: Settings) -> Self {
        Self {
            counted: vec![Vec::new(); views.len()],
            late: vec![0; views.len()],
            grouped: vec![0; views.len()],
            views,
            settings,
            ids: BTreeMap::new(),
            newest: i64::MIN,
            watermark: i64::MIN,
            phases: BTreeMap::new(),
            shown_end: BTreeMap::new(),
            left: BTreeMap::new(),
            sessions: BTreeMap::new(),
            merged: BTreeMap::new(),
            ghosts: BTreeMap::new(),
            waiting: BTreeSet::new(),
            changed: BTreeSet::new(),
            repeats: 0,
            beyond: 0,
            future: 0,
        }
    }

    /// The next step's rows are those of this one as well.
    pub(crate) fn not_taken(&mut self) {
        self.waiting.append(&mut self.changed);
    }

    pub(crate) fn advance(&mut self, to: i64) -> Expected {
        let mut expected = Expected::default();
        self.changed.clear();
        self.newest = self.newest.max(to);
        self.let_out();
        self.pass(to, &mut expected);
        self.show(&mut expected);
        expected
    }

    pub(crate) fn event(&mut self, event: &Event) -> Expected {
        let mut expected = Expected::default();
        self.changed.clear();
        let effective = event.time.min(event.ceiling);
        let newest = self.newest.max(effective);
        // Identifiers are forgotten by whole minutes: at the first watermark beyond the horizon after the minute's end.
        let minute = 60_000_000;
        let (watermark, horizon) = (self.watermark, self.settings.dedup_horizon);
        let known = |came: i64| watermark < (came.div_euclid(minute) + 1) * minute + horizon;
        if self.ids.get(&event.id).is_some_and(|came| known(*came)) {
            self.repeats += 1;
            self.show(&mut expected);
            return expected;
        }
        self.ids.insert(event.id.clone(), newest);
        self.beyond += u64::from(effective < self.watermark.saturating_sub(horizon));
        self.future += u64::from(event.time > event.ceiling);
        if effective > self.newest {
            self.newest = effective;
            self.let_out();
            self.pass(effective - self.settings.lateness, &mut expected);
        }
        for number in 0..self.views.len() {
            let view = self.views[number].clone();
            let key = key_of(&view, event);
            let late = match view.window {
                Window::Sliding { size, every } => {
                    let last_end = effective.div_euclid(every) * every + size;
                    last_end <= self.watermark
                }
                Window::Session { gap, keep, .. } | Window::Sessions { gap, keep, .. } => {
                    effective + gap + keep < self.watermark
                }
                Window::Exact { size, .. } => effective + size <= self.watermark,
                _ => false,
            };
            if late {
                self.late[number] += 1;
                continue;
            }
            self.ghosts.remove(&(number, key.clone()));
            self.counted[number].push(Counted {
                event: event.clone(),
                effective,
                leaves: match view.window {
                    Window::Exact { size, .. } => effective + size,
                    _ => i64::MAX,
                },
                grouped: false,
            });
            if let Window::Exact { size, most } = view.window {
                if effective + size <= self.newest {
                    *self.left.entry((number, key.clone())).or_default() += 1;
                }
                self.group_too_many(number, &key, size, most);
            }
            if let Window::Session { .. } = view.window {
                let over =
                    ["b", "c"].contains(&event.kind) && self.state(number, &key, false) == "DONE";
                let phase = if over { Phase::Ended } else { Phase::Open };
                self.phases.insert((number, key.clone()), phase);
            }
            if let Window::Sliding { every, .. } = view.window {
                let end = (self.newest.div_euclid(every) + 1) * every;
                self.shown_end.insert((number, key.clone()), end);
            }
            if view.start().is_none() {
                self.changed.insert((number, key));
            }
        }
        self.show(&mut expected);
        expected
    }

    /// Of an exact window with too many events: the oldest leaves at the end of its sixtieth of the window.
    fn group_too_many(&mut self, number: usize, key: &[String], size: i64, most: usize) {
        let view = self.views[number].clone();
        let newest = self.newest;
        let mut single: Vec<&mut Counted> = (self.counted[number].iter_mut())
            .filter(|c| key_of(&view, &c.event) == key && !c.grouped && c.leaves > newest)
            .collect();
        single.sort_by_key(|c| c.effective);
        if single.len() > most {
            let width = size / 60;
            let oldest = &mut single[0];
            oldest.leaves = (oldest.effective.div_euclid(width) + 1) * width - 1 + size;
            oldest.grouped = true;
            self.grouped[number] += 1;
        }
    }

    /// Events leave exact windows; a while after the last one, the entity is forgotten.
    fn let_out(&mut self) {
        for number in 0..self.views.len() {
            let Window::Exact { size, .. } = self.views[number].window else {
                continue;
            };
            for key in self.keys(number) {
                let of_key = self.of(number, &key);
                let place = (number, key.clone());
                let left = |c: &&Counted| c.leaves <= self.newest;
                let shown = self
                    .left
                    .insert(place.clone(), of_key.iter().filter(left).count());
                if of_key.iter().filter(left).count() > shown.unwrap_or(0) {
                    self.changed.insert(place.clone());
                }
                let last = of_key.iter().map(|c| c.effective).max();
                if last.is_some_and(|at| at + size + self.settings.lateness <= self.newest) {
                    self.ghosts.insert(place.clone(), self.row(number, &key));
                    let view = self.views[number].clone();
                    self.counted[number].retain(|c| key_of(&view, &c.event) != key);
                    self.left.remove(&place);
                }
            }
        }
    }

    fn pass(&mut self, watermark: i64, expected: &mut Expected) {
        if watermark <= self.watermark {
            return;
        }
        let before = self.watermark;
        self.watermark = watermark;
        for number in 0..self.views.len() {
            let view = self.views[number].clone();
            match view.window {
                Window::Sliding { size, every } if before > i64::MIN => {
                    for key in self.keys(number) {
                        let of_key = self.of(number, &key);
                        // Every window with an event in it that ends now.
                        let mut ends = BTreeSet::new();
                        for counted in &of_key {
                            let mut end = (counted.effective.div_euclid(every) + 1) * every;
                            while end <= counted.effective + size {
                                if end > before
                                    && end <= watermark
                                    && counted.effective >= end - size
                                {
                                    ends.insert(end);
                                }
                                end += every;
                            }
                        }
                        for end in ends {
                            let inside: Vec<Counted> = (of_key.iter())
                                .filter(|c| (end - size..end).contains(&c.effective))
                                .cloned()
                                .collect();
                            let mut row = self.features(number, &inside, false);
                            row.insert("window_end".into(), Cell::Int(end));
                            let newest = of_key.iter().map(|c| c.event.time).max();
                            row.insert("event_time".into(), newest.map_or(Cell::Null, Cell::Int));
                            expected.ended.insert((number, end, key.clone()), row);
                            // The row moves on when the window that it shows ends, not before.
                            let place = (number, key.clone());
                            if self
                                .shown_end
                                .get(&place)
                                .is_some_and(|shown| *shown <= end)
                            {
                                self.changed.insert(place.clone());
                                self.shown_end
                                    .insert(place, (self.newest.div_euclid(every) + 1) * every);
                            }
                        }
                    }
                }
                Window::Session { gap, .. } => {
                    for key in self.keys(number) {
                        let of_key = self.of(number, &key);
                        let Some(seen_at) = of_key.iter().map(|c| c.effective).max() else {
                            continue;
                        };
                        let place = (number, key.clone());
                        if watermark > seen_at + gap
                            && self.phases.get(&place) == Some(&Phase::Open)
                        {
                            self.phases.insert(place.clone(), Phase::TimedOut);
                            self.changed.insert(place);
                        }
                    }
                }
                _ => {}
            }
        }
        self.forget();
    }

    /// Forgets what no event can belong to any more: sessions a while after their end, entities without an event in a window that is
    /// still open. A row that was not looked at yet stays to be seen, unless a new event comes first.
    fn forget(&mut self) {
        for number in 0..self.views.len() {
            for key in self.keys(number) {
                let view = self.views[number].clone();
                let of_key = self.of(number, &key);
                let over = match view.window {
                    Window::Session { gap, keep, .. } => {
                        let seen_at = of_key.iter().map(|c| c.effective).max();
                        seen_at.is_some_and(|at| self.watermark > at + gap + keep)
                    }
                    Window::Sliding { size, every } => (of_key.iter())
                        .all(|c| c.effective.div_euclid(every) * every + size <= self.watermark),
                    _ => false,
                };
                if over {
                    let place = (number, key.clone());
                    let last = self.row(number, &key);
                    self.ghosts.insert(place.clone(), last);
                    self.counted[number].retain(|c| key_of(&view, &c.event) != key);
                    self.phases.remove(&place);
                }
            }
        }
    }

    /// The row of an entity after everything so far.
    fn row(&self, number: usize, key: &[String]) -> BTreeMap<String, Cell> {
        if self.views[number].start().is_some() {
            return self.session_row(number, key);
        }
        let of_key = self.of(number, key);
        let place = (number, key.to_vec());
        let ghost = self.ghosts.get(&place);
        let (inside, end): (Vec<Counted>, _) = match self.views[number].window {
            Window::Sliding { size, .. } => {
                let end = self.shown_end[&place];
                let inside = of_key
                    .iter()
                    .filter(|c| (end - size..end).contains(&c.effective));
                (inside.cloned().collect(), Some(end))
            }
            Window::Exact { .. } => {
                let inside = of_key.iter().filter(|c| c.leaves > self.newest);
                // Of the newest change: an event that came, or one that left.
                let changes = of_key.iter().map(|c| match c.leaves <= self.newest {
                    true => c.leaves,
                    false => c.effective,
                });
                (inside.cloned().collect(), changes.max().map(|at| at + 1))
            }
            Window::Last { events } => {
                let mut by_time: Vec<(i64, usize)> = of_key
                    .iter()
                    .enumerate()
                    .map(|(at, c)| (c.event.time, at))
                    .collect();
                by_time.sort_unstable();
                let newest = by_time.split_off(by_time.len().saturating_sub(events));
                (
                    newest
                        .into_iter()
                        .map(|(_, at)| of_key[at].clone())
                        .collect(),
                    None,
                )
            }
            _ => (of_key.clone(), None),
        };
        if let (true, None, Some(ghost)) = (of_key.is_empty(), end, ghost) {
            return ghost.clone();
        }
        let phase = self.phases.get(&place).copied();
        let mut row = self.features(number, &inside, phase == Some(Phase::TimedOut));
        if let Some(end) = end {
            row.insert("window_end".into(), Cell::Int(end));
        }
        if let Some(phase) = phase {
            row.insert("is_final".into(), Cell::Truth(phase != Phase::Open));
        }
        let newest = of_key.iter().map(|c| c.event.time).max().map(Cell::Int);
        let before = ghost.and_then(|ghost| ghost.get("event_time").cloned());
        row.insert("event_time".into(), newest.or(before).unwrap_or(Cell::Null));
        row
    }

    /// The sessions of all events that counted, entity by entity: two events belong together if they are no farther apart than the gap.
    fn sessions(&self, number: usize) -> ByKey {
        let Window::Sessions { gap, .. } = self.views[number].window else {
            return ByKey::new();
        };
        let mut rows = ByKey::new();
        for entity in self.keys(number) {
            let of_entity = self.of(number, &entity);
            let mut times: Vec<i64> = of_entity.iter().map(|c| c.effective).collect();
            times.sort_unstable();
            for part in times.chunk_by(|one, next| next - one <= gap) {
                let (start, end) = (part[0], part[part.len() - 1]);
                // In the order in which they came.
                let inside = of_entity
                    .iter()
                    .filter(|c| (start..=end).contains(&c.effective));
                let inside: Vec<Counted> = inside.cloned().collect();
                let over = self.watermark > end + gap;
                let key = entity.iter().cloned().chain([start.to_string()]);
                let key: Vec<String> = key.collect();
                // No event leaves a session, so one with as many events is as it was: to save time.
                let events = i64::try_from(inside.len()).expect("few");
                let as_it_was = self.sessions.get(&number).and_then(|rows| rows.get(&key));
                if let Some(row) = as_it_was.filter(|row| {
                    row["count"] == Cell::Int(events) && row["is_final"] == Cell::Truth(over)
                }) {
                    rows.insert(key, row.clone());
                    continue;
                }
                let mut row = self.features(number, &inside, over);
                let newest = inside.iter().map(|c| c.event.time).max().expect("events");
                row.insert("event_time".into(), Cell::Int(newest));
                row.insert("is_final".into(), Cell::Truth(over));
                row.insert("_merged".into(), Cell::Truth(false));
                rows.insert(key, row);
            }
        }
        rows
    }

    /// Which sessions have changed, and which became part of another.
    fn look_at_sessions(&mut self) {
        for number in 0..self.views.len() {
            let now = self.sessions(number);
            let before = self
                .sessions
                .insert(number, now.clone())
                .unwrap_or_default();
            for (key, row) in &before {
                if !now.contains_key(key) {
                    let place = (number, key.clone());
                    self.merged.insert(place.clone(), row["event_time"].clone());
                    self.changed.insert(place);
                }
            }
            for (key, row) in now {
                if before.get(&key) != Some(&row) {
                    self.changed.insert((number, key));
                }
            }
        }
    }

    /// The row of a session without an id.
    fn session_row(&self, number: usize, key: &[String]) -> BTreeMap<String, Cell> {
        if let Some(row) = self.sessions[&number].get(key) {
            return row.clone();
        }
        let mut row = self.features(number, &[], false);
        let newest = self.merged[&(number, key.to_vec())].clone();
        row.insert("event_time".into(), newest);
        row.insert("is_final".into(), Cell::Truth(true));
        row.insert("_merged".into(), Cell::Truth(true));
        row
    }

    fn show(&mut self, expected: &mut Expected) {
        self.look_at_sessions();
        let mut changed = std::mem::take(&mut self.waiting);
        changed.append(&mut self.changed);
        self.changed = changed;
        for (number, key) in self.changed.clone() {
            let row = self.row(number, &key);
            expected.shown.entry(number).or_default().insert(key, row);
        }
    }

    fn keys(&self, number: usize) -> BTreeSet<Vec<String>> {
        let view = &self.views[number];
        self.counted[number]
            .iter()
            .map(|c| key_of(view, &c.event))
            .collect()
    }

    fn of(&self, number: usize, key: &[String]) -> Vec<Counted> {
        let view = &self.views[number];
        (self.counted[number].iter())
            .filter(|c| key_of(view, &c.event) == key)
            .cloned()
            .collect()
    }

    fn state(&self, number: usize, key: &[String], timed_out: bool) -> String {
        match self
            .features(number, &self.of(number, key), timed_out)
            .get("state")
        {
            Some(Cell::Text(text)) => text.clone(),
            other => panic!("no state: {other:?}"),
        }
    }

    /// The row of a window without events.
    pub(crate) fn empty_row(
        &self,
        number: usize,
        like: &BTreeMap<String, Cell>,
    ) -> BTreeMap<String, Cell> {
        let mut row = self.features(number, &[], false);
        for name in ["window_end", "event_time"] {
            row.insert(name.into(), like[name].clone());
        }
        row
    }

    /// All features of `views::EVERYTHING`, in arrival order of `events`.
    fn features(
        &self,
        number: usize,
        events: &[Counted],
        timed_out: bool,
    ) -> BTreeMap<String, Cell> {
        let events: Vec<&Event> = events.iter().map(|c| &c.event).collect();
        let count = |pass: &dyn Fn(&Event) -> bool| {
            i64::try_from(events.iter().filter(|e| pass(e)).count()).expect("few")
        };
        let int = |value: Option<i64>| value.map_or(Cell::Null, Cell::Int);
        let amounts: Vec<i64> = events.iter().filter_map(|e| e.amount).collect();
        let some_amounts: Vec<i64> = events
            .iter()
            .filter(|e| e.kind != "c")
            .filter_map(|e| e.amount)
            .collect();
        let thousandths = |n: i64| Cell::Real(n as f64 / 1000.0);
        // Half up means away from zero below it: -0.005 becomes -0.01, as in SQL.
        let hundredths =
            |n: i64| Cell::Real((n.abs() as f64 / 10.0 + 0.5).floor() * n.signum() as f64 / 100.0);
        let mut by_time: Vec<&Event> = events.clone();
        by_time.sort_by_key(|e| e.time);
        let newest_of = |item: &str| {
            events
                .iter()
                .filter(|e| e.item == item)
                .map(|e| e.time)
                .max()
        };
        let items: BTreeSet<&str> = events.iter().map(|e| e.item.as_str()).collect();
        let mut newest: Vec<(Option<i64>, &str)> =
            items.iter().map(|item| (newest_of(item), *item)).collect();
        newest.sort_unstable();
        let newest = newest.split_off(newest.len().saturating_sub(3));
        let mut top: Vec<(i64, &str)> = items
            .iter()
            .map(|item| (-count(&|e| e.item == *item), *item))
            .collect();
        top.sort_unstable();
        // Of values that are equally frequent the latest first, then the smaller.
        let latest = |of: &dyn Fn(&Event) -> Option<String>| {
            let mut values: Vec<(i64, i64, String)> = Vec::new();
            for value in events.iter().filter_map(|e| of(e)).collect::<BTreeSet<_>>() {
                let with: Vec<&&Event> = events
                    .iter()
                    .filter(|e| of(e).as_ref() == Some(&value))
                    .collect();
                let newest = with.iter().map(|e| e.time).max().expect("it has one");
                values.push((-i64::try_from(with.len()).expect("few"), -newest, value));
            }
            values.sort_unstable();
            values
                .into_iter()
                .map(|(_, _, value)| value)
                .collect::<Vec<_>>()
        };
        let latest_items = latest(&|e| Some(e.item.clone()));
        let latest_genre = latest(&|e| e.genre.clone()).into_iter().next();
        let smaller_genre = (events
            .iter()
            .filter_map(|e| e.genre.as_deref())
            .collect::<BTreeSet<_>>())
        .into_iter()
        .map(|genre| (-count(&|e| e.genre.as_deref() == Some(genre)), genre))
        .min();
        let list = |texts: Vec<&str>| Cell::Texts(texts.into_iter().map(str::to_owned).collect());
        let last_c = events
            .iter()
            .filter(|e| e.kind == "c")
            .map(|e| e.time)
            .max();
        let first_c = (events.iter().filter(|e| e.kind == "c").map(|e| e.time)).min();
        let last = events.iter().map(|e| e.time).max();
        let pairs: BTreeSet<(&str, &str)> = events
            .iter()
            .filter_map(|e| Some((e.item.as_str(), e.genre.as_deref()?)))
            .collect();
        let genres: BTreeSet<&str> = events.iter().filter_map(|e| e.genre.as_deref()).collect();
        let size = |n: usize| Cell::Int(i64::try_from(n).expect("few"));
        let (all, b) = (count(&|_| true), count(&|e| e.kind == "b"));
        let max_amount = amounts.iter().max().copied();
        let sum: i64 = amounts.iter().sum();
        let ns: Vec<i64> = events.iter().filter_map(|e| e.n).collect();
        let text = |text: Option<&str>| text.map_or(Cell::Null, |text| Cell::Text(text.into()));
        let seen_c = count(&|e| e.kind == "c") > 0;
        let mut row = BTreeMap::from([
            ("count".to_owned(), Cell::Int(all)),
            ("count_b".into(), Cell::Int(b)),
            ("seen_c".into(), Cell::Truth(seen_c)),
            (
                "sum_n".into(),
                int((!ns.is_empty()).then(|| ns.iter().sum())),
            ),
            (
                "sum_amount".into(),
                if some_amounts.is_empty() {
                    Cell::Null
                } else {
                    thousandths(some_amounts.iter().sum())
                },
            ),
            (
                "avg_amount".into(),
                if amounts.is_empty() {
                    Cell::Null
                } else {
                    Cell::Real(sum as f64 / amounts.len() as f64 / 1000.0)
                },
            ),
            ("min_n".into(), int(ns.iter().min().copied())),
            (
                "max_amount".into(),
                max_amount.map_or(Cell::Null, hundredths),
            ),
            (
                "first_genre".into(),
                text(
                    by_time
                        .iter()
                        .find_map(|e| e.genre.as_deref())
                        .or(Some("NONE")),
                ),
            ),
            (
                "last_item".into(),
                text(by_time.last().map(|e| e.item.as_str())),
            ),
            ("last_n".into(), int(by_time.iter().rev().find_map(|e| e.n))),
            (
                "items".into(),
                list(newest.into_iter().map(|(_, item)| item).collect()),
            ),
            ("genres".into(), size(genres.len())),
            ("pairs".into(), size(pairs.len())),
            (
                "top".into(),
                list(top.into_iter().take(2).map(|(_, item)| item).collect()),
            ),
            (
                "top_latest".into(),
                Cell::Texts(latest_items.into_iter().take(3).collect()),
            ),
            (
                "top_one".into(),
                Cell::Text(latest_genre.unwrap_or_else(|| "NONE".into())),
            ),
            (
                "top_smaller".into(),
                text(smaller_genre.map(|(_, genre)| genre)),
            ),
            (
                "share_b".into(),
                Cell::Real(if all == 0 { 0.0 } else { b as f64 / all as f64 }),
            ),
            (
                "since_c".into(),
                first_c.zip(last).map_or(Cell::Null, |(from, to)| {
                    Cell::Real((to - from) as f64 / 1e6)
                }),
            ),
            (
                "streak".into(),
                Cell::Int(count(&|e| {
                    e.kind == "b" && last_c.is_none_or(|c| e.time > c)
                })),
            ),
            (
                "big".into(),
                Cell::Int(count(&|e| e.n.is_some_and(|n| n > 2 && n <= 5))),
            ),
        ]);
        if self.views[number].is_session() {
            let rounded = max_amount.map(hundredths);
            let done = seen_c && matches!(rounded, Some(Cell::Real(max)) if max >= 0.5);
            let state = if done {
                "DONE"
            } else if timed_out {
                "GONE"
            } else {
                "OPEN"
            };
            row.insert("state".into(), Cell::Text(state.into()));
        }
        row
    }
}

fn key_of(view: &FeatureView, event: &Event) -> Vec<String> {
    (view.entity.iter())
        .map(|column| match column.as_str() {
            "user" => event.user.clone(),
            "session" => event.session.clone(),
            _ => event.item.clone(),
        })
        .collect()
}

pub(crate) fn equal(a: &ByKey, b: &ByKey) -> bool {
    a.len() == b.len()
        && a.iter()
            .all(|(key, row)| b.get(key).is_some_and(|other| equal_row(row, other)))
}

pub(crate) fn equal_row(a: &BTreeMap<String, Cell>, b: &BTreeMap<String, Cell>) -> bool {
    a.len() == b.len()
        && a.iter().all(|(name, cell)| match (cell, b.get(name)) {
            (Cell::Real(a), Some(Cell::Real(b))) => (a - b).abs() <= 1e-9 * a.abs().max(1.0),
            (a, b) => Some(a) == b,
        })
}

/// What differs, for the message of a failure.
pub(crate) fn differences(found: &ByKey, defined: &ByKey) -> String {
    let mut text = String::new();
    let keys: BTreeSet<&Vec<String>> = found.keys().chain(defined.keys()).collect();
    for key in keys {
        match (found.get(key), defined.get(key)) {
            (Some(found), Some(defined)) => {
                let names: BTreeSet<&String> = found.keys().chain(defined.keys()).collect();
                for name in names {
                    let (found, defined) = (found.get(name), defined.get(name));
                    if found != defined {
                        text +=
                            &format!("{key:?}.{name} is {found:?}, by definition {defined:?}; ");
                    }
                }
            }
            (None, _) => text += &format!("{key:?} has no row, but should; "),
            (_, None) => text += &format!("{key:?} has a row, but should have none; "),
        }
    }
    text
}
