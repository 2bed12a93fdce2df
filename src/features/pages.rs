//! Large pages for memory that is read at random places.
//!
//! With pages of 4 KiB nearly every look-up also misses the processor's table of pages; with pages of
//! 2 MiB a few hundred entries of it cover all of state, and the system hands out 512 times fewer.
//!
//! It is for memory that is reserved once and taken as it fills. Of a table that doubles, each copy
//! would be cleared in large pieces, which costs more than it saves (`docs/performance.md`).

/// What is smaller than this keeps ordinary pages.
#[cfg(target_os = "linux")]
const LEAST_BYTES: usize = 4 << 20;

/// A vector with room for so many items, on large pages where that pays and the system has them.
pub(super) fn with_capacity<T>(items: usize) -> Vec<T> {
    let vector = Vec::with_capacity(items);
    #[cfg(target_os = "linux")]
    {
        let bytes = vector.capacity() * size_of::<T>();
        if bytes >= LEAST_BYTES {
            const PAGE: usize = 4096;
            let start = vector.as_ptr() as usize;
            let (first, end) = (start.next_multiple_of(PAGE), (start + bytes) / PAGE * PAGE);
            // SAFETY: the pages from `first` to `end` lie within this vector's allocation. The call is
            // advice on how they are backed: it changes no content, and if it fails nothing is lost.
            unsafe { libc::madvise(first as *mut libc::c_void, end - first, libc::MADV_HUGEPAGE) };
        }
    }
    vector
}
