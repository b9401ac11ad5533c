//! Linear memories: reserved address space whose pages become accessible as the memory grows.
//!
//! Invariant: the base never moves, so it is a constant of every instance that uses the memory.

use crate::error::{Error, Result};
use crate::handle::Stored;
use crate::module::Image;
use crate::store::{AsContext, AsContextMut, StoreOpaque};
use crate::sys::mmap::{Reservation, write_zeros};
use crate::vmctx::MemoryDef;
use core::ops::Range;
use zwasm_core::MemoryType;
use zwasm_core::fill::MIN_CLEARED_BYTES;

/// Reserved for a 32-bit memory: every `index + offset` of 33 bits lands in it, plus a guard.
const RESERVED_32_BYTES: u64 = (8 << 30) + (64 << 10);
/// Reserved for a 64-bit memory that does not say how large it may grow.
const RESERVED_64_BYTES: u64 = 16 << 30;

/// A memory as its store keeps it.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct MemoryInst {
    /// What running code sees; first, so that a pointer to it is one to the record.
    pub(crate) def: MemoryDef,
    pub(crate) ty: MemoryType,
    mapping: Reservation,
    /// Usable bytes of the mapping: what the memory may grow to.
    capacity_bytes: u64,
    /// From here on, the mapping is of no file.
    anonymous_from: usize,
}

// SAFETY: the raw base pointer in `def` is that of `mapping`, which is `Send` and `Sync`; accesses
// take a borrow of the store.
unsafe impl Send for MemoryInst {}
// SAFETY: as above.
unsafe impl Sync for MemoryInst {}

/// Pages to bytes, where that is a number of 64 bits.
pub(crate) fn bytes_of(ty: MemoryType, pages: u64) -> Option<u64> {
    pages.checked_mul(1 << ty.page_size_log2)
}

/// The most pages that a memory's index type can tell apart.
///
/// Spec: validation, memory types.
fn most_pages(ty: MemoryType) -> u64 {
    let log2 = u32::from(ty.page_size_log2);
    match (ty.memory64, log2) {
        (false, 0) => u64::from(u32::MAX),
        (false, _) => 1 << (32 - log2),
        (true, 0) => u64::MAX,
        (true, _) => 1 << (64 - log2),
    }
}

/// Refuses a type that no module can have.
fn check_type(ty: MemoryType) -> Result<()> {
    if !matches!(ty.page_size_log2, 0 | 16) {
        return Err(Error::usage(
            "a memory's pages have 1 or 65536 bytes (page_size_log2 0 or 16)",
        ));
    }
    if ty.maximum.is_some_and(|max| max < ty.minimum) {
        return Err(Error::usage("a memory's maximum is below its minimum"));
    }
    let most = most_pages(ty);
    if ty.minimum > most || ty.maximum.is_some_and(|max| max > most) {
        return Err(Error::usage(format!(
            "a memory of this type has at most {most} pages"
        )));
    }
    Ok(())
}

impl MemoryInst {
    /// Makes a memory of zeros, or of the contents of an image that fits into the initial size.
    pub(crate) fn new(
        ty: MemoryType,
        reservation_bytes: Option<u64>,
        image: Option<Image<'_>>,
    ) -> Result<MemoryInst> {
        let too_large =
            || Error::resource(format!("a memory of {} pages cannot be had", ty.minimum));
        let no_memory = |error: std::io::Error, reserve: usize| {
            Error::resource(format!(
                "a memory of {} pages cannot be had: the host refuses {reserve} bytes of address \
                 space ({error})",
                ty.minimum
            ))
        };
        let bytes = |pages| bytes_of(ty, pages);
        let initial = bytes(ty.minimum).ok_or_else(too_large)?;
        let declared = ty.maximum.and_then(bytes).unwrap_or(u64::MAX);
        let address_range = if ty.memory64 { u64::MAX } else { 1 << 32 };
        let (reserve, mut capacity) = match reservation_bytes {
            Some(small) => {
                let capacity = declared.min(address_range).min(small).max(initial);
                (capacity, capacity)
            }
            None if ty.memory64 => {
                let capacity = declared.min(RESERVED_64_BYTES).max(initial);
                (capacity, capacity)
            }
            None => (RESERVED_32_BYTES, declared.min(address_range)),
        };
        let mut reserve = usize::try_from(reserve).map_err(|_| too_large())?;
        let initial_len = usize::try_from(initial).map_err(|_| too_large())?;
        if initial_len > reserve {
            return Err(too_large());
        }
        // Code that looks at the size does with less than it would like.
        let mut reserved = Reservation::new(reserve);
        while reserved.is_err() && reservation_bytes.is_some() && reserve > initial_len {
            reserve = (reserve / 2).max(initial_len);
            capacity = reserve as u64;
            reserved = Reservation::new(reserve);
        }
        let mut reserved = Some(reserved.map_err(|error| no_memory(error, reserve))?);
        let mut mapping = || {
            let mut mapping = reserved
                .take()
                .map_or_else(|| Reservation::new(reserve), Ok)?;
            mapping.make_accessible(0, initial_len)?;
            Ok(mapping)
        };
        let anonymous_from = image.map_or(0, Image::end);
        let mapping = match image {
            None => mapping(),
            Some(image) => mapping().and_then(|mut memory| {
                if image.map(&mut memory).is_err() {
                    memory = mapping()?;
                    // SAFETY: the bytes were made accessible just now, and nobody else knows them.
                    image.copy(unsafe {
                        core::slice::from_raw_parts_mut(memory.base(), initial_len)
                    })?;
                }
                Ok(memory)
            }),
        };
        let mapping = mapping.map_err(|error| no_memory(error, reserve))?;
        Ok(MemoryInst {
            def: MemoryDef {
                base: mapping.base(),
                length_bytes: initial_len,
            },
            ty,
            mapping,
            capacity_bytes: capacity,
            anonymous_from,
        })
    }

