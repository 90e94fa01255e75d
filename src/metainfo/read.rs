//! Reading scanned bencode piece by piece, without building a tree: a value is the slice that holds it.
//!
//! Every function expects a slice that passed `scan`; a slice of another shape gives `None` or no items,
//! never an error, because in most places of a torrent a value of the wrong type counts as absent.

use std::ops::ControlFlow;

use librqbit_bencode::{BencodeDeserializer, ByteBuf, WithRawBytes, from_bytes};
use serde::Deserialize;
use serde::de::{Deserializer as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A value of any kind with its bytes.
type Any<'a> = WithRawBytes<IgnoredAny, ByteBuf<'a>>;

/// The values of the wanted keys of a dictionary, each as its slice; the first of equal keys counts.
pub(super) fn fields<'a, const N: usize>(raw: &'a [u8], wanted: [&[u8]; N]) -> [Option<&'a [u8]>; N] {
    let mut found = [None; N];
    entries(raw, |key, value| {
        if let Some(at) = wanted.iter().position(|wanted| *wanted == key) {
            found[at].get_or_insert(value);
        }
        ControlFlow::Continue(())
    });
    found
}

/// Hands each entry of a dictionary to `visit` until that breaks. False where `raw` is not a dictionary.
pub(super) fn entries<'a>(raw: &'a [u8], visit: impl FnMut(&'a [u8], &'a [u8]) -> ControlFlow<()>) -> bool {
    struct Entries<F>(F);

    impl<'de, F: FnMut(&'de [u8], &'de [u8]) -> ControlFlow<()>> Visitor<'de> for Entries<F> {
        type Value = ();

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a dictionary")
        }

        fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
            while let Some(key) = map.next_key::<&'de [u8]>()? {
                let value = map.next_value::<Any<'de>>()?;
                if (self.0)(key, value.raw_bytes.0).is_break() {
                    break;
                }
            }
            Ok(())
        }
    }

    is_dictionary(raw) && BencodeDeserializer::new_from_buf(raw).deserialize_map(Entries(visit)).is_ok()
}

/// Hands each item of a list to `visit` until that breaks. False where `raw` is not a list.
pub(super) fn items<'a>(raw: &'a [u8], visit: impl FnMut(&'a [u8]) -> ControlFlow<()>) -> bool {
    struct Items<F>(F);

    impl<'de, F: FnMut(&'de [u8]) -> ControlFlow<()>> Visitor<'de> for Items<F> {
        type Value = ();

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
            while let Some(item) = list.next_element::<Any<'de>>()? {
                if (self.0)(item.raw_bytes.0).is_break() {
                    break;
                }
            }
            Ok(())
        }
    }

    is_list(raw) && BencodeDeserializer::new_from_buf(raw).deserialize_seq(Items(visit)).is_ok()
}

/// The string that `raw` holds.
pub(super) fn string(raw: &[u8]) -> Option<&[u8]> {
    raw.first().filter(|byte| byte.is_ascii_digit())?;
    from_bytes::<ByteBuf<'_>>(raw).ok().map(|string| string.0)
}

/// The integer that `raw` holds.
pub(super) fn integer(raw: &[u8]) -> Option<i64> {
    raw.first().filter(|byte| **byte == b'i')?;
    from_bytes(raw).ok()
}

/// All strings of a list, in order. `None` where `raw` is not a list; an item that is not a string is `None`.
pub(super) fn strings(raw: &[u8]) -> Option<Vec<Option<&[u8]>>> {
    let mut all = Vec::new();
    let is_list = items(raw, |item| {
        all.push(string(item));
        ControlFlow::Continue(())
    });
    is_list.then_some(all)
}

/// Whether `raw` holds a dictionary.
pub(super) fn is_dictionary(raw: &[u8]) -> bool {
    raw.first() == Some(&b'd')
}

/// Whether `raw` holds a list.
pub(super) fn is_list(raw: &[u8]) -> bool {
    raw.first() == Some(&b'l')
}

/// Reads a value with a visitor of the caller's own, for shapes that nest.
pub(super) fn visit<'a, V: Visitor<'a>>(raw: &'a [u8], visitor: V) -> Option<V::Value> {
    BencodeDeserializer::new_from_buf(raw).deserialize_any(visitor).ok()
}

/// The bytes of any value, for use within a visitor.
pub(super) struct Raw<'a>(pub(super) &'a [u8]);

impl<'de: 'a, 'a> Deserialize<'de> for Raw<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Any::deserialize(deserializer).map(|any| Self(any.raw_bytes.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_give_exact_slices_and_the_first_of_equal_keys() {
        let raw = b"d1:bd1:xi1ee1:ai07e1:ai2e4:listl1:pi3eee";
        let [a, b, list, missing] = fields(raw, [b"a", b"b", b"list", b"zz"]);
        assert_eq!(a, Some(&b"i07e"[..]));
        assert_eq!(integer(a.unwrap()), Some(7));
        assert_eq!(b, Some(&b"d1:xi1ee"[..]));
        assert_eq!(strings(list.unwrap()), Some(vec![Some(&b"p"[..]), None]));
        assert_eq!(missing, None);
    }

    #[test]
    fn values_of_another_kind_count_as_absent() {
        assert_eq!(string(b"i1e"), None);
        assert_eq!(integer(b"1:a"), None);
        assert_eq!(strings(b"1:a"), None);
        assert!(!entries(b"le", |_, _| ControlFlow::Continue(())));
    }
}
