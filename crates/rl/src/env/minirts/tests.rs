use super::battle::{LAST_TICK, Order, START_MONEY, TRIP};
use super::orders::{Macro, act, sight};
use super::place::Place;
use super::*;
use crate::env::{SyncVectorEnv, VectorEnv};

fn game(first: Builtin, opponent: Opponent) -> MiniRts {
    let options = Options { stand_in: Some(first), opponent, frame_skip: 20, ..Options::default() };
    MiniRts::new(&options).unwrap()
}

/// Plays to the end; who won (1, 0 or -1).
fn play(game: &mut MiniRts, seed: u64) -> f32 {
    let mut random = Random::keyed(&[seed]);
    game.reset(&mut random);
    loop {
        let outcome = game.step(0, &mut random);
        if outcome.terminated {
            return outcome.reward;
        }
        assert_eq!(outcome.reward, 0.0, "only the end pays");
        assert!(game.battle.tick < LAST_TICK);
    }
}

/// Wins of the first player, draws and losses.
fn tally(first: Builtin, opponent: Opponent, games: u64) -> [u32; 3] {
    let mut game = game(first, opponent);
    let mut counts = [0; 3];
    for seed in 0..games {
        counts[(1.0 - play(&mut game, seed)) as usize] += 1;
    }
    counts
}

#[test]
fn the_built_in_players_are_as_strong_as_they_should_be() {
    let [won, _, _] = tally(Builtin::Simple, Opponent::Idle, 200);
    assert!(won >= 198, "SIMPLE against IDLE: {won} of 200");
    let [won, _, lost] = tally(Builtin::HitAndRun, Opponent::Simple, 200);
    assert!(won > 2 * lost, "HIT_AND_RUN against SIMPLE: {won} to {lost}");
}

#[test]
fn neither_player_has_an_advantage() {
    for (first, opponent) in
        [(Builtin::Simple, Opponent::Simple), (Builtin::HitAndRun, Opponent::HitAndRun)]
    {
        let [won, drawn, lost] = tally(first, opponent, 1000);
        assert!(drawn < 20, "{first:?}: {drawn} drawn");
        // Three standard errors of 1000 fair games.
        assert!(won.abs_diff(lost) < 95, "{first:?}: {won} to {lost}");
    }
}

