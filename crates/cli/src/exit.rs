//! Exit statuses.

use std::process::ExitCode;

use hostlink::{CommandOutput, Error, ErrorKind, ExitStatus};

use crate::outcome::{Done, Failure, Outcome, Targets};

/// A failure without a more specific status.
pub(crate) const FAILED: u8 = 1;
const USAGE: u8 = 2;
const TIMED_OUT: u8 = 124;
/// The link failed.
pub(crate) const LINK: u8 = 255;
/// There is no such program, as in a shell.
pub(crate) const NO_PROGRAM: u8 = 127;

/// What was being done when an error occurred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    Command,
    Transfer,
}

/// The status for the outcome of every target there is. Wrong usage of several was found before any
/// was connected to, and is not among the outcomes.
pub(crate) fn of_all(outcomes: &[Outcome], work: Work, targets: Targets) -> u8 {
    match outcomes {
        [only] if targets == Targets::One => of_one(only, work),
        several if several.iter().all(|outcome| of_one(outcome, work) == 0) => 0,
        _ => FAILED,
    }
}

/// Returns the status for an error.
pub(crate) fn of_error(error: &Error, work: Work) -> u8 {
    match error.kind() {
        ErrorKind::Data | ErrorKind::Inventory | ErrorKind::UnknownConnector => USAGE,
        // A directory instead of a file: nothing was touched, and the command line is wrong.
        ErrorKind::IsADirectory => USAGE,
        ErrorKind::Unsupported if work == Work::Command => USAGE,
        ErrorKind::Timeout => TIMED_OUT,
        ErrorKind::Connect | ErrorKind::Auth | ErrorKind::HostKey | ErrorKind::LinkLost => LINK,
        _ => FAILED,
    }
}

/// Combines the outcome of a target with the result of closing its link. Successful work on a link
/// that did not close cleanly has failed (an image was not committed); failed work keeps its own
/// status.
pub(crate) fn with_end(outcome: Outcome, ended: hostlink::Result<()>) -> Outcome {
    let is_done = match &outcome {
        Ok(Done::Ran(output)) => of_command(output) == 0,
        Ok(Done::Moved(_)) => true,
        Ok(Done::Left(status)) => status.as_shell_code() == 0,
        Err(_) => false,
    };
    match ended {
        // Whatever the error: the target was reached, and no argument was wrong.
        Err(error) if is_done => Err(error.with_kind(ErrorKind::Transfer).into()),
        _ => outcome,
    }
}

/// Reports an error before there is a runtime.
pub(crate) fn without_runtime(error: &std::io::Error) -> ExitCode {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "hostlink: cannot start: {error}");
    ExitCode::from(FAILED)
}

fn of_one(outcome: &Outcome, work: Work) -> u8 {
    match outcome {
        Ok(Done::Ran(output)) => of_command(output),
        Ok(Done::Moved(_)) => 0,
        Ok(Done::Left(status)) => u8::try_from(status.as_shell_code()).unwrap_or(FAILED),
        Err(Failure { error, reached: true }) => of_error(error, work),
        // However it failed to be reached: there is no such container, its engine does not answer.
        Err(Failure { error, reached: false }) => match of_error(error, Work::Command) {
            FAILED => LINK,
            status => status,
        },
    }
}

fn of_command(output: &CommandOutput) -> u8 {
    if output.success() {
        return 0;
    }
    let status = output.status().map_or(0, ExitStatus::as_shell_code);
    // Code 0 is a failure if --success-exit-codes does not list it.
    u8::try_from(status).ok().filter(|status| *status != 0).unwrap_or(FAILED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn ran(status: ExitStatus) -> Outcome {
        Ok(Done::Ran(CommandOutput::from_lines([], status, Duration::ZERO)))
    }

    fn failed(kind: ErrorKind) -> Outcome {
        Err(Error::new(kind, "x").into())
    }

    #[test]
    fn one_target_gives_the_command_s_own_status() {
        let status = |outcome| of_all(&[outcome], Work::Command, Targets::One);
        for code in [0, 1, 7, 126, 127, 255] {
            assert_eq!(i32::from(status(ran(ExitStatus::Code(code)))), code);
        }
        assert_eq!(status(ran(ExitStatus::Signal(9))), 137);
        assert_eq!(status(failed(ErrorKind::Timeout)), 124);
        assert_eq!(status(failed(ErrorKind::Auth)), 255);
        assert_eq!(status(failed(ErrorKind::Privilege)), 1);
        assert_eq!(status(failed(ErrorKind::Unsupported)), 2);
        assert_eq!(of_all(&[failed(ErrorKind::Unsupported)], Work::Transfer, Targets::One), 1);
        let unreached = |kind| status(Err(Failure::to_connect(Error::new(kind, "x"))));
        assert_eq!(unreached(ErrorKind::NotFound), 255);
        assert_eq!(unreached(ErrorKind::Privilege), 255);
        assert_eq!(unreached(ErrorKind::Data), 2);
    }

    #[test]
    fn a_link_that_does_not_end_well_is_a_failure_of_what_went_well() {
        let ended = |code, end| of_one(&with_end(ran(ExitStatus::Code(code)), end), Work::Command);
        let failed = || Err(Error::new(ErrorKind::Connect, "x"));
        assert_eq!(ended(0, Ok(())), 0);
        assert_eq!(ended(0, failed()), 1);
        assert_eq!(ended(7, failed()), 7);
    }

    #[test]
    fn several_targets_give_success_or_failure() {
        let ok = || ran(ExitStatus::Code(0));
        let status = |outcomes: &[Outcome]| of_all(outcomes, Work::Command, Targets::Many);
        assert_eq!(status(&[ok(), ok()]), 0);
        assert_eq!(status(&[ok(), ran(ExitStatus::Code(2))]), 1);
        assert_eq!(status(&[ok(), failed(ErrorKind::Connect)]), 1);
        assert_eq!(status(&[ok(), failed(ErrorKind::Data)]), 1);
        assert_eq!(status(&[ran(ExitStatus::Code(2))]), 1);
    }
}
