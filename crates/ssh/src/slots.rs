//! Limits the channels in use, and learns from a host's refusals how many it has.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hostlink_core::{Error, ErrorKind, Result, Slot};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// The assumed channels of a login that has not refused one: sshd's default (`MaxSessions`,
/// sshd_config(5)).
const CHANNELS: usize = 10;

/// Maximum number of commands on one login. One channel is for files, and one stays free for kills,
/// without which commands that hang could not be ended.
const COMMANDS: usize = 8;

/// Maximum number of channels for files that come without SFTP, which has one of its own.
const EXTRA_FILES: usize = 2;

/// How long after a refusal one more channel is tried. The limit may be higher if other users of
/// the login had channels.
const TRY_MORE: Duration = Duration::from_secs(2);

/// How often a waiting command checks again: no event reports that files no longer need a channel.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The use of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Command,
    Files,
    /// A kill, or a channel that is reserved for one.
    Kill,
}

/// The channels of one login.
#[derive(Debug)]
pub(crate) struct Slots {
    state: Mutex<State>,
    /// Its holder gets the next slot.
    turn: tokio::sync::Mutex<()>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    /// The number of channels that the host is known to allow.
    capacity: usize,
    /// When the capacity was last learned, or raised.
    learned: Instant,
    /// From this capacity on, one channel stays free for kills.
    spares_from: usize,
    closed: bool,
    /// Commands that have a slot.
    commands: usize,
    /// Channels of commands that have ended, which still count on the host.
    closing: usize,
    files: usize,
    kills: usize,
    /// All channels that are open, opening or closing.
    channels: usize,
}

impl State {
    /// Returns whether one more command may start.
    fn has_room(&mut self) -> bool {
        if self.commands >= COMMANDS {
            return false;
        }
        if self.capacity < CHANNELS && self.learned.elapsed() >= TRY_MORE {
            self.capacity += 1;
            self.learned = Instant::now();
        }
        let running = self.commands + self.closing;
        let spare = self.kills.max(usize::from(self.capacity >= self.spares_from));
        running == 0 || running + self.files + spare < self.capacity
    }
}

impl Slots {
    /// Returns slots that are all free. From `spares_from` channels on, one is kept for kills.
    pub(crate) fn new(spares_from: usize) -> Arc<Self> {
        let state = State {
            capacity: CHANNELS,
            learned: Instant::now(),
            spares_from,
            closed: false,
            commands: 0,
            closing: 0,
            files: 0,
            kills: 0,
            channels: 0,
        };
        Arc::new(Self {
            state: Mutex::new(state),
            turn: Default::default(),
            changed: Notify::new(),
        })
    }

    /// Waits until a command may start. Callers are served in order. `wanted` is called if no
    /// channel is free.
    ///
    /// # Errors
    ///
    /// The connection was closed.
    ///
    /// # Cancel safety
    ///
    /// Nothing is taken.
    pub(crate) async fn take(self: &Arc<Self>, wanted: impl Fn()) -> Result<Slot> {
        let _turn = self.turn.lock().await;
        loop {
            let lacks_channel = {
                let mut state = self.state.lock();
                if state.closed {
                    return Err(Error::new(ErrorKind::LinkLost, "the connection was closed"));
                }
                if state.has_room() {
                    state.commands += 1;
                    return Ok(Slot::holding(Held(self.clone())));
                }
                state.commands < COMMANDS
            };
            let changed = self.changed.notified();
            if lacks_channel {
                wanted();
                let _ = tokio::time::timeout(LOOK_AGAIN, changed).await;
            } else {
                changed.await;
            }
        }
    }

    /// Counts a channel that will be requested.
    pub(crate) fn channel(self: &Arc<Self>, usage: Use) -> Channel {
        let mut state = self.state.lock();
        state.channels += 1;
        match usage {
            Use::Command => {}
            Use::Files => state.files += 1,
            Use::Kill => state.kills += 1,
        }
        Channel { slots: self.clone(), usage, closing: false }
    }

    /// Returns another channel for files, if one stays free for a command.
    pub(crate) fn extra_for_files(self: &Arc<Self>) -> Option<Channel> {
        let mut state = self.state.lock();
        let spare = state.kills.max(usize::from(state.capacity >= state.spares_from));
        let taken = state.commands + state.closing + state.files + spare;
        if state.files > EXTRA_FILES || taken + 2 > state.capacity {
            return None;
        }
        state.channels += 1;
        state.files += 1;
        drop(state);
        Some(Channel { slots: self.clone(), usage: Use::Files, closing: false })
    }

    /// Returns how many channels are open, opening or closing.
    pub(crate) fn channels(&self) -> usize {
        self.state.lock().channels
    }

