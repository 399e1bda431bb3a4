//! The formats of a batch, for OpenAPI. A batch is never in memory as a whole.

use poem_openapi::{
    Object,
    registry::{MetaMediaType, MetaSchema, MetaSchemaRef, Registry},
    types::{Example, Type},
};
use rates::BatchFormat;
use serde::Serialize;

use crate::upload::Contents;

/// A batch in one of its formats.
#[derive(Debug)]
pub struct BatchBody;

/// A price.
#[derive(Debug, Object, Serialize)]
#[oai(example)]
pub struct RateItem {
    /// The code of the origin.
    pub orig_code: String,
    /// The code of the destination.
    pub dest_code: String,
    /// The day of travel, such as 2021-01-31.
    pub day: String,
    /// The price, 0 to 100,000,000 with at most two decimals.
    pub price: f64,
}

impl BatchBody {
    /// The format of a media type.
    pub(super) fn format(media_type: &str) -> BatchFormat {
        match media_type {
            "text/csv" => BatchFormat::Csv,
            "application/x-ndjson" => BatchFormat::Ndjson,
            _ => BatchFormat::Json,
        }
    }
}

impl Contents for BatchBody {
    const MEDIA_TYPES: &'static [&'static str] = &["application/json", "application/x-ndjson", "text/csv"];
    const ACCEPTED: &'static str = "a `Content-Type` of application/json, application/x-ndjson or text/csv";

    fn described() -> Vec<MetaMediaType> {
        let lines = |example: &str, description| {
            let schema =
                MetaSchema { example: Some(example.into()), description: Some(description), ..MetaSchema::new("string") };
            MetaSchemaRef::Inline(Box::new(schema))
        };
        let ndjson = "{\"orig_code\":\"CNGGZ\",\"dest_code\":\"EETLL\",\"day\":\"2021-01-31\",\"price\":1154.33}\n";
        let csv = "orig_code,dest_code,day,price\nCNGGZ,EETLL,2021-01-31,1154.33\n";
        vec![
            MetaMediaType { content_type: "application/json", schema: Vec::<RateItem>::schema_ref() },
            MetaMediaType { content_type: "application/x-ndjson", schema: lines(ndjson, "One RateItem per line") },
            MetaMediaType {
                content_type: "text/csv",
                schema: lines(csv, "A header with the column names in any order, and one price per line"),
            },
        ]
    }

    fn register(registry: &mut Registry) {
        Vec::<RateItem>::register(registry);
    }
}

impl Example for RateItem {
    fn example() -> Self {
        let text = |text: &str| text.to_owned();
        Self { orig_code: text("CNGGZ"), dest_code: text("EETLL"), day: text("2021-01-31"), price: 1_154.33 }
    }
}
