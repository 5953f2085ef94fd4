//! What can be typed, and what `--help` teaches about it.

use crate::runtime::settings;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  refused or failed; the sentence on standard error says why
  2  typed wrongly
  3  no daemon answers

Begin with:
  dragoman serve                 # everything on its defaults, plugins from ./plugins
  dragoman check                 # says what would keep the daemon from starting
  dragoman plugin list           # what is loaded, what was refused and why";

/// Carries commands between applications and devices that were built for different IoT platforms.
#[derive(Parser)]
#[command(name = "dragoman", version, after_help = EXIT_CODES, arg_required_else_help = true)]
pub(super) struct Cli {
    /// The configuration [default: dragoman.toml in the working folder where there is one, else every default]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Print JSON, for scripts
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

#[derive(Subcommand)]
pub(super) enum Verb {
    /// Run the daemon until SIGTERM or SIGINT
    #[command(after_help = "\
Examples:
  dragoman serve
  dragoman serve --config /etc/dragoman/dragoman.toml

When it is ready it prints one line of JSON with its addresses on standard output; logs go to standard error. On a signal
it stops accepting, waits for calls under way up to http.shutdown_grace_ms, and answers the rest 503 with the execution
id; a second signal ends the waiting. Nothing that was accepted is lost.")]
    Serve,
    /// Say what would keep the daemon from starting: configuration, folders, ports, plugins
    #[command(after_help = "\
Examples:
  dragoman check
  dragoman check --config dragoman.toml --json

Exits with 1 where anything would fail. It starts nothing and changes nothing; ports that a running daemon holds count
as taken.")]
    Check,
    /// Register, show and forget devices
    Device(Noun<DeviceVerb>),
    /// Send a command to a device
    Command(Noun<CommandVerb>),
    /// See what became of commands, and cancel them
    Execution(Noun<ExecutionVerb>),
    /// Make and remove credentials of applications
    Token(Noun<TokenVerb>),
    /// See the loaded plugins, have commands go over to newer versions; look into a plugin's file, and try it
    Plugin(Noun<PluginVerb>),
    /// See where plugins send requests, and decide about those that were given up
    Target(Noun<TargetVerb>),
    /// Compile the plugin on standard input for the daemon that runs this
    #[command(name = settings::COMPILE_PLUGIN, hide = true)]
    CompilePlugin {
        /// What the daemon says
        limits: Vec<String>,
    },
}

/// A noun: where its daemon is, and what to do.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub(super) struct Noun<V: Subcommand> {
    #[command(flatten)]
    pub(super) connection: Connection,
    #[command(subcommand)]
    pub(super) verb: V,
}

