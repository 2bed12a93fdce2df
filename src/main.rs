//! The `zhenping` command.

fn main() -> std::process::ExitCode {
    zhenping::cli::main()
}
