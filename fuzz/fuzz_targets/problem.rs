//! Problems with texts of clients: the body is JSON, and the headers are valid.
#![no_main]

use api::{
    error::{ApiError, ValidationError},
    response::problem_response,
};

libfuzzer_sys::fuzz_target!(|texts: (&str, &str, &str)| {
    let (name, message, path) = texts;
    for error in [
        ApiError::NotFound { what: "event", id: name.to_owned() },
        ApiError::MissingScope { scope: name.to_owned() },
        ApiError::InvalidParameters(vec![ValidationError::for_parameter(name, message)]),
        ApiError::InvalidItems { errors: vec![ValidationError::at_pointer(name.to_owned(), message)], count: 1 },
    ] {
        marquee_fuzz::check_problem(&error, path);
        let response = problem_response(&error, name, path);
        assert!(response.headers().values().all(|value| value.to_str().is_ok()));
    }
});
