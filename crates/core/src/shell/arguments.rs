//! How one command runs: privilege, environment, directory, limits.

use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use crate::values::data::Data;
use crate::values::error::Result;
use crate::values::field::DataField;
use crate::values::output::CommandOutput;
use crate::values::reader::DataReader;
use crate::values::secret::Secret;
use crate::values::stdin::Stdin;
use crate::values::value::{FromValue, Value};

/// One row per field: documentation, type, type name, default as shown, whether it is secret.
macro_rules! connector_arguments {
    ($(
        #[doc = $description:literal]
        $(#[doc = $more:literal])*
        $field:ident: $type:ty, $type_name:literal, $default:literal, $secret:literal, $with:ident;
    )+) => {
        /// Options for running one command. Host data or the default applies to a field that is
        /// `None`.
        ///
        /// The names are pyinfra's global arguments without the leading underscore, which host data
        /// keeps (`_sudo`). Several privilege tools nest in pyinfra's order: doas → dzdo → sudo →
        /// su.
        ///
        /// ```
        /// use hostlink_core::ConnectorArguments;
        ///
        /// let arguments = ConnectorArguments::new().with_sudo(true).with_chdir("/srv");
        /// assert_eq!(arguments.sudo, Some(true));
        /// ```
        #[derive(Clone, Debug, Default)]
        pub struct ConnectorArguments {$(
            #[doc = $description]
            $(#[doc = $more])*
            pub $field: Option<$type>,
        )+}

        impl ConnectorArguments {
            /// Every field as a key of host data (with an underscore), in the order of the struct.
            pub const FIELDS: &'static [DataField] = &[$(DataField {
                default: $default,
                secret: $secret,
                ..DataField::new(concat!("_", stringify!($field)), $type_name, $description)
            }),+];

            /// Reads the fields from host data.
            ///
            /// # Errors
            ///
            /// [`ErrorKind::Data`](crate::ErrorKind::Data) that lists every value of a wrong type.
            pub fn from_data(data: &Data) -> Result<Self> {
                let mut reader = DataReader::new(data);
                let mut fields = Self::FIELDS.iter();
                let arguments = Self {$(
                    $field: reader.get(fields.next().expect("FIELDS has a row for each field")),
                )+};
                reader.finish()?;
                Ok(arguments)
            }

            /// Returns these arguments with `defaults` for the fields that are `None`.
            #[must_use]
            pub fn or(self, defaults: &Self) -> Self {
                Self {$($field: self.$field.or_else(|| defaults.$field.clone()),)+}
            }

            /// Returns only the fields whose keys `keep` accepts.
            pub(super) fn only(&self, keep: impl Fn(&str) -> bool) -> Self {
                Self {$($field: self.$field.clone().filter(|_| keep(concat!("_", stringify!($field)))),)+}
            }

            $(
                #[doc = concat!("Sets [`", stringify!($field), "`](Self::", stringify!($field), ").")]
                #[must_use]
                pub fn $with(mut self, value: impl Into<$type>) -> Self {
                    self.$field = Some(value.into());
                    self
                }
            )+
        }
    };
}

