//! Every agent must learn trivial environments in seconds, and know a time limit from an end.

use super::actor_critic::ActorCriticConfig;
use super::dqn::DqnConfig;
use super::*;
use crate::config::{EnvChoice, RunConfig};
use crate::env::{self, Cells, Options};
use crate::evaluate::{Choice, episodes};
use crate::interval::{Interval, Policy};
use crate::zoo::Zoo;
use image::RgbImage;
use tenfold_core::device;
use tenfold_core::run::Run;
use tenfold_core::train::{Figures, Keep, Plan, Unit, fit};
use tenfold_core::zoo::Zoo as _;

/// Settings that make every agent quick in environments of one layer's size.
fn quick(zoo: Zoo) -> &'static [&'static str] {
    const BODY: &str = r#"body={"convs":[],"hidden":[32]}"#;
    match zoo {
        Zoo::Dqn => &[BODY, "learning_starts=100", "lr=0.003", "gamma=0.5", "exploration=0.3"],
        Zoo::Rainbow => {
            &[BODY, "learning_starts=100", "lr=0.003", "gamma=0.5", "support=[0,2]", "atoms=11"]
        }
        Zoo::Reinforce => &[BODY, "batch_size=200", "gamma=0.5", "lr=0.01"],
        Zoo::A2c | Zoo::A3c | Zoo::Ppo => &[BODY, "gamma=0.5", "lr=0.01"],
        Zoo::Sarsa | Zoo::QLearning => &["lr=0.05", "gamma=0.5"],
        Zoo::ValueIteration => &[],
    }
}

fn made(zoo: Zoo, spec: &Spec, changes: &[&str]) -> (Box<dyn Agent>, usize) {
    let changes: Vec<String> = changes.iter().map(|change| (*change).to_owned()).collect();
    let config = zoo.config(spec, &changes).unwrap();
    let groups = config["actors"].as_u64().unwrap_or(1).max(1) as usize;
    let cpu = device::open("cpu").unwrap();
    (zoo.agent(&config, spec, 1, &cpu).unwrap(), groups)
}

/// Trains for so many steps.
fn train(agent: &mut dyn Agent, envs: &mut [Box<dyn VectorEnv>], steps: u64) -> Log {
    let mut log = Log { steps, ..Log::default() };
    for (group, envs) in envs.iter_mut().enumerate() {
        envs.reset(group as u64 + 1).unwrap();
    }
    while log.step < steps {
        agent.turn(envs, &mut log).unwrap();
    }
    log
}

/// Mean greedy return in an environment after so many steps.
fn learnt(zoo: Zoo, name: &str, steps: u64, changes: &[&str]) -> f64 {
    let open = |games| env::open(name, games, &Options::default()).unwrap();
    let spec = open(1).spec().clone();
    let (mut agent, groups) = made(zoo, &spec, changes);
    let mut envs: Vec<_> = (0..groups).map(|_| open(zoo.games(&spec) / groups)).collect();
    train(&mut *agent, &mut envs, steps);
    let player = agent.player();
    let played = episodes(&mut *open(100), &*player, 200, 5, Choice::Greedy).unwrap();
    played.statistics().mean_return
}

#[test]
fn every_agent_learns_to_name_what_it_sees() {
    for &(zoo, _) in Zoo::ALL {
        if zoo == Zoo::ValueIteration {
            continue; // The rules of this environment cannot be asked.
        }
        let found = learnt(zoo, "identity", 8000, quick(zoo));
        assert!(found > 19.5, "{zoo:?}: {found} of 20");
    }
}

#[test]
fn every_agent_finds_the_arm_that_pays() {
    for &(zoo, _) in Zoo::ALL {
        if zoo == Zoo::ValueIteration {
            continue;
        }
        // The best arm pays 0.8 of the time, the next 0.5; four standard errors are 0.11.
        let found = learnt(zoo, "bandit", 8000, quick(zoo));
        assert!(found > 0.69, "{zoo:?}: {found}");
    }
}

