//! How large a run is: its visits and sessions counted, up to the session or event that was asked for.

use super::draws::{Family, Streams};
use super::knobs::Knobs;
use super::program::Program;
use super::skeleton::{Skeleton, VisitHead, session_number};

/// How large a run is.
pub(super) struct Extent {
    pub(super) visits: u64,
    pub(super) sessions: u64,
    pub(super) last_sessions: u32,
    pub(super) last_events: Option<u32>,
}

fn head(program: &Program, knobs: &Knobs, streams: &Streams, visit: u64) -> VisitHead {
    VisitHead::draw(program, knobs, &mut streams.open(Family::Visit, visit))
}

/// Of so many sessions.
pub(super) fn by_sessions(
    program: &Program,
    knobs: &Knobs,
    streams: &Streams,
    wanted: u64,
) -> Extent {
    let (mut visits, mut sessions) = (0, 0);
    loop {
        let here = u64::from(head(program, knobs, streams, visits).sessions);
        visits += 1;
        if sessions + here >= wanted {
            return Extent {
                visits,
                sessions: wanted,
                last_sessions: (wanted - sessions) as u32,
                last_events: None,
            };
        }
        sessions += here;
    }
}

/// Of so many events.
pub(super) fn by_events(
    program: &Program,
    knobs: &Knobs,
    streams: &Streams,
    wanted: u64,
) -> Extent {
    let mut skeleton = Skeleton::default();
    let (mut visits, mut sessions, mut events) = (0, 0, 0);
    loop {
        for session in 0..head(program, knobs, streams, visits).sessions {
            skeleton.draw(
                program,
                knobs,
                &mut streams.open(Family::Session, session_number(visits, session)),
            );
            let here = u64::from(skeleton.events(program));
            sessions += 1;
            if events + here >= wanted {
                return Extent {
                    visits: visits + 1,
                    sessions,
                    last_sessions: session + 1,
                    last_events: Some((wanted - events) as u32),
                };
            }
            events += here;
        }
        visits += 1;
    }
}

/// How many events it has.
pub(super) fn count_events(
    program: &Program,
    knobs: &Knobs,
    streams: &Streams,
    extent: &Extent,
) -> u64 {
    let mut skeleton = Skeleton::default();
    let mut events = 0;
    for visit in 0..extent.visits {
        let drawn = head(program, knobs, streams, visit).sessions;
        let sessions = if visit + 1 == extent.visits {
            extent.last_sessions
        } else {
            drawn
        };
        for session in 0..sessions {
            skeleton.draw(
                program,
                knobs,
                &mut streams.open(Family::Session, session_number(visit, session)),
            );
            events += u64::from(skeleton.events(program));
        }
    }
    events
}
