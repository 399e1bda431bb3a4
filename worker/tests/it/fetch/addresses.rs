//! A provider cannot direct requests into the worker's own network.

use super::fetch_document;
use crate::served::ServedProvider;

const GUARDED: &str = "allow_private_addresses = false";

#[tokio::test(flavor = "multi_thread")]
async fn refuses_a_private_address_unless_the_entry_allows_it() {
    let served = ServedProvider::with_faults("").await;
    let error = fetch_document(&served.url, GUARDED).await.unwrap_err();
    assert_eq!(error.code(), "address_refused");
    assert!(error.to_string().contains("127.0.0.1") && error.to_string().contains("allow_private_addresses = true"), "{error}");
    assert!(fetch_document(&served.url, "allow_private_addresses = true").await.is_ok());
    assert_eq!(served.provider.statistics().requests, 1, "the refused request was not sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_a_name_that_resolves_to_a_private_address() {
    let served = ServedProvider::with_faults("").await;
    let named = served.url.replace("127.0.0.1", "localhost");
    assert_eq!(fetch_document(&named, GUARDED).await.unwrap_err().code(), "address_refused");
    assert!(fetch_document(&named, "").await.is_ok());
    assert_eq!(served.provider.statistics().requests, 1, "the refused request was not sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_every_spelling_of_a_cloud_metadata_address() {
    for host in
        ["169.254.169.254", "2852039166", "0xa9fea9fe", "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "[fd00:ec2::254]"]
    {
        let error = fetch_document(&format!("http://{host}/latest/meta-data"), GUARDED).await.unwrap_err();
        assert_eq!(error.code(), "address_refused", "{host}");
    }
}
