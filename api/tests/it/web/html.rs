//! What tests read of a page.

/// A start tag.
#[derive(Debug)]
pub(super) struct Tag {
    pub(super) name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    pub(super) fn get(&self, attribute: &str) -> Option<&str> {
        self.attributes.iter().find(|(name, _)| name == attribute).map(|(_, value)| value.as_str())
    }
}

/// The start tags of a page. Its attributes have values in quotes, or none.
pub(super) fn tags(html: &str) -> Vec<Tag> {
    html.split('<').filter(|text| text.starts_with(|first: char| first.is_ascii_alphabetic())).map(parse_tag).collect()
}

/// The beginning of absolute URLs in responses to requests without another host.
pub(super) const ORIGIN: &str = "http://localhost";

/// The links of a page that lead to another address of the service, as paths.
pub(super) fn links(page: &str, html: &str) -> Vec<String> {
    let references = tags(html).into_iter().filter_map(|tag| {
        let reference = tag.get("href").or(tag.get("src"))?;
        Some(reference.strip_prefix(ORIGIN).unwrap_or(reference).to_owned())
    });
    let inner = references.filter(|reference| !reference.contains("://") && !reference.starts_with('#'));
    inner.map(|reference| resolve(page, &reference)).collect()
}

/// The content of the link or the property with this name.
pub(super) fn metadata(html: &str, name: &str) -> Option<String> {
    let tag = tags(html).into_iter().find(|tag| tag.get("rel") == Some(name) || tag.get("property") == Some(name))?;
    tag.get("href").or(tag.get("content")).map(str::to_owned)
}

/// The query string that the form of a page sends.
pub(super) fn submit(html: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let mut select = String::new();
    for tag in tags(html) {
        let value = tag.get("value").unwrap_or_default();
        match tag.name.as_str() {
            "input" if tag.get("type") == Some("checkbox") && tag.get("checked").is_none() => {}
            "input" => drop(query.append_pair(tag.get("name").unwrap(), value)),
            "select" => tag.get("name").unwrap().clone_into(&mut select),
            "option" if tag.get("selected").is_some() => drop(query.append_pair(&select, value)),
            _ => {}
        }
    }
    query.finish()
}

fn parse_tag(text: &str) -> Tag {
    let (name, mut rest) = text.split_at(text.find([' ', '>']).unwrap());
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start();
        let end = rest.find(['=', ' ', '>']).unwrap();
        let (attribute, after) = rest.split_at(end);
        if attribute.is_empty() {
            return Tag { name: name.to_owned(), attributes };
        }
        let value = after.strip_prefix("=\"").map(|quoted| quoted.split_once('"').unwrap());
        rest = value.map_or(after, |(_, rest)| rest);
        attributes.push((attribute.to_owned(), unescape(value.map_or("", |(value, _)| value))));
    }
}

fn unescape(text: &str) -> String {
    let text = text.replace("&#34;", "\"").replace("&#39;", "'").replace("&#60;", "<").replace("&#62;", ">");
    text.replace("&amp;", "&").replace("&#38;", "&")
}

/// The path of a reference in a page.
fn resolve(page: &str, reference: &str) -> String {
    let (path, _) = page.split_once('?').unwrap_or((page, ""));
    let reference = reference.split('#').next().unwrap();
    if reference.starts_with('/') {
        return reference.to_owned();
    }
    if reference.starts_with('?') {
        return format!("{path}{reference}");
    }
    let depth = reference.matches("../").count();
    let folder = path.rsplitn(depth + 2, '/').last().unwrap();
    format!("{folder}/{}", reference.trim_start_matches("../").trim_start_matches("./"))
}
