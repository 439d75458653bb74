//! What the org answers when it refuses: a documented error code, its HTTP status, a message, and the fields meant.

use serde_json::{Value as Json, json};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $status:literal;)*) => {
        /// The error codes the org answers with.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum Code {
            $($(#[$doc])* $name,)*
        }
        impl Code {
            /// The code as it stands in a reply.
            #[must_use]
            pub(crate) fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text,)* }
            }
            /// The HTTP status of a reply that carries it.
            #[must_use]
            pub(crate) fn status(self) -> u16 {
                match self { $(Code::$name => $status,)* }
            }
        }
    };
}

codes! {
    /// The Bulk API does not do this.
    ApiError = "API_ERROR", 400;
    /// The rest of a request that is all or none was taken back.
    AllOrNoneRolledBack = "ALL_OR_NONE_OPERATION_ROLLED_BACK", 400;
    /// A subrequest that was not carried out because one before it failed.
    BatchHalted = "BATCH_PROCESSING_HALTED", 412;
    /// The data of a bulk job is not as it has to be.
    ClientInput = "CLIENTINPUTERROR", 400;
    /// The Global division, or one in use, cannot be deactivated.
    CannotDeactivateDivision = "CANNOT_DEACTIVATE_DIVISION", 400;
    /// A validation rule refuses the record.
    CustomValidation = "FIELD_CUSTOM_VALIDATION_EXCEPTION", 400;
    /// The record cannot be deleted in its state.
    DeleteFailed = "DELETE_FAILED", 400;
    /// Several records bear the value that one is to be found by.
    DuplicateExternalId = "DUPLICATE_EXTERNAL_ID", 400;
    /// Another user bears the nickname.
    DuplicateNickname = "DUPLICATE_COMM_NICKNAME", 400;
    /// Another user bears the user name.
    DuplicateUsername = "DUPLICATE_USERNAME", 400;
    /// Another record holds the unique value.
    DuplicateValue = "DUPLICATE_VALUE", 400;
    /// The record lies in the recycle bin.
    EntityIsDeleted = "ENTITY_IS_DELETED", 404;
    /// The record, or one of its fields, is locked in its state.
    EntityIsLocked = "ENTITY_IS_LOCKED", 400;
    /// More rows than one request may carry.
    ExceededIdLimit = "EXCEEDED_ID_LIMIT", 400;
    /// An order cannot be activated as it is.
    FailedActivation = "FAILED_ACTIVATION", 400;
    /// The fields contradict each other or their parents.
    FieldIntegrity = "FIELD_INTEGRITY_EXCEPTION", 400;
    /// The owner is not an active user.
    InactiveOwner = "INACTIVE_OWNER_OR_USER", 400;
    /// The caller may not deploy.
    InsufficientMetadata = "INSUFFICIENT_ACCESS", 403;
    /// The caller may not do this.
    InsufficientAccess = "INSUFFICIENT_ACCESS_OR_READONLY", 403;
    /// A version of the API that is retired.
    Gone = "GONE", 410;
    /// An id that does not fit here.
    InvalidIdField = "INVALID_ID_FIELD", 400;
    /// An operation that this org does not allow.
    InvalidOperation = "INVALID_OPERATION", 400;
    /// Not a SOAP envelope.
    InvalidSoap = "INVALID_SOAP_HEADER", 500;
    /// A reference to nothing.
    InvalidCrossReferenceKey = "INVALID_CROSS_REFERENCE_KEY", 400;
    /// Not an e-mail address.
    InvalidEmail = "INVALID_EMAIL_ADDRESS", 400;
    /// A request that contradicts itself.
    InvalidInput = "INVALID_INPUT", 400;
    /// The Bulk API does not do this with the object.
    InvalidEntity = "INVALIDENTITY", 400;
    /// A bulk job that cannot be.
    InvalidJob = "INVALIDJOB", 400;
    /// A bulk job is in the wrong state for this.
    InvalidJobState = "INVALIDJOBSTATE", 400;
    /// A bulk job belongs to another version of the API.
    InvalidVersion = "INVALIDVERSION", 409;
    /// A value that is not of its field's type, in a bulk job.
    InvalidTypeOnField = "INVALID_TYPE_ON_FIELD_IN_RECORD", 400;
    /// No such field, or not usable here.
    InvalidField = "INVALID_FIELD", 400;
    /// A field that cannot be written.
    InvalidFieldForInsertUpdate = "INVALID_FIELD_FOR_INSERT_UPDATE", 400;
    /// A value outside a restricted picklist.
    InvalidPicklistValue = "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", 400;
    /// An operator that the field does not take.
    InvalidQueryFilterOperator = "INVALID_QUERY_FILTER_OPERATOR", 400;
    /// An unknown or expired query cursor.
    InvalidQueryLocator = "INVALID_QUERY_LOCATOR", 400;
    /// Dates that getUpdated and getDeleted do not take.
    InvalidReplicationDate = "INVALID_REPLICATION_DATE", 400;
    /// No valid access token.
    InvalidSession = "INVALID_SESSION_ID", 401;
    /// No such object.
    InvalidType = "INVALID_TYPE", 400;
    /// The object does not support the call.
    InvalidTypeForOperation = "INVALID_TYPE_FOR_OPERATION", 400;
    /// The body is not JSON of the expected shape, or a value has the wrong JSON type.
    JsonParser = "JSON_PARSER_ERROR", 400;
    /// No licence is left for another active user.
    LicenseLimit = "LICENSE_LIMIT_EXCEEDED", 400;
    /// A documented limit of the request.
    LimitExceeded = "LIMIT_EXCEEDED", 400;
    /// Not an id.
    MalformedId = "MALFORMED_ID", 400;
    /// Not SOQL.
    MalformedQuery = "MALFORMED_QUERY", 400;
    /// Not SOSL.
    MalformedSearch = "MALFORMED_SEARCH", 400;
    /// The HTTP method does not fit the resource.
    MethodNotAllowed = "METHOD_NOT_ALLOWED", 405;
    /// Something the request must carry is absent.
    MissingArgument = "MISSING_ARGUMENT", 400;
    /// Users and other records in one transaction.
    MixedDml = "MIXED_DML_OPERATION", 400;
    /// No such record or resource.
    NotFound = "NOT_FOUND", 404;
    /// A documented part of the API that this org leaves out.
    NotImplemented = "FUNCTIONALITY_NOT_ENABLED", 501;
    /// A number with more digits than the field holds.
    NumberOutsideRange = "NUMBER_OUTSIDE_VALID_RANGE", 400;
    /// The record changed since the given moment.
    PreconditionFailed = "PRECONDITION_FAILED", 412;
    /// A subrequest that was not carried out because of another.
    ProcessingHalted = "PROCESSING_HALTED", 400;
    /// Mandatory fields are blank.
    RequiredFieldMissing = "REQUIRED_FIELD_MISSING", 400;
    /// The day's calls are used up.
    RequestLimit = "REQUEST_LIMIT_EXCEEDED", 403;
    /// The request could not be begun in time; nothing was done.
    ServerUnavailable = "SERVER_UNAVAILABLE", 503;
    /// A custom price without a standard price.
    StandardPriceNotDefined = "STANDARD_PRICE_NOT_DEFINED", 400;
    /// More characters than the field holds.
    StringTooLong = "STRING_TOO_LONG", 400;
    /// The record does not lie in the recycle bin, or cannot leave it.
    UndeleteFailed = "UNDELETE_FAILED", 400;
    /// No such version of the API.
    UnsupportedApiVersion = "UNSUPPORTED_API_VERSION", 400;
    /// Another transaction holds the row.
    UnableToLockRow = "UNABLE_TO_LOCK_ROW", 400;
    /// The body is not JSON by its content type.
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE", 415;
    /// The address is longer than 16,384 bytes.
    UriTooLong = "URI_TOO_LONG", 414;
}

