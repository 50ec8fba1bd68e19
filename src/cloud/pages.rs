//! An answer in pages: what a cloud hands out at once is bounded, and whoever asks goes on from there.
//!
//! The pages of an answer are all of one state. Where one ends is told by the parts that were given,
//! which name the state, their token and their page, so that nothing more travels:
//!
//! ```text
//! search(query) -> parts;   search(query, after those) -> more parts;   ... until the last token's last
//! ```

use std::borrow::Cow;
use std::collections::VecDeque;

use crate::message::answer::Part;
use crate::message::query::Query;

/// How many bytes a cloud gives at once, if nothing else is said: 256 MiB.
pub const ANSWER_BYTES: usize = 1 << 28;

/// Where an answer goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cursor {
    /// The state of the records that it began with; none at the beginning.
    pub snapshot: Option<u64>,
    /// Which token of the query comes next, counted from 0.
    pub token: usize,
    /// How many records of that were given.
    pub records: usize,
    /// How many parts of it.
    pub page: u32,
}

impl Cursor {
    /// Where an answer to a query goes on after some parts of it; `None` after all, or if they are parts
    /// of another.
    #[must_use]
    pub fn after(query: &Query, parts: &[&Part]) -> Option<Self> {
        let Some(last) = parts.last() else {
            return (!query.tokens.is_empty()).then(Self::default);
        };
        let token = query.tokens.iter().position(|token| token.id == last.token)?;
        let snapshot = Some(last.snapshot);
        if last.is_last {
            let next = Self { snapshot, token: token + 1, ..Self::default() };
            return (next.token < query.tokens.len()).then_some(next);
        }
        let of_token = parts.iter().rev().take_while(|part| part.token == last.token);
        let records = of_token.map(|part| part.handles.len()).sum();
        Some(Self { snapshot, token, records, page: last.page.checked_add(1)? })
    }
}

/// Parts that are gathered up to so many bytes.
#[derive(Debug)]
pub struct Pages {
    parts: Vec<Part>,
    left: usize,
    /// Records of the next token that were given before.
    given: usize,
    page: u32,
    /// Where the parts of the token begin.
    start: usize,
    is_full: bool,
}

impl Pages {
    /// From a cursor on.
    #[must_use]
    pub fn new(from: &Cursor, most: usize) -> Self {
        let (given, page) = (from.records, from.page);
        Self { parts: Vec::new(), left: most, given, page, start: 0, is_full: false }
    }

    /// Adds the records of rows, as many as there is room for and one at least if there is any: what
    /// makes a part of some of them, and how many bytes one has.
    pub fn add(
        &mut self,
        rows: &[usize],
        size: impl Fn(usize) -> usize,
        part: impl Fn(&[usize]) -> Part,
    ) {
        let given = self.given.min(rows.len());
        self.given -= given;
        let mut rows = &rows[given..];
        while !rows.is_empty() {
            if self.left == 0 {
                self.is_full = true;
            }
            if self.is_full {
                return;
            }
            let mut taken = 0;
            for &row in rows {
                if self.left == 0 {
                    break;
                }
                self.left = self.left.saturating_sub(size(row));
                taken += 1;
            }
            let (now, later) = rows.split_at(taken);
            self.push(part(now));
            rows = later;
        }
    }

    /// Adds a part that has no records.
    pub fn push(&mut self, part: Part) {
        if !self.is_full {
            let (page, is_last) = (self.page, false);
            self.parts.push(Part { page, is_last, ..part });
            self.page = page.saturating_add(1);
        }
    }

    /// Whether nothing of the token was given, here or before.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.page == 0 && !self.is_full
    }

    /// Ends a token, whose last part says so if there was room for all.
    pub fn end_token(&mut self) {
        if self.is_full {
            return;
        }
        if let Some(last) = self.parts[self.start..].last_mut() {
            last.is_last = true;
        }
        (self.start, self.given, self.page) = (self.parts.len(), 0, 0);
    }

    /// Whether there was more than there was room for.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// The parts.
    #[must_use]
    pub fn into_parts(self) -> Vec<Part> {
        self.parts
    }
}

/// Answers of an owner that may go on at a time, whatever changes meanwhile.
const MOST_READING: usize = 8;

/// What answers began with that go on: the last eight that did not come to their end.
#[derive(Debug)]
pub struct Readings<K, T>(VecDeque<Reading<K, T>>);

#[derive(Debug)]
struct Reading<K, T> {
    query: K,
    snapshot: u64,
    began: T,
    /// In bytes.
    size: usize,
}

impl<K, T> Default for Readings<K, T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<K: PartialEq, T> Readings<K, T> {
    /// What the answer to a query began with.
    #[must_use]
    pub fn find(&self, query: &K, snapshot: u64) -> Option<&T> {
        let mut readings = self.0.iter();
        let found = readings.find(|of| of.snapshot == snapshot && of.query == *query);
        found.map(|reading| &reading.began)
    }

    /// Forgets the answer to a query.
    pub fn end(&mut self, query: &K) {
        self.0.retain(|reading| reading.query != *query);
    }

    /// Keeps what the answer to a query begins with, which has so many bytes of its own, unless all of them
    /// have more than there is room for.
    pub fn keep(&mut self, query: K, snapshot: u64, began: T, (size, room): (usize, usize)) {
        self.end(&query);
        self.0.push_back(Reading { query, snapshot, began, size });
        let is_full = |readings: &VecDeque<Reading<K, T>>| {
            let sizes = readings.iter().map(|reading| reading.size);
            readings.len() > MOST_READING || sizes.fold(0, usize::saturating_add) > room
        };
        while is_full(&self.0) {
            self.0.pop_front();
        }
    }
}

/// How many bytes the records of parts have.
#[must_use]
pub fn size_of_parts(parts: &[Part]) -> usize {
    let sizes = parts.iter().map(|part| (0..part.handles.len()).map(|row| size_of(part, row)));
    sizes.flatten().sum()
}

/// A page of an answer that is there as a whole; all of it, as it is, if there is room.
#[must_use]
pub fn page_of(query: &Query, parts: Cow<'_, [Part]>, from: &Cursor, most: usize) -> Vec<Part> {
    if *from == Cursor::default() && size_of_parts(&parts) <= most {
        return parts.into_owned();
    }
    let mut pages = Pages::new(from, most);
    for token in query.tokens.iter().skip(from.token) {
        for part in parts.iter().filter(|part| part.token == token.id) {
            if part.handles.is_empty() {
                pages.push(part.clone());
                continue;
            }
            let rows: Vec<usize> = (0..part.handles.len()).collect();
            pages.add(&rows, |row| size_of(part, row), |rows| some_of(part, rows));
        }
        pages.end_token();
        if pages.is_full() {
            break;
        }
    }
    pages.into_parts()
}

/// How many bytes a record of a part has.
fn size_of(part: &Part, row: usize) -> usize {
    16 + part.portions.iter().map(|portion| 8 + portion.records.get(row).len()).sum::<usize>()
}

/// Some of the records of a part.
fn some_of(part: &Part, rows: &[usize]) -> Part {
    let Part { owner, token, snapshot, page, is_last, upload, readers, .. } = *part;
    Part {
        owner,
        token,
        snapshot,
        page,
        is_last,
        provider: part.provider.clone(),
        upload,
        readers,
        handles: rows.iter().map(|&row| part.handles[row]).collect(),
        portions: part.portions.iter().map(|portion| portion.of_rows(rows)).collect(),
        removed: part.removed.clone(),
    }
}
