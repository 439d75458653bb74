//! What `tandem.yaml` says, as written.

use super::SecretReference;
use super::node::{At, Content, Node};
use super::written::{Reader, Sided, Table, Written, written};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use std::borrow::Cow;

written! {
    /// The configuration: two systems, and where their flows are.
    struct MainText {
        /// The two systems by name, the first one first. Flow files speak of them by these names.
        connections: Table<At<ConnectionText>>,
        /// Which object serves a record type, per system.
        bindings: Option<Sided<Table<At<String>>>>,
        /// The folder of the flow files, from this file's own folder.
        flows: At<String>,
        /// Flows that take part only where they are named here: those that say `optional: true`.
        with: Option<Vec<At<String>>>,
        /// The introductory paragraph of the dataflow document.
        introduction: Option<String>,
        /// How far the two systems' clocks may be apart unnoticed (`2s` if absent).
        clock_error: Option<At<String>>,
        /// The history that `tandem history` tells and `tandem undo` works on.
        history: Option<At<HistoryText>>,
        /// The flows that create records in the first system, and no others. Absent: as the flow files say.
        create_in_first: Option<Vec<At<String>>>,
        /// The flows that create records in the second system, and no others. Absent: as the flow files say.
        create_in_second: Option<Vec<At<String>>>,
        /// The variants of flows that are in use where it is not the usual one, by flow.
        variants: Option<Table<At<String>>>,
        /// Where and how the state is kept.
        state: Option<StateText>,
        /// The pages and the HTTP API that `tandem run` serves.
        console: Option<ConsoleText>,
        /// Where systems are listened to that tell of changes by themselves (`webhooks` of a connection).
        webhooks: Option<ListenText>,
        /// Who is told when something needs somebody.
        alerts: Option<AlertsText>,
        /// The collector of OpenTelemetry that gets a trace of each change.
        traces: Option<TracesText>,
    }
}

written! {
    /// The collector of OpenTelemetry that gets a trace of each change.
    struct TracesText {
        /// The address at which it takes OTLP over HTTP, such as `http://127.0.0.1:4318`.
        endpoint: At<String>,
        /// Where the headers are kept that it asks for, as `name=value,name=value`. Absent: none.
        headers: Option<At<Option<SecretText>>>,
        /// One of so many changes is traced, up to 1000000 (`1` if absent: all).
        one_in: Option<At<u32>>,
    }
}

written! {
    /// Who is told when something needs somebody.
    struct AlertsText {
        /// Where the address is kept that alerts are posted to, as JSON: it often lets whoever knows it post.
        webhook: At<Option<SecretText>>,
        /// So long a system may be in trouble before anybody is told (`1m` if absent).
        after: Option<At<String>>,
        /// What lasts is told again after so long (`4h` if absent).
        again: Option<At<String>>,
    }
}

written! {
    /// The pages and the HTTP API that `tandem run` serves.
    struct ConsoleText {
        /// Where they are served, such as `127.0.0.1:8743`. Absent: at that address, or at a free port where it is taken.
        address: Option<At<String>>,
        /// Names that they answer to besides this machine's own, such as that of a proxy in front of them.
        names: Option<Vec<At<String>>>,
        /// Who signs in with a token.
        people: Option<Vec<PersonText>>,
        /// The provider of OpenID Connect that people sign in with, such as Keycloak, Entra ID, Google or Okta.
        sign_in: Option<At<ProviderText>>,
        /// So many may be connected at once (256 if absent).
        connections: Option<At<u32>>,
    }
}

written! {
    /// A provider of OpenID Connect, and who gets which role.
    struct ProviderText {
        /// The provider, exactly as it calls itself: `https://login.example.com/realms/staff`. It describes itself at
        /// `/.well-known/openid-configuration` below that.
        issuer: At<String>,
        /// What the provider knows Tandem as.
        client_id: At<String>,
        /// Where the secret is kept that the provider gave to Tandem. Absent: it asks for none.
        client_secret: Option<At<Option<SecretText>>>,
        /// What the way in calls it. Absent: the name of its machine.
        called: Option<String>,
        /// Where people's browsers reach the console, such as `https://tandem.example.com`: the provider leads them back to
        /// `/enter/return` there. Absent: the address that the console listens at, if that is on this machine.
        reached_at: Option<At<String>>,
        /// Who gets which role; whoever has several gets the highest, whoever has none does not come in.
        roles: At<Vec<GrantText>>,
        /// The claim that names somebody's groups, or the path to it, such as `realm_access.roles` (`groups` if absent).
        groups_claim: Option<At<String>>,
        /// What the provider is asked for besides `openid`, `email` and `profile`, such as `groups`.
        scopes: Option<Vec<At<String>>>,
        /// So long is somebody in, whatever becomes of them at the provider meanwhile (`8h` if absent).
        session: Option<At<String>>,
        /// A file with the certificates (PEM) of the authority that vouches for the provider. Absent: the machine's own.
        certificate_authority: Option<At<String>>,
    }
}

