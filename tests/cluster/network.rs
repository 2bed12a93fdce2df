//! A host of its own on this machine, whose cable can be pulled: a network namespace and a pair of virtual
//! interfaces.

use std::net::Ipv4Addr;
use std::process::Command;

/// The namespace's name and addresses; of this process, so that two runs do not meet.
pub struct Network {
    name: String,
    host: Ipv4Addr,
    guest: Ipv4Addr,
}

fn ip(arguments: &[&str]) -> bool {
    Command::new("ip").args(arguments).output().is_ok_and(|output| output.status.success())
}

impl Network {
    /// Makes it. `None` where that is not possible, which it says.
    pub fn make() -> Option<Self> {
        let process = std::process::id();
        let subnet = (process % 250) as u8;
        let network = Self {
            name: format!("zp{}", process % 1_000_000),
            host: Ipv4Addr::new(10, 199, subnet, 1),
            guest: Ipv4Addr::new(10, 199, subnet, 2),
        };
        let (name, here, there) = (&network.name, network.here(), network.there());
        let (host, guest) = (format!("{}/30", network.host), format!("{}/30", network.guest));
        let made = ip(&["netns", "add", name])
            && ip(&["link", "add", &here, "type", "veth", "peer", "name", &there, "netns", name])
            && ip(&["addr", "add", &host, "dev", &here])
            && ip(&["link", "set", &here, "up"])
            && ip(&["-n", name, "addr", "add", &guest, "dev", &there])
            && ip(&["-n", name, "link", "set", &there, "up"])
            && ip(&["-n", name, "link", "set", "lo", "up"]);
        if !made {
            use std::io::Write;
            let _ = writeln!(
                std::io::stderr().lock(),
                "SKIPPED cut-off test: no network namespace can be made here"
            );
            return None;
        }
        Some(network)
    }

    /// This side's address.
    pub fn host(&self) -> String {
        self.host.to_string()
    }

    /// The other host's address.
    pub fn guest(&self) -> String {
        self.guest.to_string()
    }

    /// The namespace's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn here(&self) -> String {
        format!("{}h", self.name)
    }

    fn there(&self) -> String {
        format!("{}g", self.name)
    }

    /// Pulls the cable.
    pub fn cut(&self) {
        assert!(ip(&["link", "set", &self.here(), "down"]));
    }

    /// Puts it back.
    pub fn join(&self) {
        assert!(ip(&["link", "set", &self.here(), "up"]));
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // With the namespace its interface goes, and with that its pair.
        ip(&["netns", "del", &self.name]);
    }
}
