//! The way to the CPU backend's primitives and back, with or without automatic
//! differentiation; everything else is Burn's own.
//!
//! An operator is written once as an [`Operator`] on primitives. [`apply`] runs it where all
//! operands live on the CPU backend in f32, and gives them back where they do not, so that
//! the caller can call Burn's own operation.

use crate::largest;
use crate::raw::View;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::{
    BalancedCheckpointing, CheckpointStrategy, NoCheckpointing,
};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::{
    Autodiff, BackendTensor, DispatchDevice, DispatchKindConversion, DispatchTensor, Flex,
    GradientCheckpointingStrategy,
};
use burn::tensor::{Bytes, DType, Device, Shape, Tensor};
use burn_flex::{FlexTensor, Layout};
use std::fmt::Debug;
use std::sync::OnceLock;

/// An operator of `N` tensors with a backward of its own.
pub(crate) trait Operator<const N: usize>: Clone + Debug + Send + 'static {
    /// What the backward needs of the forward.
    type Saved: Clone + Debug + Send + 'static;

    /// The result, and what the backward needs of it.
    fn forward(&self, inputs: [FlexTensor; N]) -> (FlexTensor, Self::Saved);

    /// The gradients for those inputs that are wanted.
    fn backward(
        &self,
        saved: Self::Saved,
        gradient: FlexTensor,
        wanted: [bool; N],
    ) -> [Option<FlexTensor>; N];
}

/// Where tensors live, if our operators can reach them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Plain,
    Tracked(GradientCheckpointingStrategy),
}

fn place(device: &Device) -> Option<Place> {
    match device.as_dispatch() {
        DispatchDevice::Flex(_) => Some(Place::Plain),
        DispatchDevice::Autodiff(device) => {
            let strategy = device.gradient_checkpointing_strategy();
            matches!(device.clone().inner(), DispatchDevice::Flex(_))
                .then_some(Place::Tracked(strategy))
        }
        #[allow(unreachable_patterns, reason = "reached where other backends are compiled in")]
        _ => None,
    }
}

/// A tensor of any rank on its way to an operator.
pub(crate) struct Operand {
    tensor: DispatchTensor,
    place: Option<Place>,
}

impl Operand {
    pub(crate) fn new<const D: usize>(tensor: Tensor<D>) -> Self {
        let place = (tensor.dtype() == DType::F32).then(|| place(&tensor.device())).flatten();
        Self { tensor: tensor.into_dispatch(), place }
    }
}

/// Whether operators can reach these tensors.
pub(crate) fn reaches<const N: usize>(operands: &[Operand; N]) -> bool {
    !burns_own()
        && operands[0].place.is_some()
        && operands.iter().all(|operand| operand.place == operands[0].place)
}

/// Whether `TENFOLD_OPERATORS=burn` asks for Burn's own operators everywhere: for measuring what
/// these bring, and that networks learn alike on both. Asked once.
fn burns_own() -> bool {
    static ASKED: OnceLock<bool> = OnceLock::new();
    *ASKED.get_or_init(|| std::env::var("TENFOLD_OPERATORS").is_ok_and(|value| value == "burn"))
}

/// The operator's result.
///
/// # Panics
/// Where [`reaches`] says no, or `D` is not the rank of the result.
pub(crate) fn apply<O: Operator<N>, const N: usize, const D: usize>(
    operator: O,
    operands: [Operand; N],
) -> Tensor<D> {
    match operands[0].place.expect("operands that operators reach") {
        Place::Plain => {
            let inputs = operands.map(|operand| plain(operand.tensor));
            let (out, _) = operator.forward(inputs);
            largest::seen(out.layout().num_elements());
            Tensor::from_primitive::<Flex>(out)
        }
        Place::Tracked(GradientCheckpointingStrategy::Disabled) => {
            tracked::<O, NoCheckpointing, N, D>(operator, operands)
        }
        Place::Tracked(GradientCheckpointingStrategy::Balanced) => {
            tracked::<O, BalancedCheckpointing, N, D>(operator, operands)
        }
    }
}

fn plain(tensor: DispatchTensor) -> FlexTensor {
    match <DispatchTensor as DispatchKindConversion<Flex>>::try_into_backend(tensor) {
        Ok(tensor) => tensor.float(),
        Err(why) => unreachable!("the device was asked before: {why}"),
    }
}

