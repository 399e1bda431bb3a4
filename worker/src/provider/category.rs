//! The category of an item: from the provider's own map, from schema.org types, and from common words in five languages.

use std::{
    collections::{BTreeMap, HashMap},
    sync::LazyLock,
};

use entity::{Category, fold_name};

/// Words of a phrase such as `Live music in the park`: a longer one is a sentence, which may mention anything.
const MAX_PHRASE_WORDS: usize = 4;
/// Phrases that are looked up for one item: more of them are no longer about its category.
const MAX_PHRASES: usize = 32;

/// Types of schema.org, in the order of their names.
const TYPES: [(&str, &str); 20] = [
    ("BroadcastEvent", "other"),
    ("BusinessEvent", "talk"),
    ("ChildrensEvent", "family"),
    ("ComedyEvent", "comedy"),
    ("ConferenceEvent", "talk"),
    ("CourseInstance", "talk"),
    ("DanceEvent", "theatre/dance"),
    ("EducationEvent", "talk"),
    ("ExhibitionEvent", "exhibition"),
    ("Festival", "festival"),
    ("FoodEvent", "food"),
    ("Hackathon", "talk"),
    ("LiteraryEvent", "talk"),
    ("MusicEvent", "music"),
    ("SaleEvent", "other"),
    ("ScreeningEvent", "film"),
    ("SocialEvent", "other"),
    ("SportsEvent", "sport"),
    ("TheaterEvent", "theatre"),
    ("VisualArtsEvent", "exhibition"),
];

/// Words in English, Spanish, German, French and Italian, folded and separated by commas.
const WORDS: [(&str, &str); 37] = [
    ("comedy", "cabaret,comedia,comedie,comedy,comico,humor,humour,improv,kabarett,komodie,monologo,monologos,stand up,standup"),
    (
        "exhibition",
        "art,arte,ausstellung,ausstellungen,exhibit,exhibition,exhibitions,exposicion,exposiciones,exposition,expositions,galeria,\
         galerie,galleria,gallery,kunst,mostra,mostre,musee,museo,museum,visual arts",
    ),
    (
        "family",
        "bambini,children,childrens,enfants,famiglia,familia,familiar,familie,familien,famille,family,infantil,jeune public,kids,\
         kinder,ninos,para ninos",
    ),
    ("festival", "feria,festival,festivales,festivals,festspiele,fiesta,fiestas"),
    ("film", "cine,cinema,film,films,filme,kino,movie,movies,pelicula,peliculas,screening"),
    (
        "food",
        "beer,bier,birra,cata,cerveza,cocina,cucina,cuisine,degustation,degustazione,drink,essen,food,gastronomia,gastronomie,\
         gastronomy,tasting,vin,vino,wein,wine",
    ),
    (
        "music",
        "concert,concerti,concerto,concerts,concierto,conciertos,gig,gigs,konzert,konzerte,live music,music,musica,musik,musique",
    ),
    ("music/blues", "blues"),
    ("music/choral", "choeur,choir,chor,choral,chorale,coro"),
    (
        "music/classical",
        "chamber music,clasica,classica,classical,classical music,classique,kammermusik,klassik,musica clasica,musica classica,\
         musique classique,orchester,orchestra,orchestre,orquesta,symphony",
    ),
    ("music/country", "country"),
    ("music/electronic", "edm,electro,electronic,electronica,electronique,elektro,elektronisch,elettronica,techno,trance"),
    ("music/flamenco", "flamenco"),
    ("music/folk", "folclore,folk,folklore,volksmusik"),
    ("music/hip-hop", "hip hop,hiphop,rap"),
    ("music/jazz", "jazz"),
    ("music/latin", "bachata,latin,latina,reggaeton,salsa,tango"),
    ("music/metal", "heavy metal,metal"),
    ("music/pop", "pop"),
    ("music/reggae", "reggae,ska"),
    ("music/rock", "indie,punk,rock"),
    ("music/soul", "funk,gospel,r b,rnb,soul"),
    ("music/world", "musicas del mundo,musique du monde,weltmusik,world music"),
    ("sport", "deporte,deportes,sport,sports"),
    ("sport/basketball", "baloncesto,basket,basketball,pallacanestro"),
    ("sport/cycling", "ciclismo,cyclisme,cycling,radsport"),
    ("sport/football", "calcio,football,futbol,fussball,soccer"),
    ("sport/motor", "formula 1,motogp,motorsport"),
    ("sport/running", "course a pied,laufsport,marathon,maraton,maratona,running"),
    ("sport/tennis", "tenis,tennis"),
    (
        "talk",
        "atelier,charla,conference,conferencia,conferencias,conferenza,cours,curso,cursos,debate,konferenz,kurs,laboratorio,lecture,\
         lesung,literatura,literature,literatur,seminar,seminario,taller,talleres,talk,talks,vortrag,workshop,workshops",
    ),
    ("theatre", "performing arts,schauspiel,teatro,theater,theatre"),
    ("theatre/circus", "circo,circus,cirque,zirkus"),
    ("theatre/dance", "baile,ballet,ballett,balletto,dance,danse,danza,tanz"),
    ("theatre/drama", "drama,drame,tragedia,tragedy"),
    ("theatre/musical", "comedie musicale,musical,musicals"),
    ("theatre/opera", "oper,opera,operette,zarzuela"),
];

