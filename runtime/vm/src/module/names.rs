//! Function names from the name section, parsed when a backtrace first needs one.
//!
//! Spec: appendix, custom sections, name section.

use std::collections::HashMap;
use wasmparser::{BinaryReader, Name, NameSectionReader};

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
