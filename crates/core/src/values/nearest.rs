//! Suggestions for misspelled names.

/// Maximum number of suggestions.
const MOST: usize = 3;

/// Returns ` (did you mean a or b?)`; empty if no name is similar.
#[must_use]
pub fn hint<'a>(wanted: &str, known: impl Iterator<Item = &'a str>) -> String {
    let limit = 1 + wanted.len() / 4;
    let mut near: Vec<(usize, &str)> = known
        .map(|name| (strsim::damerau_levenshtein(wanted, name), name))
        .filter(|(distance, name)| *distance <= limit || name.starts_with(wanted))
        .collect();
    near.sort_unstable();
    near.dedup();
    let nearest = near.first().map_or(0, |(distance, _)| *distance);
    near.retain(|(distance, _)| *distance <= nearest + 1);
    let names: Vec<&str> = near.into_iter().take(MOST).map(|(_, name)| name).collect();
    if names.is_empty() {
        String::new()
    } else {
        format!(" (did you mean {}?)", names.join(" or "))
    }
}

#[cfg(test)]
mod tests {
    use super::hint;

    #[test]
    fn near_names_are_told_nearest_first() {
        let known = ["web1", "web-old", "database", "wbe"];
        assert_eq!(hint("wbe1", known.into_iter()), " (did you mean wbe or web1?)");
        assert_eq!(hint("data", known.into_iter()), " (did you mean database?)");
        assert_eq!(hint("nothing-like-it", known.into_iter()), "");
    }
}