/// Which daemon, and the token for it.
#[derive(Args)]
pub(super) struct Connection {
    /// Address of the admin API [default: admin.listen of the configuration]
    #[arg(long, global = true, env = "DRAGOMAN_ADMIN", value_name = "URL")]
    pub(super) admin: Option<String>,
    /// File with the admin token [default: DRAGOMAN_ADMIN_TOKEN, else what the configuration says]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,
    /// For an https address: file with the authorities that are trusted, in PEM [default: the system's]
    #[arg(long, global = true, env = "DRAGOMAN_ADMIN_CA_FILE", value_name = "FILE")]
    pub(super) ca_file: Option<PathBuf>,
    /// Where the admin API wants a certificate of its clients: file with yours, in PEM
    #[arg(long, global = true, env = "DRAGOMAN_ADMIN_CERTIFICATE_FILE", value_name = "FILE", requires = "key_file")]
    pub(super) certificate_file: Option<PathBuf>,
    /// File with the key of that certificate, in PEM
    #[arg(long, global = true, env = "DRAGOMAN_ADMIN_KEY_FILE", value_name = "FILE", requires = "certificate_file")]
    pub(super) key_file: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(super) enum DeviceVerb {
    /// Register a device
    #[command(after_help = "\
Examples:
  dragoman device add lamp-1 --dialect acme-things --alias things.name=lamp-1 --secret-file lamp-1.secret
  dragoman device add meter_1 --dialect globex-units --alias globex.id=meter_1 --credential key --secret-env METER_SECRET
  dragoman device add box-1 --dialect acme-things --handler lockbox --label site=north
  dragoman device add sub_1 --dialect globex-units --parent gateway_1

An alias is the name that a platform has for the device; with aliases of several platforms, applications of each can
command it. A secret of kind password is presented by the device and kept hashed; one of kind key is what the device
computes an HMAC with, and is kept encrypted.")]
    Add(Box<DeviceAdd>),
    /// Register many devices, a JSON object a line
    #[command(after_help = "\
Examples:
  dragoman device import devices.jsonl
  generate-devices | dragoman device import -

A line: {\"id\":\"lamp-1\",\"dialect\":\"acme-things\",\"aliases\":{\"things.name\":\"lamp-1\"},\"labels\":{\"site\":\"north\"},
\"credential\":{\"kind\":\"password\",\"secret\":\"…\"}}. Also handler, parent and profile. Lines that are refused do not touch
the others; they are named, and the exit code is 1.")]
    Import {
        /// The file; - is standard input
        file: PathBuf,
    },
    /// List devices, by id
    #[command(after_help = "\
Examples:
  dragoman device list
  dragoman device list --label site=north --limit 1000
  dragoman device list --after lamp-100        # the page behind that one")]
    List {
        /// Only those with this label; may be given several times
        #[arg(long = "label", value_name = "NAME=VALUE", value_parser = super::input::pair)]
        labels: Vec<(String, String)>,
        #[command(flatten)]
        page: Page,
    },
    /// Show a device with its profile
    Show {
        /// Its id
        id: String,
    },
    /// Forget a device and its secret; its session is closed
    Remove {
        /// Its id
        id: String,
    },
}

#[derive(Args)]
pub(super) struct DeviceAdd {
    /// Its id here: 1 to 128 of A-Z a-z 0-9 _ . : -
    pub(super) id: String,
    /// The plugin that reaches it
    #[arg(long)]
    pub(super) dialect: String,
    /// The plugin that plans its commands; without one the intent is the frame
    #[arg(long)]
    pub(super) handler: Option<String>,
    /// The gateway device it hangs below
    #[arg(long, value_name = "ID")]
    pub(super) parent: Option<String>,
    /// A platform's name for it, such as things.name=lamp-1; may be given several times
    #[arg(long = "alias", value_name = "NAMESPACE=NAME", value_parser = super::input::pair)]
    pub(super) aliases: Vec<(String, String)>,
    /// May be given several times
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = super::input::pair)]
    pub(super) labels: Vec<(String, String)>,
    /// What its dialect shall know about it, a JSON object
    #[arg(long, value_name = "JSON", value_parser = super::input::json)]
    pub(super) profile: Option<serde_json::Value>,
    #[command(flatten)]
    pub(super) secret: Secret,
    /// What the secret is used for
    #[arg(long, value_enum, default_value = "password")]
    pub(super) credential: Credential,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Credential {
    /// The device presents it
    Password,
    /// The device computes an HMAC with it
    Key,
}

/// A secret never stands on the command line, where other users of the machine see it.
#[derive(Args)]
#[group(multiple = false)]
pub(super) struct Secret {
    /// File with the secret; a line feed at its end does not count
    #[arg(long, value_name = "FILE")]
    pub(super) secret_file: Option<PathBuf>,
    /// Environment variable with the secret
    #[arg(long, value_name = "VAR")]
    pub(super) secret_env: Option<String>,
}

#[derive(Subcommand)]
pub(super) enum CommandVerb {
    /// Send a command to a device
    #[command(after_help = "\
Examples:
  dragoman command send lamp-1 --invoke setLevel --params '{\"level\":7}' --wait
  dragoman command send lamp-1 --write level=7 --write 'mode=\"night\"'
  dragoman command send lamp-1 --read level --read mode
  dragoman command send lamp-1 --read                  # everything
  dragoman command send lamp-1 --deliver 'any text' --ttl-ms 60000

With --wait it returns when the command has ended: 0 where it succeeded, else 1. Without, it returns when the command is
durable; see what became of it with dragoman execution show ID.")]
    Send(Box<CommandSend>),
}

#[derive(Args)]
#[command(group = clap::ArgGroup::new("intent").required(true).multiple(false).args(["invoke", "write", "read", "deliver"]))]
pub(super) struct CommandSend {
    /// Id of the device
    pub(super) device: String,
    /// Do something and answer
    #[arg(long, value_name = "ACTION")]
    pub(super) invoke: Option<String>,
    /// Parameters of the action, a JSON object
    #[arg(long, value_name = "JSON", requires = "invoke", value_parser = super::input::json)]
    pub(super) params: Option<serde_json::Value>,
    /// The group of actions or properties, where the platform has groups
    #[arg(long)]
    pub(super) service: Option<String>,
    /// Set a property; may be given several times
    #[arg(long, value_name = "NAME=JSON", value_parser = super::input::property)]
    pub(super) write: Vec<(String, serde_json::Value)>,
    /// Ask for a property; may be given several times, and without a name it asks for everything
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "")]
    pub(super) read: Vec<String>,
    /// Pass a text on as it is
    #[arg(long, value_name = "TEXT")]
    pub(super) deliver: Option<String>,
    /// Time to live in milliseconds, from now
    #[arg(long, value_name = "N")]
    pub(super) ttl_ms: Option<u32>,
    /// A key against doubles: the same key, device and command are one execution
    #[arg(long, value_name = "KEY")]
    pub(super) idempotency_key: Option<String>,
    /// Return when it has ended
    #[arg(long)]
    pub(super) wait: bool,
}

