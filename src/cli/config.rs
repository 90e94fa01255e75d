//! The configuration file, and how it layers: defaults, then the file, then options of the command line.
//!
//! The file is TOML; every key is the name of an option. An empty file is valid, an unknown key is an error that names
//! key and line. Nothing is written unless `config init` is called.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::UsageError;
use super::args::{CheckChoice, EngineOptions, Limit, YesNo, rate_limit};
use crate::limits::CONFIG_BYTES_MAX;

/// The file's keys, each `None` where it is silent.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ConfigFile {
    /// Save payload into this folder.
    pub dir: Option<PathBuf>,
    /// Where the list, its records and the control socket are.
    pub state_dir: Option<PathBuf>,
    /// Listen on, and call from, this address.
    pub bind: Option<IpAddr>,
    /// Listen on this port; 0: any.
    pub port: Option<u16>,
    /// When to hash what is on disk.
    pub check: Option<CheckChoice>,
    /// Whether data on disk is taken for complete.
    pub assume_complete: Option<bool>,
    /// Whether saved records of what is complete count.
    pub trust_store: Option<bool>,
    /// Most bytes a second from peers.
    #[serde(deserialize_with = "rate")]
    pub down: Option<Limit>,
    /// Most bytes a second to peers.
    #[serde(deserialize_with = "rate")]
    pub up: Option<Limit>,
    /// Whether trackers are asked.
    pub trackers: Option<bool>,
    /// Whether webseeds are asked.
    pub webseeds: Option<bool>,
    /// Whether complete torrents go on seeding.
    pub seed: Option<bool>,
    /// Where diagnostics are served over HTTP.
    pub diagnostics: Option<SocketAddr>,
}

/// Reads a rate as the command line does; a bare number is bytes a second.
fn rate<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Limit>, D::Error> {
    let text = match toml::Value::deserialize(deserializer)? {
        toml::Value::String(text) => text,
        toml::Value::Integer(bytes) => bytes.to_string(),
        other => return Err(serde::de::Error::custom(format!("a rate is no {}", other.type_str()))),
    };
    rate_limit(&text).map(Some).map_err(serde::de::Error::custom)
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {path}: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's words.
        error: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("the configuration {path} is not valid: {error}`unchoke config init` writes one with every key")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and key.
        error: Box<toml::de::Error>,
    },
    /// The file is far larger than any configuration.
    #[error(
        "the configuration {path} has more than {CONFIG_BYTES_MAX} bytes: this is not a configuration file"
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The system does not tell where files of a user go.
    #[error("no home folder is known: set HOME, or give --config and --state-dir")]
    NoHome,
    /// `config init` does not overwrite.
    #[error("{path} is already there: edit it, or move it away first")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be written.
    #[error("cannot write the configuration {path}: {error}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's words.
        error: std::io::Error,
    },
}

/// Where the file is looked for.
pub fn path(explicit: Option<&Path>) -> Result<PathBuf, ConfigError> {
    match explicit {
        Some(path) => Ok(path.to_owned()),
        None => Ok(project_folders()?.config_dir().join("config.toml")),
    }
}

/// Reads the file. A file that nobody named may be absent; one that was named must be there.
pub fn load(explicit: Option<&Path>) -> Result<ConfigFile, ConfigError> {
    let path = match (path(explicit), explicit) {
        (Ok(path), _) => path,
        (Err(error), Some(_)) => return Err(error),
        (Err(_), None) => return Ok(ConfigFile::default()),
    };
    let is_too_large = |file: std::fs::Metadata| file.len() > CONFIG_BYTES_MAX;
    if std::fs::metadata(&path).is_ok_and(is_too_large) {
        return Err(ConfigError::TooLarge { path });
    }
    match std::fs::read_to_string(&path) {
        Ok(text) => parse(&text, &path),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && explicit.is_none() => {
            Ok(ConfigFile::default())
        }
        Err(error) => Err(ConfigError::Read { path, error }),
    }
}

