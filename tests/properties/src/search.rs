//! A search for texts that break a property.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::mutation::{Random, mutated};
use crate::{Outcome, Verdict, memory};

/// How many texts are kept as material for new ones.
const POOL: usize = 1000;

/// Texts that take longer are tried, but not used as material.
const SLOW: Duration = Duration::from_millis(5);

/// How long to shorten a text that breaks the property.
const REDUCING: Duration = Duration::from_secs(5);

/// The limits of a search.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// The seed of all random choices.
    pub seed: u64,
    /// How long to make new texts, after the given ones have been tried.
    pub time: Duration,
    /// The time limit of the property for one text.
    pub longest: Duration,
    /// The limit of the process's peak memory, in bytes.
    pub max_memory: u64,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            seed: 0,
            time: Duration::from_secs(5),
            // A million names take a second or two on a slow machine, in a debug build.
            longest: Duration::from_secs(120),
            // Tests may share a process. Names may take 256 MiB, and half as much while they are
            // made.
            max_memory: 2 << 30,
        }
    }
}

/// What a search has tried.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// How many texts were read.
    pub accepted: usize,
    /// How many texts were refused.
    pub rejected: usize,
}

/// A text that breaks the property.
#[derive(Clone, Debug)]
pub struct Found {
    /// The text, shortened if possible.
    pub text: String,
    /// How the text breaks the property.
    pub fault: String,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.text, self.fault)
    }
}

impl Search {
    /// Tries the given texts, and then new ones made of them and of `words`.
    ///
    /// # Errors
    ///
    /// Returns the first text that breaks the property: the reader reports it, panics, or takes too
    /// much time or memory.
    ///
    /// # Panics
    ///
    /// If there are no texts or no words.
    pub fn run<P>(
        self,
        property: P,
        texts: Vec<String>,
        words: &'static [&'static str],
    ) -> Result<Seen, Found>
    where
        P: Fn(&str) -> Outcome + Send + 'static,
    {
        assert!(!texts.is_empty() && !words.is_empty(), "there is nothing to make texts of");
        let (sender, receiver) = channel();
        let tried = Arc::new(Mutex::new((Instant::now(), String::new())));
        let being_tried = tried.clone();
        // In a thread, so that a text that never ends is detected.
        thread::spawn(move || {
            let work = Work { search: self, property, tried: being_tried };
            // The receiver is gone if a text took too long.
            let _ = sender.send(work.run(texts, words));
        });
        loop {
            match receiver.recv_timeout(Duration::from_millis(50)) {
                Ok(outcome) => return outcome,
                Err(RecvTimeoutError::Timeout) => {
                    let (since, text) = &*tried.lock().unwrap_or_else(PoisonError::into_inner);
                    if since.elapsed() > self.longest {
                        let fault = format!("it takes more than {:?}", self.longest);
                        return Err(Found { text: text.clone(), fault });
                    }
                }
                Err(RecvTimeoutError::Disconnected) => unreachable!("panics are caught"),
            }
        }
    }
}

struct Work<P> {
    search: Search,
    property: P,
    tried: Arc<Mutex<(Instant, String)>>,
}

impl<P: Fn(&str) -> Outcome> Work<P> {
    fn run(&self, texts: Vec<String>, words: &[&str]) -> Result<Seen, Found> {
        let (mut seen, mut pool) = (Seen::default(), Vec::new());
        for text in texts {
            let start = Instant::now();
            self.count(&text, &mut seen)?;
            if start.elapsed() < SLOW || pool.is_empty() {
                pool.push(text);
            }
        }
        let (mut random, given) = (Random(self.search.seed), pool.len());
        let start = Instant::now();
        while start.elapsed() < self.search.time {
            let text = mutated(&mut random, &pool, words);
            let tried = Instant::now();
            let verdict = self.count(&text, &mut seen)?;
            // A text that was read leads to more that can be read.
            if verdict == Verdict::Accepted && tried.elapsed() < SLOW && random.below(8) == 0 {
                if pool.len() < given + POOL {
                    pool.push(text);
                } else {
                    let at = given + random.below(POOL);
                    pool[at] = text;
                }
            }
        }
        Ok(seen)
    }

    fn count(&self, text: &str, seen: &mut Seen) -> Result<Verdict, Found> {
        let verdict = self.attempt(text).map_err(|fault| self.reduced(text, fault))?;
        match verdict {
            Verdict::Accepted => seen.accepted += 1,
            Verdict::Rejected => seen.rejected += 1,
        }
        let peak = memory::peak().unwrap_or(0);
        if peak > self.search.max_memory {
            let fault = format!("peak memory is {} MiB", peak >> 20);
            return Err(Found { text: text.to_owned(), fault });
        }
        Ok(verdict)
    }

    fn attempt(&self, text: &str) -> Outcome {
        *self.tried.lock().unwrap_or_else(PoisonError::into_inner) =
            (Instant::now(), text.to_owned());
        catch_unwind(AssertUnwindSafe(|| (self.property)(text)))
            .unwrap_or_else(|panic| Err(format!("it panics: {}", message(&*panic))))
    }

    /// Removes parts of the text that are not needed to break the property.
    fn reduced(&self, text: &str, fault: String) -> Found {
        let mut found = Found { text: text.to_owned(), fault };
        let start = Instant::now();
        let mut length = text.chars().count().div_ceil(2);
        while length > 0 && start.elapsed() < REDUCING {
            let mut at = 0;
            while at < found.text.chars().count() && start.elapsed() < REDUCING {
                let characters = found.text.chars().enumerate();
                let kept = characters.filter(|(index, _)| !(at..at + length).contains(index));
                let shorter: String = kept.map(|(_, character)| character).collect();
                match self.attempt(&shorter) {
                    Err(fault) => found = Found { text: shorter, fault },
                    Ok(_) => at += length,
                }
            }
            length /= 2;
        }
        found
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("something")
}
