//! One connection to Redis: claims, rows, rows that go, and the pass over all rows with which it begins. Everything comes one after the
//! other, so what was written last is what is newest: rows of one version differ when time has changed them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, FromRedisValue, ServerErrorKind};

use super::catch_up::{CatchUp, Reached, Step};
use super::connect::run_of;
use super::inbox::Expired;
use super::mirror::Mirror;
use super::scripts::{Owner, ROWS_OF_CALL, index_key, owner_key};
use super::shape::{Change, Shape, conflate};
use super::trouble::Trouble;

/// How often it is asked whether the server is still the same and still has our keys.
const CHECK: Duration = Duration::from_millis(500);
/// Rows of one round trip.
const ROWS_OF_TRIP: usize = 10_000;
/// Keys that are removed or looked at together.
const KEYS: usize = 500;
/// How long to wait after PostgreSQL could not be read.
const READ_AGAIN: Duration = Duration::from_secs(1);

/// What a call of the script that writes says: what became of it, and three numbers.
type Said = (String, i64, i64, i64);

/// One connection.
pub(super) struct Session<'m> {
    mirror: &'m Mirror,
    connection: MultiplexedConnection,
    /// Which server answered.
    run: String,
    owners: BTreeMap<i32, Owner>,
    /// Partitions of which Redis may lack rows.
    behind: BTreeSet<i32>,
    pass: Option<CatchUp>,
    read_again: Instant,
    checked: Instant,
    reached: Reached,
}

impl<'m> Session<'m> {
    pub(super) async fn begin(mirror: &'m Mirror) -> Result<Self, Trouble> {
        let (connection, run) = mirror.server.connect().await?;
        let now = Instant::now();
        let mut session = Self {
            mirror,
            connection,
            run,
            owners: BTreeMap::new(),
            behind: BTreeSet::new(),
            pass: None,
            read_again: now,
            checked: now,
            reached: Reached::Nothing,
        };
        session.load().await?;
        Ok(session)
    }

    /// Takes what comes until something is wrong. Returns that, and how far Redis had come.
    pub(super) async fn serve(&mut self) -> (Trouble, Reached) {
        loop {
            if let Err(trouble) = self.turn().await {
                return (trouble, self.reached);
            }
        }
    }

    /// The partitions first: a server that only reads is found before rows are read for it.
    async fn turn(&mut self) -> Result<(), Trouble> {
        let inbox = &self.mirror.inbox;
        let waiting = inbox.take();
        for (partition, owner) in waiting.claimed {
            self.claim(partition, owner).await?;
        }
        self.mirror.is_there();
        if waiting.overflowed {
            self.behind.extend(self.owners.keys());
            self.pass = None;
        }
        let shapes = &self.mirror.shapes;
        self.write(conflate(shapes, &waiting.batches)).await?;
        for expired in waiting.expired {
            self.expire(expired).await?;
        }
        inbox.done();
        if self.checked.elapsed() >= CHECK {
            self.check().await?;
            self.checked = Instant::now();
        }
        if self.pass.is_none() && !self.behind.is_empty() {
            let partitions = std::mem::take(&mut self.behind);
            self.pass = Some(CatchUp::of(partitions, shapes.len()));
        }
        let now = Instant::now();
        let pause = if self.pass.is_none() {
            inbox.caught_up();
            self.reached = Reached::Everything;
            CHECK
        } else if now >= self.read_again {
            return self.step().await;
        } else {
            (self.read_again - now).min(CHECK)
        };
        // Either way there is a turn.
        drop(tokio::time::timeout(pause, inbox.wake.notified()).await);
        Ok(())
    }

    /// Has the server learn the scripts.
    async fn load(&mut self) -> Result<(), Trouble> {
        let scripts = &self.mirror.scripts;
        for script in [&scripts.claim, &scripts.write, &scripts.remove] {
            let _: String = script.load_async(&mut self.connection).await?;
        }
        Ok(())
    }

