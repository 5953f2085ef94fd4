//! The functions that the host calls, and what each may ask of the host meanwhile.

/// An exported function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Export {
    Describe,
    Authenticate,
    HandleRequest,
    Settled,
    Dispatch,
    SouthboundMessage,
    Commands,
    Start,
    Resume,
}

/// What an import does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Knows what the call was given: clock, ids, settings, log.
    Own,
    /// Reads from the host, or buffers a write.
    Host,
    /// Submits a command.
    Submit,
}

impl Export {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Describe => "plugin.describe",
            Self::Authenticate => "admission.authenticate",
            Self::HandleRequest => "northbound.handle-request",
            Self::Settled => "northbound.settled",
            Self::Dispatch => "southbound.dispatch",
            Self::SouthboundMessage => "southbound.handle-message",
            Self::Commands => "handler.commands",
            Self::Start => "handler.start",
            Self::Resume => "handler.resume",
        }
    }

    /// Whether an import may be called. `describe` has no call around it, a handler is pure, and only a new request
    /// submits.
    pub(crate) fn allows(self, access: Access) -> bool {
        match self {
            Self::Describe => false,
            Self::Commands | Self::Start | Self::Resume => access == Access::Own,
            Self::HandleRequest => true,
            Self::Authenticate | Self::Settled | Self::Dispatch | Self::SouthboundMessage => access != Access::Submit,
        }
    }

    /// Whether it belongs to a platform's application side, which sees only what it submitted itself.
    pub(crate) fn is_northbound(self) -> bool {
        matches!(self, Self::HandleRequest | Self::Settled)
    }
}
