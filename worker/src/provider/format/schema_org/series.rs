//! The series of an event: what its `superEvent` describes, which becomes the base event.

use entity::EventStatus;

use super::{
    details::{read_details, read_link_name, read_organizer_id},
    graph::JsonLdGraph,
    node::{JsonLdLink, JsonLdNode, is_reference_text},
    place::{id_of_name, read_venue},
    status::read_status,
};
use crate::provider::{
    format::{
        Conventions,
        values::{self, ItemErrors, name_field},
    },
    item::{ItemDetails, VenueItem},
};

/// A series as far as it is described.
#[derive(Debug, Default)]
pub(super) struct Series {
    pub(super) source_id: String,
    pub(super) title: Option<String>,
    pub(super) details: ItemDetails,
    pub(super) organizer_company_id: Option<String>,
    /// Where its events take place that have no place.
    pub(super) venue: Option<VenueItem>,
    /// It is cancelled as a whole.
    pub(super) is_cancelled: bool,
}

impl Series {
    /// Reads the value of a `superEvent`. One with neither an id nor a name is ignored.
    pub(super) fn read<'t>(
        link: JsonLdLink<'t>,
        graph: &JsonLdGraph<'t>,
        conventions: &Conventions,
        errors: &mut ItemErrors,
    ) -> Option<Self> {
        match link {
            JsonLdLink::Node(node) => Self::read_node(node, graph, conventions, errors),
            JsonLdLink::Text(text) => Self::read_text(text, link, errors),
        }
    }

    /// A text is the id of a node that is not in the document, or a name.
    fn read_text(text: &str, link: JsonLdLink<'_>, errors: &mut ItemErrors) -> Option<Self> {
        let is_id = is_reference_text(text);
        let id = is_id.then(|| name_field("superEvent", values::parse_id(text)));
        let title = if is_id { None } else { errors.tolerate(read_link_name(link)) };
        let source_id = errors.tolerate(id.transpose()).or_else(|| title.as_deref().map(id_of_name))?;
        Some(Self { source_id, title, ..Self::default() })
    }

    fn read_node<'t>(
        node: JsonLdNode<'t>,
        graph: &JsonLdGraph<'t>,
        conventions: &Conventions,
        errors: &mut ItemErrors,
    ) -> Option<Self> {
        let title = errors.tolerate(node.name("name"));
        let id = graph.find_id(node).map(|id| name_field("superEvent", values::parse_id(id)));
        let source_id = errors.tolerate(id.transpose()).or_else(|| title.as_deref().map(id_of_name))?;
        let organizers = graph.links(node, "organizer");
        let details = read_details(node, &organizers, graph, conventions, errors);
        Some(Self {
            source_id,
            title,
            details,
            organizer_company_id: read_organizer_id(&organizers, errors),
            venue: read_venue(&graph.links(node, "location"), graph, errors),
            is_cancelled: read_status(node, errors) == Some(EventStatus::Cancelled),
        })
    }
}
