//! Runs `@netns` through the behavior suite, in a new namespace. Needs root and iproute2.

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use hostlink_core::{Context, Data, Link, Registry, Result};
use hostlink_example_netns::NetnsConnector;
use hostlink_local::LocalConnector;
use hostlink_testkit::{Ability, Fixture, Lack, Suite};

mod namespace;

use namespace::Namespace;

/// What a namespace lacks. Cases that need it are run all the same, and have to fail.
const LACKS: &[Lack] = &[Lack::fails(
    Ability::Mount,
    "each command has its own mounts, since `ip netns exec` mounts a new /sys for it",
)];

/// The variable that passes the parent's namespace to a child of the test program.
const VARIABLE: &str = "HOSTLINK_EXAMPLE_NETNS";

/// One namespace for all cases of this process. The first connection makes it.
struct NetnsFixture {
    own: OnceLock<Namespace>,
}

impl NetnsFixture {
    fn name_of_namespace(&self) -> String {
        let own = || self.own.get_or_init(Namespace::make).name().to_owned();
        std::env::var(VARIABLE).unwrap_or_else(|_| own())
    }
}

#[async_trait]
impl Fixture for NetnsFixture {
    fn name(&self) -> &str {
        "netns"
    }

    async fn connect(&self, context: &Context) -> Result<Link> {
        let mut registry = Registry::new();
        registry.register(Arc::new(LocalConnector));
        registry.register(Arc::new(NetnsConnector));
        let target = format!("@netns/{}", self.name_of_namespace());
        registry.connect(&target, &Data::new(), context).await
    }

    fn child_environment(&self) -> Vec<(String, String)> {
        vec![(VARIABLE.to_owned(), self.name_of_namespace())]
    }

    fn lacks(&self) -> &[Lack] {
        LACKS
    }
}

fn main() -> ExitCode {
    Suite::new().with(NetnsFixture { own: OnceLock::new() }).main()
}
