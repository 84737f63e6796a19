//! Connectors that list and reach nothing, files, and what is read from them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hostlink_core::{
    About, Connection, Connector, Context, Data, DataField, Error, ErrorKind, Event, GroupData,
    Kind, Listing, NameData, Open, Registry, Reporter, Result, Target,
};
use hostlink_inventory::{AnsibleConnector, Builder, Inventory, Pattern, SshConfigConnector};

const FIELDS: &[DataField] = &[
    DataField::new("ssh_user", "text", ""),
    DataField { secret: true, ..DataField::new("ssh_password", "text", "") },
    DataField::new("ssh_hostname", "text", ""),
    DataField::new("ssh_port", "number", ""),
    DataField { guarded: true, ..DataField::new("ssh_proxy_command", "text", "") },
];

/// A connector that could reach its targets.
#[derive(Debug)]
struct Reaching(&'static str);

#[async_trait]
impl Connector for Reaching {
    fn about(&self) -> About<'_> {
        let is_wrapper = ["chroot", "docker"].contains(&self.0);
        About {
            name: self.0,
            description: "Of a test.",
            fields: if ["ssh", "chroot"].contains(&self.0) { FIELDS } else { &[] },
            kind: if is_wrapper { Kind::Wraps(self) } else { Kind::Reaches(self) },
        }
    }

    async fn list(&self, argument: Option<&str>, _: &Context) -> Result<Listing> {
        // As the real one does: a container on a host.
        if let ("dockerssh", Some(argument)) = (self.0, argument) {
            let target = format!("@ssh/build1/@docker/{argument}");
            let host = NameData::new(format!("@dockerssh/{argument}"));
            return Ok(host.with_target(target).into());
        }
        let name = match argument {
            Some(argument) if self.0 == "ssh" => argument.to_owned(),
            Some(argument) => format!("@{}/{argument}", self.0),
            None => format!("@{}", self.0),
        };
        Ok(NameData::new(name).into())
    }
}

#[async_trait]
impl Open for Reaching {
    fn needs_outer(&self, _: &Data) -> bool {
        self.0 == "chroot"
    }

    async fn connect(&self, target: &Target, _: &Context) -> Result<Box<dyn Connection>> {
        Err(Error::new(ErrorKind::Connect, format!("{} is not reached", target.name)))
    }
}

/// A connector that lists hosts, and counts how often it is asked. By the name of a group, it lists
/// the hosts of this group, without their groups.
#[derive(Debug)]
pub(crate) struct Cloud {
    pub(crate) asked: AtomicUsize,
    asked_for: Mutex<Vec<String>>,
    listing: Listing,
}

impl Cloud {
    pub(crate) fn new(hosts: Vec<NameData>, groups: Vec<GroupData>) -> Arc<Self> {
        let listing = Listing { hosts, groups };
        Arc::new(Self { asked: AtomicUsize::new(0), asked_for: Mutex::default(), listing })
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// The arguments that it was asked with, in order, with the region that the settings had.
    pub(crate) fn asked_for(&self) -> String {
        let mut all = self.asked_for.lock().unwrap().clone();
        all.sort_unstable();
        all.join(" ")
    }
}

#[async_trait]
impl Connector for Cloud {
    fn about(&self) -> About<'_> {
        About {
            name: "cloud",
            description: "Of a test.",
            fields: const { &[DataField::new("cloud_region", "text", "")] },
            kind: Kind::Lists { trusted: false, reads_only_files: false },
        }
    }

    async fn list(&self, argument: Option<&str>, context: &Context) -> Result<Listing> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut asked_for = argument.unwrap_or("-").to_owned();
        let mut listing = self.listing.clone();
        let is_in = |host: &NameData, group| host.groups.iter().any(|name| name == group);
        if let Some(group) =
            argument.filter(|group| listing.hosts.iter().any(|host| is_in(host, *group)))
        {
            listing.hosts.retain(|host| is_in(host, group));
            listing.hosts.iter_mut().for_each(|host| host.groups.clear());
        }
        let region = context.settings.get("cloud_region");
        asked_for.extend(region.map(|region| format!("={region}")));
        self.asked_for.lock().unwrap().push(asked_for);
        if let Some(region) = region {
            listing.hosts.iter_mut().for_each(|host| host.data.insert("region", region.clone()));
        }
        Ok(listing)
    }
}

