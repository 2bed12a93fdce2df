//! Checks an expression against the catalogue; the outcome is the typed tree.

use std::ops::Range;

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators};

use super::comparison::test_of;
use super::parse::{Parsed, dotted};
use super::tree::{Arithmetic, Condition, Extreme, Number, Real, Test, Whole};
use super::{Allowed, Diagnostic, ListNames, MAX_DEPTH, nearest};
use crate::catalogue::{Catalogue, Feature, FeatureId, FeatureType, Scope};

/// A checked expression.
pub(super) struct Checked {
    pub(super) root: Typed,
    pub(super) features: Box<[FeatureId]>,
}

/// A checked part of an expression, by type.
#[derive(Clone, Debug)]
pub(super) enum Typed {
    Condition(Condition),
    Number(Number),
    /// A text literal: a name or code to compare a feature with.
    Text(String),
    /// A feature that holds one of a closed list of names.
    Name(FeatureId, &'static [&'static str]),
    /// A feature that holds a code.
    Code(FeatureId),
}

impl Typed {
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Condition(_) => "bool",
            Self::Number(Number::Whole(_)) => "int",
            Self::Number(Number::Real(_)) => "double",
            Self::Text(_) => "text",
            Self::Name(..) => "name",
            Self::Code(_) => "code",
        }
    }
}

/// Functions that an expression may call, as they are written.
const FUNCTIONS: &[&str] =
    &["has(feature)", "int(x)", "double(x)", "min(a, b)", "max(a, b)", "abs(x)", "in_list(what, 'list')"];

/// Parses and checks `source`.
pub(super) fn check(
    source: &str,
    catalogue: &Catalogue,
    scope: Allowed,
    lists: Option<ListNames<'_>>,
) -> Result<Checked, Diagnostic> {
    let (root, parsed) = Parsed::read(source)?;
    let mut checker = Checker { parsed, catalogue, scope, lists, features: Vec::new() };
    let root = checker.check(&root, 0)?;
    Ok(Checked { root, features: checker.features.into() })
}

/// The whole expression has another type than is wanted.
pub(super) fn wrong_result(source: &str, found: &Typed, wanted: &str) -> Diagnostic {
    let lead = source.len() - source.trim_start().len();
    let note = match found {
        Typed::Name(..) | Typed::Code(_) => "compare it with a name in quotes, such as `… == 'name'`",
        Typed::Number(_) => "compare it with a number, such as `… >= 3`",
        Typed::Condition(_) | Typed::Text(_) => "see the language in docs/rules.md",
    };
    Diagnostic::new(
        lead..source.trim_end().len().max(lead),
        format!("the expression must be {wanted}, but is of type {}", found.type_name()),
    )
    .note(note)
}

/// What is known while an expression is checked.
pub(super) struct Checker<'a> {
    parsed: Parsed<'a>,
    pub(super) catalogue: &'a Catalogue,
    scope: Allowed,
    pub(super) lists: Option<ListNames<'a>>,
    pub(super) features: Vec<FeatureId>,
}