/// Reads the text of the file at `path`; its relative folders are below the file's own.
fn parse(text: &str, path: &Path) -> Result<ConfigFile, ConfigError> {
    let mut file: ConfigFile = toml::from_str(text)
        .map_err(|error| ConfigError::Invalid { path: path.to_owned(), error: Box::new(error) })?;
    let base = path.parent().unwrap_or(Path::new("."));
    for folder in [&mut file.dir, &mut file.state_dir].into_iter().flatten() {
        *folder = match folder.strip_prefix("~") {
            Ok(below_home) => match directories::BaseDirs::new() {
                Some(user) => user.home_dir().join(below_home),
                None => return Err(ConfigError::NoHome),
            },
            Err(_) => base.join(&folder),
        };
    }
    Ok(file)
}

/// What is in force after layering.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// Payload goes here.
    pub save_dir: PathBuf,
    /// The list, its records and the control socket.
    pub state_dir: PathBuf,
    /// Listen on, and call from.
    pub bind: IpAddr,
    /// 0: any.
    pub port: u16,
    /// When to hash what is on disk.
    pub check: CheckChoice,
    /// Whether data on disk is taken for complete.
    pub assume_complete: YesNo,
    /// Whether saved records count.
    pub trust_store: YesNo,
    /// From peers.
    pub down: Limit,
    /// To peers.
    pub up: Limit,
    /// Whether trackers are asked.
    pub trackers: YesNo,
    /// Whether webseeds are asked.
    pub webseeds: YesNo,
    /// Whether complete torrents go on seeding.
    pub seed: YesNo,
    /// Where diagnostics are served over HTTP; `None`: nowhere.
    pub diagnostics: Option<SocketAddr>,
}

impl Effective {
    /// Options win over the file, the file over defaults.
    pub fn layer(
        options: &EngineOptions,
        state_dir: Option<&Path>,
        file: &ConfigFile,
    ) -> Result<Self, ConfigError> {
        let unless = |option: bool, key: Option<bool>| match option {
            true => YesNo::No,
            false => yes_or_no(key.unwrap_or(true)),
        };
        let save_dir = options.dir.clone().or_else(|| file.dir.clone());
        Ok(Self {
            save_dir: absolute(save_dir.unwrap_or_else(default_save_dir)),
            state_dir: resolve_state_dir(state_dir, file)?,
            bind: options.bind.or(file.bind).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            port: options.port.or(file.port).unwrap_or(0),
            check: options.check.or(file.check).unwrap_or(CheckChoice::Auto),
            assume_complete: yes_or_no(options.assume_complete || file.assume_complete.unwrap_or(false)),
            trust_store: options.trust_store.unwrap_or_else(|| yes_or_no(file.trust_store.unwrap_or(true))),
            down: options.down.or(file.down).unwrap_or(Limit(None)),
            up: options.up.or(file.up).unwrap_or(Limit(None)),
            trackers: unless(options.no_trackers, file.trackers),
            webseeds: unless(options.no_webseeds, file.webseeds),
            seed: unless(options.no_seed, file.seed),
            diagnostics: options.diagnostics.or(file.diagnostics),
        })
    }

    /// Refuses wishes that contradict each other, wherever they come from.
    pub fn check(&self) -> Result<(), UsageError> {
        if self.assume_complete == YesNo::Yes && self.check == CheckChoice::Always {
            let message = "--assume-complete believes the data on disk and --check always hashes all of it, so they \
                           contradict each other: leave one of them out, of the configuration file too";
            return Err(UsageError(message.to_owned()));
        }
        Ok(())
    }

