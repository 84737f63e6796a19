//! A reporter that records events.

use std::sync::Mutex;

use hostlink_core::{Event, OutputLine, Reporter};

/// Records every event as text, prefixed with its kind.
#[derive(Debug, Default)]
pub(crate) struct Recorder(Mutex<Vec<Recorded>>);

#[derive(Debug)]
struct Recorded {
    text: String,
    /// Only `-v` shows it, and it differs between connections.
    is_detail: bool,
}

impl Recorder {
    /// Returns the events so far, without details.
    pub(crate) fn events(&self) -> Vec<String> {
        self.texts(|event| !event.is_detail)
    }

    /// Returns all events so far.
    pub(crate) fn all_events(&self) -> Vec<String> {
        self.texts(|_| true)
    }

    fn texts(&self, which: impl Fn(&Recorded) -> bool) -> Vec<String> {
        let events = self.0.lock().expect("nothing panics while it records");
        events.iter().filter(|event| which(event)).map(|event| event.text.clone()).collect()
    }
}

impl Reporter for Recorder {
    fn report(&self, target: &str, event: Event<'_>) {
        let text = match event {
            Event::Input(text) => format!("input {text}"),
            Event::Output(OutputLine { stream, line }) => format!("{stream:?} {line}"),
            Event::Warning(text) => format!("warning {text}"),
            Event::Notice(text) => format!("notice {text}"),
            other => format!("{other:?}"),
        };
        let is_detail = matches!(event, Event::Detail(_) | Event::Program(_));
        let recorded = Recorded { text: format!("{target}: {text}"), is_detail };
        self.0.lock().expect("nothing panics while it records").push(recorded);
    }
}
