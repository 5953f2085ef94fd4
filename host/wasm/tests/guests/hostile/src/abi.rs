//! What stands between the host and the functions of a guest: where the host asks for memory, and where it gives it back.

use crate::dragoman::gateway::host;
use crate::{deeds, marks};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the answer was given, so that the next memory to be freed is that of the answer.
static ANSWERED: AtomicBool = AtomicBool::new(false);

struct Heap;

#[global_allocator]
static HEAP: Heap = Heap;

unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        unsafe { System.realloc(old, layout, bytes) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        if ANSWERED.load(Ordering::Relaxed) {
            match marks::deed() {
                "spin-after-the-answer" => deeds::spin(),
                "trap-after-the-answer" => core::arch::wasm32::unreachable(),
                _ => {}
            }
        }
        unsafe { System.dealloc(old, layout) }
    }
}

/// Called last in an export: what is freed from now on is freed by the function that the host calls after the answer.
pub(crate) fn answered() {
    ANSWERED.store(true, Ordering::Relaxed);
}

/// Where the host puts what it hands to the guest. Takes the place of the one that the bindings bring.
#[unsafe(no_mangle)]
unsafe extern "C" fn cabi_realloc(old: *mut u8, old_bytes: usize, align: usize, bytes: usize) -> *mut u8 {
    match marks::deed() {
        "spin-in-realloc" => deeds::spin(),
        "trap-in-realloc" => core::arch::wasm32::unreachable(),
        "call-the-host-in-realloc" => drop(host::settings()),
        "realloc-beyond-memory" => return usize::MAX as *mut u8,
        "realloc-nothing" => return std::ptr::null_mut(),
        "realloc-askew" => return 3 as *mut u8,
        _ => {}
    }
    if bytes == 0 {
        return align as *mut u8;
    }
    let Ok(layout) = Layout::from_size_align(old_bytes, align) else { core::arch::wasm32::unreachable() };
    if old_bytes == 0 {
        let Ok(new) = Layout::from_size_align(bytes, align) else { core::arch::wasm32::unreachable() };
        return unsafe { System.alloc(new) };
    }
    unsafe { System.realloc(old, layout, bytes) }
}

/// Runs when an instance is made, before any export is called.
extern "C" fn at_the_start() {
    deeds::here("start");
}

#[used]
#[unsafe(link_section = ".init_array")]
static AT_THE_START: extern "C" fn() = at_the_start;
