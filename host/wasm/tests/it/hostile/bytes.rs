//! Components made of bytes: a good one with something behind it that no compiler would write.

use wasm_encoder::{
    BlockType, CodeSection, Component, ConstExpr, CustomSection, DataSection, Function, FunctionSection, HeapType,
    InstanceSection, Instruction, MemorySection, MemoryType, Module, ModuleArg, ModuleSection, RefType, StartSection,
    TableSection, TableType, TypeSection,
};
use wasmparser::{Parser, Payload};

/// Bytes before the first section.
const HEADER_BYTES: usize = 8;

/// A component with that core module in it, of which that many instances are made.
pub(super) fn with_instances(good: Vec<u8>, module: &Module, instances: u32) -> Vec<u8> {
    let number = modules(&good);
    let mut made = InstanceSection::new();
    for _ in 0..instances {
        made.instantiate(number, std::iter::empty::<(&str, ModuleArg)>());
    }
    let mut added = Component::new();
    added.section(&ModuleSection(module)).section(&made);
    [good, added.finish().split_off(HEADER_BYTES)].concat()
}

/// How many core modules it holds itself.
fn modules(component: &[u8]) -> u32 {
    let mut depth = 0_usize;
    let mut found = 0;
    for payload in Parser::new(0).parse_all(component) {
        match payload.unwrap() {
            Payload::ModuleSection { .. } => {
                found += u32::from(depth == 0);
                depth += 1;
            }
            Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    found
}

/// A component with a section behind its last.
pub(super) fn with_section(good: Vec<u8>, section: &impl wasm_encoder::ComponentSection) -> Vec<u8> {
    let mut added = Component::new();
    added.section(section);
    [good, added.finish().split_off(HEADER_BYTES)].concat()
}

/// A component with a custom section of that size behind it.
pub(super) fn with_custom(good: Vec<u8>, name: &str, bytes: usize) -> Vec<u8> {
    with_section(good, &CustomSection { name: name.into(), data: vec![0; bytes].into() })
}

/// A module with one memory.
pub(super) fn with_memory(pages: u64) -> Module {
    let mut module = Module::new();
    module.section(&memory(pages));
    module
}

/// A module with one table.
pub(super) fn with_table(elements: u64) -> Module {
    let mut module = Module::new();
    module.section(&table(elements));
    module
}

/// A module whose data lie outside of its memory.
pub(super) fn with_data_beyond_memory() -> Module {
    let mut data = DataSection::new();
    data.active(0, &ConstExpr::i32_const(0x7fff_0000), *b"beyond");
    let mut module = Module::new();
    module.section(&memory(1)).section(&data);
    module
}

/// A module that runs this when it is instantiated, with a memory and a table.
pub(super) fn that_starts(body: &[Instruction<'_>]) -> Module {
    let mut function = Function::new([]);
    for instruction in body {
        function.instruction(instruction);
    }
    function.instruction(&Instruction::End);
    let (mut types, mut declared, mut code) = (TypeSection::new(), FunctionSection::new(), CodeSection::new());
    types.ty().function([], []);
    declared.function(0);
    code.function(&function);
    let mut module = Module::new();
    module.section(&types).section(&declared).section(&table(1)).section(&memory(1));
    module.section(&StartSection { function_index: 0 }).section(&code);
    module
}

fn memory(minimum: u64) -> MemorySection {
    let mut section = MemorySection::new();
    section.memory(MemoryType { minimum, maximum: None, memory64: false, shared: false, page_size_log2: None });
    section
}

fn table(minimum: u64) -> TableSection {
    let mut section = TableSection::new();
    section.table(TableType { element_type: RefType::FUNCREF, table64: false, minimum, maximum: None, shared: false });
    section
}

/// Computes for ever.
pub(super) fn spin() -> Vec<Instruction<'static>> {
    vec![Instruction::Loop(BlockType::Empty), Instruction::Br(0), Instruction::End]
}

/// Asks for more table until there is none, and then spins.
pub(super) fn grow_a_table() -> Vec<Instruction<'static>> {
    vec![
        Instruction::Loop(BlockType::Empty),
        Instruction::RefNull(HeapType::FUNC),
        Instruction::I32Const(1000),
        Instruction::TableGrow(0),
        Instruction::I32Const(-1),
        Instruction::I32Ne,
        Instruction::BrIf(0),
        Instruction::End,
        Instruction::Unreachable,
    ]
}

/// Asks for more memory until there is none.
pub(super) fn grow_a_memory() -> Vec<Instruction<'static>> {
    vec![
        Instruction::Loop(BlockType::Empty),
        Instruction::I32Const(16),
        Instruction::MemoryGrow(0),
        Instruction::I32Const(-1),
        Instruction::I32Ne,
        Instruction::BrIf(0),
        Instruction::End,
        Instruction::Unreachable,
    ]
}
