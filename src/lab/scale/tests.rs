use proptest::prelude::*;

use super::*;

fn scenario(nodes: u32, rate: f64, seconds: f64) -> Scenario {
    Scenario {
        nodes,
        rate,
        seconds,
        seed: 7,
        log: Log::Broker,
        failures: Failures::default(),
        parameters: Parameters::default(),
    }
}

fn run(scenario: &Scenario) -> Outcome {
    simulate(scenario).expect("the scenario is in order")
}

/// A broker, a network and folds that cost nothing.
fn free() -> Parameters {
    Parameters {
        fold_us: 0.0,
        fold_observe_us: 0.0,
        message_us: 0.0,
        sync_us: 0.0,
        sync_byte_ns: 0.0,
        append_us: 0.0,
        append_lane_us: 0.0,
        append_byte_ns: 0.0,
        read_us: 0.0,
        push_us: 0.0,
        push_byte_ns: 0.0,
        broker_gbit: 10_000.0,
        delay_ms: 0.0,
        ..Parameters::default()
    }
}

fn is_near(found: f64, expected: f64, within: f64) -> bool {
    (found / expected - 1.0).abs() <= within
}

#[test]
fn one_rating_after_the_other_waits_as_in_the_queue_m_d_1() {
    for (observe, log) in [(0.0, Log::Embedded), (20.0, Log::Embedded), (7.0, Log::Broker)] {
        for load in [0.3, 0.6, 0.9] {
            let service = 20.0;
            let parameters =
                Parameters { cores: 1, batch: 1, score_us: service, observe_us: observe, ..free() };
            let rate = load * 1e6 / service;
            let outcome = run(&Scenario { log, parameters, ..scenario(1, rate, 40.0) });
            let expected = (service + wait_md1(load, service)) / 1e3;
            let found = outcome.latency_ms.expect("ratings were answered").mean;
            assert!(is_near(found, expected, 0.03), "{observe} {load}: {found} for {expected} ms");
            assert!(is_near(outcome.utilisation.node_scoring, load, 0.02));
        }
    }
}

#[test]
fn on_one_shared_core_one_rating_after_the_other_waits_as_in_the_queue_m_d_1() {
    for observe in [0.0, 20.0] {
        let (service, load) = (20.0, 0.7);
        let parameters = Parameters {
            shared_cores: 1,
            client_us: 0.0,
            batch: 1,
            score_us: service,
            observe_us: observe,
            ..free()
        };
        let rate = load * 1e6 / service;
        let outcome = run(&Scenario { log: Log::Embedded, parameters, ..scenario(1, rate, 15.0) });
        let expected = (service + wait_md1(load, service)) / 1e3;
        let found = outcome.latency_ms.expect("ratings were answered").mean;
        assert!(is_near(found, expected, 0.03), "{observe}: {found} for {expected} ms");
        assert!(is_near(outcome.utilisation.shared_cores, load, 0.02));
    }
}

#[test]
fn a_full_machine_answers_what_its_cores_bear_however_many_nodes_share_it() {
    let parameters = Parameters {
        shared_cores: 2,
        cores: 2,
        score_us: 40.0,
        observe_us: 10.0,
        fold_us: 20.0,
        fold_observe_us: 10.0,
        client_us: 8.0,
        append_us: 50.0,
        append_lane_us: 50.0,
        append_byte_ns: 4.0,
        copy_us: 40.0,
        copy_byte_ns: 4.0,
        push_us: 30.0,
        push_byte_ns: 2.0,
        queue: 4_096,
        ..free()
    };
    for nodes in 1..=4 {
        // Own: 40 + 10, folds of the others: 20 each, the broker by the byte: 430 × (4 + 4 + 2 × nodes) ns.
        let others = f64::from(nodes - 1);
        let each = 50.0 + 8.0 + 20.0 * others + 0.43 * (8.0 + 2.0 * f64::from(nodes));
        let cell = Scenario { parameters: parameters.clone(), ..scenario(nodes, 500_000.0, 10.0) };
        assert!(is_near(bound(&cell).ratings_per_s, 2e6 / each, 0.02), "{:?}", bound(&cell));
        let outcome = run(&cell);
        let found = outcome.answered_per_s;
        assert!(is_near(found, 2e6 / each, 0.05), "{nodes}: {found} for {}", 2e6 / each);
        assert_eq!((outcome.fullest, outcome.binds), (Resource::SharedCores, true));
        assert_eq!(outcome.offered, outcome.answered + outcome.shed + outcome.broken_off + outcome.in_flight);
    }
}

