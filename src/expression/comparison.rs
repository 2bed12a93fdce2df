//! Checks what relates a value to others: comparisons, `in`, `in_list`.

use cel::common::ast::{Expr, IdedExpr, LiteralValue, operators};

use super::check::{Checker, Typed, article, describe};
use super::parse::dotted;
use super::tree::{Condition, Number, Real, Test, Whole};
use super::{Diagnostic, ListId, Subject, nearest};
use crate::catalogue::{FeatureId, FeatureType, code_of};

impl Checker<'_> {
    pub(super) fn comparison(
        &mut self,
        expr: &IdedExpr,
        test: Test,
        left: &IdedExpr,
        right: &IdedExpr,
        depth: usize,
    ) -> Result<Typed, Diagnostic> {
        let (l, r) = (self.check(left, depth)?, self.check(right, depth)?);
        let equality = matches!(test, Test::Equal | Test::NotEqual);
        let agree = |condition: Condition| {
            Typed::Condition(if test == Test::NotEqual { condition.negated() } else { condition })
        };
        Ok(match (l, r) {
            (Typed::Number(l), Typed::Number(r)) => Typed::Condition(compare_numbers(test, l, r)),
            (Typed::Condition(l), Typed::Condition(r)) if equality => {
                agree(Condition::Same(Box::new((l, r))))
            }
            (Typed::Name(id, names), Typed::Text(text)) if equality => {
                agree(self.name_equals(id, names, &text, right)?)
            }
            (Typed::Text(text), Typed::Name(id, names)) if equality => {
                agree(self.name_equals(id, names, &text, left)?)
            }
            (Typed::Code(id), Typed::Text(text)) | (Typed::Text(text), Typed::Code(id)) if equality => {
                agree(Condition::whole(id, Test::Equal, code_of(&text) as i64))
            }
            (Typed::Code(left), Typed::Code(right)) if equality => agree(Condition::Alike { left, right }),
            (Typed::Name(left, one), Typed::Name(right, other)) if equality && one == other => {
                agree(Condition::Alike { left, right })
            }
            (l, r) => return Err(self.incomparable(expr, test, &l, &r)),
        })
    }

    fn incomparable(&self, expr: &IdedExpr, test: Test, left: &Typed, right: &Typed) -> Diagnostic {
        let (l, r) = (left.type_name(), right.type_name());
        let diagnostic =
            Diagnostic::new(self.span(expr), format!("`{}` cannot compare {l} with {r}", symbol(test)));
        match (left, right) {
            (Typed::Text(_), Typed::Text(_)) => {
                diagnostic.note("a text is compared with a feature, whose name has no quotes")
            }
            (Typed::Condition(_), Typed::Number(_)) if !matches!(test, Test::Equal | Test::NotEqual) => {
                diagnostic.note("a chain is written `a < b && b < c`")
            }
            (Typed::Condition(_), _) | (_, Typed::Condition(_)) => {
                diagnostic.note("a condition stands alone: `bad`, `!bad`")
            }
            (Typed::Name(..), Typed::Name(..)) if matches!(test, Test::Equal | Test::NotEqual) => {
                diagnostic.note("the two take their names from different lists")
            }
            (Typed::Name(..) | Typed::Code(_), _) | (_, Typed::Name(..) | Typed::Code(_)) => {
                diagnostic.note("names and codes have no order: `==`, `!=` and `in` with texts in quotes")
            }
            (Typed::Number(_), Typed::Text(_)) | (Typed::Text(_), Typed::Number(_)) => {
                diagnostic.note("numbers are written without quotes")
            }
            _ => diagnostic,
        }
    }

    fn name_equals(
        &self,
        id: FeatureId,
        names: &[&'static str],
        text: &str,
        at: &IdedExpr,
    ) -> Result<Condition, Diagnostic> {
        let position = self.name_position(id, names, text, at)?;
        Ok(Condition::whole(id, Test::Equal, position))
    }

    fn name_position(
        &self,
        id: FeatureId,
        names: &[&'static str],
        text: &str,
        at: &IdedExpr,
    ) -> Result<i64, Diagnostic> {
        names.iter().position(|name| *name == text).map(|i| i as i64).ok_or_else(|| {
            let feature = &self.catalogue.get(id).name;
            Diagnostic::new(self.span(at), format!("`{feature}` is never '{text}'"))
                .suggest(nearest(text, names.iter().copied()))
                .note(format!("it is one of {}", names.join(", ")))
        })
    }

    /// `what in [ … ]`, with literals in the list.
    pub(super) fn membership(
        &mut self,
        expr: &IdedExpr,
        what: &IdedExpr,
        list: &IdedExpr,
        depth: usize,
    ) -> Result<Typed, Diagnostic> {
        let left = self.check(what, depth)?;
        let Expr::List(list_expr) = &list.expr else {
            return Err(Diagnostic::new(self.span(list), "right of `in` there must be a list in brackets")
                .note("write `feature in ['a', 'b']`; for a long or changing list use `in_list(feature, 'list')`"));
        };
        if list_expr.elements.is_empty() {
            return Err(Diagnostic::new(self.span(list), "the list is empty"));
        }
        let mut values = Vec::with_capacity(list_expr.elements.len());
        let mut numbers = Vec::new();
        for element in &list_expr.elements {
            match (&left, self.check(element, depth)?) {
                (Typed::Name(id, names), Typed::Text(text)) => {
                    values.push(self.name_position(*id, names, &text, element)? as u64);
                }
                (Typed::Code(_), Typed::Text(text)) => values.push(code_of(&text)),
                (Typed::Number(_), Typed::Number(number)) if is_constant(&number) => numbers.push(number),
                (Typed::Name(..) | Typed::Code(_) | Typed::Number(_), found) => {
                    let wanted =
                        if matches!(left, Typed::Number(_)) { "plain numbers" } else { "texts in quotes" };
                    return Err(Diagnostic::new(
                        self.span(element),
                        format!("this list may only hold {wanted}, not {}", article(&found)),
                    ));
                }
                (Typed::Condition(_) | Typed::Text(_), _) => {
                    return Err(Diagnostic::new(
                        self.span(expr),
                        format!("`in` looks for a feature or a number, not {}", article(&left)),
                    ));
                }
            }
        }
        values.sort_unstable();
        values.dedup();
        Ok(Typed::Condition(match left {
            Typed::Name(feature, _) | Typed::Code(feature) => {
                Condition::Among { feature, values: values.into() }
            }
            Typed::Number(number) => one_of(number, numbers),
            Typed::Condition(_) | Typed::Text(_) => Condition::Constant(false),
        }))
    }

    /// `in_list(what, 'name')`.
    pub(super) fn in_list(&mut self, what: &IdedExpr, list: &IdedExpr) -> Result<Typed, Diagnostic> {
        let Some(lists) = self.lists else {
            return Err(Diagnostic::new(self.span(what), "`in_list` is available in rules only"));
        };
        let Expr::Literal(LiteralValue::String(name)) = &list.expr else {
            return Err(Diagnostic::new(self.span(list), "the list's name must be a text in quotes"));
        };
        let name = name.inner();
        let Some(position) = lists.lists.iter().position(|(declared, _)| declared == name) else {
            return Err(Diagnostic::new(self.span(list), format!("no list is called '{name}'"))
                .suggest(nearest(name, lists.lists.iter().map(|(declared, _)| declared.as_str())))
                .note("lists are declared with `[[list]]`"));
        };
        let written = dotted(what).unwrap_or_default();
        let subject = match lists.keys.iter().position(|key| *key == written) {
            Some(key) => Subject::Key(key as u8),
            None => {
                let id = self.find(what)?;
                if self.catalogue.get(id).kind != FeatureType::Code {
                    return Err(Diagnostic::new(
                        self.span(what),
                        format!("`{written}` is {}, not a code", describe(self.catalogue.get(id))),
                    )
                    .note(format!("a list can be of a code feature or of {}", lists.keys.join(", "))));
                }
                self.note_use(id);
                Subject::Feature(id)
            }
        };
        let of = &lists.lists[position].1;
        if *of != written {
            return Err(Diagnostic::new(
                self.span(what),
                format!("the list '{name}' is of `{of}`, not `{written}`"),
            )
            .suggest(Some(of.clone())));
        }
        Ok(Typed::Condition(Condition::Listed { subject, list: ListId(position as u16) }))
    }
}

/// A comparison of numbers; of a feature with a constant in one node.
fn compare_numbers(test: Test, left: Number, right: Number) -> Condition {
    match (left, right) {
        (Number::Whole(Whole::Feature(id)), Number::Whole(Whole::Constant(value))) => {
            Condition::whole(id, test, value)
        }
        (Number::Real(Real::Feature(id)), Number::Real(Real::Constant(value))) => {
            Condition::real(id, test, value)
        }
        // An int is compared with a double as a double.
        (Number::Real(Real::Feature(id)), Number::Whole(Whole::Constant(value))) => {
            Condition::real(id, test, value as f64)
        }
        (constant, feature @ (Number::Whole(Whole::Feature(_)) | Number::Real(Real::Feature(_))))
            if is_constant(&constant) =>
        {
            compare_numbers(test.mirrored(), feature, constant)
        }
        (left, right) => Condition::Compare(Box::new((test, left, right))),
    }
}

/// `number in [ … ]`; of a feature among whole numbers in one node.
fn one_of(number: Number, values: Vec<Number>) -> Condition {
    let whole = |value: &Number| match value {
        Number::Whole(Whole::Constant(value)) => Some(*value as u64),
        _ => None,
    };
    match (&number, values.iter().map(whole).collect::<Option<Vec<u64>>>()) {
        (Number::Whole(Whole::Feature(feature)), Some(mut values)) => {
            values.sort_unstable();
            values.dedup();
            Condition::Among { feature: *feature, values: values.into() }
        }
        _ => Condition::OneOf(Box::new((number, values.into()))),
    }
}

fn is_constant(number: &Number) -> bool {
    matches!(number, Number::Whole(Whole::Constant(_)) | Number::Real(Real::Constant(_)))
}

/// The comparison that an operator of the parser's means.
pub(super) fn test_of(operator: &str) -> Option<Test> {
    Some(match operator {
        operators::EQUALS => Test::Equal,
        operators::NOT_EQUALS => Test::NotEqual,
        operators::LESS => Test::Less,
        operators::LESS_EQUALS => Test::LessOrEqual,
        operators::GREATER => Test::Greater,
        operators::GREATER_EQUALS => Test::GreaterOrEqual,
        _ => return None,
    })
}

fn symbol(test: Test) -> &'static str {
    match test {
        Test::Equal => "==",
        Test::NotEqual => "!=",
        Test::Less => "<",
        Test::LessOrEqual => "<=",
        Test::Greater => ">",
        Test::GreaterOrEqual => ">=",
    }
}
