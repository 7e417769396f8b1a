//! The task that writes Redis: connects, serves one connection until something is wrong with it, and connects again. It never ends by itself,
//! and nobody waits for it.

use std::time::Duration;

use anyhow::Result;

use super::mirror::Mirror;
use super::session::Session;

/// The first and the longest pause before Redis is asked again whether it is there.
const CONNECT_AGAIN: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));
/// The same, when it was there and something went wrong before it had every row: each attempt reads them all.
const CATCH_UP_AGAIN: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// Runs as long as the process.
pub(super) async fn run(mirror: Mirror) -> Result<()> {
    let (mut unreached, mut in_vain) = (0, 0);
    loop {
        let (trouble, pause) = match Session::begin(&mirror).await {
            Ok(mut session) => {
                unreached = 0;
                mirror.inbox.open();
                let (trouble, caught_up) = session.serve().await;
                mirror.inbox.close();
                if caught_up {
                    in_vain = 0;
                }
                in_vain += 1;
                (trouble, pause(CATCH_UP_AGAIN, in_vain))
            }
            Err(trouble) => {
                unreached += 1;
                (trouble, pause(CONNECT_AGAIN, unreached))
            }
        };
        mirror.is_away(&trouble);
        tokio::time::sleep(pause).await;
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

    #[test]
    fn a_pause_grows_to_its_bound() {
        let of = |attempts| pause(CONNECT_AGAIN, attempts).as_millis();
        assert_eq!(
            [0, 1, 2, 3, 4, 5, 99].map(of),
            [50, 50, 100, 200, 400, 500, 500]
        );
    }
}
