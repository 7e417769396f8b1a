//! What stands where in a message that is played.

use super::moment::Moment;
use super::values::Alternative;

/// The variables of the user and of the session.
pub(crate) const USER: &str = "user";
pub(crate) const SESSION: &str = "session";

/// A value that stays the same for a user or a session.
#[derive(Debug)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) of: Vec<Alternative>,
}

/// A field of an object.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// The event types that have it; none for all of those that have what is around it.
    pub(crate) on: Option<Vec<String>>,
    /// How often it is left out all the same.
    pub(crate) omit: f64,
    pub(crate) node: Node,
}

/// What stands at a place.
#[derive(Debug)]
pub(crate) enum Node {
    /// The event's type.
    Type,
    /// An identifier of the event's own.
    Id,
    Moment(Moment),
    Variable(String),
    Any(Vec<Alternative>),
    Object(Vec<Member>),
    /// A list of keys and values, by the place of the list: a member for each key.
    Pairs(Vec<String>, Vec<Member>),
}
