//! What every broker promises, as tests of any of them.

use std::ops::Range;
use std::time::{Duration, Instant};

use bytes::Bytes;
use zhenping::broker::{Broker, BrokerError, Follow, MESSAGE_BYTES_MAX, Message, Partition, TopicSpec};

/// How long a test waits for what has to come. Fluvio's servers look at each other's copies once a minute.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// A topic that is kept for ever.
pub fn topic(name: &str, partitions: u32, replication: u32) -> TopicSpec {
    TopicSpec { name: name.to_owned(), partitions, replication, retention: None }
}

/// Numbered messages.
pub fn numbered(numbers: Range<u64>) -> Vec<Bytes> {
    numbers.map(|number| Bytes::from(format!("message {number}"))).collect()
}

/// The next messages, until there are so many. Fails if one is missing, or out of order.
pub fn take(follow: &mut dyn Follow, from: u64, count: usize) -> Vec<Message> {
    let (until, mut taken) = (Instant::now() + PATIENCE, Vec::with_capacity(count));
    while taken.len() < count {
        match follow.next(Duration::from_secs(1)) {
            Ok(messages) => taken.extend(messages),
            Err(error) => assert!(error.is_passing(), "{error}"),
        }
        assert!(Instant::now() < until, "{} of {count} messages came", taken.len());
    }
    for (at, message) in (from..).zip(&taken) {
        assert_eq!(message.offset, at, "offsets go up by one");
    }
    taken
}

fn payloads(messages: &[Message]) -> Vec<Bytes> {
    messages.iter().map(|message| message.payload.clone()).collect()
}

/// A broker, and the promises that it is held to. `replication` is that of the topics.
pub struct Promises<'b> {
    pub broker: &'b dyn Broker,
    pub replication: u32,
}

