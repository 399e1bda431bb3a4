//! Errors of pages, as pages with the status of the error.

use askama::Template;
use poem::{
    Response,
    http::{Uri, header},
};

use super::{
    Frame, HTML, Policy,
    event_text::capitalize,
    language::{Language, PageLanguage},
    search_form::SearchForm,
};
use crate::{
    error::{ApiError, ErrorCode},
    response::set_error_headers,
};

#[derive(Debug, Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    frame: Frame,
    title: String,
    /// What is wrong, a sentence each.
    details: Vec<String>,
    /// Whether the same request may succeed later.
    may_succeed_later: bool,
    request_id: &'a str,
    /// The form to correct, on the search page.
    form: Option<SearchForm>,
}

/// The response to a request for a page that failed.
pub(crate) fn error_response(error: &ApiError, request_id: &str, uri: &Uri, language: PageLanguage) -> Response {
    let details = match error.errors() {
        [] => vec![error.detail()],
        errors => errors.iter().map(ToString::to_string).collect(),
    };
    let form = || SearchForm::of(uri.query().unwrap_or_default()).without_invalid(error.errors()).in_language(language.language);
    let is_correctable = uri.path() == "/"
        && matches!(error.code(), ErrorCode::InvalidParameter | ErrorCode::CurrencyRequired | ErrorCode::QueryTooBroad);
    let page = ErrorPage {
        frame: Frame::of(uri.path(), language),
        title: title_of(error.code(), language.language),
        details: details.iter().map(|detail| to_sentence(detail)).collect(),
        may_succeed_later: error.retry_after().is_some(),
        request_id,
        form: is_correctable.then(form),
    };
    let html = page.render().unwrap_or_else(|_| error.code().title().to_owned());
    let mut response = Response::builder().status(error.status()).body(html);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HTML);
    super::set_headers(headers, Policy::default());
    super::set_language(headers, language.language);
    set_error_headers(error, headers);
    if let Some(Ok(location)) = error.location().map(|location| format!("{location}{}", language.query()).parse()) {
        headers.insert(header::LOCATION, location);
    }
    response
}

/// The title of an error. Those of errors that only writes cause have no translation. Details are those of the API, in English.
fn title_of(code: ErrorCode, language: Language) -> String {
    language.find(&key_of(code)).unwrap_or_else(|| code.title().to_owned())
}

/// The key of a title in the texts of the pages.
pub(super) fn key_of(code: ErrorCode) -> String {
    format!("error-{}", code.name().replace('_', "-"))
}

/// The detail of an error as a sentence. Names of parameters are in backquotes, which only programmers know.
fn to_sentence(detail: &str) -> String {
    format!("{}.", capitalize(detail.replace('`', "\"").trim_end_matches('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn english_titles_are_those_of_the_api() {
        for code in ErrorCode::ALL {
            assert_eq!(title_of(*code, Language::English), code.title());
        }
    }
}