    /// Whether an access at this address can be one of this memory, in bounds or not: the address
    /// lies in what is reserved for it.
    pub(crate) fn may_fault_at(&self, address: usize) -> bool {
        let base = self.mapping.base().addr();
        address.wrapping_sub(base) < self.mapping.length_bytes()
    }

    /// Fills part of the memory.
    ///
    /// # Safety
    /// `this` is live, the range lies in the memory, and nobody else uses that.
    pub(crate) unsafe fn fill(this: *const MemoryInst, range: Range<usize>, value: u8) {
        // SAFETY: forwarded; what is not an image's is an anonymous mapping.
        unsafe {
            let base = (*this).def.base;
            let anonymous = range.end.min((*this).anonymous_from.max(range.start));
            let cleared = match value {
                0 if range.end - anonymous >= MIN_CLEARED_BYTES => anonymous,
                _ => range.end,
            };
            base.add(range.start)
                .write_bytes(value, cleared - range.start);
            write_zeros(base.add(cleared), range.end - cleared);
        }
    }

    pub(crate) fn pages(&self) -> u64 {
        (self.def.length_bytes as u64) >> self.ty.page_size_log2
    }

    /// Grows by `delta` pages, or leaves everything as it is and returns `None`.
    pub(crate) fn grow(
        &mut self,
        delta: u64,
        allow: impl FnOnce(usize, usize, Option<usize>) -> bool,
    ) -> Option<u64> {
        let old = self.pages();
        let new = old.checked_add(delta)?;
        if new > self.ty.maximum.unwrap_or_else(|| most_pages(self.ty)) {
            return None;
        }
        let new_bytes = bytes_of(self.ty, new)?;
        if new_bytes > self.capacity_bytes || new_bytes > self.mapping.length_bytes() as u64 {
            return None;
        }
        let maximum = self
            .ty
            .maximum
            .and_then(|m| usize::try_from(bytes_of(self.ty, m)?).ok());
        let new_bytes = usize::try_from(new_bytes).ok()?;
        if !allow(self.def.length_bytes, new_bytes, maximum) {
            return None;
        }
        self.mapping
            .make_accessible(self.def.length_bytes, new_bytes)
            .ok()?;
        self.def.length_bytes = new_bytes;
        Some(old)
    }
}

/// A linear memory of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory(pub(crate) Stored<MemoryInst>);

impl Memory {
    /// Makes a memory.
    ///
    /// # Errors
    /// When the limits make no sense, the store's limiter refuses, or the host has no memory.
    pub fn new(mut store: impl AsContextMut, ty: MemoryType) -> Result<Memory> {
        let store = store.as_context_mut().into_inner().opaque_mut();
        check_type(ty)?;
        store.new_memory(ty, None)
    }

