//! `/live` and `/live.json`.

use zhenping::access::Role;

use crate::fake::Running;

#[test]
fn the_page_runs_nothing_but_its_own_files() {
    let server = Running::start();
    let page = server.call("GET", "/live", None);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    let text = page.text();
    for inline in ["style=", "<style", "onclick", "onload", "javascript:", "https:"] {
        assert!(!text.contains(inline), "{inline}");
    }
    assert_eq!(text.matches("<script").count(), text.matches("<script src=\"/assets/").count());
    for (path, media_type) in [
        ("/assets/page.css", "text/css; charset=utf-8"),
        ("/assets/page.js", "text/javascript; charset=utf-8"),
    ] {
        let asset = server.call("GET", path, None);
        assert_eq!((asset.status, asset.header("content-type")), (200, Some(media_type)));
    }
}

#[test]
fn the_script_shows_text_as_text() {
    let script = include_str!("../../assets/page.js");
    for markup in ["innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "Function("] {
        assert!(!script.contains(markup), "{markup}");
    }
}

#[test]
fn every_element_that_the_script_fills_is_on_the_page() {
    let (page, script) = (include_str!("../../assets/page.html"), include_str!("../../assets/page.js"));
    for call in ["put(\"", "byId(\""] {
        for rest in script.split(call).skip(1) {
            let id = rest.split('"').next().unwrap();
            assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
        }
    }
}

#[test]
fn the_figures_are_the_operators() {
    let server = Running::start();
    server.call("GET", "/live.json", None).problem(401);
    let live = server.get("/live.json", Role::Operator).json();
    assert_eq!(live["rules"], "0011223344556677");
    assert_eq!(live["latest"][0]["reasons"][0]["text_en"], "<script>reason</script>");
}

#[test]
fn an_open_page_is_open_on_this_machine_alone() {
    let server = Running::with(|config| config.http.page_open = true);
    assert_eq!(server.call("GET", "/live.json", None).status, 200);
    for headers in ["Host: zhenping.example\r\n", "Host: 127.0.0.1\r\nX-Forwarded-For: 10.0.0.7\r\n", ""] {
        let mut connection = server.connect();
        connection.send(format!("GET /live.json HTTP/1.1\r\n{headers}\r\n"));
        connection.answer().problem(401);
    }
}
