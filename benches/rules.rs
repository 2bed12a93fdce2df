//! What a condition costs: compiled, and in the `cel` crate's interpreter; and what a set of 80
//! rules costs for one rating.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use zhenping::catalogue::{
    Bilingual, Catalogue, Feature, FeatureId, FeatureType, FeatureVector, Scope, builtin,
};
use zhenping::expression::{Allowed, Program};
use zhenping::rules::{Assessment, ListKeys, RuleSet, Source};
use zhenping::time::Instant;

const FOUR_TERMS: &str =
    "device.accounts_24h >= 6 && device.class == 'personal' && stars >= 4 && timing.dwell_s < 3.5";

fn catalogue() -> (Catalogue, FeatureId) {
    let mut catalogue = Catalogue::builtin();
    let accounts = Feature {
        name: "device.accounts_24h".to_owned(),
        kind: FeatureType::Int,
        scope: Scope::Counter,
        unit: "accounts".to_owned(),
        meaning: Bilingual::default(),
        text: Bilingual::default(),
    };
    let id = catalogue.add(accounts).expect("the name is free");
    (catalogue, id)
}

/// A rating for which all four terms hold, so that none is skipped.
fn vector(catalogue: &Catalogue, accounts: FeatureId) -> FeatureVector {
    let mut vector = FeatureVector::new(catalogue.len());
    vector.set_int(accounts, 9);
    vector.set_int(builtin::DEVICE_CLASS, 0);
    vector.set_int(builtin::STARS, 5);
    vector.set_float(builtin::TIMING_DWELL_S, 2.0);
    vector
}

fn condition(c: &mut Criterion) {
    let (catalogue, accounts) = catalogue();
    let vector = vector(&catalogue, accounts);
    let mut group = c.benchmark_group("four_terms");

    let program = Program::compile(FOUR_TERMS, &catalogue, Allowed::Everything).expect("it compiles");
    assert_eq!(program.truth(&vector), Some(true));
    group.bench_function("compiled", |b| b.iter(|| black_box(&program).truth(black_box(&vector))));

    let interpreted = cel::Program::compile(FOUR_TERMS).expect("it compiles");
    let mut context = cel::Context::default();
    let map = |entries: &[(&str, cel::Value)]| {
        entries
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect::<std::collections::HashMap<_, _>>()
    };
    context
        .add_variable_from_value("device", map(&[("accounts_24h", 9.into()), ("class", "personal".into())]));
    context.add_variable_from_value("timing", map(&[("dwell_s", 2.0.into())]));
    context.add_variable_from_value("stars", 5);
    assert_eq!(interpreted.execute(&context), Ok(cel::Value::Bool(true)));
    group.bench_function("interpreter", |b| b.iter(|| black_box(&interpreted).execute(&context)));
    group.finish();
}

fn set_of_80(c: &mut Criterion) {
    let (catalogue, accounts) = catalogue();
    let vector = vector(&catalogue, accounts);
    let rule = |i: usize| {
        // Every tenth rule fires; the others fail at their last term.
        let last = if i.is_multiple_of(10) { "timing.dwell_s < 3.5" } else { "timing.dwell_s < 1.5" };
        let families = ["device", "rater", "timing", "network"];
        format!(
            "[[rule]]\nid = \"r{i}\"\nwhen = \"device.accounts_24h >= {} && device.class == 'personal' && \
             stars >= 4 && {last}\"\nweight = 0.5\nsuspect = \"padded_praise\"\nfamily = \"{}\"\n\
             state = \"active\"\nowner = \"bench\"\nwhy = {{ zh = \"\", en = \"\" }}\n",
            i % 9,
            families[i % 4]
        )
    };
    let source = Source { name: "bench.toml".to_owned(), text: (0..80).map(rule).collect() };
    let set = RuleSet::load(&[source], &catalogue).expect("the rules load");
    let lists = set.lists().at(Instant(0), ListKeys::default());
    let mut out = Assessment::default();
    c.bench_function("80_rules", |b| {
        b.iter(|| {
            set.evaluate(black_box(&vector), &lists, &mut out);
            black_box(out.logits[0])
        })
    });
}

criterion_group!(benches, condition, set_of_80);
criterion_main!(benches);
