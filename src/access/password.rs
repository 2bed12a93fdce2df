//! Passwords: what they must be, and how they are kept.
//!
//! argon2id with the least parameters that OWASP's Password Storage Cheat Sheet names (19 MiB, two passes,
//! one lane), as PHC strings. One hash takes tens of milliseconds and 19 MiB, so callers bound how many run
//! at once. Rules follow NIST SP 800-63B: length and a list of the commonest, no demands on kinds of
//! characters, no end by date.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use zeroize::Zeroizing;

use super::account::login_name;
use super::{Access, AccessError, Account, random};

/// Fewest characters of a password.
pub const PASSWORD_CHARS_MIN: usize = 10;
/// Most characters of a password.
pub const PASSWORD_CHARS_MAX: usize = 128;
/// Fewest different characters of a password.
const DIFFERENT_MIN: usize = 5;

const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Is verified against where there is no account, so that an answer takes as long. Nobody knows a password
/// for it, and none would help: there is no account.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm8gc3VjaCBhY2NvdW50IQ$\
                       emhlbnBpbmcgemhlbnBpbmcgemhlbnBpbmcgMTIzNDU";

/// What a made password is written with: no `0`, `1`, `i`, `l`, `o`, which are mistaken for each other.
const LETTERS: &[u8; 31] = b"abcdefghjkmnpqrstuvwxyz23456789";

/// The commonest passwords of ten characters and more in published leaks, Chinese ones among them; in small
/// letters. Those of few different characters are refused without being listed.
const COMMONEST: [&str; 72] = [
    "0123456789",
    "0987654321",
    "1029384756",
    "1122334455",
    "11223344556677",
    "12345678900",
    "1234567890",
    "1234567890-=",
    "1234567890a",
    "1234567890q",
    "12345678910",
    "1234567891",
    "123456789a",
    "123456789abc",
    "123456789q",
    "1234554321",
    "123456abcd",
    "123456qwerty",
    "123qweasdzxc",
    "1314520520",
    "1314521521",
    "147258369a",
    "1472583690",
    "1q2w3e4r5t",
    "1q2w3e4r5t6y",
    "1qaz2wsx3edc",
    "1qaz@wsx3edc",
    "1qazxsw23edc",
    "5201314520",
    "5201314521",
    "9876543210",
    "a123456789",
    "a1234567890",
    "aa123456789",
    "abc1234567",
    "abc123456789",
    "abcd123456",
    "abcd1234567",
    "abcdefghij",
    "admin12345",
    "admin123456",
    "administrator",
    "asd123456789",
    "asdfghjkl123",
    "asdfghjkl;",
    "football123",
    "iloveyou123",
    "iloveyou1314",
    "letmein123",
    "motherfucker",
    "p@ssw0rd123",
    "passw0rd123",
    "password12",
    "password123",
    "password1234",
    "password12345",
    "q1w2e3r4t5",
    "q1w2e3r4t5y6",
    "qazwsxedcrfv",
    "qazwsxedc123",
    "qq123456789",
    "qwer123456",
    "qwerty12345",
    "qwerty123456",
    "qwertyuiop",
    "qwertyuiop123",
    "woaini1314",
    "woaini1314520",
    "woaini520520",
    "woaini521521",
    "zaq12wsxcde3",
    "zxcvbnm123",
];

/// Why a password is not good enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordRefusal {
    /// It has fewer than ten characters.
    Short,
    /// It has more than 128 characters.
    Long,
    /// It has control characters, which forms and terminals lose.
    Control,
    /// It is the name, with nothing but digits and signs around it.
    Name,
    /// It has fewer than five different characters.
    Uniform,
    /// It is one of the commonest.
    Common,
}

impl PasswordRefusal {
    /// A sentence in Chinese with the limit and the remedy.
    pub fn zh(self) -> &'static str {
        match self {
            Self::Short => "密码至少 10 个字符；请加长，例如用几个不相干的词。",
            Self::Long => "密码最多 128 个字符；请缩短。",
            Self::Control => "密码中不能有换行、制表等控制字符；请去掉。",
            Self::Name => "密码不能是登录名，或登录名加数字、符号；请换一个。",
            Self::Uniform => "密码至少要有 5 个不同的字符；请换一个。",
            Self::Common => "这是最常见的密码之一，容易被猜中；请换一个。",
        }
    }

    /// A sentence in English with the limit and the remedy.
    pub fn en(self) -> &'static str {
        match self {
            Self::Short => "it must have at least 10 characters; make it longer, with a few unrelated words.",
            Self::Long => "it may have at most 128 characters; shorten it.",
            Self::Control => {
                "it must not have control characters such as line ends and tabs; leave them out."
            }
            Self::Name => "it must not be the name, nor the name with digits and signs; choose another.",
            Self::Uniform => "it must have at least 5 different characters; choose another.",
            Self::Common => "it is one of the commonest, which are tried first; choose another.",
        }
    }
}