#[test]
fn one_node_without_a_network_waits_as_the_formula_of_a_single_node_says() {
    let only_log = |p: Parameters| Parameters { score_us: 0.0, observe_us: 0.0, ..p };
    for rate in [20_000.0, 100_000.0, 300_000.0] {
        let parameters = only_log(Parameters { sync_us: 300.0, sync_byte_ns: 3.0, ..free() });
        let embedded = run(&Scenario { log: Log::Embedded, parameters, ..scenario(1, rate, 20.0) });
        let parameters = only_log(Parameters {
            append_us: 200.0,
            append_lane_us: 50.0,
            append_byte_ns: 3.0,
            read_us: 100.0,
            ..free()
        });
        let broker = run(&Scenario { parameters, ..scenario(1, rate, 20.0) });
        let expected = gated(rate / 1e6, 300.0, 430.0 * 3.0 / 1e3) / 1e3;
        for outcome in [embedded, broker] {
            let found = outcome.latency_ms.expect("ratings were answered").mean;
            assert!(is_near(found, expected, 0.03), "{rate}: {found} for {expected} ms");
        }
    }
}

#[test]
fn every_rating_is_answered_shed_broken_off_or_in_flight() {
    let failures = Failures {
        lose_node: vec!["1:0.5:0.5".parse().unwrap(), "2:1:0.1".parse().unwrap()],
        cut_off: vec!["3:0.3:1".parse().unwrap()],
        lose_spu: vec!["1.2:0.4".parse().unwrap()],
    };
    for (nodes, rate) in [(3, 1_000.0), (3, 50_000.0), (5, 400_000.0), (100, 20_000.0)] {
        for failures in [Failures::default(), failures.clone()] {
            let outcome = run(&Scenario { failures, ..scenario(nodes, rate, 2.0) });
            let Outcome { offered, answered, shed, broken_off, in_flight, .. } = outcome;
            assert_eq!(offered, answered + shed + broken_off + in_flight, "{nodes} at {rate}");
            assert!(is_near(offered as f64, 2.0 * rate, 0.1), "{offered}");
            assert!(answered > 0);
            assert_eq!(broken_off > 0, !outcome.scenario.failures.is_empty());
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_result_and_another_one_another() {
    let failures = Failures { lose_node: vec!["2:0.5:0.3".parse().unwrap()], ..Failures::default() };
    let scenario = Scenario { failures, ..scenario(4, 30_000.0, 1.5) };
    let first = run(&scenario);
    assert_eq!(first, run(&scenario));
    let other = run(&Scenario { seed: 8, ..scenario });
    assert_ne!((first.offered, first.latency_ms), (other.offered, other.latency_ms));
}

#[test]
fn what_a_decision_does_not_know_is_what_others_score_while_it_is_on_its_way() {
    // Little's law: on the average, as many as arrive at the others during the staleness.
    for (nodes, rate) in [(2, 20_000.0), (5, 50_000.0), (30, 10_000.0)] {
        let outcome = run(&scenario(nodes, rate, 8.0));
        let lag = outcome.staleness_ms.expect("others' ratings were folded").mean / 1e3;
        let unseen = outcome.unseen_ratings.expect("ratings were decided").mean;
        let expected = rate * (1.0 - 1.0 / f64::from(nodes)) * lag;
        assert!(is_near(unseen, expected, 0.1), "{nodes} at {rate}: {unseen} for {expected}");
    }
}

#[test]
fn one_node_alone_is_never_stale() {
    let outcome = run(&scenario(1, 20_000.0, 1.0));
    assert_eq!(outcome.unseen_ratings.map(|q| q.p99), Some(0.0));
    assert_eq!(outcome.staleness_ms, None);
    assert_eq!(outcome.utilisation.node_folding, {
        // Messages are taken apart all the same; no rating of another's is in them.
        let messages = outcome.answered as f64 / outcome.group_ratings;
        let share = messages * 5e-6 / 4.0;
        assert!(is_near(outcome.utilisation.node_folding, share, 0.01), "{share}");
        outcome.utilisation.node_folding
    });
}

#[test]
fn nodes_beyond_the_bend_add_nothing() {
    // A network and cores without end: the state thread, which every node has once, is left.
    let answered = |nodes| {
        let parameters =
            Parameters { cores: 64, broker_cores: 64, broker_gbit: 1_000.0, ..Parameters::default() };
        run(&Scenario { parameters, ..scenario(nodes, 400_000.0, 4.0) })
    };
    for nodes in [2, 5, 20] {
        let outcome = answered(nodes);
        assert!(is_near(outcome.answered_per_s, 1e6 / 6.0, 0.05), "{nodes}: {}", outcome.answered_per_s);
        assert_eq!((outcome.fullest, outcome.binds), (Resource::StateThread, true));
    }
}

#[test]
fn a_full_cell_whose_folds_cost_most_may_leave_nodes_behind() {
    let parameters = Parameters {
        cores: 64,
        score_us: 60.0,
        observe_us: 40.0,
        fold_us: 160.0,
        fold_observe_us: 155.0,
        queue: 4_000,
        ..Parameters::default()
    };
    let five = Scenario { parameters, ..scenario(5, 1.0, 60.0) };
    let (all, most) = (bound(&five).ratings_per_s, ceiling(&five));
    let spread = |outcome: &Outcome| outcome.answered_by_node[1] as f64 / outcome.answered_by_node[0] as f64;
    let full: Vec<Outcome> =
        (1..=4).map(|seed| run(&Scenario { seed, rate: 1.7 * all, ..five.clone() })).collect();
    // Those that go on have less to fold than if all did, and those behind have more than they can. Whether it
    // comes to that within the minute is a matter of chance.
    assert!(full.iter().any(|outcome| spread(outcome) > 2.0 && outcome.answered_per_s > 1.02 * all));
    assert!(full.iter().all(|outcome| outcome.answered_per_s < most));
    let calm = run(&Scenario { rate: 0.7 * all, ..five });
    assert!(spread(&calm) < 1.05 && calm.shed == 0, "{calm:?}");
}

#[test]
fn while_a_server_of_the_log_is_away_nothing_is_answered_and_afterwards_everything() {
    let failures = Failures { lose_spu: vec!["1:1".parse().unwrap()], ..Failures::default() };
    let outcome = run(&Scenario { failures, ..scenario(3, 5_000.0, 4.0) });
    let (latency, calm) = (outcome.latency_ms.unwrap(), run(&scenario(3, 5_000.0, 4.0)).latency_ms.unwrap());
    assert!(latency.p99 > 900.0 && calm.p99 < 10.0, "{} {}", latency.p99, calm.p99);
    // 5,000 fit into the queues of three nodes, 30,000 do not.
    assert_eq!(outcome.shed, 0);
    let failures = Failures { lose_spu: vec!["1:1".parse().unwrap()], ..Failures::default() };
    let outcome = run(&Scenario { failures, ..scenario(3, 30_000.0, 4.0) });
    // And those that come while full queues are worked off.
    let expected = 30_000.0 - 3.0 * 8192.0;
    assert!((expected..expected + 0.15 * 30_000.0).contains(&(outcome.shed as f64)), "{}", outcome.shed);
}

#[test]
fn a_lost_node_reads_what_it_missed_and_takes_its_share_again() {
    let failures = Failures { lose_node: vec!["1:1:3".parse().unwrap()], ..Failures::default() };
    let rate = 60_000.0;
    let outcome = run(&Scenario { failures, ..scenario(3, rate, 8.0) });
    // Its share is refused until the balancer notices, within a second.
    assert!(is_near(outcome.shed as f64, rate / 3.0, 0.05), "{}", outcome.shed);
    // Three seconds' ratings but for those, folded at 6 µs each by its state thread while more come.
    let expected = (3.0 * rate - rate / 3.0) * 6e-6 / (1.0 - rate * 6e-6);
    assert_eq!(outcome.caught_up_s.len(), 1);
    assert!(is_near(outcome.caught_up_s[0], expected, 0.1), "{:?} for {expected}", outcome.caught_up_s);
}

#[test]
fn a_node_that_is_cut_off_sheds_once_its_queue_is_full_and_others_go_on() {
    let failures = Failures { cut_off: vec!["1:1:2".parse().unwrap()], ..Failures::default() };
    let outcome = run(&Scenario { failures, ..scenario(2, 20_000.0, 5.0) });
    // And those that come until it has read what it missed and its full queue is worked off.
    let expected = 10_000.0 * 2.0 - 8192.0;
    assert!((expected..expected + 0.3 * 10_000.0).contains(&(outcome.shed as f64)), "{}", outcome.shed);
    assert!(outcome.in_flight < 100);
}

#[test]
fn what_contradicts_itself_is_refused_with_the_flag() {
    let refused = |scenario: Scenario| simulate(&scenario).unwrap_err().to_string();
    assert!(refused(scenario(0, 1.0, 1.0)).starts_with("--nodes: found 0; allowed is 1 to"));
    assert!(refused(scenario(1, f64::NAN, 1.0)).starts_with("--rate"));
    assert!(refused(Scenario { log: Log::Embedded, ..scenario(2, 1.0, 1.0) }).starts_with("--embedded"));
    let failures = Failures { lose_node: vec!["9:1:1".parse().unwrap()], ..Failures::default() };
    assert!(refused(Scenario { failures, ..scenario(2, 1.0, 1.0) }).starts_with("--lose-node 9:1:1"));
}

#[test]
fn the_busiest_hour_is_several_times_the_mean() {
    assert!((2.0..6.0).contains(&busiest_hour()), "{}", busiest_hour());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Offered more than it bears, a cell answers at most what its narrowest resource bears, and at least what
    /// it would if the resources took turns. "What the narrowest bears" is not exact in general, and cannot be:
    /// a node has one group on its way, so a lone node's resources wait for each other however full it is. It is
    /// exact where one resource is much narrower than all others, and that is held to as well.
    ///
    /// Where a fold costs more than a rating of the node's own, nodes may be left behind, and then any number of
    /// them may be those that go on: both bounds are those over all such numbers, and nothing is exact.
    #[test]
    fn a_full_cell_answers_what_its_narrowest_resource_bears(
        nodes in 1_u32..8,
        narrow in 0_usize..5,
        cores in 1_u32..8,
        score_us in 5.0..60.0_f64,
        observe in 0.1..0.9_f64,
        fold_us in 1.0..20.0_f64,
        fold_observe in 0.1..0.9_f64,
        record_bytes in 100.0..1_000.0_f64,
        append_byte_ns in 0.5..20.0_f64,
        push_byte_ns in 0.1..5.0_f64,
        broker_gbit in 1.0..10.0_f64,
    ) {
        let parameters = Parameters {
            cores,
            score_us,
            observe_us: score_us * observe,
            fold_us,
            fold_observe_us: fold_us * fold_observe,
            record_bytes,
            append_byte_ns,
            push_byte_ns,
            broker_gbit,
            queue: 4_000,
            ..Parameters::default()
        };
        let any = Scenario { parameters, ..scenario(nodes, 1.0, 1.0) };
        for cell in [any.clone(), narrowed(any, narrow)] {
            let least = bound(&cell);
            let others = capacities(&cell).into_iter().filter(|other| other.resource != least.resource);
            let second = others.map(|other| other.ratings_per_s).fold(f64::INFINITY, f64::min);
            let rate = least.ratings_per_s * 1.7;
            // Long enough that filling the queues at the start does not count.
            let seconds = 40.0 * f64::from(nodes) * 4_000.0 / rate;
            let outcome = run(&Scenario { rate, seconds, ..cell });
            let answered = outcome.answered_per_s;
            let p = &outcome.scenario.parameters;
            let stays_together = p.fold_us <= p.own_us() && p.fold_observe_us <= p.observe_us;
            let few = |nodes| floor(&Scenario { nodes, ..outcome.scenario.clone() });
            let fewest = if stays_together { nodes } else { 1 };
            let at_least = (fewest..=nodes).map(few).fold(f64::INFINITY, f64::min);
            let at_most = ceiling(&outcome.scenario);
            prop_assert!(!stays_together || is_near(at_most, least.ratings_per_s, 1e-9));
            prop_assert!(
                answered <= 1.05 * at_most && answered >= 0.92 * at_least,
                "{} answered, {} to {}, {:#?}", answered, at_least, at_most, outcome
            );
            prop_assert!(outcome.binds);
            if stays_together && second > 10.0 * least.ratings_per_s {
                prop_assert!(is_near(answered, least.ratings_per_s, 0.12), "{} {:#?}", answered, outcome);
                prop_assert_eq!(outcome.fullest, least.resource);
            }
        }
    }
}

/// A cell of which one resource bears a small part of what it did.
fn narrowed(mut cell: Scenario, which: usize) -> Scenario {
    let p = &mut cell.parameters;
    match which {
        // All cores, but for the state thread's part.
        0 => (p.score_us, p.cores) = (p.score_us * 40.0, 2),
        1 => {
            (p.score_us, p.observe_us) = (p.score_us + 10.0 * p.observe_us, 11.0 * p.observe_us);
            (p.fold_us, p.fold_observe_us) = (p.fold_us + 10.0 * p.fold_observe_us, 11.0 * p.fold_observe_us);
            p.cores = 64;
        }
        2 => p.append_byte_ns *= 80.0,
        3 => p.push_byte_ns *= 200.0,
        _ => p.broker_gbit /= 40.0,
    }
    cell
}