#[test]
fn each_switch_of_dqn_learns_by_itself() {
    for switch in [
        "double=true",
        "dueling=true",
        "prioritised=true",
        "n_step=3",
        "noisy=true",
        "categorical=true",
    ] {
        let changes = [quick(Zoo::Rainbow), &[switch]].concat();
        let found = learnt(Zoo::Dqn, "identity", 12_000, &changes);
        assert!(found > 19.0, "{switch}: {found} of 20");
    }
}

#[test]
fn a3c_learns_in_its_classic_form_too() {
    let changes = [quick(Zoo::A3c), &["asynchronous=true"]].concat();
    let found = learnt(Zoo::A3c, "identity", 8000, &changes);
    assert!(found > 19.5, "{found} of 20");
}

#[test]
fn an_agent_that_imitates_does_what_the_demonstrator_would() {
    let options = Options::default();
    let spec = env::open("minirts", 1, &options).unwrap().spec().clone();
    let body = r#"body={"pool":5,"convs":[],"hidden":[32]}"#;
    let (mut agent, _) = made(Zoo::Ppo, &spec, &[body, "imitation=1", "lr=0.003", "horizon=16"]);
    let mut envs = [env::open("minirts", 64, &options).unwrap()];
    let mut apart = || {
        let (sum, count) = train(&mut *agent, &mut envs, 16_000).sums["imitation_loss"];
        sum / count as f64
    };
    let (first, second) = (apart(), apart());
    // Chance alone would be the logarithm of 9.
    assert!(second < first && second < 1.0, "{first} {second}");

    // Nobody plays the bandit by a script.
    let spec = env::open("bandit", 4, &options).unwrap().spec().clone();
    let config = ActorCriticConfig { imitation: 1.0, ..ActorCriticConfig::a2c(&spec) };
    let why = config.check(&spec).unwrap_err();
    assert_eq!(why, "imitation: expected 0, as bandit has no demonstrator to learn from");

    // A run from before environments said whether they have a demonstrator can still be opened.
    let spec = env::open("minirts", 1, &options).unwrap().spec().clone();
    let mut before = serde_json::to_value(&spec).unwrap();
    before.as_object_mut().unwrap().remove("demonstrator").unwrap();
    let config = ActorCriticConfig { imitation: 1.0, ..ActorCriticConfig::ppo(&spec) };
    config.check(&serde_json::from_value(before.clone()).unwrap()).unwrap();
    // So can one that has the names of before.
    let fields = before.as_object_mut().unwrap();
    fields.insert("coached".into(), true.into());
    let hides = fields.remove("partially_observed").unwrap();
    fields.insert("veiled".into(), hides);
    assert_eq!(serde_json::from_value::<Spec>(before).unwrap(), spec);
    let mut named = serde_json::to_value(&config).unwrap();
    let weight = named.as_object_mut().unwrap().remove("imitation").unwrap();
    named.as_object_mut().unwrap().insert("teach".into(), weight);
    assert_eq!(serde_json::from_value::<ActorCriticConfig>(named).unwrap(), config);
}

/// Pays what a coin shows that no player sees; every step ends an episode.
#[derive(Clone, Default, serde::Serialize, serde::Deserialize)]
struct Coin(bool);

impl env::Game for Coin {
    type Cell = f32;

    fn spec(&self) -> Spec {
        Spec { partially_observed: true, ..Spec::new("coin", Cells::Floats, &[1], &["wait"]) }
    }

    fn reset(&mut self, random: &mut Random) {
        self.0 = random.below(2) == 1;
    }

    fn step(&mut self, _action: usize, _random: &mut Random) -> env::Outcome {
        env::Outcome { reward: f32::from(u8::from(self.0)), terminated: true }
    }

    fn observe(&self, into: &mut [f32]) {
        into[0] = 0.5;
    }

    fn observe_all(&self, _player: usize, into: &mut [f32]) {
        into[0] = f32::from(u8::from(self.0));
    }

