//! Colours: roles that the screens name, and themes that say what a role looks like.
//!
//! A theme is a TOML table of colours, given as text, never read from disk here. It is brought down to what the
//! terminal can show; without colour, weight and reverse video carry what must be seen. Panels name a [`Role`] only.

use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;

/// How many colours the terminal shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColourDepth {
    /// None: `NO_COLOR`, or a terminal without.
    None,
    /// The sixteen of the terminal's own palette.
    Ansi16,
    /// The 256 of xterm.
    Ansi256,
    /// 24 bits.
    #[default]
    True,
}

/// Where a theme comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ThemeSource {
    /// The one that comes with the program.
    #[default]
    Default,
    /// The text of a theme file.
    Toml(String),
}

/// What a piece of the screen means; the theme says how that looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Ordinary text, and the ground of the screen.
    Text,
    /// What is there but says nothing now.
    Quiet,
    /// Names of panes and dialogs.
    Title,
    /// The lines at the top and the bottom, and column headings.
    Bar,
    /// The row of the cursor in the pane that has the keys.
    Selected,
    /// The row of the cursor in another pane.
    SelectedFar,
    /// Lines around things.
    Border,
    /// The name of a key.
    Key,
    /// A marked row.
    Mark,
    /// Complete, working.
    Good,
    /// Moving.
    Active,
    /// On its way without moving.
    Waiting,
    /// Failed and retried.
    Warning,
    /// Failed.
    Error,
    /// Bytes in.
    Down,
    /// Bytes out.
    Up,
    /// Priority high.
    High,
    /// Priority low.
    Low,
    /// Priority off.
    Off,
}

impl Role {
    const COUNT: usize = Self::Off as usize + 1;
}

/// A theme at the depth of this terminal.
#[derive(Clone, Debug)]
pub struct Theme {
    styles: [Style; Role::COUNT],
}

/// A theme that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ThemeError {
    /// The text is not TOML, or a role is missing or unknown.
    #[error("the theme cannot be read: {0}; compare it with themes/dusk.toml")]
    Toml(#[from] toml::de::Error),
    /// A colour is not one.
    #[error("the theme's colour {text:?} is neither #rrggbb, an ANSI name such as bright-red, nor default")]
    Colour {
        /// What stood there.
        text: String,
    },
}

const DEFAULT_THEME: &str = include_str!("../../themes/dusk.toml");

impl Theme {
    /// Reads a theme for a terminal of `depth` colours.
    pub fn load(source: &ThemeSource, depth: ColourDepth) -> Result<Self, ThemeError> {
        let text = match source {
            ThemeSource::Default => DEFAULT_THEME,
            ThemeSource::Toml(text) => text,
        };
        let file: File = toml::from_str(text)?;
        let palette = file.colours;
        let paint = Paint { depth, background: palette.background.at(depth)? };
        let plain = Modifier::empty();
        let mut styles = [Style::default(); Role::COUNT];
        let mut set = |role: Role, style: Style| styles[role as usize] = style;
        set(Role::Text, paint.style(&palette.text, plain)?);
        set(Role::Quiet, paint.style(&palette.quiet, plain)?);
        set(Role::Title, paint.style(&palette.title, Modifier::BOLD)?);
        set(Role::Bar, paint.on(&palette.bar_text, &palette.bar, plain)?);
        set(Role::Selected, paint.on(&palette.selected_text, &palette.selected, Modifier::REVERSED)?);
        set(Role::SelectedFar, paint.on(&palette.text, &palette.selected_far, Modifier::UNDERLINED)?);
        set(Role::Border, paint.style(&palette.border, plain)?);
        set(Role::Key, paint.style(&palette.key, Modifier::BOLD)?);
        set(Role::Mark, paint.style(&palette.mark, Modifier::BOLD)?);
        set(Role::Good, paint.style(&palette.good, plain)?);
        set(Role::Active, paint.style(&palette.active, plain)?);
        set(Role::Waiting, paint.style(&palette.waiting, plain)?);
        set(Role::Warning, paint.style(&palette.warning, plain)?);
        set(Role::Error, paint.style(&palette.error, Modifier::BOLD)?);
        set(Role::Down, paint.style(&palette.down, plain)?);
        set(Role::Up, paint.style(&palette.up, plain)?);
        set(Role::High, paint.style(&palette.high, plain)?);
        set(Role::Low, paint.style(&palette.low, plain)?);
        set(Role::Off, paint.style(&palette.off, plain)?);
        Ok(Self { styles })
    }

