//! Places on the map: distances, cells, and steps towards somewhere.

/// A place on the map.
pub type Place = [f32; 2];

/// The squared distance.
#[inline]
pub fn squared(a: Place, b: Place) -> f32 {
    let (x, y) = (a[0] - b[0], a[1] - b[1]);
    x * x + y * y
}

/// The cell that a place is in, as column and row.
#[inline]
pub fn cell(place: Place) -> [usize; 2] {
    // A place is never negative, so that cutting off after adding a half rounds.
    [(place[0] + 0.5) as usize, (place[1] + 0.5) as usize]
}

/// The middle of the cell that a place is in.
pub fn at_cell(place: Place) -> Place {
    cell(place).map(|at| at as f32)
}

/// The eight cells around one, some perhaps beside the map.
pub fn around([x, y]: Place) -> impl Iterator<Item = Place> {
    const RING: [[f32; 2]; 8] = [
        [1.0, 0.0],
        [0.0, 1.0],
        [-1.0, 0.0],
        [0.0, -1.0],
        [1.0, 1.0],
        [-1.0, 1.0],
        [-1.0, -1.0],
        [1.0, -1.0],
    ];
    RING.into_iter().map(move |[dx, dy]| [x + dx, y + dy])
}

/// At most `by` from one place to another.
#[inline]
pub fn toward(from: Place, to: Place, by: f32) -> Place {
    let distance = squared(from, to).sqrt();
    if distance <= by {
        return to;
    }
    let share = by / distance;
    [from[0] + (to[0] - from[0]) * share, from[1] + (to[1] - from[1]) * share]
}
