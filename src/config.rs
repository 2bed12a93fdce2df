//! Configuration: a struct per section, and every bound in one place.
//!
//! A file is TOML with the sections below. Nothing in it is required; a setting that is absent has
//! the default that stands here. An unknown section or setting, and a value outside its bounds, is
//! an error that names the file, the line, the setting and what is allowed: a service that starts
//! with a misspelt limit would run without it.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Largest configuration file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Declares the sections once: structs with their documentation, defaults, bounds, and the list of
/// settings that `serve --print-config` and the manual's test read.
macro_rules! sections {
    ($(
        $(#[doc = $section_doc:literal])+
        $section:ident: $Section:ident {
            $( $(#[doc = $doc:literal])+ $field:ident: $type:ty = $default:expr $(, in $bounds:expr)?; )+
        }
    )+) => {
        $(
            $(#[doc = $section_doc])+
            #[derive(Clone, Debug, PartialEq, Deserialize)]
            #[serde(default, deny_unknown_fields)]
            pub struct $Section { $( $(#[doc = $doc])+ pub $field: $type, )+ }

            impl Default for $Section {
                fn default() -> Self {
                    Self { $( $field: $default, )+ }
                }
            }
        )+

        /// The whole configuration.
        #[derive(Clone, Debug, Default, PartialEq, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Config { $( $(#[doc = $section_doc])+ pub $section: $Section, )+ }

        impl Config {
            /// Every section with its settings, in the order of this file.
            pub fn sections() -> Vec<Section> {
                vec![$( Section {
                    name: stringify!($section),
                    doc: &[$($section_doc),+],
                    settings: vec![$( Setting {
                        name: stringify!($field),
                        doc: &[$($doc),+],
                        default: { let default: $type = $default; default.in_toml() },
                        allowed: { let allowed: Option<String> = None; $( let _ = &allowed; let allowed = Some(shown(&$bounds)); )? allowed },
                    } ),+],
                } ),+]
            }

            /// Settings outside their bounds, as (section, setting, value, allowed).
            fn breaches(&self) -> Vec<(&'static str, &'static str, String, String)> {
                let mut breaches = Vec::new();
                $( $( $(
                    if !$bounds.contains(&self.$section.$field) {
                        breaches.push((stringify!($section), stringify!($field), self.$section.$field.to_string(), shown(&$bounds)));
                    }
                )? )+ )+
                breaches
            }
        }
    };
}

sections! {
    /// The HTTP service.
    http: Http {
        /// Address and port to listen on. Keep it on loopback or an internal network: TLS and the outside
        /// belong to the gateway in front.
        listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 8686));
        /// Connections served at once; further ones wait in the kernel's backlog.
        connections_max: usize = 1_024, in 1..=65_536;
        /// Longest request head, in bytes; 431 beyond.
        head_bytes_max: usize = 16_384, in 8_192..=262_144;
        /// Most header lines in a request; 431 beyond.
        headers_max: usize = 64, in 16..=256;
        /// Seconds within which a whole request head must have come, counted from the end of the answer
        /// before it. So this closes both idle and deliberately slow connections.
        head_timeout_s: u64 = 60, in 1..=600;
        /// Longest body of one rating and longest line of a batch, in bytes; 413 beyond.
        body_bytes_max: usize = 65_536, in 8_192..=1_048_576;
        /// Seconds within which the whole body of a request must have come; 408 beyond.
        body_timeout_s: u64 = 10, in 1..=120;
        /// Milliseconds to wait for a verdict; 503 beyond. The rating may still be committed: a repeat tells.
        answer_timeout_ms: u64 = 5_000, in 10..=60_000;
        /// Most lines in one batch; the line after it gets an error and the batch ends.
        batch_lines_max: u64 = 1_000_000, in 1..=100_000_000;
        /// Seconds that a batch may neither send nor take anything before it is ended.
        batch_idle_s: u64 = 60, in 1..=3_600;
        /// Batches at once; 503 beyond.
        batches_max: usize = 32, in 1..=1_024;
        /// Event streams at once; 503 beyond.
        streams_max: usize = 64, in 1..=4_096;
        /// Seconds between keep-alive comments in an event stream.
        stream_keep_alive_s: u64 = 15, in 1..=300;
        /// Reading calls (feeds, verdicts, statistics) at once; 503 beyond.
        reads_max: usize = 16, in 1..=512;
        /// Seconds that requests in flight have to finish when the service stops.
        shutdown_grace_s: u64 = 20, in 1..=600;
        /// Whether the live page shows its figures without a token to a browser on this machine.
        page_open: bool = false;
        /// Whether /metrics answers without a token to a scraper on this machine.
        metrics_open: bool = true;
        /// Whether /v1/statistics answers without a token.
        statistics_open: bool = false;
    }

    /// Ratings between the door and the log.
    queue: Queue {
        /// Ratings that wait or are being scored; beyond it the service sheds with 503.
        depth: usize = 8_192, in 1..=1_048_576;
        /// Seconds that a shed caller is told to wait (Retry-After).
        retry_after_s: u32 = 1, in 1..=3_600;
    }

    /// The log.
    log: Log {
        /// Size of a segment file, in MiB.
        segment_mib: u64 = 64, in 1..=4_096;
    }

    /// Snapshots of all state, which shorten the next start.
    snapshots: Snapshots {
        /// Entries of the log from one snapshot to the next; 0: only when the service stops.
        every_entries: u64 = 0, in 0..=1_000_000_000;
        /// Snapshots that are kept; each is about as large as the state in memory.
        kept: usize = 2, in 1..=100;
    }

    /// Feature state.
    state: State {
        /// Memory for counters, devices, cases and baselines, in MiB; the oldest go first.
        memory_mib: usize = 1_024, in 64..=1_048_576;
        /// Minutes by which a rating may be ahead of the clock; 422 beyond.
        ahead_minutes: u32 = 10, in 0..=1_440;
    }

    /// The published figures.
    statistics: Statistics {
        /// Where days and months begin, in minutes east of UTC. 480 is China.
        utc_offset_minutes: i32 = 480, in -720..=840;
    }

    /// Holds of bad ratings.
    holds: Holds {
        /// Working days after which a held bad rating lapses to admitted.
        lapse_working_days: u32 = 5, in 1..=60;
        /// Holds of bad ratings a day; beyond it the least risky are admitted and flagged.
        bad_per_day: u32 = 1_000, in 0..=1_000_000;
    }

    /// Many nodes on one log, kept by a Fluvio cluster (docs/cluster.md). Needs a program that was built with
    /// `--features fluvio`.
    cluster: Cluster {
        /// Address and port of Fluvio's controller (SC); absent: this node has its log alone.
        endpoint: Option<String> = None;
        /// Name of the cluster, which its topics' names begin with: lower-case letters, digits and hyphens.
        name: String = "zhenping".to_owned();
        /// This node's name, which no other has; absent: the machine's.
        node: Option<String> = None;
        /// Servers (SPUs) that have each message before it counts as written.
        replication: u32 = 2, in 1..=7;
        /// Days that the log's topic keeps entries; 0: for ever. Not less than `erasable_days`; a node that was away
        /// for longer begins with a copy of another's data directory.
        log_days: u32 = 0, in 0..=36_500;
        /// Milliseconds: a node that has not folded what was in the log so long ago refuses calls (503), since it
        /// would decide without it; 0: it never does. It looks once a second.
        behind_ms: u32 = 5_000, in 0..=600_000;
        /// The domain in the Fluvio servers' certificates; absent, as the three below: no TLS.
        tls_domain: Option<String> = None;
        /// The certificate of the authority that signed theirs (PEM).
        tls_ca: Option<PathBuf> = None;
        /// This node's certificate (PEM).
        tls_certificate: Option<PathBuf> = None;
        /// The key of this node's certificate (PEM).
        tls_key: Option<PathBuf> = None;
        /// Whether ratings also come from the topic NAME-ratings, and all verdicts go to NAME-verdicts.
        intake: bool = false;
        /// Partitions of the topic that ratings come from: at most so many nodes share the work.
        intake_partitions: u32 = 12, in 1..=1_024;
        /// Days that this topic keeps ratings: longer than any outage of all nodes.
        intake_days: u32 = 7, in 1..=365;
    }

    /// The reviewers' desk.
    desk: Desk {
        /// Working days within which a case is to be decided.
        decide_working_days: u32 = 1, in 1..=60;
        /// Minutes that a claim on a case lasts.
        claim_minutes: u32 = 30, in 1..=480;
        /// Minutes within which a decision can be taken back.
        undo_minutes: u32 = 30, in 1..=1_440;
        /// Of 100,000 admitted ratings that raters chose themselves, how many are drawn for review as a control
        /// sample; 0: none.
        control_per_100_000: u32 = 200, in 0..=100_000;
        /// Most ratings a day that are drawn for the control sample.
        control_per_day: u32 = 200, in 0..=1_000_000;
        /// Minutes without a request after which a session ends.
        idle_minutes: u32 = 30, in 1..=1_440;
        /// Hours after which a session ends in any case.
        session_hours: u32 = 10, in 1..=72;
        /// Whether cookies are for HTTPS alone. Set it where a gateway in front of the service speaks TLS.
        secure_cookies: bool = false;
        /// Latest ratings whose links the time lines of a case are drawn from, at 72 bytes each.
        traced_ratings: usize = 1_000_000, in 1_000..=50_000_000;
    }

    /// How long things are kept.
    retention: Retention {
        /// Days that a comment stays in the vault. A held rating's stays until its appeals have ended.
        vault_days: u32 = 30, in 1..=3_650;
        /// Days that the log keeps what is personal in a record: pseudonyms, features, reasons. A held rating's
        /// stays until it is decided. What is published follows from the rest, which stays.
        erasable_days: u32 = 180, in 7..=3_650;
    }

    /// The rule set.
    rules: Rules {
        /// Directory of rule files; absent: the built-in set.
        directory: Option<PathBuf> = None;
        /// Seconds between looks for changed rule files; 0: only on SIGHUP and /v1/rules/reload.
        reload_poll_seconds: u64 = 2, in 0..=3_600;
    }

    /// The learned model.
    model: Model {
        /// Directory that `train` wrote, or "none" for rules alone; absent: models/ in the working directory if it
        /// holds a model, or else rules alone. It is read again when rules are.
        directory: Option<PathBuf> = None;
        /// Whether versions of what is learnt from reviewers' decisions are published, compared and, if they are
        /// better, come into force.
        labels: bool = true;
        /// Most ratings of the last three days that the look-back remembers, at about 300 bytes each.
        lookback_ratings: usize = 500_000, in 1_000..=20_000_000;
    }

    /// Reference tables.
    reference: Reference {
        /// Directory of the tables; absent: reference/ in the data directory, if it is there. A changed file is
        /// noticed as one of rules is.
        directory: Option<PathBuf> = None;
    }
}

/// One section, as the manual and `--print-config` show it.
#[derive(Clone, Debug)]
pub struct Section {
    /// Its name in the file.
    pub name: &'static str,
    /// What it is about.
    pub doc: &'static [&'static str],
    /// Its settings.
    pub settings: Vec<Setting>,
}

/// One setting, as the manual and `--print-config` show it.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Its name in the section.
    pub name: &'static str,
    /// What it does.
    pub doc: &'static [&'static str],
    /// Its default as TOML; `None` where it is absent by default.
    pub default: Option<String>,
    /// Its bounds, where it has any.
    pub allowed: Option<String>,
}

/// How a default stands in TOML.
trait InToml {
    fn in_toml(&self) -> Option<String>;
}

macro_rules! in_toml_as_it_prints {
    ($($type:ty),+) => { $( impl InToml for $type {
        fn in_toml(&self) -> Option<String> { Some(self.to_string()) }
    } )+ };
}
in_toml_as_it_prints!(bool, u32, i32, u64, usize);

impl InToml for SocketAddr {
    fn in_toml(&self) -> Option<String> {
        Some(format!("\"{self}\""))
    }
}

impl InToml for String {
    fn in_toml(&self) -> Option<String> {
        Some(format!("{self:?}"))
    }
}

impl InToml for Option<String> {
    fn in_toml(&self) -> Option<String> {
        self.as_ref().map(|text| format!("{text:?}"))
    }
}

impl InToml for Option<PathBuf> {
    fn in_toml(&self) -> Option<String> {
        self.as_ref().map(|path| format!("{:?}", path.display().to_string()))
    }
}

fn shown<T: fmt::Display>(bounds: &std::ops::RangeInclusive<T>) -> String {
    format!("{} to {}", bounds.start(), bounds.end())
}

/// Why a configuration was refused.
#[derive(Debug)]
pub struct ConfigError {
    file: PathBuf,
    /// Line and column, from 1.
    place: Option<(usize, usize)>,
    message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, is no TOML, or has an unknown setting or a value outside its bounds.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let refuse = |message| ConfigError { file: file.to_owned(), place: None, message };
        let length =
            std::fs::metadata(file).map_err(|error| refuse(format!("cannot be read: {error}")))?.len();
        if length > FILE_BYTES_MAX {
            return Err(refuse(format!("is {length} bytes long; allowed: up to {FILE_BYTES_MAX}")));
        }
        let text =
            std::fs::read_to_string(file).map_err(|error| refuse(format!("cannot be read: {error}")))?;
        Self::parse(&text, file)
    }

    /// Reads the text of a file; `file` names it in errors.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        let refuse = |place, message| ConfigError { file: file.to_owned(), place, message };
        let config: Self = toml::from_str(text).map_err(|error| {
            let start = error.span().map(|span| span.start);
            let place = start.map(|start| place_of(text, start));
            let setting = start.and_then(|start| setting_at(text, start));
            let whose = setting.as_ref().map(|(name, _)| format!("{name}: ")).unwrap_or_default();
            let allowed = setting.and_then(|(_, allowed)| allowed);
            let hint = match allowed {
                Some(allowed) => format!("allowed: {allowed}"),
                None => "`zhenping serve --print-config` lists every setting".to_owned(),
            };
            refuse(place, format!("{whose}{}; {hint}", error.message().trim_end()))
        })?;
        match config.breaches().into_iter().next() {
            None => Ok(config),
            Some((section, setting, value, allowed)) => {
                let place = offset_of(text, section, setting).map(|offset| place_of(text, offset));
                Err(refuse(place, format!("{section}.{setting} is {value}; allowed: {allowed}")))
            }
        }
    }

    /// The defaults as a commented file, which reads back as the defaults.
    pub fn commented_defaults() -> String {
        let mut text = String::from("# Zhenping: every setting with its default.\n");
        for section in Self::sections() {
            text.push('\n');
            for line in section.doc {
                text += &format!("#{line}\n");
            }
            text += &format!("[{}]\n", section.name);
            for setting in &section.settings {
                for line in setting.doc {
                    text += &format!("#{line}\n");
                }
                if let Some(allowed) = &setting.allowed {
                    text += &format!("# Allowed: {allowed}.\n");
                }
                match &setting.default {
                    Some(default) => text += &format!("{} = {default}\n", setting.name),
                    None => text += &format!("# {} = \"…\"\n", setting.name),
                }
            }
        }
        text
    }
}