    fn draw(&self) -> RgbImage {
        RgbImage::new(1, 1)
    }
}

#[test]
fn a_critic_may_see_what_is_hidden_from_the_policy() {
    let spec = env::Game::spec(&Coin::default());
    for zoo in [Zoo::A2c, Zoo::A3c, Zoo::Ppo] {
        let told = |asymmetric: &str| {
            let changes = [quick(zoo), &["shared=false", asymmetric]].concat();
            let (mut agent, groups) = made(zoo, &spec, &changes);
            let vector = || Box::new(env::SyncVectorEnv::new(Coin::default(), 8).unwrap());
            let mut envs: Vec<Box<dyn VectorEnv>> =
                (0..groups).map(|_| -> Box<dyn VectorEnv> { vector() }).collect();
            train(&mut *agent, &mut envs, 30_000);
            [0.0, 1.0, 0.5].map(|shown| agent.value(Observations::Floats(&[shown]), 1).unwrap()[0])
        };
        let [tails, heads, _] = told("asymmetric=true");
        assert!(tails.abs() < 0.25 && (heads - 1.0).abs() < 0.25, "{zoo:?}: {tails} {heads}");
        let [_, _, either] = told("asymmetric=false");
        assert!((either - 0.5).abs() < 0.2, "{zoo:?}: {either}");
    }

    let config =
        ActorCriticConfig { asymmetric: true, shared: true, ..ActorCriticConfig::ppo(&spec) };
    assert_eq!(config.check(&spec).unwrap_err(), "asymmetric: expected shared to be false");
    let config = ActorCriticConfig { shared: false, ..config };
    config.check(&spec).unwrap();
    let open = env::open("cartpole", 1, &Options::default()).unwrap().spec().clone();
    let why = config.check(&open).unwrap_err();
    assert_eq!(why, "asymmetric: expected false, as cartpole hides nothing");
}

#[test]
fn tables_find_the_paths_along_the_cliff() {
    // Sutton and Barto, example 6.6: the optimal path has 13 steps, the safe one 17.
    assert_eq!(learnt(Zoo::ValueIteration, "cliff", 5000, &[]), -13.0);
    assert_eq!(learnt(Zoo::QLearning, "cliff", 50_000, &[]), -13.0);
    let sarsa = learnt(Zoo::Sarsa, "cliff", 200_000, &["lr=0.1"]);
    assert!((-17.0..=-15.0).contains(&sarsa), "{sarsa}");
    // From all 14 states of the 4x4 grid the next corner is 26 steps away in sum, by counting.
    let grid = learnt(Zoo::ValueIteration, "grid", 500, &[]);
    assert!((grid + 26.0 / 14.0).abs() < 0.25, "{grid}");
}

/// Nothing to see or to do; each step pays 1, and episodes are cut off after five.
struct Endless {
    spec: Spec,
    step: u32,
    rewards: Vec<f32>,
    truncated: Vec<bool>,
    cells: Vec<f32>,
}

impl Endless {
    fn new() -> Self {
        let spec = Spec::new("endless", Cells::Floats, &[1], &["on", "also on"]);
        let (rewards, truncated, cells) = (vec![1.0; 4], vec![false; 4], vec![1.0; 4]);
        Self { spec, step: 0, rewards, truncated, cells }
    }
}

