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

/// The device with gradients recorded, and its random numbers begun anew from `seed`. Whoever
/// draws holds the [`random_stream`](crate::train::random_stream).
pub fn autodiff_device(device: &Device, seed: u64) -> Device {
    let device = device.clone().autodiff();
    device.seed(seed);
    device
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

/// A device whose driver is loaded at run time: where there is none, Burn panics, on threads of
/// its own too, and none of what they print is for the person who asked.
#[cfg(any(feature = "cuda", feature = "vulkan"))]
fn driven(
    name: String,
    driver: &str,
    open: impl FnOnce() -> Device + std::panic::UnwindSafe,
) -> Result<Device> {
    let said = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let opened = std::panic::catch_unwind(|| {
        let device = open();
        device.sync().map(|()| device)
    });
    std::panic::set_hook(said);
    match opened {
        Ok(Ok(device)) => Ok(device),
        _ => {
            let why = format!("{name} cannot be used: no such card, or no {driver} driver for it");
            Err(Error::argument("--device", why))
        }
    }
}

#[cfg(feature = "cuda")]
fn cuda(index: usize) -> Result<Device> {
    driven(format!("cuda:{index}"), "NVIDIA", move || Device::cuda(index))
}
#[cfg(not(feature = "cuda"))]
fn cuda(_index: usize) -> Result<Device> {
    Err(without("cuda"))
}

#[cfg(feature = "vulkan")]
fn vulkan() -> Result<Device> {
    driven("vulkan".into(), "Vulkan", || Device::vulkan(Default::default()))
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
