//! A cache of machine code: a folder with a file per module, of the code that runs have made.
//!
//! When a module goes, the newest code of its functions is written ([`Entry::update`]): of those that ran,
//! or of all if all were compiled; in tier `auto`, of those that ran often, the better one. The next run
//! of the module neither validates its bodies nor compiles these functions; the others are compiled when
//! they are called first, as ever, and join them. A file is written again when a run has made an eighth
//! of its code anew.
//!
//! A file is found by a name that is made of the setting, the length of the module up to the end of its
//! bodies and samples of these bytes, which costs next to nothing where there is none. Whose code it is
//! says a digest of all these bytes, which are all that code and validity of bodies depend on. They are
//! read once more for that, which takes a fraction of validating them.
//!
//! What lies there is executed. So the folder is the user's alone, or is left alone. Files are written under
//! another name and renamed: who reads finds one as it was written, whatever others do meanwhile. Checksums
//! are [`artifact`]'s; what is altered by accident is compiled again.
//!
//! Nothing here is an error: what fails is as if there were no cache.

use super::artifact::{self, Digest, Facts, Kept, Plan, Setting, Source, Whose};
use crate::engine::{Engine, Tier};
use crate::module::{ModuleInner, sections};
use crate::sys::rlimit;
use core::sync::atomic::{AtomicU32, Ordering};
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{env, process, thread};

/// Modules with fewer bytes of bodies touch no file. To write one takes 0.8 ms once; of 23 KiB of bodies one
/// saves 9 ms each time in tier `opt`, and 0.6 ms in tier `baseline`, of 94 KiB 40 ms and 2.9 ms.
fn min_bodies_bytes(tier: Tier) -> usize {
    if tier.compiles_ahead() {
        4 << 10
    } else {
        64 << 10
    }
}

/// What all files may have, in bytes, unless somebody says something else.
const MOST_BYTES: u64 = 1 << 30;

/// A file is written again for an eighth as much new code as it has.
const REWRITE_FACTOR: u64 = 8;

/// The last use of a file is noted when the last note is older: notes are writes.
const NOTE_EVERY: Duration = Duration::from_secs(3600);

/// An unfinished file this old is nobody's any more.
const ABANDONED: Duration = Duration::from_secs(3600);

/// Small files are removed after about each of so many has been written.
const EVICT_EVERY: u32 = 16;

/// A file with this part of all that there may be is not small.
const LARGE_PART: u64 = 64;

/// How names of unfinished files begin; those of others are hexadecimal.
const UNFINISHED: &str = "unfinished-";

/// Samples of the bodies for a name, and the size of each.
const SAMPLES: usize = 64;
const SAMPLE_BYTES: usize = 1 << 10;

/// Where files are, and how many bytes they may have.
#[derive(Clone, Debug)]
pub(crate) struct CodeCache {
    folder: PathBuf,
    pub(crate) most_bytes: u64,
}

/// See [`Config::user_code_cache`](crate::Config::user_code_cache).
pub(crate) fn user_folder() -> Option<PathBuf> {
    // Relative paths are to be ignored (XDG Base Directory Specification).
    let folder = |name| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|it| it.is_absolute())
    };
    let home = || folder("HOME").map(|home| home.join(".cache"));
    Some(folder("XDG_CACHE_HOME").or_else(home)?.join("zwasm"))
}

/// Whether nobody but this user can have written it.
fn is_ours(metadata: &Metadata) -> bool {
    // SAFETY: asks for a number.
    let user = unsafe { libc::geteuid() };
    metadata.uid() == user && metadata.mode() & 0o022 == 0
}

impl CodeCache {
    pub(crate) fn new(folder: PathBuf) -> CodeCache {
        CodeCache {
            folder,
            most_bytes: MOST_BYTES,
        }
    }

    /// Whether the folder is there and the user's alone.
    fn is_usable(&self) -> bool {
        fs::metadata(&self.folder).is_ok_and(|it| it.is_dir() && is_ours(&it))
    }

    fn open(&self, name: &str) -> Option<File> {
        if !self.is_usable() {
            return None;
        }
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let mut options = OpenOptions::new();
        let file = options.read(true).custom_flags(flags);
        let file = file.open(self.folder.join(name)).ok()?;
        // Whatever the folder was a moment ago.
        let metadata = file.metadata().ok()?;
        if !metadata.is_file() || !is_ours(&metadata) {
            return None;
        }
        let now = SystemTime::now();
        let age = now.duration_since(metadata.modified().ok()?);
        if age.is_ok_and(|age| age > NOTE_EVERY) {
            let _ = file.set_modified(now);
        }
        Some(file)
    }

    /// Writes a file, which is there as a whole or not at all; answers its length in bytes.
    fn write(
        &self,
        name: &str,
        write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> io::Result<u64> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if !self.is_usable() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&self.folder)?;
            if !self.is_usable() {
                return Err(ErrorKind::PermissionDenied.into());
            }
        }
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let unfinished = format!("{UNFINISHED}{}-{count}", process::id());
        let unfinished = self.folder.join(unfinished);
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600);
        let mut out = BufWriter::with_capacity(256 << 10, file.open(&unfinished)?);
        let written = write(&mut out).and_then(|()| out.flush());
        let length = written.and_then(|()| Ok(out.get_ref().metadata()?.len()));
        let done = length.and_then(|length| {
            fs::rename(&unfinished, self.folder.join(name))?;
            Ok(length)
        });
        if done.is_err() {
            let _ = fs::remove_file(&unfinished);
        }
        done
    }

    /// Removes the files that were used longest ago, until the rest is as small as it may be. That
    /// looks at all of them, so after most files that are small nothing is done.
    fn evict(&self, written_bytes: u64) -> io::Result<()> {
        let now = SystemTime::now();
        let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let is_turn = since_epoch.subsec_micros().is_multiple_of(EVICT_EVERY);
        if written_bytes < self.most_bytes / LARGE_PART && !is_turn {
            return Ok(());
        }
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let (Some(is_unfinished), Ok(metadata)) = (kind(&entry.path()), entry.metadata())
            else {
                continue;
            };
            let used = metadata.modified()?;
            let is_old = || now.duration_since(used).is_ok_and(|age| age > ABANDONED);
            if !is_unfinished {
                files.push((used, metadata.len(), entry.path()));
            } else if is_old() {
                let _ = fs::remove_file(entry.path());
            }
        }
        files.sort();
        let mut all: u64 = files.iter().map(|file| file.1).sum();
        for (_, length, path) in files {
            if all <= self.most_bytes {
                break;
            }
            all -= length;
            let _ = fs::remove_file(path);
        }
        Ok(())
    }
}