impl VectorEnv for Endless {
    fn spec(&self) -> &Spec {
        &self.spec
    }
    fn rows(&self) -> usize {
        self.cells.len()
    }
    fn reset(&mut self, _seed: u64) -> Result<()> {
        Ok(())
    }
    fn step(&mut self, _actions: &[usize]) -> Result<()> {
        self.step += 1;
        self.truncated.fill(self.step.is_multiple_of(5));
        Ok(())
    }
    fn observations(&self) -> Observations<'_> {
        Observations::Floats(&self.cells)
    }
    fn rewards(&self) -> &[f32] {
        &self.rewards
    }
    fn terminated(&self) -> &[bool] {
        &[false; 4]
    }
    fn truncated(&self) -> &[bool] {
        &self.truncated
    }
    fn last_observation(&self, _row: usize) -> Observations<'_> {
        Observations::Floats(&self.cells[..1])
    }
    fn episodes(&self) -> &[Episode] {
        &[]
    }
    fn save(&mut self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }
    fn restore(&mut self, _state: &[u8]) -> Result<()> {
        Ok(())
    }
    fn draw(&self, _row: usize) -> RgbImage {
        RgbImage::new(1, 1)
    }
}

/// A step pays 1 for ever, which with a discount of 0.8 is worth 5. Who takes the time limit of
/// five steps for an end finds 1 + 0.8 + ... + 0.8^4 = 3.4 at most, and 2.5 on average.
#[test]
fn a_time_limit_is_no_end() {
    let worth = |zoo: Zoo, changes: &[&str]| {
        let changes = [changes, &["gamma=0.8"]].concat();
        let (mut agent, groups) = made(zoo, &Endless::new().spec, &changes);
        let mut envs: Vec<Box<dyn VectorEnv>> =
            (0..groups).map(|_| Box::new(Endless::new()) as Box<dyn VectorEnv>).collect();
        train(&mut *agent, &mut envs, 60_000);
        agent.value(Observations::Floats(&[1.0]), 1).unwrap()[0]
    };
    const SMALL: &str = r#"body={"convs":[],"hidden":[8]}"#;
    let dqn = [SMALL, "learning_starts=100", "lr=0.003", "n_step=1"];
    let worths = [
        ("SARSA", worth(Zoo::Sarsa, &[])),
        ("Q-learning", worth(Zoo::QLearning, &[])),
        ("DQN", worth(Zoo::Dqn, &dqn)),
        ("n-step DQN", worth(Zoo::Dqn, &[&dqn[..], &["n_step=3"]].concat())),
        ("C51", worth(Zoo::Dqn, &[&dqn[..], &["categorical=true", "support=[0,10]"]].concat())),
        ("REINFORCE", worth(Zoo::Reinforce, &[SMALL, "batch_size=50", "lr=0.02"])),
        ("A2C", worth(Zoo::A2c, &[SMALL, "lr=0.01"])),
        ("A3C", worth(Zoo::A3c, &[SMALL, "lr=0.01"])),
        ("PPO", worth(Zoo::Ppo, &[SMALL, "lr=0.01"])),
    ];
    for (agent, worth) in worths {
        assert!((worth - 5.0).abs() < 0.3, "{agent}: {worth}");
    }
}

