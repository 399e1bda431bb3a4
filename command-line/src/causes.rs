//! Errors with their causes.

use std::error::Error;

/// The message of an error followed by those of its causes, for a log or a terminal. Never for a client.
#[must_use]
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        // Some errors repeat the message of their cause.
        if !text.contains(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum PageError {
        #[error("status {0}")]
        Status(u16),
        #[error("{0} (page 2)")]
        InPage(#[source] Box<Self>),
        #[error("cannot copy")]
        Copy(#[source] Box<Self>),
    }

    #[test]
    fn no_message_is_repeated() {
        let in_page = PageError::InPage(Box::new(PageError::Status(500)));
        assert_eq!(with_causes(&in_page), "status 500 (page 2)");
        assert_eq!(with_causes(&PageError::Copy(Box::new(in_page))), "cannot copy: status 500 (page 2)");
    }
}
