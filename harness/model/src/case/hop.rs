//! How a hop is written: `"cas2010-s1"`, or `{ any-of = ["cas2010-s1", "cas2010-s1b"], by = "internal-url" }`.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::ser::{Serialize, Serializer};

use super::{By, Hop, Over, Position};
use crate::names::ServerName;

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Detailed {
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<ServerName>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    any_of: Vec<ServerName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<By>,
    #[serde(skip_serializing_if = "Option::is_none")]
    over: Option<Over>,
}

/// A position alone: a name, or a table with `any-of`.
pub(super) struct OneOrMany(Vec<ServerName>);

impl TryFrom<OneOrMany> for Position {
    type Error = String;
    fn try_from(read: OneOrMany) -> Result<Position, String> {
        Ok(Position(read.0))
    }
}

impl From<Position> for OneOrMany {
    fn from(position: Position) -> OneOrMany {
        OneOrMany(position.0)
    }
}

const EXAMPLE: &str = "a server name, or { any-of = [\"cas2010-s1\", \"cas2010-s1b\"] }";

fn positions<E: de::Error>(detailed: &Detailed) -> Result<Vec<ServerName>, E> {
    match (&detailed.at, &detailed.any_of[..]) {
        (Some(at), []) => Ok(vec![at.clone()]),
        (None, many) if many.len() > 1 => Ok(many.to_vec()),
        _ => Err(E::custom(format!("a hop is at one server or at any of several: {EXAMPLE}"))),
    }
}

struct HopVisitor;

impl<'de> Visitor<'de> for HopVisitor {
    type Value = Hop;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXAMPLE)
    }
    fn visit_str<E: de::Error>(self, written: &str) -> Result<Hop, E> {
        Ok(Hop { at: Position(vec![written.parse().map_err(E::custom)?]), by: None, over: None })
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Hop, A::Error> {
        let detailed = Detailed::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Hop { at: Position(positions(&detailed)?), by: detailed.by, over: detailed.over })
    }
}

impl<'de> Deserialize<'de> for Hop {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Hop, D::Error> {
        from.deserialize_any(HopVisitor)
    }
}

impl Serialize for Hop {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match (&self.at.0[..], self.by, self.over) {
            ([one], None, None) => one.serialize(to),
            ([one], by, over) => Detailed { at: Some(one.clone()), any_of: vec![], by, over }.serialize(to),
            (many, by, over) => Detailed { at: None, any_of: many.to_vec(), by, over }.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<OneOrMany, D::Error> {
        Hop::deserialize(from).map(|hop| OneOrMany(hop.at.0))
    }
}

impl Serialize for OneOrMany {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Hop { at: Position(self.0.clone()), by: None, over: None }.serialize(to)
    }
}
