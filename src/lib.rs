//! unchoke: a terminal torrent manager with its own BitTorrent engine in the same process.
//!
//! Four shapes of fault are impossible here by construction, and each part below exists for one of them: re-entry on
//! one big lock (each torrent has one owner, reached only by message), a "needs update" flag that nobody processes (the
//! request plan is derived from state at the end of every turn), work over all pieces on a hot path (a change costs what
//! it changes), and conflated states ("not checked" is never read as "not wanted").
//!
//! Data flows one way:
//!
//! ```text
//! keys -> Message -> tui::update -> Command -> session::Handle -> Input -> engine -> Effect -> session -> sockets, disk
//!            ^                                                                |                                |
//!            +------ Snapshot (latest wins) and Event (bounded, counted) <----+            <----- Input -------+
//! ```
//!
//! A *turn* of a torrent's owner: take the inputs that wait, apply each, plan once, hand out effects, publish. Nothing
//! in it waits for a socket, a disk, a lock or another torrent.
//!
//! Who may import whom, lowest first; `tests/it/architecture` reads the source and fails otherwise:
//!
//! | module | is | may import |
//! |---|---|---|
//! | [`units`], [`limits`] | numbers that cannot be mixed; every bound with its reason | |
//! | [`contract`] | what crosses the border to front ends: Command, Event, Snapshot | units, limits |
//! | [`codec`] | bytes to messages and back | units, limits, contract |
//! | [`metainfo`] | what a torrent is: parse, layout, safe paths, magnets, create | units, limits, contract |
//! | [`transport`] | a connection's byte stream cut into messages | units, limits, codec |
//! | [`engine`] | PURE: one machine per torrent, one for what they share | units to metainfo, contract |
//! | [`report`] | the contract's values as text, pprof profiles and Prometheus' format | units, limits, contract |
//! | [`inspect`] | the only door to tasks, threads, locks and queues | units, limits, contract |
//! | [`recorder`] | the flight recorder of the engine's inputs, and its replay | units to engine |
//! | [`sim`] | the engine in a seeded world with virtual time, for tests | units to engine, recorder |
//! | [`session`] | the shell: effects into IO, IO into inputs; decides nothing | all above |
//! | [`tui`] | the screen: Elm over snapshots | units, limits, contract, report, inspect |
//! | [`cli`] | arguments, configuration, a file per subcommand, the demo | all |

pub mod cli;
pub mod codec;
pub mod contract;
pub mod engine;
pub mod inspect;
pub mod limits;
pub mod metainfo;
pub mod recorder;
pub mod report;
pub mod session;
pub mod sim;
pub mod transport;
pub mod tui;
pub mod units;
