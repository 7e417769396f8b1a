//! What an error of PostgreSQL means for whoever sent the statement. The one place that knows SQLSTATEs: the sessionizer decides by it
//! what is sent again, and the jobs which exit code they end with.
//!
//! Not here: what is done about it (`ingester/src/sessionize/delivery.rs`), the words that a person reads.

/// What to do about an error of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The server is busy, full or in somebody's way: the same statement may pass later.
    Passes,
    /// This connection leads to a server that is going, or may no longer write: connect again, then as for [`Self::Passes`].
    Moved,
    /// Too much for one statement: less may pass.
    TooMuch,
    /// Something in the rows will never be accepted; other rows may be.
    Poison,
    /// The set-up is wrong: no row will be accepted until somebody mends it.
    WrongSetup,
}

/// Says what an SQLSTATE means (PostgreSQL, appendix A). One that is not known passes: a row that waits is not lost.
pub fn refusal(sqlstate: &str) -> Refusal {
    match sqlstate {
        // Read only: the address leads to a standby, or the server was demoted.
        "25006" | "57P01" | "57P02" | "57P03" | "57P04" | "57P05" => return Refusal::Moved,
        // Somebody's time limit (statement_timeout), or the memory of one statement.
        "57014" | "53200" => return Refusal::TooMuch,
        // A connection pooler between, in transaction mode, mixed up the statements of its clients.
        "42P05" | "26000" => return Refusal::WrongSetup,
        _ => {}
    }
    match sqlstate.get(..2).unwrap_or_default() {
        // Connection exceptions; a transaction in an unexpected state: only a new connection is known to be good.
        "08" | "25" => Refusal::Moved,
        // Values, constraints, two rows of one key, limits of the program (an index entry), rules and triggers of the owner.
        "21" | "22" | "23" | "27" | "44" | "54" | "P0" => Refusal::Poison,
        // Features, logins, privileges, databases, schemas, tables, columns, functions.
        "0A" | "0L" | "0P" | "28" | "2B" | "3D" | "3F" | "42" | "F0" => Refusal::WrongSetup,
        // 40 rollbacks, 53 resources, 55 locks, 57 operators, 58 the machine, XX the server's own faults, and all others.
        _ => Refusal::Passes,
    }
}

/// A word for the kind of a [`Refusal::Poison`]: the label of a metric and a column of `ops.rows_set_aside`.
pub fn reason(sqlstate: &str) -> &'static str {
    match sqlstate.get(..2).unwrap_or_default() {
        "21" => "repeated_key",
        "22" => "invalid_value",
        "23" => "constraint",
        "54" => "too_large",
        "27" | "44" | "P0" => "rule_of_the_database",
        _ => "other",
    }
}

/// All words that [`reason`] can say.
pub const REASONS: [&str; 6] = [
    "repeated_key",
    "invalid_value",
    "constraint",
    "too_large",
    "rule_of_the_database",
    "other",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_its_way_out() {
        let known = [
            (
                Refusal::Passes,
                "40001 40P01 53100 53300 53400 55P03 55006 58030 XX000 XX001",
            ),
            (
                Refusal::Moved,
                "08000 08003 08006 08P01 25006 25P02 57P01 57P02 57P03",
            ),
            (Refusal::TooMuch, "57014 53200"),
            (
                Refusal::Poison,
                "21000 22001 22003 22021 22P02 23502 23505 23514 54000 44000 P0001",
            ),
            (
                Refusal::WrongSetup,
                "0A000 28000 28P01 3D000 3F000 42501 42601 42703 42804 42P01 42P05 42P10 26000",
            ),
        ];
        for (expected, codes) in known {
            for code in codes.split(' ') {
                assert_eq!(refusal(code), expected, "{code}");
            }
        }
        // What nobody knows yet, and what is no SQLSTATE: it waits, and is not lost.
        for code in ["99999", "", "é"] {
            assert_eq!(refusal(code), Refusal::Passes, "{code}");
        }
    }

    #[test]
    fn poison_has_a_word() {
        assert_eq!(reason("54000"), "too_large");
        assert_eq!(reason("22001"), "invalid_value");
        assert_eq!(reason("23514"), "constraint");
        assert_eq!(reason("P0001"), "rule_of_the_database");
        assert_eq!(reason("21000"), "repeated_key");
        assert_eq!(reason(""), "other");
        for code in ["21000", "22001", "23514", "54000", "44000", "XX000"] {
            assert!(REASONS.contains(&reason(code)));
        }
    }
}