connector_arguments! {
    #[doc = "Run with sudo."]
    sudo: bool, "true or false", "false", false, with_sudo;
    #[doc = "With sudo: as this user instead of root."]
    sudo_user: String, "text", "", false, with_sudo_user;
    #[doc = "With sudo: with this primary group; without sudo_user, sudo then keeps the connecting user (sudo -g)."]
    sudo_group: String, "text", "", false, with_sudo_group;
    #[doc = "Run sudo with the user's login shell (sudo -i)."]
    use_sudo_login: bool, "true or false", "false", false, with_use_sudo_login;
    #[doc = "Ask for sudo's password before it is needed."]
    use_sudo_password: bool, "true or false", "false", false, with_use_sudo_password;
    #[doc = "The password for sudo, if it asks for one."]
    sudo_password: Secret, "text", "", true, with_sudo_password;
    #[doc = "Keep the environment of the connecting user under sudo (sudo -E)."]
    preserve_sudo_env: bool, "true or false", "false", false, with_preserve_sudo_env;
    #[doc = "Run with su as this user."]
    su_user: String, "text", "", false, with_su_user;
    #[doc = "Run su with a login shell (su -l)."]
    use_su_login: bool, "true or false", "false", false, with_use_su_login;
    #[doc = "Keep the environment of the connecting user under su (su -m)."]
    preserve_su_env: bool, "true or false", "false", false, with_preserve_su_env;
    #[doc = "The shell that su starts, for users whose own is nologin (su -s; Linux)."]
    su_shell: String, "text", "", false, with_su_shell;
    #[doc = "The password for su, if it asks for one."]
    su_password: Secret, "text", "", true, with_su_password;
    #[doc = "Run with doas."]
    doas: bool, "true or false", "false", false, with_doas;
    #[doc = "With doas: as this user instead of root."]
    doas_user: String, "text", "", false, with_doas_user;
    #[doc = "The password for doas, if it asks for one. doas asks on a terminal only."]
    doas_password: Secret, "text", "", true, with_doas_password;
    #[doc = "Run with dzdo."]
    dzdo: bool, "true or false", "false", false, with_dzdo;
    #[doc = "With dzdo: as this user instead of root."]
    dzdo_user: String, "text", "", false, with_dzdo_user;
    #[doc = "The shell that runs the command, with flags if there are several words."]
    shell_executable: String, "text", "sh", false, with_shell_executable;
    #[doc = "Directory on the target in which the command runs."]
    chdir: String, "text", "", false, with_chdir;
    #[doc = "Environment variables of the command."]
    env: IndexMap<String, EnvValue>, "map of names to text", "", false, with_env;
    #[doc = "Exit codes that count as success."]
    success_exit_codes: Vec<i32>, "list of numbers", "0", false, with_success_exit_codes;
    #[doc = "Time limit of one attempt; then everything it started is killed."]
    timeout: Duration, "seconds", "", false, with_timeout;
    #[doc = "Run on a pseudo-terminal: standard error arrives as standard output."]
    #[doc = ""]
    #[doc = "With `stdin`, the command reads that input from a pipe, byte for byte, and its output is unchanged; the target needs"]
    #[doc = "`stty`, `sed` and `base64`. Without, a prompt on the terminal gets end of input, and output has `\\r\\n` for `\\n`."]
    #[doc = ""]
    #[doc = "File transfers use it only for a privilege tool that needs a terminal, and cannot have one in addition to its pipes"]
    #[doc = "(over SSH, in containers)."]
    get_pty: bool, "true or false", "false", false, with_get_pty;
    #[doc = "Standard input of the command."]
    stdin: Stdin, "text or list of lines", "", false, with_stdin;
    #[doc = "How often a command that failed is run again."]
    retries: u32, "number", "0", false, with_retries;
    #[doc = "How long to wait before each further attempt."]
    retry_delay: Duration, "seconds", "5", false, with_retry_delay;
    #[doc = "Run again, within `retries`, while a successful output meets this condition; text: while the output contains it."]
    retry_until: RetryUntil, "text", "", false, with_retry_until;
    #[doc = "Directory on the target for temporary files."]
    temp_dir: String, "text", "", false, with_temp_dir;
}

impl ConnectorArguments {
    /// Returns arguments without any field: all defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets one environment variable and keeps the others.
    #[must_use]
    pub fn with_env_var(mut self, name: impl Into<String>, value: impl Into<EnvValue>) -> Self {
        self.env.get_or_insert_default().insert(name.into(), value.into());
        self
    }

    /// Returns the data field of this name, with or without the underscore.
    #[must_use]
    pub fn field(name: &str) -> Option<&'static DataField> {
        Self::FIELDS.iter().find(|field| field.key == name || &field.key[1..] == name)
    }

    /// Returns whether `code` is a successful exit code.
    #[must_use]
    pub fn is_success(&self, code: i32) -> bool {
        let codes = self.success_exit_codes.clone();
        codes.unwrap_or_else(|| default_of("_success_exit_codes")).contains(&code)
    }

    /// Adds the password that the user typed, and does not ask for it again.
    pub(crate) fn answered(self, password: Secret) -> Self {
        Self { sudo_password: Some(password), use_sudo_password: None, ..self }
    }
}