    /// The state of affairs as a configuration file that would bring it about.
    fn to_toml(&self, file: &ConfigFile) -> String {
        let mut text = String::new();
        let mut line = |key: &str, value: toml::Value, from_file: bool| {
            let origin = if from_file { "file" } else { "default" };
            let _ = writeln!(text, "{:<40} # {origin}", format!("{key} = {value}"));
        };
        let rate = |limit: Limit| match limit.0 {
            Some(rate) => toml::Value::Integer(i64::try_from(rate.0).unwrap_or(i64::MAX)),
            None => "none".into(),
        };
        let path = |path: &Path| toml::Value::String(path.to_string_lossy().into_owned());
        let check = match self.check {
            CheckChoice::Auto => "auto",
            CheckChoice::Never => "never",
            CheckChoice::Always => "always",
        };
        line("dir", path(&self.save_dir), file.dir.is_some());
        line("state-dir", path(&self.state_dir), file.state_dir.is_some());
        line("bind", self.bind.to_string().into(), file.bind.is_some());
        line("port", i64::from(self.port).into(), file.port.is_some());
        line("check", check.into(), file.check.is_some());
        line("assume-complete", (self.assume_complete == YesNo::Yes).into(), file.assume_complete.is_some());
        line("trust-store", (self.trust_store == YesNo::Yes).into(), file.trust_store.is_some());
        line("down", rate(self.down), file.down.is_some());
        line("up", rate(self.up), file.up.is_some());
        line("trackers", (self.trackers == YesNo::Yes).into(), file.trackers.is_some());
        line("webseeds", (self.webseeds == YesNo::Yes).into(), file.webseeds.is_some());
        line("seed", (self.seed == YesNo::Yes).into(), file.seed.is_some());
        if let Some(address) = self.diagnostics {
            line("diagnostics", address.to_string().into(), file.diagnostics.is_some());
        }
        text
    }
}

/// The state folder: option, then file, then where the system keeps such things.
pub fn resolve_state_dir(option: Option<&Path>, file: &ConfigFile) -> Result<PathBuf, ConfigError> {
    if let Some(folder) = option.or(file.state_dir.as_deref()) {
        return Ok(absolute(folder.to_owned()));
    }
    let folders = project_folders()?;
    Ok(folders.state_dir().unwrap_or_else(|| folders.data_local_dir()).to_owned())
}

/// `unchoke config show`.
pub fn show(explicit: Option<&Path>, state_dir: Option<&Path>) -> Result<String, ConfigError> {
    let path = path(explicit)?;
    let file = load(explicit)?;
    let effective = Effective::layer(&EngineOptions::default(), state_dir, &file)?;
    let note = if path.exists() { "" } else { " (not there)" };
    Ok(format!("# {}{note}\n{}", path.display(), effective.to_toml(&file)))
}

/// `unchoke config init`: writes the template and says where.
pub fn init(explicit: Option<&Path>) -> Result<PathBuf, ConfigError> {
    let path = path(explicit)?;
    let write = || -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut file = std::fs::File::create_new(&path)?;
        std::io::Write::write_all(&mut file, TEMPLATE.as_bytes())
    };
    match write() {
        Ok(()) => Ok(path),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Err(ConfigError::Exists { path }),
        Err(error) => Err(ConfigError::Write { path, error }),
    }
}

fn yes_or_no(yes: bool) -> YesNo {
    if yes { YesNo::Yes } else { YesNo::No }
}

fn project_folders() -> Result<directories::ProjectDirs, ConfigError> {
    directories::ProjectDirs::from("", "", "unchoke").ok_or(ConfigError::NoHome)
}

/// Records outlive the folder we were called in. Only an empty path or a lost working folder has no absolute form;
/// using it then fails with the system's own words.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

/// The user's download folder where the system has one, else where we are.
fn default_save_dir() -> PathBuf {
    directories::UserDirs::new()
        .and_then(|user| user.download_dir().map(Path::to_owned))
        .unwrap_or_else(|| PathBuf::from("."))
}

/// What `config init` writes: every key with its default, commented out.
const TEMPLATE: &str = "\
# unchoke: every key is the name of an option; options of the command line win.

# Save payload into this folder.
#dir = \"~/Downloads\"

# The list, its records and the control socket.
#state-dir = \"~/.local/state/unchoke\"

# Listen on, and call from, this address.
#bind = \"0.0.0.0\"

# Listen on this port; 0: any.
#port = 0

# Hash what is on disk: auto (where records do not answer), never (each piece when it is needed), always.
#check = \"auto\"

# Take data on disk for complete: each piece is hashed once before it is first served. Not with check = \"always\".
#assume-complete = false

# Whether saved records of what is complete count.
#trust-store = true

