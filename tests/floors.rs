//! Keeps the floors: a module imports only modules that stand above it in `src/lib.rs`.

use std::fs;
use std::path::{Path, PathBuf};

/// The top-level modules in the order in which `src/lib.rs` declares them.
fn floors() -> Vec<String> {
    let lib = fs::read_to_string("src/lib.rs").expect("src/lib.rs is readable");
    lib.lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .map(str::to_owned)
        .collect()
}

fn files_below(path: &Path, out: &mut Vec<PathBuf>) {
    if path.is_dir() {
        let entries = fs::read_dir(path).expect("source folders are readable");
        entries.for_each(|entry| files_below(&entry.expect("an entry").path(), out));
    } else if path.extension().is_some_and(|e| e == "rs") {
        out.push(path.to_owned());
    }
}

/// Names of the top-level modules that a source text imports through `crate::`.
fn imports(source: &str) -> Vec<String> {
    let code =
        source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut name = String::new();
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => found.push(std::mem::take(&mut name)),
                    c if depth == 0 => name.push(c),
                    _ => {}
                }
            }
            found.push(name);
        } else {
            found.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    found.iter().map(|n| n.trim().split("::").next().unwrap_or("").to_owned()).collect()
}

#[test]
fn a_floor_imports_only_floors_above_it_in_the_list() {
    let floors = floors();
    assert!(floors.len() > 10, "the list in src/lib.rs was read: {floors:?}");
    let mut wrong = Vec::new();
    for (rank, floor) in floors.iter().enumerate() {
        let mut files = Vec::new();
        files_below(&Path::new("src").join(floor), &mut files);
        files_below(&Path::new("src").join(format!("{floor}.rs")), &mut files);
        files.retain(|f| f.exists());
        assert!(!files.is_empty(), "module {floor} has source files");
        for file in files {
            let text = fs::read_to_string(&file).expect("a source file is readable");
            for import in imports(&text) {
                if floors.iter().position(|f| *f == import).is_some_and(|r| r > rank) {
                    wrong.push(format!("{} imports {import}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn source_files_stay_short() {
    let mut files = Vec::new();
    files_below(Path::new("src"), &mut files);
    let long: Vec<_> = files
        .iter()
        .map(|f| (fs::read_to_string(f).expect("readable").lines().count(), f))
        .filter(|(lines, _)| *lines > 650)
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}
