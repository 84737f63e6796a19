//! Abilities of a target that some cases need, and the lack of one.

/// An ability of a target that a case needs beyond a POSIX `sh` with its usual tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ability {
    /// Terminals: `get_pty`, and interactive sessions.
    Terminal,
    /// A terminal accepts more than 32 KiB of input before its command reads any.
    LongTerminalInput,
    /// `bash`.
    Bash,
    /// `printenv` as an external program, which sees what the shell exports.
    Printenv,
    /// `tar`.
    Tar,
    /// The user may mount, and the next command sees the mount.
    Mount,
    /// Two sessions of one login may overlap, as they do whenever a command is killed.
    SecondSession,
    /// A command may end while input is still on its way to it.
    UnreadInput,
    /// The output of a process that outlives its command can be read.
    OutputOfOrphans,
    /// That output can be read for more than a second after the command's end.
    LateOutputOfOrphans,
    /// The fixture moves bytes on a path that no other fixture uses, so its memory use is worth
    /// measuring.
    OwnDataPath,
    /// No other case may use the target at the same time. Every fixture offers this.
    Alone,
}

/// An ability that a target does not have, and how to treat the cases that need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lack {
    pub(crate) ability: Ability,
    pub(crate) reason: &'static str,
    pub(crate) verdict: Verdict,
}

/// The treatment of a case whose needs a target does not meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The case is run and has to fail.
    Fails,
    /// The case is not run.
    NotRun,
}

impl Lack {
    /// The target cannot do this. Cases that need it are run and have to fail. If one passes, the
    /// suite fails until the lack is removed from the declaration.
    #[must_use]
    pub const fn fails(ability: Ability, reason: &'static str) -> Self {
        Self { ability, reason, verdict: Verdict::Fails }
    }

    /// Returns whether the target can do this depends on chance, or another fixture covers it.
    /// Cases that need it are not run.
    #[must_use]
    pub const fn not_run(ability: Ability, reason: &'static str) -> Self {
        Self { ability, reason, verdict: Verdict::NotRun }
    }
}

/// Returns the lack that decides how a case with these needs is treated. "Not run" wins over
/// "fails".
pub(crate) fn decisive<'a>(lacks: &'a [Lack], needs: &[Ability]) -> Option<&'a Lack> {
    let of = |verdict| {
        lacks.iter().find(move |lack| lack.verdict == verdict && needs.contains(&lack.ability))
    };
    of(Verdict::NotRun).or_else(|| of(Verdict::Fails))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases;

    #[test]
    fn a_case_that_is_not_run_cannot_have_to_fail() {
        let lacks =
            [Lack::fails(Ability::Bash, "no bash"), Lack::not_run(Ability::Tar, "by chance")];
        assert_eq!(decisive(&lacks, &[Ability::Bash, Ability::Tar]), Some(&lacks[1]));
        assert_eq!(decisive(&lacks, &[Ability::Bash, Ability::Mount]), Some(&lacks[0]));
        assert_eq!(decisive(&lacks, &[Ability::Mount]), None);
        assert_eq!(decisive(&lacks, &[]), None);
    }

    /// Every ability that a fixture may lack.
    const ALL: [Ability; 11] = [
        Ability::Terminal,
        Ability::LongTerminalInput,
        Ability::Bash,
        Ability::Printenv,
        Ability::Tar,
        Ability::Mount,
        Ability::SecondSession,
        Ability::UnreadInput,
        Ability::OutputOfOrphans,
        Ability::LateOutputOfOrphans,
        Ability::OwnDataPath,
    ];

    #[test]
    fn every_ability_is_needed_by_a_case() {
        for ability in ALL {
            let is_needed = cases::all().iter().any(|case| case.needs.contains(&ability));
            assert!(is_needed, "no case needs {ability:?}");
        }
    }
}
