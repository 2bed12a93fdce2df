//! Chromium behind chromedriver, with calls that wait for what they ask for.

use std::fmt::Display;
use std::future::Future;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Condvar, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::process::Connection;

/// Longer than anything here takes; a test that meets it fails rather than hangs.
const PATIENCE: Duration = Duration::from_secs(20);
/// Browsers at once: each takes a core and some hundred megabytes.
const BROWSERS_MAX: usize = 2;
/// Height of a window.
pub const HEIGHT: u32 = 900;
/// chromedriver as a child of a shell that ends it once the pipe to this process closes, however this process ends.
const DRIVER: &str = "chromedriver --port=0 --log-level=SEVERE & driver=$!; read _; kill $driver";

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
});
static DRIVEN: LazyLock<Result<Driver, String>> = LazyLock::new(Driver::start);
static PLACES: (Mutex<usize>, Condvar) = (Mutex::new(BROWSERS_MAX), Condvar::new());

struct Driver {
    address: SocketAddr,
    _child: Child,
}

impl Driver {
    fn start() -> Result<Self, String> {
        for program in ["chromedriver", "chromium"] {
            let asked =
                Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            if !asked.is_ok_and(|status| status.success()) {
                return Err(format!("{program} is not installed"));
            }
        }
        let mut child = Command::new("sh")
            .args(["-c", DRIVER])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("sh did not start: {error}"))?;
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port = lines
            .filter_map(|line| line.split_once("successfully on port ")?.1.trim_end_matches('.').parse().ok())
            .next();
        let port: u16 = port.expect("chromedriver says its port");
        Ok(Self { address: ([127, 0, 0, 1], port).into(), _child: child })
    }
}

/// Whether there is a browser to test with; says so where there is none.
pub fn is_there() -> bool {
    match &*DRIVEN {
        Ok(_) => true,
        Err(why) => {
            told(&format!("SKIPPED: {why}"));
            false
        }
    }
}