/// One refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// What kind of refusal.
    pub(crate) code: Code,
    /// What happened, in the words of the API.
    pub(crate) message: String,
    /// The fields meant, by name.
    pub(crate) fields: Vec<String>,
}

/// The outcome of whatever the org may refuse.
pub(crate) type Outcome<T> = Result<T, Fault>;

impl Fault {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Fault {
        Fault {
            code,
            message: message.into(),
            fields: Vec::new(),
        }
    }

    pub(crate) fn of_field(code: Code, field: &str, message: impl Into<String>) -> Fault {
        Fault {
            code,
            message: message.into(),
            fields: vec![field.to_owned()],
        }
    }

    pub(crate) fn not_found() -> Fault {
        Fault::new(Code::NotFound, "The requested resource does not exist")
    }

    pub(crate) fn method_not_allowed(method: &str, allowed: &str) -> Fault {
        Fault::new(
            Code::MethodNotAllowed,
            format!("HTTP Method '{method}' not allowed. Allowed are {allowed}"),
        )
    }

    /// The shape of a REST reply: an element of its array.
    pub(crate) fn rest(&self) -> Json {
        let mut body = json!({ "message": self.message, "errorCode": self.code.as_str() });
        if !self.fields.is_empty() {
            body["fields"] = json!(self.fields);
        }
        body
    }

    /// The shape inside a collection's result, where the code is called `statusCode`.
    pub(crate) fn collection(&self) -> Json {
        json!({ "statusCode": self.code.as_str(), "message": self.message, "fields": self.fields })
    }
}
