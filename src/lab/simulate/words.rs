//! What people write: a grammar of templates with slots.
//!
//! Praise and complaints are put together from an opening, facts, consequences and an ending, each
//! drawn from a table whose rows hold slots: `{m}` the matter, `{d}` the department, `{p}` the person
//! served by, `{t}` a time of day, `{l}` documents, `{n}` a small number, `{h}` a span of time, `{f}`
//! a filler word. Punctuation and small words vary, so that texts repeat only where people repeat.

use super::organisation::DEPARTMENTS;
use super::random::Source;
use super::rating::Event;

mod tables;

use tables::{
    ATTACK_LETTERS, ATTITUDE, CONSEQUENCES, DELAY, DEMANDS, DOCUMENTS, ENDINGS, ESTATE, FILLERS,
    GRIEVANCE_LETTERS, OPENINGS, OUTAGE, PERSONS, PRAISE_ENDINGS, PRAISE_FACTS, PRAISE_LETTERS,
    PRAISE_OPENINGS, QUEUE, RUNAROUND, SHAKEDOWN, SPANS, STOCK, THANKS_LETTERS, TIMES, UNREACHABLE, WRONG,
};

/// What a complaint is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    Queue,
    Attitude,
    Runaround,
    Delay,
    Unreachable,
    Wrong,
    /// The online system is down.
    Outage,
    /// An estate's common grievance.
    Estate,
    /// Money or favours asked.
    Shakedown,
}

impl Topic {
    /// What ordinary clients complain about.
    pub const COMMON: [Topic; 6] =
        [Topic::Queue, Topic::Attitude, Topic::Runaround, Topic::Delay, Topic::Unreachable, Topic::Wrong];

    fn facts(self) -> &'static [&'static str] {
        match self {
            Topic::Queue => QUEUE,
            Topic::Attitude => ATTITUDE,
            Topic::Runaround => RUNAROUND,
            Topic::Delay => DELAY,
            Topic::Unreachable => UNREACHABLE,
            Topic::Wrong => WRONG,
            Topic::Outage => OUTAGE,
            Topic::Estate => ESTATE,
            Topic::Shakedown => SHAKEDOWN,
        }
    }

    /// Bits of the tags (`json::TAGS`) that fit.
    pub fn tags(self) -> u32 {
        match self {
            Topic::Queue => 1 << 8,
            Topic::Attitude | Topic::Shakedown => 1 << 9 | 1 << 13,
            Topic::Runaround => 1 << 10 | 1 << 11,
            Topic::Delay => 1 << 8 | 1 << 13,
            Topic::Unreachable => 1 << 14,
            Topic::Wrong => 1 << 15,
            Topic::Outage => 1 << 12,
            Topic::Estate => 1 << 13 | 1 << 15,
        }
    }
}

/// Facts that several writers share, because they met the same thing or were told the same story.
#[derive(Clone, Copy, Debug)]
pub(super) struct Story {
    topic: Topic,
    facts: [&'static str; 3],
}

impl Story {
    /// Draws a story about `topic`.
    pub fn new(dice: &mut impl Source, topic: Topic) -> Self {
        Self { topic, facts: [0; 3].map(|_| *dice.pick(topic.facts())) }
    }
}

/// A phrase that thousands use.
pub(super) fn stock(dice: &mut impl Source) -> &'static str {
    // Half of all are one of the first four.
    if dice.chance(0.5) { STOCK[dice.below(4) as usize] } else { dice.pick::<&str>(STOCK) }
}

/// Praise with particulars of the event.
pub(super) fn praise(dice: &mut impl Source, event: &Event) -> String {
    let mut text = Text::new(dice, event);
    text.maybe(0.7, PRAISE_OPENINGS);
    text.one(PRAISE_FACTS);
    text.maybe(0.45, PRAISE_FACTS);
    text.maybe(0.6, PRAISE_ENDINGS);
    text.finish()
}