impl Checker<'_> {
    pub(super) fn check(&mut self, expr: &IdedExpr, depth: usize) -> Result<Typed, Diagnostic> {
        if depth > MAX_DEPTH {
            return Err(Diagnostic::new(self.span(expr), format!("nested deeper than {MAX_DEPTH} levels"))
                .note("split it into several rules"));
        }
        match &expr.expr {
            Expr::Ident(_) | Expr::Select(_) => self.feature(expr),
            Expr::Literal(literal) => self.literal(expr, literal),
            Expr::Call(call) => self.call(expr, call, depth),
            Expr::List(_) => Err(Diagnostic::new(self.span(expr), "a list may only stand right of `in`")
                .note("write `feature in ['a', 'b']`")),
            Expr::Map(_) => Err(self.not_available(expr, "a map")),
            Expr::Struct(_) => Err(self.not_available(expr, "a message")),
            Expr::Comprehension(_) => Err(self.not_available(expr, "a macro")),
            Expr::Unspecified => Err(self.not_available(expr, "an empty expression")),
        }
    }

    // ---- names ---------------------------------------------------------------------------------

    fn feature(&mut self, expr: &IdedExpr) -> Result<Typed, Diagnostic> {
        let id = self.find(expr)?;
        self.note_use(id);
        Ok(match self.catalogue.get(id).kind {
            FeatureType::Bool => Typed::Condition(Condition::whole(id, Test::Equal, 1)),
            FeatureType::Int => Typed::Number(Number::Whole(Whole::Feature(id))),
            FeatureType::Float => Typed::Number(Number::Real(Real::Feature(id))),
            FeatureType::Enum(names) => Typed::Name(id, names),
            FeatureType::Code => Typed::Code(id),
        })
    }

    pub(super) fn note_use(&mut self, id: FeatureId) {
        if !self.features.contains(&id) {
            self.features.push(id);
        }
    }

    /// The feature that a dotted name means.
    pub(super) fn find(&self, expr: &IdedExpr) -> Result<FeatureId, Diagnostic> {
        let span = self.span(expr);
        let Some(name) = dotted(expr) else {
            let message = match &expr.expr {
                Expr::Select(_) => "only a feature's name may have a dot",
                _ => "a feature's name must stand here",
            };
            return Err(Diagnostic::new(span, message).note("features are listed by `zhenping rules docs`"));
        };
        let Some(id) = self.catalogue.find(&name) else { return Err(self.unknown(&name, span)) };
        if self.scope == Allowed::RatingOnly && self.catalogue.get(id).scope != Scope::Rating {
            return Err(Diagnostic::new(span, format!("`{name}` is not known from the rating alone"))
                .note("a counter may only use features of the rating that it counts"));
        }
        if self.catalogue.get(id).scope == Scope::Model {
            return Err(Diagnostic::new(span, format!("`{name}` is known only after the rules have spoken"))
                .note("it is what the learned model says, which starts from the rules"));
        }
        Ok(id)
    }

    fn unknown(&self, name: &str, span: Range<usize>) -> Diagnostic {
        // `device.class.x`: the longest part that is a feature tells best what went wrong.
        let mut head = name;
        while let Some((shorter, _)) = head.rsplit_once('.') {
            head = shorter;
            if let Some(id) = self.catalogue.find(head) {
                let kind = describe(self.catalogue.get(id));
                return Diagnostic::new(span, format!("no feature is called `{name}`"))
                    .note(format!("`{head}` is {kind} and has no parts"))
                    .suggest(nearest(name, self.names()));
            }
        }
        let diagnostic = Diagnostic::new(span, format!("no feature is called `{name}`"));
        match nearest(name, self.names()) {
            Some(near) => diagnostic.suggest(Some(near)),
            None => diagnostic.note("features are listed by `zhenping rules docs`"),
        }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.catalogue
            .iter()
            .filter(|(_, feature)| match self.scope {
                Allowed::Everything => feature.scope != Scope::Model,
                Allowed::RatingOnly => feature.scope == Scope::Rating,
            })
            .map(|(_, feature)| feature.name.as_str())
    }

    fn literal(&self, expr: &IdedExpr, literal: &LiteralValue) -> Result<Typed, Diagnostic> {
        Ok(match literal {
            LiteralValue::Boolean(value) => Typed::Condition(Condition::Constant(*value.inner())),
            LiteralValue::Int(value) => Typed::Number(Number::Whole(Whole::Constant(*value.inner()))),
            LiteralValue::Double(value) => Typed::Number(Number::Real(Real::Constant(*value.inner()))),
            LiteralValue::String(value) => Typed::Text(value.inner().to_owned()),
            LiteralValue::UInt(_) => {
                let span = self.span(expr);
                let plain = self.parsed.text(span.clone()).trim_end_matches(['u', 'U']).to_owned();
                return Err(
                    Diagnostic::new(span, "unsigned numbers are not available here").suggest(Some(plain))
                );
            }
            LiteralValue::Bytes(_) => return Err(self.not_available(expr, "a bytes literal")),
            LiteralValue::Null => {
                return Err(Diagnostic::new(self.span(expr), "`null` is not available here")
                    .note("`has(feature)` asks whether a feature has a value"));
            }
        })
    }

    // ---- calls and operators -------------------------------------------------------------------

    fn call(&mut self, expr: &IdedExpr, call: &CallExpr, depth: usize) -> Result<Typed, Diagnostic> {
        if call.target.is_some() {
            return Err(self.no_function(expr, &call.func_name));
        }
        let next = depth + 1;
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::LOGICAL_AND | operators::LOGICAL_OR, _) => self.junction(expr, call, next),
            (operators::LOGICAL_NOT, [inner]) => {
                Ok(Typed::Condition(self.condition(inner, next, "`!`")?.negated()))
            }
            (operators::CONDITIONAL, [test, yes, no]) => self.conditional(expr, [test, yes, no], next),
            (operators::NEGATE, [inner]) => Ok(Typed::Number(match self.number(inner, next, "`-`")? {
                Number::Whole(Whole::Constant(value)) if value != i64::MIN => {
                    Number::Whole(Whole::Constant(-value))
                }
                Number::Whole(value) => Number::Whole(Whole::Negate(Box::new(value))),
                Number::Real(Real::Constant(value)) => Number::Real(Real::Constant(-value)),
                Number::Real(value) => Number::Real(Real::Negate(Box::new(value))),
            })),
            (operators::IN, [what, list]) => self.membership(expr, what, list, next),
            (operators::INDEX | operators::OPT_INDEX, _) => Err(self.not_available(expr, "an index")),
            ("has", [what]) => {
                let id = self.find(what)?;
                self.note_use(id);
                Ok(Typed::Condition(Condition::Present(id)))
            }
            ("int", [inner]) => {
                Ok(Typed::Number(Number::Whole(match self.number(inner, next, "`int`")? {
                    Number::Whole(whole) => whole,
                    Number::Real(real) => Whole::FromReal(Box::new(real)),
                })))
            }
            ("double", [inner]) => {
                Ok(Typed::Number(Number::Real(match self.number(inner, next, "`double`")? {
                    Number::Whole(whole) => Real::FromWhole(Box::new(whole)),
                    Number::Real(real) => real,
                })))
            }
            ("abs", [inner]) => Ok(Typed::Number(match self.number(inner, next, "`abs`")? {
                Number::Whole(whole) => Number::Whole(Whole::Absolute(Box::new(whole))),
                Number::Real(real) => Number::Real(Real::Absolute(Box::new(real))),
            })),
            ("min", [_, _, ..]) => self.extreme(expr, call, Extreme::Least, next),
            ("max", [_, _, ..]) => self.extreme(expr, call, Extreme::Greatest, next),
            ("in_list", [what, list]) => self.in_list(what, list),
            (name, [left, right]) if let Some(test) = test_of(name) => {
                self.comparison(expr, test, left, right, next)
            }
            (name, [left, right]) if let Some(operation) = arithmetic_of(name) => {
                self.arithmetic(expr, operation, left, right, next)
            }
            (name, _) => Err(self.no_function(expr, name)),
        }
    }

    /// `a && b && c` and `a || b || c`, however the parser balanced them, as one node.
    fn junction(&mut self, expr: &IdedExpr, call: &CallExpr, depth: usize) -> Result<Typed, Diagnostic> {
        let both = call.func_name == operators::LOGICAL_AND;
        let word = if both { "`&&`" } else { "`||`" };
        let mut parts = Vec::new();
        let mut waiting = vec![expr];
        while let Some(next) = waiting.pop() {
            match &next.expr {
                Expr::Call(inner) if inner.func_name == call.func_name => {
                    waiting.extend(inner.args.iter().rev())
                }
                _ => match self.condition(next, depth, word)? {
                    Condition::All(nested) if both => parts.extend(nested),
                    Condition::Any(nested) if !both => parts.extend(nested),
                    part => parts.push(part),
                },
            }
        }
        let parts = parts.into_boxed_slice();
        Ok(Typed::Condition(if both { Condition::All(parts) } else { Condition::Any(parts) }))
    }

    fn conditional(
        &mut self,
        expr: &IdedExpr,
        [test, yes, no]: [&IdedExpr; 3],
        depth: usize,
    ) -> Result<Typed, Diagnostic> {
        let test = self.condition(test, depth, "`? :`")?;
        let (yes, no) = (self.check(yes, depth)?, self.check(no, depth)?);
        Ok(match (yes, no) {
            (Typed::Condition(yes), Typed::Condition(no)) => {
                Typed::Condition(Condition::If(Box::new((test, yes, no))))
            }
            (Typed::Number(Number::Whole(yes)), Typed::Number(Number::Whole(no))) => {
                Typed::Number(Number::Whole(Whole::If(Box::new((test, yes, no)))))
            }
            (Typed::Number(Number::Real(yes)), Typed::Number(Number::Real(no))) => {
                Typed::Number(Number::Real(Real::If(Box::new((test, yes, no)))))
            }
            (yes, no) => {
                let (yes, no) = (yes.type_name(), no.type_name());
                return Err(Diagnostic::new(
                    self.span(expr),
                    format!("both sides of `:` must be bool, int or double alike, not {yes} and {no}"),
                ));
            }
        })
    }

    fn arithmetic(
        &mut self,
        expr: &IdedExpr,
        operation: Arithmetic,
        left: &IdedExpr,
        right: &IdedExpr,
        depth: usize,
    ) -> Result<Typed, Diagnostic> {
        let (l, r) = (self.check(left, depth)?, self.check(right, depth)?);
        let sign = sign(operation);
        Ok(Typed::Number(match (l, r) {
            (Typed::Number(Number::Whole(l)), Typed::Number(Number::Whole(r))) => {
                Number::Whole(Whole::Arithmetic(Box::new((operation, l, r))))
            }
            (Typed::Number(Number::Real(_)), Typed::Number(Number::Real(_)))
                if operation == Arithmetic::Remainder =>
            {
                return Err(Diagnostic::new(self.span(expr), "`%` needs two ints, not doubles")
                    .note("convert with `int(…)`"));
            }
            (Typed::Number(Number::Real(l)), Typed::Number(Number::Real(r))) => {
                Number::Real(Real::Arithmetic(Box::new((operation, l, r))))
            }
            (l, r) => {
                let (a, b) = (l.type_name(), r.type_name());
                let diagnostic = Diagnostic::new(
                    self.span(expr),
                    format!("`{sign}` needs two ints or two doubles, not {a} and {b}"),
                );
                return Err(match (&l, &r) {
                    (Typed::Number(Number::Whole(Whole::Constant(value))), Typed::Number(_)) => {
                        diagnostic.note(format!("write `{value}.0`"))
                    }
                    (Typed::Number(_), Typed::Number(Number::Whole(Whole::Constant(value)))) => {
                        diagnostic.note(format!("write `{value}.0`"))
                    }
                    (Typed::Number(_), Typed::Number(_)) => {
                        diagnostic.note("convert one of them with `double(…)` or `int(…)`")
                    }
                    _ => diagnostic,
                });
            }
        }))
    }

    fn extreme(
        &mut self,
        expr: &IdedExpr,
        call: &CallExpr,
        which: Extreme,
        depth: usize,
    ) -> Result<Typed, Diagnostic> {
        let word = format!("`{}`", call.func_name);
        let (mut wholes, mut reals) = (Vec::new(), Vec::new());
        for arg in &call.args {
            match self.number(arg, depth, &word)? {
                Number::Whole(whole) => wholes.push(whole),
                Number::Real(real) => reals.push(real),
            }
        }
        match (wholes.is_empty(), reals.is_empty()) {
            (_, true) => Ok(Typed::Number(Number::Whole(Whole::Extreme(which, wholes.into())))),
            (true, _) => Ok(Typed::Number(Number::Real(Real::Extreme(which, reals.into())))),
            _ => Err(Diagnostic::new(self.span(expr), format!("{word} needs all ints or all doubles"))
                .note("convert with `double(…)` or `int(…)`")),
        }
    }

    // ---- expectations --------------------------------------------------------------------------

    fn condition(&mut self, expr: &IdedExpr, depth: usize, user: &str) -> Result<Condition, Diagnostic> {
        match self.check(expr, depth)? {
            Typed::Condition(condition) => Ok(condition),
            other => Err(self.expected(expr, user, "a condition", &other)),
        }
    }

    fn number(&mut self, expr: &IdedExpr, depth: usize, user: &str) -> Result<Number, Diagnostic> {
        match self.check(expr, depth)? {
            Typed::Number(number) => Ok(number),
            other => Err(self.expected(expr, user, "a number", &other)),
        }
    }

    fn expected(&self, expr: &IdedExpr, user: &str, wanted: &str, found: &Typed) -> Diagnostic {
        let diagnostic =
            Diagnostic::new(self.span(expr), format!("{user} needs {wanted}, not {}", article(found)));
        match found {
            Typed::Name(..) | Typed::Code(_) => diagnostic.note("compare it: `… == 'name'`"),
            Typed::Number(_) => diagnostic.note("compare it: `… >= 3`"),
            Typed::Condition(_) | Typed::Text(_) => diagnostic,
        }
    }

    pub(super) fn span(&self, expr: &IdedExpr) -> Range<usize> {
        self.parsed.span(expr)
    }

    fn not_available(&self, expr: &IdedExpr, what: &str) -> Diagnostic {
        Diagnostic::new(self.span(expr), format!("{what} is not available here"))
    }

    fn no_function(&self, expr: &IdedExpr, name: &str) -> Diagnostic {
        let known = FUNCTIONS.iter().filter_map(|usage| usage.split_once('('));
        if let Some((_, rest)) = known.clone().find(|(known, _)| *known == name) {
            return Diagnostic::new(self.span(expr), format!("`{name}` is called as `{name}({rest}`"));
        }
        Diagnostic::new(self.span(expr), format!("`{name}` is not available here"))
            .suggest(nearest(name, known.map(|(known, _)| known)))
            .note(format!("functions: {}", FUNCTIONS.join(", ")))
    }
}

