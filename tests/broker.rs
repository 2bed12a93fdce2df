//! The broker in memory keeps what every broker promises, and has the faults that it is told to have.

mod broker_support;

use std::time::Duration;

use broker_support::{Promises, numbered, take, topic};
use zhenping::broker::{Broker, Fault, Memory};

#[test]
fn memory_keeps_what_every_broker_promises() {
    Promises { broker: &Memory::new(), replication: 1 }.hold();
}

#[test]
fn faults_lose_repeat_and_leave_unanswered() {
    let broker = Memory::new();
    broker.ensure(&topic("faulty", 1, 1)).unwrap();
    let partition = broker.partition("faulty", 0).unwrap();
    let mut faults = [Fault::Lost, Fault::Unanswered, Fault::Twice, Fault::None].into_iter();
    broker.set_faults(move |name, messages| {
        assert_eq!((name, messages.len()), ("faulty", 1));
        faults.next().unwrap_or(Fault::None)
    });
    let answers: Vec<bool> =
        (0..4).map(|number| partition.append(&numbered(number..number + 1)).is_ok()).collect();
    assert_eq!(answers, [false, false, true, true]);
    let mut follow = partition.follow(0).unwrap();
    let came: Vec<_> = take(&mut *follow, 0, 4).into_iter().map(|message| message.payload).collect();
    assert_eq!(came, [numbered(1..3), numbered(2..4)].concat());
    assert!(follow.next(Duration::ZERO).unwrap().is_empty());
}
