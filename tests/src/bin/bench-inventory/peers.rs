//! pyinfra and Ansible, from PyPI.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use hostlink_tests::bench::table::{Peer, Row, in_turns};
use hostlink_tests::bench::{Failure, time};

use crate::World;
use crate::load::{self, Work};
use crate::written::Layout;

/// The packages to install; the figures are of these versions.
const PACKAGES: [&str; 2] = ["pyinfra==3.10.0", "ansible-core==2.19.14"];

/// The programs of these packages.
const PROGRAMS: [&str; 2] = ["pyinfra", "ansible-inventory"];

/// Returns the commands of the peers, in a virtual environment beside this program. It is kept for
/// the next run.
fn installed() -> Result<PathBuf, Failure> {
    let program = std::env::current_exe()?;
    let directory = program.parent().ok_or("this program is in no directory")?;
    let environment = directory.join("bench-inventory-peers");
    let binaries = environment.join("bin");
    if !PROGRAMS.iter().all(|program| binaries.join(program).exists()) {
        time(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
        time(Command::new(binaries.join("pip")).args(["install", "--quiet"]).args(PACKAGES))?;
    }
    Ok(binaries)
}

pub(crate) async fn measure(world: &World) -> Result<Vec<Row>, Failure> {
    let (binaries, hosts) = (installed()?, world.sizes.peers);
    let (ini, python) =
        (world.inventory(hosts, Layout::Ini)?, world.inventory(hosts, Layout::Python)?);
    let ours = || async { Ok(load::measure(Work::Data, &ini)?.time) };
    let pyinfra = || {
        let mut pyinfra = Command::new(binaries.join("pyinfra"));
        // It prints everything on standard error.
        time(pyinfra.arg(&python).arg("debug-inventory").stderr(Stdio::null()))
    };
    let ansible =
        || time(Command::new(binaries.join("ansible-inventory")).arg("-i").arg(&ini).arg("--list"));
    let peers = vec![
        Peer::new("`pyinfra INVENTORY debug-inventory`", pyinfra),
        Peer::new("`ansible-inventory --list`", ansible),
    ];
    in_turns(&format!("{hosts} hosts, every host's data"), world.sizes.rounds, ours, peers).await
}
