//! A desk with people and held ratings.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};
use zhenping::access::{Access, AccountRole, NewAccount, SetBy};
use zhenping::service::Clock;

use crate::browser::{self, Browser, Manner};
use crate::process::{Answer, Place, Server};

/// Everybody's password.
pub const PASSWORD: &str = "osmanthus cakes 3";
/// What a page says of what was just done.
pub const NOTICE: &str = "main > .notice[role]";
/// The rated department of [`rating`].
pub const DEPARTMENT: &str = "990108-GA";
/// Its district.
pub const DISTRICT: &str = "990108";

/// Holds everything, for a reason that says so.
const HOLD: &str = r#"
[[rule]]
id = "hold-bad"
when = "bad"
then = "hold"
weight = 2.0
suspect = "malicious_review"
family = "rater"
state = "active"
owner = "tests"
why = { zh = "差评，为测试暂缓", en = "a bad review, held for the tests" }

[[rule]]
id = "hold-good"
when = "!bad"
then = "hold"
weight = 2.0
suspect = "padded_praise"
family = "timing"
state = "active"
owner = "tests"
why = { zh = "好评，为测试暂缓", en = "praise, held for the tests" }
"#;

/// Somebody who decides, and works in no rated office.
pub fn reviewer(name: &str) -> NewAccount {
    person(name, AccountRole::Reviewer)
}

/// Somebody who works in no rated office.
pub fn person(name: &str, role: AccountRole) -> NewAccount {
    let display = match name {
        "zhao" => "赵一",
        "qian" => "钱二",
        "sun" => "孙三",
        name => name,
    };
    NewAccount {
        name: name.to_owned(),
        display: display.to_owned(),
        role,
        department: None,
        district: None,
        scope_departments: Vec::new(),
        scope_districts: Vec::new(),
    }
}

/// A rating of this moment, to be completed by indexing.
pub fn rating(id: &str, stars: u8) -> Value {
    json!({
        "rating_id": id,
        "submitted_at": Clock::Wall.now().unwrap().to_string(),
        "channel": "portal",
        "stars": stars,
        "service": {"matter": "GA-001", "department": DEPARTMENT, "district": DISTRICT},
    })
}

/// What a desk is started with.
pub struct Setup {
    people: Vec<NewAccount>,
    manner: Manner,
}

impl Setup {
    pub fn new(people: impl IntoIterator<Item = NewAccount>) -> Self {
        Self { people: people.into_iter().collect(), manner: Manner::default() }
    }

    pub fn manner(mut self, manner: Manner) -> Self {
        self.manner = manner;
        self
    }

    /// The server, and some browsers on it; nothing where no browser is installed.
    pub fn start<const N: usize>(self) -> Option<(Desk, [Browser; N])> {
        if !browser::is_there() {
            return None;
        }
        let place = Place::new();
        let access = Access::open(&place.data()).unwrap();
        for person in self.people {
            let name = person.name.clone();
            access.create_account(person, None).unwrap();
            access.set_password(&name, Some(PASSWORD), SetBy::Holder).unwrap();
        }
        let rules = place.rules(HOLD);
        let config = format!("rules.directory = {:?}\n", rules.display().to_string());
        let server = Server::start(&place, &config, "operator");
        let browsers = Browser::start(server.address, self.manner);
        Some((Desk { server, access, place }, browsers))
    }
}

/// A running service with its desk.
pub struct Desk {
    pub server: Server,
    /// The accounts, beside the running server as the command line has them.
    pub access: Access,
    pub place: Place,
}

impl Desk {
    /// Submits ratings, all of which must be held.
    #[track_caller]
    pub fn hold(&self, ratings: &[Value]) {
        let lines: String = ratings.iter().map(|rating| format!("{rating}\n")).collect();
        let answer = self.server.post("/v1/ratings/batch", lines);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let answers: Vec<Value> =
            answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let held = answers.iter().filter(|answer| answer["decision"] == "hold").count();
        assert_eq!(held, ratings.len(), "{}", answer.text());
    }