/// Returns the documented default of a field, by its key.
pub(crate) fn default_of<T: FromValue>(key: &str) -> T {
    ConnectorArguments::field(key).expect("the row has this key").default_value()
}

/// The value of an environment variable.
#[derive(Clone, Debug, PartialEq)]
pub enum EnvValue {
    /// Text that may be shown; not necessarily UTF-8.
    Plain(OsString),
    /// Never shown, and never in an argument list on the way to the target.
    Secret(Secret),
}

impl From<&str> for EnvValue {
    fn from(text: &str) -> Self {
        Self::Plain(text.into())
    }
}

impl From<OsString> for EnvValue {
    fn from(text: OsString) -> Self {
        Self::Plain(text)
    }
}

impl From<Secret> for EnvValue {
    fn from(secret: Secret) -> Self {
        Self::Secret(secret)
    }
}

impl FromValue for EnvValue {
    const EXPECTED: &'static str = "text";

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Secret(secret) => Some(Self::Secret(secret.clone())),
            value => String::from_value(value).map(|text| Self::Plain(text.into())),
        }
    }
}

/// The caller's condition for another attempt, like pyinfra's `_retry_until`: true means "again".
#[derive(Clone)]
pub struct RetryUntil(Arc<dyn Fn(&CommandOutput) -> bool + Send + Sync>);

impl RetryUntil {
    /// Run again while `condition` returns true for the output.
    pub fn new(condition: impl Fn(&CommandOutput) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(condition))
    }

    /// Run again while standard output or standard error contains `text`.
    pub fn output_contains(text: impl Into<String>) -> Self {
        let text = text.into();
        Self::new(move |output| {
            [output.stdout(), output.stderr()]
                .iter()
                .any(|bytes| String::from_utf8_lossy(bytes).contains(&text))
        })
    }

    pub(crate) fn wants_another(&self, output: &CommandOutput) -> bool {
        (self.0)(output)
    }
}

impl FromValue for RetryUntil {
    const EXPECTED: &'static str = "text to look for in the output";

    fn from_value(value: &Value) -> Option<Self> {
        String::from_value(value).filter(|text| !text.is_empty()).map(Self::output_contains)
    }
}

impl fmt::Debug for RetryUntil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RetryUntil(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_data_gives_defaults_and_a_call_overrides_them() {
        let data = Data::new()
            .with("_sudo", "yes")
            .with("_timeout", 5)
            .with("_success_exit_codes", vec![Value::Int(0), Value::Int(3)]);
        let defaults = ConnectorArguments::from_data(&data).unwrap();
        let arguments = ConnectorArguments::new().with_sudo(false).or(&defaults);
        assert_eq!(arguments.sudo, Some(false));
        assert_eq!(arguments.timeout, Some(Duration::from_secs(5)));
        assert!(arguments.is_success(3) && !arguments.is_success(1));
    }

    #[test]
    fn a_documented_default_is_a_value_of_its_field() {
        let fields = ConnectorArguments::FIELDS.iter().filter(|field| !field.default.is_empty());
        for field in fields {
            ConnectorArguments::from_data(&Data::new().with(field.key, field.default)).unwrap();
        }
        assert_eq!(default_of::<Duration>("_retry_delay"), Duration::from_secs(5));
        assert!(
            ConnectorArguments::new().is_success(0) && !ConnectorArguments::new().is_success(1)
        );
    }

    #[test]
    fn wrong_data_is_listed_whole() {
        let data = Data::new().with("_sudo", 7).with("_timeout", "abc");
        let message = ConnectorArguments::from_data(&data).unwrap_err().to_string();
        assert!(message.contains("_sudo: 7 is not true or false"), "{message}");
        assert!(message.contains("_timeout: \"abc\" is not a number of seconds"), "{message}");
    }

    #[test]
    fn nothing_secret_is_shown() {
        let arguments = ConnectorArguments::new()
            .with_sudo_password("hunter2")
            .with_env_var("TOKEN", Secret::from("hunter2"))
            .with_stdin("hunter2");
        assert!(!format!("{arguments:?}").contains("hunter2"));
    }
}
