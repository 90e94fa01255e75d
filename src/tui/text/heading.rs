//! Headings of columns.

#![expect(missing_docs, reason = "each is the word it is named for")]

pub const STATE: &str = "State";
pub const NAME: &str = "Name";
pub const SIZE: &str = "Size";
pub const DONE: &str = "Done";
pub const PROGRESS: &str = "Progress";
pub const DOWN: &str = "Down/s";
pub const UP: &str = "Up/s";
pub const ETA: &str = "ETA";
pub const PEERS: &str = "Peers";
pub const SEEDS: &str = "Seeds";
pub const RATIO: &str = "Ratio";
pub const LEFT: &str = "Left";
pub const SENT: &str = "Sent";
pub const PRIORITY: &str = "Prio";
pub const ADDRESS: &str = "Address";
pub const CLIENT: &str = "Client";
pub const FLAGS: &str = "Flags";
pub const REQUESTS: &str = "Out/Max";
pub const REQUESTS_IN: &str = "In";
pub const SOURCE: &str = "Source";
pub const RECEIVED: &str = "Recvd";
pub const AGE: &str = "Age";
pub const SILENT: &str = "Silent";
pub const TIER: &str = "Tier";
pub const URL: &str = "URL";
pub const NEXT: &str = "Next";
pub const LEECHES: &str = "Leeches";
pub const MESSAGE: &str = "Message";
pub const START: &str = "Start";
pub const LENGTH: &str = "Length";
pub const BLOCKED: &str = "Not requestable because";