    /// What stands of a rating: decision, revision, and the source of its first reason.
    #[track_caller]
    pub fn stands(&self, rating_id: &str) -> (String, u64, String) {
        let verdict = self.server.verdicts(rating_id).remove(0);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let revision = verdict["revision"].as_u64().unwrap();
        (text(&verdict["decision"]), revision, text(&verdict["reasons"][0]["source"]))
    }

    /// Asserts what stands of a rating.
    #[track_caller]
    pub fn assert_stands(&self, rating_id: &str, decision: &str, revision: u64) {
        let (decided, number, source) = self.stands(rating_id);
        assert_eq!((decided.as_str(), number), (decision, revision), "{rating_id}");
        let is_reviewed = source == "reviewer";
        assert_eq!(is_reviewed, revision > 0, "{rating_id}: the first reason is from {source}");
    }

    /// A request with these headers and no others that matter.
    pub fn send(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let address = self.server.address;
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        Answer { status: head[9..12].parse().unwrap(), head, body: bytes.split_off(end) }
    }
}

/// What people do at the desk.
impl Browser {
    /// Fills in the form of the door.
    #[track_caller]
    pub fn try_sign_in(&self, name: &str, password: &str) {
        self.fill("input[name=name]", name);
        self.fill("input[name=password]", password);
        self.follow("main button");
    }

    /// Signs in, as whoever signed out before.
    #[track_caller]
    pub fn sign_in(&self, name: &str) {
        self.open("/desk/sign-in");
        self.try_sign_in(name, PASSWORD);
        self.arrives("/desk/queue");
    }

    /// Signs in somebody whose work is on another page than the queue.
    #[track_caller]
    pub fn sign_in_at(&self, name: &str, page: &str) {
        self.open(page);
        self.try_sign_in(name, PASSWORD);
        self.arrives(page);
    }

    #[track_caller]
    pub fn sign_out(&self) {
        self.follow("form[action='/desk/sign-out'] button");
        self.arrives("/desk/sign-in");
    }

    /// Opens a case, once the desk knows of it.
    #[track_caller]
    pub fn open_case(&self, id: &str) {
        self.until(format_args!("the case {id}"), || {
            self.open(&format!("/desk/cases/{id}"));
            self.has("#decide").then_some(())
        });
    }

    /// Opens a case, once a part of its page says these words.
    #[track_caller]
    pub fn open_until_says(&self, id: &str, css: &str, words: &str) {
        self.until(format_args!("{css} with {words:?}"), || {
            self.open(&format!("/desk/cases/{id}"));
            self.texts(css).iter().any(|text| text.contains(words)).then_some(())
        });
    }

    /// Opens the queue, once it lists the case.
    #[track_caller]
    pub fn open_queue_with(&self, id: &str) {
        self.until(format_args!("the row of {id}"), || {
            self.open("/desk/queue");
            self.has(&row(id)).then_some(())
        });
    }

    /// Sends a form from this page, as somebody might who changed the page, with its session's token; what the
    /// page that follows says.
    #[track_caller]
    pub fn post(&self, path: &str, form: &str) -> String {
        let script = format!(
            "const body = new URLSearchParams({form:?});
             body.append('csrf', document.querySelector('[name=csrf]').value);
             return fetch({path:?}, {{ method: 'POST', body }}).then(reply => reply.text()).then(text =>
                 new DOMParser().parseFromString(text, 'text/html').querySelector('main').textContent);"
        );
        self.eval(&script).as_str().unwrap().to_owned()
    }

    /// How many open cases the queue says there are.
    #[track_caller]
    pub fn open_count(&self) -> u64 {
        self.open("/desk/queue");
        self.text("[data-count=open]").replace(',', "").parse().unwrap()
    }

    /// Claims the case of this page.
    #[track_caller]
    pub fn claim(&self) {
        self.follow("form[action$='/claim'] button");
    }

    /// Decides the case of this page.
    #[track_caller]
    pub fn decide(&self, outcome: &str, reason: &str, words: &str) {
        self.click(&format!("#decide input[name=outcome][value={outcome}]"));
        self.choose("#decide .decide select[name=reason]", reason);
        self.fill("#decide .decide textarea[name=words]", words);
        self.follow("#decide .decide button.send");
    }
}

/// The row of a case.
pub fn row(id: &str) -> String {
    format!("tr[data-id='{id}']")
}
