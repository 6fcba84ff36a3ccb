"""Plays Atari 2600 games for the process that started it: the other end is child.rs.

Arguments: the game's name, how many games, frames per step, whether a lost life ends an
episode (0 or 1). What is read and written is described in child.rs. The emulator itself draws
no random number: what is random comes with each request.
"""

import os
import signal
import struct
import sys

# The emulator must not write between the answers, and Ctrl-C is the parent's business.
out = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)
signal.signal(signal.SIGINT, signal.SIG_IGN)
read = sys.stdin.buffer.read


def say(kind, text):
    """Answers the start with a refusal."""
    text = text.encode()[:60000]
    out.write(kind + struct.pack("<H", len(text)) + text)
    out.flush()
    sys.exit(0)


try:
    import numpy
    import ale_py
    from ale_py import roms
except ImportError as error:
    say(b"MISS", str(error))

rom, count, skip, lives_count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "1"
# Some need two players, which this interface does not have.
TWO_PLAYERS = {"combat", "joust", "maze_craze", "warlords"}
known = [name for name in roms.get_all_rom_ids() if name not in TWO_PLAYERS]
if rom not in known:
    say(b"ROMS", ",".join(known))

ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)

OVER, LIFE, CUT = 1, 2, 4
HEIGHT, WIDTH = 210, 160
NOTHING, FIRE = ale_py.Action.NOOP, ale_py.Action.FIRE


class Game:
    def __init__(self):
        self.ale = ale_py.ALEInterface()
        self.ale.setInt("random_seed", 0)
        self.ale.setFloat("repeat_action_probability", 0.0)
        self.ale.loadROM(roms.get_rom_path(rom))
        self.actions = self.ale.getMinimalActionSet()
        self.starts = FIRE in self.actions
        self.height, self.width = self.ale.getScreenDims()
        self.screens = [numpy.zeros((self.height, self.width), numpy.uint8) for _ in range(2)]
        self.last, self.lives = NOTHING, 0

    def write_screen(self, pooled):
        """The screen; pooled, the brighter of the last two frames: sprites may flicker."""
        if pooled:
            screen = numpy.maximum(*self.screens)
        else:
            screen = self.ale.getScreenGrayscale()
        # Some games have a few more rows, below.
        if screen.shape != (HEIGHT, WIDTH):
            whole = numpy.zeros((HEIGHT, WIDTH), numpy.uint8)
            whole[: min(HEIGHT, self.height)] = screen[:HEIGHT, :WIDTH]
            screen = whole
        out.write(screen.tobytes())

    def reset(self, noops):
        self.ale.reset_game()
        for action in [NOTHING] * noops + [FIRE] * self.starts:
            self.ale.act(action)
            if self.ale.game_over():
                self.ale.reset_game()
        self.last, self.lives = NOTHING, self.ale.lives()

    def step(self, action, noops, kept, cut):
        reward, flags = 0.0, 0
        for frame in range(skip):
            if not kept >> frame & 1:
                self.last = self.actions[action]
            reward += self.ale.act(self.last)
            over = self.ale.game_over()
            if frame >= skip - 2 or over:
                self.ale.getScreenGrayscale(self.screens[frame % 2])
            if over:
                flags |= OVER
                break
        lives = self.ale.lives()
        if lives_count and not flags and 0 < lives < self.lives:
            flags |= LIFE
        if cut:
            flags |= CUT
        self.lives = lives
        out.write(struct.pack("<fB", reward, flags))
        self.write_screen(skip > 1 and not flags & OVER)
        if flags & (OVER | CUT):
            self.reset(noops)
        elif flags & LIFE and self.starts:
            self.ale.act(FIRE)
        if flags:
            self.write_screen(False)

    def save(self):
        state = self.ale.cloneState(include_rng=True).serialize()
        out.write(struct.pack("<BBI", self.last.value, self.lives, len(state)) + state)

    def restore(self):
        last, self.lives, length = struct.unpack("<BBI", read(6))
        self.last = ale_py.Action(last)
        state = ale_py.ALEState.__new__(ale_py.ALEState)
        state.__setstate__(read(length))
        self.ale.restoreState(state)


games = [Game() for _ in range(count)]
actions = bytes(action.value for action in games[0].actions)
out.write(b"PLAY" + struct.pack("<H", len(actions)) + actions)
out.flush()

while request := read(1):
    for game in games:
        if request == b"R":
            game.reset(*read(1))
            out.write(struct.pack("<fB", 0.0, 0))
            game.write_screen(False)
        elif request == b"S":
            game.step(*read(4))
        elif request == b"G":
            game.save()
        elif request == b"P":
            game.restore()
        else:
            sys.exit(f"unknown request {request!r}")
    out.flush()
