//! The task that writes Redis: connects, serves one connection until something is wrong with it, and connects again. It never ends by itself,
//! and nobody waits for it.

use std::time::Duration;

use anyhow::Result;

use super::catch_up::Reached;
use super::mirror::Mirror;
use super::session::Session;

/// The first and the longest pause before Redis is asked again whether it is there and takes rows.
const CONNECT_AGAIN: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));
/// The same, when rows were read for it in vain: each attempt reads them all.
const CATCH_UP_AGAIN: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// Runs as long as the process.
pub(super) async fn run(mirror: Mirror) -> Result<()> {
    let mut attempts = Attempts::default();
    loop {
        let (trouble, reached) = match Session::begin(&mirror).await {
            Ok(mut session) => {
                mirror.inbox.open();
                let served = session.serve().await;
                mirror.inbox.close();
                served
            }
            Err(trouble) => (trouble, Reached::Nothing),
        };
        mirror.is_away(&trouble);
        tokio::time::sleep(attempts.pause_after(reached)).await;
    }
}

/// How many attempts there were, one after the other.
#[derive(Default)]
struct Attempts {
    /// In which no row was read: nobody answered, or nothing could be written.
    refused: u32,
    /// In which rows were read and Redis did not get all of them.
    in_vain: u32,
}

impl Attempts {
    /// The pause after an attempt that came so far.
    fn pause_after(&mut self, reached: Reached) -> Duration {
        match reached {
            Reached::Nothing => {
                self.refused += 1;
                return pause(CONNECT_AGAIN, self.refused);
            }
            Reached::Part => self.in_vain += 1,
            Reached::Everything => self.in_vain = 1,
        }
        self.refused = 0;
        pause(CATCH_UP_AGAIN, self.in_vain)
    }
}

/// The pause after so many attempts.
fn pause((first, longest): (Duration, Duration), attempts: u32) -> Duration {
    let doubled = 1_u32 << attempts.saturating_sub(1).min(16);
    first.saturating_mul(doubled).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(attempts: &mut Attempts, reached: &[Reached]) -> Vec<u128> {
        let pause = |reached: &Reached| attempts.pause_after(*reached).as_millis();
        reached.iter().map(pause).collect()
    }

    /// However long it was away, and if it took no row although it answered: the next attempt comes half a second after its return.
    #[test]
    fn a_server_that_takes_nothing_is_asked_again_within_half_a_second() {
        let mut attempts = Attempts::default();
        let away = pauses(&mut attempts, &[Reached::Nothing; 7]);
        assert_eq!(away, [50, 100, 200, 400, 500, 500, 500]);
        let others = [Reached::Everything, Reached::Nothing, Reached::Nothing];
        assert_eq!(pauses(&mut attempts, &others), [200, 50, 100]);
    }

    #[test]
    fn rows_that_are_read_in_vain_are_read_less_and_less_often() {
        let mut attempts = Attempts::default();
        let in_vain = pauses(&mut attempts, &[Reached::Part; 8]);
        assert_eq!(
            in_vain,
            [200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]
        );
        // That nobody answered meanwhile says nothing of the rows.
        let others = [Reached::Nothing, Reached::Part, Reached::Everything];
        assert_eq!(pauses(&mut attempts, &others), [50, 10_000, 200]);
        assert_eq!(pauses(&mut attempts, &[Reached::Part]), [400]);
    }
}
