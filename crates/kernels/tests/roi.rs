//! Regions of interest against torchvision, calculus, and what other devices compute.
//! `tests/golden/roi/make.py` has the same formulas.

use burn::tensor::{DType, Device, Tensor, TensorData};
use safetensors::SafeTensors;
use tenfold_kernels::ops::{Roi, RoiAlign, ps_roi_pool, roi_align, roi_pool};

const SHAPE: [usize; 4] = [2, 12, 9, 11];
const OUTPUT: [usize; 2] = [2, 3];
const SCALE: f32 = 0.5;

/// A number in -1..1 from an integer hash of a key and a place.
fn noise(key: u32, place: u32) -> f32 {
    let mut x = place.wrapping_mul(0x9E37_79B1) ^ key;
    x = (x ^ (x >> 15)).wrapping_mul(0x2C1B_3C6D);
    x = (x ^ (x >> 12)).wrapping_mul(0x297A_2D39);
    x ^= x >> 15;
    (f64::from(x >> 8) / 8_388_608.0 - 1.0) as f32
}

fn formula(key: u32, shape: [usize; 4], device: &Device) -> Tensor<4> {
    let count = shape.iter().product::<usize>() as u32;
    let data = TensorData::new((0..count).map(|place| noise(key, place)).collect(), shape);
    Tensor::from_data(data, device)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

fn close(name: &str, ours: &[f32], theirs: &[f32]) {
    assert_eq!(ours.len(), theirs.len(), "{name}");
    let gaps = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs());
    let gap = gaps.fold(0.0, f32::max);
    assert!(gap < 1e-5 && ours.iter().all(|x| x.is_finite()), "{name}: {gap}");
}

type Operation = Box<dyn Fn(Tensor<4>, &[Roi]) -> Tensor<4>>;

/// Every operator and option, by the names in the file.
fn operations() -> Vec<(String, Operation)> {
    let mut all: Vec<(String, Operation)> = Vec::new();
    for samples in [0, 3] {
        for aligned in [false, true] {
            let options = RoiAlign { output: OUTPUT, scale: SCALE, samples, aligned };
            let name = format!("align_{samples}_{}", u8::from(aligned));
            all.push((name, Box::new(move |x, rois| roi_align(x, rois, options))));
        }
    }
    all.push(("pool".into(), Box::new(|x, rois| roi_pool(x, rois, OUTPUT, SCALE))));
    all.push(("sensitive".into(), Box::new(|x, rois| ps_roi_pool(x, rois, OUTPUT, SCALE))));
    all
}