    /// How a role looks.
    pub fn style(&self, role: Role) -> Style {
        self.styles[role as usize]
    }
}

/// What every style of a theme has in common.
struct Paint {
    depth: ColourDepth,
    background: Color,
}

impl Paint {
    /// A colour on the ground of the screen; `weight` is what it has in any depth.
    fn style(&self, text: &Spec, weight: Modifier) -> Result<Style, ThemeError> {
        Ok(match self.depth {
            ColourDepth::None => Style::new().add_modifier(weight),
            ColourDepth::Ansi16 | ColourDepth::Ansi256 | ColourDepth::True => {
                Style::new().fg(text.at(self.depth)?).bg(self.background).add_modifier(weight)
            }
        })
    }

    /// A colour on a ground of its own; `instead` shows the ground where the theme's is not to be seen.
    fn on(&self, text: &Spec, ground: &Spec, instead: Modifier) -> Result<Style, ThemeError> {
        if self.depth == ColourDepth::None {
            return Ok(Style::new().add_modifier(instead));
        }
        let ground = ground.at(self.depth)?;
        let style = Style::new().fg(text.at(self.depth)?).bg(ground);
        Ok(if ground == self.background { style.add_modifier(instead) } else { style })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    colours: Palette,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Palette {
    background: Spec,
    text: Spec,
    quiet: Spec,
    title: Spec,
    bar: Spec,
    bar_text: Spec,
    selected: Spec,
    selected_text: Spec,
    selected_far: Spec,
    border: Spec,
    key: Spec,
    mark: Spec,
    good: Spec,
    active: Spec,
    waiting: Spec,
    warning: Spec,
    error: Spec,
    down: Spec,
    up: Spec,
    high: Spec,
    low: Spec,
    off: Spec,
}

/// A colour as a theme file gives it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Spec {
    One(String),
    PerDepth { rgb: String, ansi: String },
}

impl Spec {
    fn at(&self, depth: ColourDepth) -> Result<Color, ThemeError> {
        let text = match (self, depth) {
            (Self::One(text), _) => text,
            (Self::PerDepth { ansi, .. }, ColourDepth::Ansi16) => ansi,
            (Self::PerDepth { rgb, .. }, _) => rgb,
        };
        let colour = parse(text).ok_or_else(|| ThemeError::Colour { text: text.clone() })?;
        Ok(match (colour, depth) {
            (_, ColourDepth::None) => Color::Reset,
            (Color::Rgb(r, g, b), ColourDepth::Ansi256) => Color::Indexed(nearest_256([r, g, b])),
            (Color::Rgb(r, g, b), ColourDepth::Ansi16) => nearest_16([r, g, b]),
            (colour, _) => colour,
        })
    }
}

const ANSI: [(&str, Color, [u8; 3]); 16] = [
    ("black", Color::Black, [0, 0, 0]),
    ("red", Color::Red, [170, 0, 0]),
    ("green", Color::Green, [0, 170, 0]),
    ("yellow", Color::Yellow, [170, 110, 0]),
    ("blue", Color::Blue, [0, 0, 170]),
    ("magenta", Color::Magenta, [170, 0, 170]),
    ("cyan", Color::Cyan, [0, 170, 170]),
    ("white", Color::Gray, [180, 180, 180]),
    ("bright-black", Color::DarkGray, [100, 100, 100]),
    ("bright-red", Color::LightRed, [255, 85, 85]),
    ("bright-green", Color::LightGreen, [85, 255, 85]),
    ("bright-yellow", Color::LightYellow, [255, 255, 85]),
    ("bright-blue", Color::LightBlue, [85, 85, 255]),
    ("bright-magenta", Color::LightMagenta, [255, 85, 255]),
    ("bright-cyan", Color::LightCyan, [85, 255, 255]),
    ("bright-white", Color::White, [255, 255, 255]),
];

fn parse(text: &str) -> Option<Color> {
    if text == "default" {
        return Some(Color::Reset);
    }
    if let Some(digits) = text.strip_prefix('#') {
        let value = (digits.len() == 6).then(|| u32::from_str_radix(digits, 16).ok())??;
        let [_, r, g, b] = value.to_be_bytes();
        return Some(Color::Rgb(r, g, b));
    }
    ANSI.iter().find(|(name, ..)| *name == text).map(|(_, colour, _)| *colour)
}

fn distance(a: [u8; 3], b: [u8; 3]) -> u32 {
    a.into_iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum()
}

fn nearest_16(wanted: [u8; 3]) -> Color {
    ANSI.iter().min_by_key(|(.., rgb)| distance(*rgb, wanted)).map_or(Color::Reset, |(_, colour, _)| *colour)
}

/// The nearest of the colour cube (16-231) and the grey ramp (232-255) of xterm's palette.
fn nearest_256(wanted: [u8; 3]) -> u8 {
    const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let mut best = (u32::MAX, 0);
    for index in 16..=255u8 {
        let rgb = match index.checked_sub(232) {
            Some(step) => [8 + 10 * step; 3],
            None => {
                let at = usize::from(index - 16);
                [LEVELS[at / 36], LEVELS[at / 6 % 6], LEVELS[at % 6]]
            }
        };
        best = best.min((distance(rgb, wanted), index));
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dusk(depth: ColourDepth) -> Theme {
        Theme::load(&ThemeSource::Default, depth).unwrap()
    }

    #[test]
    fn each_depth_uses_only_its_own_colours() {
        let fits = |depth: ColourDepth, fits: fn(Color) -> bool| {
            for style in dusk(depth).styles {
                for colour in [style.fg, style.bg].into_iter().flatten() {
                    assert!(fits(colour), "{depth:?} {colour:?}");
                }
            }
        };
        fits(ColourDepth::None, |_| false);
        fits(ColourDepth::Ansi16, |colour| !matches!(colour, Color::Rgb(..) | Color::Indexed(_)));
        fits(ColourDepth::Ansi256, |colour| !matches!(colour, Color::Rgb(..)));
        fits(ColourDepth::True, |_| true);
    }

    #[test]
    fn the_cursor_is_seen_without_colour() {
        let style = dusk(ColourDepth::None).style(Role::Selected);
        assert!(style.add_modifier.contains(Modifier::REVERSED));
    }

    #[test]
    fn text_stands_out_from_its_ground() {
        for role in [Role::Text, Role::Quiet, Role::Selected, Role::Bar, Role::Error, Role::Off, Role::Low] {
            let style = dusk(ColourDepth::True).style(role);
            let (Some(Color::Rgb(r, g, b)), Some(Color::Rgb(x, y, z))) = (style.fg, style.bg) else {
                panic!("{role:?} has no colours");
            };
            let ratio = (luminance([r, g, b]) + 0.05) / (luminance([x, y, z]) + 0.05);
            assert!(ratio >= 3.0, "{role:?} has contrast {ratio:.1}");
        }
    }

    /// Relative luminance (WCAG 2).
    fn luminance(rgb: [u8; 3]) -> f64 {
        let linear = rgb.map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    }

    #[test]
    fn a_wrong_theme_is_refused_with_its_colour() {
        let text = DEFAULT_THEME.replace("#d3d9e4", "#d3d9");
        let error = Theme::load(&ThemeSource::Toml(text), ColourDepth::True).unwrap_err();
        assert!(error.to_string().contains("#d3d9"), "{error}");
        assert!(Theme::load(&ThemeSource::Toml("[colours]".to_owned()), ColourDepth::True).is_err());
    }

    #[test]
    fn colours_map_to_the_nearest_of_the_palette() {
        assert_eq!(nearest_256([255, 255, 255]), 231);
        assert_eq!(nearest_256([95, 0, 0]), 52);
        assert_eq!(nearest_16([250, 90, 90]), Color::LightRed);
    }
}