#[test]
fn a_seed_decides_everything() {
    let run = |seed| {
        let mut game = game(Builtin::Simple, Opponent::HitAndRun);
        let end = play(&mut game, seed);
        (end, game.battle)
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
}

/// All that a player has, in money: in hand, in the ground, on the way home, spent.
fn wealth(battle: &Battle, player: u8) -> i32 {
    let mut sum = battle.money[usize::from(player)];
    for unit in battle.units.iter().filter(|unit| unit.player == player) {
        match (unit.kind, unit.order) {
            (Kind::Resource, _) => sum += unit.hp,
            (_, Order::Gather { loaded: true, .. }) => sum += TRIP,
            (_, Order::Build { kind, until, .. }) if until > 0 => sum += kind.stats().cost,
            _ => {}
        }
        if unit.born > 0 {
            sum += unit.kind.stats().cost;
        }
    }
    sum
}

#[test]
fn money_comes_from_the_ground_and_strength_from_nowhere() {
    let mut game = game(Builtin::Simple, Opponent::HitAndRun);
    for seed in 0..10 {
        let mut random = Random::new(seed);
        game.reset(&mut random);
        let mut before = [wealth(&game.battle, 0), wealth(&game.battle, 1)];
        assert_eq!(before, [START_MONEY + 1000; 2]);
        loop {
            let units: Vec<i32> = game.battle.units.iter().map(|unit| unit.hp).collect();
            let ended = game.step(0, &mut random).terminated;
            let battle = &game.battle;
            assert!(battle.money.iter().all(|money| *money >= 0));
            // A load or what is half built is lost with whoever carried or built it, or when
            // they are ordered away.
            let now = [wealth(battle, 0), wealth(battle, 1)];
            assert!(now[0] <= before[0] && now[1] <= before[1]);
            before = now;
            for (unit, before) in battle.units.iter().zip(units) {
                assert!((0..=before).contains(&unit.hp), "{unit:?} had {before}");
                assert!(unit.place.iter().all(|at| (0.0..=19.0).contains(at)), "{unit:?}");
            }
            let living = battle.units.iter().filter(|unit| unit.hp > 0).count();
            assert_eq!(living, battle.alive.len());
            for (n, a) in battle.alive.iter().enumerate() {
                for b in &battle.alive[..n] {
                    let apart = place::squared(battle.unit(*a).place, battle.unit(*b).place);
                    assert!(apart >= 0.249, "{:?} in {:?}", battle.unit(*a), battle.unit(*b));
                }
            }
            if ended {
                break;
            }
        }
    }
}

/// Two bases in corners, resources beside them, and these units.
fn field(units: &[(Kind, u8, Place)]) -> (Battle, Vec<Id>) {
    let mut battle = Battle::default();
    battle.money = [START_MONEY; 2];
    for (player, at) in [(0, 0.0), (1, 19.0)] {
        battle.base[usize::from(player)] = battle.add(Kind::Base, player, [at, at]);
        let beside = [at, (at - 4.0_f32).abs()];
        battle.resource[usize::from(player)] = battle.add(Kind::Resource, player, beside);
    }
    let ids =
        units.iter().map(|(kind, player, place)| battle.add(*kind, *player, *place)).collect();
    (battle, ids)
}

fn ticks(battle: &mut Battle, count: u32) {
    (0..count).for_each(|_| battle.tick());
}

fn order(battle: &mut Battle, player: u8, action: Macro) {
    let view = View::new(battle, player, Vec::new());
    act(battle, &view, action, &mut Random::new(1));
}

#[test]
fn hits_take_the_attack_less_the_defence() {
    // Melee against melee: 15 - 1 every 15 ticks, and the idle victim hits back.
    let (mut battle, ids) =
        field(&[(Kind::Melee, 0, [10.0, 10.0]), (Kind::Melee, 1, [11.0, 10.0])]);
    battle.unit_mut(ids[0]).order = Order::Attack(ids[1]);
    ticks(&mut battle, 1);
    assert_eq!((battle.unit(ids[1]).hp, battle.unit(ids[0]).hp), (86, 100));
    ticks(&mut battle, 1);
    assert_eq!(battle.unit(ids[0]).hp, 86);
    ticks(&mut battle, 13);
    assert_eq!(battle.unit(ids[1]).hp, 86);
    ticks(&mut battle, 1);
    assert_eq!(battle.unit(ids[1]).hp, 72);
    ticks(&mut battle, 200);
    assert_eq!((battle.lives(ids[1]), battle.unit(ids[0]).order), (false, Order::Idle));
}

#[test]
fn bullets_fly_before_they_hit() {
    let (mut battle, ids) =
        field(&[(Kind::Ranged, 0, [10.0, 10.0]), (Kind::Worker, 1, [15.0, 10.0])]);
    battle.unit_mut(ids[0]).order = Order::Attack(ids[1]);
    battle.unit_mut(ids[1]).order = Order::Go([15.0, 10.0]);
    ticks(&mut battle, 1);
    assert_eq!(battle.unit(ids[0]).place, [10.0, 10.0], "5 cells are in range");
    assert_eq!(battle.bullets.len(), 1);
    // From 5 cells to nearer than 0.3, 0.2 in a tick.
    ticks(&mut battle, 23);
    assert_eq!(battle.unit(ids[1]).hp, 50);
    ticks(&mut battle, 1);
    assert_eq!(battle.unit(ids[1]).hp, 40);
}

#[test]
fn workers_bring_five_a_trip() {
    let (mut battle, _) = field(&[(Kind::Worker, 0, [1.0, 2.0])]);
    order(&mut battle, 0, Macro::Idle);
    // To within 1 of (0, 4) in 13 ticks or so, 40 of digging, and back.
    ticks(&mut battle, 60);
    assert_eq!((battle.unit(battle.resource[0]).hp, battle.money[0]), (995, 200));
    ticks(&mut battle, 30);
    assert_eq!(battle.money[0], 205);
    for _ in 0..1000 {
        ticks(&mut battle, 1);
        assert_eq!(wealth(&battle, 0), 1200);
    }
    let trips = (battle.money[0] - 200) / 5;
    assert!((11..=14).contains(&trips), "{trips}");
}

#[test]
fn building_costs_when_it_begins() {
    let (mut battle, _) = field(&[]);
    order(&mut battle, 0, Macro::BuildWorker);
    assert_eq!(battle.money[0], 200);
    ticks(&mut battle, 1);
    assert_eq!(battle.money[0], 150);
    // Nothing more while it builds.
    order(&mut battle, 0, Macro::BuildWorker);
    ticks(&mut battle, 49);
    assert_eq!((battle.money[0], battle.alive.len()), (150, 4));
    ticks(&mut battle, 1);
    assert_eq!(battle.alive.len(), 5);
    assert_eq!(battle.unit(4).kind, Kind::Worker);
    // Too poor for barracks.
    order(&mut battle, 0, Macro::BuildBarracks);
    assert!(matches!(battle.unit(4).order, Order::Gather { .. }));
    battle.money[0] = 300;
    order(&mut battle, 0, Macro::BuildBarracks);
    ticks(&mut battle, 150);
    let barracks = battle.units.iter().find(|unit| unit.kind == Kind::Barracks).unwrap();
    assert!(place::squared(barracks.place, [0.0, 0.0]) >= 4.0);
    assert_eq!(battle.money[0] / 100, 1);
    order(&mut battle, 0, Macro::BuildMelee);
    ticks(&mut battle, 51);
    assert_eq!(battle.units.last().unwrap().kind, Kind::Melee);
}

#[test]
fn units_find_their_way_around_buildings() {
    // A wall with its only gap at the far end.
    let wall: Vec<_> = (0..19).map(|y| (Kind::Barracks, 0, [10.0, y as f32])).collect();
    let (mut battle, _) = field(&wall);
    let id = battle.add(Kind::Ranged, 0, [8.0, 3.0]);
    battle.unit_mut(id).order = Order::Go([12.0, 3.0]);
    // 16 down, 4 across, 16 up: 36 cells at 0.2 in a tick, and corners.
    ticks(&mut battle, 220);
    assert!(place::squared(battle.unit(id).place, [12.0, 3.0]) < 0.01);
    assert_eq!(battle.unit(id).order, Order::Idle);
}

#[test]
fn only_what_is_in_sight_is_seen() {
    let (battle, _) = field(&[
        (Kind::Worker, 0, [10.0, 10.0]),
        (Kind::Melee, 1, [12.0, 11.0]),
        (Kind::Melee, 1, [12.0, 12.0]),
    ]);
    let mask = sight(&battle, 0);
    // A worker sees 3 steps: 25 cells; the base in the corner 5: 21; the resource its own.
    let count: u32 = mask.iter().map(|row| row.count_ones()).sum();
    assert_eq!(count, 25 + 21);
    let mut cells = vec![0; planes::PLANES * 400];
    planes::observe(&battle, 0, &mut cells);
    let plane = |plane: usize| &cells[plane * 400..][..400];
    let seen: Vec<usize> = (0..400).filter(|at| plane(Kind::Melee as usize)[*at] == 255).collect();
    assert_eq!(seen, [11 * 20 + 12], "one is 3 steps away, the other 4");
    assert_eq!((plane(6)[11 * 20 + 12], plane(6)[10 * 20 + 10]), (127, 255));
    assert_eq!(plane(7)[10 * 20 + 10], 255);
    // Money 200: the last of the five planes; everything is new: the first age.
    assert!(plane(21).iter().all(|cell| *cell == 255));
    assert_eq!(plane(10).iter().filter(|cell| **cell == 255).count(), 4);
}

#[test]
fn nothing_is_hidden_without_fog() {
    let (mut battle, _) = field(&[(Kind::Worker, 0, [10.0, 10.0]), (Kind::Melee, 1, [12.0, 15.0])]);
    battle.money = [200, 60];
    let (mut seen, mut all) = (vec![0; planes::PLANES * 400], vec![0; planes::PLANES * 400]);
    planes::observe(&battle, 0, &mut seen);
    planes::observe_all(&battle, 0, &mut all);
    let hidden = Kind::Melee as usize * 400 + 15 * 20 + 12;
    assert_eq!((seen[hidden], all[hidden]), (0, 255));
    // But for the money, all that is seen is the same; money is 2/3 for one's own.
    let units = 17 * 400;
    assert!(seen[..units].iter().zip(&all).all(|(seen, all)| *seen == 0 || seen == all));
    let money: Vec<u8> = all[units..].chunks(400).map(|plane| plane[7]).collect();
    assert_eq!(money, [0, 85, 0, 0, 170]);
    // To the other it is the other way round, and both may have the same.
    planes::observe_all(&battle, 1, &mut all);
    assert_eq!(all[units + 4 * 400], 85);
    battle.money = [60, 60];
    planes::observe_all(&battle, 1, &mut all);
    assert_eq!(all[units + 400], 255);
}

fn numbers_of(battle: &Battle) -> Vec<u8> {
    // What was there before is of no matter.
    let mut row = vec![9; numbers::NUMBERS];
    numbers::observe(battle, 0, &mut row);
    row
}

#[test]
fn numbers_count_what_is_in_sight() {
    let (mut battle, ids) = field(&[
        (Kind::Worker, 0, [10.0, 10.0]),
        (Kind::Ranged, 0, [9.0, 10.0]),
        (Kind::Ranged, 1, [12.0, 10.0]),
        (Kind::Melee, 1, [12.0, 19.0]),
    ]);
    battle.money = [150, 60];
    let row = numbers_of(&battle);
    // Money: 50, 100 and 150 are reached; one worker; no melee troop; one that shoots.
    assert_eq!(row[..7], [255, 255, 255, 0, 0, 0, 96]);
    assert_eq!(row[7..22], [255, 0, 0, 0, 0, 0, 0, 0, 255, 0, 0, 0, 0, 0, 32]);
    // It is idle, and ready: a quarter of what fills the number.
    assert_eq!((row[34], row[41]), (64, 64));
    // Of the other's, no worker and no melee troop, one that shoots, no building.
    assert_eq!(row[44..55], [0, 0, 0, 0, 0, 255, 0, 0, 0, 0, 0]);
    // It is 3 cells away from the one that shoots: below 6, 5.5, 5 and 4, but not below 3.
    assert_eq!(row[69..77], [255, 255, 255, 255, 0, 0, 0, 0]);
    // The troop by itself: it shoots, is whole, ready and idle, 3 of 8 cells away, below 5 and
    // not below 2.45. There is no second one. The other's likewise, 15.6 of 20 cells from home.
    assert_eq!(row[98..109], [255, 255, 255, 255, 0, 0, 0, 0, 96, 255, 0]);
    assert_eq!(row[109..142], [0; 33]);
    assert_eq!(row[142..149], [255, 0, 0, 0, 255, 96, 199]);
    assert_eq!(row[149..163], [0; 14]);
    // What is hidden changes nothing: neither a troop out of sight nor the other's money.
    let mut other = battle.clone();
    other.unit_mut(ids[3]).place = [12.0, 18.0];
    other.money[1] = 400;
    assert_eq!(numbers_of(&other), row);
    let full_observations = |battle: &Battle| {
        let mut row = vec![9; numbers::NUMBERS];
        numbers::observe_all(battle, 0, &mut row);
        row
    };
    let all = full_observations(&battle);
    assert_eq!((row[47], all[47]), (0, 255), "the melee troop");
    let last = numbers::NUMBERS - 5;
    assert_eq!((&row[last..], &all[last..]), (&[0; 5][..], &[255, 38, 255, 0, 0][..]));
    assert_ne!(full_observations(&other), all);
}

#[test]
fn numbers_are_the_same_in_every_corner() {
    let mut game = game(Builtin::HitAndRun, Opponent::Simple);
    let mut random = Random::keyed(&[3]);
    game.reset(&mut random);
    for _ in 0..40 {
        game.step(0, &mut random);
    }
    let row = numbers_of(&game.battle);
    assert_ne!(row, numbers_of(&field(&[]).0), "a battle that has begun");
    let mut mirrored = game.battle.clone();
    mirrored.units.iter_mut().for_each(|unit| unit.place[0] = 19.0 - unit.place[0]);
    assert_eq!(numbers_of(&mirrored), row);
}

#[test]
fn what_is_hidden_can_be_observed() {
    for (name, observation) in [
        ("minirts", Observation::Map),
        ("minirts", Observation::Numbers),
        ("capture-the-flag", Observation::Map),
    ] {
        let mut options = crate::env::Options::default();
        options.rts.observation = observation;
        let mut envs = crate::env::open(name, 3, &options).unwrap();
        envs.reset(1).unwrap();
        assert!(envs.spec().partially_observed);
        let count = |cells: crate::env::Observations<'_>| match cells {
            crate::env::Observations::Bytes(cells) => cells.iter().filter(|c| **c > 0).count(),
            crate::env::Observations::Floats(_) => unreachable!(),
        };
        let seen = count(envs.observations());
        assert!(count(envs.full_observations()) > seen, "{name} shows no more");
    }
}

