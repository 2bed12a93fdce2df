//! Parses an expression, and knows where each part of it stands.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use cel::common::ast::{Expr, IdedExpr, SourceInfo};

use super::Diagnostic;
use super::scan::{Kind, Tokens};

/// A parsed expression's text, tokens and places.
pub(super) struct Parsed<'a> {
    source: &'a str,
    tokens: Tokens,
    info: SourceInfo,
}

impl<'a> Parsed<'a> {
    /// Reads and parses `source`.
    pub(super) fn read(source: &'a str) -> Result<(IdedExpr, Self), Diagnostic> {
        let tokens = Tokens::read(source)?;
        let (root, info) = parse(source, &tokens)?;
        Ok((root, Self { source, tokens, info }))
    }

    /// The text at a place.
    pub(super) fn text(&self, span: Range<usize>) -> &'a str {
        &self.source[span]
    }

    /// Where an expression stands, brackets included.
    pub(super) fn span(&self, expr: &IdedExpr) -> Range<usize> {
        self.tokens.balanced(self.reach(expr))
    }

    /// From the first to the last token of an expression, as the parser recorded them.
    fn reach(&self, expr: &IdedExpr) -> Range<usize> {
        let own = match self.info.offset_for(expr.id) {
            Some((start, stop)) => start as usize..(stop as usize + 1).min(self.source.len()),
            None => self.source.len()..self.source.len(),
        };
        let cover = |span: Range<usize>, child: &IdedExpr| {
            let child = self.reach(child);
            span.start.min(child.start)..span.end.max(child.end)
        };
        match &expr.expr {
            // The parser records the dot; the field follows it.
            Expr::Select(select) => {
                let field = self.tokens.at(own.end).map_or(own.end, |token| token.span.end);
                cover(own.start..field, &select.operand)
            }
            // Of a call the parser records the bracket; the name stands before it.
            Expr::Call(call) => {
                let before = self.source[..own.start].trim_end();
                let start = match before.strip_suffix(call.func_name.as_str()) {
                    Some(head) => head.len(),
                    None => own.start,
                };
                call.target.as_deref().into_iter().chain(&call.args).fold(start..own.end, cover)
            }
            Expr::List(list) => list.elements.iter().fold(own, cover),
            _ => own,
        }
    }
}

/// Runs the crate's parser, without its macros, and puts its complaints in our words.
fn parse(source: &str, tokens: &Tokens) -> Result<(IdedExpr, SourceInfo), Diagnostic> {
    let parser = cel::Env::default().with_optional_support(false).parser();
    // The parser is generated code; a rule file must not be able to end the process through it.
    let parsed = catch_unwind(AssertUnwindSafe(|| parser.parse_with_source_info(source)));
    let errors = match parsed {
        Ok(Ok(parsed)) => return Ok(parsed),
        Ok(Err(errors)) => errors.errors,
        Err(_) => Vec::new(),
    };
    let Some(first) = errors.first() else {
        return Err(Diagnostic::new(0..source.len(), "the expression cannot be read"));
    };
    let at = byte_at(source, first.pos);
    let Some(token) = tokens.at(at) else {
        let end = source.trim_end().len();
        return Err(Diagnostic::new(end..end, "the expression ends too early")
            .note("an operator needs a value on its right"));
    };
    let text = &source[token.span.clone()];
    let refused = first.msg.strip_prefix("Syntax error").is_none();
    let message = if refused && text.starts_with(|c: char| c.is_ascii_digit()) {
        format!("`{text}` is too large for a number")
    } else if refused && token.kind == Kind::Word {
        format!("`{text}` cannot be used here")
    } else {
        format!("unexpected `{text}`")
    };
    let before = source[..token.span.start].trim_end();
    let diagnostic = Diagnostic::new(token.span.clone(), message);
    Err(if token.kind == Kind::Word && !before.is_empty() && !refused {
        diagnostic.note("is an operator such as `&&` or `==` missing before it?")
    } else {
        diagnostic
    })
}

/// The byte at the parser's line and column, both from 1; columns count characters.
fn byte_at(source: &str, (line, column): (isize, isize)) -> usize {
    let line = usize::try_from(line).unwrap_or(1).max(1);
    let column = usize::try_from(column).unwrap_or(1).max(1);
    let start: usize = source.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let rest = &source[start..];
    start + rest.char_indices().nth(column - 1).map_or(rest.len(), |(i, _)| i)
}

/// `a.b.c` as it is written without spaces; `None` for anything that is no name.
pub(super) fn dotted(expr: &IdedExpr) -> Option<String> {
    match &expr.expr {
        Expr::Ident(name) => Some(name.clone()),
        Expr::Select(select) if !select.test => {
            Some(format!("{}.{}", dotted(&select.operand)?, select.field))
        }
        _ => None,
    }
}
