//! What all parts of the server share.

use crate::active::{Active, lock};
use crate::entry::{Order, Proposed};
use crate::memory::Memory;
use crate::metrics::Metrics;
use crate::model::Model;
use crate::queue::{Audit, Queue};
use crate::retrain::Retrain;
use crate::writer::Writer;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tenfold_core::annotate::Verdict;
use tenfold_core::calibrate::Threshold;
use tenfold_core::data::{Kind, Preprocess};
use tenfold_core::progress::note;
use tenfold_core::store::{Action, Decision, now};
use tenfold_core::suggest::Proposal;
use tokio::sync::watch;

/// Who decides where no person does.
pub const NOBODY: &str = "(model)";

/// The most bytes that images and what is made of them take at once.
pub const MEMORY: u64 = 672 << 20;

/// The most bytes that the bodies of requests take at once; one of the largest always fits.
const BODIES: u64 = 64 << 20;

/// Fewer items than this judge nobody's weights.
pub const LEAST_JUDGES: usize = 20;

/// What was chosen on the command line.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The task, such as `classification`.
    pub task: String,
    /// The folder of the images, the table, or the file of texts.
    pub queue: PathBuf,
    /// What the model takes.
    pub kind: Kind,
    /// The store's file.
    pub store: PathBuf,
    /// Whether answers are free texts rather than labels.
    pub free: bool,
    /// Whether images have any number of places, which a person may add to.
    pub places: bool,
    /// Alternatives for each slot.
    pub top: usize,
    /// The error rate that is accepted where no person looks.
    pub risk: Option<f64>,
    /// The order where none is asked for.
    pub order: Order,
    /// Whether suggestions are withheld from everybody, to measure what they save.
    pub baseline: bool,
    /// What a request must know, where the address is not this machine's own.
    pub token: Option<String>,
    /// Names under which the server may be asked, beside its address.
    pub hosts: Vec<String>,
    /// The most bytes of an upload.
    pub upload: usize,
    /// The most pixels of an image in a request; eight times as many of all of them.
    pub pixels: u64,
    /// How images become the network's input, where that is done before it sees them.
    pub preprocess: Option<Preprocess>,
    /// The most bytes that images and what is made of them take at once.
    pub memory: u64,
    /// How long one request may take.
    pub patience: Duration,
}

/// Everything.
pub struct State {
    /// What was chosen.
    pub settings: Settings,
    /// The store's thread.
    pub writer: Writer,
    /// The model's thread.
    pub model: Model,
    /// What is counted.
    pub metrics: Metrics,
    /// What images and what is made of them may take.
    pub memory: Memory,
    /// What the bodies of requests may take.
    pub bodies: Memory,
    /// The training on what was decided.
    pub retrain: Retrain,
    queue: Mutex<Queue>,
    active: Mutex<Active>,
    labels: Mutex<Vec<String>>,
    likeness: AtomicBool,
    ending: AtomicBool,
    stopped: AtomicBool,
    /// Counts the changes, for those who watch.
    changes: watch::Sender<u64>,
}

impl State {
    /// At the start.
    pub fn new(
        settings: Settings,
        (writer, model): (Writer, Model),
        queue: Queue,
        labels: Vec<String>,
        active: Active,
        retrain: Retrain,
    ) -> Self {
        Self {
            writer,
            model,
            metrics: Metrics::default(),
            memory: Memory::new(settings.memory),
            bodies: Memory::new(BODIES.max(settings.upload as u64 * 2)),
            settings,
            retrain,
            queue: Mutex::new(queue),
            active: Mutex::new(active),
            labels: Mutex::new(labels),
            likeness: AtomicBool::new(false),
            ending: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            changes: watch::Sender::new(0),
        }
    }

    /// The items.
    pub fn queue(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }

    /// The weights in place.
    pub fn active(&self) -> Active {
        lock(&self.active).clone()
    }

    /// Puts other weights in place, in name; the model's thread has them already.
    pub fn activate(&self, active: Active) {
        *lock(&self.active) = active;
        self.queue().forget_embeddings();
        self.changed();
    }