/// Whether a password is good enough for the account of this name.
///
/// # Errors
/// Why not.
pub fn check(name: &str, password: &str) -> Result<(), PasswordRefusal> {
    let length = password.chars().count();
    if length < PASSWORD_CHARS_MIN {
        return Err(PasswordRefusal::Short);
    }
    if length > PASSWORD_CHARS_MAX {
        return Err(PasswordRefusal::Long);
    }
    if password.chars().any(char::is_control) {
        return Err(PasswordRefusal::Control);
    }
    let small = Zeroizing::new(password.to_lowercase());
    let name = name.to_lowercase();
    if !name.is_empty() && small.contains(&name) {
        let rest = Zeroizing::new(small.replace(&name, ""));
        if !rest.chars().any(char::is_alphabetic) {
            return Err(PasswordRefusal::Name);
        }
    }
    let mut different: Vec<char> = small.chars().collect();
    different.sort_unstable();
    different.dedup();
    if different.len() < DIFFERENT_MIN {
        return Err(PasswordRefusal::Uniform);
    }
    if COMMONEST.contains(&small.as_str()) {
        return Err(PasswordRefusal::Common);
    }
    Ok(())
}

/// A password of four groups of four characters that are easily typed: 79 bits.
pub(super) fn generate() -> Result<Zeroizing<String>, AccessError> {
    let mut password = Zeroizing::new(String::with_capacity(19));
    let mut characters = 0;
    while characters < 16 {
        for byte in Zeroizing::new(random::<32>()?).iter() {
            // The largest multiple of the alphabet's length: beyond, some letters would be likelier.
            if *byte >= 248 || characters == 16 {
                continue;
            }
            if characters > 0 && characters % 4 == 0 {
                password.push('-');
            }
            password.push(char::from(LETTERS[usize::from(*byte) % LETTERS.len()]));
            characters += 1;
        }
    }
    Ok(password)
}

/// The PHC string of a password, with a salt of its own.
pub(super) fn hash(password: &str) -> Result<String, AccessError> {
    let hashed: Result<PasswordHash, _> = hasher()?.hash_password(password.as_bytes());
    hashed.map(|hash| hash.to_string()).map_err(hashing)
}