    fn inst<'a>(&self, store: &'a StoreOpaque) -> &'a MemoryInst {
        // SAFETY: the record belongs to this store, which is borrowed for as long.
        unsafe { self.0.pointer(store.id()).as_ref() }
    }

    /// The type, with its minimum as declared.
    pub fn ty(&self, store: impl AsContext) -> MemoryType {
        self.inst(store.as_context().inner().opaque()).ty
    }

    /// The current size in pages.
    pub fn size(&self, store: impl AsContext) -> u64 {
        self.inst(store.as_context().inner().opaque()).pages()
    }

    /// The current size in bytes.
    pub fn data_size(&self, store: impl AsContext) -> usize {
        self.inst(store.as_context().inner().opaque())
            .def
            .length_bytes
    }

    /// Grows by `delta` pages and returns the previous size in pages.
    ///
    /// # Errors
    /// Above the maximum, the reservation or the store's limits; the memory is unchanged.
    pub fn grow(&self, mut store: impl AsContextMut, delta: u64) -> Result<u64> {
        let store = store.as_context_mut().into_inner().opaque_mut();
        let pointer = self.0.pointer(store.id());
        store
            .grow_memory(pointer, delta)
            .ok_or_else(|| Error::resource(format!("cannot grow the memory by {delta} pages")))
    }

    /// The contents.
    pub fn data<'a, T: 'static>(&self, store: impl Into<crate::StoreContext<'a, T>>) -> &'a [u8] {
        let def = &self.inst(store.into().inner().opaque()).def;
        // SAFETY: the first `length_bytes` are accessible, and the store is borrowed for as long.
        unsafe { core::slice::from_raw_parts(def.base, def.length_bytes) }
    }

    /// The contents, mutably.
    pub fn data_mut<'a, T: 'static>(
        &self,
        store: impl Into<crate::StoreContextMut<'a, T>>,
    ) -> &'a mut [u8] {
        self.data_and_store_mut(store).0
    }

    /// The contents together with the store's data.
    pub fn data_and_store_mut<'a, T: 'static>(
        &self,
        store: impl Into<crate::StoreContextMut<'a, T>>,
    ) -> (&'a mut [u8], &'a mut T) {
        let inner = store.into().into_inner();
        let def = &self.inst(inner.opaque()).def;
        // SAFETY: the first `length_bytes` are accessible, the store is borrowed mutably for as
        // long, and the memory does not overlap the store's data.
        let bytes = unsafe { core::slice::from_raw_parts_mut(def.base, def.length_bytes) };
        (bytes, &mut inner.data)
    }

    /// Copies bytes out.
    ///
    /// # Errors
    /// When the range is not in the memory; `buffer` is unchanged then.
    pub fn read(&self, store: impl AsContext, offset: usize, buffer: &mut [u8]) -> Result<()> {
        let context = store.as_context();
        let def = &self.inst(context.inner().opaque()).def;
        // SAFETY: as in `data`.
        let bytes = unsafe { core::slice::from_raw_parts(def.base, def.length_bytes) };
        let source = offset
            .checked_add(buffer.len())
            .and_then(|end| bytes.get(offset..end))
            .ok_or_else(|| Error::usage("read past the end of a memory"))?;
        buffer.copy_from_slice(source);
        Ok(())
    }

    /// Copies bytes in.
    ///
    /// # Errors
    /// When the range is not in the memory, which is unchanged then.
    pub fn write(&self, mut store: impl AsContextMut, offset: usize, buffer: &[u8]) -> Result<()> {
        let bytes = self.data_mut(store.as_context_mut());
        let target = offset
            .checked_add(buffer.len())
            .and_then(|end| bytes.get_mut(offset..end))
            .ok_or_else(|| Error::usage("write past the end of a memory"))?;
        target.copy_from_slice(buffer);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_stops_at_maximum_and_reservation() {
        let mut memory = MemoryInst::new(MemoryType::new(1, Some(3)), None, None).unwrap();
        assert_eq!(memory.grow(1, |_, _, _| true), Some(1));
        assert_eq!(memory.grow(2, |_, _, _| true), None);
        assert_eq!(memory.grow(1, |_, _, _| false), None);
        assert_eq!(memory.grow(1, |_, _, _| true), Some(2));
        assert_eq!(memory.def.length_bytes, 3 << 16);

        let mut small = MemoryInst::new(MemoryType::new(1, None), Some(2 << 16), None).unwrap();
        assert_eq!(small.grow(1, |_, _, _| true), Some(1));
        assert_eq!(
            small.grow(1, |_, _, _| true),
            None,
            "the reservation is full"
        );
        let base = small.def.base;
        assert_eq!(base, small.mapping.base());
    }

    #[test]
    fn an_image_that_cannot_be_mapped_is_copied() {
        use crate::module::Images;
        use std::io::Write;
        let page = crate::sys::mmap::page_size();
        let write = |file: &mut std::fs::File| file.write_all(&vec![7; 2 * page]);
        // What begins in the middle of a page of the file is no mapping's.
        for file_offset in [0, 1] {
            let Ok(images) = Images::one_run(write, page, page, file_offset) else {
                println!("skipped: this system has no files in memory");
                return;
            };
            let ty = MemoryType::new(2, Some(4));
            let mut memory = MemoryInst::new(ty, None, Some(images.of(0))).unwrap();
            assert_eq!(memory.grow(1, |_, _, _| true), Some(2));
            // SAFETY: these are accessible.
            let bytes = unsafe {
                core::slice::from_raw_parts_mut(memory.def.base, memory.def.length_bytes)
            };
            assert!(bytes[..page].iter().all(|&byte| byte == 0));
            assert!(bytes[page..2 * page].iter().all(|&byte| byte == 7));
            assert!(bytes[2 * page..].iter().all(|&byte| byte == 0));
        }
    }

    #[test]
    fn a_32_bit_memory_may_reach_four_gibibytes_and_no_further() {
        let mut memory = MemoryInst::new(MemoryType::new(0, None), None, None).unwrap();
        assert_eq!(memory.grow(65536, |_, _, _| true), Some(0));
        assert_eq!(memory.grow(1, |_, _, _| true), None);
    }
}