#[derive(Subcommand)]
pub(super) enum ExecutionVerb {
    /// List executions, the newest first
    #[command(after_help = "\
Examples:
  dragoman execution list --device lamp-1
  dragoman execution list --state queued --state sent --origin acme-things
  dragoman execution list --label batch=7 --limit 1000 --json")]
    List {
        /// Only for this device
        #[arg(long, value_name = "ID")]
        device: Option<String>,
        /// Only from this dialect, or admin
        #[arg(long)]
        origin: Option<String>,
        /// queued, sent, acked, succeeded, failed, rejected, timed_out or canceled; may be given several times
        #[arg(long = "state", value_name = "STATE")]
        states: Vec<String>,
        /// Only those with this label; may be given several times
        #[arg(long = "label", value_name = "NAME=VALUE", value_parser = super::input::pair)]
        labels: Vec<(String, String)>,
        #[command(flatten)]
        page: Page,
    },
    /// Show an execution with its history
    Show {
        /// Its id
        id: String,
    },
    /// Cancel an execution that has not ended
    Cancel {
        /// Its id
        id: String,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum TokenKind {
    /// Random; good by itself in a token header
    Token,
    /// Somebody's choice; good only together with its account
    Password,
    /// The host signs and checks with it
    Key,
}

#[derive(Subcommand)]
pub(super) enum TokenVerb {
    /// Make the credential of an application
    #[command(after_help = "\
Examples:
  dragoman token create --dialect acme-things --account ak_1 --rights '{\"GET\":[\"/\"],\"POST\":[\"/\"]}'
  dragoman token create --dialect globex-units --account app-1 --secret-env APP_TOKEN
  dragoman token create --dialect acme-things --account ann --kind password --secret-file ann.secret
  dragoman token create --dialect acme-things --account jwt --kind key

Without a secret one is made and shown once: account and secret for Basic authentication, the secret alone for a token
header. What rights mean is said by the dialect.

An account of kind key is nobody's login: the host signs the dialect's own tokens (JWT, HS256) and checks its signatures
with it, and the plugin never sees it. The dialect's README.md says under which name it looks for one. To replace such a
key, remove the account and make it anew; every token that the old one signed is refused from then on.")]
    Create {
        /// The plugin it is for
        #[arg(long)]
        dialect: String,
        /// Its name
        #[arg(long)]
        account: String,
        /// What it may do, a JSON object
        #[arg(long, value_name = "JSON", value_parser = super::input::json)]
        rights: Option<serde_json::Value>,
        /// What the secret is used for [default: token, or password where it has less than 16 characters]
        #[arg(long, value_enum)]
        kind: Option<TokenKind>,
        #[command(flatten)]
        secret: Secret,
    },
    /// List credentials of applications, without their secrets
    List {
        /// Only of this dialect [default: of every loaded plugin]
        #[arg(long)]
        dialect: Option<String>,
    },
    /// Remove the credential of an application; it is refused from then on
    Remove {
        /// The plugin it is for
        #[arg(long)]
        dialect: String,
        /// Its name
        #[arg(long)]
        account: String,
    },
}

#[derive(Subcommand)]
pub(super) enum PluginVerb {
    /// List the loaded plugins, the older versions that open commands need, and the files that were refused
    List,
    /// Say what a plugin's file is, what it needs, and why it would be refused; needs no daemon
    #[command(after_help = "\
Examples:
  dragoman plugin inspect target/plugins/lockbox.wasm
  dragoman plugin inspect dimmer.wasm --json

It is loaded as the daemon would, with the limits and the grants of the configuration; where there is no configuration,
everything is granted. Exits with 1 where it would be refused.")]
    Inspect {
        /// The component
        component: PathBuf,
    },
    /// Make the calls of golden vectors and compare what comes of them; needs no daemon and no broker
    Test(PluginTest),
    /// Call a plugin again at once that is in quarantine
    #[command(after_help = "\
A plugin that keeps failing is not called for a while; `dragoman plugin list` says for how long and why. Where the cause is
gone, readmit it instead of waiting; if it goes on failing it is in quarantine again. Commands stay with their versions.

Example:
  dragoman plugin readmit lockbox")]
    Readmit {
        /// Name of the plugin
        name: String,
    },
    /// Have open commands go over from older versions of a plugin to the newest
    #[command(after_help = "\
A command keeps to the version of its handler that began it. When that version is replaced it stays loaded until the last
such command has ended; `dragoman plugin list` shows how many there are. A release has them go on with the newest version,
which may not understand what the older one kept. Each has a line about it in its history.

Examples:
  dragoman plugin release lockbox
  dragoman plugin release lockbox --digest 1f0c9a77")]
    Release {
        /// Name of the plugin
        name: String,
        /// Only from the version whose digest begins so (at least 8 digits)
        #[arg(long)]
        digest: Option<String>,
    },
    /// See and decide about messages that a plugin failed to read
    #[command(subcommand, arg_required_else_help = true)]
    DeadLetter(DeadLetterVerb),
}

#[derive(Subcommand)]
pub(super) enum DeadLetterVerb {
    /// List the messages of clients that their plugin failed to read, the oldest first
    #[command(after_help = "\
A message is kept here when the plugin that should read it traps, exceeds a limit, breaks the contract or is in quarantine;
its sender is told that it arrived. So many are kept as plugins.dead_letters_max and dead_letters_max_bytes allow; past that
the oldest give way. They hold what clients sent, secrets in payloads included; `show` prints it.

Examples:
  dragoman plugin dead-letter list
  dragoman plugin dead-letter list --plugin my-dialect --json")]
    List {
        /// Only those of this plugin
        #[arg(long, value_name = "NAME")]
        plugin: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Show one of them, with its payload
    Show {
        /// Its number
        number: u64,
    },
    /// Have the newest version of the plugin read them once more, as if they came now
    #[command(after_help = "\
What is read is taken out of the list; what fails again stays. A kill at that moment may have a message read twice. At most
1000 are read in one go.

Examples:
  dragoman plugin dead-letter replay 17
  dragoman plugin dead-letter replay --plugin my-dialect")]
    Replay(WhichLetters),
    /// Forget them
    Drop(WhichLetters),
}

/// Which dead letters are meant.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub(super) struct WhichLetters {
    /// The one with this number
    pub(super) number: Option<u64>,
    /// All of this plugin
    #[arg(long, value_name = "NAME")]
    pub(super) plugin: Option<String>,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  dragoman plugin test dimmer.wasm --vectors examples/dimmer/vectors
  dragoman plugin test dimmer.wasm --vectors vectors --bless      # then read the difference
  dragoman plugin test dimmer.wasm --vectors vectors --carry out/dimmer.wasm

A vector is a JSON file: a call, what it is given, and what must come of it; docs/vectors.md is the format. Each call is
made in an instance of its own, with everything granted. Exits with 1 where one fails.")]
pub(super) struct PluginTest {
    /// The component
    pub(super) component: PathBuf,
    /// Folder of the vectors, one .json file each
    #[arg(long, value_name = "DIR")]
    pub(super) vectors: PathBuf,
    /// Write what came of each call that failed into its file
    #[arg(long)]
    pub(super) bless: bool,
    /// Where all pass, write a copy of the component that carries them; whoever loads it tries them first
    #[arg(long, value_name = "FILE", conflicts_with = "bless")]
    pub(super) carry: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(super) enum TargetVerb {
    /// List the targets of the configuration, what waits for them and their last answer
    #[command(after_help = "\
Examples:
  dragoman target list
  dragoman target list --json

A request waits until the target answers it with 2xx. It is given up when its tries are used up, or when the answer is
final, such as 404; then it is kept until you retry or drop it. HELD MS says for how many milliseconds nothing
is sent, because the target could not be reached.")]
    List,
    /// Show a target and the requests that were given up, the newest first
    Show {
        /// Its name
        name: String,
    },
    /// Send what was given up once more, with all its tries, and what waits for its next try at once
    Retry {
        /// Its name
        name: String,
    },
    /// Forget what was given up; of a target that is not configured any more, everything that waits for it
    Drop {
        /// Its name
        name: String,
    },
}

/// Which part of a list.
#[derive(Args)]
pub(super) struct Page {
    /// Most items, 1 to 1000
    #[arg(long, default_value_t = 100)]
    pub(super) limit: u32,
    /// The page behind the one that named this
    #[arg(long, value_name = "PLACE")]
    pub(super) after: Option<String>,
}
