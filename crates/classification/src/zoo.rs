//! The closed list of this crate's models: names, cards, and the one macro that goes from a name
//! to a type.

use crate::models::{self, ModelConfig};
use tenfold_core::data::{Kind, glyphs, houses};
use tenfold_core::device;
use tenfold_core::zoo::{self, Card};

/// The models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zoo {
    /// Linear regression.
    Linear,
    /// Multinomial logistic regression.
    Logistic,
    /// K-nearest neighbours.
    Knn,
    /// Random forest.
    RandomForest,
    /// Gradient boosting.
    GradientBoosting,
    /// HOG and a linear support vector machine.
    HogSvm,
    /// Multilayer perceptron.
    Mlp,
    /// LeNet-5.
    LeNet,
    /// AlexNet, one tower.
    AlexNet,
    /// VGG-11.
    Vgg11,
    /// VGG-11 with batch normalisation.
    Vgg11Bn,
    /// VGG-13.
    Vgg13,
    /// VGG-13 with batch normalisation.
    Vgg13Bn,
    /// VGG-16.
    Vgg16,
    /// VGG-16 with batch normalisation.
    Vgg16Bn,
    /// VGG-19.
    Vgg19,
    /// VGG-19 with batch normalisation.
    Vgg19Bn,
    /// GoogLeNet.
    GoogLeNet,
    /// ResNet-18.
    ResNet18,
    /// ResNet-34.
    ResNet34,
    /// ResNet-50.
    ResNet50,
    /// ResNet-101.
    ResNet101,
    /// ResNet-152.
    ResNet152,
    /// ResNet-20 for CIFAR.
    ResNet20,
    /// ResNet-32 for CIFAR.
    ResNet32,
    /// ResNet-44 for CIFAR.
    ResNet44,
    /// ResNet-56 for CIFAR.
    ResNet56,
    /// DenseNet-121.
    DenseNet121,
    /// DenseNet-161.
    DenseNet161,
    /// DenseNet-169.
    DenseNet169,
    /// DenseNet-201.
    DenseNet201,
}

impl zoo::Zoo for Zoo {
    const TASK: &'static str = "classification";
    const ALL: &'static [(Self, &'static str)] = &[
        (Self::Linear, "linear"),
        (Self::Logistic, "logistic"),
        (Self::Knn, "knn"),
        (Self::RandomForest, "random_forest"),
        (Self::GradientBoosting, "gradient_boosting"),
        (Self::HogSvm, "hog-svm"),
        (Self::Mlp, "mlp"),
        (Self::LeNet, "lenet"),
        (Self::AlexNet, "alexnet"),
        (Self::Vgg11, "vgg11"),
        (Self::Vgg11Bn, "vgg11_bn"),
        (Self::Vgg13, "vgg13"),
        (Self::Vgg13Bn, "vgg13_bn"),
        (Self::Vgg16, "vgg16"),
        (Self::Vgg16Bn, "vgg16_bn"),
        (Self::Vgg19, "vgg19"),
        (Self::Vgg19Bn, "vgg19_bn"),
        (Self::GoogLeNet, "googlenet"),
        (Self::ResNet18, "resnet18"),
        (Self::ResNet34, "resnet34"),
        (Self::ResNet50, "resnet50"),
        (Self::ResNet101, "resnet101"),
        (Self::ResNet152, "resnet152"),
        (Self::ResNet20, "resnet20"),
        (Self::ResNet32, "resnet32"),
        (Self::ResNet44, "resnet44"),
        (Self::ResNet56, "resnet56"),
        (Self::DenseNet121, "densenet121"),
        (Self::DenseNet161, "densenet161"),
        (Self::DenseNet169, "densenet169"),
        (Self::DenseNet201, "densenet201"),
    ];
}