    /// The labels.
    pub fn labels(&self) -> MutexGuard<'_, Vec<String>> {
        lock(&self.labels)
    }

    /// The names of a table's columns.
    pub fn columns(&self) -> Option<&[String]> {
        match &self.settings.kind {
            Kind::Rows { columns, .. } => Some(columns),
            Kind::Images { .. } | Kind::Texts => None,
        }
    }

    /// Whether somebody has asked for what is alike.
    pub fn wants_likeness(&self) -> bool {
        self.likeness.load(Ordering::Relaxed)
    }

    /// Somebody does.
    pub fn want_likeness(&self) {
        if !self.likeness.swap(true, Ordering::Relaxed) {
            self.model.look();
        }
    }

    /// Whether every request has been answered, and the model's thread may end.
    pub fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// It has.
    pub fn stop(&self) {
        self.end();
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether the server is on its way out: requests under way are still answered.
    pub fn ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    /// It is.
    pub fn end(&self) {
        self.ending.store(true, Ordering::Relaxed);
        self.changed();
    }

    /// Tells those who watch.
    pub fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Told of every change.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Accepts what the weights in place are sure enough of.
    pub fn accept_sure(&self, weights: &str) {
        let active = self.active();
        let Some(threshold) = active.threshold.filter(|_| *active.id == *weights) else { return };
        let mut queue = self.queue();
        if queue.suspended {
            return;
        }
        let sure = queue.sure(weights, threshold.confidence, Instant::now());
        if sure.is_empty() {
            return;
        }
        let decision = |(item, proposed): (i64, Proposed)| Decision {
            item,
            person: NOBODY.into(),
            at: now(),
            seconds: None,
            action: Action::Auto,
            verdicts: Verdict::confirming(&proposed.proposal),
            proposed: Some(Proposal::clone(&proposed.proposal)),
            weights: Some(weights.into()),
            hidden: false,
            grid: false,
            key: None,
        };
        let decisions: Vec<Decision> = sure.into_iter().map(decision).collect();
        // The queue stays locked, or a person could be handed what is being accepted.
        match self.writer.decide_and_wait(decisions.clone()) {
            Ok(_) => decisions.iter().for_each(|decision| queue.apply(decision)),
            Err(why) => note(format_args!("error: auto-accept: {why}")),
        }
    }

    /// Ends the automation where the audit shows that its promise is broken.
    pub fn look_at_audit(&self) {
        let Some(risk) = self.settings.risk else { return };
        let mut queue = self.queue();
        if !queue.suspended && queue.audit().breaks(risk) {
            queue.suspended = true;
            note("auto-accept stopped: the audit found more errors than expected");
        }
    }

    /// As `GET /v1/status` has it.
    pub fn status(&self) -> Value {
        let active = self.active();
        let queue = self.queue();
        let counts = queue.counts(Instant::now());
        let audit = queue.audit();
        let (suspended, fixed) = (queue.suspended, queue.fixed_decided());
        drop(queue);
        let auto_accept = self.settings.risk.map(|risk| {
            let (code, message) = automation(risk, &active, suspended, &audit);
            json!({
                "risk": risk,
                "threshold": active.threshold.map(|threshold| threshold.confidence),
                "accepted": audit.accepted,
                "audited": audit.audited,
                "audit_errors": audit.audit_errors,
                "suspended": suspended,
                "message": message,
                "code": code,
            })
        });
        json!({
            "task": self.settings.task,
            "model": active.model,
            "weights": {"id": &*active.id, "round": active.round, "accuracy": active.accuracy},
            "person_needed": counts.open > 0,
            "queue": counts,
            "answers": if self.settings.free { "text" } else { "label" },
            "places": self.settings.places,
            "labels": self.labels().len(),
            "auto_accept": auto_accept,
            "retrain": self.retrain.status(),
            "fixed": {"decided": fixed, "needed": LEAST_JUDGES},
            "baseline": self.settings.baseline,
            "order": self.settings.order,
            "version": env!("CARGO_PKG_VERSION"),
        })
    }
}

fn automation(
    risk: f64,
    active: &Active,
    suspended: bool,
    audit: &Audit,
) -> (&'static str, String) {
    let percent = risk * 100.0;
    match active.threshold {
        _ if suspended => {
            let Audit { audited, audit_errors, .. } = audit;
            let text = format!(
                "auto-accept stopped: {audit_errors} of {audited} audited items were wrong, more than the \
                 expected {percent} %; people decide every item again"
            );
            ("suspended", text)
        }
        None => {
            let text = format!(
                "auto-accept: off, since no confidence threshold keeps the expected errors at most \
                 {percent} % on held-out data"
            );
            ("none_possible", text)
        }
        Some(Threshold { confidence, accepted, errors, bound }) => {
            let text = format!(
                "auto-accept: expected errors at most {:.2} % from a confidence of {:.2} % ({errors} of \
                 {accepted} held-out examples were wrong there; 95 % confidence)",
                bound * 100.0,
                confidence * 100.0,
            );
            ("accepting", text)
        }
    }
}
