//! What a server remembers of devices.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// As many devices as are remembered. Beyond it all are forgotten, as after a restart: they only lose a little comfort.
const MAX_DEVICES: usize = 65_536;

/// A server's memory of devices, by their ids. Policies are not required unless said so.
#[derive(Debug, Default)]
pub struct DeviceState {
    policies: bool,
    devices: Mutex<HashMap<String, Device>>,
}

/// What is remembered of a device.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Device {
    /// Whether it has been told which versions the server speaks (X-MS-RP).
    pub(super) told: bool,
    /// How many messages of the inbox it has been given.
    pub(super) synced: Option<usize>,
    /// The heartbeat of its last Ping, in seconds: a Ping without a body repeats it.
    pub(super) heartbeat: Option<u64>,
}

impl DeviceState {
    /// A server that serves devices only once they follow its policy.
    pub fn requiring_policies() -> DeviceState {
        DeviceState { policies: true, ..DeviceState::default() }
    }

    pub(super) fn requires_policies(&self) -> bool {
        self.policies
    }

    pub(super) fn of(&self, id: &str) -> Device {
        self.devices().get(id).copied().unwrap_or_default()
    }

    /// Changes what is remembered of a device.
    pub(super) fn remember(&self, id: &str, change: impl FnOnce(&mut Device)) {
        let mut devices = self.devices();
        if devices.len() >= MAX_DEVICES && !devices.contains_key(id) {
            devices.clear();
        }
        change(devices.entry(id.to_owned()).or_default());
    }

    fn devices(&self) -> MutexGuard<'_, HashMap<String, Device>> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