/// Runs `$body` with `$Config` as the Config type of a model, and `$new` as the function that
/// makes its Config from the shape of the inputs and the number of classes.
macro_rules! with_config {
    ($zoo:expr, $Config:ident => $body:expr) => {
        $crate::zoo::with_config!($zoo, $Config, _new => $body)
    };
    ($zoo:expr, $C:ident, $new:ident => $body:expr) => {{
        use $crate::zoo::{Zoo, with_config as arm};
        match $zoo {
            Zoo::Linear => arm!(@ linear::LinearRegressionConfig, $C, $new, $body),
            Zoo::Knn => arm!(@ knn::KnnConfig, $C, $new, $body),
            Zoo::RandomForest => arm!(@ random_forest::RandomForestConfig, $C, $new, $body),
            Zoo::GradientBoosting => arm!(@ gradient_boosting::GradientBoostingConfig, $C, $new, $body),
            Zoo::HogSvm => arm!(@ hog_svm::HogSvmConfig, $C, $new, $body),
            Zoo::Logistic => arm!(@ logistic::LogisticConfig, $C, $new, $body),
            Zoo::Mlp => arm!(@ mlp::MlpConfig, $C, $new, $body),
            Zoo::LeNet => arm!(@ lenet::LeNetConfig, $C, $new, $body),
            Zoo::AlexNet => arm!(@ alexnet::AlexNetConfig, alexnet, $C, $new, $body),
            Zoo::Vgg11 => arm!(@ vgg::VggConfig, vgg11, $C, $new, $body),
            Zoo::Vgg11Bn => arm!(@ vgg::VggConfig, vgg11_bn, $C, $new, $body),
            Zoo::Vgg13 => arm!(@ vgg::VggConfig, vgg13, $C, $new, $body),
            Zoo::Vgg13Bn => arm!(@ vgg::VggConfig, vgg13_bn, $C, $new, $body),
            Zoo::Vgg16 => arm!(@ vgg::VggConfig, vgg16, $C, $new, $body),
            Zoo::Vgg16Bn => arm!(@ vgg::VggConfig, vgg16_bn, $C, $new, $body),
            Zoo::Vgg19 => arm!(@ vgg::VggConfig, vgg19, $C, $new, $body),
            Zoo::Vgg19Bn => arm!(@ vgg::VggConfig, vgg19_bn, $C, $new, $body),
            Zoo::GoogLeNet => arm!(@ googlenet::GoogLeNetConfig, googlenet, $C, $new, $body),
            Zoo::ResNet18 => arm!(@ resnet::ResNetConfig, resnet18, $C, $new, $body),
            Zoo::ResNet34 => arm!(@ resnet::ResNetConfig, resnet34, $C, $new, $body),
            Zoo::ResNet50 => arm!(@ resnet::ResNetConfig, resnet50, $C, $new, $body),
            Zoo::ResNet101 => arm!(@ resnet::ResNetConfig, resnet101, $C, $new, $body),
            Zoo::ResNet152 => arm!(@ resnet::ResNetConfig, resnet152, $C, $new, $body),
            Zoo::ResNet20 => arm!(@ resnet_cifar::CifarResNetConfig, resnet20, $C, $new, $body),
            Zoo::ResNet32 => arm!(@ resnet_cifar::CifarResNetConfig, resnet32, $C, $new, $body),
            Zoo::ResNet44 => arm!(@ resnet_cifar::CifarResNetConfig, resnet44, $C, $new, $body),
            Zoo::ResNet56 => arm!(@ resnet_cifar::CifarResNetConfig, resnet56, $C, $new, $body),
            Zoo::DenseNet121 => arm!(@ densenet::DenseNetConfig, densenet121, $C, $new, $body),
            Zoo::DenseNet161 => arm!(@ densenet::DenseNetConfig, densenet161, $C, $new, $body),
            Zoo::DenseNet169 => arm!(@ densenet::DenseNetConfig, densenet169, $C, $new, $body),
            Zoo::DenseNet201 => arm!(@ densenet::DenseNetConfig, densenet201, $C, $new, $body),
        }
    }};
    // A model whose defaults depend on the shape of its inputs.
    (@ $module:ident::$Type:ident, $C:ident, $new:ident, $body:expr) => {{
        type $C = $crate::models::$module::$Type;
        let $new: fn([usize; 3], usize) -> $C = <$C>::new;
        $body
    }};
    // One of a family of convolutional networks.
    (@ $module:ident::$Type:ident, $member:ident, $C:ident, $new:ident, $body:expr) => {{
        type $C = $crate::models::$module::$Type;
        let $new: fn([usize; 3], usize) -> $C =
            |input, classes| $crate::models::BackboneConfig::with_input(<$C>::$member(classes), input);
        $body
    }};
}
pub(crate) use with_config;

const ALEXNET: &str =
    "Krizhevsky et al., ImageNet Classification with Deep Convolutional Neural Networks";
const DENSENET: &str = "Huang et al., Densely Connected Convolutional Networks";
const GOOGLENET: &str = "Szegedy et al., Going Deeper with Convolutions";
const VGG: &str =
    "Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition";
const RESNET: &str = "He et al., Deep Residual Learning for Image Recognition";

