//! A serializer before another: addresses, peer ids, texts and extension messages are replaced on the way, wherever they stand.
//!
//! It needs to know no type but these: a field that is added to the engine's state is redacted from the first day.

use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};

use serde::ser::{
    Error, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use crate::units::PeerId;

/// What replaces what.
pub(super) trait Replace {
    /// An address.
    fn ip(&self, ip: IpAddr) -> IpAddr;
    /// What a peer calls itself.
    fn peer_id(&self, id: PeerId) -> PeerId;
    /// A text.
    fn text(&self, text: &str) -> String;
    /// The payload of an extension message (BEP 10) with this id.
    fn extended(&self, id: u8, payload: &[u8]) -> Vec<u8>;
}

/// A value whose parts are replaced when it is written.
pub(super) struct Redacted<'a, T: ?Sized, R>(pub(super) &'a T, pub(super) &'a R);

impl<T: Serialize + ?Sized, R: Replace> Serialize for Redacted<'_, T, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(Redacting { inner: serializer, with: self.1 })
    }
}

/// The serializer.
struct Redacting<'a, S, R> {
    inner: S,
    with: &'a R,
}

/// What is written in parts. `extended`: the id of the extension message that is being written, 0 before it is known.
struct Parts<'a, C, R> {
    inner: C,
    with: &'a R,
    extended: Option<u8>,
}

/// Reads a value that cannot be seen otherwise by way of its bytes.
fn seen<V: for<'de> serde::Deserialize<'de>, E: Error>(value: &(impl Serialize + ?Sized)) -> Result<V, E> {
    let bytes = postcard::to_allocvec(value).map_err(E::custom)?;
    postcard::from_bytes(&bytes).map_err(E::custom)
}

macro_rules! pass {
    ($($method:ident($type:ty)),* $(,)?) => {
        $(fn $method(self, value: $type) -> Result<S::Ok, S::Error> {
            self.inner.$method(value)
        })*
    };
}

macro_rules! open {
    ($method:ident($($name:ident: $type:ty),*) -> $kind:ident) => {
        fn $method(self, $($name: $type),*) -> Result<Self::$kind, S::Error> {
            Ok(Parts { inner: self.inner.$method($($name),*)?, with: self.with, extended: None })
        }
    };
}

impl<'a, S: Serializer, R: Replace> Serializer for Redacting<'a, S, R> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Parts<'a, S::SerializeSeq, R>;
    type SerializeTuple = Parts<'a, S::SerializeTuple, R>;
    type SerializeTupleStruct = Parts<'a, S::SerializeTupleStruct, R>;
    type SerializeTupleVariant = Parts<'a, S::SerializeTupleVariant, R>;
    type SerializeMap = Parts<'a, S::SerializeMap, R>;
    type SerializeStruct = Parts<'a, S::SerializeStruct, R>;
    type SerializeStructVariant = Parts<'a, S::SerializeStructVariant, R>;

    pass!(
        serialize_bool(bool),
        serialize_i8(i8),
        serialize_i16(i16),
        serialize_i32(i32),
        serialize_i64(i64),
        serialize_u8(u8),
        serialize_u16(u16),
        serialize_u32(u32),
        serialize_u64(u64),
        serialize_f32(f32),
        serialize_f64(f64),
        serialize_char(char),
        serialize_bytes(&[u8]),
        serialize_unit_struct(&'static str),
    );
    open!(serialize_seq(length: Option<usize>) -> SerializeSeq);
    open!(serialize_tuple(length: usize) -> SerializeTuple);
    open!(serialize_tuple_struct(name: &'static str, length: usize) -> SerializeTupleStruct);
    open!(serialize_tuple_variant(name: &'static str, index: u32, variant: &'static str, length: usize)
        -> SerializeTupleVariant);
    open!(serialize_map(length: Option<usize>) -> SerializeMap);
    open!(serialize_struct(name: &'static str, length: usize) -> SerializeStruct);

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }

    fn serialize_str(self, text: &str) -> Result<S::Ok, S::Error> {
        self.inner.serialize_str(&self.with.text(text))
    }

    /// An info-hash is written so: it says of which torrent the recording is, and is no text.
    fn collect_str<T: std::fmt::Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.inner.serialize_none()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.serialize_some(&Redacted(value, self.with))
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit_variant(name, index, variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        if name == "PeerId" {
            return self.with.peer_id(seen(value)?).serialize(self.inner);
        }
        self.inner.serialize_newtype_struct(name, &Redacted(value, self.with))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let ip = |ip| self.with.ip(ip);
        match (name, variant) {
            ("IpAddr", "V4") => ip(IpAddr::V4(seen(value)?)).serialize(self.inner),
            ("IpAddr", _) => ip(IpAddr::V6(seen(value)?)).serialize(self.inner),
            ("SocketAddr", "V4") => {
                let address: SocketAddrV4 = seen(value)?;
                SocketAddr::new(ip((*address.ip()).into()), address.port()).serialize(self.inner)
            }
            ("SocketAddr", _) => {
                let address: SocketAddrV6 = seen(value)?;
                SocketAddr::new(ip((*address.ip()).into()), address.port()).serialize(self.inner)
            }
            _ => self.inner.serialize_newtype_variant(name, index, variant, &Redacted(value, self.with)),
        }
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        let extended = ((name, variant) == ("Message", "Extended")).then_some(0);
        let inner = self.inner.serialize_struct_variant(name, index, variant, length)?;
        Ok(Parts { inner, with: self.with, extended })
    }
}

/// Implements a trait of compounds whose parts come without a name.
macro_rules! unnamed {
    ($($trait:ident: $method:ident),*) => {
        $(impl<C: $trait, R: Replace> $trait for Parts<'_, C, R> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
                self.inner.$method(&Redacted(value, self.with))
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        })*
    };
}

unnamed!(
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field
);

impl<C: SerializeMap, R: Replace> SerializeMap for Parts<'_, C, R> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), C::Error> {
        self.inner.serialize_key(&Redacted(key, self.with))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        self.inner.serialize_value(&Redacted(value, self.with))
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.inner.end()
    }
}

impl<C: SerializeStruct, R: Replace> SerializeStruct for Parts<'_, C, R> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), C::Error> {
        self.inner.serialize_field(key, &Redacted(value, self.with))
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.inner.end()
    }
}

impl<C: SerializeStructVariant, R: Replace> SerializeStructVariant for Parts<'_, C, R> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), C::Error> {
        match (self.extended, key) {
            (Some(_), "id") => {
                self.extended = Some(seen(value)?);
                self.inner.serialize_field(key, value)
            }
            (Some(id), "payload") => {
                let payload: bytes::Bytes = seen(value)?;
                let payload = bytes::Bytes::from(self.with.extended(id, &payload));
                self.inner.serialize_field(key, &payload)
            }
            (Some(_) | None, _) => self.inner.serialize_field(key, &Redacted(value, self.with)),
        }
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.inner.end()
    }
}
