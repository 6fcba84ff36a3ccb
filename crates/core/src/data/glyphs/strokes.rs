//! The pen's path for every digit and letter, in a unit square: x to the right, y down.
//!
//! Pairs that print alike are told apart as programmers' fonts do it: zero has a slash or a
//! dot, one a flag and a foot, I two serifs, Z a bar, five and B their corners.

use std::sync::LazyLock;

/// How many classes there are: 0 to 9, then A to Z.
pub const CLASSES: usize = 36;

/// One movement of the pen without lifting it.
enum Stroke {
    /// Straight from point to point.
    Line(&'static [[f32; 2]]),
    /// Part of an ellipse: centre, radii, and the angles in degrees between which it runs; 0
    /// is to the right, 90 is down.
    Arc([f32; 2], [f32; 2], [f32; 2]),
}

use Stroke::{Arc, Line};

/// One way to write a character.
type Skeleton = &'static [Stroke];

/// The points of one stroke.
pub(super) type Path = Vec<[f32; 2]>;

const FULL: [f32; 2] = [0.0, 360.0];

/// Every way to write each class, in label order.
const SKELETONS: [&[Skeleton]; CLASSES] = [
    // 0
    &[
        &[Arc([0.5, 0.5], [0.34, 0.5], FULL), Line(&[[0.34, 0.72], [0.66, 0.28]])],
        &[Arc([0.5, 0.5], [0.34, 0.5], FULL), Line(&[[0.5, 0.44], [0.5, 0.56]])],
    ],
    // 1
    &[&[Line(&[[0.24, 0.24], [0.52, 0.0], [0.52, 1.0]]), Line(&[[0.24, 1.0], [0.8, 1.0]])]],
    // 2
    &[&[
        Arc([0.5, 0.29], [0.33, 0.29], [185.0, 400.0]),
        Line(&[[0.75, 0.48], [0.15, 1.0], [0.87, 1.0]]),
    ]],
    // 3
    &[
        &[
            Arc([0.46, 0.26], [0.32, 0.26], [200.0, 450.0]),
            Arc([0.46, 0.76], [0.37, 0.24], [270.0, 520.0]),
        ],
        &[
            Line(&[[0.18, 0.0], [0.8, 0.0], [0.45, 0.4]]),
            Arc([0.45, 0.7], [0.36, 0.3], [270.0, 515.0]),
        ],
    ],
    // 4
    &[
        &[Line(&[[0.64, 1.0], [0.64, 0.0], [0.1, 0.68], [0.92, 0.68]])],
        &[Line(&[[0.25, 0.0], [0.16, 0.58], [0.88, 0.58]]), Line(&[[0.68, 0.25], [0.68, 1.0]])],
    ],
    // 5
    &[&[
        Line(&[[0.82, 0.0], [0.24, 0.0], [0.21, 0.44]]),
        Arc([0.45, 0.68], [0.37, 0.32], [230.0, 510.0]),
    ]],
    // 6
    &[&[
        Line(&[[0.72, 0.0], [0.42, 0.2], [0.22, 0.48], [0.16, 0.7]]),
        Arc([0.5, 0.69], [0.34, 0.31], FULL),
    ]],
    // 7
    &[
        &[Line(&[[0.13, 0.0], [0.87, 0.0], [0.4, 1.0]])],
        &[Line(&[[0.13, 0.0], [0.87, 0.0], [0.4, 1.0]]), Line(&[[0.35, 0.52], [0.85, 0.52]])],
    ],
    // 8
    &[&[Arc([0.5, 0.25], [0.28, 0.25], FULL), Arc([0.5, 0.75], [0.35, 0.25], FULL)]],
    // 9
    &[
        &[
            Arc([0.5, 0.31], [0.34, 0.31], FULL),
            Line(&[[0.84, 0.34], [0.8, 0.62], [0.62, 0.88], [0.36, 1.0]]),
        ],
        &[Arc([0.5, 0.3], [0.34, 0.3], FULL), Line(&[[0.84, 0.3], [0.74, 1.0]])],
    ],
    // A
    &[
        &[Line(&[[0.08, 1.0], [0.5, 0.0], [0.92, 1.0]]), Line(&[[0.24, 0.64], [0.76, 0.64]])],
        &[
            Line(&[[0.14, 1.0], [0.14, 0.36]]),
            Arc([0.5, 0.36], [0.36, 0.36], [180.0, 360.0]),
            Line(&[[0.86, 0.36], [0.86, 1.0]]),
            Line(&[[0.14, 0.6], [0.86, 0.6]]),
        ],
    ],
    // B
    &[&[
        Line(&[[0.5, 0.0], [0.18, 0.0], [0.18, 1.0], [0.52, 1.0]]),
        Arc([0.5, 0.24], [0.28, 0.24], [270.0, 450.0]),
        Line(&[[0.18, 0.48], [0.52, 0.48]]),
        Arc([0.52, 0.74], [0.34, 0.26], [270.0, 450.0]),
    ]],
    // C
    &[&[Arc([0.55, 0.5], [0.43, 0.5], [50.0, 310.0])]],
    // D
    &[&[
        Line(&[[0.4, 0.0], [0.15, 0.0], [0.15, 1.0], [0.4, 1.0]]),
        Arc([0.4, 0.5], [0.47, 0.5], [270.0, 450.0]),
    ]],
    // E
    &[
        &[
            Line(&[[0.82, 0.0], [0.2, 0.0], [0.2, 1.0], [0.82, 1.0]]),
            Line(&[[0.2, 0.48], [0.7, 0.48]]),
        ],
        &[
            Arc([0.58, 0.25], [0.36, 0.25], [90.0, 315.0]),
            Arc([0.58, 0.75], [0.42, 0.25], [45.0, 270.0]),
        ],
    ],
    // F
    &[&[Line(&[[0.84, 0.0], [0.2, 0.0], [0.2, 1.0]]), Line(&[[0.2, 0.46], [0.7, 0.46]])]],
    // G
    &[&[
        Arc([0.52, 0.5], [0.42, 0.5], [45.0, 310.0]),
        Line(&[[0.54, 0.56], [0.88, 0.56], [0.86, 0.95]]),
    ]],
    // H
    &[&[
        Line(&[[0.15, 0.0], [0.15, 1.0]]),
        Line(&[[0.85, 0.0], [0.85, 1.0]]),
        Line(&[[0.15, 0.5], [0.85, 0.5]]),
    ]],
    // I
    &[&[
        Line(&[[0.5, 0.0], [0.5, 1.0]]),
        Line(&[[0.18, 0.0], [0.82, 0.0]]),
        Line(&[[0.18, 1.0], [0.82, 1.0]]),
    ]],
    // J
    &[&[
        Line(&[[0.4, 0.0], [0.92, 0.0]]),
        Line(&[[0.68, 0.0], [0.68, 0.7]]),
        Arc([0.4, 0.7], [0.28, 0.3], [0.0, 170.0]),
    ]],
    // K
    &[&[
        Line(&[[0.18, 0.0], [0.18, 1.0]]),
        Line(&[[0.85, 0.0], [0.18, 0.58]]),
        Line(&[[0.4, 0.4], [0.88, 1.0]]),
    ]],
    // L
    &[&[Line(&[[0.2, 0.0], [0.2, 1.0], [0.85, 1.0]])]],
    // M
    &[
        &[Line(&[[0.08, 1.0], [0.12, 0.0], [0.5, 0.62], [0.88, 0.0], [0.92, 1.0]])],
        &[
            Line(&[[0.08, 0.0], [0.08, 1.0]]),
            Arc([0.29, 0.25], [0.21, 0.25], [180.0, 360.0]),
            Line(&[[0.5, 0.25], [0.5, 0.9]]),
            Arc([0.71, 0.25], [0.21, 0.25], [180.0, 360.0]),
            Line(&[[0.92, 0.25], [0.92, 1.0]]),
        ],
    ],
    // N
    &[&[Line(&[[0.14, 1.0], [0.14, 0.0], [0.86, 1.0], [0.86, 0.0]])]],
    // O
    &[&[Arc([0.5, 0.5], [0.44, 0.48], FULL)]],
    // P
    &[&[
        Line(&[[0.18, 1.0], [0.18, 0.0], [0.5, 0.0]]),
        Arc([0.5, 0.27], [0.34, 0.27], [270.0, 450.0]),
        Line(&[[0.5, 0.54], [0.18, 0.54]]),
    ]],
    // Q
    &[&[Arc([0.5, 0.47], [0.42, 0.47], FULL), Line(&[[0.56, 0.66], [0.94, 1.04]])]],
    // R
    &[&[
        Line(&[[0.18, 1.0], [0.18, 0.0], [0.5, 0.0]]),
        Arc([0.5, 0.26], [0.34, 0.26], [270.0, 450.0]),
        Line(&[[0.5, 0.52], [0.18, 0.52]]),
        Line(&[[0.45, 0.52], [0.88, 1.0]]),
    ]],
    // S
    &[&[
        Arc([0.5, 0.26], [0.34, 0.26], [330.0, 90.0]),
        Arc([0.5, 0.76], [0.36, 0.24], [270.0, 510.0]),
    ]],
    // T
    &[&[Line(&[[0.08, 0.0], [0.92, 0.0]]), Line(&[[0.5, 0.0], [0.5, 1.0]])]],
    // U
    &[&[
        Line(&[[0.14, 0.0], [0.14, 0.64]]),
        Arc([0.5, 0.64], [0.36, 0.36], [180.0, 0.0]),
        Line(&[[0.86, 0.64], [0.86, 0.0]]),
    ]],
    // V
    &[&[Line(&[[0.08, 0.0], [0.5, 1.0], [0.92, 0.0]])]],
    // W
    &[
        &[Line(&[[0.04, 0.0], [0.26, 1.0], [0.5, 0.3], [0.74, 1.0], [0.96, 0.0]])],
        &[
            Line(&[[0.08, 0.0], [0.08, 0.75]]),
            Arc([0.29, 0.75], [0.21, 0.25], [180.0, 0.0]),
            Line(&[[0.5, 0.75], [0.5, 0.2]]),
            Arc([0.71, 0.75], [0.21, 0.25], [180.0, 0.0]),
            Line(&[[0.92, 0.75], [0.92, 0.0]]),
        ],
    ],
    // X
    &[&[Line(&[[0.1, 0.0], [0.9, 1.0]]), Line(&[[0.9, 0.0], [0.1, 1.0]])]],
    // Y
    &[
        &[Line(&[[0.08, 0.0], [0.5, 0.5], [0.92, 0.0]]), Line(&[[0.5, 0.5], [0.5, 1.0]])],
        &[Line(&[[0.1, 0.0], [0.5, 0.52]]), Line(&[[0.92, 0.0], [0.3, 1.0]])],
    ],
    // Z
    &[&[
        Line(&[[0.12, 0.0], [0.86, 0.0], [0.12, 1.0], [0.88, 1.0]]),
        Line(&[[0.26, 0.5], [0.74, 0.5]]),
    ]],
];

/// Degrees of an arc that one straight piece stands for.
const STEP: f32 = 30.0;
/// The longest straight piece; a line is cut up so that tremor can bend it.
const PIECE: f32 = 0.34;

static PATHS: LazyLock<Vec<Vec<Vec<Path>>>> = LazyLock::new(|| {
    let skeleton = |skeleton: &Skeleton| skeleton.iter().map(flatten).collect();
    SKELETONS.iter().map(|ways| ways.iter().map(skeleton).collect()).collect()
});

/// The ways to write the class `label`, each a list of paths.
pub(super) fn ways(label: usize) -> &'static [Vec<Path>] {
    &PATHS[label]
}

