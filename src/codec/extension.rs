//! Payloads of extended messages (BEP 10): the handshake, `ut_metadata` (BEP 9) and `lt_donthave` (BEP 54).
//!
//! Everything here is hostile: keys of a wrong type or out of range are taken as not sent, text is cut.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::{BufMut, Bytes, BytesMut};

use super::bencode::{BencodeError, Dict, Value, dict_and_rest, write_bytes, write_integer};
use crate::contract::Untrusted;
use crate::limits::{CLIENT_NAME_BYTES_MAX, METADATA_BYTES_MAX};
use crate::units::PieceIndex;

/// The extended message id of the handshake itself.
pub const HANDSHAKE_ID: u8 = 0;

/// An extension we speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Extension {
    /// BEP 9.
    UtMetadata,
    /// BEP 11.
    UtPex,
    /// BEP 54.
    LtDonthave,
}

impl Extension {
    /// All of them, in the order their names are written: bencode wants keys sorted.
    pub const ALL: [Self; 3] = [Self::LtDonthave, Self::UtMetadata, Self::UtPex];

    /// Its name in the handshake's `m`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LtDonthave => "lt_donthave",
            Self::UtMetadata => "ut_metadata",
            Self::UtPex => "ut_pex",
        }
    }

    /// The number that peers must use when they send it to us.
    pub const fn our_id(self) -> u8 {
        match self {
            Self::UtPex => 1,
            Self::UtMetadata => 2,
            Self::LtDonthave => 3,
        }
    }

    /// The extension a peer means by a number of ours.
    pub fn from_our_id(id: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|extension| extension.our_id() == id)
    }
}

/// The extension handshake: what it says, or what we say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtensionHandshake {
    /// The sender's number for each extension we know. 0 turns one off; one not listed stays as it was.
    pub ids: Vec<(Extension, u8)>,
    /// `v`: what the sender calls itself.
    pub client: Option<Untrusted>,
    /// `p`: the TCP port the sender listens at.
    pub listen_port: Option<u16>,
    /// `reqq`: how many requests the sender keeps.
    pub requests_max: Option<u32>,
    /// `yourip`: the receiver's address as the sender sees it. One vote, never truth.
    pub your_address: Option<IpAddr>,
    /// `metadata_size`: bytes of the info dictionary, as claimed (BEP 9); none over `METADATA_BYTES_MAX`.
    pub metadata_bytes: Option<u32>,
    /// `upload_only`: all the sender wants is there (BEP 21).
    pub upload_only: Option<bool>,
}

impl ExtensionHandshake {
    /// Reads a handshake.
    pub fn decode(payload: &[u8]) -> Result<Self, BencodeError> {
        let (dict, _) = dict_and_rest(payload)?;
        let text = dict.bytes(b"v").map(|name| &name[..name.len().min(CLIENT_NAME_BYTES_MAX)]);
        Ok(Self {
            ids: dict.get(b"m").and_then(Value::as_dict).map(extension_ids).unwrap_or_default(),
            client: text.filter(|name| !name.is_empty()).map(Untrusted::from_bytes),
            listen_port: dict.unsigned(b"p").filter(|port| *port != 0),
            requests_max: dict.unsigned(b"reqq"),
            your_address: dict.bytes(b"yourip").and_then(address),
            metadata_bytes: dict
                .unsigned(b"metadata_size")
                .filter(|size| (1..=METADATA_BYTES_MAX).contains(size)),
            upload_only: dict.integer(b"upload_only").map(|value| value != 0),
        })
    }

