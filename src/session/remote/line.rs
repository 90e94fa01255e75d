//! One line at a time, with a bound on its length.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// What reading a line came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line, without its end.
    Whole(Vec<u8>),
    /// The other end has closed.
    End,
    /// Longer than allowed; the rest of it is unread.
    TooLong,
}

/// Reads a line of at most `bytes_max` bytes. What comes after the last line end is no line.
pub(super) async fn read_line(
    reader: &mut (impl AsyncBufRead + Unpin),
    bytes_max: usize,
) -> io::Result<Line> {
    let mut line = Vec::new();
    loop {
        let ready = reader.fill_buf().await?;
        if ready.is_empty() {
            return Ok(Line::End);
        }
        let end = ready.iter().position(|byte| *byte == b'\n');
        let taken = end.unwrap_or(ready.len());
        if line.len() + taken > bytes_max {
            return Ok(Line::TooLong);
        }
        line.extend_from_slice(&ready[..taken]);
        reader.consume(end.map_or(taken, |end| end + 1));
        if end.is_some() {
            return Ok(Line::Whole(line));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(mut bytes: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        loop {
            lines.push(read_line(&mut bytes, 4).await.unwrap());
            if !matches!(lines.last(), Some(Line::Whole(_))) {
                return lines;
            }
        }
    }

    #[tokio::test]
    async fn lines_are_cut_at_their_ends() {
        let whole = |text: &[u8]| Line::Whole(text.to_vec());
        assert_eq!(lines(b"ab\n\ncdef\n").await, [whole(b"ab"), whole(b""), whole(b"cdef"), Line::End]);
        assert_eq!(lines(b"ab\ncd").await, [whole(b"ab"), Line::End]);
    }

    #[tokio::test]
    async fn a_line_over_the_bound_is_not_gathered() {
        assert_eq!(lines(b"abcde\n").await, [Line::TooLong]);
        assert_eq!(lines(b"abcdefgh").await, [Line::TooLong]);
    }
}
