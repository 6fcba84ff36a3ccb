//! The one place that knows which backends are compiled in. Everything else holds a [`Device`].

use crate::{Error, Result};
pub use burn::tensor::Device;

/// What `--device` accepts, for help texts and messages.
pub const CHOICES: &str = "cpu, ndarray, cuda, cuda:N or vulkan";

/// The device a person named: `cpu`, `ndarray`, `cuda`, `cuda:N` or `vulkan`.
///
/// # Errors
/// An unknown name, or a device whose Cargo feature this binary was built without: the
/// message names the feature.
pub fn open(name: &str) -> Result<Device> {
    let (kind, index) = match name.split_once(':') {
        None => (name, None),
        Some((kind, index)) => (kind, Some(parse_index(name, index)?)),
    };
    match (kind, index) {
        ("cpu", None) => cpu(),
        ("ndarray", None) => ndarray(),
        ("cuda", index) => cuda(index.unwrap_or(0)),
        ("vulkan", None) => vulkan(),
        _ => Err(Error::argument("--device", format!("`{name}` is none of {CHOICES}"))),
    }
}

fn parse_index(name: &str, index: &str) -> Result<usize> {
    let why = || format!("`{name}` is none of {CHOICES}");
    index.parse().map_err(|_| Error::argument("--device", why()))
}

/// The message for a device that this binary cannot drive.
#[allow(dead_code, reason = "unused when every backend is compiled in")]
fn without(feature: &str) -> Error {
    Error::argument(
        "--device",
        format!(
            "this program was built without feature `{feature}`: add `--features {feature}` to the cargo command"
        ),
    )
}

#[cfg(feature = "flex")]
fn cpu() -> Result<Device> {
    Ok(Device::flex())
}
#[cfg(not(feature = "flex"))]
fn cpu() -> Result<Device> {
    Err(without("flex"))
}

#[cfg(feature = "ndarray")]
fn ndarray() -> Result<Device> {
    // Burn deprecates this backend; Tenfold offers it because its first user asked for it.
    #[allow(deprecated)]
    Ok(Device::ndarray())
}
#[cfg(not(feature = "ndarray"))]
fn ndarray() -> Result<Device> {
    Err(without("ndarray"))
}

#[cfg(feature = "cuda")]
fn cuda(index: usize) -> Result<Device> {
    // The driver is loaded at run time, and Burn panics where there is none.
    std::panic::catch_unwind(|| {
        let device = Device::cuda(index);
        device.sync().map(|()| device)
    })
    .map_err(|_| "no NVIDIA driver answers".to_string())
    .and_then(|device| device.map_err(|error| error.to_string()))
    .map_err(|why| Error::argument("--device", format!("cuda:{index} cannot be used: {why}")))
}
#[cfg(not(feature = "cuda"))]
fn cuda(_index: usize) -> Result<Device> {
    Err(without("cuda"))
}

#[cfg(feature = "vulkan")]
fn vulkan() -> Result<Device> {
    std::panic::catch_unwind(|| {
        let device = Device::vulkan(Default::default());
        device.sync().map(|()| device)
    })
    .map_err(|_| "no Vulkan driver answers".to_string())
    .and_then(|device| device.map_err(|error| error.to_string()))
    .map_err(|why| Error::argument("--device", format!("vulkan cannot be used: {why}")))
}
#[cfg(not(feature = "vulkan"))]
fn vulkan() -> Result<Device> {
    Err(without("vulkan"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_names_list_the_choices() {
        for name in ["gpu", "cpu:0", "cuda:x", ""] {
            let message = open(name).unwrap_err().to_string();
            assert_eq!(message, format!("--device: `{name}` is none of {CHOICES}"));
        }
    }

    #[test]
    #[cfg(not(feature = "cuda"))]
    fn a_missing_feature_is_named() {
        let message = open("cuda:1").unwrap_err().to_string();
        assert!(message.contains("--features cuda"), "{message}");
    }
}
