//! Which pictures of events the pages show, and the proxy that loads them.

mod picture_type;
mod proxy;

use std::sync::Arc;

use clap::{Args, ValueEnum};
use ipnet::IpNet;
use outbound::BoxedCause;

pub use self::proxy::{PictureLimits, PictureProxy};
use crate::rate_limit::parse_network;

/// Where the pictures of events are loaded from.
#[derive(Args, Clone, Debug, Default)]
pub struct ImageSettings {
    /// Pictures of events on the pages: `tiles` of their categories, `proxy`: those of the providers, which this service loads, or `direct`:
    /// the same, which browsers load from the hosts of providers and sellers
    #[arg(long, env = "IMAGES", value_enum, default_value_t)]
    pub images: Images,
    /// Networks from which `IMAGES=proxy` may load pictures, besides public addresses: `10.0.0.0/8`
    #[arg(long, env = "IMAGES_PRIVATE_NETWORKS", value_name = "NETWORKS", value_delimiter = ',', value_parser = parse_network)]
    pub images_private_networks: Vec<IpNet>,
}

/// Which pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Images {
    /// Tiles of the service.
    #[default]
    Tiles,
    /// Those of the providers, by the service.
    Proxy,
    /// Those of the providers, by browsers.
    Direct,
}

impl ImageSettings {
    /// The proxy of these settings, if there is one.
    ///
    /// # Errors
    ///
    /// When the TLS certificates of the machine cannot be read.
    pub fn proxy(&self) -> Result<Option<Arc<PictureProxy>>, BoxedCause> {
        let is_proxy = self.images == Images::Proxy;
        let proxy = is_proxy.then(|| PictureProxy::new(&self.images_private_networks, PictureLimits::default()));
        Ok(proxy.transpose()?.map(Arc::new))
    }
}
