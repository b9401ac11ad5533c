//! Files in memory that nobody changes any more.
//!
//! A file is written once, then sealed: it neither shrinks nor changes, whoever opens it. So pages
//! of it can be mapped and stay what they are. Only Linux has such files. For others somebody promises it.

use super::rlimit;
use std::fs::File;
use std::io;

/// A file without a name, of fixed contents.
#[derive(Debug)]
pub(crate) struct SealedFile(File);

impl SealedFile {
    /// Makes a file of what `write` writes, which is at most `most_bytes`.
    ///
    /// # Errors
    /// Those of `write`, and the system's when it has no such files, none that long, or no memory.
    pub(crate) fn new(
        most_bytes: usize,
        write: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> io::Result<SealedFile> {
        if most_bytes as u64 > rlimit::file_size_bytes() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut file = create()?;
        write(&mut file)?;
        seal(&file)?;
        Ok(SealedFile(file))
    }

    /// A file of the file system.
    ///
    /// # Safety
    /// It neither changes nor shrinks as long as this or a mapping of it is there.
    pub(crate) unsafe fn promised(file: File) -> SealedFile {
        SealedFile(file)
    }

    /// Fills `buffer` with the bytes from `offset` on.
    ///
    /// # Errors
    /// The system's, and when the file ends before.
    pub(crate) fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.0, buffer, offset)
    }

    /// For mappings.
    pub(super) fn descriptor(&self) -> i32 {
        std::os::fd::AsRawFd::as_raw_fd(&self.0)
    }
}

#[cfg(target_os = "linux")]
fn create() -> io::Result<File> {
    use std::os::fd::FromRawFd;
    // SAFETY: the name is a C string.
    let descriptor = unsafe {
        libc::memfd_create(
            c"zwasm-image".as_ptr(),
            libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING,
        )
    };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was opened just now, and nobody else has it.
    Ok(unsafe { File::from_raw_fd(descriptor) })
}

#[cfg(not(target_os = "linux"))]
fn create() -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(target_os = "linux")]
fn seal(file: &File) -> io::Result<()> {
    let seals = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE | libc::F_SEAL_SEAL;
    let descriptor = std::os::fd::AsRawFd::as_raw_fd(file);
    // SAFETY: changes what may be done with an open file.
    if unsafe { libc::fcntl(descriptor, libc::F_ADD_SEALS, seals) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn seal(_file: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_sealed_file_keeps_its_contents() {
        let sealed = SealedFile::new(8, |file| file.write_all(b"contents")).unwrap();
        let mut file = sealed.0.try_clone().unwrap();
        assert!(file.write_all(b"!").is_err());
        assert!(file.set_len(0).is_err());
        let mut buffer = [0; 4];
        sealed.read_exact_at(&mut buffer, 4).unwrap();
        assert_eq!(&buffer, b"ents");
        assert!(sealed.read_exact_at(&mut buffer, 5).is_err());
    }
}
