//! Decides which secret answers a question of ssh.

use std::collections::{HashMap, HashSet};
use std::os::unix::ffi::OsStrExt;

use hostlink_core::Secret;

use crate::settings::Settings;

use super::factors::is_password;

/// A question, as the askpass script reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    /// Whether the master itself asks, and not an ssh to a jump host, which inherits the askpass.
    pub(crate) from_target: bool,
    /// The process id of the ssh that asks. Two hops may have the same `user@host`.
    pub(crate) asker: i32,
    pub(crate) text: String,
}

/// The answer to a question.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    Secret(Secret),
    /// The user must be asked.
    Ask,
    /// Nothing, which ssh reads as "none".
    Empty,
    /// "no".
    No,
    /// The password was refused, so the login must end: another answer would be another wrong try.
    Refused,
}

/// The subject of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Confirmation of a host key.
    HostKey,
    /// The passphrase of this key file.
    Passphrase(String),
    /// The password of this `user@host`.
    Password(String),
    /// A question of the server itself, by keyboard-interactive, to this `user@host`.
    Interactive(String, String),
    /// Something else.
    Other,
}

impl Asked {
    /// Reads a prompt of ssh's `sshconnect.c` and `sshconnect2.c`.
    pub(crate) fn parse(text: &str) -> Self {
        let interactive = text.strip_prefix('(').and_then(|rest| rest.split_once(") "));
        if let Some((who, question)) = interactive.filter(|(who, _)| is_login(who)) {
            return Self::Interactive(who.to_owned(), question.to_owned());
        }
        if let Some(path) = text.strip_prefix("Enter passphrase for key ") {
            let path = path.trim_end().trim_end_matches(':');
            let quotes = ['\'', '"'];
            let path = path.strip_prefix(quotes).unwrap_or(path);
            return Self::Passphrase(path.strip_suffix(quotes).unwrap_or(path).to_owned());
        }
        if let Some(who) = text.trim_end().strip_suffix("'s password:").filter(|who| is_login(who))
        {
            return Self::Password(who.to_owned());
        }
        // Also the one that ssh repeats without end: "Please type 'yes', 'no' or the fingerprint".
        if text.contains("(yes/no") || text.starts_with("Please type 'yes'") {
            return Self::HostKey;
        }
        Self::Other
    }
}

impl Question {
    /// Returns the question as the user is asked it.
    pub(crate) fn in_words(&self) -> String {
        match Asked::parse(&self.text) {
            Asked::Password(who) => format!("the password of {who}"),
            Asked::Passphrase(path) => format!("the passphrase of the key {path}"),
            Asked::Interactive(who, text) if is_plain_password(&text) => {
                format!("the password of {who}")
            }
            Asked::Interactive(who, text) => {
                format!("{who}: {}", text.trim_end().trim_end_matches(':'))
            }
            Asked::HostKey | Asked::Other => self.text.trim_end().trim_end_matches(':').to_owned(),
        }
    }
}

/// Returns whether a server asks for the password only, in PAM's words.
pub(crate) fn is_plain_password(text: &str) -> bool {
    text.trim_end().eq_ignore_ascii_case("password:")
}

/// Returns whether a text is `user@host`. A user's name may contain a space.
fn is_login(text: &str) -> bool {
    text.rsplit_once('@').is_some_and(|(_, host)| !host.contains(char::is_whitespace))
}

/// The secrets of one master, and how they were used.
#[derive(Debug)]
pub(crate) struct Answers {
    password: Option<Secret>,
    key: Option<(String, Option<Secret>)>,
    jump_password: Option<Secret>,
    jumps: Vec<String>,
    asked: HashSet<(i32, String)>,
    interactive: HashSet<(i32, String)>,
    given: HashMap<(i32, String), Method>,
    pub(crate) notes: Notes,
}

/// How a password is requested. ssh tries the second way if the first was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Password,
    Interactive,
}

/// Facts for the error of a failed login.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes {
    /// The logins (`user@host`) that got a password.
    pub(crate) answered: Vec<String>,
    /// The key files whose passphrase was given.
    pub(crate) unlocked: Vec<String>,
    /// The key files whose passphrase was not known.
    pub(crate) locked: Vec<String>,
    /// The question that had no answer, and ended the login.
    pub(crate) unanswered: Option<Question>,
    /// The question that showed that the password was refused, and ended the login.
    pub(crate) refused: Option<Question>,
}