impl Zoo {
    /// The embedded data that it trains on when none is named.
    pub fn default_data(self) -> &'static str {
        if self.takes_tables() { houses::NAME } else { glyphs::NAME }
    }

    /// Whether it takes tables and nothing else.
    fn takes_tables(self) -> bool {
        matches!(self, Self::Linear | Self::RandomForest | Self::GradientBoosting)
    }
}

impl Zoo {
    /// The line of `models`.
    pub fn card(self) -> Card {
        let (title, paper, year) = match self {
            Self::Linear => (
                "Linear regression",
                "Gauss, Theoria combinationis observationum erroribus minimis obnoxiae",
                1823,
            ),
            Self::Knn => (
                "K-nearest neighbours",
                "Fix and Hodges, Discriminatory Analysis: Nonparametric Discrimination",
                1951,
            ),
            Self::RandomForest => ("Random forest", "Breiman, Random Forests", 2001),
            Self::GradientBoosting => (
                "Gradient boosting",
                "Friedman, Greedy Function Approximation: A Gradient Boosting Machine",
                2001,
            ),
            Self::HogSvm => (
                "HOG and a linear support vector machine",
                "Dalal and Triggs, Histograms of Oriented Gradients for Human Detection",
                2005,
            ),
            Self::Logistic => {
                ("Logistic regression", "Cox, The Regression Analysis of Binary Sequences", 1958)
            }
            Self::Mlp => (
                "Multilayer perceptron",
                "Rumelhart et al., Learning representations by back-propagating errors",
                1986,
            ),
            Self::LeNet => (
                "LeNet-5",
                "LeCun et al., Gradient-Based Learning Applied to Document Recognition",
                1998,
            ),
            Self::AlexNet => ("AlexNet, one tower", ALEXNET, 2012),
            Self::Vgg11 => ("VGG-11", VGG, 2015),
            Self::Vgg11Bn => ("VGG-11 with batch normalisation", VGG, 2015),
            Self::Vgg13 => ("VGG-13", VGG, 2015),
            Self::Vgg13Bn => ("VGG-13 with batch normalisation", VGG, 2015),
            Self::Vgg16 => ("VGG-16", VGG, 2015),
            Self::Vgg16Bn => ("VGG-16 with batch normalisation", VGG, 2015),
            Self::Vgg19 => ("VGG-19", VGG, 2015),
            Self::Vgg19Bn => ("VGG-19 with batch normalisation", VGG, 2015),
            Self::GoogLeNet => ("GoogLeNet", GOOGLENET, 2015),
            Self::ResNet18 => ("ResNet-18", RESNET, 2016),
            Self::ResNet34 => ("ResNet-34", RESNET, 2016),
            Self::ResNet50 => ("ResNet-50", RESNET, 2016),
            Self::ResNet101 => ("ResNet-101", RESNET, 2016),
            Self::ResNet152 => ("ResNet-152", RESNET, 2016),
            Self::ResNet20 => ("ResNet-20 for CIFAR", RESNET, 2016),
            Self::ResNet32 => ("ResNet-32 for CIFAR", RESNET, 2016),
            Self::ResNet44 => ("ResNet-44 for CIFAR", RESNET, 2016),
            Self::ResNet56 => ("ResNet-56 for CIFAR", RESNET, 2016),
            Self::DenseNet121 => ("DenseNet-121", DENSENET, 2017),
            Self::DenseNet161 => ("DenseNet-161", DENSENET, 2017),
            Self::DenseNet169 => ("DenseNet-169", DENSENET, 2017),
            Self::DenseNet201 => ("DenseNet-201", DENSENET, 2017),
        };
        // Glyphs: 18,000 images to train on, 28 x 28 grey, of 36 classes. Houses: 1,600 rows of 4
        // columns.
        let kind = Kind::Images { channels: 1, height: 28, width: 28 };
        let (input, classes, examples) = match self.takes_tables() {
            true => ([1, 1, 4], 1, 1_600),
            false => ([1, 28, 28], 36, 18_000),
        };
        let parameters = with_config!(self, Config, new => {
            let config = new(Config::input(&kind).unwrap_or(input), classes).for_examples(examples);
            device::open("cpu").map_or(0, |cpu| models::parameters(&config.init(&cpu)))
        });
        Card {
            name: zoo::Zoo::name(self),
            title,
            paper,
            year,
            parameters,
            data: self.default_data(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenfold_core::zoo::Zoo as _;

    #[test]
    fn every_model_has_a_card_and_a_network() {
        for &(model, name) in Zoo::ALL {
            let card = model.card();
            assert!(card.parameters > 0 && card.year > 1800, "{card:?}");
            assert_eq!((card.name, Zoo::named(name)), (name, Some(model)));
        }
    }
}
