#![doc = include_str!("../README.md")]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use async_trait::async_trait;
use hostlink_core::{
    About, Connection, Connector, ConnectorArguments, Context, Data, DataReader, Error, ErrorKind,
    Features, Kind, Link, Listing, MAX_ARGUMENT, NameData, Open, Outcome, Process, Result,
    RunOptions, Script, Slot, SpawnOptions, StringCommand, Target, data_fields,
};

data_fields! {
    /// The data as given.
    struct Given from DataReader<'_>;

    /// The network namespace: NAME in @netns/NAME.
    NAME = "netns_name", "text" => name: Option<String>, checked(namespace);
    /// Enter the namespace with sudo, without a password.
    SUDO = "netns_sudo", "true or false", default: "false" => sudo: bool, or_default();
}

/// Network namespaces: `@netns/blue` of this machine, `@ssh/web1/@netns/blue` of another.
#[derive(Clone, Copy, Debug, Default)]
pub struct NetnsConnector;

#[async_trait]
impl Connector for NetnsConnector {
    fn about(&self) -> About<'_> {
        About {
            name: "netns",
            description: "A network namespace of this machine or of the target before it, entered with `ip netns exec`.",
            fields: FIELDS,
            kind: Kind::Wraps(self),
        }
    }

    async fn list(&self, argument: Option<&str>, _context: &Context) -> Result<Listing> {
        let Some(name) = argument else {
            let message = "@netns names no namespace: write @netns/NAME";
            return Err(Error::new(ErrorKind::Inventory, message));
        };
        namespace(name).map_err(|problem| {
            Error::new(ErrorKind::Inventory, format!("@netns/{name}: {problem}"))
        })?;
        Ok(NameData::new(format!("@netns/{name}")).with_data(NAME.key, name).into())
    }
}

#[async_trait]
impl Open for NetnsConnector {
    fn needs_outer(&self, _data: &Data) -> bool {
        true
    }

    fn check(&self, target: &Target, _context: &Context) -> Result<()> {
        Settings::parse(&target.data).map(|_| ())
    }

    async fn connect(&self, target: &Target, context: &Context) -> Result<Box<dyn Connection>> {
        let settings = Settings::parse(&target.data)?;
        let Some(outer) = target.outer.clone() else {
            let message = "@netns needs a target to go through, and there is none";
            return Err(Error::new(ErrorKind::Unsupported, message));
        };
        let ip = look(&outer, &settings, context.connect_timeout).await?;
        Ok(Box::new(NetnsConnection { outer, settings, ip }))
    }
}

/// One target's data, checked.
#[derive(Debug)]
struct Settings {
    name: String,
    /// The privilege options to enter the namespace.
    privilege: ConnectorArguments,
}

impl Settings {
    fn parse(data: &Data) -> Result<Self> {
        let mut reader = DataReader::new(data);
        reader.refuse_unknown("netns_", FIELDS);
        let Given { name, sudo } = Given::read(&mut reader);
        if data.get(NAME.key).is_none() {
            reader.fault(NAME.key, "it is missing: which namespace?");
        }
        reader.finish()?;
        let privilege = ConnectorArguments::new().with_sudo(sudo);
        Ok(Self { name: name.unwrap_or_default(), privilege })
    }
}

/// The name is that of a file in /run/netns, and an argument of `ip`.
fn namespace(name: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || name.starts_with(['.', '-']) || !name.chars().all(is_plain) {
        return Err(format!(
            "{name:?} is not a valid namespace name: use letters, digits, . _ and -"
        ));
    }
    Ok(name.to_owned())
}

/// Prints the path of `ip`, and enters the namespace to check that this works. An ordinary user's
/// PATH may lack /usr/sbin.
const PROBE: &str = r#"own=$PATH; PATH=$PATH:/usr/sbin:/sbin; ip=$(command -v ip) || exit 127
echo "$ip"; PATH=$own; exec "$ip" netns exec "$1" true"#;

/// Returns the path of `ip` on a target that has the namespace, in one round trip.
async fn look(outer: &Link, settings: &Settings, limit: Duration) -> Result<String> {
    let name = &settings.name;
    let probe = StringCommand::new().raw("exec sh -c").arg(PROBE).raw("sh").arg(name);
    let arguments = settings.privilege.clone().with_timeout(limit);
    // What a target says has no end, if it wants.
    let options = RunOptions::default().with_output_limit(64 * 1024);
    let output = outer.run_shell_command_with(&probe, &arguments, &options).await?;
    if let Some(ip) = output.stdout_lines().first().filter(|_| output.success()) {
        return Ok(ip.clone());
    }
    let said = String::from_utf8_lossy(&output.stderr()).into_owned();
    let (kind, message) = if output.stdout_lines().is_empty() {
        (ErrorKind::Unsupported, format!("{name}: the target has no program ip (iproute2)"))
    } else if said.contains("No such file") {
        let message =
            format!("{name}: there is no such network namespace; `ip netns list` has them");
        (ErrorKind::NotFound, message)
    } else {
        let message = format!("{name} cannot be entered: be root, or set netns_sudo");
        (ErrorKind::PermissionDenied, message)
    };
    Err(Error::new(kind, message).with_stderr_tail(&output.stderr()))
}

/// A namespace of a target. Everything goes through the connection to that target, except the
/// network. So there is no `dial` and no `forward`: they would use the target's network.
#[derive(Debug)]
struct NetnsConnection {
    outer: Link,
    settings: Settings,
    ip: String,
}

impl NetnsConnection {
    /// Returns the line that becomes `sh -c script` in the namespace. sudo puts the text of its
    /// command into SUDO_COMMAND.
    fn line(&self, script: &[u8]) -> StringCommand {
        let line = StringCommand::new().raw("unset SUDO_COMMAND; exec").arg(&self.ip);
        let line = line.raw("netns exec").arg(&self.settings.name);
        line.raw("sh -c").arg(OsStr::from_bytes(script))
    }
}

#[async_trait]
impl Connection for NetnsConnection {
    async fn slot(&self, options: &SpawnOptions) -> Result<Slot> {
        self.outer.connection().slot(options).await
    }

    async fn spawn(&self, script: &Script, options: &SpawnOptions) -> Result<Process> {
        let line = self.line(script.argument());
        self.outer.spawn_command(&line, &self.settings.privilege, options).await
    }

    /// The features of the target apply to the namespace, with two exceptions: a shell that another
    /// program has started need not lead its group, and the network is not this machine's.
    fn features(&self) -> Features {
        let outer = self.outer.connection().features();
        Features { leads_process_groups: false, is_this_machine: false, ..outer }
    }

    /// The script is an argument of `ip`, however the line gets there.
    fn fits(&self, script: &[u8], options: &SpawnOptions) -> bool {
        let line = self.line(script);
        script.len() <= MAX_ARGUMENT
            && self.outer.fits_command(line, &self.settings.privilege, options)
    }

    async fn probe(&self) -> Result<()> {
        self.outer.connection().probe().await
    }

    async fn disconnect(&self, _outcome: Outcome) -> Result<()> {
        Ok(())
    }
}