/// A complaint of one person about something of their own.
pub(super) fn complaint(dice: &mut impl Source, event: &Event, topic: Topic) -> String {
    let mut text = Text::new(dice, event);
    text.maybe(0.75, OPENINGS);
    text.one(topic.facts());
    text.maybe(0.55, topic.facts());
    if text.dice.chance(0.18) {
        // Some tell the whole story.
        text.one(topic.facts());
        text.one(CONSEQUENCES);
        text.one(Topic::Runaround.facts());
    }
    text.maybe(0.55, CONSEQUENCES);
    text.maybe(0.4, DEMANDS);
    text.maybe(0.35, ENDINGS);
    text.finish()
}

/// A complaint in the writer's own words about a story that others tell too.
pub(super) fn retell(dice: &mut impl Source, event: &Event, story: &Story) -> String {
    let known = 1 + dice.below(2) as usize;
    let first = dice.below(3) as usize;
    let mut text = Text::new(dice, event);
    text.maybe(0.6, OPENINGS);
    for i in 0..known {
        text.add(story.facts[(first + i) % 3]);
    }
    text.maybe(0.3, story.topic.facts());
    text.maybe(0.5, CONSEQUENCES);
    text.maybe(0.4, DEMANDS);
    text.maybe(0.3, ENDINGS);
    text.finish()
}

/// What a text that goes round is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Letter {
    /// An estate's grievance.
    Grievance,
    /// Thanks from a chat group.
    Thanks,
    /// An attack.
    Attack,
    /// Bought praise.
    Praise,
}

/// A text that goes round to be copied: in a chat group, among hired hands.
pub(super) fn letter(dice: &mut impl Source, event: &Event, purpose: Letter) -> String {
    let template = *dice.pick(match purpose {
        Letter::Grievance => GRIEVANCE_LETTERS,
        Letter::Thanks => THANKS_LETTERS,
        Letter::Attack => ATTACK_LETTERS,
        Letter::Praise => PRAISE_LETTERS,
    });
    let mut text = Text::new(dice, event);
    text.add(template);
    // Whoever writes such a text adds a line of the matter at hand, so that no two campaigns share one.
    text.one(match purpose {
        Letter::Grievance => ESTATE,
        Letter::Thanks | Letter::Praise => PRAISE_FACTS,
        Letter::Attack => ATTITUDE,
    });
    text.finish()
}

/// A copied text as its copier leaves it: most change nothing, some (`own_touch`) a little.
pub(super) fn copy(dice: &mut impl Source, original: &str, purpose: Letter, own_touch: f64) -> String {
    let mut text = original.to_owned();
    if !dice.chance(own_touch) {
        return text;
    }
    let praise = matches!(purpose, Letter::Praise | Letter::Thanks);
    match dice.below(5) {
        0 if praise => text.push_str(stock(dice)),
        0 => text.push_str(dice.pick::<&str>(ENDINGS)),
        1 if praise => {
            text.insert_str(0, dice.pick::<&str>(&["同意楼上，", "我也是！", "+1 ", "确实，", "没错，"]))
        }
        1 => text.insert_str(
            0,
            dice.pick::<&str>(&["同意楼上，", "我也是！", "+1 ", "顶，", "情况属实，", "同样遭遇。"]),
        ),
        2 => text = text.replace('，', " "),
        3 => text = text.replace('。', "！"),
        _ => {
            let keep = text.chars().count() * (60 + dice.below(35) as usize) / 100;
            text = text.chars().take(keep).collect();
        }
    }
    text
}

/// A text in the making.
struct Text<'a, S> {
    dice: &'a mut S,
    event: &'a Event,
    text: String,
    comma: &'static str,
}

impl<'a, S: Source> Text<'a, S> {
    fn new(dice: &'a mut S, event: &'a Event) -> Self {
        let comma = *dice.pick(&["，", "，", "，", "。", "。", " ", "！", ","]);
        Self { dice, event, text: String::with_capacity(240), comma }
    }

