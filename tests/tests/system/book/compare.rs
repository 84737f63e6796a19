//! Compares what an example shows with what appeared. `…` is any text of a line, and a line with
//! nothing else is any number of lines.

const ANYTHING: char = '…';

/// Whether these lines are what a page shows.
pub(crate) fn matches(shown: &[String], lines: &[String], unordered: bool) -> bool {
    let trimmed = |lines: &[String]| {
        let count = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
        lines[..count].to_vec()
    };
    let (shown, mut lines) = (trimmed(shown), trimmed(lines));
    if unordered {
        let found = |line: &String| lines.iter().position(|it| matches_line(line, it));
        let Some(order) = shown.iter().map(found).collect::<Option<Vec<_>>>() else { return false };
        if order.len() == lines.len() {
            lines = order.into_iter().map(|index| lines[index].clone()).collect();
        }
    }
    matches_lines(&shown, &lines)
}

fn matches_lines(shown: &[String], lines: &[String]) -> bool {
    let Some((first, rest)) = shown.split_first() else { return lines.is_empty() };
    if is_anything(first) {
        return (0..=lines.len()).any(|count| matches_lines(rest, &lines[count..]));
    }
    lines
        .split_first()
        .is_some_and(|(line, lines)| matches_line(first, line) && matches_lines(rest, lines))
}

fn is_anything(line: &str) -> bool {
    line.chars().eq([ANYTHING])
}

fn matches_line(shown: &str, line: &str) -> bool {
    let Some((start, rest)) = shown.split_once(ANYTHING) else { return shown == line };
    line.strip_prefix(start).is_some_and(|line| {
        let ends = line.char_indices().map(|(index, _)| index).chain([line.len()]);
        ends.into_iter().any(|index| matches_line(rest, &line[index..]))
    })
}

#[cfg(test)]
mod tests {
    use super::matches;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    fn is_shown(shown: &str, text: &str) -> bool {
        matches(&lines(shown), &lines(text), false)
    }

    #[test]
    fn a_wrong_line_is_found() {
        assert!(is_shown("a\nb", "a\nb"));
        assert!(is_shown("a\n\n", "a"), "a page has empty lines between its commands");
        for wrong in ["", "a", "a\nB", "b\na", "a\nb\nc", "a b"] {
            assert!(!is_shown("a\nb", wrong), "{wrong:?}");
        }
        assert!(!is_shown("", "an error"));
    }

    #[test]
    fn an_ellipsis_is_anything_and_the_rest_is_not() {
        assert!(is_shown("took … ms, … bytes", "took 3 ms, 12 bytes"));
        assert!(!is_shown("took … ms", "took 3 s"));
        assert!(is_shown("a\n…\nb", "a\nb") && is_shown("a\n…\nb", "a\nx\ny\nb"));
        assert!(!is_shown("a\n…\nb", "a\nx") && !is_shown("…\nb", "b\nx"));
    }

    #[test]
    fn lines_of_several_hosts_come_in_any_order() {
        let (shown, swapped) = (lines("[a] 1\n[b] …"), lines("[b] 2\n[a] 1"));
        assert!(matches(&shown, &swapped, true) && !matches(&shown, &swapped, false));
        for wrong in ["[b] 2", "[b] 2\n[a] 1\n[a] 1", "[b] 2\n[a] 2", "[a] 1\n[a] 1"] {
            assert!(!matches(&shown, &lines(wrong), true), "{wrong:?}");
        }
    }
}
