//! Who is inside: calls that were taken and are not answered yet.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::intake::Refused;

/// A bounded count, which can be closed. One atomic, because every call passes it twice.
pub struct Gate {
    /// How many are inside; its highest bit is set once the gate is closed.
    inside: AtomicUsize,
    limit: usize,
}

const CLOSED: usize = 1 << (usize::BITS - 1);

impl Gate {
    /// An open gate for at most `limit` at once.
    pub fn new(limit: usize) -> Self {
        Self { inside: AtomicUsize::new(0), limit: limit.min(CLOSED - 1) }
    }

    /// Lets one in, or refuses at once.
    pub fn enter(&self) -> Result<(), Refused> {
        let entered = self.inside.fetch_update(Ordering::AcqRel, Ordering::Acquire, |inside| {
            (inside < self.limit).then_some(inside + 1)
        });
        match entered {
            Ok(_) => Ok(()),
            Err(inside) if inside & CLOSED != 0 => Err(Refused::Closed),
            Err(_) => Err(Refused::Full),
        }
    }

    /// Lets one in though the gate may be full; refuses only once it is closed.
    pub fn enter_ahead(&self) -> Result<(), Refused> {
        let entered = self.inside.fetch_update(Ordering::AcqRel, Ordering::Acquire, |inside| {
            (inside & CLOSED == 0).then_some(inside + 1)
        });
        entered.map(drop).map_err(|_| Refused::Closed)
    }

    /// Lets so many of those inside go. `true` if the gate is closed and these were the last.
    pub fn leave(&self, number: usize) -> bool {
        self.inside.fetch_sub(number, Ordering::AcqRel) == CLOSED + number
    }

    /// Lets nobody in any more.
    pub fn close(&self) {
        self.inside.fetch_or(CLOSED, Ordering::AcqRel);
    }

    /// How many are inside.
    pub fn inside(&self) -> usize {
        self.inside.load(Ordering::Acquire) & !CLOSED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_or_closed_gate_refuses_at_once() {
        let gate = Gate::new(2);
        assert_eq!((gate.enter(), gate.enter()), (Ok(()), Ok(())));
        assert_eq!(gate.enter(), Err(Refused::Full));
        assert!(!gate.leave(1));
        assert_eq!(gate.enter(), Ok(()));
        assert_eq!(gate.enter_ahead(), Ok(()));
        gate.close();
        assert_eq!((gate.enter(), gate.enter_ahead()), (Err(Refused::Closed), Err(Refused::Closed)));
        assert_eq!(gate.inside(), 3);
        assert!(!gate.leave(2) && gate.leave(1));
        assert_eq!((gate.enter(), gate.inside()), (Err(Refused::Closed), 0));
    }
}