#[test]
fn everybody_defends_against_a_threat() {
    let (mut battle, ids) = field(&[
        (Kind::Worker, 0, [1.0, 2.0]),
        (Kind::Melee, 0, [3.0, 3.0]),
        (Kind::Melee, 1, [1.0, 5.0]),
    ]);
    order(&mut battle, 0, Macro::Defend);
    for id in &ids[..2] {
        assert_eq!(battle.unit(*id).order, Order::Attack(ids[2]));
    }
    // One farther away is none, unless it hits a worker.
    let (mut battle, ids) = field(&[(Kind::Worker, 0, [5.0, 5.0]), (Kind::Ranged, 1, [6.0, 6.0])]);
    order(&mut battle, 0, Macro::Defend);
    assert!(matches!(battle.unit(ids[0]).order, Order::Gather { .. }));
    battle.unit_mut(ids[1]).order = Order::Attack(ids[0]);
    ticks(&mut battle, 15);
    order(&mut battle, 0, Macro::Defend);
    assert_eq!(battle.unit(ids[0]).order, Order::Attack(ids[1]));
}

#[test]
fn hitting_and_running_keeps_away() {
    let (mut battle, ids) = field(&[(Kind::Ranged, 0, [8.0, 8.0]), (Kind::Melee, 1, [9.0, 8.0])]);
    order(&mut battle, 0, Macro::HitAndRun);
    let Order::Go(to) = battle.unit(ids[0]).order else { panic!("expected a retreat") };
    assert!(place::squared(to, [9.0, 8.0]) > 64.0, "{to:?}");
    battle.unit_mut(ids[0]).place = [5.0, 8.0];
    order(&mut battle, 0, Macro::HitAndRun);
    assert_eq!(battle.unit(ids[0]).order, Order::Attack(ids[1]));
    // A lone ranged troop defeats a lone melee troop that way.
    for _ in 0..200 {
        order(&mut battle, 0, Macro::HitAndRun);
        if battle.unit(ids[1]).order == Order::Idle {
            battle.unit_mut(ids[1]).order = Order::Attack(ids[0]);
        }
        ticks(&mut battle, 5);
    }
    assert_eq!((battle.lives(ids[0]), battle.lives(ids[1])), (true, false));
}

