//! What the system allows this process, as far as it decides how something is done.

/// How long a file may become, in bytes. To write beyond raises a signal that ends the process.
pub(crate) fn file_size_bytes() -> u64 {
    limit(libc::RLIMIT_FSIZE)
}

/// How much address space there may be, in bytes.
pub(crate) fn address_space_bytes() -> u64 {
    limit(libc::RLIMIT_AS)
}

#[cfg(target_os = "linux")]
type Resource = libc::__rlimit_resource_t;
#[cfg(not(target_os = "linux"))]
type Resource = i32;

#[allow(
    clippy::useless_conversion,
    reason = "the type differs between systems"
)]
fn limit(resource: Resource) -> u64 {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: writes to a local.
    let known = unsafe { libc::getrlimit(resource, &mut limit) } == 0;
    if !known || limit.rlim_cur == libc::RLIM_INFINITY {
        return u64::MAX;
    }
    limit.rlim_cur.into()
}
