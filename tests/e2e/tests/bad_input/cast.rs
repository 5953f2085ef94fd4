//! Clients of the embedded broker that play in a table: who they are, and what each has heard.

use crate::wire::{Heard, Login, Wire};
use anyhow::{Context, ensure};
use dragoman_e2e::World;

/// A daemon and the clients that are connected to it.
pub(crate) struct Cast {
    pub(crate) world: World,
    port: u16,
    players: Vec<Player>,
}

struct Player {
    name: &'static str,
    login: Login,
    filters: Vec<String>,
    wire: Wire,
}

impl Cast {
    /// Nobody yet.
    pub(crate) fn new(world: World) -> anyhow::Result<Self> {
        let port = world.daemon.mqtt_port()?;
        Ok(Self { world, port, players: Vec::new() })
    }

    /// Connects a client, which must be let in, with subscriptions that must be granted.
    pub(crate) async fn join(&mut self, name: &'static str, login: Login, filters: &[&str]) -> anyhow::Result<()> {
        let filters: Vec<_> = filters.iter().map(|filter| (*filter).to_owned()).collect();
        let wire = self.connect(name, &login, &filters).await?;
        self.players.push(Player { name, login, filters, wire });
        Ok(())
    }

    /// Connects a client again that was cut off. What it heard before is kept.
    pub(crate) async fn join_again(&mut self, name: &str) -> anyhow::Result<()> {
        let at = self.at(name)?;
        let player = &self.players[at];
        let mut wire = self.connect(player.name, &player.login, &player.filters).await?;
        let player = &mut self.players[at];
        wire.inbox.splice(..0, player.wire.inbox.drain(..));
        player.wire = wire;
        Ok(())
    }

    /// The connection of a client.
    pub(crate) fn wire(&mut self, name: &str) -> anyhow::Result<&mut Wire> {
        let at = self.at(name)?;
        Ok(&mut self.players[at].wire)
    }

    /// Publishes what must be taken.
    pub(crate) async fn publish(&mut self, name: &str, topic: &str, payload: &str) -> anyhow::Result<()> {
        let answer = self.wire(name)?.publish(topic.as_bytes(), payload.as_bytes()).await?;
        ensure!(answer == Heard::Taken, "{name} published on {topic} and heard {answer:?}");
        Ok(())
    }

    /// Connects somebody who does not stay. Gives the code of the CONNACK.
    pub(crate) async fn knock(&self, login: &Login) -> anyhow::Result<u8> {
        Ok(Wire::open(self.port, login).await?.1)
    }

    /// What everybody has heard since the last time: name, topic and payload.
    pub(crate) fn heard(&mut self) -> Vec<(&'static str, String, String)> {
        let of = |player: &mut Player| {
            let name = player.name;
            let messages = player.wire.inbox.drain(..).map(move |message| (name, message.topic, message.payload));
            messages.collect::<Vec<_>>()
        };
        self.players.iter_mut().flat_map(of).collect()
    }

    fn at(&self, name: &str) -> anyhow::Result<usize> {
        self.players.iter().position(|player| player.name == name).with_context(|| format!("{name} is not in the cast"))
    }

    async fn connect(&self, name: &str, login: &Login, filters: &[String]) -> anyhow::Result<Wire> {
        let (mut wire, code) = Wire::open(self.port, login).await.with_context(|| format!("connecting {name}"))?;
        ensure!(code == 0, "{name} is refused with {code}");
        for filter in filters {
            let granted = wire.subscribe(filter.as_bytes()).await?;
            ensure!(matches!(granted, Heard::Granted(0..=2)), "{name} is not granted {filter}: {granted:?}");
        }
        Ok(wire)
    }
}