#[test]
fn two_agents_play_one_game() {
    let options = Options { opponent: Opponent::Itself, ..Options::default() };
    let mut game = MiniRts::new(&options).unwrap();
    assert_eq!(game.spec().players, 2);
    let mut random = Random::new(4);
    game.reset(&mut random);
    let workers = |battle: &Battle, player| {
        let is = |id: &&Id| {
            let unit = battle.unit(**id);
            unit.kind == Kind::Worker && unit.player == player
        };
        battle.alive.iter().filter(is).count()
    };
    let before = [workers(&game.battle, 0), workers(&game.battle, 1)];
    for _ in 0..3 {
        game.step_players(&[0, 1], &mut random);
    }
    assert_eq!(workers(&game.battle, 0), before[0]);
    assert!(workers(&game.battle, 1) > before[1]);
    let (mut first, mut second) = (vec![0; 8800], vec![0; 8800]);
    game.observe_player(0, &mut first);
    game.observe_player(1, &mut second);
    assert_ne!(first, second);
}

#[test]
fn frame_skips_that_cannot_work_are_refused() {
    for skip in [0, 1001] {
        let options = Options { frame_skip: skip, ..Options::default() };
        assert!(MiniRts::new(&options).unwrap_err().to_string().starts_with("--frame-skip: "));
        let options = Options { opponent_frame_skip: skip, ..Options::default() };
        let error = MiniRts::new(&options).unwrap_err().to_string();
        assert!(error.starts_with("--opponent-frame-skip: "));
    }
}