    /// Sends commands in one round trip. They are safe to repeat.
    async fn send<T: FromRedisValue>(&mut self, commands: Vec<Cmd>) -> Result<Vec<T>, Trouble> {
        let mut pipe = redis::pipe();
        for command in commands {
            pipe.add_command(command);
        }
        match pipe.query_async(&mut self.connection).await {
            Err(e) if e.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.load().await?;
                Ok(pipe.query_async(&mut self.connection).await?)
            }
            answer => Ok(answer?),
        }
    }

    async fn send_one<T: FromRedisValue>(&mut self, command: Cmd) -> Result<T, Trouble> {
        let mut answers = self.send(vec![command]).await?;
        Ok(answers.pop().expect("a command has an answer"))
    }

    async fn claim(&mut self, partition: i32, owner: Owner) -> Result<(), Trouble> {
        let mirror = self.mirror;
        let call = |force| (mirror.scripts).claim(&mirror.topic, partition, &owner, force);
        let mut said: String = self.send_one(call(false)).await?;
        if said == "fenced" {
            // Whose a partition is, PostgreSQL says. It may have been restored from an older dump, and counts epochs anew from there.
            let owns = mirror.source.owns(&mirror.topic, partition, owner.epoch);
            if !owns.await.map_err(Trouble::Unsure)? {
                self.fenced(partition, &owner);
                return Ok(());
            }
            said = self.send_one(call(true)).await?;
        }
        self.owners.insert(partition, owner);
        self.behind.insert(partition);
        if said == "other" {
            tracing::warn!(
                partition,
                "the rows of the partition in Redis are of another topic or another PostgreSQL: they are removed"
            );
            for shape in &mirror.shapes {
                self.empty(shape, partition).await?;
            }
        }
        Ok(())
    }

    /// Another process has the partition.
    fn fenced(&mut self, partition: i32, owner: &Owner) {
        tracing::info!(
            partition,
            "another process has claimed the partition in Redis"
        );
        self.owners.remove(&partition);
        self.behind.remove(&partition);
        self.mirror.inbox.lost(partition, owner);
    }

    /// Writes changes of partitions that are ours.
    async fn write(&mut self, mut changes: Vec<Change>) -> Result<(), Trouble> {
        changes.retain(|change| self.owners.contains_key(&change.partition));
        let mut rest = changes.as_slice();
        while !rest.is_empty() {
            let (trip, later) = rest.split_at(rest.len().min(ROWS_OF_TRIP));
            rest = later;
            self.trip(trip.to_vec()).await?;
        }
        Ok(())
    }

    /// Writes changes in one round trip, and those again that were refused because of others.
    async fn trip(&mut self, mut changes: Vec<Change>) -> Result<(), Trouble> {
        let mirror = self.mirror;
        let shapes = mirror
            .shapes
            .iter()
            .map(|shape| (shape.view, shape))
            .collect();
        while !changes.is_empty() {
            let calls = changes.chunks(ROWS_OF_CALL).map(|changes| {
                (mirror.scripts).write(&mirror.topic, &self.owners, &shapes, changes)
            });
            let (commands, partitions): (Vec<Cmd>, Vec<Vec<i32>>) = calls.unzip();
            let said: Vec<Said> = self.send(commands).await?;
            let mut again = Vec::new();
            let calls = changes.chunks(ROWS_OF_CALL).zip(&partitions).zip(said);
            for ((changes, partitions), (said, first, _, refused)) in calls {
                match said.as_str() {
                    "done" => {
                        for change in changes {
                            if let Some(pass) = &mut self.pass
                                && let Some(place) = mirror.place(change.view)
                            {
                                pass.has(place, &change.key);
                            }
                        }
                        mirror.metrics.redis_rows.inc_by(first.unsigned_abs());
                        mirror.refused(refused);
                    }
                    "fenced" => {
                        let number = usize::try_from(first - 1).expect("an owner has a number");
                        let partition = partitions[number];
                        if let Some(owner) = self.owners.get(&partition).cloned() {
                            self.fenced(partition, &owner);
                        }
                        again.extend_from_slice(changes);
                    }
                    _ => return Err(Trouble::Lost),
                }
            }
            again.retain(|change: &Change| self.owners.contains_key(&change.partition));
            changes = again;
        }
        Ok(())
    }

    /// Removes what a view has under some keys of a partition.
    async fn remove(
        &mut self,
        shape: &Shape,
        partition: i32,
        before: Option<i64>,
        keys: &[String],
    ) -> Result<(), Trouble> {
        let mirror = self.mirror;
        let Some(owner) = self.owners.get(&partition).cloned() else {
            return Ok(());
        };
        let call = (mirror.scripts).remove(&mirror.topic, (partition, &owner), shape, before, keys);
        let (said, _): (String, i64) = self.send_one(call).await?;
        match said.as_str() {
            "done" => {}
            "fenced" => self.fenced(partition, &owner),
            _ => return Err(Trouble::Lost),
        }
        Ok(())
    }

    /// Removes the rows of a view whose newest event is too old.
    async fn expire(&mut self, expired: Expired) -> Result<(), Trouble> {
        let mirror = self.mirror;
        let Some(place) = mirror.place(expired.view) else {
            return Ok(());
        };
        let (shape, partition) = (&mirror.shapes[place], expired.partition);
        while self.owners.contains_key(&partition) {
            let mut ask = redis::cmd("ZRANGEBYSCORE");
            ask.arg(index_key(&shape.name, partition))
                .arg("-inf")
                .arg(format!("({}", expired.before))
                .arg("LIMIT")
                .arg(0)
                .arg(KEYS);
            let keys: Vec<String> = self.send_one(ask).await?;
            if !keys.is_empty() {
                (self.remove(shape, partition, Some(expired.before), &keys)).await?;
            }
            if keys.len() < KEYS {
                break;
            }
        }
        Ok(())
    }

    /// Removes all rows of a view and a partition.
    async fn empty(&mut self, shape: &Shape, partition: i32) -> Result<(), Trouble> {
        while self.owners.contains_key(&partition) {
            let mut ask = redis::cmd("ZRANGE");
            ask.arg(index_key(&shape.name, partition))
                .arg(0)
                .arg(KEYS - 1);
            let keys: Vec<String> = self.send_one(ask).await?;
            if keys.is_empty() {
                break;
            }
            self.remove(shape, partition, None, &keys).await?;
        }
        Ok(())
    }

    /// Asks whether the server is still the one that it was, and still has our keys.
    async fn check(&mut self) -> Result<(), Trouble> {
        let mut info = redis::cmd("INFO");
        info.arg("server");
        let info: String = self.send_one(info).await?;
        if run_of(&info) != self.run {
            return Err(Trouble::Moved);
        }
        let owners = self.owners.clone();
        if owners.is_empty() {
            return Ok(());
        }
        let mut ask = redis::cmd("MGET");
        for partition in owners.keys() {
            ask.arg(owner_key(&self.mirror.topic, *partition));
        }
        let found: Vec<Option<String>> = self.send_one(ask).await?;
        for ((partition, owner), found) in owners.iter().zip(found) {
            match found {
                None => return Err(Trouble::Lost),
                Some(found) if found != owner.text() => self.fenced(*partition, owner),
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// One step of the pass over all rows.
    async fn step(&mut self) -> Result<(), Trouble> {
        let mirror = self.mirror;
        let Some(pass) = &mut self.pass else {
            return Ok(());
        };
        match pass.next().cloned() {
            None => {
                tracing::info!(rows = pass.rows, partitions = ?pass.partitions, "Redis has every row that PostgreSQL has");
                self.pass = None;
            }
            Some(Step::Read { view, after }) => {
                if self.reached == Reached::Nothing {
                    self.reached = Reached::Part;
                }
                let partitions: Vec<i32> = pass.partitions.iter().copied().collect();
                let shape = &mirror.shapes[view];
                match (mirror.source.page(shape, &partitions, after.as_deref())).await {
                    Ok(page) => {
                        let rows = page.changes.len();
                        self.write(page.changes).await?;
                        if let Some(pass) = &mut self.pass {
                            pass.read(rows, page.last);
                        }
                    }
                    Err(error) => {
                        tracing::warn!(
                            view = shape.name,
                            "read rows for Redis from PostgreSQL: {error}; again in {READ_AGAIN:?}"
                        );
                        self.read_again = Instant::now() + READ_AGAIN;
                    }
                }
            }
            Some(Step::Sweep {
                view,
                partition,
                cursor,
            }) => {
                let shape = &mirror.shapes[view];
                let mut ask = redis::cmd("ZSCAN");
                ask.arg(index_key(&shape.name, partition))
                    .arg(cursor)
                    .arg("COUNT")
                    .arg(KEYS);
                let (next, found): (u64, Vec<(String, f64)>) = self.send_one(ask).await?;
                let Some(pass) = &mut self.pass else {
                    return Ok(());
                };
                let keys = found.into_iter().map(|(key, _)| key);
                let gone: Vec<String> = keys.filter(|key| !pass.knows(key)).collect();
                pass.swept(next);
                for keys in gone.chunks(KEYS) {
                    self.remove(shape, partition, None, keys).await?;
                }
            }
        }
        Ok(())
    }
}
