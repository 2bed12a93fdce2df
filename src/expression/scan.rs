//! Reads the tokens of an expression before the parser sees it.
//!
//! The parser recurses and answers in the words of its grammar. This pass bounds what reaches it,
//! catches the slips people make (`=`, `and`, full-width punctuation) in words that help, and keeps
//! the tokens, from which spans are made.

use std::ops::Range;

use super::{Diagnostic, MAX_DEPTH, MAX_LENGTH, MAX_NODES};

/// What a token is, as far as spans and bounds need to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name, a keyword, a number or a text.
    Word,
    /// An operator.
    Operator,
    /// `(`, `[` or `{`, with the token that closes it.
    Open(usize),
    /// `)`, `]` or `}`, with the token that opened it.
    Close(usize),
    /// `.` or `,`.
    Mark,
}

/// One token.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) span: Range<usize>,
}

/// The tokens of one expression, in order, with brackets paired.
#[derive(Debug)]
pub(super) struct Tokens(pub(super) Vec<Token>);

impl Tokens {
    /// Reads `source`.
    ///
    /// # Errors
    /// The expression is empty, too long, too deep or has too many terms; a bracket or a text is
    /// not closed; a character means nothing here.
    pub(super) fn read(source: &str) -> Result<Self, Diagnostic> {
        if source.len() > MAX_LENGTH {
            return Err(Diagnostic::new(
                MAX_LENGTH..source.len(),
                format!("the expression has {} bytes; at most {MAX_LENGTH} are allowed", source.len()),
            )
            .note("split it into several rules, or move repeated values into a list"));
        }
        let mut scanner = Scanner { source, at: 0, tokens: Vec::new(), open: Vec::new(), terms: 0 };
        scanner.run()?;
        if scanner.tokens.is_empty() {
            return Err(Diagnostic::new(0..source.len(), "the expression is empty"));
        }
        Ok(Self(scanner.tokens))
    }

    /// The token that starts at `start`, or the next after it.
    pub(super) fn at(&self, start: usize) -> Option<&Token> {
        let index = self.0.partition_point(|token| token.span.start < start);
        self.0.get(index)
    }

    /// Widens a span so that no pair of brackets is half inside it.
    pub(super) fn balanced(&self, span: Range<usize>) -> Range<usize> {
        let mut wide = span.clone();
        for token in &self.0 {
            if token.span.start < span.start || token.span.end > span.end {
                continue;
            }
            if let Kind::Open(other) | Kind::Close(other) = token.kind {
                let other = &self.0[other].span;
                wide = wide.start.min(other.start)..wide.end.max(other.end);
            }
        }
        wide
    }
}

struct Open {
    token: usize,
    /// How deep the brackets and conditionals before it go.
    outside: usize,
}

struct Scanner<'a> {
    source: &'a str,
    at: usize,
    tokens: Vec<Token>,
    open: Vec<Open>,
    terms: usize,
}

