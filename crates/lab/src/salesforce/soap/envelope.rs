//! Envelopes: what a call asks for, and how a reply is written.

use std::fmt::Write;

use roxmltree::{Document, Node};
use serde_json::{Map, Value as Json};

use crate::salesforce::fault::{Code, Fault, Outcome};

/// One element of a request, without its namespaces: clients differ in them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Element {
    pub(super) name: String,
    /// The type that an attribute or a child called `type` names.
    pub(super) kind: Option<String>,
    pub(super) text: String,
    pub(super) nil: bool,
    pub(super) children: Vec<Element>,
}

impl Element {
    fn of(node: Node<'_, '_>) -> Element {
        let children: Vec<Element> = node
            .children()
            .filter(Node::is_element)
            .map(Element::of)
            .collect();
        let attribute = |name: &str| {
            node.attributes()
                .find(|one| one.name() == name)
                .map(|one| one.value())
        };
        let typed = attribute("type").map(|kind| kind.rsplit(':').next().unwrap_or_default().to_owned());
        let named = children
            .iter()
            .find(|child| child.name == "type")
            .map(|child| child.text.clone());
        Element {
            name: node.tag_name().name().to_owned(),
            kind: named.or(typed),
            text: node.text().unwrap_or_default().trim().to_owned(),
            nil: attribute("nil") == Some("true"),
            children,
        }
    }

    pub(super) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The texts of all children of this name.
    pub(super) fn texts(&self, name: &str) -> Vec<&str> {
        let named = self.children.iter().filter(|child| child.name == name);
        named.map(|child| child.text.as_str()).collect()
    }

    /// The text of the child, blank where there is none.
    pub(super) fn text_of(&self, name: &str) -> &str {
        self.child(name)
            .map(|child| child.text.as_str())
            .unwrap_or_default()
    }
}

/// A request: its session and its one call.
pub(super) struct Request {
    pub(super) session: Option<String>,
    pub(super) call: Element,
}

/// Reads an envelope.
pub(super) fn read(body: &[u8]) -> Outcome<Request> {
    let broken = || {
        Fault::new(
            Code::InvalidSoap,
            "the body is no SOAP envelope with a call in it",
        )
    };
    let text = std::str::from_utf8(body).map_err(|_| broken())?;
    let document = Document::parse(text).map_err(|_| broken())?;
    let envelope = Element::of(document.root_element());
    let header = envelope.child("Header");
    let session = header.and_then(|header| header.child("SessionHeader"));
    let session = session.map(|session| session.text_of("sessionId").to_owned());
    let call = envelope.child("Body").and_then(|body| body.children.first());
    Ok(Request {
        session: session.filter(|session| !session.is_empty()),
        call: call.ok_or_else(broken)?.clone(),
    })
}

/// Text as it stands in XML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// The members of an object as elements, in their order; a list is as many elements, null an empty one that is nil.
pub(super) fn members(members: &Map<String, Json>) -> String {
    let mut xml = String::new();
    for (name, value) in members {
        match value {
            Json::Array(list) => list.iter().for_each(|one| element(&mut xml, name, one)),
            one => element(&mut xml, name, one),
        }
    }
    xml
}

fn element(xml: &mut String, name: &str, value: &Json) {
    let _ = match value {
        Json::Null => write!(xml, "<{name} xsi:nil=\"true\"/>"),
        Json::Object(inner) => write!(xml, "<{name}>{}</{name}>", members(inner)),
        Json::String(text) => write!(xml, "<{name}>{}</{name}>", escape(text)),
        other => write!(xml, "<{name}>{other}</{name}>"),
    };
}

/// Which WSDL a call belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    Partner,
    Enterprise,
    Metadata,
}

impl Service {
    /// The namespaces of its replies and of its faults.
    fn namespaces(self) -> [&'static str; 2] {
        match self {
            Service::Partner => ["urn:partner.soap.sforce.com", "urn:fault.partner.soap.sforce.com"],
            Service::Enterprise => [
                "urn:enterprise.soap.sforce.com",
                "urn:fault.enterprise.soap.sforce.com",
            ],
            Service::Metadata => ["http://soap.sforce.com/2006/04/metadata"; 2],
        }
    }
}

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope \
                    xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
                    xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"";

/// The reply to a call; `usage` is the day's calls and their limit.
pub(super) fn reply(service: Service, call: &str, results: &[Json], usage: (u64, u64)) -> String {
    let mut inner = String::new();
    for result in results {
        element(&mut inner, "result", result);
    }
    let (current, limit) = usage;
    format!(
        "{HEAD} xmlns=\"{}\"><soapenv:Header><LimitInfoHeader><limitInfo><current>{current}</current>\
         <limit>{limit}</limit><type>API REQUESTS</type></limitInfo></LimitInfoHeader></soapenv:Header>\
         <soapenv:Body><{call}Response>{inner}</{call}Response></soapenv:Body></soapenv:Envelope>",
        service.namespaces()[0]
    )
}

/// A refusal of the whole call.
pub(super) fn fault(service: Service, fault: &Fault) -> String {
    let (code, message) = (fault.code.as_str(), escape(&fault.message));
    format!(
        "{HEAD} xmlns:sf=\"{}\"><soapenv:Body><soapenv:Fault><faultcode>sf:{code}</faultcode>\
         <faultstring>{code}: {message}</faultstring><detail><sf:UnexpectedErrorFault \
         xsi:type=\"sf:UnexpectedErrorFault\"><sf:exceptionCode>{code}</sf:exceptionCode>\
         <sf:exceptionMessage>{message}</sf:exceptionMessage></sf:UnexpectedErrorFault></detail></soapenv:Fault>\
         </soapenv:Body></soapenv:Envelope>",
        service.namespaces()[1]
    )
}
