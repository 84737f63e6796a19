//! The output of `vagrant --machine-readable`: lines `TIME,MACHINE,TYPE,DATA`, between others.

/// One line of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// The machine that it is about; empty if it is about all.
    pub(crate) machine: &'a str,
    pub(crate) kind: &'a str,
    data: &'a str,
}

impl Line<'_> {
    /// The data, one by one.
    pub(crate) fn data(&self) -> impl Iterator<Item = String> {
        let unescaped = |part: &str| {
            part.replace("%!(VAGRANT_COMMA)", ",").replace("\\n", "\n").replace("\\r", "\r")
        };
        self.data.split(',').map(unescaped)
    }
}

/// The lines among what was written; a Vagrantfile may write too.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    text.lines().filter_map(line)
}

fn line(text: &str) -> Option<Line<'_>> {
    let mut parts = text.splitn(4, ',');
    let time = parts.next()?;
    let is_time = !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_digit());
    is_time.then_some(())?;
    Some(Line { machine: parts.next()?, kind: parts.next()?, data: parts.next()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_between_others() {
        let text = "noise, with, three, commas\n1795290587,db,state,stopped\nHost web\n\
                    1,,error-exit,Vagrant::Errors::X,a%!(VAGRANT_COMMA)\\nb\n1,short\n,a,b,c\n";
        let found: Vec<(&str, &str, Vec<String>)> =
            lines(text).map(|line| (line.machine, line.kind, line.data().collect())).collect();
        let expected = [
            ("db", "state", vec!["stopped".to_owned()]),
            ("", "error-exit", vec!["Vagrant::Errors::X".to_owned(), "a,\nb".to_owned()]),
        ];
        assert_eq!(found, expected);
    }
}
