//! Reference tables that match the simulated city (`docs/reference.md` has their format).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io;
use std::path::Path;

use super::calendar::{civil, local_day};
use super::json::{account_code, fingerprint_code, terminal_code};
use super::organisation::{DISTRICTS, HALLS, department_code, hall_code, kiosks_of, window_code, windows_of};
use super::random::{Derived, Purpose, Source};
use super::rating::{Simulated, Terminal};

/// Collects what the tables say while the ratings are written.
///
/// The terminals and the opening hours are the city's own. The helpers' phones are those that the
/// helpers use; of the staff who rate their own department, about half are registered under the account
/// that they rate with. A window closes more cases than honest people rate there: between a tenth more
/// and four times as many. Public holidays are not simulated, so there is no table of them.
#[derive(Default)]
pub struct Tables {
    seed: u64,
    helpers: BTreeSet<String>,
    /// Account to department.
    staff: BTreeMap<String, String>,
    /// Honest ratings by department, hall, window and day.
    rated: BTreeMap<(String, String, String, i64), u32>,
}

impl Tables {
    /// No ratings yet. `seed` is the run's.
    pub fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Notes one rating.
    pub fn note(&mut self, rating: &Simulated) {
        let office = rating.event.office;
        let text = |write: &dyn Fn(&mut Vec<u8>)| {
            let mut out = Vec::new();
            write(&mut out);
            String::from_utf8_lossy(&out).into_owned()
        };
        match (rating.truth.scenario, rating.device.device) {
            ("helpers_phone", Some(device)) if rating.device.fingerprint => {
                self.helpers.insert(text(&|out| fingerprint_code(out, device.fingerprint)));
            }
            ("staff_as_client" | "own_department", _) => {
                let registered =
                    |bits: &u64| bits.is_multiple_of(2) || rating.truth.scenario == "staff_as_client";
                if let Some(bits) = rating.rater.account.filter(registered) {
                    let department = text(&|out| department_code(out, office));
                    self.staff.entry(text(&|out| account_code(out, bits))).or_insert(department);
                }
            }
            _ => {}
        }
        if let (Some(post), true) = (office.post, rating.truth.label.is_honest()) {
            let key = (
                text(&|out| department_code(out, office)),
                text(&|out| hall_code(out, office.district, post)),
                text(&|out| window_code(out, office.district, post)),
                local_day(rating.submitted),
            );
            *self.rated.entry(key).or_default() += 1;
        }
    }

    /// Writes the tables into a folder, which is made if it is not there.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        std::fs::create_dir_all(folder)?;
        let mut terminals = String::from("terminal,note\n");
        for (kind, terminal) in all_terminals() {
            let mut code = Vec::new();
            terminal_code(&mut code, terminal);
            let _ = writeln!(terminals, "{},{kind}", String::from_utf8_lossy(&code));
        }
        let mut hours = String::from("# Every hall, Monday to Saturday.\nhall,weekday,open,close\n");
        for weekday in 1..=6 {
            let _ = writeln!(hours, "*,{weekday},08:00,18:00");
        }
        let mut helpers = String::from("fingerprint\n");
        self.helpers.iter().for_each(|id| helpers.extend([id.as_str(), "\n"]));
        let mut staff = String::from("account,department\n");
        for (account, department) in &self.staff {
            let _ = writeln!(staff, "{account},{department}");
        }
        let mut closed = String::from("department,hall,window,date,cases\n");
        for (number, ((department, hall, window, day), &rated)) in self.rated.iter().enumerate() {
            let share = Derived::new(self.seed, Purpose::ClosedCases, number as u64).within(0.25, 0.9);
            let cases = (f64::from(rated) / share).ceil();
            let (year, month, of_month) = civil(*day);
            let _ =
                writeln!(closed, "{department},{hall},{window},{year:04}-{month:02}-{of_month:02},{cases}");
        }
        for (name, text) in [
            ("terminals.csv", terminals),
            ("opening_hours.csv", hours),
            ("helpers.csv", helpers),
            ("staff.csv", staff),
            ("closed_cases.csv", closed),
        ] {
            std::fs::write(folder.join(name), text)?;
        }
        Ok(())
    }
}

/// Every pad and kiosk of the city.
fn all_terminals() -> impl Iterator<Item = (&'static str, Terminal)> {
    let halls = (0..DISTRICTS as u8).flat_map(|district| (0..HALLS as u8).map(move |hall| (district, hall)));
    halls.flat_map(|(district, hall)| {
        let terminal =
            move |kiosk| move |number: u64| Terminal { kiosk, district, hall, number: number as u8 };
        let pads = (0..windows_of(hall)).map(terminal(false)).map(|pad| ("pad", pad));
        pads.chain((0..kiosks_of(hall)).map(terminal(true)).map(|kiosk| ("kiosk", kiosk)))
    })
}

#[cfg(test)]
mod tests {
    use super::super::{City, Params};
    use super::*;
    use crate::date::UtcOffset;
    use crate::features::reference::{References, load_directory};
    use crate::pseudonym::Keyring;

    #[test]
    fn the_tables_are_accepted_and_fit_the_city() {
        let params = Params { days: 3, per_day: 8_000, ..Params::default() };
        let mut tables = Tables::new(params.seed);
        let (mut named, mut strange) = (0, 0);
        let registered: Vec<Terminal> = all_terminals().map(|(_, terminal)| terminal).collect();
        for rating in City::new(params).unwrap() {
            tables.note(&rating);
            if let Some(terminal) = rating.device.terminal {
                named += 1;
                let rogue = rating.truth.scenario == "rogue_terminal";
                assert_ne!(registered.contains(&terminal), rogue, "{terminal:?}");
                strange += u32::from(rogue);
            }
        }
        assert!(named > 1_000 && strange > 0, "{named} {strange}");
        let folder = tempfile::tempdir().unwrap();
        tables.write(folder.path()).unwrap();
        let files = load_directory(folder.path()).unwrap();
        let read = References::read(&files, &Keyring::public(), UtcOffset::CHINA).unwrap();
        assert_eq!(read.rows().len(), 5);
        assert!(read.rows().iter().all(|&(_, rows)| rows > 0), "{:?}", read.rows());
    }
}
