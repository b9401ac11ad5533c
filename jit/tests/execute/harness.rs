//! Executable memory, the state that snippets run on, and the code around them.

use std::ffi::c_void;
use std::sync::LazyLock;

use zwasm_jit::masm::{FloatPart, Fpr, Gpr, Labels, LoadOp, Masm, Mem, StoreOp, Width};

#[cfg(target_arch = "aarch64")]
pub(crate) use zwasm_jit::isa::aarch64::A64Masm as Host;
#[cfg(target_arch = "x86_64")]
pub(crate) use zwasm_jit::isa::x86_64::X64Masm as Host;

pub(crate) type Label = <Host as Labels>::Label;

/// The macro-assemblers to test: on x86_64 with and without the instructions beyond the baseline,
/// and with vectors but without AVX.
#[cfg(target_arch = "x86_64")]
pub(crate) fn hosts() -> Vec<fn() -> Host> {
    use zwasm_jit::isa::x86_64::Features;
    let mut hosts: Vec<fn() -> Host> = vec![Host::new];
    let has_all = is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("popcnt")
        && is_x86_feature_detected!("sse4.2")
        && is_x86_feature_detected!("avx")
        && is_x86_feature_detected!("fma");
    if has_all {
        hosts.push(|| Host::with_features(Features::ALL));
        hosts.push(|| {
            Host::with_features(Features {
                avx: false,
                fma: false,
                ..Features::ALL
            })
        });
    } else {
        println!("skipped: this processor lacks some of the features that the backend uses");
    }
    hosts
}

/// The macro-assemblers to test: far branches come with constants made in registers.
#[cfg(target_arch = "aarch64")]
pub(crate) fn hosts() -> Vec<fn() -> Host> {
    vec![Host::new, || Host::with_far_branches(())]
}

/// What a snippet finds in its registers and leaves there, by hardware number.
#[repr(C)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) float: [u128; 32],
    pub(crate) general: [u64; 32],
    /// Which of the snippet's exits was taken.
    pub(crate) exit: u64,
    /// For tests that need an address of their own.
    pub(crate) pointers: [u64; 3],
}

pub(crate) const POINTERS_OFFSET: i32 = 32 * 16 + 33 * 8;

fn general_slot(register: Gpr) -> Mem {
    Mem::at(Host::FILE.context, 32 * 16 + i32::from(register.0) * 8)
}

fn float_slot(register: Fpr) -> Mem {
    Mem::at(Host::FILE.context, i32::from(register.0) * 16)
}

impl State {
    /// Distinct values everywhere.
    pub(crate) fn new() -> State {
        let pattern = 0x0123_4567_89ab_cdef_u64;
        State {
            float: std::array::from_fn(|i| {
                (u128::from(pattern.rotate_left(i as u32)) << 64) | (i as u128 + 1)
            }),
            general: std::array::from_fn(|i| pattern.rotate_right(i as u32 + 1)),
            exit: u64::MAX,
            pointers: [0; 3],
        }
    }

    pub(crate) fn get(&self, register: Gpr) -> u64 {
        self.general[usize::from(register.0)]
    }

    pub(crate) fn set(&mut self, register: Gpr, value: u64) {
        self.general[usize::from(register.0)] = value;
    }

    pub(crate) fn get_float(&self, register: Fpr) -> u128 {
        self.float[usize::from(register.0)]
    }

    pub(crate) fn set_float(&mut self, register: Fpr, value: u128) {
        self.float[usize::from(register.0)] = value;
    }
}

/// Registers that operations preserve.
static ALLOCATABLE: LazyLock<Vec<Gpr>> = LazyLock::new(|| {
    let file = Host::FILE;
    let mut registers = vec![file.memory_base];
    registers.extend(file.saved);
    registers.extend(file.temporary);
    registers
});

/// Those and the scratch registers: all that a snippet may name, but for the context.
static GENERAL: LazyLock<Vec<Gpr>> = LazyLock::new(|| {
    let mut registers = ALLOCATABLE.clone();
    registers.extend(Host::FILE.scratch);
    registers
});

/// All float registers that a snippet may name, the scratch register last.
static FLOAT: LazyLock<Vec<Fpr>> = LazyLock::new(|| {
    let mut registers = Host::FILE.float_temporary.to_vec();
    registers.push(Host::FILE.float_scratch);
    registers
});

/// The registers whose combinations are tested: one of each kind, both scratch registers, and on
/// x86_64 ones whose encodings are irregular.
pub(crate) fn operands() -> Vec<Gpr> {
    let file = Host::FILE;
    let mut registers = vec![
        file.temporary[0],
        *file.saved.last().unwrap(),
        file.scratch[0],
        file.scratch[1],
    ];
    if cfg!(target_arch = "x86_64") {
        registers.push(file.saved[file.saved.len() / 2]);
    }
    registers
}

/// As `operands`, for floats.
pub(crate) fn float_operands() -> Vec<Fpr> {
    let file = Host::FILE;
    vec![
        file.float_temporary[0],
        file.float_temporary[1],
        *file.float_temporary.last().unwrap(),
        file.float_scratch,
    ]
}

/// Code in executable memory.
pub(crate) struct Code {
    address: *mut c_void,
    size: usize,
    bytes: Vec<u8>,
}

