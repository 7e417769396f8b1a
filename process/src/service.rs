//! What every service does beside its work: it ends when it is told to, and answers at its metrics address.
//!
//! Not here: what it answers ([`crate::endpoints`]), how its workers end ([`crate::workers`]).

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use tokio::runtime::Runtime;

use crate::endpoints::{self, Service};
use crate::workers::{self, Stop};

/// Asks `stop` on SIGTERM and Ctrl-C, after saying `stopping`, and serves health, metrics and the status page at `addr`, if there is one.
///
/// It returns as soon as the address is bound, and fails if it cannot be. Both go on until the runtime ends.
pub fn attend(
    runtime: &Runtime,
    stop: &Arc<Stop>,
    stopping: &'static str,
    addr: Option<SocketAddr>,
    service: Service,
) -> Result<()> {
    let asked = Arc::clone(stop);
    runtime.spawn(async move {
        match workers::stop_signal().await {
            Ok(()) => tracing::info!("{stopping}"),
            Err(e) => tracing::error!("{e:#}"),
        }
        asked.ask();
    });
    if let Some(addr) = addr {
        let serving = runtime.block_on(endpoints::serve(addr, service))?;
        stop.beside(runtime.handle(), "the metrics endpoint", serving);
    }
    Ok(())
}