/// The connectors of the tests.
pub(crate) fn registry(cloud: Option<Arc<Cloud>>) -> Registry {
    let mut registry = Registry::new();
    for name in ["local", "docker", "ssh", "chroot", "dockerssh"] {
        registry.register(Arc::new(Reaching(name)));
    }
    registry.register(Arc::new(AnsibleConnector));
    registry.register(Arc::new(SshConfigConnector));
    if let Some(cloud) = cloud {
        registry.register(cloud);
    }
    registry
}

/// What is told, kept.
#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<Vec<String>>);

impl Reporter for Told {
    fn report(&self, _: &str, event: Event<'_>) {
        if let Event::Warning(text) = event {
            self.0.lock().unwrap().push(text.to_owned());
        }
    }
}

impl Told {
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// A context with a home directory and a `PATH`.
pub(crate) fn context() -> Context {
    let path = std::env::var("PATH").expect("tests have a PATH");
    Context { environment: BTreeMap::from([("PATH".to_owned(), path)]), ..Context::default() }
}

/// A directory of files.
pub(crate) struct Files(tempfile::TempDir);

impl Files {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            if !text.starts_with("#!") {
                std::fs::write(&path, text).unwrap();
                continue;
            }
            // Another process writes it: a descriptor of this one may live on in what a test beside
            // starts, and a program that somebody may write to cannot be run (ETXTBSY).
            let mut written = tempfile::NamedTempFile::new().unwrap();
            std::io::Write::write_all(&mut written, text.as_bytes()).unwrap();
            let mut install = std::process::Command::new("install");
            install.args(["-m", "755"]).arg(written.path()).arg(&path);
            assert!(install.status().unwrap().success());
        }
        Self(directory)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// An inventory of one file's text.
pub(crate) async fn of_yaml(text: &str) -> Inventory {
    let files = Files::new(&[("inv.yaml", text)]);
    build(Inventory::builder().path(files.path("inv.yaml"))).await
}

pub(crate) async fn build(builder: Builder) -> Inventory {
    builder.build(&registry(None), &context()).await.unwrap_or_else(|error| panic!("{error}"))
}

/// An inventory of `inv.yaml`, with a limit and an exclusion, where they are not empty.
pub(crate) fn limited(files: &Files, limit: &str, exclude: &str) -> Builder {
    let mut builder = Inventory::builder().path(files.path("inv.yaml"));
    if !limit.is_empty() {
        builder = builder.limit(Pattern::parse(limit).unwrap());
    }
    if !exclude.is_empty() {
        builder = builder.exclude(Pattern::parse(exclude).unwrap());
    }
    builder
}

/// Its error, or else that of its first host that cannot be used, with the directory of the files
/// left out.
pub(crate) async fn error(builder: Builder, files: &Files) -> String {
    let error = match builder.build(&registry(None), &context()).await {
        Err(error) => error,
        Ok(inventory) => {
            let targets = inventory.hosts().map(|host| host.target());
            let outcomes = futures::future::join_all(targets).await;
            outcomes.into_iter().find_map(Result::err).expect("the inventory has no error")
        }
    };
    error.to_string().replace(&format!("{}/", files.0.path().display()), "")
}

/// The names of the hosts.
pub(crate) fn names(inventory: &Inventory) -> String {
    inventory.hosts().map(|host| host.name()).collect::<Vec<_>>().join(" ")
}

/// One value of a host's data, as it is shown.
pub(crate) fn value(inventory: &Inventory, host: &str, key: &str) -> String {
    let host =
        inventory.host(host).unwrap_or_else(|| panic!("{host} is missing: {}", names(inventory)));
    host.data()
        .masked()
        .get(key)
        .map_or("-".into(), |value| value.to_string().trim_matches('"').to_owned())
}
