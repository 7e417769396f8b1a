//! A TCP proxy between a process under test and a server: the line can be cut, be silent, or lead to another server.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};

/// A proxy on a port of its own; it ends when dropped, and its connections with it.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    line: Mutex<Line>,
    /// Told of every change of `line`.
    changed: Condvar,
    accepted: AtomicUsize,
}

struct Line {
    server: SocketAddr,
    state: State,
    /// Both ends of each connection.
    open: Vec<TcpStream>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Cut,
    Silent,
    Ended,
}

impl Proxy {
    /// A proxy to a server, `host:port`.
    pub fn to(server: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("bind a proxy")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            line: Mutex::new(Line {
                server: resolve(server)?,
                state: State::Open,
                open: Vec::new(),
            }),
            changed: Condvar::new(),
            accepted: AtomicUsize::new(0),
        });
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || serving.serve(&listener));
        Ok(Self { address, shared })
    }

    /// What a client is told instead of the server's address, `host:port`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Ends every connection and every new one at once, as if nobody listened, until [`Proxy::heal`].
    pub fn cut(&self) {
        let mut line = self.shared.line();
        line.state = State::Cut;
        line.hang_up();
        self.shared.changed.notify_all();
    }

    /// Passes nothing on in either direction, as if packets were lost, until [`Proxy::heal`]; connections stay, new ones too.
    pub fn stall(&self) {
        self.shared.line().state = State::Silent;
        self.shared.changed.notify_all();
    }

    /// Passes everything on again, also what a stall held back.
    pub fn heal(&self) {
        self.shared.line().state = State::Open;
        self.shared.changed.notify_all();
    }

    /// Leads new connections to another server, `host:port`; those that are there stay where they are.
    pub fn point_to(&self, server: &str) -> Result<()> {
        self.shared.line().server = resolve(server)?;
        Ok(())
    }

    /// Connections that came so far, also those that were cut at once.
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let mut line = self.shared.line();
        line.state = State::Ended;
        line.hang_up();
        self.shared.changed.notify_all();
        drop(line);
        // Wakes the thread that accepts; if this fails there is none to wake.
        drop(TcpStream::connect(self.address));
    }
}

impl Line {
    fn hang_up(&mut self) {
        for end in self.open.drain(..) {
            // It may be closed already.
            drop(end.shutdown(Shutdown::Both));
        }
    }
}

impl Shared {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(self: &Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming() {
            let (server, state) = {
                let line = self.line();
                (line.server, line.state)
            };
            if state == State::Ended {
                return;
            }
            self.accepted.fetch_add(1, Ordering::SeqCst);
            // A connection that fails is one that the client sees closed.
            if let Ok(client) = client
                && state != State::Cut
            {
                drop(self.join(client, server));
            }
        }
    }

    /// Two threads per connection, one for each direction.
    fn join(self: &Arc<Self>, client: TcpStream, server: SocketAddr) -> std::io::Result<()> {
        let server = TcpStream::connect(server)?;
        // Small packets are not held back here: a proxy must not be slower than the line.
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let ends = [(&client, &server), (&server, &client)]
            .map(|(from, to)| Ok::<_, std::io::Error>((from.try_clone()?, to.try_clone()?)));
        let mut line = self.line();
        // Cut while the server was being reached.
        if matches!(line.state, State::Cut | State::Ended) {
            return Ok(());
        }
        line.open.extend([client, server]);
        drop(line);
        for end in ends {
            let (from, to) = end?;
            let shared = Arc::clone(self);
            std::thread::spawn(move || shared.pass_on(from, to));
        }
        Ok(())
    }

    fn pass_on(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut bytes = vec![0; 64 << 10];
        while let Ok(count) = from.read(&mut bytes) {
            let mut line = self.line();
            while line.state == State::Silent {
                line = (self.changed.wait(line)).unwrap_or_else(PoisonError::into_inner);
            }
            drop(line);
            if count == 0 || to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        // One side that hangs up ends both: no protocol here uses half a connection.
        drop(from.shutdown(Shutdown::Both));
        drop(to.shutdown(Shutdown::Both));
    }
}

fn resolve(server: &str) -> Result<SocketAddr> {
    use std::net::ToSocketAddrs;
    let mut found = server
        .to_socket_addrs()
        .with_context(|| format!("{server:?} is no host:port"))?;
    found
        .find(SocketAddr::is_ipv4)
        .with_context(|| format!("{server:?} has no IPv4 address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that answers each line with its name and the line.
    fn server(name: &'static str) -> Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?.to_string();
        std::thread::spawn(move || {
            for mut client in listener.incoming().flatten() {
                std::thread::spawn(move || {
                    let mut byte = [0];
                    while matches!(client.read(&mut byte), Ok(1)) {
                        if client
                            .write_all(&[name.as_bytes(), &byte].concat())
                            .is_err()
                        {
                            return;
                        }
                    }
                });
            }
        });
        Ok(address)
    }

    fn ask(client: &mut TcpStream, question: u8) -> Result<String> {
        client.write_all(&[question])?;
        let mut answer = [0; 2];
        client.read_exact(&mut answer)?;
        Ok(String::from_utf8(answer.to_vec())?)
    }

    #[test]
    fn the_line_is_cut_healed_and_moved() -> Result<()> {
        let proxy = Proxy::to(&server("a")?)?;
        let mut first = TcpStream::connect(proxy.address())?;
        assert_eq!(ask(&mut first, b'1')?, "a1");

        proxy.cut();
        assert!(ask(&mut first, b'2').is_err());
        let mut during = TcpStream::connect(proxy.address())?;
        assert!(ask(&mut during, b'3').is_err());

        proxy.heal();
        let mut second = TcpStream::connect(proxy.address())?;
        assert_eq!(ask(&mut second, b'4')?, "a4");
        proxy.point_to(&server("b")?)?;
        assert_eq!(ask(&mut second, b'5')?, "a5");
        let mut third = TcpStream::connect(proxy.address())?;
        assert_eq!(ask(&mut third, b'6')?, "b6");
        assert_eq!(proxy.accepted(), 4);
        Ok(())
    }

    #[test]
    fn a_silent_line_holds_back_and_loses_nothing() -> Result<()> {
        let proxy = Proxy::to(&server("a")?)?;
        let mut client = TcpStream::connect(proxy.address())?;
        assert_eq!(ask(&mut client, b'1')?, "a1");
        proxy.stall();
        client.set_read_timeout(Some(std::time::Duration::from_millis(100)))?;
        assert!(ask(&mut client, b'2').is_err());
        proxy.heal();
        client.set_read_timeout(None)?;
        let mut answer = [0; 2];
        client.read_exact(&mut answer)?;
        assert_eq!(&answer, b"a2");
        Ok(())
    }
}
