//! Compiled programs against two independent evaluators on random well-typed expressions: the `cel`
//! crate's interpreter where every feature is present, and a naive evaluator in Kleene's logic,
//! written over the generated expression, where some are missing.

use cel::{Context, Value};
use proptest::prelude::*;
use std::collections::HashMap;

use super::*;
use crate::catalogue::code_of;

/// A random well-typed expression, by type.
#[derive(Clone, Debug)]
enum Expr {
    Bool(bool),
    Int(i64),
    Double(f64),
    /// A feature of type bool, int or double.
    Feature(&'static str),
    /// A feature of names or codes compared with a text.
    Text(&'static str, &'static str, bool),
    TextIn(&'static str, Vec<&'static str>),
    NumberIn(Box<Expr>, Vec<Expr>),
    Has(&'static str),
    Unary(&'static str, Box<Expr>),
    Binary(&'static str, Box<Expr>, Box<Expr>),
    If(Box<Expr>, Box<Expr>, Box<Expr>),
}

impl Expr {
    fn source(&self) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Double(value) => format!("{value:?}"),
            Self::Feature(name) => (*name).to_owned(),
            Self::Text(name, text, equal) => {
                format!("({name} {} '{text}')", if *equal { "==" } else { "!=" })
            }
            Self::TextIn(name, texts) => {
                let texts: Vec<String> = texts.iter().map(|text| format!("'{text}'")).collect();
                format!("({name} in [{}])", texts.join(", "))
            }
            Self::NumberIn(what, values) => {
                let values: Vec<String> = values.iter().map(Self::source).collect();
                format!("({} in [{}])", what.source(), values.join(", "))
            }
            Self::Has(name) => format!("has({name})"),
            Self::Unary(operator, a) => format!("{operator}({})", a.source()),
            Self::Binary(operator, a, b) => format!("({} {operator} {})", a.source(), b.source()),
            Self::If(test, a, b) => format!("({} ? {} : {})", test.source(), a.source(), b.source()),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Known {
    Bool(bool),
    Int(i64),
    Double(f64),
}

type Values = HashMap<&'static str, Known>;
type Texts = HashMap<&'static str, &'static str>;

/// Kleene's logic, written down as plainly as possible.
fn naive(expr: &Expr, values: &Values, texts: &Texts) -> Option<Known> {
    use Known::{Bool, Double, Int};
    let finite = |value: f64| value.is_finite().then_some(Double(value));
    Some(match expr {
        Expr::Bool(value) => Bool(*value),
        Expr::Int(value) => Int(*value),
        Expr::Double(value) => Double(*value),
        Expr::Feature(name) => *values.get(name)?,
        Expr::Text(name, text, equal) => Bool((texts.get(name)? == text) == *equal),
        Expr::TextIn(name, wanted) => Bool(wanted.contains(texts.get(name)?)),
        Expr::NumberIn(what, wanted) => {
            let what = naive(what, values, texts)?;
            Bool(
                wanted
                    .iter()
                    .any(|one| naive(one, values, texts).is_some_and(|one| order(what, one).is_eq())),
            )
        }
        Expr::Has(name) => Bool(values.contains_key(name) || texts.contains_key(name)),
        Expr::Unary(operator, a) => match (*operator, naive(a, values, texts)?) {
            ("!", Bool(a)) => Bool(!a),
            ("-", Int(a)) => Int(a.checked_neg()?),
            ("-", Double(a)) => Double(-a),
            ("double", Int(a)) => Double(a as f64),
            ("int", Double(a)) if a.abs() < 2_f64.powi(63) => Int(a as i64),
            ("int", Double(_)) => return None,
            other => panic!("{other:?}"),
        },
        Expr::If(test, a, b) => match naive(test, values, texts)? {
            Bool(true) => return naive(a, values, texts),
            _ => return naive(b, values, texts),
        },
        Expr::Binary(operator, a, b) => {
            let (a, b) = (naive(a, values, texts), naive(b, values, texts));
            match (*operator, a, b) {
                ("&&", Some(Bool(false)), _) | ("&&", _, Some(Bool(false))) => return Some(Bool(false)),
                ("||", Some(Bool(true)), _) | ("||", _, Some(Bool(true))) => return Some(Bool(true)),
                _ => {}
            }
            match (*operator, a?, b?) {
                ("&&", ..) => Bool(true),
                ("||", ..) => Bool(false),
                ("==", Bool(a), Bool(b)) => Bool(a == b),
                ("!=", Bool(a), Bool(b)) => Bool(a != b),
                ("+", Int(a), Int(b)) => Int(a.checked_add(b)?),
                ("-", Int(a), Int(b)) => Int(a.checked_sub(b)?),
                ("*", Int(a), Int(b)) => Int(a.checked_mul(b)?),
                ("/", Int(a), Int(b)) => Int(a.checked_div(b)?),
                ("%", Int(a), Int(b)) => Int(a.checked_rem(b)?),
                ("+", Double(a), Double(b)) => return finite(a + b),
                ("-", Double(a), Double(b)) => return finite(a - b),
                ("*", Double(a), Double(b)) => return finite(a * b),
                ("/", Double(a), Double(b)) => return finite(a / b),
                (test, a, b) => {
                    let order = order(a, b);
                    Bool(match test {
                        "==" => order.is_eq(),
                        "!=" => order.is_ne(),
                        "<" => order.is_lt(),
                        "<=" => order.is_le(),
                        ">" => order.is_gt(),
                        ">=" => order.is_ge(),
                        other => panic!("{other}"),
                    })
                }
            }
        }
    })
}

fn order(a: Known, b: Known) -> std::cmp::Ordering {
    let double = |known: Known| match known {
        Known::Int(value) => value as f64,
        Known::Double(value) => value,
        Known::Bool(_) => panic!("a bool has no order"),
    };
    match (a, b) {
        (Known::Int(a), Known::Int(b)) => a.cmp(&b),
        (a, b) => double(a).partial_cmp(&double(b)).expect("no NaN"),
    }
}

const BOOLS: &[&str] = &["bad", "supersedes", "rater.verified"];
const INTS: &[&str] = &["stars.worst", "timing.hour", "rater.ratings"];
const DOUBLES: &[&str] = &["timing.dwell_s", "device.rarity"];
const NAMED: &[&str] = &["channel", "device.class"];
const CODED: &[&str] = &["service.clerk", "service.department"];
const CHANNELS: &[&str] = &["portal", "kiosk", "other"];
const CLASSES: &[&str] = &["personal", "official", "helper"];
const CODES: &[&str] = &["A1", "B2", "大厅"];

fn names_for(feature: &str) -> &'static [&'static str] {
    match feature {
        "channel" => CHANNELS,
        "device.class" => CLASSES,
        _ => CODES,
    }
}

fn int_literal() -> impl Strategy<Value = i64> {
    prop_oneof![4 => -4..7_i64, 1 => Just(i64::MAX), 1 => Just(i64::MAX - 2), 1 => Just(-i64::MAX)]
}

fn double_literal() -> impl Strategy<Value = f64> {
    prop_oneof![4 => (-8..20_i32).prop_map(|n| f64::from(n) / 4.0), 1 => Just(1e300), 1 => Just(1e-300)]
}

fn expression() -> impl Strategy<Value = Expr> {
    // A seed is turned into an expression of the wanted type; this keeps the three types' mutual
    // recursion in one plain function.
    prop::collection::vec(any::<u16>(), 120).prop_flat_map(|seed| {
        (Just(seed), prop::collection::vec(int_literal(), 16), prop::collection::vec(double_literal(), 16))
            .prop_map(|(seed, ints, doubles)| Builder { seed: seed.into_iter(), ints, doubles }.bool(4))
    })
}

struct Builder {
    seed: std::vec::IntoIter<u16>,
    ints: Vec<i64>,
    doubles: Vec<f64>,
}

impl Builder {
    fn pick(&mut self, n: usize) -> usize {
        usize::from(self.seed.next().unwrap_or(0)) % n
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.pick(of.len())]
    }

    fn text(&mut self) -> (&'static str, &'static str) {
        let features = if self.pick(2) == 0 { NAMED } else { CODED };
        let feature = self.one(features);
        (feature, self.one(names_for(feature)))
    }

    fn bool(&mut self, depth: usize) -> Expr {
        let kind = if depth == 0 { self.pick(5) } else { self.pick(14) };
        match kind {
            0 | 1 => Expr::Feature(self.one(BOOLS)),
            2 => Expr::Bool(self.pick(2) == 0),
            3 => {
                let (feature, text) = self.text();
                Expr::Text(feature, text, self.pick(2) == 0)
            }
            4 => {
                let (feature, text) = self.text();
                Expr::TextIn(feature, vec![text, names_for(feature)[0]])
            }
            5 | 6 => self.binary(&["&&", "||"], depth, Self::bool, Self::bool),
            7 => Expr::Unary("!", Box::new(self.bool(depth - 1))),
            8 => self.binary(&["<", "<=", ">", ">=", "==", "!="], depth, Self::number, Self::number),
            9 => self.binary(&["<", "<=", ">", ">=", "==", "!="], 1, Self::number, Self::number),
            10 => self.binary(&["==", "!="], depth, Self::bool, Self::bool),
            11 => {
                let what = self.number(depth - 1);
                Expr::NumberIn(Box::new(what), vec![self.int(0), self.double_constant()])
            }
            12 => self.conditional(depth, Self::bool),
            _ => Expr::Has(self.one(&["timing.dwell_s", "rater.ratings", "device.class"])),
        }
    }

    fn number(&mut self, depth: usize) -> Expr {
        if self.pick(2) == 0 { self.int(depth) } else { self.double(depth) }
    }

    fn int_constant(&mut self) -> Expr {
        let ints = self.ints.clone();
        Expr::Int(self.one(&ints))
    }

    fn double_constant(&mut self) -> Expr {
        let doubles = self.doubles.clone();
        Expr::Double(self.one(&doubles))
    }

    fn int(&mut self, depth: usize) -> Expr {
        match if depth == 0 { 0 } else { self.pick(6) } {
            0 => self.int_constant(),
            1 | 2 => Expr::Feature(self.one(INTS)),
            3 => self.binary(&["+", "-", "*", "/", "%"], depth, Self::int, Self::int),
            4 if self.pick(2) == 0 => Expr::Unary("int", Box::new(self.double(depth - 1))),
            4 => Expr::Unary("-", Box::new(self.int(depth - 1))),
            _ => self.conditional(depth, Self::int),
        }
    }

    fn double(&mut self, depth: usize) -> Expr {
        match if depth == 0 { 0 } else { self.pick(6) } {
            0 => self.double_constant(),
            1 | 2 => Expr::Feature(self.one(DOUBLES)),
            3 => self.binary(&["+", "-", "*", "/"], depth, Self::double, Self::double),
            4 => Expr::Unary("double", Box::new(self.int(depth - 1))),
            _ => self.conditional(depth, Self::double),
        }
    }

    fn binary(
        &mut self,
        operators: &[&'static str],
        depth: usize,
        left: fn(&mut Self, usize) -> Expr,
        right: fn(&mut Self, usize) -> Expr,
    ) -> Expr {
        let operator = self.one(operators);
        Expr::Binary(operator, Box::new(left(self, depth - 1)), Box::new(right(self, depth - 1)))
    }

    fn conditional(&mut self, depth: usize, of: fn(&mut Self, usize) -> Expr) -> Expr {
        let test = self.bool(depth - 1);
        Expr::If(Box::new(test), Box::new(of(self, depth - 1)), Box::new(of(self, depth - 1)))
    }
}

/// Values of all features; those whose bit in `missing` is set are left out.
fn situation(numbers: &[i64], missing: u16) -> (Values, Texts) {
    let (mut values, mut texts) = (Values::new(), Texts::new());
    let mut bit = 0;
    let mut present = || {
        bit += 1;
        missing >> (bit - 1) & 1 == 0
    };
    for (i, &name) in BOOLS.iter().enumerate().filter(|_| present()).collect::<Vec<_>>() {
        values.insert(name, Known::Bool(numbers[i] % 2 == 0));
    }
    for (i, &name) in INTS.iter().enumerate().filter(|_| present()).collect::<Vec<_>>() {
        values.insert(name, Known::Int(numbers[3 + i]));
    }
    for (i, &name) in DOUBLES.iter().enumerate().filter(|_| present()).collect::<Vec<_>>() {
        values.insert(name, Known::Double(numbers[6 + i] as f64 / 4.0));
    }
    for (i, &name) in NAMED.iter().chain(CODED).enumerate().filter(|_| present()).collect::<Vec<_>>() {
        texts.insert(name, names_for(name)[numbers[8 + i].unsigned_abs() as usize % 3]);
    }
    (values, texts)
}

fn vector_of(catalogue: &Catalogue, values: &Values, texts: &Texts) -> FeatureVector {
    let mut vector = FeatureVector::new(catalogue.len());
    for (name, value) in values {
        let id = catalogue.find(name).unwrap();
        match *value {
            Known::Bool(value) => vector.set_bool(id, value),
            Known::Int(value) => vector.set_int(id, value),
            Known::Double(value) => vector.set_float(id, value),
        }
    }
    for (name, text) in texts {
        let id = catalogue.find(name).unwrap();
        match catalogue.get(id).kind {
            FeatureType::Enum(names) => {
                vector.set_int(id, names.iter().position(|known| known == text).unwrap() as i64);
            }
            _ => vector.set_raw(id, code_of(text)),
        }
    }
    vector
}

/// The interpreter's world: `a.b` is field `b` of a map `a`.
fn context_of(values: &Values, texts: &Texts) -> Context<'static, 'static> {
    let mut maps: HashMap<String, HashMap<String, Value>> = HashMap::new();
    let mut context = Context::default();
    let known = values.iter().map(|(name, value)| {
        (
            *name,
            match *value {
                Known::Bool(value) => Value::Bool(value),
                Known::Int(value) => Value::Int(value),
                Known::Double(value) => Value::Float(value),
            },
        )
    });
    let texts = texts.iter().map(|(name, text)| (*name, Value::from(*text)));
    for (name, value) in known.chain(texts) {
        match name.split_once('.') {
            Some((map, field)) => {
                maps.entry(map.to_owned()).or_default().insert(field.to_owned(), value);
            }
            None => context.add_variable_from_value(name, value),
        }
    }
    for (name, map) in maps {
        context.add_variable_from_value(name, map);
    }
    context
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_program_agrees_with_the_cel_interpreter_where_all_is_present(
        expr in expression(),
        numbers in prop::collection::vec(-3..9_i64, 12),
    ) {
        let catalogue = Catalogue::builtin();
        let source = expr.source();
        prop_assume!(source.len() <= MAX_LENGTH);
        let Ok(program) = Program::compile(&source, &catalogue, Allowed::Everything) else {
            // Only a bound refuses a well-typed expression.
            let message = Program::compile(&source, &catalogue, Allowed::Everything).unwrap_err().message;
            prop_assert!(message.contains("more than") || message.contains("deeper"), "{message}: {source}");
            return Ok(());
        };
        let (values, texts) = situation(&numbers, 0);
        let ours = program.truth(&vector_of(&catalogue, &values, &texts));
        let theirs = cel::Program::compile(&source).unwrap().execute(&context_of(&values, &texts));
        match (ours, theirs) {
            (Some(ours), Ok(theirs)) => prop_assert_eq!(Value::Bool(ours), theirs, "{}", source),
            // The interpreter goes on with an infinity where we say "unknown".
            (None, Ok(_)) => prop_assert_eq!(naive(&expr, &values, &texts), None, "{}", source),
            (None, Err(_)) => {}
            (Some(_), Err(error)) => prop_assert!(false, "{source}: {error}"),
        }
    }

    #[test]
    fn a_program_agrees_with_kleenes_logic_where_values_are_missing(
        expr in expression(),
        numbers in prop::collection::vec(-3..9_i64, 12),
        missing in any::<u16>(),
    ) {
        let catalogue = Catalogue::builtin();
        let source = expr.source();
        if let Ok(program) = Program::compile(&source, &catalogue, Allowed::Everything) {
            let (values, texts) = situation(&numbers, missing);
            let vector = vector_of(&catalogue, &values, &texts);
            let ours = program.truth(&vector);
            prop_assert_eq!(ours.map(Known::Bool), naive(&expr, &values, &texts), "{}", source);
        }
    }

    #[test]
    fn a_screen_finds_just_the_conditions_that_hold(
        // Few different ones, so that they share parts.
        parts in prop::collection::vec(expression(), 1..5),
        picks in prop::collection::vec(prop::collection::vec(0..5_usize, 1..4), 1..100),
        numbers in prop::collection::vec(-3..9_i64, 12),
        missing in any::<u16>(),
    ) {
        let catalogue = Catalogue::builtin();
        let written = |pick: &Vec<usize>| {
            let parts = pick.iter().map(|&i| format!("({})", parts[i % parts.len()].source()));
            parts.collect::<Vec<_>>().join(" && ")
        };
        let compiled = |pick| Program::compile(&written(pick), &catalogue, Allowed::Everything).ok();
        let programs: Vec<Program> = picks.iter().filter_map(compiled).collect();
        let (values, texts) = situation(&numbers, missing);
        let vector = vector_of(&catalogue, &values, &texts);
        let hold = |i: &usize| programs[*i].truth(&vector) == Some(true);
        let expected: Vec<usize> = (0..programs.len()).filter(hold).collect();
        let mut found = Vec::new();
        Screen::new(&programs).holding(&vector, &NoLists, |i| found.push(i));
        prop_assert_eq!(found, expected);
    }
}
