//! Looks for texts that break a property.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::mutation::{Random, mutated};
use crate::{Outcome, Verdict, memory};

/// How many texts are kept that others are made of.
const POOL: usize = 1000;

/// Texts that take longer are tried, and none are made of them.
const SLOW: Duration = Duration::from_millis(5);

/// How long a text that breaks the property is made shorter.
const REDUCING: Duration = Duration::from_secs(5);

/// What is looked for, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// Of it alone depends what is tried.
    pub seed: u64,
    /// How long texts are made, after the given ones have been tried.
    pub time: Duration,
    /// How long the property may take with one text.
    pub longest: Duration,
    /// What the process may have in use at its peak, in bytes.
    pub most_memory: u64,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            seed: 0,
            time: Duration::from_secs(5),
            // A million names take a second or two on a slow machine, in a build for debugging.
            longest: Duration::from_secs(120),
            // Tests may share a process, and names may take 256 MiB, and half as much while they
            // are made.
            most_memory: 2 << 30,
        }
    }
}

/// What was tried.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// Texts that were read.
    pub accepted: usize,
    /// Texts that were refused.
    pub rejected: usize,
}

/// A text that breaks the property.
#[derive(Clone, Debug)]
pub struct Found {
    /// The text, made shorter where that was possible.
    pub text: String,
    /// How it breaks it.
    pub fault: String,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.text, self.fault)
    }
}

impl Search {
    /// Tries the given texts, and then others that are made of them and of `words`.
    ///
    /// # Errors
    ///
    /// The first text that breaks the property: it panics, says so, takes too long or too much
    /// memory.
    ///
    /// # Panics
    ///
    /// If there are no texts, or no words.
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
        // In a thread, so that a text that is never done with can be told.
        thread::spawn(move || {
            let work = Work { search: self, property, tried: being_tried };
            // Nobody listens any more if a text took too long.
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
            // What is read leads on to more that is read.
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
        if peak > self.search.most_memory {
            let fault = format!("{} MiB are in use at the peak", peak >> 20);
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

    /// Leaves out whatever is not needed to break the property.
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
