//! What a module needs of a weights file.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::store::burn_pack::Error as PackError;
use burn::store::{BurnToPyTorchAdapter, ModuleAdapter, ModuleContext, bridge};
use burn::tensor::{Bool, BoolStore, DType, Int, Shape, Tensor};

/// Names and shapes of a module's own weights, as [`save`](super::save) would write them,
/// sorted by name. Weights that are not initialised yet stay so.
pub fn module_keys<M: Module>(module: &M) -> Vec<(String, Vec<usize>)> {
    let expected = expected(module).into_iter();
    expected.map(|(key, expected)| (key, expected.shape.to_vec())).collect()
}

/// A parameter or buffer of the module, under PyTorch's name and in PyTorch's layout.
pub(super) struct Expected {
    /// Where Burn finds it.
    pub path: String,
    pub shape: Shape,
    pub kind: Kind,
}

#[derive(Clone, Copy)]
pub(super) enum Kind {
    Float,
    Int,
    Bool,
}

impl Kind {
    pub fn accepts(self, dtype: DType) -> bool {
        match self {
            Self::Float => dtype.is_float(),
            Self::Int => dtype.is_int() || dtype.is_uint(),
            Self::Bool => dtype.is_bool(),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Float => "floats",
            Self::Int => "integers",
            Self::Bool => "booleans",
        }
    }
}

/// What the module needs, without initialising parameters that are not yet: a large model
/// would spend a second drawing numbers that are overwritten at once.
pub(super) fn expected<M: Module>(module: &M) -> BTreeMap<String, Expected> {
    let mut visitor = Visitor::default();
    module.visit(&mut visitor);
    visitor.found
}

#[derive(Default)]
struct Visitor {
    path: Vec<String>,
    containers: Vec<String>,
    found: BTreeMap<String, Expected>,
}

impl Visitor {
    fn add(&mut self, shape: Shape, kind: Kind) {
        let path = self.path.join(".");
        let dtype = match kind {
            Kind::Float => DType::F32,
            Kind::Int => DType::I64,
            Kind::Bool => DType::Bool(BoolStore::Native),
        };
        // Burn's own adapter tells the name and the layout; the data is never asked for.
        let tensor = bridge::deferred(path.clone(), dtype, shape, None, || {
            Err(PackError::TensorNotFound(String::new()))
        });
        let tensor = BurnToPyTorchAdapter.adapt(tensor, ModuleContext::new(&self.containers));
        self.found.insert(tensor.name, Expected { path, shape: tensor.shape, kind });
    }
}

impl ModuleVisitor for Visitor {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.containers.push(container_type.to_string());
        if !container_type.starts_with("Enum:") {
            self.path.push(name.to_string());
        }
    }

    fn exit_module(&mut self, _name: &str, container_type: &str) {
        self.containers.pop();
        if !container_type.starts_with("Enum:") {
            self.path.pop();
        }
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.add(param.lazy_shape(), Kind::Float);
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        self.add(param.lazy_shape(), Kind::Int);
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        self.add(param.lazy_shape(), Kind::Bool);
    }
}
