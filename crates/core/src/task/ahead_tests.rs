use super::super::predict;
use super::*;
use crate::Error;
use crate::cli::Faults;
use crate::cli::args::PredictArgs;
use crate::suggest::{Proposal, Suggestion};
use burn::tensor::{Device, Tensor};
use std::sync::Mutex;
use tenfold_kernels::ops::{Activation, linear};

/// Says how bright an image is, through a layer of so many numbers for each.
struct Light {
    width: usize,
    preprocess: Preprocess,
    batches: Mutex<Vec<usize>>,
}

impl Light {
    fn new(width: usize) -> Self {
        Self { width, preprocess: Preprocess::unit([1, 4, 5]), batches: Mutex::default() }
    }
}

impl Propose for Light {
    fn kind(&self) -> Kind {
        Kind::Images { channels: 1, height: 4, width: 5 }
    }

    fn labels(&self) -> &[String] {
        &[]
    }

    fn preprocess(&self) -> Option<&Preprocess> {
        Some(&self.preprocess)
    }

    fn propose(&self, inputs: &[&Input], _: usize) -> Result<Vec<Proposal>> {
        self.batches.lock().unwrap().push(inputs.len());
        let device = Device::flex();
        let x: Tensor<2> = self.preprocess.batch(inputs, &device)?.flatten(1, 3);
        let weight = Tensor::<2>::ones([1, self.width], &device);
        let light = linear(x.mean_dim(1), weight, None, Activation::Identity).narrow(1, 0, 1);
        let light = light.into_data().try_to_vec::<f32>().unwrap();
        let name = |input: &&Input| format!("{:?}", input.image_size().unwrap());
        let one =
            |(input, light)| Proposal::alternatives(vec![Suggestion::new(name(input), light)]);
        Ok(inputs.iter().zip(light).map(one).collect())
    }
}

/// What `predict` prints, and what it reports.
fn predicted(model: &Light, paths: &[PathBuf]) -> (String, Vec<String>) {
    let args = PredictArgs { paths: Vec::new(), device: "flex".into(), json: false, top_k: 1 };
    let mut out = Vec::new();
    let faults = match predict::run(model, paths, &args, None, &mut out) {
        Ok(()) => Vec::new(),
        Err(error) => error.downcast::<Faults>().unwrap().0.iter().map(Error::to_string).collect(),
    };
    (String::from_utf8(out).unwrap(), faults)
}

#[test]
fn batches_follow_from_the_maps_and_answers_from_the_order() {
    let folder = tempfile::tempdir().unwrap();
    let file = |place: u32| {
        let path = folder.path().join(format!("{place:02}.png"));
        image::GrayImage::from_pixel(5 + place % 7, 4 + place % 3, image::Luma([place as u8 * 6]))
            .save(&path)
            .unwrap();
        path
    };
    let mut paths: Vec<PathBuf> = (0..40).map(file).collect();
    paths.reverse();
    std::fs::write(&paths[17], "no image").unwrap();
    std::fs::write(&paths[0], "").unwrap();
    // Maps of 4 MiB: eight images have 96 MiB three times over. Of a quarter as much, all there are.
    for (numbers, expected) in [(1 << 20, vec![1, 8, 8, 8, 8, 5]), (1 << 18, vec![1, 32, 5])] {
        let model = Light::new(numbers);
        let (text, faults) = predicted(&model, &paths);
        assert_eq!(*model.batches.lock().unwrap(), expected);
        let small = Light::new(1);
        let alone = paths.iter().map(|path| predicted(&small, std::slice::from_ref(path)));
        let (texts, alone): (Vec<_>, Vec<_>) = alone.unzip();
        assert_eq!(text, texts.concat());
        assert_eq!(text.lines().count(), 38);
        assert_eq!(faults, alone.concat());
        assert_eq!(faults.len(), 2);
        assert!(faults[1].contains("22.png"), "{faults:?}");
    }
}

#[test]
fn what_ends_early_ends_the_reader() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    image::GrayImage::new(5, 4).save(&path).unwrap();
    let paths = vec![path; 500];
    let mut count = 0;
    let stopped = in_batches(&Light::new(1), &paths, true, |files, _| {
        assert!(files.iter().all(|file| file.image.is_some()));
        count += files.len();
        if count > 64 { anyhow::bail!("the pipe is closed") } else { Ok(()) }
    });
    assert_eq!((stopped.unwrap_err().to_string(), count), ("the pipe is closed".into(), 65));
}
