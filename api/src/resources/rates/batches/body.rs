//! The formats of a batch, for OpenAPI. A batch is never in memory as a whole.

use poem_openapi::{
    Object,
    registry::{MetaMediaType, MetaSchema, MetaSchemaRef, Registry},
    types::{Example, Type},
};
use rates::BatchFormat;
use serde::Serialize;

use crate::{
    resources::upload::Contents,
    response::{LocalDate, PlaceCode},
};

/// A batch in one of its formats.
#[derive(Debug)]
pub struct BatchBody;

/// A price.
#[derive(Debug, Object, Serialize)]
#[oai(example)]
pub struct RateItem {
    /// The code of the origin.
    pub orig_code: PlaceCode,
    /// The code of the destination.
    pub dest_code: PlaceCode,
    /// The day of travel, such as 2021-01-31.
    pub day: LocalDate,
    /// The price, 0 to 100,000,000 with at most two decimals.
    #[oai(validator(minimum(value = "0"), maximum(value = "100000000")))]
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
            let schema = MetaSchema {
                example: Some(example.into()),
                description: Some(description),
                ..MetaSchema::new_with_format("string", "binary")
            };
            MetaSchemaRef::Inline(Box::new(schema))
        };
        let ndjson = "{\"orig_code\":\"ZZAAA\",\"dest_code\":\"ZZBBB\",\"day\":\"2021-01-31\",\"price\":1154.33}\n";
        let csv = "orig_code,dest_code,day,price\nZZAAA,ZZBBB,2021-01-31,1154.33\n";
        vec![
            MetaMediaType {
                content_type: "application/json",
                schema: Vec::<RateItem>::schema_ref().merge(MetaSchema { min_items: Some(1), ..MetaSchema::ANY }),
            },
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
        // No country has the code ZZ: the example is rejected, and adds no price to those of a user who executes it.
        Self { orig_code: "ZZAAA".into(), dest_code: "ZZBBB".into(), day: "2021-01-31".into(), price: 1_154.33 }
    }
}