# Most bytes a second from and to peers: 500k, 2M, 1.5MiB; none: no limit.
#down = \"none\"
#up = \"none\"

# Ask trackers.
#trackers = true

# Ask webseeds.
#webseeds = true

# Go on seeding what is complete.
#seed = true

# Serve diagnostics over HTTP on this loopback address; off unless it is given.
#diagnostics = \"127.0.0.1:6060\"
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Rate;

    fn read(text: &str) -> Result<ConfigFile, ConfigError> {
        parse(text, Path::new("/etc/unchoke/config.toml"))
    }

    #[test]
    fn an_empty_file_is_valid() {
        assert_eq!(read("").unwrap(), ConfigFile::default());
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let message = read("port = 1\n\nprot = 2\n").unwrap_err().to_string();
        assert!(message.contains("prot") && message.contains("line 3"), "{message}");
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_named_with_its_line() {
        for text in ["\nport = 70000", "\ncheck = \"maybe\"", "\ndown = \"fast\"", "\nup = true"] {
            let message = read(text).unwrap_err().to_string();
            assert!(message.contains("line 2"), "{message}");
        }
    }

    #[test]
    fn the_template_is_valid_with_and_without_its_comments() {
        assert_eq!(read(TEMPLATE).unwrap(), ConfigFile::default());
        let bare: String = TEMPLATE
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(key) if !key.starts_with(' ') => format!("{key}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        let file = read(&bare).unwrap();
        assert_eq!(file.port, Some(0));
        assert_eq!(file.up, Some(Limit(None)));
    }

    #[test]
    fn options_win_over_the_file_and_the_file_over_defaults() {
        let file = read("port = 7\ndown = \"2M\"\ntrackers = false\nstate-dir = \"state\"").unwrap();
        let options = EngineOptions { port: Some(9), ..EngineOptions::default() };
        let effective = Effective::layer(&options, None, &file).unwrap();
        assert_eq!(effective.port, 9);
        assert_eq!(effective.down, Limit(Some(Rate(2_000_000))));
        assert_eq!(effective.trackers, YesNo::No);
        assert_eq!(effective.state_dir, Path::new("/etc/unchoke/state"));
        assert_eq!(effective.seed, YesNo::Yes);
        let flagged = Effective::layer(&options, Some(Path::new("/x")), &file).unwrap();
        assert_eq!(flagged.state_dir, Path::new("/x"));
    }

    #[test]
    fn data_cannot_be_both_believed_and_hashed() {
        let assuming = EngineOptions { assume_complete: true, ..EngineOptions::default() };
        for (text, contradicts) in [("", false), ("check = \"never\"", false), ("check = \"always\"", true)] {
            let effective = Effective::layer(&assuming, Some(Path::new("/s")), &read(text).unwrap()).unwrap();
            assert_eq!(effective.assume_complete, YesNo::Yes);
            assert_eq!(effective.check().is_err(), contradicts, "{text}");
        }
        let file = read("assume-complete = true").unwrap();
        let always = EngineOptions { check: Some(CheckChoice::Always), ..EngineOptions::default() };
        assert!(Effective::layer(&always, Some(Path::new("/s")), &file).unwrap().check().is_err());
    }

    #[test]
    fn what_is_shown_reads_back_as_the_same() {
        let file = read("port = 7\nup = 500\nbind = \"::1\"").unwrap();
        let options = EngineOptions::default();
        let effective = Effective::layer(&options, Some(Path::new("/s")), &file).unwrap();
        let again = read(&effective.to_toml(&file)).unwrap();
        assert_eq!(Effective::layer(&options, None, &again).unwrap(), effective);
    }

    #[test]
    fn a_named_file_must_be_there_and_init_does_not_overwrite() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sub/config.toml");
        assert!(matches!(load(Some(&path)), Err(ConfigError::Read { .. })));
        assert_eq!(init(Some(&path)).unwrap(), path);
        assert_eq!(load(Some(&path)).unwrap(), ConfigFile::default());
        assert!(matches!(init(Some(&path)), Err(ConfigError::Exists { .. })));
    }
}