    fn maybe(&mut self, p: f64, table: &[&'static str]) {
        if self.dice.chance(p) {
            self.one(table);
        }
    }

    fn one(&mut self, table: &[&'static str]) {
        let row = *self.dice.pick(table);
        // Nobody says the same thing twice in one breath.
        if !self.text.contains(row) {
            self.add(row);
        }
    }

    /// Adds a template, its slots filled in.
    fn add(&mut self, template: &str) {
        if !self.text.is_empty() && !self.text.ends_with(['，', '。', '！', '？', ' ', ',', '!']) {
            self.text.push_str(self.comma);
        }
        let mut rest = template;
        while let Some(at) = rest.find('{') {
            self.text.push_str(&rest[..at]);
            self.slot(rest.as_bytes()[at + 1]);
            rest = &rest[at + 3..];
        }
        self.text.push_str(rest);
    }

    fn slot(&mut self, name: u8) {
        let department = &DEPARTMENTS[usize::from(self.event.office.department)];
        match name {
            b'm' => self.text.push_str(department.matters[usize::from(self.event.matter)]),
            b'd' => self.text.push_str(department.name),
            b'n' => {
                let n = 2 + self.dice.below(7) as usize;
                self.text.push_str(["两", "三", "四", "五", "6", "7", "八"][n - 2]);
            }
            _ => {
                let table = match name {
                    b'p' => PERSONS,
                    b't' => TIMES,
                    b'l' => DOCUMENTS,
                    b'h' => SPANS,
                    _ => FILLERS,
                };
                self.text.push_str(self.dice.pick::<&str>(table));
            }
        }
    }

    fn finish(mut self) -> String {
        match self.dice.below(10) {
            0..4 => self.text.push('。'),
            4 => self.text.push('！'),
            5 => self.text.push_str("！！"),
            _ => {}
        }
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::super::organisation::Office;
    use super::super::random::{Dice, Purpose};
    use super::*;
    use crate::wire::Stage;
    use std::collections::BTreeSet;

    fn event() -> Event {
        Event {
            office: Office { district: 0, department: 0, post: None },
            matter: 1,
            stage: Stage::Complete,
            case: None,
            real: true,
            applicant: None,
            ticket: None,
            completed: 0,
        }
    }

    #[test]
    fn every_template_is_well_formed() {
        let tables: [&[&str]; 25] = [
            ATTITUDE,
            CONSEQUENCES,
            DELAY,
            DEMANDS,
            DOCUMENTS,
            ENDINGS,
            ESTATE,
            FILLERS,
            GRIEVANCE_LETTERS,
            OPENINGS,
            OUTAGE,
            PERSONS,
            PRAISE_ENDINGS,
            PRAISE_FACTS,
            PRAISE_OPENINGS,
            QUEUE,
            RUNAROUND,
            SHAKEDOWN,
            SPANS,
            STOCK,
            TIMES,
            UNREACHABLE,
            ATTACK_LETTERS,
            PRAISE_LETTERS,
            THANKS_LETTERS,
        ];
        for row in tables.into_iter().flatten().chain(WRONG) {
            for (at, _) in row.match_indices('{') {
                assert!(
                    b"mdptlnhf".contains(&row.as_bytes()[at + 1]) && row.as_bytes()[at + 2] == b'}',
                    "{row}"
                );
            }
        }
    }

    #[test]
    fn texts_vary_and_fit() {
        let mut dice = Dice::new(1, Purpose::Ordinary, 0);
        let mut complaints = BTreeSet::new();
        for i in 0..3_000 {
            let text = complaint(&mut dice, &event(), Topic::COMMON[i % 6]);
            assert!(!text.contains('{') && text.chars().count() <= 400, "{text}");
            complaints.insert(text);
            assert!(praise(&mut dice, &event()).chars().count() <= 300);
        }
        assert!(complaints.len() > 2_850, "{}", complaints.len());
    }

    #[test]
    fn writers_of_one_story_share_its_facts_and_not_its_wording() {
        let mut dice = Dice::new(2, Purpose::Ordinary, 0);
        let story = Story::new(&mut dice, Topic::Outage);
        let texts: BTreeSet<String> = (0..200).map(|_| retell(&mut dice, &event(), &story)).collect();
        assert!(texts.len() > 180, "{}", texts.len());
    }
}
