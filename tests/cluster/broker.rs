//! Fluvio as a broker: what every broker promises, and what happens when servers go and come back.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use fluvio::dataplane::Encoder;
use fluvio::dataplane::link::versions::ApiVersionsResponse;
use zhenping::broker::{Broker, BrokerError, Fluvio, FluvioOptions, FluvioTls, Partition, TopicSpec};

use crate::broker_support::{PATIENCE, Promises, numbered, take, topic};
use crate::harness::{Cluster, nowhere};

/// Limits for tests in which servers are away.
fn impatient(cluster: &Cluster) -> Fluvio {
    let options = FluvioOptions {
        connect_limit: Duration::from_secs(2),
        answer_limit: Duration::from_secs(2),
        ..cluster.options()
    };
    Fluvio::new(options).expect("the options make sense")
}

/// Appends one message until it is taken. Gives how often it was tried.
fn append_until_taken(partition: &dyn Partition, message: &Bytes) -> usize {
    let until = Instant::now() + PATIENCE;
    for tries in 1.. {
        match partition.append(std::slice::from_ref(message)) {
            Ok(()) => return tries,
            Err(error) => assert!(error.is_passing() && Instant::now() < until, "{error}"),
        }
    }
    unreachable!("it is tried without end")
}

/// All messages that are there.
fn all(partition: &dyn Partition) -> Vec<Bytes> {
    let until = Instant::now() + PATIENCE;
    let end = loop {
        match partition.bounds() {
            Ok(bounds) => break bounds.end,
            Err(error) => assert!(error.is_passing() && Instant::now() < until, "{error}"),
        }
    };
    let mut follow = partition.follow(0).expect("it is there");
    take(&mut *follow, 0, end as usize).into_iter().map(|message| message.payload).collect()
}

#[test]
fn fluvio_keeps_what_every_broker_promises() {
    let Some(cluster) = Cluster::start(2) else { return };
    Promises { broker: &cluster.broker(), replication: 2 }.hold();
}

#[test]
fn every_difference_of_a_topic_is_named_with_what_to_do() {
    let Some(cluster) = Cluster::start(1) else { return };
    let broker = cluster.broker();
    let stated = topic("entries", 1, 1);
    broker.ensure(&stated).unwrap();
    let differs = TopicSpec { partitions: 2, retention: Some(Duration::from_secs(60)), ..stated.clone() };
    let error = broker.ensure(&differs).unwrap_err().to_string();
    for part in ["topic entries", "1 partitions", "state 2", "4294967295 s", "60 s", "correct the settings"] {
        assert!(error.contains(part), "{part:?} is missing in {error:?}");
    }
    // A server for each copy.
    let error = broker.ensure(&topic("copies", 1, 2)).unwrap_err();
    assert!(!error.is_passing());
    let error = error.to_string();
    for part in ["topic copies", "2 copies", "1 servers", "add servers"] {
        assert!(error.contains(part), "{part:?} is missing in {error:?}");
    }
    // What no cluster makes is told without one.
    let nobody = Fluvio::new(FluvioOptions::new(nowhere())).unwrap();
    for wrong in [
        topic("Entries", 1, 1),
        topic("entries", 0, 1),
        topic("entries", 1, 0),
        TopicSpec { retention: Some(Duration::from_secs(1)), ..stated },
    ] {
        assert!(matches!(nobody.ensure(&wrong), Err(BrokerError::Settings(_))), "{wrong:?}");
    }
}

#[test]
fn a_hundred_thousand_messages_come_back_in_order() {
    let Some(cluster) = Cluster::start(2) else { return };
    let broker = cluster.broker();
    broker.ensure(&topic("many", 1, 2)).unwrap();
    let (writer, reader) = (broker.partition("many", 0).unwrap(), broker.partition("many", 0).unwrap());
    let mut follow = reader.follow(0).unwrap();
    let sent = numbered(0..100_000);
    let sending = sent.clone();
    std::thread::scope(|scope| {
        scope.spawn(move || sending.chunks(500).for_each(|group| writer.append(group).expect("appended")));
        let came = take(&mut *follow, 0, sent.len());
        assert!(came.iter().map(|message| &message.payload).eq(&sent));
    });
}

#[test]
fn a_follower_of_a_new_topic_does_not_stand_still() {
    let Some(cluster) = Cluster::start(2) else { return };
    let broker = cluster.broker();
    for round in 0..5 {
        let name = format!("new-{round}");
        broker.ensure(&topic(&name, 1, 2)).unwrap();
        let partition = broker.partition(&name, 0).unwrap();
        let mut follow = partition.follow(0).unwrap();
        for number in 0..20 {
            partition.append(&numbered(number..number + 1)).unwrap();
            assert_eq!(take(&mut *follow, number, 1)[0].payload, numbered(number..number + 1)[0]);
        }
    }
}

