//! The calls inside a state dict's pickle: storages, tensors, and the list of known names.

use burn::tensor::{BoolStore, DType};

use super::pickle::{Result, Run, Storage, Strided, Value};

/// More than any tensor of a model has.
const MAX_DIMENSIONS: usize = 8;

impl Run<'_, '_> {
    pub fn class(&mut self, module: &str, name: &str) -> Result<Value> {
        let class = format!("{module}.{name}");
        if !is_known(&class) {
            let class: String = class.chars().take(100).filter(|c| !c.is_control()).collect();
            return Err(format!(
                "its pickle names {class}, which is no part of a state dict; nothing was run; \
                 expected a file from torch.save(model.state_dict(), ...)"
            ));
        }
        self.machine.classes.push(class);
        Ok(Value::Class(self.machine.classes.len() - 1))
    }

    /// The calls that a state dict is made of. Every other known class makes an `Other`.
    pub fn call(&mut self, function: Value, arguments: Value) -> Result<Value> {
        let (Value::Class(class), Value::List(list)) = (function, arguments) else {
            return Err("calls what is no function".to_string());
        };
        match (self.machine.classes[class].as_str(), self.machine.lists[list].as_slice()) {
            ("collections.OrderedDict", []) => Ok(self.dict(Vec::new())),
            ("collections.OrderedDict", &[Value::List(items)]) => {
                // A list may be used many times, and each time it is copied.
                self.count(self.machine.lists[items].len())?;
                let mut pairs = Vec::new();
                for item in &self.machine.lists[items] {
                    match item {
                        Value::List(pair) => match self.machine.lists[*pair][..] {
                            [key, value] => pairs.push((key, value)),
                            _ => return Err("a dictionary's item is no pair".to_string()),
                        },
                        _ => return Err("a dictionary's item is no pair".to_string()),
                    }
                }
                Ok(self.dict(pairs))
            }
            ("torch.Size", &[size]) => Ok(size),
            ("torch._utils._rebuild_parameter", &[tensor, ..]) => Ok(tensor),
            (
                "torch._utils._rebuild_tensor" | "torch._utils._rebuild_tensor_v2",
                &[Value::Storage(storage), Value::Int(offset), shape, stride, ..],
            ) => self.tensor(storage, offset, shape, stride),
            (name, _) if name.starts_with("torch._utils.") => {
                Err(format!("{name} with unexpected arguments"))
            }
            _ => Ok(Value::Other),
        }
    }

    fn tensor(
        &mut self,
        storage: usize,
        offset: i64,
        shape: Value,
        stride: Value,
    ) -> Result<Value> {
        let source = &self.machine.storages[storage];
        let (start, end) = source.view;
        let offset = usize::try_from(offset).ok().and_then(|offset| offset.checked_add(start));
        let tensor = Strided {
            storage,
            offset: offset.ok_or("a tensor begins before its storage")?,
            shape: self.sizes(shape)?,
            stride: self.sizes(stride)?,
        };
        let bytes = tensor.shape.iter().try_fold(source.dtype.size(), |n, &d| n.checked_mul(d));
        let extent = tensor.extent().filter(|&extent| extent <= end);
        if bytes.is_none() || extent.is_none() || tensor.shape.len() != tensor.stride.len() {
            return Err(format!("a tensor {:?} reaches outside its storage", tensor.shape));
        }
        self.machine.tensors.push(tensor);
        Ok(Value::Tensor(self.machine.tensors.len() - 1))
    }

    fn sizes(&self, list: Value) -> Result<Vec<usize>> {
        let Value::List(list) = list else {
            return Err("a tensor's shape is no list".to_string());
        };
        // One long list shared by many tensors would take much memory.
        let list = &self.machine.lists[list];
        if list.len() > MAX_DIMENSIONS {
            return Err(format!("a tensor of {} dimensions", list.len()));
        }
        list.iter().map(|&size| size_of(size)).collect()
    }

    /// `('storage', type, key, location, length[, (view key, offset, length)])`.
    pub fn storage(&mut self, id: Value) -> Result<Value> {
        let Value::List(id) = id else {
            return Err("a storage is described by no list".to_string());
        };
        let machine = &mut *self.machine;
        let (&Value::Class(class), &Value::Text(key), &length, view) =
            (match machine.lists[id].as_slice() {
                [_, class, key, _, length, view @ ..] => (class, key, length, view.first()),
                _ => return Err("a storage lacks its length".to_string()),
            })
        else {
            return Err("a storage lacks its type or key".to_string());
        };
        let class = &machine.classes[class];
        let dtype = dtype(class).ok_or_else(|| format!("{class} is not supported"))?;
        let length = size_of(length)?;
        let mut bounds = (0, length);
        if let Some(&Value::List(view)) = view {
            let &[_, offset, size] = machine.lists[view].as_slice() else {
                return Err("a storage's view is no triple".to_string());
            };
            let start = size_of(offset)?;
            let end = start.checked_add(size_of(size)?).filter(|&end| end <= length);
            bounds = (start, end.ok_or("a storage's view reaches outside it")?);
        }
        // A key names a zip entry or one of a list: anything longer is an attack on memory.
        let key = machine.texts[key].clone();
        if key.len() > 256 {
            return Err("a storage's key is longer than 256 bytes".to_string());
        }
        machine.storages.push(Storage { key, dtype, length, view: bounds });
        Ok(Value::Storage(machine.storages.len() - 1))
    }
}

fn size_of(value: Value) -> Result<usize> {
    match value {
        Value::Int(size) => usize::try_from(size).map_err(|_| format!("a size of {size}")),
        _ => Err("a size is no number".to_string()),
    }
}

fn dtype(class: &str) -> Option<DType> {
    Some(match class.strip_prefix("torch.")? {
        "DoubleStorage" => DType::F64,
        "FloatStorage" => DType::F32,
        "HalfStorage" => DType::F16,
        "BFloat16Storage" => DType::BF16,
        "LongStorage" => DType::I64,
        "IntStorage" => DType::I32,
        "ShortStorage" => DType::I16,
        "CharStorage" => DType::I8,
        "ByteStorage" => DType::U8,
        "BoolStorage" => DType::Bool(BoolStore::Native),
        _ => return None,
    })
}

/// The names a state dict or a plain training checkpoint may hold: what PyTorch itself
/// accepts with `weights_only=True`, and the harmless values found beside weights.
fn is_known(class: &str) -> bool {
    let builtin = class.strip_prefix("builtins.").or(class.strip_prefix("__builtin__."));
    if let Some(name) = builtin {
        return ["set", "frozenset", "complex", "bytearray", "slice", "int", "float"]
            .contains(&name);
    }
    if let Some(name) = class.strip_prefix("torch.") {
        // Storages and element types are plain names; every function lies in a submodule.
        return !name.contains('.') && (name.ends_with("Storage") || ELEMENT_TYPES.contains(&name))
            || ["Size", "Tensor", "device", "nn.parameter.Parameter"].contains(&name)
            || [
                "_utils._rebuild_tensor",
                "_utils._rebuild_tensor_v2",
                "_utils._rebuild_parameter",
            ]
            .contains(&name);
    }
    [
        "collections.OrderedDict",
        "collections.Counter",
        "collections.defaultdict",
        "argparse.Namespace",
        "_codecs.encode",
        "numpy.dtype",
        "numpy.ndarray",
        "numpy.core.multiarray.scalar",
        "numpy._core.multiarray.scalar",
        "numpy.core.multiarray._reconstruct",
        "numpy._core.multiarray._reconstruct",
    ]
    .contains(&class)
}

const ELEMENT_TYPES: [&str; 9] =
    ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "bool"];
