//! `zhenping user`: makes, lists and changes the accounts of the people at the reviewers' desk.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use zeroize::Zeroizing;

use super::CommandResult;
use crate::access::{Access, Account, AccountRole, NewAccount, SetBy};

/// Most bytes read of a password on standard input; far more than one may have.
const STDIN_BYTES_MAX: u64 = 4_096;

/// Makes, lists and changes accounts of the reviewers' desk; works before the first start and beside a
/// running server, which notices within a second.
///
/// Nobody decides on ratings of their own department, and a bad rating is decided on outside its department
/// and district: tell with --department and --district where a person works. Which cases a person sees is
/// told with --scope-department and --scope-district; without any, all but those of the own department.
#[derive(Debug, Args)]
pub struct UserArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Makes an account and prints its first password, alone, on the last line; it is not shown again.
    Add {
        /// Login name: 2 to 32 of a-z, 0-9, '.', '_' and '-'. It is never given twice.
        name: String,
        /// What the person does.
        #[arg(long)]
        role: AccountRole,
        /// Data directory; made if it is not there.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// The person's name as others read it, such as 张三; up to 40 characters.
        #[arg(long, default_value = "", value_name = "TEXT", hide_default_value = true)]
        display: String,
        #[command(flatten)]
        workplace: Place,
        #[command(flatten)]
        scope: Seen,
        /// Reads the first password from the first line of standard input and prints none.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Lists all accounts, disabled ones too.
    List {
        /// Data directory.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
    /// Gives an account a new first password, printed as by `add`, and ends its sessions.
    Password {
        /// Login name.
        name: String,
        /// Data directory.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Reads the password from the first line of standard input and prints none.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Disables an account and ends its sessions. What its holder decided stays as it is.
    Disable {
        /// Login name.
        name: String,
        /// Data directory.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
    /// Enables a disabled account; its password is the one from before.
    Enable {
        /// Login name.
        name: String,
        /// Data directory.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
    /// Replaces which cases a person sees.
    #[command(group = clap::ArgGroup::new("what is seen").required(true).multiple(true)
        .args(["all", "scope_departments", "scope_districts"]))]
    Scope {
        /// Login name.
        name: String,
        /// Data directory.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        #[command(flatten)]
        scope: Seen,
        /// All departments and districts.
        #[arg(long, conflicts_with_all = ["scope_departments", "scope_districts"])]
        all: bool,
    },
    /// Replaces where a person works, on which recusal rests.
    #[command(group = clap::ArgGroup::new("where").required(true).multiple(true)
        .args(["none", "department", "district"]))]
    Workplace {
        /// Login name.
        name: String,
        /// Data directory.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        #[command(flatten)]
        workplace: Place,
        /// In no department or district that is rated.
        #[arg(long, conflicts_with_all = ["department", "district"])]
        none: bool,
    },
}

#[derive(Debug, Args)]
struct Place {
    /// Code of the department that the person works in, as ratings carry it.
    #[arg(long, value_name = "CODE")]
    department: Option<String>,
    /// Code of the district that the person works in, as ratings carry it.
    #[arg(long, value_name = "CODE")]
    district: Option<String>,
}

