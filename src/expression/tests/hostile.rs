//! Whatever is typed, the answer is a diagnostic.

use proptest::prelude::*;

use super::*;

fn compile(source: &str) -> Result<Program, Diagnostic> {
    let answer = Program::compile(source, &Catalogue::builtin(), Allowed::Everything);
    if let Err(diagnostic) = &answer {
        // Rendering must hold for every span too.
        assert!(diagnostic.render("hostile", source, 0).contains('^'), "{source}");
    }
    answer
}

#[test]
fn nesting_length_and_size_are_bounded_before_the_parser_recurses() {
    let deep = |open: &str, close: &str, n: usize| format!("{}bad{}", open.repeat(n), close.repeat(n));
    for source in [
        deep("(", ")", 900),
        deep("!(", ")", 600),
        deep("min(1, ", ")", 250),
        deep("[", "]", 900),
        deep("{1:", "}", 500),
        deep("bad?(bad):", "", 180),
        deep("bad?bad:", "", 240),
        deep("!", "", 2_000),
        deep("--", "", 900),
        format!("stars == 1{}", " + 1".repeat(500)),
        format!("bad{}", " && bad".repeat(280)),
        format!("a{}", ".a".repeat(1_000)),
        format!("a{}", "()".repeat(1_000)),
        format!("a{}", "[0]".repeat(600)),
        format!("bad{}", " == bad".repeat(120)),
        "(".repeat(2_048),
        " ".repeat(3_000),
        format!("bad{}", " ".repeat(3_000)),
    ] {
        let answer = compile(&source);
        assert!(answer.is_err(), "{source} compiles to {answer:?}");
    }
    // At the bounds it works.
    assert!(compile(&deep("(", ")", 30)).is_ok());
    assert!(compile(&format!("bad{}", " && bad".repeat(127))).is_ok());
    assert!(compile(&format!("stars == 1{}", " + 1".repeat(28))).is_ok());
}

#[test]
fn the_largest_expressions_still_evaluate() {
    let vector = FeatureVector::new(Catalogue::builtin().len());
    let wide = compile(&format!("bad{}", " || bad".repeat(127))).unwrap();
    assert_eq!(wide.truth(&vector), None);
    let deep = compile(&format!("{}bad{}", "!(".repeat(30), ")".repeat(30))).unwrap();
    assert_eq!(deep.truth(&vector), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_text_compiles_or_is_refused_in_words(source in "\\PC{0,60}") {
        let _ = compile(&source);
    }

    #[test]
    fn any_tokens_compile_or_are_refused_in_words(
        tokens in prop::collection::vec(prop::sample::select(vec![
            "bad", "stars", "device.class", "'kiosk'", "\"a", "1", "2.5", "5u", "(", ")", "[", "]", "{", "}",
            "&&", "||", "!", "==", "<", "in", "+", "-", "?", ":", ".", ",", "has(", "min(", "exists(", "null",
            "true", "0x1F", "1e400", "99999999999999999999", "b'x'", "r'\\'", "'''", "//", "\n", "if", "`a`", "＞", "评",
            ".5", "in_list(", "\\", "a.b().c", "@",
        ]), 0..14),
        spaced in any::<bool>(),
    ) {
        let _ = compile(&tokens.join(if spaced { " " } else { "" }));
    }
}