/// The categories of all folded words.
static CATEGORIES_BY_WORD: LazyLock<HashMap<&'static str, Category>> = LazyLock::new(|| {
    let of_category = |(slug, words): (&str, &'static str)| Category::find(slug).map(|category| (category, words));
    let pairs = WORDS.into_iter().filter_map(of_category);
    pairs.flat_map(|(category, words)| words.split(',').map(move |word| (word, category))).collect()
});

/// A provider's own words and their categories.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CategoryMap(BTreeMap<String, Category>);

impl CategoryMap {
    /// The map with this word, which is compared without accents, case and punctuation.
    #[must_use]
    pub fn with(mut self, word: &str, category: Category) -> Self {
        self.0.insert(fold_name(word), category);
        self
    }

    /// The folded words with their categories.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Category)> {
        self.0.iter().map(|(word, category)| (word.as_str(), *category))
    }

    /// The category of an item with these types of schema.org and these texts, each of which may be a list: the provider's own map
    /// first, then the types, then common words. A word may refine the category of a type, as `jazz` does for a `MusicEvent`.
    #[must_use]
    pub fn find(&self, types: &[&str], texts: &[&str]) -> Option<Category> {
        let phrases = texts.iter().flat_map(|text| text.split([',', ';', '|', '/', '>', '\n']));
        let phrases: Vec<String> = phrases.map(fold_name).filter(|phrase| !phrase.is_empty()).take(MAX_PHRASES).collect();
        let own = || types.iter().map(|name| fold_name(name)).chain(phrases.iter().cloned()).find_map(|word| self.0.get(&word));
        if !self.0.is_empty()
            && let Some(category) = own()
        {
            return Some(*category);
        }
        let of_words: Vec<Category> = phrases.iter().filter_map(|phrase| find_by_words(phrase)).collect();
        let category = types.iter().find_map(|name| find_by_type(name)).or_else(|| of_words.first().copied())?;
        let is_refined = |other: &&Category| other.slug().strip_prefix(category.slug()).is_some_and(|rest| rest.starts_with('/'));
        Some(of_words.iter().find(is_refined).copied().unwrap_or(category))
    }
}

fn find_by_type(name: &str) -> Option<Category> {
    let index = TYPES.binary_search_by_key(&name, |(known, _)| known).ok()?;
    Category::find(TYPES[index].1)
}

/// The category of a folded phrase, or of one of its words.
fn find_by_words(phrase: &str) -> Option<Category> {
    let is_phrase = phrase.split(' ').count() <= MAX_PHRASE_WORDS;
    let find = |word: &str| CATEGORIES_BY_WORD.get(word).copied();
    find(phrase).or_else(|| phrase.split(' ').filter(|_| is_phrase).find_map(find))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(types: &[&str], texts: &[&str]) -> Option<&'static str> {
        CategoryMap::default().find(types, texts).map(Category::slug)
    }

    #[test]
    fn finds_the_category_of_types_and_words() {
        for (types, texts, category) in [
            (["MusicEvent"].as_slice(), [].as_slice(), Some("music")),
            (&["Event", "TheaterEvent"], &[], Some("theatre")),
            (&["MusicEvent"], &["Summer, Jazz"], Some("music/jazz")),
            (&["MusicEvent"], &["teatro"], Some("music")),
            (&["Event"], &["Conciertos"], Some("music")),
            (&["Event"], &["Música > Clásica"], Some("music/classical")),
            (&["Event"], &["Ausstellungen"], Some("exhibition")),
            (&["Event"], &["Live rock music"], Some("music/rock")),
            (&["Event"], &["a sentence that mentions a film and many other things"], None),
            (&["Event", "Product"], &["", "things"], None),
            (&[], &["Théâtre"], Some("theatre")),
        ] {
            assert_eq!(find(types, texts), category, "{types:?} {texts:?}");
        }
    }

    #[test]
    fn the_map_of_the_provider_is_first() {
        let food = Category::find("food").expect("a category");
        let map = CategoryMap::default().with("Noche Única!", food);
        assert_eq!(map.find(&["MusicEvent"], &["rock, noche unica"]), Some(food));
        assert_eq!(map.find(&["MusicEvent"], &["rock"]).map(Category::slug), Some("music/rock"));
        assert_eq!(CategoryMap::default().with("musicevent", food).find(&["MusicEvent"], &[]), Some(food));
    }

    #[test]
    fn every_word_is_folded_and_has_one_existing_category() {
        let mut words: Vec<&str> = WORDS.iter().flat_map(|(_, words)| words.split(',')).collect();
        assert_eq!(words.len(), CATEGORIES_BY_WORD.len(), "a word has two categories, or one that does not exist");
        words.retain(|word| fold_name(word) != *word);
        assert_eq!(words, [""; 0]);
        assert!(TYPES.is_sorted() && TYPES.iter().all(|(_, slug)| Category::find(slug).is_some()));
    }
}
