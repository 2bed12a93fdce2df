//! The `zhenping` command.

/// A rating's pieces are made by one thread and freed by another, a few dozen of them for each: for
/// that pattern the system's allocator costs about a tenth of a rating's time more than this one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    zhenping::cli::main()
}