/// Line and column (both from 1, in characters) of a byte offset.
fn place_of(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(offset)];
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
    (line, column)
}

/// Byte offset of a setting's value.
fn offset_of(text: &str, section: &str, setting: &str) -> Option<usize> {
    let table = toml::de::DeTable::parse(text).ok()?;
    let section = table.get_ref().get(section)?.get_ref().as_table()?;
    Some(section.get(setting)?.span().start)
}

/// The known setting whose value begins at a byte offset, with its bounds.
fn setting_at(text: &str, offset: usize) -> Option<(String, Option<String>)> {
    let found =
        |section: &Section, setting: &Setting| offset_of(text, section.name, setting.name) == Some(offset);
    Config::sections().into_iter().find_map(|section| {
        let setting = section.settings.iter().find(|setting| found(&section, setting))?;
        Some((format!("{}.{}", section.name, setting.name), setting.allowed.clone()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        Config::parse(text, Path::new("zhenping.toml")).unwrap_err().to_string()
    }

    #[test]
    fn an_empty_file_is_the_defaults() {
        assert_eq!(Config::parse("", Path::new("zhenping.toml")).unwrap(), Config::default());
    }

    #[test]
    fn the_defaults_keep_their_own_bounds() {
        assert_eq!(Config::default().breaches(), []);
    }

    #[test]
    fn the_printed_defaults_read_back_as_the_defaults() {
        let printed = Config::commented_defaults();
        assert_eq!(Config::parse(&printed, Path::new("printed.toml")).unwrap(), Config::default());
        insta::assert_snapshot!(printed);
    }

    #[test]
    fn a_refusal_names_the_file_the_line_the_setting_and_what_is_allowed() {
        let texts = [
            "[http]\nlisten = \"0.0.0.0:80\"\n\nbody_bytes_max = 5\n",
            "[http]\nboddy_bytes_max = 5\n",
            "[htpp]\n",
            "[queue]\ndepth = \"many\"\n",
            "[http]\nlisten = \"here\"\n",
            "[http\n",
            "http.page_open = 1",
        ];
        let refusals: Vec<String> = texts.iter().map(|text| refusal(text)).collect();
        insta::assert_snapshot!(refusals.join("\n---\n"));
    }

    #[test]
    fn the_manual_lists_every_setting_with_its_default() {
        let manual = include_str!("../docs/operations.md");
        for section in Config::sections() {
            assert!(manual.contains(&format!("`[{}]`", section.name)), "[{}] is missing", section.name);
            for setting in section.settings {
                let default = setting.default.unwrap_or_else(|| "absent".into()).replace('"', "");
                let row = format!("| `{}` | `{default}` |", setting.name);
                assert!(manual.contains(&row), "docs/operations.md lacks a row beginning {row}");
            }
        }
    }
}
