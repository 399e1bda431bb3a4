//! Which pictures of events the pages show.

use clap::{Args, ValueEnum};

/// Where the pictures of events are loaded from.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct ImageSettings {
    /// Pictures of events on the pages: `tiles` of their categories, or `direct`: those of the providers, which browsers then load from the
    /// hosts of providers and sellers
    #[arg(long, env = "IMAGES", value_enum, default_value_t)]
    pub images: Images,
}

/// Which pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Images {
    /// Tiles of the service.
    #[default]
    Tiles,
    /// Those of the providers, by browsers.
    Direct,
}
