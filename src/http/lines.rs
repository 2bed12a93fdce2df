//! Splits a stream of bytes into numbered lines of bounded length.

use axum::body::Bytes;

/// One line that is not empty.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// Its number from 1, and its bytes without the line end.
    Whole(u64, Bytes),
    /// Its number; it is longer than allowed and its bytes are gone.
    Overlong(u64),
}

impl Line {
    /// Its number, from 1.
    pub fn number(&self) -> u64 {
        match self {
            Line::Whole(number, _) | Line::Overlong(number) => *number,
        }
    }
}

/// Keeps the beginning of a line until its end comes.
#[derive(Debug)]
pub struct LineSplitter {
    limit_bytes: usize,
    /// Beginning of the line whose end has not come; empty once it is overlong.
    begun: Vec<u8>,
    overlong: bool,
    /// Lines that have ended.
    ended: u64,
}

impl LineSplitter {
    /// Splits into lines of at most so many bytes, the line end not counted.
    pub fn new(limit_bytes: usize) -> Self {
        Self { limit_bytes, begun: Vec::new(), overlong: false, ended: 0 }
    }

    /// Number of the line that is being read, from 1.
    pub fn number(&self) -> u64 {
        self.ended + 1
    }

    /// Takes a piece of the stream and appends the lines that end in it. A line that lies within the
    /// piece is not copied.
    pub fn push(&mut self, piece: &Bytes, lines: &mut Vec<Line>) {
        let mut start = 0;
        while let Some(length) = piece[start..].iter().position(|&byte| byte == b'\n') {
            let part = piece.slice(start..start + length);
            if self.begun.is_empty() && !self.overlong {
                self.end(part, lines);
            } else {
                self.keep(&part);
                let whole = Bytes::from(std::mem::take(&mut self.begun));
                self.end(whole, lines);
            }
            start += length + 1;
        }
        self.keep(&piece[start..]);
    }

    /// Ends the stream: what has begun is the last line.
    pub fn finish(&mut self, lines: &mut Vec<Line>) {
        let whole = Bytes::from(std::mem::take(&mut self.begun));
        self.end(whole, lines);
    }

    fn keep(&mut self, part: &[u8]) {
        // One byte more than the limit, because a carriage return may still be taken off.
        if self.overlong || part.len() > self.limit_bytes + 1 - self.begun.len() {
            self.overlong = true;
            self.begun = Vec::new();
        } else {
            self.begun.extend_from_slice(part);
        }
    }

    fn end(&mut self, line: Bytes, lines: &mut Vec<Line>) {
        self.ended += 1;
        let overlong = std::mem::take(&mut self.overlong);
        let kept = line.len() - usize::from(line.last() == Some(&b'\r'));
        if overlong || kept > self.limit_bytes {
            lines.push(Line::Overlong(self.ended));
        } else if !line.trim_ascii().is_empty() {
            lines.push(Line::Whole(self.ended, line.slice(..kept)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(pieces: &[&[u8]], limit_bytes: usize) -> Vec<Line> {
        let mut splitter = LineSplitter::new(limit_bytes);
        let mut lines = Vec::new();
        for piece in pieces {
            splitter.push(&Bytes::copy_from_slice(piece), &mut lines);
            assert!(splitter.begun.len() <= limit_bytes + 1);
        }
        splitter.finish(&mut lines);
        lines
    }

    fn whole(number: u64, text: &'static str) -> Line {
        Line::Whole(number, Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn empty_lines_are_counted_and_left_out() {
        assert_eq!(split(&[b"a\n\n \r\nb\r\nc"], 9), [whole(1, "a"), whole(4, "b"), whole(5, "c")]);
        assert_eq!(split(&[b""], 9), []);
        assert_eq!(split(&[b"\n\n"], 9), []);
    }

    #[test]
    fn an_overlong_line_does_not_spoil_the_next() {
        assert_eq!(
            split(&[b"abc\nabcd\nabc\r\n", b"ab", b"cd", b"efgh", b"\nx"], 3),
            [whole(1, "abc"), Line::Overlong(2), whole(3, "abc"), Line::Overlong(4), whole(5, "x"),]
        );
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_how_the_stream_was_cut(
            text in "[ab\r\n ]{0,60}",
            cuts in proptest::collection::vec(0..60_usize, 0..6),
            limit in 1..8_usize,
        ) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            let naive: Vec<Line> = text
                .split('\n')
                .map(|line| line.strip_suffix('\r').unwrap_or(line))
                .zip(1..)
                .filter(|(line, _)| line.len() > limit || !line.trim_ascii().is_empty())
                .map(|(line, number)| match line.len() > limit {
                    true => Line::Overlong(number),
                    false => Line::Whole(number, Bytes::copy_from_slice(line.as_bytes())),
                })
                .collect();
            prop_assert_eq!(split(&pieces, limit), naive);
        }
    }
}