impl Answers {
    /// `jumps` are the hosts for which the password of jump hosts is, as ssh names them:
    /// `user@host`.
    pub(crate) fn new(settings: &Settings, jumps: Vec<String>) -> Self {
        let shown = |path: &std::path::PathBuf| {
            String::from_utf8_lossy(path.as_os_str().as_bytes()).into_owned()
        };
        Self {
            password: settings.password.clone(),
            key: settings.key.as_ref().map(|key| (shown(key), settings.key_password.clone())),
            jump_password: settings.proxy_jump_password.clone(),
            jumps,
            asked: HashSet::new(),
            interactive: HashSet::new(),
            given: HashMap::new(),
            notes: Notes::default(),
        }
    }

    /// Decides on one question.
    ///
    /// Each question gets a secret once: if it is repeated, the secret was wrong.
    pub(crate) fn decide(&mut self, question: &Question) -> Reply {
        let is_new = self.asked.insert((question.asker, question.text.clone()));
        match Asked::parse(&question.text) {
            Asked::HostKey => Reply::No,
            _ if !is_new => Reply::Empty,
            Asked::Passphrase(path) => self.passphrase(path),
            Asked::Password(who) => self.password_of(question, who, Method::Password),
            Asked::Interactive(who, text) => {
                let is_first = self.interactive.insert((question.asker, who.clone()));
                if is_password(&text, &who, is_first) {
                    self.password_of(question, who, Method::Interactive)
                } else {
                    Reply::Ask
                }
            }
            Asked::Other => Reply::Ask,
        }
    }

    /// Notes that the user could not be asked. The caller sends nothing or ends the login: an empty
    /// password would be a wrong try in the server's log.
    pub(crate) fn note_unanswered(&mut self, question: &Question) {
        match Asked::parse(&question.text) {
            Asked::Passphrase(path) => self.notes.locked.push(path),
            _ => self.notes.unanswered = Some(question.clone()),
        }
    }

    /// Notes that the user has answered.
    pub(crate) fn note_answered(&mut self, question: &Question) {
        match Asked::parse(&question.text) {
            Asked::Passphrase(path) => self.notes.unlocked.push(path),
            Asked::Password(who) | Asked::Interactive(who, _) => self.notes.answered.push(who),
            Asked::HostKey | Asked::Other => {}
        }
    }

    fn passphrase(&mut self, path: String) -> Reply {
        // ssh shows the first 100 bytes of the name.
        let is_ours = |key: &str| key == path || path.len() >= 90 && key.starts_with(&path);
        match &self.key {
            Some((key, Some(secret))) if is_ours(key) => {
                let secret = secret.clone();
                self.notes.unlocked.push(path);
                Reply::Secret(secret)
            }
            _ => Reply::Ask,
        }
    }

    fn password_of(&mut self, question: &Question, who: String, method: Method) -> Reply {
        let secret = match question.from_target {
            true => &self.password,
            false if self.jumps.iter().any(|jump| names(jump, &who)) => &self.jump_password,
            false => &None,
        };
        match secret.clone() {
            Some(secret) => {
                let first = self.given.entry((question.asker, who.clone())).or_insert(method);
                if *first != method {
                    self.notes.refused = Some(question.clone());
                    return Reply::Refused;
                }
                self.notes.answered.push(who);
                Reply::Secret(secret)
            }
            None => Reply::Ask,
        }
    }
}

