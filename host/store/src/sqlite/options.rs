//! Settings of the SQLite store.

/// How the file is used. The memory it takes is bounded by the caches, whatever the file holds.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// Connections for reads. With 0, reads share the writer's connection and the file is locked for good, so that no
    /// shared memory is needed; that is for file systems that have none.
    pub readers: usize,
    /// Page cache of the writer, in KiB.
    pub writer_cache_kib: u32,
    /// Page cache of each reader, in KiB.
    pub reader_cache_kib: u32,
    /// How long the log grows before it is written back into the file, in KiB.
    pub checkpoint_kib: u32,
    /// Name of a virtual file system that was registered with SQLite; none: the system's. With one, no lock file is
    /// made.
    pub vfs: Option<String>,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self { readers: 2, writer_cache_kib: 8_192, reader_cache_kib: 2_048, checkpoint_kib: 32 * 1024, vfs: None }
    }
}
