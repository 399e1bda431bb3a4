//! Why a document is rejected as a whole.

use std::io;

use crate::provider::{quote::quote, spool::SpooledPage};

/// Why a document cannot be trusted as a whole. Lines and columns count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FeedDocumentError {
    /// Nothing, or only white space.
    #[error("the document is empty")]
    Empty,
    /// The end is missing, for example after an interrupted transfer.
    #[error("the document is truncated: it ends before its root is closed")]
    Truncated,
    /// The syntax is invalid.
    #[error("the document is malformed at line {line}, column {column}: {detail}")]
    Malformed {
        /// Line of the error.
        line: usize,
        /// Column of the error, in characters.
        column: usize,
        /// The error.
        detail: String,
    },
    /// Another kind of document.
    #[error("the document must start with {expected}, got {actual}")]
    WrongRoot {
        /// The root of the document.
        actual: String,
        /// The accepted roots.
        expected: String,
    },
    /// It has content, but no item of the format.
    #[error("{detail}")]
    NoItems {
        /// What is missing.
        detail: &'static str,
    },
    /// It has no event, for a reason that depends on the document.
    #[error("{detail}")]
    NoEvents {
        /// What is missing.
        detail: String,
    },
    /// A document type declaration allows entities that expand without bound or read files.
    #[error("a DOCTYPE is not allowed (line {line}); send the document without it")]
    Doctype {
        /// Line of the declaration.
        line: usize,
    },
    /// A byte sequence is not UTF-8.
    #[error("the document is not valid UTF-8 at line {line}, column {column}; send it as UTF-8")]
    NotUtf8 {
        /// Line of the first invalid byte.
        line: usize,
        /// Column of that byte, in characters.
        column: usize,
    },
    /// The XML declaration names another encoding.
    #[error("the document must be UTF-8, but its XML declaration {detail}")]
    OtherEncoding {
        /// What the declaration contains.
        detail: String,
    },
    /// A web page, such as an error or a login.
    #[error("the document is a web page{}; of all formats, only schema-org-html reads web pages", describe_title(.title.as_deref()))]
    HtmlPage {
        /// The title of the page.
        title: Option<String>,
    },
    /// A page of the document cannot be trusted.
    #[error("{error} ({page})")]
    InPage {
        /// The name of the page.
        page: String,
        /// Why.
        error: Box<Self>,
    },
    /// The document exceeds a limit.
    #[error("the document exceeds the limit of {limit} {what} (line {line})")]
    OverLimit {
        /// Line where the limit is exceeded.
        line: usize,
        /// The limit.
        limit: usize,
        /// What is counted, in the plural.
        what: &'static str,
    },
}

/// Why a spooled document could not be parsed.
#[derive(Debug, thiserror::Error)]
pub enum FeedReadError {
    /// The document cannot be trusted.
    #[error(transparent)]
    Document(#[from] FeedDocumentError),
    /// The temporary file of the spool cannot be read.
    #[error("the spooled document cannot be read")]
    Spool(#[from] io::Error),
}

impl FeedReadError {
    /// The error with the page that has it.
    pub(super) fn in_page(self, page: Option<&SpooledPage>) -> Self {
        match (self, page) {
            (Self::Document(error), Some(page)) => {
                FeedDocumentError::InPage { page: page.name.clone(), error: Box::new(error) }.into()
            }
            (error, _) => error,
        }
    }
}

/// The title of a page as part of a sentence.
pub(super) fn describe_title(title: Option<&str>) -> String {
    title.map(|title| format!(" with the title {}", quote(title))).unwrap_or_default()
}

impl FeedDocumentError {
    /// The stable reason code for the ledger.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty_document",
            Self::Truncated => "truncated",
            Self::Malformed { .. } => "malformed",
            Self::WrongRoot { .. } => "wrong_root",
            Self::NoItems { .. } | Self::NoEvents { .. } => "no_items",
            Self::Doctype { .. } => "doctype",
            Self::NotUtf8 { .. } | Self::OtherEncoding { .. } => "not_utf8",
            Self::HtmlPage { .. } => "html_page",
            Self::OverLimit { .. } => "over_limit",
            Self::InPage { error, .. } => error.code(),
        }
    }

    /// The same error in bytes that start at this line and column of the document.
    pub(super) fn offset_position(mut self, first_line: usize, first_column: usize) -> Self {
        match &mut self {
            Self::Malformed { line, column, .. } | Self::NotUtf8 { line, column } => {
                if *line == 1 {
                    *column += first_column - 1;
                }
                *line += first_line - 1;
            }
            Self::Doctype { line } | Self::OverLimit { line, .. } => *line += first_line - 1,
            _ => {}
        }
        self
    }
}