    /// Returns whether a channel may be reserved for kills: there is more than one, and no kill is
    /// running.
    pub(crate) fn can_spare(&self) -> bool {
        let state = self.state.lock();
        state.capacity > 1 && state.kills == 0
    }

    /// Returns whether there is only one channel.
    pub(crate) fn has_one(&self) -> bool {
        self.state.lock().capacity == 1
    }

    /// Resets the capacity for a new login, whose limit is not known.
    pub(crate) fn renew(&self) {
        self.state.lock().capacity = CHANNELS;
        self.changed.notify_one();
    }

    /// Refuses all slots from now on.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_one();
    }
}

/// A command's slot, which is free when it is dropped.
struct Held(Arc<Slots>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.state.lock().commands -= 1;
        self.0.changed.notify_one();
    }
}

/// A channel that counts until it is dropped.
#[derive(Debug)]
pub(crate) struct Channel {
    slots: Arc<Slots>,
    usage: Use,
    closing: bool,
}

impl Channel {
    /// Gives the slot back once the command has ended, before the host has closed the channel.
    pub(crate) fn close(&mut self) {
        if self.usage == Use::Command && !self.closing {
            self.closing = true;
            self.slots.state.lock().closing += 1;
        }
    }

    /// Notes that the host refused it, so there are no more than the others. Channels that are
    /// opening may be refused too, which lowers the number again.
    pub(crate) fn refused(self) {
        let mut state = self.slots.state.lock();
        state.capacity = state.capacity.min(state.channels - 1).max(1);
        state.learned = Instant::now();
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        let mut state = self.slots.state.lock();
        state.channels -= 1;
        state.closing -= usize::from(self.closing);
        match self.usage {
            Use::Command => {}
            Use::Files => state.files -= 1,
            Use::Kill => state.kills -= 1,
        }
        drop(state);
        self.slots.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    async fn take(slots: &Arc<Slots>) -> Slot {
        slots.take(|| {}).await.unwrap()
    }

    fn is_full(slots: &Arc<Slots>) -> bool {
        slots.take(|| {}).now_or_never().is_none()
    }

    #[tokio::test]
    async fn a_refusal_reports_how_many_there_are() {
        let slots = Slots::new(3);
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push((take(&slots).await, slots.channel(Use::Command)));
        }
        assert!(!is_full(&slots), "the control");
        slots.channel(Use::Command).refused();
        assert!(is_full(&slots));
        held.pop();
        assert!(is_full(&slots), "one stays free for kills");
        held.pop();
        assert!(!is_full(&slots));
        slots.renew();
        held.extend([(take(&slots).await, slots.channel(Use::Command))]);
        held.extend([(take(&slots).await, slots.channel(Use::Command))]);
        assert!(!is_full(&slots), "another login");
    }

    #[tokio::test]
    async fn files_get_more_channels_only_where_a_command_is_left_one() {
        let slots = Slots::new(3);
        let sftp = slots.channel(Use::Files);
        let extra: Vec<_> = std::iter::from_fn(|| slots.extra_for_files()).take(9).collect();
        assert_eq!(extra.len(), EXTRA_FILES);
        drop(extra);
        let mut held = Vec::new();
        while slots.extra_for_files().is_some() {
            held.push((take(&slots).await, slots.channel(Use::Command)));
        }
        // One each for kills and for SFTP, and one that a command may still have.
        assert_eq!(held.len(), CHANNELS - 3);
        assert!(!is_full(&slots));
        drop((held, sftp));
        let held = (take(&slots).await, slots.channel(Use::Command));
        slots.channel(Use::Command).refused();
        drop(held);
        assert!(slots.extra_for_files().is_none(), "there is but one");
    }

    #[tokio::test]
    async fn a_channel_counts_until_it_is_closed() {
        let slots = Slots::new(3);
        let (slot, mut channel) = (take(&slots).await, slots.channel(Use::Command));
        slots.channel(Use::Command).refused();
        channel.close();
        drop(slot);
        assert!(is_full(&slots));
        drop(channel);
        assert!(!is_full(&slots));
    }

    #[tokio::test]
    async fn who_waits_gets_an_error_when_all_is_closed() {
        let slots = Slots::new(3);
        let _slot = take(&slots).await;
        slots.channel(Use::Command).refused();
        let waits = [slots.clone(), slots.clone()]
            .map(|slots| tokio::spawn(async move { slots.take(|| {}).await.map(drop) }));
        tokio::task::yield_now().await;
        slots.close();
        for wait in waits {
            assert_eq!(wait.await.unwrap().unwrap_err().kind(), ErrorKind::LinkLost);
        }
    }
}
