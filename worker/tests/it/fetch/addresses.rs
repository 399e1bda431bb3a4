//! No provider leads the worker into the network that it stands in.

use super::document;
use crate::served::Served;

const GUARDED: &str = "allow_private_addresses = false";

#[tokio::test(flavor = "multi_thread")]
async fn a_private_address_is_refused_unless_the_entry_allows_it() {
    let served = Served::with_faults("").await;
    let error = document(&served.url, GUARDED).await.unwrap_err();
    assert_eq!(error.code(), "address_refused");
    assert!(error.to_string().contains("127.0.0.1") && error.to_string().contains("allow_private_addresses = true"), "{error}");
    assert!(document(&served.url, "allow_private_addresses = true").await.is_ok());
    assert_eq!(served.provider.statistics().requests, 1, "the refused one never came");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_to_a_private_address_is_refused() {
    let served = Served::with_faults("").await;
    let named = served.url.replace("127.0.0.1", "localhost");
    assert_eq!(document(&named, GUARDED).await.unwrap_err().code(), "address_refused");
    assert!(document(&named, "").await.is_ok());
    assert_eq!(served.provider.statistics().requests, 1, "the refused one never came");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metadata_service_of_a_cloud_is_refused_in_every_spelling() {
    for host in
        ["169.254.169.254", "2852039166", "0xa9fea9fe", "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "[fd00:ec2::254]"]
    {
        let error = document(&format!("http://{host}/latest/meta-data"), GUARDED).await.unwrap_err();
        assert_eq!(error.code(), "address_refused", "{host}");
    }
}