#[test]
fn what_was_acknowledged_survives_the_leader_and_followers_go_on() {
    let Some(mut cluster) = Cluster::start(2) else { return };
    let broker = impatient(&cluster);
    broker.ensure(&topic("survives", 1, 2)).unwrap();
    let partition = broker.partition("survives", 0).unwrap();
    let mut follow = partition.follow(0).unwrap();
    let (stop, mut acknowledged, mut repeated) = (AtomicBool::new(false), 0, 0);
    let (writer, leader) = (broker.partition("survives", 0).unwrap(), cluster.leader("survives"));
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let (mut number, mut repeated) = (0, 0);
            while !stop.load(Ordering::Relaxed) {
                repeated += append_until_taken(&*writer, &numbered(number..number + 1)[0]) - 1;
                number += 1;
            }
            (number, repeated)
        });
        std::thread::sleep(Duration::from_secs(2));
        cluster.kill(leader);
        std::thread::sleep(Duration::from_secs(4));
        cluster.restart(leader);
        cluster.wait_for(2);
        append_until_taken(&*partition, &Bytes::from_static(b"after it came back"));
        std::thread::sleep(Duration::from_secs(2));
        stop.store(true, Ordering::Relaxed);
        (acknowledged, repeated) = writing.join().expect("appends go on");
    });
    assert!(repeated > 0, "while a copy is away, nothing is acknowledged");
    let there = all(&*partition);
    let came: Vec<_> =
        take(&mut *follow, 0, there.len()).into_iter().map(|message| message.payload).collect();
    assert!(came == there, "who followed all the time saw what is there");
    let mut after = there.iter();
    for message in numbered(0..acknowledged) {
        assert!(
            after.any(|payload| *payload == message),
            "{message:?} was acknowledged, and is not there in order"
        );
    }
}

#[test]
fn a_server_that_lost_its_lead_gets_all_again_once_its_own_copy_is_removed() {
    let Some(mut cluster) = Cluster::start(2) else { return };
    let broker = impatient(&cluster);
    broker.ensure(&topic("refilled", 1, 2)).unwrap();
    let partition = broker.partition("refilled", 0).unwrap();
    partition.append(&numbered(0..1000)).unwrap();
    let (leader, other) = (cluster.leader("refilled"), 1 - cluster.leader("refilled"));
    // The leader takes a message that the other never gets.
    cluster.kill(other);
    assert!(partition.append(&numbered(1000..1001)).is_err_and(|error| error.is_passing()));
    cluster.kill(leader);
    cluster.restart(other);
    cluster.wait_for(1);
    // The lead goes to the server that is there.
    let until = Instant::now() + PATIENCE;
    while cluster.leader("refilled") != other {
        assert!(Instant::now() < until, "nobody leads");
        std::thread::sleep(Duration::from_millis(100));
    }
    // Fluvio would keep that message there, and the next one here, at one and the same offset.
    cluster.forget(leader, "refilled");
    cluster.restart(leader);
    cluster.wait_for(2);
    append_until_taken(&*partition, &numbered(1001..1002)[0]);
    let there = all(&*partition);
    assert_eq!(there[..1000], numbered(0..1000));
    assert!(there[1000..].contains(&numbered(1001..1002)[0]));
    assert!(!there.contains(&numbered(1000..1001)[0]));
    let until = Instant::now() + PATIENCE;
    while cluster.copy(0, "refilled") != cluster.copy(1, "refilled") {
        assert!(Instant::now() < until, "the servers' copies differ");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn appends_go_on_after_the_controller_came_back() {
    let Some(mut cluster) = Cluster::start(2) else { return };
    let broker = impatient(&cluster);
    broker.ensure(&topic("controlled", 1, 2)).unwrap();
    let partition = broker.partition("controlled", 0).unwrap();
    let mut follow = partition.follow(0).unwrap();
    partition.append(&numbered(0..10)).unwrap();
    cluster.kill_controller();
    // The servers need no controller for what they do already.
    partition.append(&numbered(10..20)).unwrap();
    assert_eq!(take(&mut *follow, 0, 20).len(), 20);
    let error = broker.ensure(&topic("controlled", 1, 2)).unwrap_err();
    assert!(error.is_passing() && error.to_string().contains(&cluster.endpoint), "{error}");
    cluster.restart_controller();
    cluster.wait_for(2);
    broker.ensure(&topic("controlled", 1, 2)).unwrap();
    let again = broker.partition("controlled", 0).unwrap();
    append_until_taken(&*again, &numbered(20..21)[0]);
    assert_eq!(all(&*again)[..20], numbered(0..20));
    assert!(!take(&mut *follow, 20, 1).is_empty());
}

#[test]
fn clients_at_once_see_one_order() {
    let Some(cluster) = Cluster::start(2) else { return };
    cluster.broker().ensure(&topic("shared", 1, 2)).unwrap();
    let orders: Vec<Vec<Bytes>> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..2_u64)
            .map(|client| {
                let broker = cluster.broker();
                scope.spawn(move || {
                    let partition = broker.partition("shared", 0).unwrap();
                    let mut follow = partition.follow(0).unwrap();
                    for number in (client * 1000..).step_by(5).take(100) {
                        partition.append(&numbered(number..number + 5)).unwrap();
                    }
                    take(&mut *follow, 0, 1000).into_iter().map(|message| message.payload).collect()
                })
            })
            .collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    assert_eq!(orders[0], orders[1]);
    let mut sorted = orders[0].clone();
    sorted.sort();
    let mut sent = [numbered(0..500), numbered(1000..1500)].concat();
    sent.sort();
    assert_eq!(sorted, sent);
}

#[test]
fn a_cluster_that_is_not_there_is_named_within_the_time_limit() {
    // Whatever machine this runs on, no server is needed.
    let limit = Duration::from_secs(1);
    let broker = |endpoint: &str| {
        Fluvio::new(FluvioOptions {
            connect_limit: limit,
            answer_limit: limit,
            ..FluvioOptions::new(endpoint)
        })
        .unwrap()
    };
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for (address, part) in [
        (nowhere(), "start the cluster"),
        (silent.local_addr().unwrap().to_string(), "is it a Fluvio controller"),
    ] {
        let began = Instant::now();
        let error = broker(&address).ensure(&topic("entries", 1, 1)).unwrap_err();
        assert!(error.is_passing());
        let text = error.to_string();
        assert!(text.contains(&address) && text.contains(part), "{text}");
        assert!(broker(&address).partition("entries", 0).is_err_and(|error| error.is_passing()));
        assert!(began.elapsed() < PATIENCE, "there is a limit");
    }
}

#[test]
fn a_cluster_that_speaks_tls_alone_is_spoken_to_with_its_certificates() {
    let Some(cluster) = Cluster::start_with_tls(2) else { return };
    let broker = cluster.broker();
    broker.ensure(&topic("sealed", 1, 2)).unwrap();
    let partition = broker.partition("sealed", 0).unwrap();
    let mut follow = partition.follow(0).unwrap();
    partition.append(&numbered(0..100)).unwrap();
    let came: Vec<_> = take(&mut *follow, 0, 100).into_iter().map(|message| message.payload).collect();
    assert_eq!(came, numbered(0..100));
    // In the clear, and for another domain, nothing is had of it.
    let limit = Duration::from_secs(2);
    let options = FluvioOptions { connect_limit: limit, ..cluster.options() };
    let elsewhere = options.tls.clone().map(|tls| FluvioTls { domain: "elsewhere.test".to_owned(), ..tls });
    for tls in [None, elsewhere] {
        let broker = Fluvio::new(FluvioOptions { tls, ..options.clone() }).unwrap();
        let error = broker.ensure(&topic("sealed", 1, 2)).unwrap_err();
        assert!(error.is_passing() && error.to_string().contains(&cluster.endpoint), "{error}");
    }
}

#[test]
fn a_cluster_that_is_too_old_is_named() {
    // It greets as a controller does, says that it is version 0.0.0, and knows no requests.
    let controller = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = controller.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for connection in controller.incoming() {
            let mut connection = connection.unwrap();
            let mut header = [0; 12];
            connection.read_exact(&mut header).unwrap();
            // Length of the frame, request, version, and the request's id, which its answer repeats.
            let mut answer = header[8..].to_vec();
            ApiVersionsResponse::default().encode(&mut answer, 0).unwrap();
            connection.write_all(&(answer.len() as u32).to_be_bytes()).unwrap();
            connection.write_all(&answer).unwrap();
        }
    });
    let broker = Fluvio::new(FluvioOptions::new(&address)).unwrap();
    let error = broker.ensure(&topic("entries", 1, 1)).unwrap_err();
    assert!(matches!(&error, BrokerError::Version { .. }), "{error}");
    for part in [&address, "Fluvio 0.0.0", "upgrade the cluster"] {
        assert!(error.to_string().contains(part), "{part:?} is missing in {error}");
    }
}