#[test]
fn mixed_opponents_are_both() {
    let mut game = MiniRts::new(&Options { opponent: Opponent::Mixed, ..Options::default() });
    let game = game.as_mut().unwrap();
    let mut simple = 0;
    for seed in 0..100 {
        game.reset(&mut Random::keyed(&[seed]));
        simple += u32::from(game.opponent == Some(Builtin::Simple));
    }
    // Four standard deviations of a fair coin.
    assert!((30..=70).contains(&simple), "{simple} of 100");
}

#[test]
fn a_lead_in_units_pays_but_is_no_score() {
    let options = Options {
        shaping: 2.0,
        stand_in: Some(Builtin::Simple),
        frame_skip: 20,
        ..Options::default()
    };
    let mut game = MiniRts::new(&options).unwrap();
    game.reset(&mut Random::keyed(&[1]));
    let before = game.standing();
    game.battle.add(Kind::Melee, 0, [10.0, 10.0]);
    assert!((game.standing() - before - 0.2).abs() < 1e-6);
    game.battle.add(Kind::Worker, 1, [11.0, 10.0]);
    assert!((game.standing() - before - 0.1).abs() < 1e-6);
    let mut envs = SyncVectorEnv::new(MiniRts::new(&options).unwrap(), 1).unwrap();
    envs.reset(1).unwrap();
    let mut paid = 0.0;
    while envs.episodes().is_empty() {
        envs.step(&[0]).unwrap();
        paid += envs.rewards()[0];
    }
    let score = envs.episodes()[0].score;
    assert!(score.abs() == 1.0 && (paid - score).abs() > 0.01, "{paid} for {score}");
}

#[test]
fn the_demonstrator_wins_with_one_action_at_a_time() {
    let wins = |opponent, frame_skip| {
        let options = Options { opponent, frame_skip, ..Options::default() };
        let mut game = MiniRts::new(&options).unwrap();
        let mut won = 0;
        for seed in 0..200 {
            let mut random = Random::keyed(&[seed]);
            game.reset(&mut random);
            loop {
                let action = game.demonstration(0).unwrap();
                let outcome = game.step(action, &mut random);
                if outcome.terminated {
                    won += u32::from(outcome.reward > 0.0);
                    break;
                }
            }
        }
        println!("{won} of 200 against {opponent:?} at a frame skip of {frame_skip}");
        won
    };
    assert!(wins(Opponent::Simple, 20) > 150);
    assert!(wins(Opponent::HitAndRun, 5) > 110);
    let game = MiniRts::new(&Options::default()).unwrap();
    let mut envs = SyncVectorEnv::new(game, 3).unwrap();
    envs.reset(1).unwrap();
    assert_eq!(envs.demonstrations().unwrap().len(), 3);
}