written! {
    /// A role for a group, or for one person by their e-mail address.
    struct GrantText {
        /// The group, as the provider writes it.
        group: Option<At<String>>,
        /// The e-mail address; it counts only where the provider says that it is verified.
        email: Option<At<String>>,
        /// `viewer`, `operator` or `admin`, as for people with tokens.
        role: At<String>,
    }
}

written! {
    /// Somebody who signs in with a token.
    struct PersonText {
        /// The name, for the log of who did what.
        name: At<String>,
        /// `viewer`: looks, personal values masked; `operator`: answers, approves, retries, pauses; `admin`: sees personal
        /// values and takes changes back, too.
        role: At<String>,
        /// Where the token is kept.
        token: At<Option<SecretText>>,
    }
}

written! {
    /// Where and how the state is kept.
    struct StateText {
        /// Where the connection string of a PostgreSQL server is kept (`postgres://user:password@host/database`). Absent: the
        /// state is kept in a folder of this machine.
        postgres: Option<At<Option<SecretText>>>,
        /// The schema on that server (`tandem` if absent).
        schema: Option<At<String>>,
        /// Where the key is kept that the state is encrypted with: 32 random bytes in base64. Absent: it is in clear.
        key: Option<At<Option<SecretText>>>,
        /// The key that it was encrypted with before, while keys change.
        former_key: Option<At<Option<SecretText>>>,
    }
}

written! {
    /// The history that `tandem history` tells and `tandem undo` works on.
    struct HistoryText {
        /// How long it is kept, at least `1d` (`400d` if absent). What something open needs stays longer.
        keep: Option<At<String>>,
    }
}

written! {
    /// How to reach a system.
    struct ConnectionText {
        /// The connector: which kind of system it is.
        kind: At<String>,
        /// The address to begin at.
        url: Option<At<String>>,
        /// The file that describes the interface of the system, from this file's own folder (`kind: rest`, `kind: sql`, `kind: folder`).
        description: Option<At<String>>,
        /// The folder with the system's files, from this file's own folder (`kind: folder`).
        folder: Option<At<String>>,
        /// The program that speaks for the system, with its arguments (`kind: program`). It is started in this file's own folder.
        command: Option<At<Vec<String>>>,
        /// How to sign in, where the system knows several ways: `client-credentials`, `jwt-bearer`, `refresh-token`.
        sign_in: Option<At<String>>,
        /// The user to sign in as, where the way of signing in asks for one.
        user: Option<At<String>>,
        /// Secrets by name: each a reference to where it is kept, never the secret itself.
        secrets: Option<Table<At<Option<SecretText>>>>,
        /// A file with the certificates (PEM) of the authority that vouches for the system. Absent: the machine's own.
        certificate_authority: Option<At<String>>,
        /// Nothing is ever written to it (`false` if absent): for a database or a folder that others own.
        read_only: Option<At<bool>>,
        /// How much of the system's calls of a day may be used.
        budget: Option<At<BudgetText>>,
        /// The longest time that a request may still take effect, such as `5s`, `10m`.
        request_deadline: Option<At<String>>,
        /// How far back changes are read again (`5m` if absent).
        overlap: Option<At<String>>,
        /// How often changes are asked for (`30s` if absent).
        poll: Option<At<String>>,
        /// How people's accounts are created. Absent: none are.
        users: Option<UsersText>,
        /// The user, by user name or id, who owns records whose own owner has no account. Absent: the user that
        /// Tandem signs in as.
        owner: Option<At<String>>,
        /// How changes are seen (a Salesforce org only).
        changes: Option<At<ChangesText>>,
        /// How writes travel (a Salesforce org only).
        writes: Option<At<WritesText>>,
        /// The system tells of changes by itself, with signed messages to `/webhooks/NAME` (not a Salesforce org).
        webhooks: Option<At<WebhooksText>>,
    }
}

written! {
    /// Where systems are listened to that tell of changes by themselves.
    struct ListenText {
        /// The address and port, such as `0.0.0.0:8744` (`127.0.0.1:8744` if absent).
        address: Option<At<String>>,
        /// How systems reach it from outside, such as `https://tandem.example.com`: what they are told where they are asked for messages.
        public: Option<At<String>>,
    }
}

written! {
    /// How a system's messages of changes are signed, and what they say. What is absent is as Standard Webhooks has it.
    struct WebhooksText {
        /// Where the secret is kept that the messages are signed with (HMAC with SHA-256). `whsec_` and base64, or any text.
        secret: At<Option<SecretText>>,
        /// The header with the signature, or several with blanks between them (`webhook-signature` if absent).
        signature: Option<At<String>>,
        /// What stands before the signature there, such as `sha256=` (`v1,` if absent).
        prefix: Option<String>,
        /// How the signature is written: `base64` (if absent) or `hex`.
        encoding: Option<At<String>>,
        /// What is signed (`{id}.{timestamp}.{body}` if absent; `{body}` where there is no time stamp).
        signs: Option<At<String>>,
        /// The header with the time stamp (`webhook-timestamp` if absent), or `none`: then an old message may come again.
        timestamp: Option<At<String>>,
        /// The header with the message's id (`webhook-id` if absent).
        id: Option<At<String>>,
        /// How old or how far ahead a time stamp may be (`5m` if absent).
        window: Option<At<String>>,
        /// Where the message names records: they are read at once. Absent: the system is asked for changes.
        records: Option<At<TellsText>>,
        /// The parameter that is sent back when the system asks whether somebody listens, such as `validationToken`.
        echo: Option<At<String>>,
        /// Where each entry of a message shows the secret itself, such as `value.clientState`, for systems that sign nothing.
        word: Option<At<String>>,
    }
}

