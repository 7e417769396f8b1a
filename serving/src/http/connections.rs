//! Connections: accepted up to a number, closed when a client is slow, and at the end allowed to finish what they have begun.
//!
//! hyper is driven from here because `axum::serve` gives it no timer, without which it waits for the head of a request for ever.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, Sleep};

use crate::config::ListenArgs;
use crate::metrics::Metrics;

/// Most bytes of the head of a request.
const HEAD: usize = 16 << 10;
/// How long a client may take nothing of an answer.
const STALLED: Duration = Duration::from_secs(10);
/// After a failure to accept: descriptors may be free again.
const BREATHE: Duration = Duration::from_millis(50);

/// Serves until `stop` says so, then waits for the requests under way, up to the drain timeout.
pub(crate) async fn serve(
    listener: TcpListener,
    app: Router,
    args: &ListenArgs,
    metrics: &Arc<Metrics>,
    mut stop: watch::Receiver<bool>,
) {
    let most = usize::try_from(args.max_connections).unwrap_or(usize::MAX);
    let room = Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(args.header_timeout)
        .max_buf_size(HEAD);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = told(&mut stop) => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!("accept a connection: {error}");
                tokio::time::sleep(BREATHE).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
            metrics.refused_connections.inc();
            continue;
        };
        // Answers are small: waiting for more to send only delays them.
        drop(stream.set_nodelay(true));
        let service = TowerToHyperService::new(app.clone());
        let connection = builder.serve_connection(TokioIo::new(Patient::new(stream)), service);
        let (mut stop, metrics) = (stop.clone(), Arc::clone(metrics));
        metrics.connections.inc();
        tokio::spawn(async move {
            let mut connection = std::pin::pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = told(&mut stop) => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!("a connection ended: {error}");
            }
            metrics.connections.dec();
            drop(permit);
        });
    }
    drop(listener);
    let all = u32::try_from(most).unwrap_or(u32::MAX);
    let finished = tokio::time::timeout(args.drain_timeout, room.acquire_many(all)).await;
    if finished.is_err() {
        let left = metrics.connections.get();
        tracing::warn!("{left} connections had not ended after the drain timeout: they are closed");
    }
}

/// Returns when all is to end.
pub(super) async fn told(stop: &mut watch::Receiver<bool>) {
    // Whoever tells is gone: that is the end too.
    drop(stop.wait_for(|stop| *stop).await);
}

/// A stream that is given up when its client takes nothing for too long.
struct Patient {
    stream: TcpStream,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            stalled: None,
        }
    }

    /// What a write came to, unless it has waited for too long.
    fn patiently<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let deadline = Instant::now() + STALLED;
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        match stalled.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.patiently(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.patiently(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