/// A feature's type, for people.
pub(super) fn describe(feature: &Feature) -> &'static str {
    match feature.kind {
        FeatureType::Bool => "a bool",
        FeatureType::Int => "an int",
        FeatureType::Float => "a double",
        FeatureType::Enum(_) => "a name",
        FeatureType::Code => "a code",
    }
}

/// A part's type, for people.
pub(super) fn article(typed: &Typed) -> &'static str {
    match typed {
        Typed::Condition(_) => "a bool",
        Typed::Number(Number::Whole(_)) => "an int",
        Typed::Number(Number::Real(_)) => "a double",
        Typed::Text(_) => "a text",
        Typed::Name(..) => "a name",
        Typed::Code(_) => "a code",
    }
}

fn arithmetic_of(operator: &str) -> Option<Arithmetic> {
    Some(match operator {
        operators::ADD => Arithmetic::Add,
        operators::SUBSTRACT => Arithmetic::Subtract,
        operators::MULTIPLY => Arithmetic::Multiply,
        operators::DIVIDE => Arithmetic::Divide,
        operators::MODULO => Arithmetic::Remainder,
        _ => return None,
    })
}

fn sign(operation: Arithmetic) -> &'static str {
    match operation {
        Arithmetic::Add => "+",
        Arithmetic::Subtract => "-",
        Arithmetic::Multiply => "*",
        Arithmetic::Divide => "/",
        Arithmetic::Remainder => "%",
    }
}
