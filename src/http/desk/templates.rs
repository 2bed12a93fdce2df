//! The pages' templates, which are part of the program, and what they can call.
//!
//! Undefined names are errors: a page that misses something fails its test, and shows no gap to a reviewer.

use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, UndefinedBehavior};

use super::words::{percent, span, when};
use crate::service::grouped;

macro_rules! embedded {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../../templates/desk/", $name)))),+]
    };
}

/// Every template by its name.
const TEMPLATES: &[(&str, &str)] = embedded![
    "base.html",
    "bits.html",
    "case.html",
    "decide.html",
    "error.html",
    "keys.html",
    "password.html",
    "pictures.html",
    "queue.html",
    "rows.html",
    "sign-in.html",
    "audit.html",
    "campaign.html",
    "operations.html",
    "quality.html",
    "rules.html",
    "statistics.html",
];

/// The templates, compiled.
pub struct Templates(Environment<'static>);

impl Templates {
    /// Compiles all of them.
    ///
    /// # Errors
    /// One has an error, which a test excludes.
    pub fn new() -> Result<Self, Error> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.add_function("t", |state: &State, zh: Value, en: Value| match is_zh(state) {
            true => zh,
            false => en,
        });
        environment.add_function("l", |state: &State, text: Value| -> Result<Value, Error> {
            if text.is_none() {
                return Ok(Value::from(""));
            }
            let value = text.get_attr(if is_zh(state) { "zh" } else { "en" })?;
            match value.is_undefined() {
                true => Err(Error::new(ErrorKind::InvalidOperation, "a text without zh and en")),
                false => Ok(value),
            }
        });
        environment.add_filter("when", |text: &str| when(text).to_owned());
        environment.add_filter("span", |state: &State, seconds: i64| span(seconds, is_zh(state)));
        environment.add_filter("pct", percent);
        environment.add_filter("num", |number: i64| match u64::try_from(number) {
            Ok(number) => grouped(number),
            Err(_) => number.to_string(),
        });
        for (name, source) in TEMPLATES {
            environment.add_template(name, source)?;
        }
        Ok(Self(environment))
    }

    /// A page as HTML.
    ///
    /// # Errors
    /// The template asks for something that is not there.
    pub fn render(&self, name: &str, context: Value) -> Result<String, Error> {
        self.0.get_template(name)?.render(context)
    }
}

fn is_zh(state: &State) -> bool {
    state.lookup("lang").is_none_or(|lang| lang.as_str() != Some("en"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every sample page in both languages: nothing undefined, nothing unescaped.
    #[test]
    fn every_page_renders_in_both_languages_and_escapes_what_it_is_given() {
        let templates = Templates::new().unwrap();
        let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/desk");
        let mut rendered = 0;
        for sample in std::fs::read_dir(samples).unwrap() {
            let sample = sample.unwrap().path();
            let mut page: serde_json::Value =
                serde_json::from_slice(&std::fs::read(&sample).unwrap()).unwrap();
            for lang in ["zh", "en"] {
                page["lang"] = lang.into();
                let name = format!("{}.html", page["page"].as_str().unwrap());
                let html = templates
                    .render(&name, Value::from(minijinja::value::Serde(&page)))
                    .unwrap_or_else(|error| panic!("{}, {lang}: {error:#}", sample.display()));
                assert!(!html.contains("<script>alert"), "{} is not escaped", sample.display());
                assert!(!html.contains(" style=\""), "{}: a style attribute", sample.display());
                rendered += 1;
            }
        }
        assert!(rendered >= 10, "{rendered} pages");
    }
}
