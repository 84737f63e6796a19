//! A reporter that remembers.

use std::sync::Mutex;

use hostlink_core::{Event, OutputLine, Reporter};

/// Remembers every event as text, with the kind in front.
#[derive(Debug, Default)]
pub(crate) struct Recorder(Mutex<Vec<String>>);

impl Recorder {
    /// What was told so far.
    pub(crate) fn events(&self) -> Vec<String> {
        self.0.lock().expect("nothing panics while it records").clone()
    }

    /// The same without what only `-v` shows: how a connection goes about it is its own.
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
