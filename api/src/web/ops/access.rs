//! Who may see the pages of operators, and what else they may do.

use poem::Request;

use crate::{
    auth::{Caller, CallerName, Scope},
    error::ApiError,
    state::State,
};

/// An authorized operator. What changes something requires another scope: a key that was created to read must not write.
#[derive(Debug)]
pub(super) struct Operator<'a> {
    state: &'a State,
    caller: Caller,
    pub(super) name: CallerName,
}

impl<'a> Operator<'a> {
    /// Authorizes the caller of a request.
    pub(super) fn authorize(state: &'a State, request: &Request) -> Result<Self, ApiError> {
        let caller = Caller::from_headers(request.headers());
        let name = state.keys.authorize_operator(request, &caller)?;
        Ok(Self { state, caller, name })
    }

    /// Whether the operator may write what requires `scope`.
    pub(super) fn may(&self, scope: &Scope) -> bool {
        self.state.keys.permits(&self.caller, scope)
    }

    /// The token of forms.
    pub(super) fn token(&self) -> String {
        self.state.keys.form_token(&self.caller)
    }

    /// The token of a form that requires `scope`, if the operator may send it.
    pub(super) fn token_for(&self, scope: &Scope) -> Option<String> {
        self.may(scope).then(|| self.token())
    }

    /// Authorizes a form that requires `scope`, except for its token.
    pub(super) fn authorize_write(&self, request: &Request, scope: &Scope) -> Result<(), ApiError> {
        self.require_same_origin(request)?;
        self.state.keys.authorize(request, &self.caller, scope).map(drop)
    }

    /// Rejects the form of a page of another origin, before its body is read.
    pub(super) fn require_same_origin(&self, request: &Request) -> Result<(), ApiError> {
        self.state.keys.require_same_origin(request, &self.caller)
    }

    /// Checks the token of a form.
    pub(super) fn check_token(&self, token: Option<&str>) -> Result<(), ApiError> {
        self.state.keys.check_form_token(&self.caller, token)
    }
}