#[test]
fn settings_that_make_no_sense_are_named() {
    let wrong = |options: FluvioOptions, parts: &[&str]| match Fluvio::new(options) {
        Err(BrokerError::Settings(why)) => {
            parts.iter().for_each(|part| assert!(why.contains(part), "{part:?} is missing in {why:?}"));
        }
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it makes no sense"),
    };
    for endpoint in ["", "sc", "sc:", ":9003", "sc:0", "sc:port"] {
        wrong(FluvioOptions::new(endpoint), &["endpoint", "host and port"]);
    }
    let options = FluvioOptions::new("sc.example:9003");
    wrong(FluvioOptions { answer_limit: Duration::ZERO, ..options.clone() }, &["answer_limit", "above 0"]);
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let tls = FluvioTls {
        domain: "fluvio.example".to_owned(),
        ca_file: file("ca.pem", pem),
        cert_file: file("cert.pem", pem),
        key_file: dir.path().join("key.pem"),
    };
    let with = |tls: FluvioTls| FluvioOptions { tls: Some(tls), ..options.clone() };
    wrong(with(tls.clone()), &["tls.key_file", "key.pem", "cannot be read"]);
    let tls = FluvioTls { key_file: file("key.pem", "not a key"), ..tls };
    wrong(with(tls.clone()), &["tls.key_file", "not a PEM file"]);
    let tls = FluvioTls { key_file: file("key.pem", pem), ..tls };
    wrong(with(tls.clone()), &["TLS files cannot be used"]);
    wrong(with(FluvioTls { domain: String::new(), ..tls }), &["tls.domain"]);
}
