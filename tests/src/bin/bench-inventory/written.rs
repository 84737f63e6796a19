//! Inventories as files: hosts in 100 groups on two levels, half of them with two keys of data, a
//! fifth in two groups.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use hostlink_tests::bench::Failure;

/// Groups of groups.
const REGIONS: usize = 10;
/// Groups of hosts, in each of these.
const SITES: usize = 9;

/// A group with hosts, for the limit.
pub(crate) const HOSTS_GROUP: &str = "site07";

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    Yaml,
    Toml,
    Json,
    /// Ansible's.
    Ini,
    /// pyinfra's, which has no groups of groups: a region has the hosts of its sites.
    Python,
}

impl Layout {
    pub(crate) fn ending(self) -> &'static str {
        match self {
            Self::Yaml => "yaml",
            Self::Toml => "toml",
            Self::Json => "json",
            Self::Ini => "ini",
            Self::Python => "py",
        }
    }
}

/// A host where it is first named, or where it is named again.
struct Named {
    name: String,
    data: Option<(usize, usize)>,
}

/// The hosts of each site.
fn sites(hosts: usize) -> Vec<Vec<Named>> {
    let count = REGIONS * SITES;
    let mut sites: Vec<Vec<Named>> = (0..count).map(|_| Vec::new()).collect();
    for index in 0..hosts {
        let name = || format!("host{index:07}.example.com");
        let data = (index % 2 == 0).then_some((index % 48, 2200 + index % 10));
        sites[index % count].push(Named { name: name(), data });
        if index % 5 == 0 {
            sites[(index + 1) % count].push(Named { name: name(), data: None });
        }
    }
    sites
}

pub(crate) fn write(path: &Path, hosts: usize, layout: Layout) -> Result<(), Failure> {
    let mut file = BufWriter::new(File::create(path)?);
    let sites = sites(hosts);
    match layout {
        Layout::Yaml => yaml(&mut file, &sites),
        Layout::Toml => toml(&mut file, &sites),
        Layout::Json => json(&mut file, &sites),
        Layout::Ini => ini(&mut file, &sites),
        Layout::Python => python(&mut file, &sites),
    }?;
    Ok(file.flush()?)
}

fn sites_of(region: usize) -> impl Iterator<Item = String> {
    (region * SITES..(region + 1) * SITES).map(site)
}

fn site(index: usize) -> String {
    format!("site{index:02}")
}

fn yaml(file: &mut impl Write, sites: &[Vec<Named>]) -> std::io::Result<()> {
    writeln!(file, "data: {{ssh_user: deploy}}\ngroups:")?;
    for region in 0..REGIONS {
        let children: Vec<String> = sites_of(region).collect();
        let children = children.join(", ");
        writeln!(
            file,
            "  region{region}:\n    children: [{children}]\n    data: {{region: {region}}}"
        )?;
    }
    for (index, hosts) in sites.iter().enumerate() {
        writeln!(file, "  {}:\n    data: {{dns: 10.0.{index}.1}}\n    hosts:", site(index))?;
        for Named { name, data } in hosts {
            match data {
                None => writeln!(file, "      - {name}")?,
                Some((rack, port)) => writeln!(
                    file,
                    "      - name: {name}\n        data:\n          rack: {rack}\n          ssh_port: {port}"
                )?,
            }
        }
    }
    Ok(())
}

fn toml(file: &mut impl Write, sites: &[Vec<Named>]) -> std::io::Result<()> {
    writeln!(file, "data = {{ ssh_user = \"deploy\" }}\n")?;
    for region in 0..REGIONS {
        let children: Vec<String> = sites_of(region).map(|it| format!("\"{it}\"")).collect();
        let children = children.join(", ");
        writeln!(
            file,
            "[groups.region{region}]\nchildren = [{children}]\ndata = {{ region = {region} }}\n"
        )?;
    }
    for (index, hosts) in sites.iter().enumerate() {
        let site = site(index);
        writeln!(file, "[groups.{site}]\ndata = {{ dns = \"10.0.{index}.1\" }}\nhosts = [")?;
        for Named { name, data } in hosts {
            match data {
                None => writeln!(file, "  \"{name}\",")?,
                Some((rack, port)) => writeln!(
                    file,
                    "  {{ name = \"{name}\", data = {{ rack = {rack}, ssh_port = {port} }} }},"
                )?,
            }
        }
        writeln!(file, "]\n")?;
    }
    Ok(())
}

fn json(file: &mut impl Write, sites: &[Vec<Named>]) -> std::io::Result<()> {
    writeln!(file, "{{\"data\": {{\"ssh_user\": \"deploy\"}},\n\"groups\": {{")?;
    for region in 0..REGIONS {
        let children: Vec<String> = sites_of(region).map(|it| format!("\"{it}\"")).collect();
        let children = children.join(", ");
        writeln!(
            file,
            "\"region{region}\": {{\"children\": [{children}], \"data\": {{\"region\": {region}}}}},"
        )?;
    }
    for (index, hosts) in sites.iter().enumerate() {
        let site = site(index);
        writeln!(file, "\"{site}\": {{\"data\": {{\"dns\": \"10.0.{index}.1\"}}, \"hosts\": [")?;
        for (at, Named { name, data }) in hosts.iter().enumerate() {
            let comma = if at + 1 == hosts.len() { "" } else { "," };
            match data {
                None => writeln!(file, "  \"{name}\"{comma}")?,
                Some((rack, port)) => writeln!(
                    file,
                    "  {{\"name\": \"{name}\", \"data\": {{\"rack\": {rack}, \"ssh_port\": {port}}}}}{comma}"
                )?,
            }
        }
        writeln!(file, "]}}{}", if index + 1 == sites.len() { "" } else { "," })?;
    }
    writeln!(file, "}}}}")
}

fn ini(file: &mut impl Write, sites: &[Vec<Named>]) -> std::io::Result<()> {
    writeln!(file, "[all:vars]\nansible_user=deploy\n")?;
    for region in 0..REGIONS {
        let children: Vec<String> = sites_of(region).collect();
        let children = children.join("\n");
        writeln!(
            file,
            "[region{region}:children]\n{children}\n\n[region{region}:vars]\nregion={region}\n"
        )?;
    }
    for (index, hosts) in sites.iter().enumerate() {
        let site = site(index);
        writeln!(file, "[{site}:vars]\ndns=10.0.{index}.1\n\n[{site}]")?;
        for Named { name, data } in hosts {
            match data {
                None => writeln!(file, "{name}")?,
                Some((rack, port)) => writeln!(file, "{name} rack={rack} ansible_port={port}")?,
            }
        }
    }
    Ok(())
}

fn python(file: &mut impl Write, sites: &[Vec<Named>]) -> std::io::Result<()> {
    for (index, hosts) in sites.iter().enumerate() {
        writeln!(file, "{} = ([", site(index))?;
        for Named { name, data } in hosts {
            match data {
                None => writeln!(file, "    \"{name}\",")?,
                Some((rack, port)) => {
                    writeln!(
                        file,
                        "    (\"{name}\", {{\"rack\": {rack}, \"ssh_port\": {port}}}),"
                    )?;
                }
            }
        }
        writeln!(file, "], {{\"dns\": \"10.0.{index}.1\"}})")?;
    }
    for region in 0..REGIONS {
        let children: Vec<String> = sites_of(region).map(|site| format!("{site}[0]")).collect();
        writeln!(file, "region{region} = ({}, {{\"region\": {region}}})", children.join(" + "))?;
    }
    Ok(())
}
