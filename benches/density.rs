//! What a density costs: one rating's tail (6 and 12 columns, 8 components), and training on 10⁵ rows.
//!
//! `cargo bench --bench density`.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use zhenping::models::density::{Density, Transform};

/// Rows of four clouds, skewed as counts are.
fn rows(count: usize, columns: usize) -> Vec<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut values = Vec::with_capacity(count * columns);
    for _ in 0..count {
        let cloud = random.random_range(0..4_u32);
        for column in 0..columns as u32 {
            let size = if (cloud + column) % 4 == 0 { 40.0 } else { 3.0 };
            values.push(-(1.0 - random.random::<f32>()).ln() * size);
        }
    }
    values
}

fn density(c: &mut Criterion) {
    for columns in [6, 12] {
        let rows = rows(100_000, columns);
        let transforms = vec![Transform::Log; columns];
        let density = Density::train(&rows, &transforms, 7).expect("the rows can be learnt");
        let components = density.parts().components.len();
        let sample: Vec<Vec<Option<f32>>> =
            rows.chunks(columns).step_by(97).map(|row| row.iter().copied().map(Some).collect()).collect();
        let mut next = 0;
        c.bench_function(&format!("density/tail/{columns}_columns_{components}_components"), |b| {
            b.iter(|| {
                next = (next + 1) % sample.len();
                density.tail(black_box(&sample[next]))
            })
        });
        let mut group = c.benchmark_group("density/train");
        group.sample_size(10);
        group.bench_function(format!("100000_rows_{columns}_columns"), |b| {
            b.iter(|| Density::train(black_box(&rows), &transforms, 7))
        });
        group.finish();
    }
}

criterion_group!(benches, density);
criterion_main!(benches);