written! {
    /// Where a message names the records that changed.
    struct TellsText {
        /// Where the records stand, such as `events`; the whole message if absent.
        at: Option<At<String>>,
        /// Where each says its record type (`type` if absent).
        r#type: Option<At<String>>,
        /// Where each says its id (`id` if absent).
        id: Option<At<String>>,
        /// Where each says its address, which ends with type and id as in `customers(7)`, in place of both.
        address: Option<At<String>>,
        /// Which record type is meant by the message's own words, where they differ.
        types: Option<Table<At<String>>>,
    }
}

written! {
    /// How writes to a Salesforce org travel.
    struct WritesText {
        /// `conditional`: an update happens only if the record still is what Tandem saw, 25 to a call.
        /// `throughput`: without a condition, 1,000 to a call, and by Bulk; for loads while nobody edits the org.
        mode: Option<At<String>>,
        /// More creates of one object than this travel by Bulk API 2.0 (2000 if absent), in throughput mode
        /// updates too; 0: none.
        bulk_above: Option<At<u32>>,
    }
}

written! {
    /// How changes of a Salesforce org are seen.
    struct ChangesText {
        /// The record types whose changes come as events, the most important first; an org without the add-on
        /// allows five. `[]`: all are polled. Absent: Contact, Order, Quote, Task and Invoice.
        events: Option<Vec<At<String>>>,
        /// The address of the Pub/Sub API (`https://api.pubsub.salesforce.com:7443` if absent).
        pubsub: Option<At<String>>,
        /// How often types without events are asked for while others have them (as `poll` if absent).
        poll: Option<At<String>>,
        /// How often each type is compared in full, for what no time stamp shows (`24h` if absent, `0s`: never).
        compare_every: Option<At<String>>,
    }
}

written! {
    /// How much of the system's calls of a day may be used, in percent.
    struct BudgetText {
        /// Of the calls that the system allows in a day (50 if absent).
        share: Option<At<u32>>,
        /// Of that share, what first loads, complete comparisons and bulk loads leave for live changes (20 if absent).
        live_reserve: Option<At<u32>>,
    }
}

written! {
    /// How people's accounts are created.
    struct UsersText {
        /// The profile, by name.
        profile: String,
        /// Licences that are left free.
        free_licences: u32,
        /// The time zone, such as `Europe/Berlin`.
        time_zone: String,
        /// The locale, such as `de_DE`.
        locale: String,
        /// The encoding of e-mail, such as `UTF-8`.
        encoding: String,
        /// The language, such as `en_US`.
        language: String,
    }
}

/// Where a secret is kept.
#[derive(Clone, Debug)]
pub(crate) enum SecretText {
    /// In this environment variable.
    Env(String),
    /// In this file.
    File(String),
}

impl SecretText {
    /// The place in the words of a configuration.
    pub(crate) fn reference(&self) -> SecretReference {
        match self {
            Self::Env(name) => SecretReference::Env(name.clone()),
            Self::File(path) => SecretReference::File(path.clone()),
        }
    }
}

impl Written for SecretText {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        const HELP: &str =
            "Write `{ env: NAME }` or `{ file: PATH }`: where the secret is kept, not the secret.";
        let Content::Table(entries) = &node.value else {
            reader.problem(
                node,
                "here stands a secret itself, or nothing that leads to one",
                HELP,
            );
            return None;
        };
        let [(key, value)] = entries.as_slice() else {
            reader.problem(node, "a secret is kept in exactly one place", HELP);
            return None;
        };
        let text = String::read(value, reader)?;
        match key.value.as_str() {
            "env" => Some(Self::Env(text)),
            "file" => Some(Self::File(text)),
            other => {
                reader.problem(key, format!("unknown key `{other}`"), HELP);
                None
            }
        }
    }
}

impl JsonSchema for SecretText {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "description": "Where a secret is kept.",
            "type": "object",
            "properties": { "env": { "type": "string" }, "file": { "type": "string" } },
            "additionalProperties": false,
            "minProperties": 1,
            "maxProperties": 1
        })
    }
}

/// The names of the connections in the order of the file, read before anything else.
pub(crate) fn system_names(root: &Node) -> Vec<At<String>> {
    let Content::Table(entries) = &root.value else {
        return Vec::new();
    };
    let connections = entries.iter().find(|(key, _)| key.value == "connections");
    match connections.map(|(_, node)| &node.value) {
        Some(Content::Table(systems)) => systems.iter().map(|(name, _)| name.clone()).collect(),
        _ => Vec::new(),
    }
}
