//! Prices, sale periods and availability.

use super::read_event;

/// The prices of the zones in minor units with their currency, unless it is the provider's.
fn prices(offers: &str) -> (Vec<String>, String) {
    let (base_event, warnings) = read_event(&format!(r#""offers":{offers}"#));
    let zones = base_event.events[0].zones.iter();
    let prices = zones.map(|zone| match &zone.currency {
        Some(currency) => format!("{} {currency}", zone.price),
        None => zone.price.to_string(),
    });
    (prices.collect(), warnings.concat())
}

#[test]
fn reads_prices_in_every_form() {
    for (offers, expected) in [
        (r#"{"price":"20.00"}"#, ["2000"].as_slice()),
        (r#"{"price":20.5}"#, &["2050"]),
        (r#"{"price":24.200000000000003}"#, &["2420"]),
        (r#"{"price":1e3}"#, &["100000"]),
        (r#"{"price":9007199254.74}"#, &["900719925474"]),
        (r#"{"price":"Free"}"#, &["0"]),
        (r#"{"price":"12,50"}"#, &["1250"]),
        (r#"{"price":"1,000.00"}"#, &["100000"]),
        (r#"{"price":"10-20"}"#, &["1000", "2000"]),
        (r#"[{"price":1},{"price":2}]"#, &["100", "200"]),
        (r#"{"@type":"AggregateOffer","lowPrice":"10","highPrice":30}"#, &["1000", "3000"]),
        (r#"{"@type":"AggregateOffer","lowPrice":10,"highPrice":"10.00"}"#, &["1000"]),
        (
            r#"{"@type":"AggregateOffer","lowPrice":1,"highPrice":9,"offers":[{"price":1},{"price":5},{"price":9}]}"#,
            &["100", "500", "900"],
        ),
        (r#"{"@type":"AggregateOffer","lowPrice":1,"offers":[{"url":"https://x.example"}]}"#, &["100"]),
        (r#"{"priceSpecification":{"price":"18.00","priceCurrency":"EUR"}}"#, &["1800"]),
        (r#"{"priceSpecification":[{"minPrice":5,"maxPrice":9}]}"#, &["500", "900"]),
        (r#"{"price":18,"priceSpecification":{"price":"18.00"}}"#, &["1800"]),
        (r#"{"price":10,"priceCurrency":"USD"}"#, &["1000 USD"]),
        (r#"{"price":1000,"priceCurrency":"jpy"}"#, &["1000 JPY"]),
        (r#"{"priceCurrency":"USD","offers":[{"price":5},{"price":6,"priceCurrency":"EUR"}]}"#, &["500 USD", "600"]),
        (r#"{"priceCurrency":"GBP","priceSpecification":{"price":5}}"#, &["500 GBP"]),
        (r#"{"price":10,"priceCurrency":"eur"}"#, &["1000"]),
        (r#"{"price":"$10","priceCurrency":"USD"}"#, &["1000 USD"]),
        (r#"{"price":["10","20"]}"#, &["1000", "2000"]),
        (
            r#"{"priceCurrency":"USD","priceSpecification":{"@type":"CompoundPriceSpecification","priceComponent":[{"price":10},{"price":20}]}}"#,
            &["1000 USD", "2000 USD"],
        ),
        (r#"{"priceSpecification":{"priceCurrency":"GBP","priceComponent":{"price":10}}}"#, &["1000 GBP"]),
        (r#"{"priceSpecification":{"price":30,"priceComponent":[{"price":10},{"price":20}]}}"#, &["3000"]),
        (r#"{"url":"https://x.example"}"#, &[]),
        (r#"{"priceCurrency":"€","price":null}"#, &[]),
        (r#"{"price":""}"#, &[]),
        ("[]", &[]),
        ("null", &[]),
    ] {
        assert_eq!(prices(offers), (expected.iter().map(|price| (*price).to_owned()).collect(), String::new()), "{offers}");
    }
}

#[test]
fn an_unreadable_price_is_ignored_with_a_warning() {
    for (offers, warning) in [
        (
            r#"{"price":"1,000"}"#,
            "`price` must be a number that can be read in only one way, such as 1000.00, got `1,000`; ignored",
        ),
        (r#"{"price":{"amount":10}}"#, "`price` must be a number or a text, got `{\"amount\":10}`; ignored"),
        (r#"{"price":"$10"}"#, "`price` must be a decimal number such as 20.00, got `$10`; ignored"),
        (r#"{"price":"from 10"}"#, "`price` must be a decimal number such as 20.00, got `from 10`; ignored"),
        (r#"{"lowPrice":-1}"#, "`lowPrice` must be 0 or more, got `-1`; ignored"),
        (r#"{"price":"1.005"}"#, "`price` must have at most 2 decimal places for EUR, got `1.005`; ignored"),
        (r#"{"price":1.005}"#, "`price` must have at most 2 decimal places for EUR, got `1.005`; ignored"),
        (
            r#"{"price":10,"priceCurrency":"€"}"#,
            "`priceCurrency` must be an ISO 4217 currency code such as EUR, got `€`; the offer is ignored",
        ),
    ] {
        assert_eq!(prices(offers), (vec![], warning.to_owned()), "{offers}");
    }
    let (remaining, warning) = prices(r#"[{"price":"?"},{"price":5}]"#);
    assert_eq!((remaining, warning.is_empty()), (vec!["500".to_owned()], false));
}

#[test]
fn the_prices_of_an_offer_are_bounded() {
    let many: Vec<String> = (0..5_000).map(|price| price.to_string()).collect();
    for (offers, rest) in [
        (format!(r#"{{"price":[{}]}}"#, many.join(",")), 100),
        (format!(r#"{{"priceSpecification":[{{"price":[{}]}},{{"price":7}}]}}"#, many.join(",")), 100),
    ] {
        let (prices, warning) = prices(&offers);
        assert!(prices.len() <= 2 * rest && prices.len() >= rest, "{}", prices.len());
        assert_eq!(warning, "only the first 100 prices of an offer are imported");
    }
}

#[test]
fn an_event_that_is_free_has_a_price() {
    for (properties, prices) in [
        (r#""isAccessibleForFree":true"#, [0].as_slice()),
        (r#""isAccessibleForFree":"true","offers":{"url":"https://x.example"}"#, &[0]),
        (r#""isAccessibleForFree":"https://schema.org/True""#, &[0]),
        (r#""isAccessibleForFree":{"@id":"schema:True"}"#, &[0]),
        (r#""isAccessibleForFree":"http://schema.org/False""#, &[]),
        (r#""isAccessibleForFree":true,"offers":{"price":5}"#, &[500]),
        (r#""isAccessibleForFree":false"#, &[]),
    ] {
        let (base_event, warnings) = read_event(properties);
        let actual: Vec<i64> = base_event.events[0].zones.iter().map(|zone| zone.price).collect();
        assert_eq!((actual.as_slice(), warnings), (prices, vec![]), "{properties}");
    }
}

#[test]
fn reads_the_availability_in_every_spelling() {
    for (offers, sold_out) in [
        (r#"{"availability":"https://schema.org/SoldOut"}"#, true),
        (r#"{"availability":{"@id":"http://schema.org/OutOfStock/"}}"#, true),
        (r#"{"availability":["schema:SoldOut"]}"#, true),
        (r#"{"availability":{"@type":"ItemAvailability","name":"SoldOut"}}"#, true),
        (r#"[{"availability":"SoldOut"},{"availability":"OutOfStock"}]"#, true),
        (r#"{"@type":"AggregateOffer","availability":"SoldOut","offers":[{"price":5},{"price":6}]}"#, true),
        (r#"[{"availability":"SoldOut"},{"availability":"InStock"}]"#, false),
        (r#"[{"availability":"SoldOut"},{"price":5}]"#, false),
        (r#"{"availability":"PreOrder"}"#, false),
        ("[]", false),
    ] {
        let (base_event, _) = read_event(&format!(r#""offers":{offers}"#));
        assert_eq!(base_event.events[0].sold_out, sold_out, "{offers}");
    }
}

#[test]
fn the_widest_sale_period_counts() {
    for (offers, from, to) in [
        (r#"{"validFrom":"2031-02-01","validThrough":"2031-03-01"}"#, Some("2031-02-01"), Some("2031-03-01")),
        (
            r#"[{"validFrom":"2031-02-01","validThrough":"2031-03-01"},{"validFrom":"2031-01-01","validThrough":"2031-02-15"},{"price":5}]"#,
            Some("2031-01-01"),
            Some("2031-03-01"),
        ),
        (r#"{"availabilityStarts":"2031-02-01","availabilityEnds":"2031-03-01"}"#, Some("2031-02-01"), Some("2031-03-01")),
        (r#"{"validFrom":"2031-02-01","offers":[{"price":1},{"price":2,"validFrom":"2031-01-05"}]}"#, Some("2031-01-05"), None),
        (r#"[{"validFrom":"2031-01-01","validThrough":"2031-02-01"},{"validFrom":"2031-02-01"}]"#, Some("2031-01-01"), None),
        (r#"{"price":5}"#, None, None),
    ] {
        let (base_event, warnings) = read_event(&format!(r#""offers":{offers}"#));
        let event = &base_event.events[0];
        let clock = |time: &Option<worker::provider::local_time::LocalTime>| time.as_ref().map(|time| time.wall_clock.clone());
        let expected = (from.map(str::to_owned), to.map(str::to_owned));
        assert_eq!(((clock(&event.sell_from), clock(&event.sell_to)), warnings), (expected, vec![]), "{offers}");
    }
    let (base_event, warnings) = read_event(r#""offers":{"price":5,"validFrom":"soon"}"#);
    assert_eq!((base_event.events[0].zones.len(), &base_event.events[0].sell_from, warnings.len()), (1, &None, 1));
}

#[test]
fn reads_names_ids_and_capacities() {
    let (base_event, warnings) = read_event(
        r#""offers":[{"sku":"A","name":"Hall","price":1,"inventoryLevel":{"@type":"QuantitativeValue","value":40}},
                     {"price":2,"inventoryLevel":7},{"price":3,"inventoryLevel":{"value":-1}}]"#,
    );
    let zones: Vec<_> =
        base_event.events[0].zones.iter().map(|zone| (zone.source_id.as_str(), zone.name.as_deref(), zone.capacity)).collect();
    assert_eq!(zones, [("A", Some("Hall"), Some(40)), ("1", None, Some(7)), ("2", None, None)]);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
}