/// A line on standard error, past the capture of passing tests.
pub fn told(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// A place among the browsers at work.
struct Place;

impl Place {
    /// Takes some at once: two tests that each have one and want another would wait for ever.
    fn take<const N: usize>() -> [Self; N] {
        const { assert!(N <= BROWSERS_MAX) };
        let (free, changed) = &PLACES;
        let free = free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = changed.wait_while(free, |free| *free < N).unwrap_or_else(PoisonError::into_inner);
        *free -= N;
        std::array::from_fn(|_| Self)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let (free, changed) = &PLACES;
        *free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        changed.notify_all();
    }
}

/// How a browser is started.
#[derive(Clone, Copy, Default)]
pub struct Manner {
    /// Pages run no script.
    pub no_script: bool,
    /// As on a phone.
    pub narrow: bool,
}

/// One Chromium with its own profile, on one server. Closed when dropped.
pub struct Browser {
    client: Option<Client>,
    session: String,
    server: SocketAddr,
    _place: Place,
}

impl Browser {
    /// Starts some, once that many may run.
    pub fn start<const N: usize>(server: SocketAddr, manner: Manner) -> [Self; N] {
        Place::take::<N>().map(|place| Self::one(server, manner, place))
    }

    fn one(server: SocketAddr, manner: Manner, place: Place) -> Self {
        let driver = DRIVEN.as_ref().unwrap_or_else(|why| panic!("{why}"));
        let script = if manner.no_script { 2 } else { 1 };
        let capabilities = json!({
            // Dialogs are left open: a test that meets one fails on it.
            "unhandledPromptBehavior": "ignore",
            "goog:chromeOptions": {
                "args": [
                    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                    "--no-first-run", "--disable-background-networking", "--lang=zh-CN",
                ],
                "prefs": {"profile.managed_default_content_settings.javascript": script},
            },
        });
        let Value::Object(capabilities) = capabilities else { unreachable!() };
        let client = wait(async {
            ClientBuilder::new(HttpConnector::new())
                .capabilities(capabilities)
                .connect(&format!("http://{}", driver.address))
                .await
        })
        .expect("a browser starts");
        let session = wait(client.session_id()).unwrap().expect("a session has an id");
        let browser = Self { client: Some(client), session, server, _place: place };
        browser.window(manner, HEIGHT);
        browser
    }

    /// Makes the window so high, whatever Chromium would have its own windows be.
    pub fn window(&self, manner: Manner, height: u32) {
        let width = if manner.narrow { 390 } else { 1280 };
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": manner.narrow});
        self.devtools("Emulation.setDeviceMetricsOverride", size);
    }

    fn client(&self) -> &Client {
        self.client.as_ref().expect("it is closed only when dropped")
    }

    /// Looks again and again until there is something.
    #[track_caller]
    pub fn until<T>(&self, what: impl Display, mut look: impl FnMut() -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            if began.elapsed() > PATIENCE {
                panic!("waited in vain for {what}; the page at {} says:\n{}", self.path(), self.text("body"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Opens a page of the server.
    #[track_caller]
    pub fn open(&self, path: &str) {
        wait(self.client().goto(&format!("http://{}{path}", self.server))).unwrap();
    }

    /// Opens any address.
    #[track_caller]
    pub fn open_url(&self, url: &str) {
        wait(self.client().goto(url)).unwrap();
    }

    /// Path and query of the page.
    pub fn path(&self) -> String {
        let url = wait(self.client().current_url()).unwrap();
        let query = url.query().map_or_else(String::new, |query| format!("?{query}"));
        format!("{}{query}", url.path())
    }

    /// Waits until the page's path begins so.
    #[track_caller]
    pub fn arrives(&self, path: &str) {
        self.until(format_args!("the page {path}"), || self.path().starts_with(path).then_some(()));
    }

    fn all(&self, css: &str) -> Vec<Element> {
        wait(self.client().find_all(Locator::Css(css))).unwrap_or_default()
    }

    /// How many there are now.
    pub fn count(&self, css: &str) -> usize {
        self.all(css).len()
    }

    /// Whether there is one now.
    pub fn has(&self, css: &str) -> bool {
        self.count(css) > 0
    }

    /// Whether the first one is to be seen now.
    pub fn shows(&self, css: &str) -> bool {
        self.all(css).first().is_some_and(|element| wait(element.is_displayed()).unwrap_or(false))
    }

    /// The first one, once it is there.
    #[track_caller]
    pub fn find(&self, css: &str) -> Element {
        self.until(css, || self.all(css).into_iter().next())
    }

    /// What the first one shows, once it is there.
    #[track_caller]
    pub fn text(&self, css: &str) -> String {
        let began = Instant::now();
        loop {
            // It may have gone with its page between the two calls.
            if let Some(text) = self.all(css).first().and_then(|element| wait(element.text()).ok()) {
                return text;
            }
            assert!(began.elapsed() < PATIENCE, "waited in vain for {css} at {}", self.path());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What all of them show now.
    pub fn texts(&self, css: &str) -> Vec<String> {
        self.all(css).iter().filter_map(|element| wait(element.text()).ok()).collect()
    }

    /// Waits until the first one shows these words.
    #[track_caller]
    pub fn says(&self, css: &str, words: &str) {
        self.until(format_args!("{css} with {words:?}"), || {
            self.texts(css).first()?.contains(words).then_some(())
        });
    }

    /// An attribute of the first one.
    #[track_caller]
    pub fn attribute(&self, css: &str, name: &str) -> Option<String> {
        wait(self.find(css).attr(name)).unwrap()
    }

    /// Presses it.
    #[track_caller]
    pub fn click(&self, css: &str) {
        let element = self.find(css);
        let mut pressed = wait(element.click());
        let intercepted = |error: &CmdError| error.to_string().contains("click intercepted");
        if pressed.as_ref().is_err_and(intercepted) {
            // The driver scrolls no further than into the window, where a bar may stick to the edge.
            self.eval(&format!("document.querySelector({css:?}).scrollIntoView({{ block: 'center' }})"));
            pressed = wait(element.click());
        }
        pressed.unwrap_or_else(|error| panic!("{css} cannot be pressed: {error}"));
    }

    /// Presses what leads to another page, and waits for that.
    #[track_caller]
    pub fn follow(&self, css: &str) {
        self.leave(|| self.click(css));
    }

    /// Does what leads to another page, and waits for that.
    #[track_caller]
    pub fn leave(&self, act: impl FnOnce()) {
        let before = self.find("html");
        act();
        self.until("another page", || wait(before.tag_name()).is_err().then_some(()));
        self.until("the whole page", || {
            (self.run("return document.readyState").ok()? == "complete").then_some(())
        });
    }

    /// Writes into a field, in place of what it holds.
    #[track_caller]
    pub fn fill(&self, css: &str, text: &str) {
        let field = self.find(css);
        wait(field.clear()).unwrap();
        wait(field.send_keys(text)).unwrap();
    }

    /// Chooses from a list.
    #[track_caller]
    pub fn choose(&self, css: &str, value: &str) {
        let _ = self.find(css);
        let options = self.all(&format!("{css} option"));
        // An option without the attribute has its text as its value.
        let option =
            options.iter().find(|option| wait(option.prop("value")).ok().flatten().as_deref() == Some(value));
        let option = option.unwrap_or_else(|| panic!("{css} offers no {value}: {:?}", self.texts(css)));
        wait(option.click()).unwrap();
    }

    /// Runs a script in the page, past its policy.
    ///
    /// # Errors
    /// It threw, or there is no page now.
    pub fn run(&self, script: &str) -> Result<Value, CmdError> {
        wait(self.client().execute(script, Vec::new()))
    }

    /// Runs a script in the page, past its policy; what it returns.
    #[track_caller]
    pub fn eval(&self, script: &str) -> Value {
        self.run(script).unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Types on the keyboard, wherever the focus is.
    #[track_caller]
    pub fn keys(&self, text: &str) {
        let mut keys = KeyActions::new("keyboard".to_owned());
        for value in text.chars() {
            keys = keys.then(KeyAction::Down { value }).then(KeyAction::Up { value });
        }
        wait(self.client().perform_actions(keys)).unwrap();
    }

    /// Presses a key that writes nothing.
    #[track_caller]
    pub fn key(&self, key: Key) {
        self.keys(&char::from(key).to_string());
    }

    /// Presses a key while Ctrl is held.
    #[track_caller]
    pub fn ctrl(&self, key: Key) {
        let (ctrl, value) = (char::from(Key::Control), char::from(key));
        let keys = KeyActions::new("keyboard".to_owned())
            .then(KeyAction::Down { value: ctrl })
            .then(KeyAction::Down { value })
            .then(KeyAction::Up { value })
            .then(KeyAction::Up { value: ctrl });
        wait(self.client().perform_actions(keys)).unwrap();
    }

    /// The value of a cookie that this page is sent with.
    pub fn cookie(&self, name: &str) -> Option<String> {
        let cookie = wait(self.client().get_named_cookie(name)).ok()?;
        Some(cookie.value().to_owned())
    }

    /// Sets the session's cookie, as signing in does.
    pub fn session(&self, cookie: &str) {
        let url = format!("http://{}/desk", self.server);
        let params =
            json!({"name": "zp_session", "value": cookie, "url": url, "path": "/desk", "httpOnly": true});
        assert_eq!(self.devtools("Network.setCookie", params)["success"], true);
    }

    /// Drops all cookies: the browser is signed out, and the session goes on.
    pub fn forget_cookies(&self) {
        wait(self.client().delete_all_cookies()).unwrap();
    }

    /// What something shows within a frame of the page; nothing where the frame is empty or closed.
    #[track_caller]
    pub fn text_in_frame(&self, frame: &str, css: &str) -> Option<String> {
        wait(self.find(frame).enter_frame()).unwrap();
        let text = self.all(css).first().and_then(|element| wait(element.text()).ok());
        wait(self.client().enter_parent_frame()).unwrap();
        text
    }

    /// The words of a dialog that a script opened.
    pub fn dialog(&self) -> Option<String> {
        wait(self.client().get_alert_text()).ok()
    }

    /// Opens another tab, which shares the cookies, and turns to it; gives back the way to this one.
    pub fn other_tab(&self) -> impl FnOnce() {
        let here = wait(self.client().window()).unwrap();
        let tab = wait(self.client().new_window(true)).unwrap();
        wait(self.client().switch_to_window(tab.handle)).unwrap();
        || wait(self.client().switch_to_window(here)).unwrap()
    }

    /// A call of Chromium's own protocol.
    #[track_caller]
    pub fn devtools(&self, command: &str, params: Value) -> Value {
        let driver = DRIVEN.as_ref().unwrap_or_else(|why| panic!("{why}"));
        let target = format!("/session/{}/goog/cdp/execute", self.session);
        let body = json!({"cmd": command, "params": params}).to_string();
        let mut connection = Connection::open(driver.address, "").unwrap();
        let answer = connection.call("POST", &target, body.as_bytes()).unwrap();
        assert_eq!(answer.status, 200, "{command}: {}", answer.text());
        answer.json()["value"].clone()
    }

    /// Light or dark, as the system would ask for.
    pub fn scheme(&self, name: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": name}]);
        self.devtools("Emulation.setEmulatedMedia", json!({"features": features}));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            let _ = wait(client.close());
        }
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.block_on(future)
}