    /// The payload of an extended message with id [`HANDSHAKE_ID`].
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::from(&b"d1:md"[..]);
        for extension in Extension::ALL {
            if let Some((_, id)) = self.ids.iter().find(|(listed, _)| *listed == extension) {
                write_bytes(&mut out, extension.name().as_bytes());
                write_integer(&mut out, u64::from(*id));
            }
        }
        out.put_u8(b'e');
        put_number(&mut out, b"metadata_size", self.metadata_bytes);
        put_number(&mut out, b"p", self.listen_port);
        put_number(&mut out, b"reqq", self.requests_max);
        put_number(&mut out, b"upload_only", self.upload_only.map(u8::from));
        if let Some(client) = &self.client {
            write_bytes(&mut out, b"v");
            write_bytes(&mut out, client.raw().as_bytes());
        }
        if let Some(address) = self.your_address {
            write_bytes(&mut out, b"yourip");
            match address {
                IpAddr::V4(address) => write_bytes(&mut out, &address.octets()),
                IpAddr::V6(address) => write_bytes(&mut out, &address.octets()),
            }
        }
        out.put_u8(b'e');
        out.freeze()
    }
}

/// A `ut_metadata` message (BEP 9). Pieces of metadata are 16 KiB, the last may be shorter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetadataMessage {
    /// 0
    Request {
        /// Which 16 KiB.
        piece: u32,
    },
    /// 1
    Data {
        /// Which 16 KiB.
        piece: u32,
        /// Bytes of the whole info dictionary, as claimed.
        total_bytes: u32,
        /// The bytes, as sent: the length is for the receiver to check.
        data: Bytes,
    },
    /// 2
    Reject {
        /// Which 16 KiB.
        piece: u32,
    },
    /// Another `msg_type`: BEP 9 says to ignore it.
    Unknown,
}

impl MetadataMessage {
    /// Reads a message. The data is a slice of `payload`.
    pub fn decode(payload: &Bytes) -> Result<Self, MalformedExtension> {
        let (dict, rest) = dict_and_rest(payload)?;
        let piece = dict.unsigned(b"piece").ok_or(MalformedExtension::Field("piece"))?;
        match dict.integer(b"msg_type") {
            Some(0) => Ok(Self::Request { piece }),
            Some(1) => Ok(Self::Data {
                piece,
                total_bytes: dict.unsigned(b"total_size").ok_or(MalformedExtension::Field("total_size"))?,
                data: payload.slice(payload.len() - rest.len()..),
            }),
            Some(2) => Ok(Self::Reject { piece }),
            Some(_) => Ok(Self::Unknown),
            None => Err(MalformedExtension::Field("msg_type")),
        }
    }

    /// The payload of an extended message; `None` for [`MetadataMessage::Unknown`], which has no form.
    pub fn encode(&self) -> Option<Bytes> {
        let mut out = BytesMut::new();
        match self {
            Self::Request { piece } => put_metadata_head(&mut out, 0, *piece, None),
            Self::Data { piece, total_bytes, data } => {
                put_metadata_head(&mut out, 1, *piece, Some(*total_bytes));
                out.put_slice(data);
            }
            Self::Reject { piece } => put_metadata_head(&mut out, 2, *piece, None),
            Self::Unknown => return None,
        }
        Some(out.freeze())
    }
}

/// An extended message that is not what its number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedExtension {
    /// Not bencode.
    #[error(transparent)]
    Bencode(#[from] BencodeError),
    /// A field is missing or out of range.
    #[error("extended message without a usable \"{0}\"")]
    Field(&'static str),
    /// The payload has another length.
    #[error("extended message of {0} bytes instead of 4")]
    Length(usize),
}

/// Reads an `lt_donthave` message: the piece the sender no longer has (BEP 54).
pub fn decode_donthave(payload: &[u8]) -> Result<PieceIndex, MalformedExtension> {
    let bytes = payload.try_into().map_err(|_| MalformedExtension::Length(payload.len()))?;
    Ok(PieceIndex(u32::from_be_bytes(bytes)))
}

/// The payload of an `lt_donthave` message.
pub fn encode_donthave(piece: PieceIndex) -> Bytes {
    Bytes::copy_from_slice(&piece.0.to_be_bytes())
}

fn extension_ids(dict: &Dict<'_>) -> Vec<(Extension, u8)> {
    let id = |extension: Extension| dict.unsigned(extension.name().as_bytes()).map(|id| (extension, id));
    Extension::ALL.into_iter().filter_map(id).collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(|octets| IpAddr::V4(Ipv4Addr::from(octets))),
        16 => <[u8; 16]>::try_from(bytes).ok().map(|octets| IpAddr::V6(Ipv6Addr::from(octets))),
        _ => None,
    }
}