/// Whether a file is one that somebody is still writing; none if it is not the cache's.
fn kind(path: &Path) -> Option<bool> {
    let name = path.file_name()?.to_str()?;
    let is_finished =
        name.len() == 2 * size_of::<Digest>() && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_unfinished = name.starts_with(UNFINISHED);
    (is_finished || is_unfinished).then_some(is_unfinished)
}

/// A module's place in the cache, whether there is a file or not.
#[derive(Debug)]
pub(crate) struct Entry {
    setting: Setting,
    name: String,
    /// Where the module's bodies end.
    bodies_end: usize,
}

impl Entry {
    /// That of a module in binary form; none where a cache is not wanted or of no use.
    pub(crate) fn of(engine: &Engine, bytes: &[u8]) -> Option<Entry> {
        let config = engine.config();
        config.code_cache.as_ref()?;
        let setting = engine.supply().setting(engine)?.and(&[
            ("tier", &engine.tier()),
            ("most code", &config.max_function_code_bytes),
        ]);
        let bodies_end = bodies_end(bytes, min_bodies_bytes(engine.tier()))?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(setting.as_bytes());
        hasher.update(&bodies_end.to_le_bytes());
        let bytes = &bytes[..bodies_end];
        for sample in bytes.chunks(bodies_end / SAMPLES) {
            hasher.update(&sample[..sample.len().min(SAMPLE_BYTES)]);
        }
        hasher.update(&bytes[bodies_end - SAMPLE_BYTES..]);
        Some(Entry {
            setting,
            name: hasher.finalize().to_hex().to_string(),
            bodies_end,
        })
    }

    /// What is known of the module with these bytes.
    pub(crate) fn find(&self, cache: &CodeCache, bytes: &[u8]) -> Option<(Facts, Kept)> {
        let file = cache.open(&self.name)?;
        let source = Source::file(file).ok()?;
        let opened = Kept::open(source, &self.setting).ok()?;
        let digest = self.digest(bytes);
        let is_its = matches!(opened.whose, Whose::Beside(its) if its == digest);
        is_its.then_some((opened.facts, opened.kept))
    }

    /// Of a module's bytes, up to the end of its bodies at least.
    fn digest(&self, bytes: &[u8]) -> Digest {
        *blake3::hash(&bytes[..self.bodies_end]).as_bytes()
    }

    /// Writes the file; answers its length in bytes.
    fn write(&self, module: &ModuleInner, cache: &CodeCache) -> io::Result<u64> {
        let kept = module.kept.as_ref();
        // What other threads replace meanwhile stays as long as if it were run here.
        let reading = module.engine.runs().add();
        reading.begin();
        let newest = module.code.newest(module);
        let plan = Plan {
            setting: &self.setting,
            whose: Whose::Beside(self.digest(module.bytes.with_bodies())),
            names: &[],
            images: (&[], &[]),
            facts: Facts::of(&module.info),
            functions: newest.len() as u32,
        };
        // A file that becomes too long ends the process by a signal.
        let most_bytes = cache.most_bytes.min(rlimit::file_size_bytes());
        let supply = module.engine.supply();
        cache.write(&self.name, |out| {
            artifact::write(out, plan, most_bytes, |defined, out| {
                let code = newest[defined as usize].as_deref();
                match code.and_then(|code| supply.as_compiled(code)) {
                    Some(compiled) => artifact::encode(&compiled, out),
                    None => kept.map_or(0, |kept| kept.copy(defined, out)),
                }
            })
        })
    }
}

impl ModuleInner {
    /// Writes what was compiled to the cache, if the module has a place there and it is worth it.
    pub(crate) fn update_cache(&self) {
        let cache = self.engine.config().code_cache.as_ref();
        let (Some(entry), Some(cache)) = (&self.cached, cache) else {
            return;
        };
        let fresh_bytes = self.code.take_fresh_bytes() as u64;
        let sound = self.kept.as_ref().filter(|kept| !kept.is_altered());
        let sound_bytes = sound.map_or(0, |kept| kept.code_bytes());
        let is_worth_it = fresh_bytes > 0 && fresh_bytes * REWRITE_FACTOR >= sound_bytes;
        if is_worth_it
            && !thread::panicking()
            && let Ok(written_bytes) = entry.write(self, cache)
        {
            let _ = cache.evict(written_bytes);
        }
    }
}

/// Where the section of bodies ends in a binary module; none if it is small, or not to be seen.
fn bodies_end(bytes: &[u8], least: usize) -> Option<usize> {
    let mut sections = sections::sections(bytes);
    let (_, bodies) = sections.find(|&(id, _)| id == sections::CODE)?;
    (bodies.len() >= least).then_some(bodies.end)
}
