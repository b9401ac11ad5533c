//! Function names from the name section, parsed when somebody first asks for one.
//!
//! Spec: appendix, custom sections, name section.

use super::bytes::ModuleBytes;
use crate::backtrace::Names;
use crate::code::artifact::Kept;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use wasmparser::{BinaryReader, Name, NameSectionReader};
use zwasm_core::module::{ExternIndex, ModuleInfo};

/// The names of a module's functions; backtraces have them for longer than the module is there.
pub(crate) struct ModuleNames {
    info: Arc<ModuleInfo>,
    section: Section,
    functions: OnceLock<FunctionNames>,
}

/// Where the section of names is.
pub(super) enum Section {
    Module(Arc<ModuleBytes>),
    /// Beside the code of a precompiled module.
    Kept(Arc<Kept>),
}

impl ModuleNames {
    pub(super) fn new(info: Arc<ModuleInfo>, section: Section) -> ModuleNames {
        ModuleNames {
            info,
            section,
            functions: OnceLock::new(),
        }
    }

    fn parse(&self) -> FunctionNames {
        match &self.section {
            Section::Module(bytes) => {
                let range = self.info.name_section.as_ref();
                FunctionNames::parse(range.map(|range| bytes.get(range)))
            }
            Section::Kept(kept) => FunctionNames::parse(Some(&kept.names())),
        }
    }
}

impl Names for ModuleNames {
    /// The name in the name section, or the name it is exported under.
    fn function(&self, index: u32) -> Option<&str> {
        let exported = || {
            let mut exports = self.info.exports.iter();
            exports
                .find(|(_, item)| *item == ExternIndex::Func(index))
                .map(|(name, _)| &**name)
        };
        let functions = self.functions.get_or_init(|| self.parse());
        functions.get(index).or_else(exported)
    }
}

/// Names by function index.
#[derive(Debug, Default)]
pub(crate) struct FunctionNames(HashMap<u32, String>);

impl FunctionNames {
    /// Reads what can be read; a broken section gives fewer names, never an error.
    pub(crate) fn parse(section: Option<&[u8]>) -> FunctionNames {
        let mut names = HashMap::new();
        let reader = NameSectionReader::new(BinaryReader::new(section.unwrap_or_default(), 0));
        for subsection in reader.into_iter().map_while(Result::ok) {
            if let Name::Function(map) = subsection {
                for naming in map.into_iter().map_while(Result::ok) {
                    names.insert(naming.index, naming.name.to_owned());
                }
            }
        }
        FunctionNames(names)
    }

    pub(crate) fn get(&self, func: u32) -> Option<&str> {
        self.0.get(&func).map(String::as_str)
    }
}
