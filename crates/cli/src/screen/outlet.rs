//! Lines to standard output from a process that works for ever: a thread of their own writes them, so that a pipe that nobody
//! reads holds nobody up. What finds no room is left out and counted, and a line says so once there is room.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So many lines wait at most.
const LINES: usize = 10_000;
/// So many bytes of them.
const BYTES: usize = 8 << 20;

/// Says that so many lines were left out.
pub(super) type Says = fn(u64) -> String;

/// Where lines go.
#[derive(Clone)]
pub(super) struct Outlet(Arc<Shared>);

struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

struct Queue {
    lines: VecDeque<String>,
    bytes: usize,
    /// Most lines and bytes that wait.
    room: [usize; 2],
    /// Lines that were left out since the last that was taken. While there are any, no line is taken before half of the room
    /// is free: else every other one would be left out.
    dropped: u64,
    says: Says,
    /// A line is being written.
    writing: bool,
}

impl Queue {
    fn take(&mut self, line: String) {
        self.bytes += line.len();
        self.lines.push_back(line);
    }

    /// Whether there is room again after lines were left out.
    fn catches_up(&self) -> bool {
        self.lines.len() <= self.room[0] / 2 && self.bytes <= self.room[1] / 2
    }

    /// Says what was left out, once there is room.
    fn own_up(&mut self) {
        if self.dropped > 0 && self.catches_up() {
            let line = (self.says)(std::mem::take(&mut self.dropped));
            self.take(line);
        }
    }

    fn is_done(&self) -> bool {
        self.lines.is_empty() && self.dropped == 0 && !self.writing
    }
}

impl Outlet {
    /// Writes to standard output from now on.
    pub(super) fn open(says: Says) -> std::io::Result<Self> {
        Self::to(std::io::stdout(), [LINES, BYTES], says)
    }

    fn to(mut writer: impl Write + Send + 'static, room: [usize; 2], says: Says) -> std::io::Result<Self> {
        let outlet = Self(Arc::new(Shared {
            queue: Mutex::new(Queue {
                lines: VecDeque::new(),
                bytes: 0,
                room,
                dropped: 0,
                says,
                writing: false,
            }),
            changed: Condvar::new(),
        }));
        let own = outlet.clone();
        let thread = std::thread::Builder::new().name("lines".to_owned());
        thread.spawn(move || own.write_all(&mut writer))?;
        Ok(outlet)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a line, or leaves it out where there is no room.
    pub(super) fn print(&self, line: &str) {
        let mut queue = self.queue();
        queue.own_up();
        let full = queue.lines.len() >= queue.room[0] || queue.bytes + line.len() > queue.room[1];
        match queue.dropped > 0 || full {
            true => queue.dropped += 1,
            false => queue.take(line.to_owned()),
        }
        drop(queue);
        self.0.changed.notify_all();
    }

    /// Whether half of the room is free, after waiting for it so long at most.
    pub(super) fn has_room(&self, patience: Duration) -> bool {
        let queue = self.queue();
        if queue.catches_up() {
            return true;
        }
        let waited = self.0.changed.wait_timeout(queue, patience);
        waited.unwrap_or_else(PoisonError::into_inner).0.catches_up()
    }

    /// Waits until all is written, so long at most.
    pub(super) fn flush(&self, patience: Duration) {
        let end = Instant::now() + patience;
        let mut queue = self.queue();
        while !queue.is_done() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.0.changed.wait_timeout(queue, left);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn write_all(&self, writer: &mut impl Write) {
        let mut queue = self.queue();
        loop {
            queue.own_up();
            let Some(line) = queue.lines.pop_front() else {
                let waited = self.0.changed.wait(queue);
                queue = waited.unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            queue.bytes -= line.len();
            queue.writing = true;
            drop(queue);
            // A reader that went away (`| head`) is no failure.
            let _gone = writeln!(writer, "{line}").and_then(|()| writer.flush());
            queue = self.queue();
            queue.writing = false;
            self.0.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::{BufRead, BufReader};

    #[test]
    fn a_pipe_that_nobody_reads_holds_nobody_up_and_what_was_left_out_is_counted() {
        // GIVEN a pipe that nobody reads
        let (reader, writer) = std::io::pipe().unwrap();
        let outlet = Outlet::to(writer, [100, BYTES], |count| format!("dropped {count}")).unwrap();
        let line = |number: usize| format!("{number} {}", "x".repeat(1_000));
        // WHEN far more is said than it holds THEN nobody waits
        let began = Instant::now();
        (0..1_000).for_each(|number| outlet.print(&line(number)));
        outlet.flush(Duration::from_millis(50));
        assert!(began.elapsed() < Duration::from_secs(5));
        // AND whoever reads it then is told, between what was said before and after, how many lines are missing there
        let mut lines = BufReader::new(reader).lines().map_while(Result::ok);
        let (mut next, mut dropped) = (0, 0);
        while next < 1_000 {
            let said = lines.next().unwrap();
            let missing = said
                .strip_prefix("dropped ")
                .map(|count| count.parse::<usize>().unwrap());
            assert!(missing.is_some() || said == line(next), "{next} {said}");
            next += missing.unwrap_or(1);
            dropped += missing.unwrap_or(0);
        }
        // More than the room and the pipe hold was said. The pipe of the system holds some tens of lines.
        assert!(next == 1_000 && dropped > 0, "{next} {dropped}");
        outlet.print("afterwards");
        assert_eq!(lines.next().as_deref(), Some("afterwards"));
        outlet.flush(Duration::from_secs(5));
        assert!(outlet.queue().is_done());
    }
}