fn hasher() -> Result<Argon2<'static>, AccessError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
        .map_err(|error| AccessError::Hashing(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hashing(error: argon2::password_hash::Error) -> AccessError {
    AccessError::Hashing(error.to_string())
}

/// Whether a password is that of a PHC string, whose parameters count. False also for one that is none.
fn fits(password: &str, phc: &str) -> bool {
    let Ok(parsed) = PasswordHash::new(phc) else { return false };
    hasher().is_ok_and(|hasher| hasher.verify_password(password.as_bytes(), &parsed).is_ok())
}

impl Access {
    /// The account that a name and a password open. The same work is done whether or not there is such an
    /// account, it is disabled, or the password is right, so that the time tells nothing.
    ///
    /// The name may be written as people type it (see [`login_name`]). Takes tens of milliseconds and
    /// 19 MiB: run it off the threads that answer requests, and few at once.
    pub fn verify_password(&self, name: &str, password: &str) -> Option<Arc<Account>> {
        let stored = login_name(name).and_then(|name| self.accounts.get(&name));
        let phc = stored.as_ref().map_or(NOBODYS, |stored| &stored.password);
        // A longer one cannot be right; its end need not be hashed to know that.
        let is_short_enough = password.chars().nth(PASSWORD_CHARS_MAX).is_none();
        let fits = fits(if is_short_enough { password } else { "" }, phc);
        let account = stored?.account;
        (fits && is_short_enough && account.disabled.is_none()).then_some(account)
    }
}

#[cfg(test)]
mod tests {
    use super::super::SetBy;
    use super::super::account::tests::reviewer;
    use super::super::tests::{beside, empty};
    use super::*;

    #[test]
    fn a_password_is_long_uncommon_and_not_the_name() {
        for (password, refusal) in [
            ("short 123", PasswordRefusal::Short),
            ("密码密码密码密码密", PasswordRefusal::Short),
            ("a long phrase\n", PasswordRefusal::Control),
            ("zhang.san.2026", PasswordRefusal::Name),
            ("2026-Zhang.San!", PasswordRefusal::Name),
            ("zhang.sanzhang.san", PasswordRefusal::Name),
            ("aaaabbbbccccdddd", PasswordRefusal::Uniform),
            ("0000000000", PasswordRefusal::Uniform),
            ("1234567890", PasswordRefusal::Common),
            ("WoAiNi1314", PasswordRefusal::Common),
            (&"long ".repeat(26), PasswordRefusal::Long),
        ] {
            assert_eq!(check("zhang.san", password), Err(refusal), "{password}");
            assert!(refusal.zh().ends_with('。') && refusal.en().ends_with('.'));
        }
        for password in
            ["correct horse", "一二三四五六七八九十", "zhang.san eats dumplings", &generate().unwrap()]
        {
            assert_eq!(check("zhang.san", password), Ok(()), "{password}");
        }
    }

    #[test]
    fn the_list_of_the_commonest_has_none_that_another_rule_refuses() {
        for password in COMMONEST {
            assert_eq!(check("nobody", password), Err(PasswordRefusal::Common), "{password}");
        }
    }

    #[test]
    fn a_made_password_is_four_groups_of_four_typed_alike_by_all_and_never_twice_the_same() {
        let mut seen = std::collections::HashSet::new();
        let mut letters = std::collections::HashSet::new();
        for _ in 0..200 {
            let password = generate().unwrap();
            let groups: Vec<_> = password.split('-').collect();
            assert_eq!(groups.len(), 4);
            for group in groups {
                assert!(group.len() == 4 && group.bytes().all(|byte| LETTERS.contains(&byte)), "{group}");
                letters.extend(group.bytes());
            }
            assert!(seen.insert(password.to_string()));
        }
        assert_eq!(letters.len(), LETTERS.len(), "every letter is used");
    }

    #[test]
    fn the_password_opens_the_account_and_nothing_else_does() {
        let (_directory, access) = empty();
        access.create_account(reviewer("zhang"), Some("correct horse battery")).unwrap();
        access.create_account(reviewer("wang"), Some("staple horse battery")).unwrap();
        assert_eq!(access.verify_password(" Zhang ", "correct horse battery"), access.account("zhang"));
        for (name, password) in [
            ("zhang", "Correct horse battery"),
            ("zhang", "correct horse battery "),
            ("zhang", ""),
            ("wang", "correct horse battery"),
            ("nobody", "correct horse battery"),
            ("", "correct horse battery"),
            ("zhang", &"correct horse battery".repeat(1_000)),
        ] {
            assert_eq!(access.verify_password(name, password), None, "{name} {password:.40}");
        }
        access.disable("zhang").unwrap();
        assert_eq!(access.verify_password("zhang", "correct horse battery"), None);
        access.enable("zhang").unwrap();
        assert!(access.verify_password("zhang", "correct horse battery").is_some());
    }

    #[test]
    fn a_new_password_replaces_the_old_one_and_its_holder_need_not_change_it_again() {
        let (directory, access) = empty();
        let (account, first) = access.create_account(reviewer("zhang"), None).unwrap();
        assert!(account.must_change);
        access.set_password("zhang", Some("correct horse battery"), SetBy::Holder).unwrap();
        assert_eq!(access.verify_password("zhang", &first.unwrap()), None);
        let account = access.verify_password("zhang", "correct horse battery").unwrap();
        assert!(!account.must_change);
        let made = beside(&directory).set_password("zhang", None, SetBy::Other).unwrap().unwrap();
        access.refresh().unwrap();
        assert!(access.verify_password("zhang", &made).unwrap().must_change);
        let error = access.set_password("zhang", Some("zhang12345"), SetBy::Holder).unwrap_err().to_string();
        assert!(error.starts_with("password: it must not be the name"), "{error}");
        assert!(access.verify_password("zhang", &made).is_some(), "a refused password changes nothing");
    }

    #[test]
    fn who_has_no_account_costs_the_same_work() {
        let cost = |phc: &str| {
            let parsed = PasswordHash::new(phc).unwrap();
            (
                parsed.algorithm.to_string(),
                parsed.version,
                parsed.params.to_string(),
                parsed.salt.unwrap().len(),
                parsed.hash.unwrap().len(),
            )
        };
        assert_eq!(cost(NOBODYS), cost(&hash("correct horse battery").unwrap()));
        assert_eq!(cost(NOBODYS).2, "m=19456,t=2,p=1");
    }

    #[test]
    fn a_stored_hash_that_is_damaged_opens_nothing() {
        let whole = hash("correct horse battery").unwrap();
        assert!(fits("correct horse battery", &whole));
        for cut in (0..whole.len()).step_by(5) {
            assert!(!fits("correct horse battery", &whole[..cut]), "{}", &whole[..cut]);
        }
        assert!(!fits("correct horse battery", &whole.replace("argon2id", "argon2i")));
    }
}
