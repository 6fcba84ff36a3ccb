//! What others ask the model by, and how it is asked.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use tenfold_core::data::Input;
use tenfold_core::suggest::{Proposal, Propose};
use tokio::sync::oneshot;

/// The most inputs of one batch.
pub const BATCH: usize = 64;

/// What the model said of one input.
pub type Answer = Result<Proposal, String>;

/// What the thread is asked for.
pub enum Job {
    /// What the model says of inputs, with so many alternatives.
    Suggest(Vec<Input>, usize, oneshot::Sender<(Arc<str>, Vec<Answer>)>),
    /// Other weights.
    Swap(Box<dyn Propose>, Arc<str>),
    /// To look whether there is something to do in the queue.
    Look,
}

/// What others ask the model by.
#[derive(Clone)]
pub struct Model(Sender<Job>);

/// The other end of [`Model`], for the thread that owns the model.
pub struct Jobs(pub Receiver<Job>);

impl Model {
    /// Both ends.
    pub fn channel() -> (Self, Jobs) {
        let (sender, receiver) = channel();
        (Self(sender), Jobs(receiver))
    }

    /// The best suggestions for each input, and by which weights.
    ///
    /// # Errors
    /// The model's thread has ended.
    pub async fn suggest(
        &self,
        inputs: Vec<Input>,
        top: usize,
    ) -> Result<(Arc<str>, Vec<Answer>), &'static str> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Job::Suggest(inputs, top, reply)).map_err(|_| "shutting down")?;
        answer.await.map_err(|_| "shutting down")
    }

    /// [`Model::suggest`] from a thread that may wait.
    ///
    /// # Errors
    /// As there.
    pub fn suggest_and_wait(&self, inputs: Vec<Input>) -> Result<Vec<Answer>, &'static str> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Job::Suggest(inputs, 1, reply)).map_err(|_| "shutting down")?;
        answer.blocking_recv().map(|(_, answers)| answers).map_err(|_| "shutting down")
    }

    /// Puts other weights in place.
    pub fn swap(&self, model: Box<dyn Propose>, weights: Arc<str>) {
        let _ = self.0.send(Job::Swap(model, weights));
    }

    /// Says that there may be something to do in the queue.
    pub fn look(&self) {
        let _ = self.0.send(Job::Look);
    }
}

/// An input that does not suit the model does not keep the others from their answers.
pub fn suggest(model: &dyn Propose, inputs: &[&Input], top: usize) -> Vec<Answer> {
    match model.propose(inputs, top) {
        Ok(answers) => answers.into_iter().map(Ok).collect(),
        Err(why) if inputs.len() == 1 => vec![Err(why.to_string())],
        Err(_) => inputs.iter().flat_map(|&input| suggest(model, &[input], top)).collect(),
    }
}
