//! A reporter that records events.

use std::sync::Mutex;

use hostlink_core::{Event, OutputLine, Reporter};

/// Records every event as text, prefixed with its kind.
#[derive(Debug, Default)]
pub(crate) struct Recorder(Mutex<Vec<String>>);

impl Recorder {
    /// Returns the events so far.
    pub(crate) fn events(&self) -> Vec<String> {
        self.0.lock().expect("nothing panics while it records").clone()
    }

    /// Returns the events without those that only `-v` shows: they differ between connections.
    pub(crate) fn events_without_details(&self) -> Vec<String> {
        let mut events = self.events();
        events.retain(|event| !event.contains(": detail "));
        events
    }
}

impl Reporter for Recorder {
    fn report(&self, target: &str, event: Event<'_>) {
        let text = match event {
            Event::Input(text) => format!("input {text}"),
            Event::Output(OutputLine { stream, line }) => format!("{stream:?} {line}"),
            Event::Warning(text) => format!("warning {text}"),
            Event::Notice(text) => format!("notice {text}"),
            Event::Detail(text) => format!("detail {text}"),
            other => format!("{other:?}"),
        };
        self.0.lock().expect("nothing panics while it records").push(format!("{target}: {text}"));
    }
}
