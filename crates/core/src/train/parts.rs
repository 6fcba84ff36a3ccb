//! What a learner goes on from, as named parts on their way into a checkpoint or out of one.

use crate::{Error, Result, files};
use burn::module::{Module, ModuleDisplay};
use burn::optim::{ModuleOptimizer, OptimizerRecord};
use burn::store::ModuleRecord;
use burn::tensor::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A learner's parts, on their way into a checkpoint or out of one. The learner names each
/// part once, and the same list writes and reads.
#[derive(Debug)]
pub struct Parts {
    folder: PathBuf,
    /// SHA-256 of each part by its name.
    digests: BTreeMap<String, String>,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Out,
    /// `old`: the step of a checkpoint that earlier programs left, with a network in a wrapper.
    In {
        taken: BTreeSet<String>,
        old: Option<usize>,
    },
}

impl Parts {
    /// Parts to be written into `folder`.
    pub(super) fn into(folder: &Path) -> Self {
        Self { folder: folder.into(), digests: BTreeMap::new(), way: Way::Out }
    }

    /// Parts to be read from `folder`, by their SHA-256.
    pub(super) fn from(
        folder: &Path,
        digests: BTreeMap<String, String>,
        old: Option<usize>,
    ) -> Self {
        Self { folder: folder.into(), digests, way: Way::In { taken: BTreeSet::new(), old } }
    }

    /// The SHA-256 of each part, once all were written or read.
    ///
    /// # Errors
    /// A part that nobody asked for.
    pub(super) fn end(self) -> Result<BTreeMap<String, String>> {
        if let Way::In { taken, .. } = &self.way
            && let Some(left) = self.digests.keys().find(|name| !taken.contains(*name))
        {
            return Err(self.fault(left, "is not this model's"));
        }
        Ok(self.digests)
    }

    /// Bytes under a name: written by `write`, or given to `read`.
    ///
    /// # Errors
    /// What these say; a name that was used before, that is no file's name, or that the
    /// checkpoint lacks; a damaged file.
    pub fn raw(
        &mut self,
        name: &str,
        write: impl FnOnce() -> Result<Vec<u8>>,
        read: impl FnOnce(Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || !name.chars().all(plain) {
            return Err(self.fault(name, "is no name of letters, digits, - and _"));
        }
        match &mut self.way {
            Way::Out => {
                let bytes = write()?;
                files::write(&self.folder.join(name), &bytes)?;
                match self.digests.insert(name.into(), digest(&bytes)) {
                    None => Ok(()),
                    Some(_) => Err(self.fault(name, "was given twice")),
                }
            }
            Way::In { taken, .. } => {
                if !taken.insert(name.into()) {
                    return Err(self.fault(name, "was asked for twice"));
                }
                read(self.bytes(name)?)
            }
        }
    }

    /// A value as MessagePack.
    ///
    /// # Errors
    /// As [`Parts::raw`].
    pub fn value<T: Serialize + DeserializeOwned>(
        &mut self,
        name: &str,
        value: &mut T,
    ) -> Result<()> {
        let folder = self.folder.clone();
        let fault = |why: &dyn std::fmt::Display| Error::file(folder.join(name), why);
        // One closure borrows the value to write it, the other to change it; one of them runs.
        let packed = rmp_serde::to_vec(&*value);
        self.raw(
            name,
            || packed.map_err(|why| fault(&why)),
            |bytes| {
                *value = rmp_serde::from_slice(&bytes).map_err(|why| fault(&why))?;
                Ok(())
            },
        )
    }

    /// A module's parameters with their identities, by which an optimiser knows them.
    ///
    /// # Errors
    /// As [`Parts::raw`]; a record of another module.
    pub fn module<M: Module + ModuleDisplay>(&mut self, name: &str, module: &mut M) -> Result<()> {
        let path = self.folder.join(name);
        let fault = |why: &dyn std::fmt::Display| Error::file(&path, why);
        let wrapped = matches!(&self.way, Way::In { old: Some(_), .. });
        let own = module.clone();
        let write = || {
            let bytes = own.clone().into_record().into_bytes().map_err(|why| fault(&why))?;
            Ok(bytes.to_vec())
        };
        let read = |bytes| {
            let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(bytes));
            let record = record.map_err(|why| fault(&why))?;
            let own = own.clone();
            *module = match wrapped {
                false => own.try_load_record(record).map_err(|why| fault(&why))?,
                true => {
                    let wrapper = Wrapped { network: own };
                    wrapper.try_load_record(record).map_err(|why| fault(&why))?.network
                }
            };
            Ok(())
        };
        self.raw(name, write, read)
    }

    /// An optimiser's state. To be named after the module that it steps.
    ///
    /// # Errors
    /// As [`Parts::raw`].
    pub fn optimizer(&mut self, name: &str, optimizer: &mut ModuleOptimizer) -> Result<()> {
        let path = self.folder.join(name);
        let fault = |why: &dyn std::fmt::Display| Error::file(&path, why);
        let own = optimizer.clone();
        let write = || Ok(own.to_record().into_bytes().map_err(|why| fault(&why))?.to_vec());
        let read = |bytes| {
            let record = OptimizerRecord::from_bytes(Bytes::from_bytes_vec(bytes));
            *optimizer = own.clone().load_record(record.map_err(|why| fault(&why))?);
            Ok(())
        };
        self.raw(name, write, read)
    }

    /// A part's bytes, which are what they were.
    fn bytes(&self, name: &str) -> Result<Vec<u8>> {
        let file = match &self.way {
            Way::In { old: Some(old), .. } => match name {
                // The step stood among the state's numbers.
                "step" => return Ok(rmp_serde::to_vec(old).unwrap_or_default()),
                "network" => "model.bpk",
                "optimizer" => "optimizer.bpk",
                name => name,
            },
            _ => name,
        };
        let path = self.folder.join(file);
        let Some(expected) = self.digests.get(name) else {
            return Err(self.fault(name, "is missing"));
        };
        let bytes = std::fs::read(&path).map_err(|source| Error::io(&path, source))?;
        match digest(&bytes) == *expected {
            true => Ok(bytes),
            false => Err(Error::file(&path, "damaged: its SHA-256 is not the recorded one")),
        }
    }

    fn fault(&self, name: &str, why: &str) -> Error {
        Error::file(&self.folder, format!("the checkpoint's part `{name}` {why}"))
    }
}

/// The wrapper in which a network stood in the checkpoints of earlier programs.
#[derive(Module, Debug)]
pub(super) struct Wrapped<N: Module> {
    pub network: N,
}

/// SHA-256.
pub(super) fn digest(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}
