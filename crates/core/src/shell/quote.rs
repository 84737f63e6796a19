//! Quoting for shells: the `sh` that we start, and login shells of any kind.
//!
//! A line that `sudo -i`, `su` or sshd hands to a user's login shell may be read by bash, fish or
//! tcsh, which agree on single quotes only while there is no backslash (fish), no `!` (tcsh) and no
//! newline (tcsh) between them. Everything else is sent in octal, and our `sh` decodes it.

/// Quotes one word for a POSIX shell. Words of harmless characters are returned unchanged.
#[must_use]
pub fn shell(word: &[u8]) -> Vec<u8> {
    if !word.is_empty() && word.iter().all(|byte| is_harmless(*byte)) {
        return word.to_vec();
    }
    let mut quoted = Vec::with_capacity(word.len() + 2);
    quoted.push(b'\'');
    for byte in word {
        match byte {
            b'\'' => quoted.extend_from_slice(br#"'"'"'"#),
            byte => quoted.push(*byte),
        }
    }
    quoted.push(b'\'');
    quoted
}

/// Returns a line that runs `script` in `sh`, whatever shell reads the line.
#[must_use]
pub fn any_shell(script: &[u8]) -> Vec<u8> {
    if is_plain(script) {
        return [b"exec sh -c '", script, b"'"].concat();
    }
    [br#"exec sh -c 'eval "$(printf %b "$1")"' sh '"#, &*octal(script), b"'"].concat()
}

/// Returns the argument for `sudo -i sh -c` that does what `script` does.
///
/// sudo puts a backslash before every character that is not alphanumeric, `_`, `-` or `$`, joins
/// the words and passes the line to the login shell (sudo's `parse_args.c`): newlines are lost, and
/// `$x` is expanded. So the argument has neither.
#[must_use]
pub fn sudo_login(script: &[u8]) -> Vec<u8> {
    if is_plain(script) {
        return script.to_vec();
    }
    [b"eval \"`printf %b '", &*octal(script), b"'`\""].concat()
}

fn is_harmless(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"@%+=:,./-_".contains(&byte)
}

/// Returns whether single quotes preserve the text in every known shell.
fn is_plain(script: &[u8]) -> bool {
    script.iter().all(|byte| matches!(byte, b' '..=b'~') && !br#"\!'"`$"#.contains(byte))
}

/// Returns the argument for `printf %b`: `\0ooo` for all but harmless characters and spaces.
fn octal(script: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(script.len() * 2);
    for byte in script {
        if is_harmless(*byte) && *byte != b'%' || *byte == b' ' {
            encoded.push(*byte);
        } else {
            encoded.extend_from_slice(format!("\\0{byte:03o}").as_bytes());
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn words_are_quoted_only_where_they_need_it() {
        for (word, quoted) in [
            ("a-b_c.d/e:f,g@h%i+j=k", "a-b_c.d/e:f,g@h%i+j=k"),
            ("", "''"),
            ("a b", "'a b'"),
            ("~root", "'~root'"),
            ("it's", r#"'it'"'"'s'"#),
            ("$x`y`", "'$x`y`'"),
        ] {
            assert_eq!(text(shell(word.as_bytes())), quoted);
        }
    }

    #[test]
    fn a_line_for_any_shell_is_plain_or_octal() {
        assert_eq!(text(any_shell(b"uname -a")), "exec sh -c 'uname -a'");
        assert_eq!(
            text(any_shell(b"echo $x")),
            r#"exec sh -c 'eval "$(printf %b "$1")"' sh 'echo \0044x'"#
        );
        assert_eq!(text(sudo_login(b"echo $x")), r#"eval "`printf %b 'echo \0044x'`""#);
    }
}
