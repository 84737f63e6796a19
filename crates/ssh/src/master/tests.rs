//! Masters on a real sshd, which the tests start themselves.

mod faults;
mod life;
mod logins;
mod places;
mod policies;
mod secrets;
mod sshd;
