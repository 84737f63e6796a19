//! Whether a server's question is for the password, or for something else, such as a second factor.

/// Words in questions for a second factor.
const FACTORS: [&str; 22] = [
    "code",
    "codes",
    "passcode",
    "passcodes",
    "pincode",
    "tokencode",
    "token",
    "otp",
    "totp",
    "hotp",
    "oath",
    "factor",
    "2fa",
    "mfa",
    "duo",
    "pin",
    "yubikey",
    "onetime",
    "one time",
    "challenge",
    "captcha",
    "authenticator",
];

/// Words in questions for a change of the password.
const CHANGES: [&str; 4] = ["new", "old", "current", "retype"];

/// Returns whether a server's question to `who` (`user@host`) is for the password. The first
/// question may be in any language; a later one must contain the word.
///
/// A word of the lists that is only the user's or the host's name, as in "Password for pin@duo:",
/// does not count.
pub(super) fn is_password(text: &str, who: &str, is_first: bool) -> bool {
    let (text, who) = (text.to_lowercase(), who.to_lowercase());
    let (user, host) = who.rsplit_once('@').unwrap_or(("", &who));
    let names = [user, host, host.split('.').next().unwrap_or_default()];
    let is_name = |word: &&str| {
        let word = word.trim_matches(|c: char| c.is_ascii_punctuation());
        word.contains('@') || !word.is_empty() && names.contains(&word)
    };
    let nameless: Vec<&str> = text.split_whitespace().filter(|word| !is_name(word)).collect();
    let nameless = nameless.join(" ");
    let asks_for_it = nameless.contains("password");
    !is_of_something_else(&nameless)
        // The name of a user may be "code".
        && (asks_for_it || is_first && !is_of_something_else(&text))
}

fn is_of_something_else(text: &str) -> bool {
    let words: Vec<&str> =
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let text = format!(" {} ", words.join(" "));
    FACTORS.iter().chain(&CHANGES).any(|word| text.contains(&format!(" {word} ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_factors() {
        for (who, text) in [
            ("vscode@spinnaker", "vscode@spinnaker's password: "),
            ("vscode@spinnaker", "Password for vscode: "),
            ("duo@code", "Password for duo@pin-2: "),
            ("duo@code", "duo's password: "),
            ("pin@token.example.org", "(token) Password: "),
            ("me@web", "Passwort: "),
            ("me@web", "Shopping password: "),
            ("code@web", "Password for code: "),
        ] {
            let text = text.replace("duo's", "\"duo\"");
            assert!(is_password(&text, who, true), "{who}: {text}");
        }
    }

    #[test]
    fn factors_and_changes_are_none() {
        for (who, text) in [
            ("me@web", "Verification code: "),
            ("me@web", "Passcode or option (1-3): "),
            ("me@web", "One-time password (OATH) for `me': "),
            ("me@web", "Enter PIN+token: "),
            ("me@web", "2FA: "),
            ("me@web", "New password: "),
            ("me@web", "(current) UNIX password: "),
            ("code@web", "Verification code: "),
            ("pin@web", "PIN for pin: "),
            ("one@web", "One-time password: "),
        ] {
            assert!(!is_password(text, who, true), "{who}: {text}");
        }
        assert!(!is_password("Favourite colour: ", "me@web", false));
        assert!(is_password("Password: ", "me@web", false));
    }
}
