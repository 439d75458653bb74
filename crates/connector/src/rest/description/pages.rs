//! How pages follow each other.

use super::place::Place;
use super::words::{kinds, words};
use tandem_merge::config::written::Scalar;
use tandem_merge::written;

kinds! {
    /// How pages follow each other.
    enum Paging {
        Cursor(CursorPaging) = "cursor",
        Url(UrlPaging) = "url",
        Page(PagePaging) = "page",
        Offset(OffsetPaging) = "offset",
        Keyset(KeysetPaging) = "keyset",
    }
}

written! {
    /// A reply names what to ask the next page by: `{cursor}`.
    struct CursorPaging {
        /// `cursor`.
        kind: String,
        /// Where it stands.
        next: Place,
        /// Where the reply says whether there is more; without it the end is where no cursor is.
        more: Option<Place>,
    }
}

written! {
    /// A reply names the address of the next page.
    struct UrlPaging {
        /// `url`.
        kind: String,
        /// Where it stands; `header:Link` is read for `rel="next"`.
        next: Place,
        /// What an address without a host begins at.
        relative_to: Option<Root>,
    }
}

written! {
    /// Pages have numbers: `{page}`.
    struct PagePaging {
        /// `page`.
        kind: String,
        /// The number of the page at the beginning; 1 where nothing is said.
        from: Option<u32>,
        /// Where the reply says whether there is more.
        more: Option<Place>,
        /// Where the reply says how many pages there are.
        pages: Option<Place>,
        /// Where the reply says how many records there are.
        total: Option<Place>,
    }
}

written! {
    /// Pages begin behind so many records: `{offset}`.
    struct OffsetPaging {
        /// `offset`.
        kind: String,
        /// The number at the beginning; 0 where nothing is said.
        from: Option<u32>,
        /// Where the reply says whether there is more.
        more: Option<Place>,
        /// Where the reply says how many records there are.
        total: Option<Place>,
    }
}

written! {
    /// A page begins behind the last id of the one before: `{after}`. The list is in the order of its ids.
    struct KeysetPaging {
        /// `keyset`.
        kind: String,
        /// What stands for `{after}` at the beginning; nothing where nothing is said.
        from: Option<Scalar>,
        /// Where the reply says whether there is more.
        more: Option<Place>,
    }
}

words! {
    /// What an address without a host begins at.
    enum Root {
        /// The ERP's host.
        Host = "host",
        /// The connection's address with its path.
        Service = "service",
        /// The address that was asked.
        Request = "request",
    }
}