fn put_number<N: Into<u64>>(out: &mut BytesMut, key: &[u8], number: Option<N>) {
    if let Some(number) = number {
        write_bytes(out, key);
        write_integer(out, number.into());
    }
}

fn put_metadata_head(out: &mut BytesMut, kind: u64, piece: u32, total_bytes: Option<u32>) {
    out.put_slice(b"d8:msg_type");
    write_integer(out, kind);
    out.put_slice(b"5:piece");
    write_integer(out, u64::from(piece));
    put_number(out, b"total_size", total_bytes);
    out.put_u8(b'e');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn handshake_goes_there_and_back() {
        let handshake = ExtensionHandshake {
            ids: vec![(Extension::LtDonthave, 3), (Extension::UtMetadata, 2)],
            client: Some(Untrusted::new("unchoke 0.1.0")),
            listen_port: Some(6881),
            requests_max: Some(500),
            your_address: Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7))),
            metadata_bytes: Some(31_235),
            upload_only: Some(true),
        };
        assert_eq!(ExtensionHandshake::decode(&handshake.encode()), Ok(handshake));
    }

    #[test]
    fn fields_of_wrong_type_or_range_are_as_not_sent() {
        let hostile = b"d1:md11:lt_donthavei300e11:ut_metadatai-1e6:ut_pex1:xe13:metadata_sizei99999999999e\
            1:pi70000e4:reqqi-5e11:upload_only3:yes1:vi1e6:yourip3:abce";
        assert_eq!(ExtensionHandshake::decode(hostile), Ok(ExtensionHandshake::default()));
        let list_for_m = ExtensionHandshake::decode(b"d1:mle1:p0:e");
        assert_eq!(list_for_m, Ok(ExtensionHandshake::default()));
    }

    #[test]
    fn a_long_client_name_is_cut() {
        let mut payload = BytesMut::from(&b"d1:v"[..]);
        write_bytes(&mut payload, &[b'x'; 5000]);
        payload.put_u8(b'e');
        let handshake = ExtensionHandshake::decode(&payload).unwrap();
        assert_eq!(handshake.client.unwrap().raw().len(), CLIENT_NAME_BYTES_MAX);
    }

    #[test]
    fn an_extension_can_be_turned_off() {
        let handshake = ExtensionHandshake::decode(b"d1:md6:ut_pexi0eee").unwrap();
        assert_eq!(handshake.ids, [(Extension::UtPex, 0)]);
    }

    #[test]
    fn metadata_bytes_follow_the_dictionary() {
        let payload = Bytes::from_static(b"d8:msg_typei1e5:piecei0e10:total_sizei3425eexxxx");
        let message = MetadataMessage::decode(&payload).unwrap();
        let data = Bytes::from_static(b"xxxx");
        assert_eq!(message, MetadataMessage::Data { piece: 0, total_bytes: 3425, data });
        assert_eq!(message.encode(), Some(payload));
        let unknown = Bytes::from_static(b"d8:msg_typei9e5:piecei0ee");
        assert_eq!(MetadataMessage::decode(&unknown), Ok(MetadataMessage::Unknown));
        let negative = Bytes::from_static(b"d8:msg_typei0e5:piecei-1ee");
        assert_eq!(MetadataMessage::decode(&negative), Err(MalformedExtension::Field("piece")));
    }

    #[test]
    fn donthave_has_four_bytes() {
        assert_eq!(decode_donthave(&encode_donthave(PieceIndex(70_000))), Ok(PieceIndex(70_000)));
        assert_eq!(decode_donthave(b"abc"), Err(MalformedExtension::Length(3)));
    }

    proptest! {
        #[test]
        fn no_payload_panics(payload in "d(1:m|1:p|1:v|5:piece|8:msg_type|[dlie0-9:]){0,20}e.{0,8}") {
            let payload = Bytes::from(payload.into_bytes());
            let _ = ExtensionHandshake::decode(&payload);
            let _ = MetadataMessage::decode(&payload);
        }
    }
}