/// Going on from a checkpoint is the same to the last bit as never having stopped.
#[test]
fn every_agent_goes_on_exactly() {
    for &(zoo, agent) in Zoo::ALL {
        let env = if zoo == Zoo::ValueIteration { "cliff" } else { "identity" };
        let choice = EnvChoice { env: env.into(), options: Options::default() };
        let spec = env::open(env, 1, &choice.options).unwrap().spec().clone();
        let changes: Vec<String> = quick(zoo).iter().map(|&change| change.into()).collect();
        let own = zoo.config(&spec, &changes).unwrap();
        let groups = own["actors"].as_u64().unwrap_or(1).max(1) as usize;
        let config = RunConfig {
            config: own,
            choice,
            spec,
            games: 4 * groups,
            groups,
            seed: 1,
            steps: 1000,
            evaluations: 2,
            episodes: 1,
            sample: false,
            weights: None,
        };
        let cpu = device::open("cpu").unwrap();
        // The files that a training leaves, but for networks in checkpoints, whose parameters
        // have random names there, and the clock.
        let trained = |folder: &Path, rounds: usize, resume: bool| {
            let agent = zoo.agent(&config.config, &config.spec, config.seed, &cpu).unwrap();
            let mut learner = Interval::new(&config, agent).unwrap();
            let run = Run::at(folder).unwrap();
            let (unit, keep) = (Unit::Step, Keep::Last);
            let plan = Plan { rounds, unit, seed: 1, keep, patience: None };
            let mut measure = |_: &Policy| Ok(Figures::new());
            let metadata = BTreeMap::new();
            fit(&run, &plan, &cpu, &mut learner, &metadata, resume, &mut measure).unwrap();
            let checkpoint = std::fs::read_dir(run.checkpoint_path()).unwrap().next().unwrap();
            let files = std::fs::read_dir(checkpoint.unwrap().path()).unwrap();
            let mut all = BTreeMap::from([("weights".into(), std::fs::read(run.weights_path()))]);
            for file in files.flatten() {
                let name = file.file_name().into_string().unwrap();
                if !["network", "target", "optimizer", "state.json"].contains(&name.as_str()) {
                    all.insert(name, std::fs::read(file.path()));
                }
            }
            let whole = |(name, bytes): (String, std::io::Result<Vec<u8>>)| (name, bytes.unwrap());
            all.into_iter().map(whole).collect::<BTreeMap<String, Vec<u8>>>()
        };
        let folder = tempfile::tempdir().unwrap();
        let (whole, parted) = (folder.path().join("whole"), folder.path().join("parted"));
        let whole = trained(&whole, 2, false);
        let half = trained(&parted, 1, false);
        assert!(half != whole, "{agent} learnt nothing more");
        assert!(trained(&parted, 2, true) == whole, "{agent} went another way");
    }
}

/// What the environments answer may be wrong: one line says where.
#[test]
fn numbers_that_are_none_stop_a_training() {
    for (reward, cell, expected) in [
        (f32::NAN, 1.0, "endless: a reward of NaN in row 2"),
        (1.0, f32::INFINITY, "endless: an observation with inf in row 2"),
    ] {
        let mut envs = Endless::new();
        (envs.rewards[2], envs.cells[2]) = (reward, cell);
        let why = step(&mut envs, &[0; 4]).unwrap_err().to_string();
        assert!(why.contains(expected), "{why}");
    }
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let spec = env::open("cartpole", 1, &Options::default()).unwrap().spec().clone();
    let cpu = device::open("cpu").unwrap();
    let refused = |zoo: Zoo, change: &str| {
        let config = zoo.config(&spec, &[change.to_owned()]);
        let made = config.and_then(|config| zoo.agent(&config, &spec, 1, &cpu).map(|_| ()));
        made.unwrap_err().to_string()
    };
    for (zoo, change, expected) in [
        (Zoo::Dqn, "replay=10", "replay: 10 steps hold no batch of"),
        (Zoo::Dqn, "gamma=2", "gamma: expected 0 to 1"),
        (Zoo::Dqn, "speed=2", "unknown setting `speed`"),
        (Zoo::Dqn, "support=[1,1]", "support: expected"),
        (Zoo::Rainbow, "sigma=-1", "sigma: expected 0 or above"),
        (Zoo::Dqn, r#"body={"convs":[[8,3,1]],"hidden":[8]}"#, "shows numbers, not images"),
        (Zoo::Ppo, "horizon=0", "horizon: expected"),
        (Zoo::A2c, "asynchronous=true", "asynchronous: expected actors above 0"),
        (Zoo::Reinforce, "batch_size=0", "batch_size: expected"),
    ] {
        let why = refused(zoo, change);
        assert!(why.contains(expected), "{zoo:?} {change}: {why}");
    }
    let why = refused(Zoo::QLearning, "gamma=0.9");
    assert!(why.contains("cartpole"), "{why}");

    // A run from before the setting goes on with the deviation that it had.
    let mut before = serde_json::to_value(DqnConfig::rainbow(&spec)).unwrap();
    before.as_object_mut().unwrap().remove("sigma").unwrap();
    assert_eq!(serde_json::from_value::<DqnConfig>(before).unwrap().sigma, 0.5);
}