fn flatten(stroke: &Stroke) -> Path {
    match *stroke {
        Line(corners) => {
            let mut path = vec![corners[0]];
            for pair in corners.windows(2) {
                let [[x0, y0], [x1, y1]] = [pair[0], pair[1]];
                let pieces = ((x1 - x0).hypot(y1 - y0) / PIECE).ceil().max(1.0);
                path.extend((1..=pieces as usize).map(|piece| {
                    let t = piece as f32 / pieces;
                    [x0 + t * (x1 - x0), y0 + t * (y1 - y0)]
                }));
            }
            path
        }
        Arc([x, y], [rx, ry], [from, to]) => {
            let pieces = ((to - from).abs() / STEP).ceil().max(1.0);
            let point = |piece: usize| {
                let angle = (from + (to - from) * piece as f32 / pieces).to_radians();
                [x + rx * angle.cos(), y + ry * angle.sin()]
            };
            (0..=pieces as usize).map(point).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_stays_in_the_unit_square() {
        for label in 0..CLASSES {
            for path in ways(label).iter().flatten() {
                assert!(path.len() > 1);
                let inside = |v: &f32| (-0.01..=1.05).contains(v);
                assert!(path.iter().flatten().all(inside), "class {label}: {path:?}");
            }
        }
    }

    #[test]
    fn arcs_run_as_the_angles_say() {
        let path = flatten(&Arc([0.5, 0.5], [0.5, 0.25], [0.0, 90.0]));
        let close = |a: [f32; 2], b: [f32; 2]| (a[0] - b[0]).abs() + (a[1] - b[1]).abs() < 1e-6;
        assert_eq!(path.len(), 4);
        assert!(close(path[0], [1.0, 0.5]), "0 degrees is to the right");
        assert!(close(path[3], [0.5, 0.75]), "90 degrees is down");
    }
}