impl Scanner<'_> {
    fn run(&mut self) -> Result<(), Diagnostic> {
        let mut depth = 0;
        while let Some(c) = self.source[self.at..].chars().next() {
            let rest = &self.source[self.at..];
            match c {
                ' ' | '\t' | '\r' | '\n' | '\x0C' => self.at += 1,
                '/' if rest.starts_with("//") => self.at += rest.find('\n').unwrap_or(rest.len()),
                '(' | '[' | '{' => {
                    self.open.push(Open { token: self.tokens.len(), outside: depth });
                    depth += 1;
                    self.check_depth(depth)?;
                    self.push(Kind::Open(0), 1)?;
                }
                ')' | ']' | '}' => {
                    depth = self.close(c)?;
                }
                '.' if !rest[1..].starts_with(|d: char| d.is_ascii_digit()) => self.push(Kind::Mark, 1)?,
                ',' => self.push(Kind::Mark, 1)?,
                '"' | '\'' => self.text(0)?,
                'r' | 'R' | 'b' | 'B' if rest[1..].starts_with(['"', '\'']) => self.text(1)?,
                'a'..='z' | 'A'..='Z' | '_' => {
                    let len = rest.find(|d: char| !d.is_ascii_alphanumeric() && d != '_');
                    self.word(len.unwrap_or(rest.len()))?;
                }
                '0'..='9' | '.' => self.number()?,
                '?' => {
                    // Conditionals nest to the right; each one is a level of the parser's recursion.
                    depth += 1;
                    self.check_depth(depth)?;
                    self.push(Kind::Operator, 1)?;
                }
                _ => self.operator(c)?,
            }
        }
        match self.open.last() {
            Some(open) => {
                let span = self.tokens[open.token].span.clone();
                Err(Diagnostic::new(span.clone(), format!("`{}` is never closed", &self.source[span])))
            }
            None => Ok(()),
        }
    }

    fn push(&mut self, kind: Kind, len: usize) -> Result<(), Diagnostic> {
        let span = self.at..self.at + len;
        if matches!(kind, Kind::Word | Kind::Operator) {
            self.terms += 1;
            if self.terms > MAX_NODES {
                return Err(Diagnostic::new(
                    span,
                    format!("more than {MAX_NODES} names, values and operators in one expression"),
                )
                .note("split it into several rules, or move repeated values into a list"));
            }
        }
        self.tokens.push(Token { kind, span });
        self.at += len;
        Ok(())
    }

    fn check_depth(&self, depth: usize) -> Result<(), Diagnostic> {
        if depth <= MAX_DEPTH {
            return Ok(());
        }
        Err(Diagnostic::new(self.at..self.at + 1, format!("nested deeper than {MAX_DEPTH} levels"))
            .note("split it into several rules"))
    }

    /// Closes a bracket; gives back how deep it stood.
    fn close(&mut self, c: char) -> Result<usize, Diagnostic> {
        let here = self.at..self.at + 1;
        let Some(open) = self.open.pop() else {
            return Err(Diagnostic::new(here, format!("`{c}` closes nothing")));
        };
        let opened = self.tokens[open.token].span.clone();
        let expected = match &self.source[opened.clone()] {
            "(" => ')',
            "[" => ']',
            _ => '}',
        };
        if c != expected {
            let message = format!("`{c}` does not close `{}`", &self.source[opened]);
            return Err(Diagnostic::new(here, message).suggest(Some(expected)));
        }
        self.tokens[open.token].kind = Kind::Open(self.tokens.len());
        self.push(Kind::Close(open.token), 1)?;
        Ok(open.outside)
    }

    fn word(&mut self, len: usize) -> Result<(), Diagnostic> {
        let word = &self.source[self.at..self.at + len];
        // Other languages' operators; none of them is a feature's name or follows a dot.
        let instead = match word.to_ascii_lowercase().as_str() {
            "and" => Some("&&"),
            "or" => Some("||"),
            "not" => Some("!"),
            _ => None,
        };
        if let Some(instead) = instead {
            let span = self.at..self.at + len;
            return Err(Diagnostic::new(span, format!("`{word}` is not an operator")).suggest(Some(instead)));
        }
        self.push(Kind::Word, len)
    }

    fn number(&mut self) -> Result<(), Diagnostic> {
        let rest = &self.source.as_bytes()[self.at..];
        let mut len = 1;
        while let Some(&byte) = rest.get(len) {
            let sign = matches!(byte, b'+' | b'-') && matches!(rest[len - 1], b'e' | b'E');
            let hexadecimal = rest.starts_with(b"0x");
            if byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'_' || (sign && !hexadecimal) {
                len += 1;
            } else {
                break;
            }
        }
        let text = &self.source[self.at..self.at + len];
        if !is_number(text) {
            return Err(Diagnostic::new(self.at..self.at + len, format!("`{text}` is not a number"))
                .note("numbers are written like 5, -3, 0.25 or 1e6"));
        }
        self.push(Kind::Word, len)
    }

    fn text(&mut self, prefix: usize) -> Result<(), Diagnostic> {
        let rest = &self.source[self.at + prefix..];
        let raw = prefix == 1 && self.source[self.at..].starts_with(['r', 'R']);
        let quote = &rest[..1];
        let triple = quote.repeat(3);
        let (delimiter, several_lines) =
            if rest.starts_with(&triple) { (triple.as_str(), true) } else { (quote, false) };
        let mut escaped = false;
        for (i, c) in rest.char_indices().skip(delimiter.len()) {
            if !escaped && rest[i..].starts_with(delimiter) {
                return self.push(Kind::Word, prefix + i + delimiter.len());
            }
            if matches!(c, '\n' | '\r') && !several_lines {
                break;
            }
            escaped = !escaped && !raw && c == '\\';
        }
        Err(Diagnostic::new(self.at..self.at + prefix + delimiter.len(), "the text is never closed")
            .note(format!("close it with {delimiter} on the same line")))
    }

    fn operator(&mut self, c: char) -> Result<(), Diagnostic> {
        let rest = &self.source[self.at..];
        if ["==", "!=", "<=", ">=", "&&", "||"].iter().any(|two| rest.starts_with(two)) {
            return self.push(Kind::Operator, 2);
        }
        if matches!(c, '<' | '>' | '+' | '-' | '*' | '/' | '%' | '!' | ':') {
            return self.push(Kind::Operator, 1);
        }
        let span = self.at..self.at + c.len_utf8();
        let instead = match c {
            '=' => Some("==".to_owned()),
            '&' => Some("&&".to_owned()),
            '|' => Some("||".to_owned()),
            '“' | '”' | '‘' | '’' | '「' | '」' => Some("'".to_owned()),
            '、' => Some(",".to_owned()),
            '≥' => Some(">=".to_owned()),
            '≤' => Some("<=".to_owned()),
            '≠' => Some("!=".to_owned()),
            '。' => Some(".".to_owned()),
            // Full-width forms of ASCII, as an input method for Chinese writes them.
            '\u{FF01}'..='\u{FF5E}' => char::from_u32(c as u32 - 0xFEE0)
                .map(|ascii| if ascii == '=' { "==".into() } else { ascii.to_string() }),
            _ => None,
        };
        let message = match c {
            '=' | '&' | '|' => format!("`{c}` alone is not an operator"),
            c if c.is_control() => format!("the character U+{:04X} has no meaning here", c as u32),
            c => format!("the character `{c}` has no meaning here"),
        };
        Err(Diagnostic::new(span, message).suggest(instead))
    }
}

/// Whether the parser's lexer reads all of `text` as one number. `5u` is one too; the checker
/// refuses it in its own words.
fn is_number(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let whole = text.strip_suffix(['u', 'U']).unwrap_or(text);
    if let Some(hexadecimal) = whole.strip_prefix("0x") {
        return !hexadecimal.is_empty() && hexadecimal.bytes().all(|b| b.is_ascii_hexdigit());
    }
    if digits(whole) {
        return true;
    }
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (text, None),
    };
    let mantissa = match mantissa.split_once('.') {
        Some((left, right)) => (left.is_empty() || digits(left)) && digits(right),
        None => digits(mantissa) && exponent.is_some(),
    };
    mantissa && exponent.is_none_or(digits)
}