#[derive(Debug, Args)]
struct Seen {
    /// A department whose cases the person sees; may be given up to 200 times.
    #[arg(long = "scope-department", value_name = "CODE")]
    scope_departments: Vec<String>,
    /// A district whose cases the person sees; may be given up to 200 times.
    #[arg(long = "scope-district", value_name = "CODE")]
    scope_districts: Vec<String>,
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// Runs the command.
pub fn run(args: UserArgs) -> CommandResult {
    match args.action {
        Action::Add { name, role, data, display, workplace, scope, password_stdin } => {
            let given = password_stdin.then(read_password).transpose()?;
            let new = NewAccount {
                name,
                display,
                role,
                department: workplace.department,
                district: workplace.district,
                scope_departments: scope.scope_departments,
                scope_districts: scope.scope_districts,
            };
            let password = given.as_ref().map(|password| password.as_str());
            let (account, made) = Access::open(&data)?.create_account(new, password)?;
            eprintln!("Account {} ({role}) is made: {}.", account.name, described(&account));
            tell_password(made.as_deref());
        }
        Action::List { data } => {
            let accounts = open_existing(&data)?.accounts();
            println!("{:<32}  {:<8}  {:<16}  {:<24}  person", "name", "role", "standing", "created");
            for account in accounts {
                println!(
                    "{:<32}  {:<8}  {:<16}  {:<24}  {}",
                    account.name,
                    account.role.value(),
                    account.standing(),
                    account.created.to_string(),
                    described(&account)
                );
            }
        }
        Action::Password { name, data, password_stdin } => {
            let access = open_existing(&data)?;
            let given = password_stdin.then(read_password).transpose()?;
            let password = given.as_ref().map(|password| password.as_str());
            let made = access.set_password(&name, password, SetBy::Other)?;
            eprintln!("Account {name} has a new password, and its sessions have ended.");
            tell_password(made.as_deref());
            if access.account(&name).is_some_and(|account| account.disabled.is_some()) {
                eprintln!("It is still disabled; `zhenping user enable {name}` enables it.");
            }
        }
        Action::Disable { name, data } => {
            open_existing(&data)?.disable(&name)?;
            eprintln!("Account {name} is disabled, and its sessions have ended.");
        }
        Action::Enable { name, data } => {
            open_existing(&data)?.enable(&name)?;
            eprintln!("Account {name} is enabled.");
        }
        // `all` and `none` are what is given when nothing else is.
        Action::Scope { name, data, scope, all: _ } => {
            let account =
                open_existing(&data)?.set_scope(&name, &scope.scope_departments, &scope.scope_districts)?;
            eprintln!("Account {name}: {}.", described(&account));
        }
        Action::Workplace { name, data, workplace, none: _ } => {
            let account = open_existing(&data)?.set_workplace(
                &name,
                workplace.department.as_deref(),
                workplace.district.as_deref(),
            )?;
            eprintln!("Account {name}: {}.", described(&account));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Who it is, where the person works, and what the person sees.
fn described(account: &Account) -> String {
    let place: Vec<&str> =
        [&account.department, &account.district].into_iter().flatten().map(String::as_str).collect();
    let place = if place.is_empty() { "no rated office".to_owned() } else { place.join(", ") };
    let mut seen = Vec::new();
    for (what, codes) in
        [("departments", &account.scope_departments), ("districts", &account.scope_districts)]
    {
        if !codes.is_empty() {
            seen.push(format!("{what} {}", codes.join(", ")));
        }
    }
    let seen = match seen.is_empty() {
        true => "everything".to_owned(),
        false => seen.join(" in "),
    };
    let seen = if account.role.sees_cases() { seen } else { "no cases".to_owned() };
    format!("{}; works in {place}; sees {seen}", account.display)
}

fn tell_password(made: Option<&String>) {
    match made {
        Some(password) => {
            eprintln!(
                "The first password follows. It is not shown again, and must be changed at the next sign-in."
            );
            println!("{password}");
        }
        None => eprintln!("The password must be changed at the next sign-in."),
    }
}

/// The first line of standard input.
fn read_password() -> Result<Zeroizing<String>, AnyError> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err("--password-stdin reads a file or pipe, not a terminal, which would show the password; \
                    leave it out and a password is made"
            .into());
    }
    let mut text = Zeroizing::new(String::new());
    let read = stdin.lock().take(STDIN_BYTES_MAX).read_to_string(&mut text);
    read.map_err(|error| format!("the password on standard input cannot be read: {error}"))?;
    let line = text.split('\n').next().unwrap_or_default();
    Ok(Zeroizing::new(line.strip_suffix('\r').unwrap_or(line).to_owned()))
}

/// Only `add` makes a directory: a misspelt one should be told, not filled.
fn open_existing(data: &Path) -> Result<Access, AnyError> {
    if !data.join(crate::access::FILE_NAME).is_file() {
        return Err(format!("there are no accounts in {}", data.display()).into());
    }
    Ok(Access::open(data)?)
}
