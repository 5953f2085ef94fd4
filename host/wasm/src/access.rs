//! Who may do what: the one table of the imports, each with what it does, and of the exports, each with what it may
//! ask of the host meanwhile.

/// What an import does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Knows what the call was given: clock, ids, settings, log.
    Own,
    /// Reads from the host.
    Read,
    /// Notes something about a session; the only write of an admission.
    Note,
    /// Buffers a write, a message or a request.
    Write,
    /// Buffers a line in the history of a command. Dialects are told of it, so one that is being told something adds none: it
    /// would keep itself busy and the journal growing for ever.
    Tell,
    /// Buffers an event. Told events may lead to others, a few in a row.
    Emit,
    /// Submits a command.
    Submit,
    /// Asks a device's handler.
    Ask,
}

use Access::{Ask, Emit, Note, Own, Read, Submit, Tell, Write};

const NOTHING: &[Access] = &[];
const PURE: &[Access] = &[Own];
const READS: &[Access] = &[Own, Read];
const READS_AND_NOTES: &[Access] = &[Own, Read, Note];
const WRITES: &[Access] = &[Own, Read, Note, Write];
const EMITS: &[Access] = &[Own, Read, Note, Write, Emit];
const TELLS: &[Access] = &[Own, Read, Note, Write, Emit, Tell];
const SUBMITS: &[Access] = &[Own, Read, Note, Write, Emit, Tell, Submit];
const EVERYTHING: &[Access] = &[Own, Read, Note, Write, Emit, Tell, Submit, Ask];

/// Which of a platform's sides an export speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    /// Its applications, which see only what they submitted themselves.
    Application,
    /// Its devices, whose dialect sees every command for a device that it reaches.
    Device,
}

macro_rules! exports {
    ($($export:ident $name:literal $side:ident $may:ident;)*) => {
        /// An exported function.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Export { $($export,)* }

        impl Export {
            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$export,)*];

            /// Interface and function, as in `wit/exports.wit`.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$export => $name,)* }
            }

            const fn side(self) -> Side {
                match self { $(Self::$export => Side::$side,)* }
            }

            const fn may(self) -> &'static [Access] {
                match self { $(Self::$export => $may,)* }
            }
        }
    };
}

macro_rules! imports {
    ($($import:ident $name:literal $access:ident;)*) => {
        /// An imported function.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Import { $($import,)* }

        impl Import {
            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$import,)*];

            /// Interface and function, as in `wit/imports.wit`.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$import => $name,)* }
            }

            /// What it does.
            pub(crate) const fn access(self) -> Access {
                match self { $(Self::$import => Access::$access,)* }
            }
        }
    };
}

// `describe` has no call around it and handlers are pure. Only what begins or goes on with a request submits, because
// there somebody waits for what comes of it; an answer that is being worded writes nothing.
exports! {
    Describe          "plugin.describe"               Device      NOTHING;
    Authenticate      "admission.authenticate"        Device      READS_AND_NOTES;
    HandleRequest     "northbound.handle-request"     Application EVERYTHING;
    Settled           "northbound.settled"            Application READS;
    TopicsMessage     "topics.handle-message"         Application EVERYTHING;
    TopicsSettled     "topics.settled"                Application TELLS;
    Answered          "answers.answered"              Application SUBMITS;
    Dispatch          "southbound.dispatch"           Device      TELLS;
    SouthboundMessage "southbound.handle-message"     Device      TELLS;
    OnSubscribe       "subscriptions.on-subscribe"    Device      TELLS;
    OnTransitions     "notifications.on-transitions"  Device      WRITES;
    OnEvent           "notifications.on-event"        Device      EMITS;
    Commands          "handler.commands"              Device      PURE;
    Start             "handler.start"                 Device      PURE;
    Resume            "handler.resume"                Device      PURE;
    Decode            "decoder.decode"                Device      PURE;
}

