//! The real program with too little memory: done, or one line and status 1, whatever it is that
//! the system refuses.

use crate::program::{folder, program, train};
use std::process::Command;

/// What `command` would do with at most so many kilobytes of address space.
fn limited(command: &Command, kilobytes: u64) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -v \"$0\" && exec \"$@\"", &kilobytes.to_string()]);
    shell.arg(command.get_program()).args(command.get_args());
    shell
}

/// The status with each of several limits, which begin where the program itself just fits.
fn starved(command: &Command) -> Vec<i32> {
    let own = std::fs::metadata(command.get_program()).unwrap().len() / 1024;
    let more = [8, 16, 32, 64, 128, 192, 4096];
    let statuses = more.map(|megabytes| {
        let output = limited(command, own + megabytes * 1024).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let Some(status @ (0 | 1)) = output.status.code() else {
            panic!("with {megabytes} MB: {}: {said}", output.status)
        };
        let errors = said.lines().filter(|line| line.starts_with("error: ")).count();
        assert_eq!(errors, status as usize, "with {megabytes} MB: {said}");
        for bug in ["panicked", "backtrace", "allocation of"] {
            assert!(!said.contains(bug), "with {megabytes} MB: {said}");
        }
        status
    });
    statuses.into()
}

#[cfg(target_os = "linux")]
#[test]
fn too_little_memory_is_one_line() {
    let (_folder, run) = folder();
    let mut training = train("train lenet --limit 200 --epochs 1", &run);
    let statuses = starved(training.arg("--overwrite"));
    assert_eq!((statuses[0], statuses.last()), (1, Some(&0)), "{statuses:?}");
    let statuses = starved(program().arg("eval").arg(&run));
    assert_eq!(statuses.last(), Some(&0), "{statuses:?}");
}
