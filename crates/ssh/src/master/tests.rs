//! Masters on a real sshd, which the tests start themselves.

mod faults;
mod life;
mod logins;
mod secrets;
mod sshd;