imports! {
    Now                   "host.now"                      Own;
    NewId                 "host.new-id"                   Own;
    Settings              "host.settings"                 Own;
    Log                   "host.log"                      Own;
    DevicesGet            "devices.get"                   Read;
    DevicesResolve        "devices.resolve"               Read;
    DevicesQuery          "devices.query"                 Read;
    DevicesCount          "devices.count"                 Read;
    DevicesCreate         "devices.create"                Write;
    DevicesPutProfile     "devices.put-profile"           Write;
    DevicesUpdate         "devices.update"                Write;
    DevicesRemove         "devices.remove"                Write;
    DevicesAddAlias       "devices.add-alias"             Write;
    Submission            "executions.submission"         Submit;
    Submit                "executions.submit"             Submit;
    ExecutionsGet         "executions.get"                Read;
    ExecutionsQuery       "executions.query"              Read;
    ExecutionsBetween     "executions.query-between"      Read;
    ExecutionsByAlias     "executions.get-by-alias"       Read;
    ExecutionsOpen        "executions.get-open"           Read;
    ExecutionsCount       "executions.count"              Read;
    Cancel                "executions.cancel"             Tell;
    Tell                  "executions.tell"               Tell;
    TellFor               "executions.tell-for"           Tell;
    AttemptFailed         "executions.attempt-failed"     Tell;
    Note                  "executions.note"               Tell;
    SetLabel              "executions.set-label"          Write;
    CheckPresented        "credentials.check-presented"   Read;
    VerifyMac             "credentials.verify-mac"        Read;
    CheckPassword         "credentials.check-password"    Read;
    SignJwt               "credentials.sign-jwt"          Read;
    VerifyJwt             "credentials.verify-jwt"        Read;
    DocumentsGet          "documents.get"                 Read;
    DocumentsQuery        "documents.query"               Read;
    DocumentsCount        "documents.count"               Read;
    DocumentsPut          "documents.put"                 Write;
    DocumentsRemove       "documents.remove"              Write;
    NextNumber            "documents.next-number"         Write;
    SessionsGet           "sessions.get"                  Read;
    Subscriptions         "sessions.subscriptions"        Read;
    DeviceSubscriptions   "sessions.device-subscriptions" Read;
    GetNotes              "sessions.get-notes"            Read;
    PutNotes              "sessions.put-notes"            Note;
    SetPolicy             "sessions.set-policy"           Write;
    Follow                "sessions.follow"               Write;
    Unfollow              "sessions.unfollow"             Write;
    Close                 "sessions.close"                Write;
    Publish               "outbox.publish"                Write;
    Request               "outbox.request"                Write;
    Emit                  "events.emit"                   Emit;
    Ask                   "asks.ask"                      Ask;
}

impl Export {
    /// Whether an import may be called meanwhile.
    pub(crate) fn allows(self, access: Access) -> bool {
        self.may().contains(&access)
    }

    /// Whether it belongs to a platform's application side, which sees only what it submitted itself.
    pub(crate) fn is_application_side(self) -> bool {
        self.side() == Side::Application
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Every function of the interfaces in a file of the contract. Methods of the resource count as its constructor.
    fn functions(wit: &str) -> BTreeSet<String> {
        let (mut interface, mut functions) = ("", BTreeSet::new());
        for line in wit.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix("interface ") {
                interface = name.trim_end_matches(" {");
            } else if line.starts_with("resource ") || line.starts_with("constructor(") {
                functions.insert(format!("{interface}.submission"));
            } else if let Some((name, _)) = line.split_once(": func(") {
                functions.insert(format!("{interface}.{name}"));
            }
        }
        let methods =
            ["alias", "idempotency-key", "context", "label", "ttl", "succeeds-at", "when-away", "queue", "attempts"];
        functions.retain(|name| !methods.iter().any(|method| *name == format!("executions.{method}")));
        functions
    }

    #[test]
    fn the_table_holds_every_function_of_the_contract() {
        let imports = functions(include_str!("../../../wit/imports.wit"));
        let known: BTreeSet<_> = Import::ALL.iter().map(|import| import.name().to_owned()).collect();
        assert_eq!(known, imports);
        let exports = functions(include_str!("../../../wit/exports.wit"));
        let known: BTreeSet<_> = Export::ALL.iter().map(|export| export.name().to_owned()).collect();
        assert_eq!(known, exports);
    }

    #[test]
    fn who_submits_waits_and_what_is_pure_asks_nothing() {
        for export in Export::ALL {
            let submits = export.allows(Access::Submit);
            let waits = matches!(export, Export::HandleRequest | Export::TopicsMessage | Export::Answered);
            assert_eq!(submits, waits, "{export:?}");
            assert_eq!(export.allows(Access::Ask), submits && *export != Export::Answered, "{export:?}");
            assert!(!submits || export.allows(Access::Write), "{export:?}");
            // Who is told of transitions and events makes no transitions, and who is told of transitions no events.
            let told = export.name().starts_with("notifications.");
            assert_eq!(export.allows(Access::Tell), export.allows(Access::Write) && !told, "{export:?}");
            let emits = export.allows(Access::Write) && *export != Export::OnTransitions;
            assert_eq!(export.allows(Access::Emit), emits, "{export:?}");
            let pure = export.name().starts_with("handler.") || export.name().starts_with("decoder.");
            assert_eq!(pure, export.allows(Access::Own) && !export.allows(Access::Read), "{export:?}");
        }
        assert!(!Export::Describe.allows(Access::Own));
    }
}
