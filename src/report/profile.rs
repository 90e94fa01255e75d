//! The profile format of pprof (`profile.proto` of github.com/google/pprof), as much of it as our profiles use.
//!
//! The messages are written out by hand with their field numbers, so that building needs no protobuf compiler.

use std::collections::HashMap;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message;

use super::{Frame, Stacks};

/// What is counted, in which unit: positions in the table of texts.
#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct ValueType {
    #[prost(int64, tag = "1")]
    pub(super) kind: i64,
    #[prost(int64, tag = "2")]
    pub(super) unit: i64,
}

/// Key and text: positions in the table of texts.
#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct Label {
    #[prost(int64, tag = "1")]
    pub(super) key: i64,
    #[prost(int64, tag = "2")]
    pub(super) text: i64,
}

/// A stack, the innermost location first, and its values.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SampleMessage {
    #[prost(uint64, repeated, tag = "1")]
    pub(super) locations: Vec<u64>,
    #[prost(int64, repeated, tag = "2")]
    pub(super) values: Vec<i64>,
    #[prost(message, repeated, tag = "3")]
    pub(super) labels: Vec<Label>,
}

/// The program. pprof looks for no symbols where this says that they are all here.
#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct Mapping {
    #[prost(uint64, tag = "1")]
    pub(super) id: u64,
    #[prost(int64, tag = "5")]
    pub(super) file_name: i64,
    #[prost(bool, tag = "7")]
    pub(super) has_functions: bool,
    #[prost(bool, tag = "8")]
    pub(super) has_file_names: bool,
    #[prost(bool, tag = "9")]
    pub(super) has_line_numbers: bool,
}

/// A place in a function.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Location {
    #[prost(uint64, tag = "1")]
    pub(super) id: u64,
    #[prost(uint64, tag = "2")]
    pub(super) mapping: u64,
    #[prost(message, repeated, tag = "4")]
    pub(super) lines: Vec<Line>,
}

/// A line of a function.
#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct Line {
    #[prost(uint64, tag = "1")]
    pub(super) function: u64,
    #[prost(int64, tag = "2")]
    pub(super) line: i64,
}

/// A function: positions in the table of texts.
#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct Function {
    #[prost(uint64, tag = "1")]
    pub(super) id: u64,
    #[prost(int64, tag = "2")]
    pub(super) name: i64,
    #[prost(int64, tag = "3")]
    pub(super) system_name: i64,
    #[prost(int64, tag = "4")]
    pub(super) file_name: i64,
}

/// A profile.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Profile {
    #[prost(message, repeated, tag = "1")]
    pub(super) types: Vec<ValueType>,
    #[prost(message, repeated, tag = "2")]
    pub(super) samples: Vec<SampleMessage>,
    #[prost(message, repeated, tag = "3")]
    pub(super) mappings: Vec<Mapping>,
    #[prost(message, repeated, tag = "4")]
    pub(super) locations: Vec<Location>,
    #[prost(message, repeated, tag = "5")]
    pub(super) functions: Vec<Function>,
    #[prost(string, repeated, tag = "6")]
    pub(super) texts: Vec<String>,
    #[prost(int64, tag = "9")]
    pub(super) time_ns: i64,
    #[prost(message, optional, tag = "11")]
    pub(super) period_type: Option<ValueType>,
    #[prost(int64, tag = "12")]
    pub(super) period: i64,
}

impl Stacks {
    /// As gzip of pprof's protobuf, taken at this many nanoseconds of the Unix epoch.
    pub fn encode(&self, unix_ns: u64) -> Vec<u8> {
        let message = Tables::default().profile(self, unix_ns).encode_to_vec();
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        let written = gzip.write_all(&message).and_then(|()| gzip.finish());
        written.expect("a Vec takes whatever is written")
    }
}

/// What samples refer to by number, each kept once.
#[derive(Default)]
struct Tables<'a> {
    texts: Vec<String>,
    text_numbers: HashMap<&'a str, i64>,
    locations: Vec<Location>,
    location_numbers: HashMap<&'a Frame, u64>,
    functions: Vec<Function>,
    function_numbers: HashMap<(i64, i64), u64>,
}

impl<'a> Tables<'a> {
    fn profile(mut self, stacks: &'a Stacks, unix_ns: u64) -> Profile {
        // The format wants the empty text at 0.
        self.text("");
        let types: Vec<_> = stacks
            .types
            .iter()
            .map(|(kind, unit)| ValueType { kind: self.text(kind), unit: self.text(unit) })
            .collect();
        let mapping = Mapping {
            id: MAPPING,
            file_name: self.text("unchoke"),
            has_functions: true,
            has_file_names: true,
            has_line_numbers: true,
        };
        let mut samples = Vec::with_capacity(stacks.samples.len());
        for sample in &stacks.samples {
            let labels = sample.labels.iter();
            samples.push(SampleMessage {
                locations: sample.stack.iter().map(|frame| self.location(frame)).collect(),
                values: sample.values.iter().take(types.len()).map(|value| signed(*value)).collect(),
                labels: labels
                    .map(|(key, text)| Label { key: self.text(key), text: self.text(text) })
                    .collect(),
            });
        }
        Profile {
            period_type: types.first().copied(),
            period: 1,
            types,
            samples,
            mappings: vec![mapping],
            locations: self.locations,
            functions: self.functions,
            texts: self.texts,
            time_ns: signed(unix_ns),
        }
    }

    fn text(&mut self, text: &'a str) -> i64 {
        *self.text_numbers.entry(text).or_insert_with(|| {
            self.texts.push(text.to_owned());
            signed(self.texts.len() as u64 - 1)
        })
    }

    fn location(&mut self, frame: &'a Frame) -> u64 {
        if let Some(number) = self.location_numbers.get(frame) {
            return *number;
        }
        let (name, file_name) = (self.text(&frame.name), self.text(&frame.file));
        let functions = &mut self.functions;
        let function = *self.function_numbers.entry((name, file_name)).or_insert_with(|| {
            let id = functions.len() as u64 + 1;
            functions.push(Function { id, name, system_name: name, file_name });
            id
        });
        let id = self.locations.len() as u64 + 1;
        let lines = vec![Line { function, line: i64::from(frame.line) }];
        self.locations.push(Location { id, mapping: MAPPING, lines });
        self.location_numbers.insert(frame, id);
        id
    }
}

/// The only mapping's number; 0 would be none.
const MAPPING: u64 = 1;

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
