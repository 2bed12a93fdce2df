//! Shows how the rebuild at a start goes.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::service::{Rebuild, grouped};

/// What is shown: a line when a replay begins and one when it is done, and a bar on a terminal.
#[derive(Default)]
pub struct Shown {
    bar: Option<ProgressBar>,
    position: u64,
    entries: u64,
}

impl Shown {
    /// What [`crate::service::Options::on_rebuild`] takes.
    pub fn into_told(mut self) -> impl FnMut(Rebuild) + Send {
        move |rebuild| self.tell(rebuild)
    }

    fn tell(&mut self, rebuild: Rebuild) {
        match rebuild {
            Rebuild::From { position, entries } => {
                (self.position, self.entries) = (position, entries);
                if entries > position {
                    // indicatif draws nothing where standard error is no terminal.
                    let bar = ProgressBar::new(entries - position);
                    let style = ProgressStyle::with_template("{bar:40} {percent}% {per_sec} {eta} left");
                    self.bar = Some(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())));
                }
            }
            Rebuild::At(position) => {
                if let Some(bar) = &self.bar {
                    bar.set_position(position.saturating_sub(self.position));
                }
            }
            Rebuild::Done(elapsed) => {
                if let Some(bar) = self.bar.take() {
                    bar.finish_and_clear();
                }
                if self.entries > 0 {
                    eprintln!("{}", line(self.position, self.entries, elapsed));
                }
            }
        }
    }
}

/// Where state comes from.
fn line(position: u64, entries: u64, elapsed: Duration) -> String {
    let replayed = entries - position;
    let begin = match position {
        0 => "no snapshot".to_owned(),
        _ => format!("a snapshot of the first {} entries", grouped(position)),
    };
    let seconds = elapsed.as_secs_f64();
    format!("State: {begin}, {} replayed from the log; {seconds:.1} s.", grouped(replayed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_says_from_where_it_replays_and_how_much() {
        let second = Duration::from_millis(1_049);
        assert_eq!(line(0, 12_345, second), "State: no snapshot, 12,345 replayed from the log; 1.0 s.");
        assert_eq!(
            line(1_000_000, 1_000_017, second),
            "State: a snapshot of the first 1,000,000 entries, 17 replayed from the log; 1.0 s."
        );
    }
}
