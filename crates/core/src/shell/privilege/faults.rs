//! What is wrong with the arguments of privilege tools.

use super::tools::TOOLS;
use super::{Field, Given, Tool};
use crate::shell::arguments::ConnectorArguments;
use crate::values::error::Result;
use crate::values::fault::Fault;
use crate::values::reader::faults_to_result;

/// Refuses what a privilege tool could not take.
pub(crate) fn check(arguments: &ConnectorArguments) -> Result<()> {
    faults_to_result(faults(arguments))
}

pub(crate) fn faults(arguments: &ConnectorArguments) -> Vec<Fault> {
    let mut faults: Vec<Fault> =
        TOOLS.iter().flat_map(|tool| tool.unused_faults(arguments)).collect();
    if arguments.use_sudo_password == Some(true) && arguments.sudo_password.is_some() {
        faults.push(Fault::excludes("_use_sudo_password", "_sudo_password"));
    }
    let fields = TOOLS.iter().flat_map(Tool::fields);
    faults.extend(fields.filter_map(|field| field.fault(arguments)));
    faults
}

impl Tool {
    /// A fault for each option of a tool that is not asked for. A tool that is switched off may
    /// keep its options.
    fn unused_faults(&self, arguments: &ConnectorArguments) -> impl Iterator<Item = Fault> {
        let is_said = match (self.request.given)(arguments) {
            Given::Switch(switch) => switch.is_some(),
            given => given.is_on(),
        };
        let password = self.password.iter().filter(|password| !password.may_be_unused);
        let options = self.options.iter().chain(password.map(|password| &password.field));
        let unused = options.filter(move |field| !is_said && (field.given)(arguments).is_on());
        unused.map(|field| Fault::needs(field.key, self.request.key))
    }
}

impl Field {
    fn fault(&self, arguments: &ConnectorArguments) -> Option<Fault> {
        let (name, of) = match (self.given)(arguments) {
            Given::User(Some(name)) => (name, "user"),
            Given::Group(Some(name)) => (name, "group"),
            // A tool reads one line. Text after it would be another try, or the command's input.
            Given::Password(Some(it)) if it.expose().contains(['\n', '\r', '\0']) => {
                let problem = "must be one line, without a NUL byte";
                return Some(Fault::new(self.key, problem));
            }
            _ => return None,
        };
        let refused =
            name.is_empty() || name.starts_with('-') || name.chars().any(char::is_control);
        refused.then(|| Fault::new(self.key, format!("{name:?} is not a valid {of} name")))
    }
}
