//! The header of a PMTiles file ([specification](https://github.com/protomaps/PMTiles/blob/main/spec/v3/spec.md)).

const HEADER_BYTES: usize = 127;
const MAGIC: &[u8] = b"PMTiles";
const VERSION: u8 = 3;
/// Where the header has the offset of each section. Its length follows.
const SECTIONS: [usize; 4] = [8, 24, 40, 56];
/// Where it has the compression of directories, and of tiles.
const COMPRESSIONS: [usize; 2] = [97, 98];
/// Unknown, none and gzip, which browsers decompress.
const MAX_COMPRESSION: u8 = 2;
const TILE_TYPE: usize = 99;
const VECTOR_TILES: u8 = 1;
const MAX_ZOOM: usize = 101;

/// Checks the beginning of a file with this length: whether browsers can show its tiles. Returns the largest zoom of its tiles.
pub(super) fn check(start: &[u8], length: u64) -> Result<u8, &'static str> {
    let Some(header) = start.get(..HEADER_BYTES).filter(|header| header.starts_with(MAGIC)) else {
        return Err("it is not a PMTiles file");
    };
    if header[MAGIC.len()] != VERSION {
        return Err("it does not have version 3 of PMTiles, which `pmtiles convert` writes");
    }
    if header[TILE_TYPE] != VECTOR_TILES {
        return Err("its tiles are not vector tiles (MVT)");
    }
    if COMPRESSIONS.iter().any(|position| header[*position] > MAX_COMPRESSION) {
        return Err("its compression must be gzip or none");
    }
    let number = |position: usize| {
        let bytes = header[position..position + 8].iter().rev();
        bytes.fold(0_u64, |number, byte| (number << 8) | u64::from(*byte))
    };
    let is_complete = |section: &usize| number(*section).checked_add(number(section + 8)).is_some_and(|end| end <= length);
    if SECTIONS.iter().all(is_complete) { Ok(header[MAX_ZOOM]) } else { Err("it is incomplete: copy it again") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header with a byte that differs, and 100 bytes of tiles after it.
    fn header_with(position: usize, value: u8) -> Vec<u8> {
        let mut header = vec![0; HEADER_BYTES];
        header[..8].copy_from_slice(b"PMTiles\x03");
        (header[56], header[64]) = (127, 100);
        (header[97], header[98], header[99]) = (2, 2, 1);
        header[position] = value;
        header
    }

    #[test]
    fn files_that_browsers_cannot_show_are_rejected() {
        assert_eq!(check(&header_with(7, 3), 227), Ok(0));
        assert_eq!(check(&header_with(101, 13), 227), Ok(13));
        for (start, length, expected) in [
            (header_with(0, b'p'), 227, "it is not a PMTiles file"),
            (header_with(7, 3)[..126].to_vec(), 126, "it is not a PMTiles file"),
            (Vec::new(), 0, "it is not a PMTiles file"),
            (header_with(7, 2), 227, "it does not have version 3 of PMTiles, which `pmtiles convert` writes"),
            (header_with(99, 2), 227, "its tiles are not vector tiles (MVT)"),
            (header_with(98, 3), 227, "its compression must be gzip or none"),
            (header_with(97, 4), 227, "its compression must be gzip or none"),
            (header_with(7, 3), 226, "it is incomplete: copy it again"),
            (header_with(63, 0xff), 227, "it is incomplete: copy it again"),
        ] {
            assert_eq!(check(&start, length), Err(expected));
        }
    }
}