fn tracked<O: Operator<N>, C: CheckpointStrategy, const N: usize, const D: usize>(
    operator: O,
    operands: [Operand; N],
) -> Tensor<D>
where
    DispatchTensor: DispatchKindConversion<Autodiff<Flex, C>>,
{
    let convert = <DispatchTensor as DispatchKindConversion<Autodiff<Flex, C>>>::try_into_backend;
    let tensors = operands.map(|operand| match convert(operand.tensor) {
        Ok(BackendTensor::Float(tensor)) => tensor,
        Ok(other) => unreachable!("a {} among float tensors", other.name()),
        Err(why) => unreachable!("the device was asked before: {why}"),
    });
    let nodes = tensors.each_ref().map(|tensor| tensor.node());
    let inputs = tensors.map(|tensor| tensor.into_primitive());
    let prepared = Node(operator.clone()).prepare::<C>(nodes).compute_bound().stateful();
    let (out, saved) = operator.forward(inputs);
    Tensor::from_primitive::<Autodiff<Flex, C>>(match prepared {
        OpsKind::Tracked(prepared) => prepared.finish(saved, out),
        OpsKind::UnTracked(prepared) => prepared.finish(out),
    })
}

/// An operator in the graph of the automatic differentiation.
#[derive(Clone, Debug)]
struct Node<O>(O);

impl<O: Operator<N>, const N: usize> Backward<Flex, N> for Node<O> {
    type State = O::Saved;

    fn backward(self, ops: Ops<O::Saved, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<Flex>(&ops.node);
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let gradients = self.0.backward(ops.state, gradient, wanted);
        for (parent, gradient) in ops.parents.into_iter().zip(gradients) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                grads.register::<Flex>(parent.id, gradient);
            }
        }
    }
}

/// A primitive whose strides are not negative.
pub(crate) fn forwards(tensor: FlexTensor) -> FlexTensor {
    if tensor.layout().strides().iter().all(|&stride| stride >= 0) {
        tensor
    } else {
        tensor.to_contiguous()
    }
}

/// A primitive whose elements lie in order.
pub(crate) fn contiguous(tensor: FlexTensor) -> FlexTensor {
    if tensor.is_contiguous() { tensor } else { tensor.to_contiguous() }
}

/// The elements of a primitive that [`contiguous`] or [`to_channels_last`] gave, as they lie.
pub(crate) fn slice(tensor: &FlexTensor) -> &[f32] {
    let start = tensor.layout().start_offset();
    &tensor.storage::<f32>()[start..start + tensor.layout().num_elements()]
}

/// A primitive that [`forwards`] gave, `[batch, channels, height, width]`.
pub(crate) fn view(tensor: &FlexTensor) -> View<'_> {
    let layout = tensor.layout();
    let shape = layout.shape().dims();
    let strides: Vec<usize> = layout.strides().iter().map(|&stride| stride as usize).collect();
    let strides = strides.try_into().expect("four dimensions");
    View::new(&tensor.storage::<f32>()[layout.start_offset()..], shape, strides)
}

/// A primitive whose elements lie as those of another without gaps.
pub(crate) fn like(elements: Vec<f32>, other: &FlexTensor) -> FlexTensor {
    let layout = other.layout();
    let layout = Layout::new(layout.shape().clone(), layout.strides().to_vec(), 0);
    FlexTensor::new(Bytes::from_elems(elements), layout, DType::F32)
}

/// A primitive of elements in order.
pub(crate) fn primitive(elements: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    let layout = Layout::contiguous(shape.into());
    FlexTensor::new(Bytes::from_elems(elements), layout, DType::F32)
}

/// A primitive `[batch, channels, height, width]` of elements that lie channels last.
pub(crate) fn channels_last(elements: Vec<f32>, shape: [usize; 4]) -> FlexTensor {
    let [_, channels, height, width] = shape;
    let strides = [height * width * channels, 1, width * channels, channels];
    let layout = Layout::new(shape.into(), strides.map(|stride| stride as isize).into(), 0);
    FlexTensor::new(Bytes::from_elems(elements), layout, DType::F32)
}

/// The same primitive with its elements channels last, without gaps.
pub(crate) fn to_channels_last(tensor: FlexTensor) -> FlexTensor {
    let tensor = forwards(tensor);
    let view = view(&tensor);
    if view.is_channels_last() {
        return tensor;
    }
    channels_last(view.to_channels_last(), view.shape())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_is_reached_in_single_precision_only() {
        let device = Device::flex();
        let zeros = |device: &Device| Operand::new(Tensor::<1>::zeros([3], device));
        let checkpointing = device.clone().autodiff().gradient_checkpointing();
        for device in [device.clone(), device.clone().autodiff(), checkpointing] {
            assert!(reaches(&[zeros(&device), zeros(&device)]));
        }
        assert!(!reaches(&[zeros(&device), zeros(&device.clone().autodiff())]));
        let double = Tensor::<1>::zeros([3], &device).cast(DType::F64);
        assert!(!reaches(&[Operand::new(double)]));
    }
}
