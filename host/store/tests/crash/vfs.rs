//! The disk as SQLite sees it.

use crate::disk::Disk;
use sqlite_vfs::{DatabaseHandle, LockKind, OpenAccess, OpenOptions, Vfs, WalDisabled};
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, LazyLock, Mutex, Once};
use std::time::Duration;

/// Name under which SQLite knows it.
pub const NAME: &str = "power-cut";

/// Disks that are plugged in, by the folder under which their files are.
static DISKS: LazyLock<Mutex<HashMap<String, Arc<Disk>>>> = LazyLock::new(Mutex::default);

/// Plugs a disk in as a folder; a disk that was there is unplugged.
pub fn plug(folder: &str, disk: Arc<Disk>) {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| sqlite_vfs::register(NAME, Shelf, false).unwrap());
    DISKS.lock().unwrap().insert(folder.to_owned(), disk);
}

struct Shelf;

impl Shelf {
    fn disk(path: &str) -> io::Result<Arc<Disk>> {
        let folder = path.split_once('/').map_or(path, |(folder, _)| folder);
        DISKS.lock().unwrap().get(folder).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Vfs for Shelf {
    type Handle = OpenFile;

    fn open(&self, path: &str, options: OpenOptions) -> io::Result<OpenFile> {
        let disk = Self::disk(path)?;
        if !disk.exists(path)? {
            match options.access {
                OpenAccess::Create | OpenAccess::CreateNew => disk.create(path)?,
                OpenAccess::Read | OpenAccess::Write => return Err(io::ErrorKind::NotFound.into()),
            }
        }
        Ok(OpenFile { disk, path: path.to_owned(), lock: LockKind::None })
    }

    fn delete(&self, path: &str) -> io::Result<()> {
        Self::disk(path)?.remove(path)
    }

    fn exists(&self, path: &str) -> io::Result<bool> {
        Self::disk(path)?.exists(path)
    }

    /// Temporary data is kept in memory, so none is asked for.
    fn temporary_name(&self) -> String {
        "no-disk/temporary".to_owned()
    }

    /// What SQLite salts its log with; it must differ between two logs, and nothing more.
    fn random(&self, buffer: &mut [i8]) {
        static SALT: Mutex<crate::seed::Seed> = Mutex::new(crate::seed::Seed(1));
        let mut salt = SALT.lock().unwrap();
        buffer.fill_with(|| salt.next() as i8);
    }

    fn sleep(&self, duration: Duration) -> Duration {
        std::thread::sleep(duration);
        duration
    }
}

pub struct OpenFile {
    disk: Arc<Disk>,
    path: String,
    lock: LockKind,
}

impl DatabaseHandle for OpenFile {
    /// The one connection holds the file for good, so the index of the log is not shared.
    type WalIndex = WalDisabled;

    fn size(&self) -> io::Result<u64> {
        self.disk.size(&self.path)
    }

    fn read_exact_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.disk.read(&self.path, buffer, offset)
    }

    fn write_all_at(&mut self, data: &[u8], offset: u64) -> io::Result<()> {
        self.disk.write(&self.path, data, offset)
    }

    fn sync(&mut self, _data_only: bool) -> io::Result<()> {
        self.disk.sync(&self.path)
    }

    fn set_len(&mut self, size: u64) -> io::Result<()> {
        self.disk.resize(&self.path, size)
    }

    fn lock(&mut self, lock: LockKind) -> io::Result<bool> {
        self.lock = lock;
        Ok(true)
    }

    fn reserved(&mut self) -> io::Result<bool> {
        Ok(matches!(self.lock, LockKind::Reserved | LockKind::Pending | LockKind::Exclusive))
    }

    fn current_lock(&self) -> io::Result<LockKind> {
        Ok(self.lock)
    }

    fn wal_index(&self, _readonly: bool) -> io::Result<WalDisabled> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
