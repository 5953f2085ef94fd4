//! A component that is compiled and linked, and the roles it has.

use crate::bindings::exports::dragoman::gateway::{
    admission, answers, decoder, handler, northbound, notifications, plugin, southbound, subscriptions, topics,
};
use crate::description::Roles;
use crate::grants::{Grants, Interface};
use crate::instances::Live;
use crate::state::State;
use wasmtime::Store;
use wasmtime::component::{Component, Instance, InstancePre, Linker};

/// The version of the contract, as it stands in `wit/`.
pub(crate) const CONTRACT: &str = "dragoman:gateway";
pub(crate) const CONTRACT_VERSION: &str = "0.1.0-draft";

/// A component, ready to be instantiated. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Unit {
    pub(crate) pre: InstancePre<State>,
    /// What it imports that has to be granted.
    pub(crate) needs: Grants,
    pub(crate) plugin: plugin::GuestIndices,
    pub(crate) admission: Option<admission::GuestIndices>,
    pub(crate) northbound: Option<northbound::GuestIndices>,
    pub(crate) southbound: Option<southbound::GuestIndices>,
    pub(crate) topics: Option<topics::GuestIndices>,
    pub(crate) subscriptions: Option<subscriptions::GuestIndices>,
    pub(crate) notifications: Option<notifications::GuestIndices>,
    pub(crate) answers: Option<answers::GuestIndices>,
    pub(crate) handler: Option<handler::GuestIndices>,
    pub(crate) decoder: Option<decoder::GuestIndices>,
}

/// Looks a role up: absent is none, present but incomplete is an error.
macro_rules! role {
    ($pre:expr, $role:ident) => {{
        let name = format!("{CONTRACT}/{}@{CONTRACT_VERSION}", stringify!($role));
        match $pre.component().get_export_index(None, name.as_str()) {
            Some(_) => Some($role::GuestIndices::new(&$pre)?),
            None => None,
        }
    }};
}

/// Loads every role that is there.
macro_rules! load_all {
    ($unit:ident, $store:ident, $instance:ident: $($role:ident),+) => {
        $(if let Some(role) = &$unit.$role {
            role.load(&mut *$store, $instance)?;
        })+
    };
}

/// The roles whose functions were looked up in one instance. That checks the types of all of them, so it is done when a
/// role is called first and not again.
macro_rules! guests {
    ($($role:ident),+) => {
        #[derive(Default)]
        pub(crate) struct Guests {
            $($role: Option<$role::Guest>,)+
        }

        $(impl Role for $role::GuestIndices {
            type Guest = $role::Guest;

            fn of(&self, live: &mut Live) -> wasmtime::Result<Self::Guest> {
                if let Some(guest) = &live.guests.$role {
                    return Ok(guest.clone());
                }
                let guest = self.load(&mut live.store, &live.instance)?;
                live.guests.$role = Some(guest.clone());
                Ok(guest)
            }
        })+
    };
}

/// What a component exports as one interface, before it is instantiated.
pub(crate) trait Role {
    /// The functions of an instance.
    type Guest;

    /// Its functions in this instance.
    fn of(&self, live: &mut Live) -> wasmtime::Result<Self::Guest>;
}

guests!(admission, northbound, southbound, topics, subscriptions, notifications, answers, handler, decoder);

impl Unit {
    pub(crate) fn link(linker: &Linker<State>, component: &Component) -> wasmtime::Result<Self> {
        let pre = linker.instantiate_pre(component)?;
        Ok(Self {
            plugin: plugin::GuestIndices::new(&pre)?,
            admission: role!(pre, admission),
            northbound: role!(pre, northbound),
            southbound: role!(pre, southbound),
            topics: role!(pre, topics),
            subscriptions: role!(pre, subscriptions),
            notifications: role!(pre, notifications),
            answers: role!(pre, answers),
            handler: role!(pre, handler),
            decoder: role!(pre, decoder),
            needs: needs(component),
            pre,
        })
    }

    pub(crate) fn roles(&self) -> Roles {
        Roles {
            admission: self.admission.is_some(),
            northbound: self.northbound.is_some(),
            southbound: self.southbound.is_some(),
            topics: self.topics.is_some(),
            subscriptions: self.subscriptions.is_some(),
            notifications: self.notifications.is_some(),
            answers: self.answers.is_some(),
            handler: self.handler.is_some(),
            decoder: self.decoder.is_some(),
        }
    }

    /// The types of a component's functions are checked only here, so a file is loaded only after all of its roles
    /// have been looked at once.
    pub(crate) fn check_types(&self, store: &mut Store<State>, instance: &Instance) -> wasmtime::Result<()> {
        self.plugin.load(&mut *store, instance)?;
        load_all!(self, store, instance: admission, northbound, southbound, topics, subscriptions);
        load_all!(self, store, instance: notifications, answers, handler, decoder);
        Ok(())
    }
}

/// The interfaces of the contract among its imports, by their names.
fn needs(component: &Component) -> Grants {
    let kind = component.component_type();
    let interface = |name: &str| {
        let path = name.strip_prefix(CONTRACT)?.strip_prefix('/')?;
        Interface::of(path.split('@').next()?)
    };
    kind.imports(component.engine()).filter_map(|(name, _)| interface(name)).collect()
}