impl Code {
    /// Maps finished code.
    pub(crate) fn new(bytes: Vec<u8>) -> Code {
        let size = bytes.len();
        // SAFETY: a fresh anonymous mapping, filled within its bounds before it turns executable.
        let address = unsafe {
            let address = libc::mmap(
                std::ptr::null_mut(),
                size,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            );
            assert!(address != libc::MAP_FAILED, "no memory for code");
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), address.cast(), size);
            let protection = libc::PROT_READ | libc::PROT_EXEC;
            assert_eq!(libc::mprotect(address, size, protection), 0);
            address
        };
        #[cfg(target_arch = "aarch64")]
        {
            unsafe extern "C" {
                fn __clear_cache(start: *mut c_void, end: *mut c_void);
            }
            // SAFETY: both ends of the mapping made above.
            unsafe { __clear_cache(address, address.wrapping_byte_add(size)) };
        }
        Code {
            address,
            size,
            bytes,
        }
    }

    /// Assembles `body` between a prologue that loads all registers from the state and an epilogue
    /// that stores them. `body` ends by falling through, which is exit 0, or by branching to the
    /// label of another exit.
    pub(crate) fn snippet(host: fn() -> Host, body: impl FnOnce(&mut Host, &[Label; 4])) -> Code {
        let file = Host::FILE;
        let mut masm = host();
        let m = &mut masm;
        let frame = m.enter();
        let mut kept = file.saved.to_vec();
        kept.extend([file.context, file.memory_base]);
        let slot = |i: usize| Mem::at(file.frame, -8 * (i as i32 + 1));
        for (i, &register) in kept.iter().enumerate() {
            m.store(StoreOp::B8, register, slot(i));
        }
        // The C ABI of ARM64 preserves the lower halves of these, our code does not.
        let kept_floats: &[Fpr] = if cfg!(target_arch = "aarch64") {
            &[8, 9, 10, 11, 12, 13, 14, 15].map(Fpr)
        } else {
            &[]
        };
        for (i, &register) in kept_floats.iter().enumerate() {
            m.float_store(FloatPart::F64, register, slot(kept.len() + i));
        }
        let frame_size = (kept.len() + kept_floats.len()).next_multiple_of(2) * 8;
        m.set_frame_size(frame, frame_size as u32);
        m.mov(Width::W64, file.context, file.arguments[0]);
        for &register in FLOAT.iter() {
            m.float_load(FloatPart::V128, register, float_slot(register));
        }
        for &register in GENERAL.iter() {
            m.load(LoadOp::U64, register, general_slot(register));
        }
        let exits = [m.label(), m.label(), m.label(), m.label()];
        body(m, &exits);
        for (number, &exit) in exits.iter().enumerate() {
            m.bind(exit);
            for &register in GENERAL.iter() {
                m.store(StoreOp::B8, register, general_slot(register));
            }
            for &register in FLOAT.iter() {
                m.float_store(FloatPart::V128, register, float_slot(register));
            }
            m.imm(file.scratch[0], number as u64);
            let exit_slot = Mem::at(file.context, POINTERS_OFFSET - 8);
            m.store(StoreOp::B8, file.scratch[0], exit_slot);
            for (i, &register) in kept_floats.iter().enumerate() {
                m.float_load(FloatPart::F64, register, slot(kept.len() + i));
            }
            for (i, &register) in kept.iter().enumerate() {
                m.load(LoadOp::U64, register, slot(i));
            }
            m.leave();
        }
        Code::new(masm.finish())
    }

    pub(crate) fn address(&self) -> u64 {
        self.address as u64
    }

    /// Runs a snippet.
    pub(crate) fn run(&self, state: &State) -> State {
        let mut after = state.clone();
        // SAFETY: `snippet` made a function of this type. It touches the state, its own frame, and
        // what the test made the state point to.
        unsafe {
            let function: extern "C" fn(*mut State) = std::mem::transmute(self.address);
            function(&raw mut after);
        }
        after
    }

    /// Runs a snippet and checks that it changes nothing but `changed` and what `kept` allows.
    pub(crate) fn check(&self, state: &State, changed: Changes, kept: Kept) -> State {
        let after = self.run(state);
        let (registers, floats): (&[Gpr], &[Fpr]) = match kept {
            Kept::Allocatable => (&ALLOCATABLE, Host::FILE.float_temporary),
            Kept::Everything => (&GENERAL, &FLOAT),
        };
        for &register in registers {
            if state.get(register) != after.get(register) && changed != Changes::General(register) {
                panic!("{register:?} was overwritten: {self:?}");
            }
        }
        for &register in floats {
            if state.get_float(register) != after.get_float(register)
                && changed != Changes::Float(register)
            {
                panic!("{register:?} was overwritten: {self:?}");
            }
        }
        after
    }
}

/// The destination of an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Changes {
    Nothing,
    General(Gpr),
    Float(Fpr),
}

/// Which registers, but for the destination, an operation must keep.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kept {
    /// Those that are not scratch.
    Allocatable,
    /// Moves keep the scratch registers as well.
    Everything,
}

impl std::fmt::Debug for Code {
    /// The bytes, to be piped into a disassembler.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.bytes
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `new`, which nothing runs any more.
        unsafe { libc::munmap(self.address, self.size) };
    }
}