impl Promises<'_> {
    /// All of them.
    pub fn hold(&self) {
        self.a_topic_is_made_once_and_then_checked();
        self.what_is_not_there_is_named();
        self.messages_come_back_in_order();
        self.a_follower_starts_anywhere_and_waits_for_more();
        self.a_follower_waits_no_longer_than_it_is_told();
        self.partitions_are_apart();
        self.appenders_at_once_make_one_order();
        self.the_longest_message_is_taken_and_a_longer_one_is_not();
        self.nothing_is_an_append_too();
    }

    fn topic(&self, name: &str, partitions: u32) {
        self.broker.ensure(&topic(name, partitions, self.replication)).expect("the topic is made");
    }

    fn partition(&self, name: &str) -> std::sync::Arc<dyn Partition> {
        self.topic(name, 1);
        self.broker.partition(name, 0).expect("it is there")
    }

    fn a_topic_is_made_once_and_then_checked(&self) {
        let stated = topic("checked", 2, self.replication);
        self.broker.ensure(&stated).expect("it is made");
        self.broker.ensure(&stated).expect("it is as stated");
        for other in [
            TopicSpec { partitions: 3, ..stated.clone() },
            TopicSpec { replication: self.replication + 1, ..stated.clone() },
            TopicSpec { retention: Some(Duration::from_secs(3600)), ..stated.clone() },
        ] {
            let error = self.broker.ensure(&other).expect_err("it differs");
            assert!(matches!(&error, BrokerError::Topic { topic, .. } if topic == "checked"), "{error}");
            assert!(!error.is_passing());
        }
        let kept_a_day = TopicSpec {
            retention: Some(Duration::from_secs(86_400)),
            ..topic("kept-a-day", 1, self.replication)
        };
        self.broker.ensure(&kept_a_day).expect("it is made");
        self.broker.ensure(&kept_a_day).expect("it is as stated");
        self.broker.ensure(&topic("kept-a-day", 1, self.replication)).expect_err("it is not kept for ever");
    }

    fn what_is_not_there_is_named(&self) {
        let named = |result: Result<_, BrokerError>, name: &str| match result {
            Ok(_) => panic!("{name} is not there"),
            Err(error) => {
                assert!(matches!(&error, BrokerError::Topic { topic, .. } if topic == name), "{error}")
            }
        };
        named(self.broker.partition("nowhere", 0), "nowhere");
        self.topic("two", 2);
        named(self.broker.partition("two", 2), "two");
        assert!(self.broker.partition("two", 1).is_ok());
    }

    fn messages_come_back_in_order(&self) {
        let partition = self.partition("in-order");
        assert_eq!(partition.bounds().expect("they are told"), 0..0);
        let sent = numbered(0..1000);
        let mut follow = partition.follow(0).expect("it can be followed before there is anything");
        for group in sent.chunks(37) {
            partition.append(group).expect("they are appended");
        }
        assert_eq!(payloads(&take(&mut *follow, 0, 1000)), sent);
        assert_eq!(partition.bounds().expect("they are told"), 0..1000);
    }

    fn a_follower_starts_anywhere_and_waits_for_more(&self) {
        let partition = self.partition("anywhere");
        partition.append(&numbered(0..100)).expect("they are appended");
        let mut middle = partition.follow(42).expect("it is kept");
        let mut end = partition.follow(100).expect("it is the next");
        assert_eq!(payloads(&take(&mut *middle, 42, 58)), numbered(42..100));
        assert!(end.next(Duration::from_millis(10)).expect("nothing is no error").is_empty());
        partition.append(&numbered(100..110)).expect("they are appended");
        assert_eq!(payloads(&take(&mut *middle, 100, 10)), numbered(100..110));
        assert_eq!(payloads(&take(&mut *end, 100, 10)), numbered(100..110));
        // From beyond the end it waits, and gives nothing of what comes before.
        let mut beyond = partition.follow(120).expect("it may come yet");
        partition.append(&numbered(110..130)).expect("they are appended");
        assert_eq!(payloads(&take(&mut *beyond, 120, 10)), numbered(120..130));
    }

    fn a_follower_waits_no_longer_than_it_is_told(&self) {
        let partition = self.partition("idle");
        let mut follow = partition.follow(0).expect("it is there");
        for wait in [Duration::ZERO, Duration::from_millis(20), Duration::from_secs(2)] {
            assert!(follow.next(wait).expect("nothing is no error").is_empty());
        }
    }

    fn partitions_are_apart(&self) {
        self.topic("apart", 3);
        for number in 0..3_u64 {
            let partition = self.broker.partition("apart", number as u32).expect("it is there");
            partition.append(&numbered(number..2 * number + 1)).expect("they are appended");
        }
        for number in 0..3_u64 {
            let partition = self.broker.partition("apart", number as u32).expect("it is there");
            assert_eq!(partition.bounds().expect("they are told"), 0..number + 1);
            let mut follow = partition.follow(0).expect("it is there");
            let came = take(&mut *follow, 0, number as usize + 1);
            assert_eq!(payloads(&came), numbered(number..2 * number + 1));
        }
    }

    fn appenders_at_once_make_one_order(&self) {
        let (partition, others) = (self.partition("at-once"), 4);
        std::thread::scope(|scope| {
            for appender in 0..others {
                let own = self.broker.partition("at-once", 0).expect("it is there");
                scope.spawn(move || {
                    for number in 0..50 {
                        own.append(&numbered(appender * 1000 + number..appender * 1000 + number + 1))
                            .expect("appended");
                    }
                });
            }
        });
        let read = || payloads(&take(&mut *partition.follow(0).expect("it is there"), 0, 200));
        let order = read();
        assert_eq!(order, read(), "everybody sees one order");
        for appender in 0..others {
            let own = |payload: &&Bytes| numbered(appender * 1000..appender * 1000 + 50).contains(*payload);
            let came: Vec<_> = order.iter().filter(own).cloned().collect();
            assert_eq!(
                came,
                numbered(appender * 1000..appender * 1000 + 50),
                "each appender's own order is kept"
            );
        }
    }

    fn the_longest_message_is_taken_and_a_longer_one_is_not(&self) {
        let partition = self.partition("long");
        let long = Bytes::from(vec![7_u8; MESSAGE_BYTES_MAX]);
        let too_long = Bytes::from(vec![7_u8; MESSAGE_BYTES_MAX + 1]);
        let sent = [numbered(0..1), vec![long.clone(), long], numbered(1..3)].concat();
        partition.append(&sent).expect("they are appended");
        let refused =
            partition.append(&[numbered(3..4), vec![too_long]].concat()).expect_err("it is too long");
        assert_eq!(refused, BrokerError::TooLong { bytes: MESSAGE_BYTES_MAX + 1, limit: MESSAGE_BYTES_MAX });
        let mut follow = partition.follow(0).expect("it is there");
        assert!(payloads(&take(&mut *follow, 0, 5)) == sent, "long messages come back as they were");
        assert_eq!(partition.bounds().expect("they are told").end, 5, "a refused append leaves nothing");
    }

    fn nothing_is_an_append_too(&self) {
        let partition = self.partition("nothing");
        partition.append(&[]).expect("there is nothing to do");
        partition.append(&[Bytes::new()]).expect("an empty message is one");
        assert_eq!(payloads(&take(&mut *partition.follow(0).expect("it is there"), 0, 1)), [Bytes::new()]);
    }
}
