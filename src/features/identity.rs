//! Under which keys a rating's events are kept, before state resolves its device and text.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::features::keys::{KeyField, Keys};
use crate::observation::{Observation, Service};

/// Hash of organisation codes that belong together, distinct per purpose; never 0.
pub fn organisation_key(purpose: KeyField, codes: &[&str]) -> u64 {
    // Nearly all codes are short, and a large buffer takes longer to clear than to hash.
    let bytes: usize = codes.iter().map(|code| code.len() + 1).sum();
    if bytes <= 64 { joined::<64>(purpose, codes) } else { joined::<{ 3 * (64 * 4 + 1) }>(purpose, codes) }
}

/// The hash of codes that take at most `N` bytes together; of more, the rest is left out.
#[inline]
fn joined<const N: usize>(purpose: KeyField, codes: &[&str]) -> u64 {
    // Codes have at most 64 characters each; 0x1F cannot occur inside a code that JSON could carry
    // unescaped, so the joined text is unambiguous.
    let mut joined = [0_u8; N];
    let mut len = 0;
    for code in codes {
        let end = (len + code.len()).min(joined.len() - 1);
        joined[len..end].copy_from_slice(&code.as_bytes()[..end - len]);
        joined[end] = 0x1F;
        len = end + 1;
        if len >= joined.len() {
            break;
        }
    }
    xxh3_64_with_seed(&joined[..len.min(joined.len())], purpose as u64 + 1).max(1)
}

/// The finest unit that is accountable: the clerk, or else the window, or else the office.
pub fn target_key(service: &Service) -> u64 {
    let department = service.department.as_str();
    match (&service.clerk, &service.window) {
        (Some(clerk), _) => organisation_key(KeyField::Clerk, &[department, clerk]),
        (None, Some(window)) => {
            organisation_key(KeyField::Window, &[department, service.hall.as_deref().unwrap_or(""), window])
        }
        (None, None) => office_key(service).rotate_left(1),
    }
}

/// The department within its district. Many cities give a department one code for all districts; what
/// is ranked and called to account is each district's.
fn office_key(service: &Service) -> u64 {
    organisation_key(KeyField::Office, &[&service.department, service.district.as_deref().unwrap_or("")])
}

/// All keys but those that state resolves (device, text); absent ones are 0.
pub fn keys_of(observation: &Observation) -> Keys {
    let (service, mut keys) = (&observation.service, Keys::default());
    let mut set = |field, key: Option<u64>| keys.set(field, key.unwrap_or(0));
    let department = service.department.as_str();

    set(KeyField::Rater, observation.rater.id.map(|p| p.key()));
    set(KeyField::Person, observation.rater.person.map(|p| p.key()));
    set(KeyField::Phone, observation.rater.phone.map(|p| p.key()));
    set(KeyField::Ip, observation.network.ip.map(|p| p.key()));
    set(KeyField::Subnet, observation.network.subnet.map(|p| p.key()));
    set(KeyField::Profile, observation.device.hardware);
    set(KeyField::Case, service.case.map(|p| p.key()));
    set(KeyField::Department, Some(organisation_key(KeyField::Department, &[department])));
    set(KeyField::Matter, Some(organisation_key(KeyField::Matter, &[department, &service.matter])));
    let one = |field, code: &Option<_>| code.as_deref().map(|c: &str| organisation_key(field, &[c]));
    set(KeyField::District, one(KeyField::District, &service.district));
    set(KeyField::Hall, one(KeyField::Hall, &service.hall));
    set(KeyField::Terminal, one(KeyField::Terminal, &observation.device.terminal));
    let clerk = service.clerk.as_deref();
    let clerk = clerk.map(|c| organisation_key(KeyField::Clerk, &[department, c]));
    set(KeyField::Clerk, clerk);
    let hall = service.hall.as_deref().unwrap_or("");
    let window = service.window.as_deref();
    let window = window.map(|w| organisation_key(KeyField::Window, &[department, hall, w]));
    set(KeyField::Window, window);
    // As `target_key` says, without hashing the same codes twice.
    set(KeyField::Target, clerk.or(window).or_else(|| Some(target_key(service))));
    set(KeyField::Channel, Some(organisation_key(KeyField::Channel, &[observation.channel.name()])));
    set(KeyField::Everything, Some(1));
    set(KeyField::Office, Some(office_key(service)));
    keys
}