/// Returns whether a prompt's `user@host` is this one. ssh truncates the user to 30 bytes and the
/// host to 128, and may write the host in lower case.
fn names(login: &str, prompt: &str) -> bool {
    let cut = |text: &str, limit: usize| {
        String::from_utf8_lossy(&text.as_bytes()[..text.len().min(limit)]).to_lowercase()
    };
    match (login.rsplit_once('@'), prompt.rsplit_once('@')) {
        (Some((user, host)), Some((asked_user, asked_host))) => {
            cut(user, 30) == cut(asked_user, 30) && cut(host, 128) == cut(asked_host, 128)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers() -> Answers {
        let secret = |text: &str| Some(Secret::from(text));
        Answers {
            password: secret("target"),
            key: Some(("/k/id".to_owned(), secret("phrase"))),
            jump_password: secret("jump"),
            jumps: vec!["me@Bastion".to_owned()],
            asked: HashSet::new(),
            interactive: HashSet::new(),
            given: HashMap::new(),
            notes: Notes::default(),
        }
    }

    fn target(text: &str) -> Question {
        Question { from_target: true, asker: 1, text: text.to_owned() }
    }

    fn jump(text: &str) -> Question {
        Question { from_target: false, asker: 2, text: text.to_owned() }
    }

    fn given(text: &str) -> Reply {
        Reply::Secret(Secret::from(text))
    }

    #[test]
    fn each_secret_answers_only_the_one_it_was_given_for() {
        for (question, reply) in [
            (target("me@web's password: "), given("target")),
            (jump("me@bastion's password: "), given("jump")),
            (jump("me@web's password: "), Reply::Ask),
            (jump("you@bastion's password: "), Reply::Ask),
            (target("(me@web) Password: "), given("target")),
            (target("(my self@web) Password: "), given("target")),
            (target("my self@web's password: "), given("target")),
            (jump("(me@bastion) Password: "), given("jump")),
            (target("(me@web) Passwort: "), given("target")),
            (target("(me@web) Verification code: "), Reply::Ask),
            (target("(me@web) One-time password (OATH) for `me': "), Reply::Ask),
            (target("(me@web) New password: "), Reply::Ask),
            (target("Enter me@web's new password: "), Reply::Ask),
            (target("Enter passphrase for key '/k/id': "), given("phrase")),
            (target("Enter passphrase for key \"/k/id\": "), given("phrase")),
            (target("Enter passphrase for key '/k/other': "), Reply::Ask),
            (target("Enter passphrase for key '/k/id\"': "), Reply::Ask),
            (jump("(evil@bastion) me@web's password: "), Reply::Ask),
            (jump("(evil@bastion) Enter passphrase for key '/k/id': "), Reply::Ask),
            (
                target("Are you sure you want to continue connecting (yes/no/[fingerprint])? "),
                Reply::No,
            ),
            (target("Please type 'yes', 'no' or the fingerprint: "), Reply::No),
            (target("Accept updated hostkeys? (yes/no): "), Reply::No),
            (target("Enter PIN for 'token': "), Reply::Ask),
        ] {
            assert_eq!(answers().decide(&question), reply, "{question:?}");
        }
    }

    #[test]
    fn the_same_question_again_means_that_the_answer_was_wrong() {
        let mut answers = answers();
        let question = target("(me@web) Password: ");
        assert_eq!(answers.decide(&question), given("target"));
        assert_eq!(answers.decide(&question), Reply::Empty);
        assert_eq!(answers.notes.answered, ["me@web"]);
    }

    #[test]
    fn a_password_that_was_refused_in_one_way_is_not_tried_in_the_other() {
        let mut answers = answers();
        assert_eq!(answers.decide(&target("(me@web) Password: ")), given("target"));
        let again = target("me@web's password: ");
        assert_eq!(answers.decide(&again), Reply::Refused);
        assert_eq!(answers.notes.refused, Some(again));
    }

    #[test]
    fn two_hops_of_one_name_are_two() {
        let mut answers = answers();
        let question = jump("me@bastion's password: ");
        let next = Question { asker: 3, ..question.clone() };
        assert_eq!(answers.decide(&question), given("jump"));
        assert_eq!(answers.decide(&next), given("jump"));
        assert_eq!(answers.decide(&next), Reply::Empty);
    }

    #[test]
    fn two_hops_may_use_one_key() {
        let mut answers = answers();
        let question = jump("Enter passphrase for key '/k/id': ");
        let next = Question { asker: 3, ..question.clone() };
        assert_eq!(answers.decide(&question), given("phrase"));
        assert_eq!(answers.decide(&next), given("phrase"));
        assert_eq!(answers.decide(&next), Reply::Empty);
    }

    #[test]
    fn a_second_question_is_not_the_password_for_being_alone() {
        let mut answers = answers();
        assert_eq!(answers.decide(&target("(me@web) Password: ")), given("target"));
        assert_eq!(answers.decide(&target("(me@web) Favourite colour: ")), Reply::Ask);
    }

    #[test]
    fn a_host_key_question_is_refused_each_time() {
        let mut answers = answers();
        let question = target("Please type 'yes', 'no' or the fingerprint: ");
        assert_eq!([answers.decide(&question), answers.decide(&question)], [Reply::No, Reply::No]);
    }

    #[test]
    fn long_names_are_compared_as_far_as_ssh_shows_them() {
        let user = "u".repeat(40);
        assert!(names(&format!("{user}@h"), &format!("{}@H", &user[..30])));
        assert!(!names("a@h", "ab@h"));
        assert!(!names("a@h", "a@hh"));
    }
}