fn golden() -> Vec<u8> {
    let path = "../../tests/golden/roi/expected.safetensors";
    std::fs::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn numbers(file: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    let bytes = file.tensor(name).unwrap().data();
    bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect()
}

fn rois(file: &SafeTensors<'_>) -> Vec<Roi> {
    let all = numbers(file, "rois");
    let one = |row: &[f32]| Roi { image: row[0] as usize, corners: row[1..].try_into().unwrap() };
    all.chunks(5).map(one).collect()
}

/// What an operation makes of the formula's maps, and the gradient that comes back; from those
/// regions alone that `counts`.
fn both_of(
    operation: &Operation,
    rois: &[Roi],
    shape: [usize; 4],
    dtype: DType,
    counts: impl Fn(&Roi) -> bool,
) -> [Vec<f32>; 2] {
    let x = formula(1, shape, &Device::flex().autodiff()).cast(dtype).detach().require_grad();
    let y = operation(x.clone(), rois);
    let counts: Vec<f32> = rois.iter().map(|roi| f32::from(u8::from(counts(roi)))).collect();
    let counts = TensorData::new(counts, [rois.len(), 1, 1, 1]);
    let factor = formula(2, y.dims(), &y.device()) * Tensor::from_data(counts, &y.device());
    let factor = factor.cast(dtype);
    let gradients = (y.clone() * factor).sum().backward();
    [values(y), values(x.grad(&gradients).unwrap())]
}

fn both(operation: &Operation, rois: &[Roi], shape: [usize; 4], dtype: DType) -> [Vec<f32>; 2] {
    both_of(operation, rois, shape, dtype, |_| true)
}

#[test]
fn values_and_gradients_are_torchvisions() {
    let bytes = golden();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let rois = rois(&file);
    for (name, operation) in operations() {
        // In double precision it is what other devices compute.
        for dtype in [DType::F32, DType::F64] {
            // Of the last row and column torchvision's gradient is not that of its values.
            let counts = |Roi { corners: [_, _, x2, y2], .. }: &Roi| {
                name != "sensitive" || (*x2 < 20.0 && *y2 < 16.0)
            };
            let [y, dx] = both_of(&operation, &rois, SHAPE, dtype, counts);
            close(&format!("{name} {dtype:?}"), &y, &numbers(&file, &format!("{name}.y")));
            close(&format!("{name} {dtype:?}, back"), &dx, &numbers(&file, &format!("{name}.dx")));
        }
        let x = formula(1, SHAPE, &Device::flex());
        close(&name, &values(operation(x, &rois)), &numbers(&file, &format!("{name}.y")));
    }
}

#[test]
fn many_channels_are_divided_among_tasks() {
    let bytes = golden();
    let rois = rois(&SafeTensors::deserialize(&bytes).unwrap());
    for (name, operation) in operations() {
        let shape = [2, 6 * 70, 9, 11];
        let [y, dx] = both(&operation, &rois, shape, DType::F32);
        let [other_y, other_dx] = both(&operation, &rois, shape, DType::F64);
        close(&name, &y, &other_y);
        close(&format!("{name}, back"), &dx, &other_dx);
    }
}

#[test]
fn gradients_are_finite_differences() {
    let shape = [2, 6, 5, 6];
    let rois = [
        Roi { image: 0, corners: [1.0, 0.5, 9.3, 8.8] },
        Roi { image: 1, corners: [-3.0, 2.0, 7.0, 14.0] },
    ];
    for (name, operation) in operations() {
        let [_, dx] = both(&operation, &rois, shape, DType::F32);
        let start = values(formula(1, shape, &Device::flex()));
        let loss = |place: usize, by: f32| {
            let mut moved = start.clone();
            moved[place] += by;
            let x = Tensor::from_data(TensorData::new(moved, shape), &Device::flex());
            let y = operation(x, &rois);
            let factor = formula(2, y.dims(), &y.device());
            values(y).iter().zip(values(factor)).map(|(y, f)| f64::from(y * f)).sum::<f64>()
        };
        for place in (0..start.len()).step_by(7) {
            // So small that no other pixel becomes the maximum.
            let slope = (loss(place, 1e-3) - loss(place, -1e-3)) / 2e-3;
            let gap = (slope - f64::from(dx[place])).abs();
            assert!(gap < 1e-3, "{name} {place}: {slope} and {}", dx[place]);
        }
    }
}

#[test]
fn wild_corners_stay_inside() {
    let numbers =
        [0.0, -7.5, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e9, -1e18, f32::MAX, f32::MIN];
    let mut rois = Vec::new();
    for x1 in numbers {
        for y2 in numbers {
            rois.push(Roi { image: 1, corners: [x1, 2.0, 5.0, y2] });
            rois.push(Roi { image: 0, corners: [x1, x1, y2, y2] });
        }
    }
    for (name, operation) in operations() {
        for dtype in [DType::F32, DType::F64] {
            for out in both(&operation, &rois, SHAPE, dtype) {
                assert!(out.iter().all(|x| x.is_finite() && x.abs() < 1e4), "{name}");
            }
        }
        // The whole plane covers every map, however far its corners.
        let all = [Roi { image: 0, corners: [-1e6, -1e6, 1e6, 1e6] }];
        let x = Tensor::ones(SHAPE, &Device::flex());
        assert_eq!(operation(x.clone(), &all).dims()[0], 1, "{name}");
        assert_eq!(operation(x, &[]).dims(), [0, if name == "sensitive" { 2 } else { 12 }, 2, 3]);
    }
}

#[test]
#[should_panic(expected = "beyond the batch of 2")]
fn a_region_of_no_image_is_refused() {
    let rois = [Roi { image: 2, corners: [0.0, 0.0, 4.0, 4.0] }];
    roi_pool(Tensor::zeros(SHAPE, &Device::flex()), &rois, OUTPUT, SCALE);
}

#[test]
#[should_panic(expected = "expected a multiple of 6")]
fn channels_that_do_not_fit_the_places_are_refused() {
    ps_roi_pool(Tensor::zeros([1, 8, 4, 4], &Device::flex()), &[], OUTPUT, SCALE);
}
